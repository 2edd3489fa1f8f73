"""The scenes of a whole life: for each rule about orders, moves, rebuilds and reports one in which it fires."""

from typing import Final

from attrs import evolve

from memgraph_ha.core.facts import Miss
from memgraph_ha.core.names import Address, InstanceName, RowName
from memgraph_ha.core.requests import Ask
from memgraph_ha.core.topology import Mode, RowStatus
from tests.core.changes import (
    frozen,
    gate_shut,
    gone,
    is_main,
    is_replica,
    misses,
    place,
    recorded,
    restarted,
    rows,
    scene,
    unnamed,
    unprotected,
    wiped,
)
from tests.core.orders import (
    AUDIT,
    asks,
    found_quiet,
    full_disk,
    given_up,
    held,
    moving,
    paused,
    proven_in_quiet,
    rebuilding,
    refused_as_diverged,
    replaced,
    repromoted,
    restore_triggers,
    restore_users,
)
from tests.core.scenes import ADOPTABLE, DURABLE, LOST
from tests.core.views import HEALTHY, M0, M1, M2, NOW, Scene, async_row, strict_row

# --- orders -------------------------------------------------------------------------------------------

ADOPTED: Final = ADOPTABLE.but(asks(Ask.ADOPT, M1), is_main(M1))
"""No record, m0 and m1 are MAIN: a human names m1."""

SWAPPED: Final = HEALTHY.but(replaced, unprotected)
"""MAIN holds another data set than the record: somebody ran RECOVER SNAPSHOT."""

FORCED: Final = LOST.but(gone(M0), unnamed, asks(Ask.FAILOVER, M1))
"""MAIN is gone, nobody is named, and a human accepts a loss."""

# --- planned moves ------------------------------------------------------------------------------------

MOVING: Final = HEALTHY.but(moving())
"""A switchover to m1 is in the record; our gateway does not hold new transactions yet."""

HELD: Final = MOVING.but(held())
"""It does now."""

QUIET: Final = HELD.but(found_quiet())
"""MAIN has no transaction."""

READY_TO_MOVE: Final = QUIET.but(proven_in_quiet)
"""m1 was proven since."""

DEMOTED: Final = MOVING.but(is_replica(M0), gate_shut())
"""m0 was demoted, but the record could not be written in the same breath."""

# --- rows ---------------------------------------------------------------------------------------------

WRONG_ROW: Final = HEALTHY.but(rows(strict_row(), async_row(), async_row("m2_by_hand")))
"""MAIN has a second ASYNC row of m2, which can be dropped in a quiet moment only."""

WRONG_ROW_HELD: Final = WRONG_ROW.but(held(0.6))
WRONG_ROW_QUIET: Final = WRONG_ROW_HELD.but(found_quiet(0.35))

ENDLESS: Final = HEALTHY.but(unprotected, rows(strict_row("m1_6", status=RowStatus.RECOVERY), async_row()))
"""A row of m1 that was given up is still catching up."""

# --- data that cannot be used -------------------------------------------------------------------------

DIVERGED: Final = HEALTHY.but(rows(strict_row()), refused_as_diverged(M2))
"""m2 holds commits that MAIN's history does not cover; history proves that they were never acknowledged."""

GIVEN_UP: Final = HEALTHY.but(rows(strict_row()), given_up(M2))
"""m2 must be rebuilt."""

REBUILT: Final = GIVEN_UP.but(wiped(M2), rebuilding(M2))
"""Its data is aside, and a new process answers with nothing."""

ROLLED_BACK: Final = HEALTHY.but(repromoted, unprotected, rows(async_row()), refused_as_diverged(M1))
"""MAIN came back from an older copy of its volume: m1 holds what it lacks."""

FULL: Final = HEALTHY.but(unprotected, gone(M1), gate_shut(), full_disk(ago_s=0.25))
"""MAIN's disk takes no commits, nobody may follow, and the pause after the last try is over."""

FROZEN: Final = HEALTHY.but(unprotected, gone(M1), frozen(M0, 61.0), gate_shut())
"""MAIN has answered nothing for a minute, and nobody may follow."""

# --- what a promotion forgets -------------------------------------------------------------------------

_ATTACHED = DURABLE.but(rows(async_row()))
NO_ACCOUNTS: Final = _ATTACHED.but(restore_users)
NO_TRIGGERS: Final = _ATTACHED.but(restore_triggers, recorded(triggers=(AUDIT,)))

FOREIGN_ROW: Final = evolve(async_row("backup"), address=Address("10.9.9.9:10000"))
FOREIGN_STRICT: Final = evolve(FOREIGN_ROW, mode=Mode.STRICT_SYNC, name=RowName("other"))

OCCASIONS: Final[dict[str, Scene]] = {
    "C20": ADOPTED,
    "C20 replaced": SWAPPED.but(asks(Ask.ADOPT, M0)),
    "C10": HEALTHY.but(asks(Ask.PAUSE)),
    "C15": HEALTHY.but(paused, asks(Ask.RESUME)),
    "C30": FORCED,
    "C40": HEALTHY.but(asks(Ask.RESTART, M2)),
    "C50": HEALTHY.but(asks(Ask.REINIT, M2)),
    "M10": HEALTHY.but(asks(Ask.SWITCHOVER, M1)),
    "M10 stop": HEALTHY.but(asks(Ask.STOP, M0)),
    "M20": MOVING.but(unnamed),
    "M30": MOVING,
    "M30 held": HELD,
    "M30 quiet": QUIET,
    "M30 ready": READY_TO_MOVE,
    "M30 demoted": DEMOTED,
    "C90": LOST.but(paused),
    "C95": HEALTHY.but(paused, rows(strict_row())),
    "L12": HEALTHY.but(is_main(M1), restarted(M0), gate_shut()),
    "L80": FULL,
    "L85": FROZEN,
    "O42": NO_ACCOUNTS,
    "O44": NO_TRIGGERS,
    "W20": SWAPPED,
    "W30": ROLLED_BACK,
    "D15": ENDLESS,
    "H03": HEALTHY.but(unprotected, given_up(M1)),
    "H20": WRONG_ROW,
    "H20 held": WRONG_ROW_HELD,
    "H20 quiet": WRONG_ROW_QUIET,
    "E10": DIVERGED,
    "E20": GIVEN_UP,
    "F20": HEALTHY.but(rows(strict_row()), place(M2, port_open=False)),
    "K20": HEALTHY.but(place(M0, triggers=(AUDIT,))),
    "K30": HEALTHY.but(recorded(rebuild=frozenset({InstanceName("m7")}))),
    "Y05": HEALTHY.but(misses(M2, Miss.UNAUTHORISED, 1, 0.1)),
    "Y35": WRONG_ROW.but(scene(quiet_s=NOW - 10, quiet_until_s=NOW - 5)),
    "Y40": HEALTHY.but(recorded(triggers=(AUDIT,)), place(M0, triggers=())),
    "Y50": HEALTHY.but(rows(strict_row(), async_row(), FOREIGN_ROW)),
    "Y60": HEALTHY.but(place(M2, version="3.5.0")),
    "Y70": HEALTHY.but(place(M2, init_file="")),
}
"""Keyed by rule, and a word where a rule has several steps."""

"""Named scenes: the steps of one failover from m0 to m1, a cluster without a record, and a healthy one.

Each step of the failover is the one before plus what its decision brought about, so that the tests of the rules
tell one story.
"""

from typing import Final

from attrs import evolve

from memgraph_ha.core.record import Change, ChangeKind, Fallback, Standby
from memgraph_ha.core.topology import Role
from tests.core.changes import (
    gate_shut,
    gone,
    is_main,
    no_noop,
    one_more_noop,
    place,
    recorded,
    refuses,
    restarted,
    rows,
    scene,
    wiped,
)
from tests.core.views import HEALTHY, M0, M1, M2, NOW, WALL, async_row, noop, permit_for, run_of, strict_row

LOST: Final = HEALTHY.but(refuses(M0), gate_shut())
"""MAIN m0 refuses connections, the gateway is shut, m1 has answered since."""

_BEGAN = Change(
    generation=5,
    main=M1,
    previous=M0,
    kind=ChangeKind.FAILOVER,
    standby=M1,
    rule="L30",
    reason="MAIN m0 is lost",
    at=WALL - 1,
)

BEGUN: Final = HEALTHY.but(
    gone(M0),
    gate_shut(),
    recorded(
        generation=5,
        main=M1,
        main_run=run_of(M1),
        opened=False,
        standby=None,
        fallback=Fallback(instance=M0, run=None),
        history=(*HEALTHY.recorded.history, _BEGAN),
    ),
    scene(record_since_s=NOW),
)
"""The record says reign 5 of m1, not open; m1 is a REPLICA still; m0 has no process."""

PROMOTED: Final = BEGUN.but(is_main(M1), rows())
"""m1 answers as MAIN, without rows; its last no-op was of the reign before, on m0."""

DURABLE: Final = PROMOTED.but(one_more_noop(noop(M1, generation=5, asked_s=NOW - 0.2)))
"""Its first commit is acknowledged."""

FENCED: Final = DURABLE.but(rows(async_row()))
"""m2 is registered on it."""

_opened = FENCED.but(
    restarted(M0),
    recorded(
        opened=True,
        fallback=None,
        unprotected=True,
        level=((M0, 4), (M1, 5), (M2, 5)),
    ),
)

ALONE: Final = evolve(_opened, gate=permit_for(_opened))
"""The reign is open and unprotected; m0 is back as REPLICA in another run."""

NEW_STANDBY: Final = Standby(instance=M0, run=run_of(M0, 2), row=ALONE.recorded.standby_row(M0))
"""m0 in its new run; its row has the number that the record has now."""

_NUMBERED = ALONE.but(recorded(row_seq=8))

ATTACHED: Final = _NUMBERED.but(rows(async_row(), strict_row("m0_8", M0)))
"""m0 is registered STRICT_SYNC under number 8 and takes commits."""

PROVEN: Final = ATTACHED.but(
    one_more_noop(
        noop(M1, evolve(NEW_STANDBY, row=_NUMBERED.recorded.standby_row(M0)), generation=5, asked_s=NOW - 0.1)
    )
)
"""A no-op was acknowledged with m0 as witness."""

EMPTY: Final = HEALTHY.but(
    wiped(M0),
    wiped(M1),
    wiped(M2),
    gate_shut(),
    no_noop,
    scene(record=None, token=None),
    lambda old: evolve(old, lease=old.lease and evolve(old.lease, floor_generation=0)),
)
"""Three fresh instances, REPLICAs by their init file, and no record."""

ADOPTABLE: Final = HEALTHY.but(
    gate_shut(),
    no_noop,
    scene(record=None, token=None),
    lambda old: evolve(old, lease=old.lease and evolve(old.lease, floor_generation=0)),
)
"""m0 is MAIN, m1 and m2 are REPLICAs of its data set, and no record."""

ONLY_DATA: Final = EMPTY.but(place(M1, empty=False, role=Role.REPLICA))
"""Only m1 holds data, all are REPLICAs, and no record."""

"""Rules F, D and H: a standby that blocks MAIN, and rows that must go."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import DropReplica, StopInstance, WriteRecord
from memgraph_ha.core.facts import Miss
from memgraph_ha.core.names import Address, RowName
from memgraph_ha.core.topology import Mode, Row, RowStatus
from tests.core.changes import (
    frozen,
    gate_shut,
    gone,
    just_failed,
    misses,
    place,
    policy,
    recorded,
    refuses,
    required,
    rows,
    rows_unknown,
    scene,
    standby_row,
    unheard,
    unnamed,
    unnamed_for,
    unprotected,
)
from tests.core.scenes import BEGUN, EMPTY, LOST
from tests.core.views import (
    HEALTHY,
    M0,
    M1,
    M2,
    NOW,
    TOKEN,
    Scene,
    SceneChange,
    assert_stopped,
    async_row,
    decided,
    incarnation_of,
    run_of,
    strict_row,
)

FROZEN = HEALTHY.but(unnamed, standby_row(RowStatus.REPLICATING), frozen(M1, for_s=3.0))
"""The standby is un-named and answers nothing; MAIN still waits for it at every commit."""

WITHOUT = HEALTHY.but(unnamed_for(5.0), gone(M1), standby_row(RowStatus.INVALID))
"""The standby has been dead for five seconds, and MAIN's row of it takes no commits."""

BLOCKED = HEALTHY.but(unprotected, gone(M1), standby_row(RowStatus.INVALID, bad_for_s=5.0))
"""The record says unprotected, but a registered dead standby makes every write abort."""

HALF = HEALTHY.but(unprotected, gone(M1), standby_row(RowStatus.HALF))
"""A REGISTER of the standby failed and left a half row under the present number."""

STALE_ROW = strict_row("m1_6", status=RowStatus.INVALID)
STALE = HEALTHY.but(unprotected, gone(M1), rows(async_row(), STALE_ROW))
"""MAIN has a row of the standby under an earlier number."""


# --- F10 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("durability", [scene(), required], ids=["preferred", "required"])
def test_a_frozen_standby_is_restarted(durability: SceneChange) -> None:
    """It stalls every commit of MAIN for 30 s; killing it ends the stall at once (transcripts Q4, 14 of 14)."""
    stop = StopInstance(instance=M1, incarnation=incarnation_of(M1), generation=4)
    assert decided(FROZEN.but(durability), "F10").commands == (stop,)


@pytest.mark.parametrize(
    ("change", "guard", "evidence"),
    [
        pytest.param(scene(record=None, token=None), "an open reign has no named standby", "", id="no record"),
        pytest.param(recorded(opened=False), "an open reign has no named standby", "", id="not open"),
        pytest.param(
            recorded(standby=HEALTHY.recorded.standby), "an open reign has no named standby", "", id="named still"
        ),
        pytest.param(
            scene(places=(HEALTHY.place(M0),)), "an open reign has no named standby", "", id="there is no other one"
        ),
        pytest.param(gone(M1), "the other one is silent", "", id="dead"),
        pytest.param(place(M1, misses=()), "the other one is silent", "", id="it answers"),
        pytest.param(refuses(M1), "the other one is silent", "", id="it refuses"),
        pytest.param(misses(M1, Miss.UNAUTHORISED, 1, 0.0), "the other one is silent", "", id="wrong password"),
        pytest.param(
            policy(frozen_standby_s=3.1), "it has been silent for long enough", "3.0", id="not for long enough"
        ),
        pytest.param(rows(async_row()), "it has been silent for long enough", "without a row", id="no row"),
        pytest.param(rows_unknown, "it has been silent for long enough", "without a row", id="rows unknown"),
        pytest.param(just_failed(StopInstance, M1), "the pause after the last try is over", "", id="just tried"),
    ],
)
def test_a_standby_that_stalls_nobody_is_not_restarted(change: SceneChange, guard: str, evidence: str) -> None:
    """The nearest misses of the restart."""
    assert_stopped(FROZEN.but(change), "F10", guard, evidence)


def test_a_frozen_standby_without_a_row_is_restarted_late() -> None:
    """It stalls nobody, but nobody else would ever start it, and MAIN is alone until then."""
    late = FROZEN.but(rows(async_row()), policy(restart_frozen_main_s=2.9))
    assert [type(command) for command in decided(late, "F10").commands] == [StopInstance]


# --- D10 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "row",
    [
        standby_row(RowStatus.INVALID),
        standby_row(RowStatus.DIVERGED),
        standby_row(RowStatus.UNKNOWN),
        standby_row(RowStatus.HALF),
        rows(async_row()),
    ],
    ids=["invalid", "diverged", "unknown", "half", "none"],
)
def test_an_unprotected_reign_is_declared_after_the_grace(row: SceneChange) -> None:
    """`preferred`: after `standby_grace_s` writes go on, and the record says so first, with a new row number."""
    decision = decided(WITHOUT.but(row), "D10")
    declared = evolve(WITHOUT.recorded, unprotected=True, row_seq=8)
    assert decision.commands == (WriteRecord(expected=TOKEN, record=declared),)


@pytest.mark.parametrize(
    ("change", "guard", "evidence"),
    [
        pytest.param(required, "data_durability is preferred", "required", id="required"),
        pytest.param(scene(record=None, token=None), "data_durability is preferred", "", id="no record"),
        pytest.param(
            recorded(standby=HEALTHY.recorded.standby),
            "an open reign claims protection without a standby",
            "",
            id="named",
        ),
        pytest.param(
            recorded(unprotected=True), "an open reign claims protection without a standby", "", id="declared already"
        ),
        pytest.param(recorded(opened=False), "an open reign claims protection without a standby", "", id="not open"),
        pytest.param(scene(record_since_s=NOW - 4.9), "the grace is over", "4.9 s", id="within the grace"),
        pytest.param(policy(standby_grace_s=5.1), "the grace is over", "5.0 s", id="a longer grace"),
        pytest.param(rows_unknown, "MAIN's rows are known", "", id="rows unknown"),
        pytest.param(refuses(M0), "MAIN's rows are known", "", id="MAIN is lost"),
        pytest.param(
            standby_row(RowStatus.RECOVERY), "the standby's row takes no commits", "recovery", id="catching up"
        ),
        pytest.param(standby_row(RowStatus.READY), "the standby's row takes no commits", "ready", id="ready"),
        pytest.param(
            standby_row(RowStatus.REPLICATING), "the standby's row takes no commits", "replicating", id="replicating"
        ),
    ],
)
def test_protection_is_not_given_up_early(change: SceneChange, guard: str, evidence: str) -> None:
    """The nearest misses of the declaration."""
    assert_stopped(WITHOUT.but(change), "D10", guard, evidence)


# --- D20 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("status", [RowStatus.INVALID, RowStatus.DIVERGED, RowStatus.UNKNOWN])
def test_a_row_that_blocks_an_unprotected_main_is_given_up(status: RowStatus) -> None:
    """The number rises, so that the row is stale and may be dropped."""
    decision = decided(BLOCKED.but(standby_row(status, bad_for_s=5.0)), "D20")
    assert decision.commands == (WriteRecord(expected=TOKEN, record=evolve(BLOCKED.recorded, row_seq=8)),)


@pytest.mark.parametrize(
    ("change", "guard", "evidence"),
    [
        pytest.param(
            recorded(unprotected=False),
            "it does not heal itself, and could be registered anew",
            "",
            id="not unprotected",
        ),
        pytest.param(rows(async_row()), "MAIN has the row of an unnamed standby", "", id="no row"),
        pytest.param(scene(record=None, token=None), "MAIN has the row of an unnamed standby", "", id="no record"),
        *(
            pytest.param(standby_row(status, bad_for_s=6.0), "the row blocks", status.value, id=status.name)
            for status in (RowStatus.READY, RowStatus.REPLICATING, RowStatus.RECOVERY, RowStatus.HALF)
        ),
        pytest.param(
            standby_row(RowStatus.INVALID, bad_for_s=4.9), "it has blocked for standby_grace_s", "", id="not for long"
        ),
        pytest.param(standby_row(RowStatus.INVALID), "it has blocked for standby_grace_s", "", id="just now"),
    ],
)
def test_a_row_that_does_not_block_is_not_given_up(change: SceneChange, guard: str, evidence: str) -> None:
    """The nearest misses of giving up a row."""
    assert_stopped(BLOCKED.but(change), "D20", guard, evidence)


BLOCKED_REQUIRED = HEALTHY.but(required, unnamed, standby_row(RowStatus.INVALID, bad_for_s=10.0))
"""Writes wait for the standby, which answers, but its row is `invalid` for good."""


def test_a_row_that_never_heals_is_given_up_under_required_too() -> None:
    """A standby that was MAIN by hand obeys another MAIN since: only a new registration makes it ours again."""
    decision = decided(BLOCKED_REQUIRED, "D20")
    assert decision.commands == (WriteRecord(expected=TOKEN, record=evolve(BLOCKED_REQUIRED.recorded, row_seq=8)),)


@pytest.mark.parametrize(
    "change",
    [gone(M1), unheard(M1), place(M1, port_open=False), standby_row(RowStatus.INVALID, bad_for_s=9.9)],
    ids=["gone", "unheard", "deaf", "not for long"],
)
def test_a_row_that_may_heal_is_kept_under_required(change: SceneChange) -> None:
    """Its replica is away, or has just come back: it is taken back within seconds, and writes wait for it anyway."""
    assert_stopped(BLOCKED_REQUIRED.but(change), "D20", "it does not heal itself, and could be registered anew")


# --- H05 ----------------------------------------------------------------------------------------------


HALF_IN_GRACE = HALF.but(recorded(unprotected=False), scene(record_since_s=NOW - 1))


@pytest.mark.parametrize("old", [HALF, HALF_IN_GRACE], ids=["unprotected", "protected"])
def test_the_half_row_of_a_failed_registration_is_given_up(old: Scene) -> None:
    """It never heals, and a REGISTER under its name says Error 1: the number rises."""
    decision = decided(old, "H05")
    assert decision.commands == (WriteRecord(expected=TOKEN, record=evolve(old.recorded, row_seq=8)),)


def test_a_half_row_shuts_a_protected_gateway() -> None:
    """Commits ignore a half row: until it is gone nothing may be relayed that would have one copy (transcripts)."""
    assert decided(HALF_IN_GRACE, "H05").route.permit is None
    assert decided(HALF, "H05").route.permit is not None


@pytest.mark.parametrize(
    ("change", "guard", "evidence"),
    [
        pytest.param(
            recorded(standby=HEALTHY.recorded.standby, unprotected=False),
            "MAIN has the row of an unnamed standby",
            "",
            id="named: un-named first",
        ),
        pytest.param(rows(async_row()), "MAIN has the row of an unnamed standby", "", id="no row"),
        pytest.param(scene(record=None, token=None), "MAIN has the row of an unnamed standby", "", id="no record"),
        pytest.param(standby_row(RowStatus.INVALID), "it is half", "invalid", id="whole"),
    ],
)
def test_a_whole_row_is_not_given_up_as_half(change: SceneChange, guard: str, evidence: str) -> None:
    """The nearest misses of giving up a half row."""
    assert_stopped(HALF.but(change), "H05", guard, evidence)


# --- H10 ----------------------------------------------------------------------------------------------


def dropped(row: Row, *statuses: RowStatus) -> DropReplica:
    """The drop of that row, allowed in those statuses."""
    return DropReplica(
        instance=M0,
        run=run_of(M0),
        generation=4,
        row=row.name,
        address=row.address,
        statuses=frozenset(statuses),
    )


SETTLED = (RowStatus.READY, RowStatus.INVALID, RowStatus.DIVERGED, RowStatus.HALF)
HALF_ASYNC = async_row(status=RowStatus.HALF)
WRONG_MODE = evolve(strict_row("m2", M2), mode=Mode.SYNC)
MOVED = evolve(strict_row("m1_7"), address=Address("10.9.9.9:10000"))
OWN = strict_row("m0_3", M0)
ASYNC_STANDBY = evolve(strict_row("m1_7"), mode=Mode.ASYNC, status=RowStatus.INVALID)


@pytest.mark.parametrize(
    ("row", "statuses"),
    [
        pytest.param(STALE_ROW, SETTLED, id="earlier number"),
        pytest.param(HALF_ASYNC, (RowStatus.HALF,), id="half ASYNC row"),
        pytest.param(WRONG_MODE, SETTLED, id="ASYNC replica in another mode"),
        pytest.param(evolve(MOVED, name=RowName("m2")), SETTLED, id="an ASYNC replica's name, nobody's address"),
        pytest.param(OWN, SETTLED, id="MAIN itself"),
    ],
)
def test_a_stale_row_is_dropped_under_load_if_that_is_safe(row: Row, statuses: tuple[RowStatus, ...]) -> None:
    """Under commits only a settled STRICT_SYNC or SYNC row, or a half one, may be dropped (transcripts Q5, Q7)."""
    old = STALE.but(rows(row))
    assert decided(old, "H10").commands == (dropped(row, *statuses),)


def test_a_stale_row_gives_up_the_present_number_before_it_is_dropped() -> None:
    """The DROP may land late: who leads then must not have proven a standby through the row that it takes."""
    old = STALE.but(rows(MOVED))
    numbered = evolve(old.recorded, row_seq=old.recorded.row_seq + 1)
    assert decided(old, "H10").commands == (
        WriteRecord(record=numbered, expected=old.view.token),
        dropped(MOVED, *SETTLED),
    )


def test_a_named_standby_keeps_its_number_whatever_else_is_dropped() -> None:
    """A row that somebody gave the same number is none that could be named."""
    alike = evolve(MOVED, name=RowName("m0_7"))
    old = HEALTHY.but(rows(strict_row(), async_row(), alike))
    assert old.recorded.row_seq == 7
    assert [type(command) for command in decided(old, "H10").commands] == [DropReplica]


def test_the_second_row_of_an_async_replica_is_dropped() -> None:
    """One row to one instance; the first that is as wanted stays."""
    second = evolve(async_row("by-hand"), status=RowStatus.HALF)
    assert decided(STALE.but(rows(async_row(), second)), "H10").commands == (dropped(second, RowStatus.HALF),)
    doubled = STALE.but(rows(async_row(), async_row("by-hand")))
    assert_stopped(doubled, "H10", "dropping it is safe now", "by-hand (ready)")


@pytest.mark.parametrize("status", [RowStatus.READY, RowStatus.REPLICATING, RowStatus.DIVERGED])
def test_a_whole_async_row_is_never_dropped(status: RowStatus) -> None:
    """DROP of one under commits killed or hung MAIN in 35 of 40 tries (Q7); a shut gateway is no proof of quiet."""
    row = evolve(ASYNC_STANDBY, status=status)
    old = STALE.but(rows(async_row(), row))
    assert_stopped(old, "H10", "dropping it is safe now", f"m1_7 ({status.value})")
    assert_stopped(old.but(gate_shut()), "H10", "dropping it is safe now", f"m1_7 ({status.value})")


@pytest.mark.parametrize("gate", [scene(), gate_shut()], ids=["serving", "shut"])
@pytest.mark.parametrize("status", [RowStatus.RECOVERY, RowStatus.UNKNOWN])
def test_a_row_in_recovery_is_never_dropped(status: RowStatus, gate: SceneChange) -> None:
    """DROP of a row in recovery crashed MAIN in 81 of 81 tries (transcripts Q5)."""
    row = evolve(STALE_ROW, status=status)
    assert_stopped(STALE.but(rows(row), gate), "H10", "dropping it is safe now", f"m1_6 ({status.value})")


@pytest.mark.parametrize(
    ("old", "guard", "evidence"),
    [
        pytest.param(EMPTY, "MAIN's rows are known", "", id="no record"),
        pytest.param(STALE.but(rows_unknown), "MAIN's rows are known", "", id="rows unknown"),
        pytest.param(LOST.but(unnamed, rows(STALE_ROW)), "MAIN's rows are known", "", id="MAIN is lost"),
        pytest.param(BEGUN, "MAIN's rows are known", "", id="MAIN is a REPLICA"),
        pytest.param(HEALTHY, "a row of ours is stale", "none is", id="wanted rows"),
        pytest.param(
            STALE.but(rows(evolve(strict_row("elsewhere"), address=Address("10.9.9.9:10000")))),
            "a row of ours is stale",
            "none is",
            id="a foreign row",
        ),
        pytest.param(
            STALE.but(just_failed(DropReplica, M0)),
            "the pause after the last try is over",
            "it says no",
            id="just tried",
        ),
    ],
)
def test_a_row_that_is_wanted_or_foreign_is_left(old: Scene, guard: str, evidence: str) -> None:
    """The nearest misses of the drop."""
    assert_stopped(old, "H10", guard, evidence)


def test_a_row_that_cannot_be_dropped_does_not_hide_one_that_can() -> None:
    """The first row that is safe is dropped, whatever stands before it."""
    stuck = strict_row("m1_5", status=RowStatus.RECOVERY)
    assert decided(STALE.but(rows(stuck, STALE_ROW)), "H10").commands == (dropped(STALE_ROW, *SETTLED),)


def test_the_standby_that_serves_is_not_disturbed() -> None:
    """Silence alone, or a new process, neither restarts nor drops anything of a named standby."""
    for old in (HEALTHY.but(frozen(M1, for_s=2.0)), HEALTHY.but(unheard(M1))):
        assert decided(old, "Z99").commands == ()

"""The promises about planned moves, rebuilds and reigns by order: each catches the planted wrong command."""

from collections.abc import Callable

import pytest
from attrs import evolve

from memgraph_ha.core.commands import Command, WriteRecord
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.invariants import broken_by
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import Change, ChangeKind, Fallback, Record
from memgraph_ha.core.requests import Ask
from tests.core.changes import a_demotion, lease, new_term, one_more_noop, recorded, scene, unnamed
from tests.core.occasions import FORCED, GIVEN_UP, HELD, MOVING, OCCASIONS, QUIET, READY_TO_MOVE, ROLLED_BACK, SWAPPED
from tests.core.orders import a_rebuild, analytical, asks, found_quiet, given_up
from tests.core.scenes import ALONE, BEGUN, LOST
from tests.core.views import HEALTHY, M0, M1, M2, NOW, STANDBY, TOKEN, WALL, Scene, decided, noop, run_of


def broken(old: Scene, *commands: Command) -> str:
    """What these commands would break in that view."""
    return "; ".join(broken_by(old.view, Decision(reason="planted", wake_at_s=NOW, commands=commands)))


# --- a planned demotion -------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old",
    [
        HEALTHY,
        MOVING,
        HELD,
        QUIET,
        READY_TO_MOVE.but(recorded(switchover=None)),
        READY_TO_MOVE.but(scene(quiet_until_s=NOW - 0.01)),
        READY_TO_MOVE.but(scene(quiets=()), found_quiet(generation=3)),
        HELD.but(found_quiet(0.05), one_more_noop(noop(witness=STANDBY, asked_s=NOW - 0.06))),
    ],
    ids=[
        "nothing was ordered",
        "not held",
        "not quiet",
        "not proven since",
        "no switchover",
        "released since",
        "quiet in another reign",
        "proven before it was quiet",
    ],
)
def test_main_is_demoted_for_a_proven_switchover_only(old: Scene) -> None:
    """Anything less could lose what a client was told is saved."""
    assert "SINGLE_WRITER: demotion of the recorded MAIN m0" in broken(old, a_demotion(old, M0))


def test_main_is_not_demoted_for_another_than_the_proven_standby() -> None:
    """The name in the record and the witness are one process through one row."""
    other = READY_TO_MOVE.but(recorded(standby=evolve(STANDBY, run=run_of(M1, 2))))
    assert "SINGLE_WRITER: demotion" in broken(other, a_demotion(other, M0))


def test_a_proven_switchover_keeps_every_promise() -> None:
    """Whole, and each prefix."""
    commands = decided(READY_TO_MOVE, "M30").commands
    for length in range(len(commands) + 1):
        assert broken(READY_TO_MOVE, *commands[:length]) == ""


def test_the_target_begins_before_main_was_demoted_only_by_its_title() -> None:
    """A switchover gives no title that the name does not."""
    (_demote, write) = decided(READY_TO_MOVE, "M30").commands
    assert "m1 begins a reign without title to it" in broken(READY_TO_MOVE.but(unnamed), write)


# --- a rebuild ----------------------------------------------------------------------------------------


def test_only_what_the_record_gives_up_is_emptied() -> None:
    """The rule's own command passes; the same one without the mark does not."""
    assert broken(GIVEN_UP, a_rebuild(GIVEN_UP, M2)) == ""
    says = "NO_ACKED_LOSS: rebuild of m2, which the record does not give up"
    assert says in broken(HEALTHY, a_rebuild(HEALTHY, M2))


@pytest.mark.parametrize(
    ("old", "name", "says"),
    [
        (HEALTHY.but(given_up(M0)), M0, "rebuild of m0, which the record does not give up"),
        (GIVEN_UP.but(new_term), M2, "rebuild of m2: the first commit of our term is not acknowledged yet"),
        (GIVEN_UP.but(analytical), M2, "rebuild of m2: MAIN's storage mode is IN_MEMORY_ANALYTICAL"),
        (SWAPPED.but(given_up(M2)), M2, "rebuild of m2: m0 holds data set snapshot-data-set now"),
        (LOST.but(given_up(M2)), M2, "rebuild of m2: MAIN does not answer"),
        (ROLLED_BACK.but(given_up(M2)), M2, "rebuild of m2: m0 came back without commits"),
        (HEALTHY.but(given_up(M1)), M1, "rebuild of the named standby m1"),
        (
            BEGUN.but(given_up(M0)),
            M0,
            "rebuild of m0: MAIN does not answer",
        ),
    ],
    ids=["MAIN", "new term", "analytical", "replaced", "lost", "rolled back", "named", "fallback"],
)
def test_nothing_is_emptied_beside_a_main_that_may_lack_it(old: Scene, name: InstanceName, says: str) -> None:
    """An emptied instance is filled from MAIN alone."""
    assert f"NO_ACKED_LOSS: {says}" in broken(old, a_rebuild(old, name))


# --- reigns by order ----------------------------------------------------------------------------------


def ordered(old: Scene, kind: ChangeKind = ChangeKind.FORCED, generation: int = 5, **fields: object) -> WriteRecord:
    """A reign of m1 that begins by that kind of order."""
    change = Change(
        generation=generation,
        main=M1,
        previous=M0,
        kind=kind,
        standby=None,
        rule="C30",
        reason="planted",
        at=WALL,
        by="alice",
    )
    record: Record = old.recorded.begun(change, main_run=run_of(M1), fallback=None)
    return WriteRecord(expected=TOKEN, record=evolve(record, **fields))  # type: ignore[arg-type]  # those of Record


def test_a_human_may_begin_a_reign_that_nobody_has_a_title_to() -> None:
    """That is what a forced failover is; without the request it is a loss."""
    assert broken(FORCED, ordered(FORCED)) == ""
    unasked = evolve(FORCED, requests=())
    assert "m1 begins a reign without title to it" in broken(unasked, ordered(unasked))


ADOPTS = LOST.but(unnamed, asks(Ask.ADOPT, M1))


@pytest.mark.parametrize(
    ("old", "make", "says"),
    [
        (LOST.but(unnamed, asks(Ask.FAILOVER, M0)), ordered, "m1 begins a reign without title to it"),
        (ADOPTS, ordered, "m1 begins a reign without title to it"),
        (FORCED, lambda old: ordered(old, ChangeKind.ADOPT), "m1 begins a reign without title to it"),
        (FORCED, lambda old: ordered(old, generation=7), "generation 7 after 4 does not begin as a reign must"),
        (FORCED, lambda old: ordered(old, opened=True), "does not begin as a reign must"),
        (FORCED, lambda old: ordered(old, unprotected=True), "does not begin as a reign must"),
        (
            FORCED,
            lambda old: ordered(old, fallback=Fallback(instance=M0, run=None)),
            "generation 5 does not begin as a reign must",
        ),
        (FORCED, lambda old: ordered(old, ChangeKind.FAILOVER), "m1 begins a reign without title to it"),
    ],
    ids=["another one", "another order", "another kind", "a jump", "opened", "unprotected", "fallback", "no order"],
)
def test_an_order_allows_exactly_what_it_says(old: Scene, make: Callable[[Scene], WriteRecord], says: str) -> None:
    """Whom, how, and the very next number."""
    assert says in broken(old, make(old))


def test_an_adoption_may_jump_above_what_the_lease_has_seen() -> None:
    """And to no other number."""
    above = ADOPTS.but(lease(floor_generation=9))
    assert broken(above, ordered(above, ChangeKind.ADOPT, 10)) == ""
    for generation in (5, 9, 11):
        says = "without title" if generation == above.recorded.generation + 1 else "does not begin as a reign must"
        assert says in broken(above, ordered(above, ChangeKind.ADOPT, generation))


def test_a_standby_that_must_be_rebuilt_is_not_named() -> None:
    """Whatever the proof said."""
    marked = ALONE.but(given_up(M0))
    named = evolve(marked.recorded, standby=evolve(STANDBY, instance=M0), unprotected=False)
    assert "naming of m0" in broken(marked, WriteRecord(expected=TOKEN, record=named))


@pytest.mark.parametrize("key", list(OCCASIONS))
def test_what_the_rules_ask_for_keeps_the_promises(key: str) -> None:
    """In every scene of the whole life, command by command."""
    old = OCCASIONS[key]
    assert broken(old, *decided(old, key[:3]).commands) == ""

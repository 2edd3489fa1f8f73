"""Rules C20 and C30: reigns that begin because a human says so."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.decide import decide
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.record import Change, ChangeKind
from memgraph_ha.core.requests import Ask
from memgraph_ha.core.topology import Role
from tests.core.changes import (
    data_unknown,
    gone,
    is_main,
    lease,
    other_data,
    place,
    recorded,
    restarted,
    scene,
    stale,
    unheard,
    unnamed,
    unprotected,
    wiped,
)
from tests.core.occasions import ADOPTED, FORCED, OCCASIONS, SWAPPED
from tests.core.orders import asks, given_up
from tests.core.scenes import ADOPTABLE, LOST
from tests.core.views import (
    HEALTHY,
    M0,
    M1,
    M2,
    NOW,
    WALL,
    Scene,
    assert_stopped,
    decided,
    rewritten,
    run_of,
)

ORDER = "somebody asks for it, and it can be done"


# --- adopt --------------------------------------------------------------------------------------------


def _change(kind: ChangeKind, **fields: object) -> Change:
    made = Change(
        generation=5,
        main=M1,
        previous=M0,
        kind=kind,
        standby=None,
        rule="C20" if kind is ChangeKind.ADOPT else "C30",
        reason="",
        at=WALL,
        by="alice",
    )
    return evolve(made, **fields)  # type: ignore[arg-type]  # names and values are those of Change


def test_a_human_says_who_begins_where_facts_do_not() -> None:
    """No record and two MAINs: the record is created, for the one who was named, with its data set."""
    (command,) = decided(ADOPTED, "C20").commands
    assert isinstance(command, WriteRecord)
    assert (command.expected, command.record.main, command.record.generation) == (None, M1, 1)
    assert (command.record.opened, command.record.standby, command.record.main_run) == (False, None, None)
    reason = "alice orders reign 1 of m1 (adopt)"
    assert command.record.history == (_change(ChangeKind.ADOPT, generation=1, previous=None, reason=reason),)


def test_who_holds_other_data_than_the_adopted_must_be_rebuilt() -> None:
    """The record that is created says so at once, or nobody would be told."""
    other = ADOPTED.but(place(M0, uuid="another"), place(M2, uuid="third", empty=True))
    (command,) = decided(other, "C20").commands
    assert isinstance(command, WriteRecord)
    assert command.record.rebuild == {M0}


def test_adopting_begins_above_what_the_lease_has_seen() -> None:
    """A record that vanished had a generation, and somebody may still act on it."""
    (command,) = decided(ADOPTED.but(lease(floor_generation=9)), "C20").commands
    assert isinstance(command, WriteRecord)
    assert (command.record.generation, command.record.level) == (10, ((M1, 10),))


def test_a_replaced_data_set_is_adopted_and_all_others_are_rebuilt() -> None:
    """A new reign of the same MAIN, with its new data set; every other instance holds the old one."""
    old = SWAPPED.but(asks(Ask.ADOPT, M0))
    record = rewritten(old, "C20")
    assert (record.generation, record.main, record.main_run, record.opened) == (5, M0, run_of(M0), False)
    assert (record.database_uuid, record.standby, record.fallback) == ("snapshot-data-set", None, None)
    assert record.rebuild == record.reinit == {M1, M2}
    reason = "alice orders reign 5 of m0 (adopt)"
    assert record.history[-1] == _change(ChangeKind.ADOPT, main=M0, reason=reason)


def test_a_main_that_was_promoted_by_hand_is_adopted() -> None:
    """The record names nobody, m1 is MAIN with the recorded data set: R40 holds until a human says so."""
    by_hand = HEALTHY.but(unprotected, restarted(M0), is_main(M1), scene(gate=None, gate_s=NOW - 0.3))
    assert decide(by_hand.view).hold is Hold.RECORD_REGRESSED
    record = rewritten(by_hand.but(asks(Ask.ADOPT, M1), given_up(M1)), "C20")
    assert (record.main, record.main_run, record.database_uuid) == (M1, run_of(M1), HEALTHY.recorded.database_uuid)
    assert (record.rebuild, record.reinit) == (frozenset(), frozenset())


def test_an_old_record_is_adopted_by_name() -> None:
    """The lease has seen a higher generation: a human names MAIN, or a REPLICA, and the next number is above it."""
    regressed = HEALTHY.but(lease(floor_generation=9))
    assert decide(regressed.view).hold is Hold.RECORD_REGRESSED
    for name in (M0, M1):
        record = rewritten(regressed.but(asks(Ask.ADOPT, name)), "C20")
        assert (record.generation, record.main, record.opened) == (10, name, False)


def test_a_reign_that_was_ordered_is_not_ordered_twice() -> None:
    """Its MAIN restarted before it opened: the request waits, and no other generation is burnt."""
    done = (*HEALTHY.recorded.history, _change(ChangeKind.ADOPT, reason="asked"))
    begun = HEALTHY.but(
        recorded(generation=5, main=M1, main_run=run_of(M1), history=done, opened=False, standby=None),
        restarted(M1, Role.MAIN),
        asks(Ask.ADOPT, M1),
        scene(gate=None),
    )
    assert_stopped(begun, "C20", "it was not done yet", "reign 5")


@pytest.mark.parametrize(
    ("old", "why"),
    [
        (HEALTHY.but(asks(Ask.ADOPT, M0)), "m0 is MAIN and as the record says: there is nothing to adopt"),
        (HEALTHY.but(asks(Ask.ADOPT, M2)), "m2 may not be MAIN (policy eligible lists m0 and m1)"),
        (ADOPTABLE.but(asks(Ask.ADOPT, M1), gone(M1)), "m1 does not answer"),
        (ADOPTABLE.but(asks(Ask.ADOPT, M1), data_unknown(M1)), "the data set of m1 is not known yet"),
        (SWAPPED.but(asks(Ask.ADOPT, M1)), "m1 is not the MAIN whose data set was replaced"),
        (LOST.but(asks(Ask.ADOPT, M1)), "m1 is a REPLICA: use `memgraph-ha failover --accept-data-loss m1`"),
        (LOST.but(asks(Ask.ADOPT, M1), is_main(M1), place(M1, uuid="b")), "m1 holds data set b, the record says"),
        (HEALTHY.but(asks(Ask.ADOPT)), "name an instance"),
    ],
    ids=["nothing to do", "not eligible", "gone", "unknown", "another", "a REPLICA", "other data", "nobody named"],
)
def test_what_cannot_be_adopted_is_refused_by_name(old: Scene, why: str) -> None:
    """The nearest misses, each with its words."""
    assert_stopped(old, "C20", ORDER, why)


# --- forced failover ----------------------------------------------------------------------------------


def test_a_human_may_accept_a_loss() -> None:
    """Nobody is named and MAIN is gone: the reign begins as `forced`, in the run that answered, with no fallback."""
    record = rewritten(FORCED, "C30")
    change = _change(ChangeKind.FORCED, reason="alice orders reign 5 of m1 (forced)")
    assert record == FORCED.recorded.begun(change, main_run=run_of(M1), fallback=None)


def test_a_forced_reign_takes_the_data_of_whom_was_named() -> None:
    """Also another data set, and also of one that was to be rebuilt: the human decided."""
    record = rewritten(FORCED.but(place(M1, uuid="b"), given_up(M1, M2, reinit=True)), "C30")
    assert (record.database_uuid, record.rebuild) == ("b", frozenset({M2}))
    assert record.reinit == {M2}


def test_the_standby_that_was_named_is_in_the_history() -> None:
    """Who reads it later must see whose title was passed over."""
    forced = LOST.but(gone(M0), asks(Ask.FAILOVER, M1))
    assert rewritten(forced, "C30").history[-1].standby == M1


def test_an_answer_from_before_the_cut_is_asked_for_again() -> None:
    """What was relayed until the cut must be on the target, if it ever reached it."""
    decision = decided(FORCED.but(stale(M1)), "C30")
    assert (decision.hold, decision.look, decision.commands) == (Hold.LOOKING, (M1,), ())
    assert decision.wake_at_s <= NOW + 0.05


def test_a_forced_reign_begins_once() -> None:
    """Until it opens, the same request orders no second one."""
    record = rewritten(FORCED, "C30")
    assert_stopped(FORCED.but(scene(record=record)), "C30", "it was not done yet", "reign 5")


@pytest.mark.parametrize(
    ("old", "why"),
    [
        (HEALTHY.but(asks(Ask.FAILOVER, M1)), "MAIN m0 is alive: use `memgraph-ha switchover`"),
        (FORCED.but(gone(M1)), "m1: its process is gone"),
        (FORCED.but(unheard(M1)), "m1: it does not answer"),
        (FORCED.but(data_unknown(M1)), "m1: its data set is not known yet"),
        (FORCED.but(is_main(M1), other_data(M1)), "m1: it answers as MAIN, not as REPLICA"),
        (FORCED.but(wiped(M1)), "m1 is empty, while m2 holds the recorded data set"),
        (LOST.but(gone(M0), unnamed, asks(Ask.FAILOVER, M2)), "m2 may not be MAIN"),
    ],
    ids=["MAIN lives", "gone", "silent", "unknown", "MAIN", "empty", "not eligible"],
)
def test_what_cannot_be_forced_is_refused_by_name(old: Scene, why: str) -> None:
    """The nearest misses, each with its words."""
    assert_stopped(old, "C30", ORDER, why)


@pytest.mark.parametrize("old", [OCCASIONS["W30"], SWAPPED], ids=["MAIN lost data", "data set replaced"])
def test_a_standby_with_better_data_may_be_forced_while_main_lives(old: Scene) -> None:
    """MAIN answers, but a human says that the replica's data counts."""
    forced = old.but(asks(Ask.FAILOVER, M1), scene(gate=None, gate_s=NOW - 0.3))
    record = rewritten(forced, "C30")
    assert (record.main, record.history[-1].kind) == (M1, ChangeKind.FORCED)

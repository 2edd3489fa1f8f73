"""Rules C: what humans order, and what a pause stops."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import CommitNoop, RegisterReplica, RestoreUsers, StopInstance, WriteRecord
from memgraph_ha.core.decide import decide
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.policy import DataDurability
from memgraph_ha.core.record import Change, ChangeKind, Pause
from memgraph_ha.core.requests import Ask
from tests.core.changes import (
    a_stop,
    data_unknown,
    gone,
    is_main,
    just_failed,
    last_noop,
    lease,
    new_term,
    place,
    policy,
    recorded,
    restarted,
    rows,
    scene,
    stale,
    unheard,
    unnamed,
    unnamed_for,
    unprotected,
    wiped,
)
from tests.core.occasions import ADOPTED, FORCED, OCCASIONS, SWAPPED
from tests.core.orders import PAUSE, asks, given_up, paused, restore_users, will_stop
from tests.core.scenes import ADOPTABLE, EMPTY, LOST
from tests.core.views import (
    HEALTHY,
    M0,
    M1,
    M2,
    NOW,
    STANDBY,
    WALL,
    Scene,
    SceneChange,
    assert_stopped,
    async_row,
    decided,
    incarnation_of,
    rewritten,
    run_of,
    strict_row,
)

ORDER = "somebody asks for it, and it can be done"


@pytest.mark.parametrize("rule", ["C10", "C15", "C20", "C30", "C40", "C50"])
def test_without_a_request_nothing_is_ordered(rule: str) -> None:
    """Each order needs somebody who gives it."""
    assert_stopped(HEALTHY, rule, ORDER, "nobody does")


# --- pause and resume ---------------------------------------------------------------------------------


def test_a_pause_is_noted_with_who_and_why() -> None:
    """Only `paused` changes; MAIN's permit stays."""
    old = HEALTHY.but(asks(Ask.PAUSE, reason="new disks"))
    assert rewritten(old, "C10") == evolve(old.recorded, paused=Pause(by="alice", reason="new disks", at=WALL))
    assert decided(old, "C10").reason == "alice pauses this cluster: new disks"
    assert decided(old, "C10").route.permit == HEALTHY.gate


def test_a_pause_is_noted_once() -> None:
    """The second of two who pause finds it done."""
    assert_stopped(HEALTHY.but(paused, asks(Ask.PAUSE)), "C10", "it is not paused")


def test_no_pause_without_a_record() -> None:
    """There is nothing to write it into."""
    assert_stopped(EMPTY.but(asks(Ask.PAUSE)), "C10", ORDER, "there is no usable record")


def test_a_resumed_cluster_keeps_its_standby() -> None:
    """It was proven all along (P10): nothing but `paused` changes."""
    old = HEALTHY.but(paused, asks(Ask.RESUME))
    assert rewritten(old, "C15") == evolve(old.recorded, paused=None)


def test_only_a_paused_cluster_is_resumed() -> None:
    """The nearest miss."""
    assert_stopped(HEALTHY.but(asks(Ask.RESUME)), "C15", "it is paused")


def test_while_paused_nobody_takes_over() -> None:
    """MAIN is dead, its standby proven: nothing is done, and the hold says who paused it and why."""
    decision = decided(LOST.but(paused), "C90")
    assert (decision.commands, decision.hold) == ((), Hold.PAUSED)
    assert decision.reason.startswith(f"paused by {PAUSE.by} (maintenance); MAIN m0 is lost: 2 connections refused")


@pytest.mark.parametrize(
    ("old", "guard"),
    [
        (LOST, "an open reign is paused"),
        (HEALTHY.but(paused), "MAIN is lost"),
        (LOST.but(paused, recorded(opened=False, standby=None)), "an open reign is paused"),
    ],
    ids=["not paused", "MAIN lives", "the reign is not open"],
)
def test_what_a_pause_does_not_stop(old: Scene, guard: str) -> None:
    """A reign that has begun is opened also in a pause: it was ordered, or began before."""
    assert_stopped(old, "C90", guard)


def test_while_paused_nothing_is_attached() -> None:
    """An ASYNC replica without a row stays so."""
    bare = HEALTHY.but(rows(strict_row()))
    assert isinstance(decided(bare, "A30").commands[0], RegisterReplica)
    decision = decided(bare.but(paused), "C95")
    assert (decision.commands, decision.hold, decision.reason) == ((), Hold.PAUSED, "paused by bob (maintenance)")
    assert decision.route.permit == HEALTHY.gate


def test_a_pause_without_a_reason_says_who() -> None:
    """No empty brackets."""
    assert decided(HEALTHY.but(recorded(paused=evolve(PAUSE, reason=""))), "C95").reason == "paused by bob"


def test_while_paused_the_standby_is_proven_all_the_same() -> None:
    """A name that nobody proves again would be worth nothing when the pause ends."""
    moved = HEALTHY.but(paused, last_noop(asked_at_s=NOW - 1.1), rows(strict_row(ts=50), async_row()))
    assert_stopped(moved, "C95", "no proof of a named standby is due")
    assert [type(command) for command in decided(moved, "P10").commands] == [CommitNoop]


def test_while_paused_a_dead_standby_does_not_stop_writes() -> None:
    """`preferred`: its name goes, then the grace passes, then its row is given up."""
    assert rewritten(HEALTHY.but(paused, gone(M1)), "U10").standby is None
    assert rewritten(HEALTHY.but(paused, unnamed_for(6), gone(M1), rows(async_row())), "D10").unprotected


def test_while_paused_a_frozen_standby_is_left_alone() -> None:
    """Restarting it is a repair; who works on it may have stopped it."""
    silent = OCCASIONS["L85"].but(paused)
    assert decide(silent.view).rule == "C90"


@pytest.mark.parametrize(
    ("change", "rule", "command"),
    [(new_term, "O30", CommitNoop), (restore_users, "O42", RestoreUsers)],
    ids=["first commit", "accounts"],
)
def test_while_paused_a_new_leader_lets_main_serve(change: SceneChange, rule: str, command: type) -> None:
    """The first commit of its term and the accounts are needed for the permit that MAIN had."""
    assert [type(sent) for sent in decided(HEALTHY.but(paused, change), rule).commands] == [command]


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
    assert (record.rebuild, record.reinit) == ({M1, M2}, {M1, M2})
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
    """While it is to be opened, the request still waits for its answer."""
    done = (*HEALTHY.recorded.history, _change(ChangeKind.ADOPT, main=M0, reason="asked"))
    begun = SWAPPED.but(
        asks(Ask.ADOPT, M0), recorded(generation=5, history=done, opened=False, unprotected=False), lease(clean=True)
    )
    assert_stopped(begun, "C20", ORDER)


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
    assert (record.database_uuid, record.rebuild, record.reinit) == ("b", {M2}, {M2})


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
    ("change", "why"),
    [
        (lambda _old: HEALTHY.but(asks(Ask.FAILOVER, M1)), "MAIN m0 is alive: use `memgraph-ha switchover`"),
        (lambda _old: FORCED.but(gone(M1)), "m1: its process is gone"),
        (lambda _old: FORCED.but(unheard(M1)), "m1: it does not answer"),
        (lambda _old: FORCED.but(data_unknown(M1)), "m1: its data set is not known yet"),
        (lambda _old: FORCED.but(is_main(M1), scene(gates=False)), "m1: it answers as MAIN, not as REPLICA"),
        (lambda _old: FORCED.but(wiped(M1)), "m1 is empty, while m2 holds the recorded data set"),
        (lambda _old: LOST.but(gone(M0), unnamed, asks(Ask.FAILOVER, M2)), "m2 may not be MAIN"),
    ],
    ids=["MAIN lives", "gone", "silent", "unknown", "MAIN", "empty", "not eligible"],
)
def test_what_cannot_be_forced_is_refused_by_name(change: SceneChange, why: str) -> None:
    """The nearest misses, each with its words."""
    old = change(HEALTHY)
    found = decide(old.view)
    assert found.rule != "C30"
    if found.hold is not Hold.RECORD_REGRESSED:
        assert_stopped(old, "C30", ORDER, why)


@pytest.mark.parametrize("old", [OCCASIONS["W30"], SWAPPED], ids=["MAIN lost data", "data set replaced"])
def test_a_standby_with_better_data_may_be_forced_while_main_lives(old: Scene) -> None:
    """MAIN answers, but a human says that the replica's data counts."""
    forced = old.but(asks(Ask.FAILOVER, M1), scene(gate=None, gate_s=NOW - 0.3))
    record = rewritten(forced, "C30")
    assert (record.main, record.history[-1].kind) == (M1, ChangeKind.FORCED)


# --- restart ------------------------------------------------------------------------------------------


def test_an_async_replica_is_restarted_at_once() -> None:
    """Nobody waits for it, and nothing is promised of it."""
    (command,) = decided(HEALTHY.but(asks(Ask.RESTART, M2, reason="slow")), "C40").commands
    assert command == StopInstance(instance=M2, incarnation=incarnation_of(M2), generation=4)


def test_a_main_whom_nobody_can_succeed_is_restarted_at_once() -> None:
    """It comes back with everything, and is re-promoted."""
    alone = HEALTHY.but(unprotected, gone(M1), asks(Ask.RESTART, M0))
    assert decided(alone, "C40").commands == (a_stop(alone, M0),)


def test_a_main_with_a_standby_moves_its_reign_first() -> None:
    """M10 comes before the stop."""
    asked = HEALTHY.but(asks(Ask.RESTART, M0))
    assert_stopped(asked, "C40", "it may be stopped", "m0 is MAIN, and m1 is to take over first")
    assert rewritten(asked, "M10").switchover is not None


def test_a_standby_is_restarted_in_steps() -> None:
    """Un-named, its row given up and dropped, then stopped: no write waits for a process that is gone."""
    asked = HEALTHY.but(asks(Ask.RESTART, M1))
    assert_stopped(asked, "C40", "it may be stopped", "m1 is the named standby")
    assert rewritten(asked, "U10").standby is None
    waits = asked.but(unnamed_for(1))
    assert_stopped(waits, "C40", "it may be stopped", "MAIN's commits still wait for m1")
    assert rewritten(waits, "D10").unprotected
    free = asked.but(unprotected, rows(async_row()))
    assert [type(command) for command in decided(free, "C40").commands] == [StopInstance]


def test_under_required_the_standbys_row_stays() -> None:
    """Writes wait for it by policy: nothing is gained by dropping its row."""
    asked = HEALTHY.but(asks(Ask.RESTART, M1), unnamed_for(1), policy(data_durability=DataDurability.REQUIRED))
    assert decided(asked, "C40").commands == (a_stop(asked, M1),)


@pytest.mark.parametrize(
    ("change", "guard", "evidence"),
    [
        (gone(M2), "it is still the process that was meant", ""),
        (place(M2, misses=()), "", ""),
        (just_failed(StopInstance, M2), "the pause after the last try is over", "last try: refused (it says no)"),
    ],
    ids=["gone", "nothing", "backing off"],
)
def test_a_restart_needs_the_process_that_was_meant(change: SceneChange, guard: str, evidence: str) -> None:
    """The nearest misses; without a change it fires."""
    old = HEALTHY.but(asks(Ask.RESTART, M2), change)
    if not guard:
        decided(old, "C40")
    elif guard == "it is still the process that was meant":
        assert_stopped(old, "C40", ORDER, "m2 has no process")
    else:
        assert_stopped(old, "C40", guard, evidence)


def test_a_restart_is_not_done_twice() -> None:
    """A process that was born after the request is not the one that was meant."""
    old = HEALTHY.but(asks(Ask.RESTART, M2, ago_s=NOW + 1))
    assert_stopped(old, "C40", "it is still the process that was meant")


def test_an_announced_stop_is_nobodys_order_to_stop() -> None:
    """Who asks `stop` stops the process himself."""
    assert decide(HEALTHY.but(asks(Ask.STOP, M2)).view).commands == ()
    assert_stopped(HEALTHY.but(will_stop(M2)), "C40", ORDER, "nobody does")


# --- reinit -------------------------------------------------------------------------------------------


def test_a_human_may_give_up_what_an_instance_holds() -> None:
    """It is marked twice: to be rebuilt, and by whose word."""
    old = HEALTHY.but(asks(Ask.REINIT, M2))
    assert rewritten(old, "C50") == evolve(old.recorded, rebuild=frozenset({M2}), reinit=frozenset({M2}))


def test_a_standby_that_is_given_up_loses_its_name() -> None:
    """Nobody may be promoted who is about to be emptied; another one's name stays."""
    assert rewritten(HEALTHY.but(asks(Ask.REINIT, M1)), "C50").standby is None
    assert rewritten(HEALTHY.but(asks(Ask.REINIT, M2)), "C50").standby == STANDBY


@pytest.mark.parametrize(
    ("old", "guard", "why"),
    [
        (HEALTHY.but(asks(Ask.REINIT, M0)), ORDER, "m0 is MAIN: nothing may be thrown away there"),
        (LOST.but(asks(Ask.REINIT, M1)), ORDER, "MAIN m0 does not answer: m1 may hold what nobody else does"),
        (HEALTHY.but(asks(Ask.REINIT, M2), given_up(M2, reinit=True)), "it is not noted yet", ""),
    ],
    ids=["MAIN", "MAIN is lost", "noted"],
)
def test_what_is_not_given_up(old: Scene, guard: str, why: str) -> None:
    """The nearest misses."""
    assert_stopped(old, "C50", guard, why)


def test_one_that_is_marked_already_is_given_up_by_word() -> None:
    """`rebuild` alone waits for history's proof; a human's word ends that."""
    record = rewritten(HEALTHY.but(asks(Ask.REINIT, M2), given_up(M2), rows(strict_row())), "C50")
    assert record.reinit == {M2}

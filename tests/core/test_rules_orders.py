"""Rules C: what humans order, and what a pause stops."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import CommitNoop, RegisterReplica, RestoreUsers, StopInstance
from memgraph_ha.core.decide import decide
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.policy import DataDurability
from memgraph_ha.core.record import Pause
from memgraph_ha.core.requests import Ask
from tests.core.changes import (
    a_stop,
    gone,
    just_failed,
    last_noop,
    new_term,
    policy,
    recorded,
    rows,
    unnamed_for,
    unprotected,
)
from tests.core.occasions import OCCASIONS
from tests.core.orders import PAUSE, asks, given_up, paused, restore_users, will_stop
from tests.core.scenes import EMPTY, LOST
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
        (gone(M2), ORDER, "m2 has no process"),
        (just_failed(StopInstance, M2), "the pause after the last try is over", "last try: refused (it says no)"),
    ],
    ids=["gone", "backing off"],
)
def test_a_restart_needs_a_process_and_no_haste(change: SceneChange, guard: str, evidence: str) -> None:
    """The nearest misses."""
    assert_stopped(HEALTHY.but(asks(Ask.RESTART, M2), change), "C40", guard, evidence)


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

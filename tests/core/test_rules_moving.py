"""Rules M: the planned move of MAIN, step by step, and when it is given up."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import Command, CommitNoop, Demote, Quiesce, WriteRecord
from memgraph_ha.core.decide import decide
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.quiet import RETRY_S, SWITCH_LIMIT_S
from memgraph_ha.core.record import Change, ChangeKind, Fallback, Switchover
from memgraph_ha.core.requests import Ask
from memgraph_ha.core.rules.moving import PASSING_S
from memgraph_ha.core.topology import RowStatus
from tests.core.changes import (
    data_unknown,
    gate_shut,
    gone,
    just_failed,
    new_term,
    one_more_noop,
    other_data,
    place,
    refuses,
    restarted,
    scene,
    stale,
    standby_row,
    unnamed,
)
from tests.core.occasions import DEMOTED, HELD, MOVING, QUIET, READY_TO_MOVE
from tests.core.orders import asks, ended, found_quiet, gave_up, held, moving, proven_in_quiet, will_stop
from tests.core.scenes import LOST
from tests.core.views import (
    HEALTHY,
    M0,
    M1,
    M2,
    NOW,
    STANDBY,
    TOKEN,
    WALL,
    Scene,
    SceneChange,
    assert_stopped,
    decided,
    noop,
    rewritten,
    run_of,
)

# --- M10 ----------------------------------------------------------------------------------------------


def test_a_switchover_that_is_asked_for_is_noted() -> None:
    """With its target, who asked and why; nothing else changes, so a new leader goes on where the old one was."""
    old = HEALTHY.but(asks(Ask.SWITCHOVER, M1, reason="new kernel"))
    move = Switchover(target=M1, by="alice", reason="new kernel")
    assert rewritten(old, "M10") == evolve(old.recorded, switchover=move)


@pytest.mark.parametrize("announced", [asks(Ask.STOP, M0), asks(Ask.RESTART, M0), will_stop(M0)])
def test_an_announced_stop_of_main_moves_its_reign(announced: SceneChange) -> None:
    """A hook, a rolling restart, also after the hook gave up waiting: clients hardly notice."""
    move = rewritten(HEALTHY.but(announced), "M10").switchover
    assert move == Switchover(target=M1, by="stop request", reason="m0 is about to be stopped")


NOBODY_ASKS = "somebody asks for one, or MAIN is about to be stopped"


@pytest.mark.parametrize(
    ("old", "guard", "evidence"),
    [
        (HEALTHY, NOBODY_ASKS, ""),
        (MOVING.but(asks(Ask.SWITCHOVER, M1)), "no switchover is under way", ""),
        (HEALTHY.but(asks(Ask.SWITCHOVER, M0)), NOBODY_ASKS, "m0 is MAIN already"),
        (HEALTHY.but(asks(Ask.SWITCHOVER, M2)), NOBODY_ASKS, "m2 may not be MAIN"),
        (HEALTHY.but(asks(Ask.SWITCHOVER)), NOBODY_ASKS, "there is no proven standby to move to"),
        (HEALTHY.but(asks(Ask.SWITCHOVER, M1), unnamed), NOBODY_ASKS, "m1 is not the proven standby"),
        (HEALTHY.but(asks(Ask.SWITCHOVER, M1), stale(M1, NOW - 2.1)), NOBODY_ASKS, "m1 does not answer"),
        (HEALTHY.but(asks(Ask.SWITCHOVER, M1), new_term), NOBODY_ASKS, "MAIN does not serve: the first commit"),
        (HEALTHY.but(asks(Ask.STOP, M0), unnamed), NOBODY_ASKS, ""),
        (HEALTHY.but(asks(Ask.STOP, M0), asks(Ask.STOP, M1)), NOBODY_ASKS, ""),
        (HEALTHY.but(will_stop(M0, ago_s=121)), NOBODY_ASKS, ""),
        (HEALTHY.but(asks(Ask.STOP, M0), gave_up(RETRY_S - 0.5)), NOBODY_ASKS, ""),
    ],
)
def test_what_begins_no_switchover(old: Scene, guard: str, evidence: str) -> None:
    """The nearest misses: refusals by name, a stop without anybody to move to, one given up a moment ago."""
    assert_stopped(old, "M10", guard, evidence)


def test_a_switchover_that_was_given_up_is_tried_again_for_a_stop() -> None:
    """The stop is still announced after the pause."""
    assert rewritten(HEALTHY.but(asks(Ask.STOP, M0), gave_up(RETRY_S + 0.5)), "M10").switchover is not None


def test_a_gateway_that_let_go_begins_anew() -> None:
    """Quiet was found, then a transaction may have passed: the whole wait is repeated."""
    released = MOVING.but(held(0.2, until_s=NOW - 0.05), found_quiet())
    assert decided(released, "M30").hold is Hold.SWITCHING_OVER


# --- M20 ----------------------------------------------------------------------------------------------

LIMIT_S = HEALTHY.policy.drain_s + SWITCH_LIMIT_S


@pytest.mark.parametrize(
    ("change", "why"),
    [
        (unnamed, "m1 is not the proven standby any more"),
        (refuses(M0), "MAIN m0 is lost: 2 connections refused"),
        (gone(M0), "MAIN m0 is lost: the platform has no process"),
        (scene(record_since_s=NOW - LIMIT_S - 0.1), f"it was not done within {LIMIT_S:g} s"),
    ],
    ids=["nobody named", "refuses", "gone", "too long"],
)
def test_a_switchover_that_cannot_go_on_is_given_up(change: SceneChange, why: str) -> None:
    """`switchover` is cleared and nothing else; what was held passes again, for MAIN's reign is as it was."""
    old = MOVING.but(change)
    decision = decided(old, "M20")
    assert decision.reason.startswith(f"give the switchover up: {why}")
    assert rewritten(old, "M20") == evolve(old.recorded, switchover=None)
    assert not decision.route.quiet


@pytest.mark.parametrize(
    "old",
    [HEALTHY, MOVING, DEMOTED, MOVING.but(scene(record_since_s=NOW - LIMIT_S + 0.1))],
    ids=["none", "begun", "MAIN demoted", "in time"],
)
def test_a_switchover_that_can_go_on_is_not_given_up(old: Scene) -> None:
    """A MAIN that answers as REPLICA was demoted for it."""
    assert_stopped(old, "M20", "a switchover cannot go on")


# --- M30 ----------------------------------------------------------------------------------------------


def only(old: Scene) -> Command:
    """The only command of M30."""
    (command,) = decided(old, "M30").commands
    return command


@pytest.mark.parametrize("old", [MOVING, MOVING.but(held(0.01))], ids=["not held", "held for 10 ms"])
def test_first_no_new_transaction_passes(old: Scene) -> None:
    """The route asks the gateway for it; until it has been so for a moment nothing else is done."""
    decision = decided(old, "M30")
    assert (decision.commands, decision.hold) == ((), Hold.SWITCHING_OVER)
    assert decision.route.quiet
    assert decision.route.permit == HEALTHY.gate
    assert "until our gateway lets no new transaction pass" in decision.reason


@pytest.mark.parametrize(
    "change",
    [
        scene(),
        found_quiet(0.3),
        found_quiet(generation=3),
        found_quiet(run=run_of(M0, 2)),
    ],
    ids=["never", "before it was held", "in another reign", "another run"],
)
def test_then_open_transactions_may_end(change: SceneChange) -> None:
    """Found quiet before the gateway held, or in another life, says nothing."""
    assert only(HELD.but(change)) == Quiesce(
        instance=M0, run=run_of(M0), generation=4, patience_s=HEALTHY.policy.drain_s
    )


def test_then_the_standby_is_proven_once_more() -> None:
    """Whatever was proven before transactions ended says nothing of them."""
    expected = CommitNoop(
        instance=M0,
        run=run_of(M0),
        generation=4,
        standby=M1,
        row=STANDBY.row,
        database_uuid=HEALTHY.recorded.database_uuid,
    )
    assert only(QUIET) == expected
    assert only(QUIET.but(one_more_noop(noop(witness=STANDBY, asked_s=NOW - 0.11)))) == expected


def test_main_is_demoted_once_every_client_has_its_answer() -> None:
    """The answer to a commit may be on its way still when MAIN has no transaction left; demotion cuts it off."""
    due = READY_TO_MOVE.but(scene(settled=False))
    decision = decided(due, "M30")
    assert (decision.commands, decision.hold) == ((), Hold.SWITCHING_OVER)
    late = READY_TO_MOVE.policy.drain_s + PASSING_S + 0.1
    assert [type(command) for command in decided(due.but(scene(quiet_s=NOW - late)), "M30").commands] == [
        Demote,
        WriteRecord,
    ]


@pytest.mark.parametrize("change", [place(M1, uuid="before"), place(M1, uuid=None)], ids=["another", "unknown"])
def test_main_is_demoted_once_the_target_is_known_to_hold_the_data(change: SceneChange) -> None:
    """What was asked before it was filled would make it look emptied, once it is to reign (transcripts Q13)."""
    decision = decided(READY_TO_MOVE.but(change, place(M1, data_asked_s=NOW - 400)), "M30")
    assert (decision.commands, decision.look) == ((), (M1,))


def test_then_main_is_demoted_and_the_reign_begins() -> None:
    """Demote first: MAIN refuses late commits. Its data is `fallback`, should the target fail before it opens."""
    decision = decided(READY_TO_MOVE, "M30")
    record = READY_TO_MOVE.recorded
    change = Change(
        generation=5,
        main=M1,
        previous=M0,
        kind=ChangeKind.SWITCHOVER,
        standby=M1,
        rule="M30",
        reason="asked for",
        at=WALL,
        by="alice",
    )
    begun = record.begun(change, main_run=run_of(M1), fallback=Fallback(instance=M0, run=None))
    assert decision.commands == (
        Demote(instance=M0, run=run_of(M0), generation=4, port=10000),
        WriteRecord(expected=TOKEN, record=begun),
    )
    assert begun.switchover is None


def test_the_history_says_why() -> None:
    """The words of who asked."""
    old = HEALTHY.but(moving(reason="new kernel"), held(), found_quiet(), proven_in_quiet)
    written = decided(old, "M30").commands[-1]
    assert isinstance(written, WriteRecord)
    assert written.record.history[-1].reason == "new kernel"


def test_a_demoted_main_is_not_repromoted() -> None:
    """The record could not be written in the same breath: the next tick, or leader, begins the target's reign."""
    record = rewritten(DEMOTED, "M30")
    assert (record.main, record.main_run, record.generation) == (M1, run_of(M1), 5)
    assert record.fallback == Fallback(instance=M0, run=None)


def test_a_target_that_cannot_follow_a_demoted_main_leaves_it_the_reign() -> None:
    """m1 restarted too: un-named, and m0, which holds everything, is re-promoted."""
    both = DEMOTED.but(restarted(M1))
    assert rewritten(both, "U10").standby is None
    gone_too = DEMOTED.but(other_data(M1))
    assert_stopped(gone_too, "M30", "the target can begin its reign", "it holds another data set")


@pytest.mark.parametrize("change", [stale(M1), data_unknown(M1)], ids=["older than the cut", "data unknown"])
def test_a_target_is_asked_again_after_main_was_demoted(change: SceneChange) -> None:
    """A moment's ignorance does not give the reign back to MAIN."""
    decision = decided(DEMOTED.but(change), "M30")
    assert (decision.commands, decision.hold, decision.look) == ((), Hold.SWITCHING_OVER, (M1,))


@pytest.mark.parametrize(
    ("old", "says"),
    [
        (HELD.but(ended(Quiesce)), "waiting to ask again; last try: refused (it says no)"),
        (QUIET.but(just_failed(CommitNoop)), "waiting to prove the standby again; last try: refused"),
        (READY_TO_MOVE.but(one_more_noop(noop(asked_s=NOW - 0.02))), "waiting for the proof: a later proof failed"),
    ],
    ids=["quiesce", "proof", "no witness"],
)
def test_a_step_that_failed_is_waited_for_by_name(old: Scene, says: str) -> None:
    """Nothing is sent meanwhile, and new transactions stay held until the limit."""
    decision = decided(old, "M30")
    assert (decision.commands, decision.hold) == ((), Hold.SWITCHING_OVER)
    assert says in decision.reason


def test_a_row_that_fails_in_the_last_moment_un_names() -> None:
    """And that gives the switchover up: MAIN was not demoted."""
    assert rewritten(READY_TO_MOVE.but(standby_row(RowStatus.INVALID)), "U10").standby is None


@pytest.mark.parametrize(
    ("old", "guard"),
    [
        (HEALTHY, "a switchover is under way"),
        (MOVING.but(place(M0, run=None)), "MAIN serves"),
        (MOVING.but(new_term), "MAIN serves"),
        (LOST, "a switchover is under way"),
    ],
    ids=["none", "MAIN was not heard", "a new leader's first commit is missing", "lost"],
)
def test_what_is_no_switchover_is_not_moved(old: Scene, guard: str) -> None:
    """A new leader makes MAIN serve first: without a permit no gateway can become quiet."""
    assert_stopped(old, "M30", guard)


def test_a_new_leader_commits_first_and_then_goes_on() -> None:
    """O30 runs, though the record orders a switchover."""
    assert [type(command) for command in decided(MOVING.but(new_term), "O30").commands] == [CommitNoop]


def test_a_move_ends_in_the_targets_reign() -> None:
    """After the write the record orders nothing, and the target is promoted as after any other change."""
    written = decided(READY_TO_MOVE, "M30").commands[-1]
    assert isinstance(written, WriteRecord)
    begun = READY_TO_MOVE.but(
        scene(record=written.record, quiet_s=None), place(M0, role=HEALTHY.place(M1).role, rows=None), gate_shut()
    )
    assert decide(begun.view).rule == "O20"

"""Rules L: MAIN's loss, and who begins the next reign."""

import pytest
from attrs import evolve

from memgraph_ha.core.candidate import ANSWER_S
from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import RunId
from memgraph_ha.core.record import Change, ChangeKind, Fallback
from memgraph_ha.core.topology import Role
from tests.core.changes import (
    data_unknown,
    frozen,
    gate_shut,
    gone,
    is_main,
    lease,
    other_data,
    place,
    policy,
    recorded,
    refuses,
    reigns,
    restarted,
    scene,
    stale,
    unheard,
    unnamed,
    unprotected,
    wiped,
)
from tests.core.scenes import BEGUN, EMPTY, LOST, PROMOTED
from tests.core.views import (
    HEALTHY,
    M0,
    M1,
    NOW,
    TOKEN,
    WALL,
    Scene,
    SceneChange,
    assert_stopped,
    decided,
    permit_for,
    rewritten,
    run_of,
)

BACK = HEALTHY.but(restarted(M0), gate_shut(), unprotected)
"""An unprotected MAIN restarted: it answers as REPLICA, in another run, with its data."""

STALE = LOST.but(stale(M1))
"""MAIN is lost, and the standby has not answered since the cut."""

FAILED = BEGUN.but(unheard(M1), restarted(M0))
"""m1's process ended before its reign opened; m0, the fallback, is back as REPLICA."""


def begun(scene_: Scene, **fields: object) -> WriteRecord:
    """The write that begins the next reign, its history line made from its fields."""
    record, old = scene_.recorded, scene_.recorded
    rule, kind, reason = str(fields.pop("rule")), fields.pop("kind"), str(fields.pop("reason"))
    assert isinstance(kind, ChangeKind)
    record = evolve(record, generation=old.generation + 1, opened=False, standby=None, unprotected=False)
    record = evolve(record, **fields)  # type: ignore[arg-type]  # names and values are those of Record
    change = Change(
        generation=record.generation,
        main=record.main,
        previous=old.main,
        kind=kind,
        standby=None if old.standby is None else old.standby.instance,
        rule=rule,
        reason=reason,
        at=WALL,
    )
    return WriteRecord(expected=TOKEN, record=record.with_change(change))


# --- L10 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "old",
    [
        pytest.param(STALE, id="the standby's answer is older than the cut"),
        pytest.param(LOST.but(scene(gate=permit_for(HEALTHY))), id="the gateway is not cut yet"),
        pytest.param(LOST.but(place(M1, data_asked_s=NOW - 0.4)), id="its data was asked before the cut"),
        pytest.param(LOST.but(data_unknown(M1)), id="its data is unknown"),
        pytest.param(LOST.but(place(M1, asked_s=NOW - 0.71), gate_shut(2.0)), id="its answer is a round old"),
        pytest.param(LOST.but(lease(since_s=NOW - 0.05)), id="it answered before our term"),
    ],
)
def test_the_pair_is_asked_again_after_the_cut(old: Scene) -> None:
    """Nobody is chosen on facts older than the cut of the gateways: everybody is asked again first."""
    decision = decided(old, "L10")
    assert (decision.commands, decision.hold) == ((), Hold.LOOKING)
    assert decision.look == (M0, M1)
    assert decision.route.permit is None
    assert decision.wake_at_s == pytest.approx(NOW + 0.02)


@pytest.mark.parametrize(
    ("change", "guard", "evidence"),
    [
        pytest.param(place(M0, misses=()), "MAIN is lost", "", id="MAIN lives"),
        pytest.param(stale(M1, NOW - 0.1), "facts are older than the cut", "a candidate is known", id="asked again"),
        pytest.param(unnamed, "facts are older than the cut", "other things are lacking", id="nobody is named"),
        pytest.param(gone(M1), "facts are older than the cut", "other things are lacking", id="standby is gone"),
    ],
)
def test_looking_again_is_for_old_facts_only(change: SceneChange, guard: str, evidence: str) -> None:
    """With fresh facts, or none that could help, there is no more looking."""
    assert_stopped(STALE.but(change), "L10", guard, evidence)


def test_a_main_that_answers_as_replica_may_say_what_it_holds() -> None:
    """It holds everything: for a moment after the cut it is waited for, though the standby could follow at once."""
    back = HEALTHY.but(restarted(M0), data_unknown(M0), gate_shut(ANSWER_S - 0.1))
    decision = decided(back, "L10")
    assert (decision.commands, decision.hold, decision.look) == ((), Hold.LOOKING, (M0, M1))
    late = back.but(gate_shut(ANSWER_S + 0.1))
    assert rewritten(late, "L30").main == M1


# --- L15 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize("kind", [ChangeKind.REPROMOTE, ChangeKind.FAILOVER, ChangeKind.FALLBACK])
def test_too_many_unplanned_reigns_are_held(kind: ChangeKind) -> None:
    """After `failover_limit` unplanned reigns in the window, one more loss is held, by name."""
    decision = decided(LOST.but(reigns(kind, 5, ago_s=100)), "L15")
    assert (decision.commands, decision.hold, decision.route.permit) == ((), Hold.FLAPPING, None)
    assert "held for 500 s" in decision.reason
    assert "failover_limit (5)" in decision.reason


def test_reigns_from_the_future_count_as_now() -> None:
    """A wall clock that was set back does not end the hold early."""
    decision = decided(LOST.but(reigns(ChangeKind.FAILOVER, 5, ago_s=-4000)), "L15")
    assert "held for 600 s" in decision.reason


@pytest.mark.parametrize(
    ("change", "guard", "evidence"),
    [
        pytest.param(place(M0, misses=()), "MAIN is lost", "", id="MAIN lives"),
        pytest.param(policy(failover_limit=6), "too many unplanned reigns", "5", id="a higher limit"),
        pytest.param(policy(failover_window_s=100), "too many unplanned reigns", "0", id="the window passed"),
    ],
)
def test_a_few_unplanned_reigns_are_not_flapping(change: SceneChange, guard: str, evidence: str) -> None:
    """Below the limit, outside the window, or without a loss, nothing is held."""
    assert_stopped(LOST.but(reigns(ChangeKind.FAILOVER, 5), change), "L15", guard, evidence)


@pytest.mark.parametrize("kind", [ChangeKind.SWITCHOVER, ChangeKind.BOOTSTRAP, ChangeKind.ADOPT, ChangeKind.FORCED])
def test_planned_reigns_are_not_flapping(kind: ChangeKind) -> None:
    """What a human asked for does not count."""
    assert_stopped(LOST.but(reigns(kind, 9)), "L15", "too many unplanned reigns", "0")


def test_four_reigns_are_below_the_default_limit() -> None:
    """The limit is five."""
    assert_stopped(LOST.but(reigns(ChangeKind.FAILOVER, 4)), "L15", "too many unplanned reigns", "4")


# --- L20 ----------------------------------------------------------------------------------------------


def test_a_main_that_merely_restarted_gets_its_reign_back() -> None:
    """An opened MAIN that is back as REPLICA with its data begins the next reign itself, whatever its run."""
    decision = decided(BACK, "L20")
    reason = "MAIN m0 is lost: it answers as REPLICA in run run-m0-2"
    expected = begun(BACK, main_run=None, kind=ChangeKind.REPROMOTE, rule="L20", reason=reason)
    assert decision.commands == (expected,)
    assert decision.route.permit is None


def test_the_standby_of_a_repromoted_main_becomes_its_fallback() -> None:
    """If it fails before it opens again, the standby, in its proven run, can follow."""
    (command,) = decided(BACK.but(recorded(unprotected=False, standby=HEALTHY.recorded.standby)), "L20").commands
    assert isinstance(command, WriteRecord)
    assert command.record.fallback == Fallback(instance=M1, run=run_of(M1))


LACKS = [
    pytest.param(is_main(M0), "it answers as MAIN, not as REPLICA", id="still MAIN"),
    pytest.param(gone(M0), "its process is gone", id="gone"),
    pytest.param(refuses(M0), "it does not answer", id="refusing"),
    pytest.param(wiped(M0), "it holds another data set", id="wiped"),
    pytest.param(data_unknown(M0), "its data set is not known yet", id="data unknown"),
    pytest.param(place(M0, data_run=run_of(M0)), "its data set is not known yet", id="data of the run before"),
    pytest.param(recorded(rebuild=frozenset({M0})), "it must be rebuilt first", id="to be rebuilt"),
]
"""Why m0, back as REPLICA with its data directory, could not reign again; judged alike as itself and as fallback."""


@pytest.mark.parametrize(
    ("change", "lacks"),
    [
        *LACKS,
        pytest.param(stale(M0), "its last answer is older than the cut", id="stale"),
        pytest.param(place(M0, flush_every=None), "its data set is not known yet", id="flushing unknown"),
        pytest.param(place(M0, flush_every=100_000), "it does not flush each commit", id="unflushed"),
        pytest.param(
            scene(places=tuple(p for p in BACK.places if p.name != M0)),
            "it is no member of the cluster",
            id="no member",
        ),
    ],
)
def test_a_main_that_may_lack_something_is_not_repromoted(change: SceneChange, lacks: str) -> None:
    """The nearest misses of candidate 1, each with the reason that a person will read."""
    assert_stopped(BACK.but(change), "L20", "there is a candidate", f"repromote: m0: {lacks}")


def test_a_recorded_main_that_is_not_listed_any_more_is_repromoted() -> None:
    """It holds everything; policy `eligible` says who may become MAIN, not who must stop to be."""
    old = BACK.but(policy(eligible=("m1", "m2")))
    assert isinstance(decided(old, "L20").commands[0], WriteRecord)


def test_a_living_main_is_not_repromoted() -> None:
    """Nobody follows a MAIN that is not lost, and nobody follows without a record."""
    assert_stopped(HEALTHY, "L20", "MAIN is lost")
    assert_stopped(EMPTY, "L20", "MAIN is lost")
    assert_stopped(BACK.but(unheard(M0)), "L20", "MAIN is lost")


def test_a_main_that_restarts_too_often_gives_way_to_its_standby() -> None:
    """After `main_restart_limit` re-promotions in the window, the standby takes over if it can."""
    often = BACK.but(recorded(unprotected=False, standby=HEALTHY.recorded.standby), reigns(ChangeKind.REPROMOTE, 3))
    decided(often, "L30")
    assert_stopped(often, "L20", "what is possible is a new reign by repromote", "failover")
    decided(often.but(policy(main_restart_limit=4)), "L20")
    decided(often.but(policy(main_restart_window_s=99)), "L20")
    decided(often.but(gone(M1), unnamed), "L20")


# --- L30 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("lost", "reason"),
    [
        (refuses(M0), "2 connections refused within 0.060 s"),
        (frozen(M0), "5 probes without an answer within 3.50 s"),
        (gone(M0), "the platform has no process for m0"),
        (wiped(M0), "run run-m0-2 holds data set fresh-m0, not data-set-1"),
        (restarted(M0, Role.MAIN), "it is MAIN in run run-m0-2"),
        (restarted(M0, Role.REPLICA), None),
    ],
    ids=["refused", "frozen", "gone", "emptied", "restarted as MAIN", "restarted as REPLICA"],
)
def test_the_named_standby_follows_a_lost_main(lost: SceneChange, reason: str | None) -> None:
    """With a verdict of loss and a standby in its proven run, its reign begins; the old MAIN is the fallback."""
    old = HEALTHY.but(gate_shut(), lost)
    if reason is None:
        decided(old, "L20")
        return
    expected = begun(
        old,
        main=M1,
        main_run=run_of(M1),
        fallback=Fallback(instance=M0, run=None),
        kind=ChangeKind.FAILOVER,
        rule="L30",
        reason=f"MAIN m0 is lost: {reason}",
    )
    assert decided(old, "L30").commands == (expected,)


@pytest.mark.parametrize(
    ("change", "lacks"),
    [
        pytest.param(gone(M1), "its process is gone", id="gone"),
        pytest.param(unheard(M1), "it does not answer", id="silent"),
        pytest.param(refuses(M1), "it does not answer", id="refusing"),
        pytest.param(restarted(M1), "its process restarted since", id="another run"),
        pytest.param(data_unknown(M1), "its data set is not known yet", id="data unknown"),
        pytest.param(other_data(M1), "it holds another data set", id="other data"),
        pytest.param(stale(M1), "its last answer is older than the cut", id="stale"),
        pytest.param(recorded(rebuild=frozenset({M1})), "it must be rebuilt first", id="to be rebuilt"),
        pytest.param(policy(eligible=("m0", "m2")), "policy `eligible` does not list it", id="not eligible"),
        pytest.param(unnamed, "nobody: the record names nobody here", id="unnamed"),
    ],
)
def test_a_standby_that_may_lack_something_does_not_follow(change: SceneChange, lacks: str) -> None:
    """The nearest misses of candidate 2."""
    who = "" if lacks.startswith("nobody") else "m1: "
    assert_stopped(LOST.but(change), "L30", "there is a candidate", f"failover: {who}{lacks}")


def test_no_failover_without_a_loss() -> None:
    """A living MAIN is not followed."""
    assert_stopped(HEALTHY, "L30", "MAIN is lost")


# --- L40 ----------------------------------------------------------------------------------------------


def test_the_one_left_behind_follows_a_reign_that_never_opened() -> None:
    """If the successor fails before it opens, the fallback takes over: nothing was acknowledged since."""
    expected = begun(
        FAILED.but(gone(M1)),
        main=M0,
        main_run=None,
        fallback=None,
        kind=ChangeKind.FALLBACK,
        rule="L40",
        reason="MAIN m1 is lost: the platform has no process for m1",
    )
    assert decided(FAILED.but(gone(M1)), "L40").commands == (expected,)


@pytest.mark.parametrize(("change", "lacks"), [*LACKS, pytest.param(unheard(M0), "it does not answer", id="silent")])
def test_a_fallback_that_may_lack_something_does_not_follow(change: SceneChange, lacks: str) -> None:
    """The nearest misses of candidate 3."""
    assert_stopped(FAILED.but(gone(M1), change), "L40", "there is a candidate", f"fallback: m0: {lacks}")


@pytest.mark.parametrize(("run", "follows"), [(run_of(M0, 2), True), (run_of(M0, 1), False), (None, True)])
def test_a_fallback_that_is_bound_to_a_run_follows_in_that_run_only(run: RunId | None, follows: bool) -> None:
    """A standby that became fallback holds everything only in the run that was proven."""
    old = FAILED.but(gone(M1), recorded(fallback=Fallback(instance=M0, run=run)))
    if follows:
        decided(old, "L40")
    else:
        assert_stopped(old, "L40", "there is a candidate", "fallback: m0: its process restarted since")


def test_no_fallback_without_a_loss() -> None:
    """A successor that lives is not replaced by the one it replaced."""
    assert_stopped(BEGUN.but(restarted(M0)), "L40", "MAIN is lost")


# --- L90 ----------------------------------------------------------------------------------------------


def test_without_a_candidate_the_cluster_waits_and_says_what_each_lacks() -> None:
    """MAIN is dead and nobody is named: nothing is promoted, and each way to a reign is named with its lack."""
    decision = decided(LOST.but(gone(M0), unnamed), "L90")
    assert (decision.commands, decision.hold, decision.route.permit) == ((), Hold.NO_SAFE_CANDIDATE, None)
    for lack in (
        "repromote: m0: its process is gone",
        "failover: nobody: the record names nobody here",
        "fallback: nobody: the record names nobody here",
    ):
        assert lack in decision.reason
    assert decision.look == (M0, M1)


def test_an_async_replica_is_never_a_candidate() -> None:
    """With the whole pair gone, m2 stays a REPLICA: its lag is unknown (scenarios G3)."""
    decided(LOST.but(gone(M0), gone(M1), unnamed), "L90")


@pytest.mark.parametrize(
    ("old", "guard", "evidence"),
    [
        (HEALTHY, "MAIN is lost", ""),
        (EMPTY, "MAIN is lost", ""),
        (LOST, "there is no candidate", "m1"),
    ],
    ids=["MAIN lives", "no record", "a candidate"],
)
def test_a_cluster_with_a_way_out_does_not_wait(old: Scene, guard: str, evidence: str) -> None:
    """With MAIN alive or somebody to follow, there is nothing to wait for."""
    assert_stopped(old, "L90", guard, evidence)


# --- two that were found by reading the design against the code ----------------------------------------


@pytest.mark.parametrize("role", [Role.REPLICA, Role.MAIN])
def test_an_emptied_main_of_an_unopened_reign_is_lost(role: Role) -> None:
    """A MAIN that was to be re-promoted and comes back wiped is lost, though no run is recorded for its reign."""
    kept = Fallback(instance=M1, run=run_of(M1))
    reign = BACK.but(recorded(opened=False, unprotected=False, main_run=None, fallback=kept, generation=5))
    assert_stopped(reign, "L40", "MAIN is lost")
    (command,) = decided(reign.but(wiped(M0, role)), "L40").commands
    assert isinstance(command, WriteRecord)
    assert (command.record.main, command.record.main_run) == (M1, run_of(M1))


def test_a_promoted_main_that_was_wiped_is_not_opened() -> None:
    """Its empty data set is seen before its reign opens."""
    bare = PROMOTED.but(wiped(M1, Role.MAIN))
    assert_stopped(bare, "O30", "MAIN answers as MAIN")
    decided(bare, "S10")

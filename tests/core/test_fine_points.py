"""Fine points of rules that nothing held until a mutant got through (`memgraph-ha sim mutate`)."""

from functools import reduce

import pytest
from attrs import evolve

from memgraph_ha.core import Unmet, View, decide, explain, observe
from memgraph_ha.core.commands import RebuildInstance
from memgraph_ha.core.facts import Miss, Outcome, ProbeMissed, RoleSeen, ServerSeen, StorageSeen
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.policy import AutoReinit
from memgraph_ha.core.quiet import attaching, given_up
from memgraph_ha.core.record import Pause, Switchover
from memgraph_ha.core.requests import Ask
from memgraph_ha.core.rowcare import misfit, stale_rows, why_not_rebuilt
from memgraph_ha.core.rules.rebuild import in_vain
from memgraph_ha.core.topology import Role, RowStatus, StorageMode
from tests.core.changes import (
    a_demotion,
    a_promotion,
    a_registration,
    frozen,
    gate_shut,
    gone,
    is_main,
    lease,
    misses,
    place,
    policy,
    recorded,
    rows,
    scene,
    tried,
    unheard,
    unnamed,
    unprotected,
    wiped,
)
from tests.core.occasions import OCCASIONS, SWAPPED
from tests.core.orders import asks, held
from tests.core.scenes import BEGUN, LOST
from tests.core.views import (
    HEALTHY,
    M0,
    M1,
    M2,
    NOW,
    answer,
    assert_stopped,
    async_row,
    incarnation_of,
    rewritten,
    run_of,
    strict_row,
)

FRESH = HEALTHY.but(unprotected, rows(async_row()), held())
"""m1 has no row, and new transactions are held for it."""


def test_a_demotion_before_the_registration_excuses_nothing() -> None:
    """Only one that came after it explains why the row came to nothing."""
    demoted = FRESH.but(tried(a_demotion(FRESH, M1), Outcome.DONE, ago_s=35))
    blocked = demoted.but(tried(a_registration(FRESH, M1), Outcome.DONE, ago_s=30))
    assert_stopped(blocked, "A10", "the pause after the last try is over")


def test_a_refused_password_is_forgotten_once_it_is_accepted() -> None:
    """The last answer counts, not the last refusal."""
    refused = ProbeMissed(at_s=NOW + 0.1, asked_at_s=NOW + 0.1, instance=M2, miss=Miss.UNAUTHORISED)
    accepted = RoleSeen(at_s=NOW + 0.2, asked_at_s=NOW + 0.2, instance=M2, run=run_of(M2), role=Role.REPLICA)

    def answers(*facts: ProbeMissed | RoleSeen) -> type:
        view = View(
            observed=reduce(observe, facts, HEALTHY.observed),
            policy=HEALTHY.policy,
            now_s=NOW + 0.2,
            wall_s=HEALTHY.wall_s,
        )
        return type(next(line.answer for line in explain(view) if line.rule == "Y05"))

    assert answers(refused) is not Unmet
    assert answers(refused, accepted) is Unmet


def test_a_promotion_that_was_done_leaves_no_doubt_about_a_replica() -> None:
    """Only one whose answer was lost may yet take effect on who answered as REPLICA before it."""
    back = BEGUN.but(place(M0, incarnation=HEALTHY.place(M0).incarnation, run=run_of(M0), role=Role.REPLICA))
    sure = back.but(tried(a_promotion(back, M0), Outcome.DONE, ago_s=-0.1))
    assert_stopped(sure, "O10", "the other one may be MAIN")
    assert decide(back.but(tried(a_promotion(back, M0), Outcome.UNKNOWN, ago_s=-0.1)).view).rule == "O10"


def test_a_pause_does_not_hold_the_opening_of_a_reign() -> None:
    """What a reign lacks to open is said by its own name."""
    paused = BEGUN.but(recorded(paused=Pause(by="bob", reason="", at=0.0)))
    found = answer(paused, "C95")
    assert isinstance(found, Unmet)
    assert found.guard == "an open reign is paused"


def test_who_holds_the_replaced_data_set_already_is_not_rebuilt() -> None:
    """It was recovered there too, or MAIN has filled it."""
    alike = SWAPPED.but(place(M2, uuid="snapshot-data-set"), asks(Ask.ADOPT, M0))
    record = rewritten(alike, "C20")
    assert record.rebuild == record.reinit == {M1}
    assert rewritten(evolve(alike, places=SWAPPED.places), "C20").rebuild == {M1, M2}


def test_the_row_of_a_replica_that_is_rebuilt_goes_also_beside_a_named_standby() -> None:
    """Who is named is somebody else: its own row stays."""
    old = HEALTHY.but(recorded(rebuild=frozenset({M2})))
    assert [row.name for row in stale_rows(old.view, old.recorded)] == ["m2"]
    assert stale_rows(HEALTHY.view, HEALTHY.recorded) == []


def test_that_an_instance_holds_nothing_must_be_known_of_its_present_run() -> None:
    """What its process before held, or did not, may have been filled since."""
    never = policy(auto_reinit=AutoReinit.NEVER)
    empty = HEALTHY.but(never, place(M2, empty=True, uuid="another"), recorded(rebuild=frozenset({M2})))
    assert why_not_rebuilt(empty.view, empty.recorded, M2) is None
    newer = RoleSeen(at_s=NOW, asked_at_s=NOW, instance=M2, run=run_of(M2, 2), role=Role.REPLICA)
    later = StorageSeen(
        at_s=NOW,
        asked_at_s=NOW,
        instance=M2,
        run=run_of(M2, 1),
        uuid="another",
        empty=True,
        mode=StorageMode.TRANSACTIONAL,
    )
    seen = observe(observe(empty.observed, newer), later)
    view = View(observed=seen, policy=empty.policy, now_s=NOW, wall_s=empty.wall_s)
    assert why_not_rebuilt(view, empty.recorded, M2) == "policy auto_reinit is never"


def test_a_standby_that_catches_up_as_async_keeps_its_row() -> None:
    """It is dropped only once it is level, in a quiet moment (A10)."""
    behind = async_row("m1", M1, RowStatus.RECOVERY)
    old = HEALTHY.but(unprotected, rows(async_row(), behind))
    assert stale_rows(old.view, old.recorded) == []
    assert stale_rows(old.but(recorded(unprotected=False)).view, evolve(old.recorded, unprotected=False)) == [behind]


def test_a_frozen_process_is_given_up() -> None:
    """There is no point in waiting for what it may say, though it refuses nothing."""
    old = HEALTHY.but(frozen(M1))
    seen = old.observed.of(M1)
    assert seen is not None
    assert seen.refused == 0
    assert old.view.given_up(seen)
    brief = HEALTHY.but(frozen(M1, for_s=1.0))
    just_now = brief.observed.of(M1)
    assert just_now is not None
    assert not brief.view.given_up(just_now)


def test_a_switchover_to_somebody_who_is_not_the_standby_any_more_is_given_up() -> None:
    """Another one is named by now: it is proven, the target is not."""
    moving = HEALTHY.but(recorded(switchover=Switchover(target=M2, by="alice", reason="")))
    assert given_up(moving.view) == "m2 is not the proven standby any more"
    able = HEALTHY.but(recorded(switchover=Switchover(target=M1, by="alice", reason="")), scene(record_since_s=NOW - 1))
    assert given_up(able.view) is None


def test_a_record_that_was_restored_is_not_written_to() -> None:
    """What it says of a standby is not believed, and not mended either: a human decides first."""
    restored = HEALTHY.but(lease(floor_generation=9), gone(M1))
    assert decide(restored.view).rule == "R40"
    assert decide(HEALTHY.but(gone(M1)).view).rule == "U10"


def test_how_an_earlier_process_was_configured_says_nothing_of_this_one() -> None:
    """It is asked anew."""
    plain = HEALTHY.but(place(M2, init_file=""))
    assert decide(plain.view).rule == "Y70"
    newer = RoleSeen(at_s=NOW, asked_at_s=NOW, instance=M2, run=run_of(M2, 2), role=Role.REPLICA)
    late = ServerSeen(at_s=NOW, instance=M2, run=run_of(M2), version="3.6.1", wal=True, flush_every=1, init_file="")
    seen = observe(observe(HEALTHY.observed, newer), late)
    view = View(observed=seen, policy=HEALTHY.policy, now_s=NOW, wall_s=HEALTHY.wall_s)
    assert isinstance(next(line.answer for line in explain(view) if line.rule == "Y70"), Unmet)


def test_a_main_that_is_silent_beside_another_one_is_no_argument_for_the_record() -> None:
    """Who answers as MAIN with the recorded data may be the one that a human promoted."""
    other = unnamed(HEALTHY).but(is_main(M1))
    assert decide(other.but(frozen(M0), gate_shut()).view).rule == "R40"
    assert decide(other.view).rule != "R40"


def test_only_the_named_standby_is_waited_for_when_main_is_lost() -> None:
    """A third instance that has not said a word holds nobody up: it has no title to the reign."""
    assert decide(LOST.view).rule == "L30"
    assert decide(LOST.but(unheard(M2)).view).rule == "L30"
    assert decide(LOST.but(unheard(M1)).view).rule == "L10"


def test_a_stray_main_that_does_not_listen_is_no_deaf_replica() -> None:
    """A MAIN has nothing to listen for: it is demoted, which opens its port, not restarted."""
    deaf = OCCASIONS["F20"]
    assert decide(deaf.view).rule == "F20"
    name = next(place.name for place in deaf.places if not place.port_open)
    stray = deaf.but(place(name, role=Role.MAIN))
    assert isinstance(answer(stray, "F20"), Unmet)


def test_what_main_calls_diverged_was_not_rebuilt() -> None:
    """Being empty is not enough: an instance of another cluster is empty too, with a history of its own."""
    command = RebuildInstance(instance=M2, incarnation=incarnation_of(M2), generation=4)
    rebuilt = HEALTHY.but(tried(command, Outcome.DONE, ago_s=5), wiped(M2), rows(strict_row()))
    seen = rebuilt.observed.of(M2)
    assert seen is not None
    assert rebuilt.view.rebuilt(seen)
    refused = rebuilt.but(rows(strict_row(), async_row(status=RowStatus.DIVERGED)))
    assert not refused.view.rebuilt(seen)


def test_what_a_process_before_held_does_not_make_this_one_rebuilt() -> None:
    """It may have been filled since."""
    command = RebuildInstance(instance=M2, incarnation=incarnation_of(M2), generation=4)
    rebuilt = HEALTHY.but(tried(command, Outcome.DONE, ago_s=5), wiped(M2), rows(strict_row()))
    newer = RoleSeen(at_s=NOW, asked_at_s=NOW, instance=M2, run=run_of(M2, 3), role=Role.REPLICA)
    before = StorageSeen(
        at_s=NOW, asked_at_s=NOW, instance=M2, run=run_of(M2, 2), uuid="x", empty=True, mode=StorageMode.TRANSACTIONAL
    )
    observed = observe(observe(rebuilt.observed, newer), before)
    view = View(observed=observed, policy=rebuilt.policy, now_s=NOW, wall_s=rebuilt.wall_s)
    seen = observed.of(M2)
    assert seen is not None
    assert not view.rebuilt(seen)


def test_a_rebuild_whose_answer_was_lost_was_not_in_vain() -> None:
    """Whether it was done shows by itself; until then it may be asked for again."""
    command = RebuildInstance(instance=M2, incarnation=incarnation_of(M2), generation=4)
    for outcome, vain in ((Outcome.DONE, True), (Outcome.UNKNOWN, False)):
        old = HEALTHY.but(tried(command, outcome, ago_s=5))
        seen = old.observed.of(M2)
        assert seen is not None
        assert (in_vain(old.view, seen) is not None) is vain


def test_a_registration_that_failed_says_nothing_about_what_an_instance_fits() -> None:
    """Only one that was done and left no row does."""
    alone = HEALTHY.but(place(M2, uuid="another", empty=True), rows(strict_row()))
    for outcome, unfit in ((Outcome.DONE, True), (Outcome.REFUSED, False)):
        old = alone.but(tried(a_registration(alone, M2), outcome, ago_s=5))
        seen = old.observed.of(M2)
        assert seen is not None
        assert misfit(old.view, seen) is unfit


def test_nobody_is_held_to_attach_a_standby_while_its_protection_is_claimed() -> None:
    """Without one every write waits anyway; the record must say first that MAIN goes on alone."""
    assert attaching(FRESH.view, FRESH.recorded)
    claimed = FRESH.but(recorded(unprotected=False))
    assert not attaching(claimed.view, claimed.recorded)


@pytest.mark.parametrize("more", [0, -1])
def test_as_many_probes_as_the_policy_says_make_a_process_frozen(more: int) -> None:
    """Not one more, and not one fewer."""
    count = HEALTHY.policy.frozen_count + more
    old = HEALTHY.but(place(M1, asked_s=NOW - 9), misses(M1, Miss.TIMED_OUT, count, 2.0))
    seen = old.observed.of(M1)
    assert seen is not None
    assert seen.timeouts == count
    assert old.view.given_up(seen) is (more == 0)


def test_a_main_that_refuses_our_password_is_said_to_whoever_waits_for_it() -> None:
    """What is waited for is a password, not an answer."""
    for miss, hold in ((Miss.UNAUTHORISED, Hold.UNAUTHORISED), (Miss.TIMED_OUT, Hold.LOOKING)):
        decision = decide(HEALTHY.but(unheard(M0), misses(M0, miss, 1, 0.1)).view)
        assert (decision.rule, decision.hold) == ("W10", hold)

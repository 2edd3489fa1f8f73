"""Rules O42, O44, K20 and K30: what a promotion makes Memgraph forget, and what the record remembers for it."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import RestoreTriggers, RestoreUsers
from memgraph_ha.core.decide import decide
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.policy import Triggers
from memgraph_ha.core.topology import Trigger
from tests.core.changes import last_noop, lease, place, policy, recorded, rows, scene
from tests.core.occasions import NO_ACCOUNTS, NO_TRIGGERS
from tests.core.orders import AUDIT, STAMP, ended, given_up, restore_triggers, restore_users
from tests.core.scenes import DURABLE, FENCED, LOST, PROMOTED
from tests.core.views import (
    HEALTHY,
    M0,
    M1,
    M2,
    NOW,
    Scene,
    SceneChange,
    assert_stopped,
    decided,
    rewritten,
    run_of,
    strict_row,
)

# --- O42 ----------------------------------------------------------------------------------------------


def test_accounts_are_created_before_a_reign_opens() -> None:
    """A promoted replica of the official build has none, and lets everybody in (semantics 9)."""
    decision = decided(NO_ACCOUNTS, "O42")
    assert decision.commands == (RestoreUsers(instance=M1, run=run_of(M1), generation=5),)
    assert decision.route.permit is None


def test_a_new_leader_creates_them_again() -> None:
    """It cannot see whether its predecessor did: read/write is shut until it is done."""
    done = ended(RestoreUsers, Outcome.DONE, ago_s=2)
    served = HEALTHY.but(restore_users, done)
    assert decide(served.view).route.permit == HEALTHY.gate
    decision = decided(served.but(lease(since_s=NOW - 1)), "O42")
    assert decision.route.permit is None
    assert "its accounts are not restored yet" in decision.route.why


@pytest.mark.parametrize(
    ("old", "guard", "evidence"),
    [
        (FENCED, "accounts are to be restored", "they are, or policy users is none"),
        (NO_ACCOUNTS.but(ended(RestoreUsers, Outcome.DONE)), "accounts are to be restored", "they are"),
        (NO_ACCOUNTS.but(ended(RestoreUsers)), "the pause after the last try is over", "last try: refused"),
        (PROMOTED.but(restore_users), "MAIN's first commit is acknowledged", ""),
        (LOST.but(restore_users), "MAIN's first commit is acknowledged", ""),
    ],
    ids=["policy none", "done", "backing off", "no commit yet", "MAIN is lost"],
)
def test_when_no_account_is_created(old: Scene, guard: str, evidence: str) -> None:
    """The nearest misses."""
    assert_stopped(old, "O42", guard, evidence)


def test_a_reign_does_not_open_without_its_accounts() -> None:
    """Creating them failed: O50 waits, and the hold has the reason."""
    failed = NO_ACCOUNTS.but(ended(RestoreUsers))
    assert_stopped(failed, "O50", "what the promotion lost is restored", "accounts or triggers are not")
    decision = decided(failed, "Y10")
    assert (decision.hold, decision.commands) == (Hold.USERS_NOT_RESTORED, ())
    assert "it says no" in decision.reason


def test_accounts_of_another_reign_do_not_count() -> None:
    """They were created on another MAIN."""
    before = HEALTHY.but(restore_users, ended(RestoreUsers, Outcome.DONE, ago_s=2))
    later = before.but(recorded(generation=5), last_noop(generation=5))
    assert [type(command) for command in decided(later, "O42").commands] == [RestoreUsers]


# --- O44 ----------------------------------------------------------------------------------------------


def test_triggers_are_created_before_a_reign_opens() -> None:
    """Policy `restore`: every write of the reign fires them."""
    expected = RestoreTriggers(instance=M1, run=run_of(M1), generation=5, triggers=(AUDIT,))
    assert decided(NO_TRIGGERS, "O44").commands == (expected,)


@pytest.mark.parametrize(
    ("old", "guard", "evidence"),
    [
        (NO_TRIGGERS.but(policy(triggers=Triggers.REPORT)), "triggers are to be restored", "or nobody wants it"),
        (NO_TRIGGERS.but(recorded(triggers=())), "triggers are to be restored", ""),
        (NO_TRIGGERS.but(ended(RestoreTriggers, Outcome.DONE)), "triggers are to be restored", "they are"),
        (NO_TRIGGERS.but(ended(RestoreTriggers)), "the pause after the last try is over", "last try: refused"),
        (HEALTHY.but(restore_triggers, recorded(triggers=(AUDIT,))), "the reign is ready to open", ""),
        (PROMOTED.but(restore_triggers, recorded(triggers=(AUDIT,))), "the reign is ready to open", ""),
    ],
    ids=["report", "none", "done", "backing off", "open", "no commit yet"],
)
def test_when_no_trigger_is_created(old: Scene, guard: str, evidence: str) -> None:
    """The nearest misses: in an open reign a human may have dropped one on purpose."""
    assert_stopped(old, "O44", guard, evidence)


def test_a_reign_does_not_open_without_its_triggers() -> None:
    """Policy `restore` promises it; the hold has the reason."""
    failed = NO_TRIGGERS.but(ended(RestoreTriggers))
    assert_stopped(failed, "O50", "what the promotion lost is restored")
    assert decided(failed, "Y10").hold is Hold.TRIGGERS_NOT_RESTORED
    assert decide(NO_TRIGGERS.but(ended(RestoreTriggers, Outcome.DONE)).view).rule == "O50"


# --- K20 ----------------------------------------------------------------------------------------------


def seen(*triggers: Trigger, before: tuple[Trigger, ...] | None = None) -> SceneChange:
    """MAIN has these triggers, and had those before in the same run."""
    return place(M0, triggers=triggers, triggers_before=before)


def test_the_record_knows_mains_triggers() -> None:
    """Sorted, so that the same ones are the same record."""
    old = HEALTHY.but(seen(STAMP, AUDIT))
    assert rewritten(old, "K20") == evolve(old.recorded, triggers=(AUDIT, STAMP))


def test_a_trigger_that_was_dropped_is_forgotten() -> None:
    """MAIN had it in this run, and has it no more: somebody dropped it."""
    old = HEALTHY.but(recorded(triggers=(AUDIT, STAMP)), seen(STAMP, before=(AUDIT, STAMP)))
    assert rewritten(old, "K20").triggers == (STAMP,)


def test_a_trigger_that_a_promotion_lost_stays_in_the_record() -> None:
    """This MAIN never had it: it is missing, not dropped; a new one is added beside it."""
    old = HEALTHY.but(recorded(triggers=(AUDIT,)), seen(STAMP))
    assert rewritten(old, "K20").triggers == (AUDIT, STAMP)
    assert_stopped(HEALTHY.but(recorded(triggers=(AUDIT,)), seen()), "K20", "they are not those of the record")


def test_a_changed_trigger_is_noted() -> None:
    """What is to be restored is what MAIN had last."""
    changed = evolve(AUDIT, statement="CREATE (:Log2)")
    assert rewritten(HEALTHY.but(recorded(triggers=(AUDIT,)), seen(changed)), "K20").triggers == (changed,)


@pytest.mark.parametrize(
    ("old", "guard"),
    [
        (HEALTHY, "MAIN's triggers are known"),
        (HEALTHY.but(seen(AUDIT), recorded(triggers=(AUDIT,))), "they are not those of the record"),
        (HEALTHY.but(seen(AUDIT), policy(triggers=Triggers.IGNORE)), "somebody cares for triggers"),
        (DURABLE.but(place(M1, triggers=(AUDIT,))), "MAIN's triggers are known"),
        (LOST.but(seen(AUDIT)), "MAIN's triggers are known"),
    ],
    ids=["unknown", "the same", "ignored", "not open", "lost"],
)
def test_when_triggers_are_not_noted(old: Scene, guard: str) -> None:
    """The nearest misses."""
    assert_stopped(old, "K20", guard)


# --- K30 ----------------------------------------------------------------------------------------------


def test_who_left_the_cluster_is_not_waited_for() -> None:
    """Its marks go; its level stays, for it may come back with its data."""
    old = HEALTHY.but(given_up(M2, reinit=True), scene(places=HEALTHY.places[:2]), rows(strict_row()))
    record = rewritten(old, "K30")
    assert (record.rebuild, record.reinit, record.level) == (frozenset(), frozenset(), HEALTHY.recorded.level)


def test_members_are_not_forgotten() -> None:
    """The nearest miss."""
    assert_stopped(HEALTHY.but(given_up(M2)), "K30", "`rebuild` names one that is no member")

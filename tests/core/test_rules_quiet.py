"""Rule H20 and the quiet moments: when clients are held, for how long, and what is dropped meanwhile."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import DropReplica, Quiesce, RegisterReplica
from memgraph_ha.core.decide import decide
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.quiet import QUIET_LIMIT_S, QUIET_PAUSE_S, is_quiet, is_settled, wants_quiet
from memgraph_ha.core.rules.attach import PASS_S
from memgraph_ha.core.topology import Mode, RowStatus
from tests.core.changes import (
    gone,
    just_failed,
    lease,
    new_term,
    recorded,
    rows,
    rows_unknown,
    scene,
    unprotected,
)
from tests.core.occasions import MOVING, WRONG_ROW, WRONG_ROW_HELD, WRONG_ROW_QUIET
from tests.core.orders import ended, found_quiet, held, paused, will_stop
from tests.core.scenes import LOST
from tests.core.views import (
    HEALTHY,
    M0,
    M1,
    NOW,
    Scene,
    SceneChange,
    assert_stopped,
    async_row,
    decided,
    run_of,
    strict_row,
)

NONE = "a stale row needs a quiet moment"
LIMIT_S = HEALTHY.policy.quiesce_max_s + QUIET_LIMIT_S


def test_first_new_transactions_are_held() -> None:
    """The route asks the gateway; nothing is sent before it does so."""
    decision = decided(WRONG_ROW, "H20")
    assert (decision.commands, decision.hold, decision.route.quiet) == ((), Hold.STALE_ROW, True)
    assert decision.route.permit == HEALTHY.gate


def test_then_open_transactions_end() -> None:
    """With the short patience of a repair."""
    expected = Quiesce(instance=M0, run=run_of(M0), generation=4, patience_s=HEALTHY.policy.quiesce_max_s)
    assert decided(WRONG_ROW_HELD, "H20").commands == (expected,)


def test_then_main_is_quiet_for_a_moment() -> None:
    """ASYNC replication goes on after its commit has ended (transcripts Q7: 0.3 s were safe 20 of 20 times)."""
    decision = decided(WRONG_ROW_HELD.but(found_quiet(0.25)), "H20")
    assert (decision.commands, decision.hold, decision.route.quiet) == ((), Hold.STALE_ROW, True)


def test_then_the_row_is_dropped() -> None:
    """Never in recovery, and only at its address."""
    (command,) = decided(WRONG_ROW_QUIET, "H20").commands
    assert command == DropReplica(
        instance=M0,
        run=run_of(M0),
        generation=4,
        row=async_row("m2_by_hand").name,
        address=async_row().address,
        statuses=frozenset(RowStatus) - {RowStatus.RECOVERY, RowStatus.UNKNOWN},
    )


@pytest.mark.parametrize(
    ("old", "guard", "evidence"),
    [
        (HEALTHY, NONE, "none does"),
        (WRONG_ROW.but(rows_unknown), NONE, ""),
        (LOST.but(rows(strict_row(), async_row(), async_row("m2_x"))), NONE, ""),
        (
            HEALTHY.but(rows(strict_row(), async_row(), async_row("m2_x", status=RowStatus.RECOVERY))),
            NONE,
            "none does",
        ),
        (WRONG_ROW.but(new_term), "a quiet moment may be made now", ""),
        (WRONG_ROW.but(held(LIMIT_S + 0.1)), "a quiet moment may be made now", ""),
        (WRONG_ROW.but(held(9, until_s=NOW - 8)), "a quiet moment may be made now", "clients had one"),
        (WRONG_ROW.but(ended(Quiesce, ago_s=9)), "a quiet moment may be made now", "clients had one"),
        (WRONG_ROW_HELD.but(ended(Quiesce)), "the pause after the last try is over", "it says no"),
        (WRONG_ROW_QUIET.but(just_failed(DropReplica, M0)), "the pause after the last drop is over", "it says no"),
    ],
    ids=[
        "no such row",
        "rows unknown",
        "MAIN is lost",
        "in recovery",
        "MAIN does not serve",
        "it took too long",
        "one was a moment ago",
        "one failed a moment ago",
        "quiesce backs off",
        "drop backs off",
    ],
)
def test_when_no_row_is_dropped_in_quiet(old: Scene, guard: str, evidence: str) -> None:
    """The nearest misses: clients are held for a short time, and not often."""
    assert_stopped(old, "H20", guard, evidence)


def test_while_paused_no_client_is_held() -> None:
    """No repair is made, so nobody waits for one."""
    decision = decided(WRONG_ROW.but(paused), "C95")
    assert not decision.route.quiet


def test_the_next_quiet_moment_comes_after_a_pause() -> None:
    """Half a minute after clients were let go."""
    again = WRONG_ROW.but(held(QUIET_PAUSE_S + 3, until_s=NOW - QUIET_PAUSE_S - 0.1))
    assert decided(again, "H20").route.quiet
    early = WRONG_ROW.but(held(QUIET_PAUSE_S + 3, until_s=NOW - QUIET_PAUSE_S + 0.1))
    assert not decide(early.view).route.quiet


def test_a_standby_that_lost_its_async_row_is_attached_in_the_same_moment() -> None:
    """So that its STRICT_SYNC row holds nobody's write: it is level, for nothing was committed."""
    dropped = HEALTHY.but(unprotected, rows(async_row()), held(), found_quiet(0.1))
    decision = decided(dropped, "A10")
    register = decision.commands[-1]
    assert isinstance(register, RegisterReplica)
    assert (register.replica, register.mode, decision.route.quiet) == (M1, Mode.STRICT_SYNC, True)
    filling = dropped.but(rows(async_row(), strict_row(status=RowStatus.RECOVERY)))
    assert wants_quiet(filling.view) == "the standby is attached"
    assert wants_quiet(dropped.but(rows(async_row(), strict_row())).view) is None


def test_new_transactions_are_held_before_the_standby_is_attached() -> None:
    """What commits while its row is in recovery aborts: first they are held, then those under way end."""
    alone = HEALTHY.but(unprotected, rows(async_row()))
    first = decided(alone, "A10")
    assert (first.commands, first.hold, first.route.quiet) == ((), Hold.UNPROTECTED, True)
    passing = alone.but(held(PASS_S - 0.1), scene(settled=False))
    assert decided(passing, "A10").commands == ()
    assert len(decided(passing.but(scene(settled=True)), "A10").commands) == 2
    assert len(decided(alone.but(held(PASS_S + 0.1), scene(settled=False)), "A10").commands) == 2


def test_clients_are_not_held_twice_in_a_row_for_a_standby() -> None:
    """A few seconds lie between two quiet moments; after one that ended with its permit none do."""
    again = HEALTHY.but(unprotected, rows(async_row()), held(4, until_s=NOW - 3))
    assert_stopped(again, "A10", "clients may be held for a moment", "they were a moment ago")
    assert again.view.observed.quiet_ended_s == NOW - 3
    assert decided(again.but(held(9, until_s=NOW - 6)), "A10").route.quiet
    moved = evolve(again.observed, gate_since_s=NOW - 3)
    assert wants_quiet(evolve(again.view, observed=moved)) == "the standby is attached"


def test_while_its_row_recovers_main_is_looked_at() -> None:
    """Clients wait for the moment in which it is ready."""
    filling = HEALTHY.but(unprotected, held(), rows(async_row(), strict_row(status=RowStatus.RECOVERY)))
    assert decided(filling, "Y20").look == (M0,)


@pytest.mark.parametrize(
    "change",
    [gone(M1), will_stop(M1), held(LIMIT_S + 0.1), lambda old: old.but(just_failed(RegisterReplica, M1))],
    ids=["gone", "about to be stopped", "too long", "backing off"],
)
def test_nobody_is_held_for_a_standby_that_cannot_be_attached(change: SceneChange) -> None:
    """The nearest misses."""
    dropped = HEALTHY.but(unprotected, rows(async_row()), held(), found_quiet(0.1), change)
    assert wants_quiet(dropped.view) is None


def test_quiet_is_of_one_life_in_one_reign() -> None:
    """What was found in another run, reign or before the gateway held says nothing."""
    assert is_quiet(WRONG_ROW_QUIET.view)
    assert is_settled(WRONG_ROW_QUIET.view)
    for change in (found_quiet(0.1, run=run_of(M0, 2)), found_quiet(0.1, generation=3), found_quiet(0.7)):
        assert not is_quiet(WRONG_ROW_HELD.but(change).view)
    assert not is_quiet(WRONG_ROW.but(found_quiet()).view)
    assert not is_settled(WRONG_ROW_HELD.but(found_quiet(0.29)).view)


@pytest.mark.parametrize(
    "change",
    [lease(leading=False), new_term, recorded(opened=False, standby=None), scene(places=())],
    ids=["not leading", "a new term", "not open", "no members"],
)
def test_nobody_is_held_without_a_permit(change: SceneChange) -> None:
    """Who is not served is not held in a transaction either."""
    for old in (MOVING, WRONG_ROW):
        found = decide(old.but(change).view).route
        assert (found.permit, found.quiet) == (None, False)

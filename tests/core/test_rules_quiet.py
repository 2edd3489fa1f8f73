"""Rule H20 and the quiet moments: when clients are held, for how long, and what is dropped meanwhile."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import DropReplica, Quiesce, RegisterReplica
from memgraph_ha.core.decide import decide
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.policy import DataDurability
from memgraph_ha.core.quiet import QUIET_LIMIT_S, QUIET_PAUSE_S, is_quiet, is_settled, is_shut, wants_quiet
from memgraph_ha.core.rules.attach import PASS_S
from memgraph_ha.core.topology import Mode, RowStatus
from tests.core.changes import (
    gate_shut,
    gone,
    just_failed,
    lease,
    new_term,
    policy,
    recorded,
    refuses,
    required,
    rows,
    rows_unknown,
    scene,
    unnamed,
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


# --- writes wait for the standby: the gateway is shut ---------------------------------------------------

SHUT = HEALTHY.but(required, unnamed, gate_shut(2.0), rows(async_row("m2", M1)))
"""Under `required` MAIN has no row of the standby but an ASYNC one, which leads to its address by now."""

SHUT_QUIET = SHUT.but(found_quiet(0.5))


def test_where_the_gateway_is_shut_nobody_is_held() -> None:
    """MAIN is looked at at once: what was relayed before may still be committing."""
    expected = Quiesce(instance=M0, run=run_of(M0), generation=4, patience_s=SHUT.policy.quiesce_max_s)
    decision = decided(SHUT, "H20")
    assert (decision.commands, decision.route.permit, decision.route.quiet) == ((expected,), None, False)


def test_where_the_gateway_is_shut_the_row_is_dropped_after_a_moment() -> None:
    """And however lately clients were held: nobody feels it."""
    assert decided(SHUT.but(found_quiet(0.2)), "H20").hold is Hold.STALE_ROW
    for old in (SHUT_QUIET, SHUT_QUIET.but(held(9, until_s=NOW - 8))):
        (command,) = decided(old, "H20").commands
        assert isinstance(command, DropReplica)
        assert command.row == "m2"


@pytest.mark.parametrize(
    ("shut_s", "quiet_s", "counts"),
    [(9.0, QUIET_LIMIT_S - 0.1, True), (9.0, QUIET_LIMIT_S + 0.1, False), (0.4, 0.5, False), (0.5, 0.5, True)],
    ids=["just now", "too long ago: a human may write to it", "before it was shut", "as it was shut"],
)
def test_an_old_look_does_not_count(shut_s: float, quiet_s: float, counts: bool) -> None:
    """It is looked at once more."""
    (command,) = decided(SHUT.but(gate_shut(shut_s), found_quiet(quiet_s)), "H20").commands
    assert isinstance(command, DropReplica if counts else Quiesce)


def test_rows_of_others_wait_until_writes_are_back() -> None:
    """The standby is registered first: to drop them would only keep writes waiting."""
    other = SHUT.but(rows(async_row(), async_row("m2_x")))
    assert_stopped(other, "H20", "a quiet moment may be made now", "MAIN does not serve")
    decided(other, "A10")
    both = SHUT_QUIET.but(rows(async_row(), async_row("m2_x"), async_row("m2_a2", M1)))
    (command,) = decided(both, "H20").commands
    assert isinstance(command, DropReplica)
    assert command.row == "m2_a2"


@pytest.mark.parametrize(
    "change",
    [
        pytest.param(policy(data_durability=DataDurability.PREFERRED), id="preferred: another fact may open it"),
        pytest.param(rows(strict_row(), async_row(), async_row("m2_x")), id="the standby has a row: likewise"),
        pytest.param(scene(gate=HEALTHY.gate, gate_s=NOW - 500), id="it is not known to be shut"),
        pytest.param(refuses(M0), id="MAIN is lost"),
    ],
)
def test_what_opens_by_itself_does_not_count_as_shut(change: SceneChange) -> None:
    """A DROP must not be under way when writes come back."""
    assert is_shut(SHUT.view)
    assert not is_shut(SHUT.but(change).view)

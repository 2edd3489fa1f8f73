"""Rules D10, D15, D20, P10 and F20: what writes do not wait for, and a replica that does not listen."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import CommitNoop, RegisterReplica, StopInstance
from memgraph_ha.core.decide import decide
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.known import BLOCKED_PAUSE_S, STALLED_PAUSE_S
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import RunId
from memgraph_ha.core.record import Fallback
from memgraph_ha.core.rowcare import OBJECTS_PER_S
from memgraph_ha.core.rules.attach import HEARTBEAT_S
from memgraph_ha.core.rules.rows import DEAF_S
from memgraph_ha.core.topology import Mode, RowStatus
from tests.core.changes import (
    a_demotion,
    a_registration,
    a_stop,
    gone,
    is_main,
    just_failed,
    last_noop,
    new_term,
    only_noop,
    place,
    recorded,
    required,
    restarted,
    rows,
    stale,
    standby_row,
    tried,
    unnamed_for,
    unprotected,
)
from tests.core.occasions import ENDLESS, OCCASIONS
from tests.core.orders import analytical, given_up, held, will_stop
from tests.core.scenes import LOST
from tests.core.views import (
    HEALTHY,
    M0,
    M1,
    M2,
    NOW,
    Scene,
    SceneChange,
    answer,
    assert_stopped,
    async_row,
    decided,
    incarnation_of,
    rewritten,
    run_of,
    strict_row,
)

LIMIT_S = HEALTHY.policy.standby_grace_s + HEALTHY.policy.catch_up_max_s
DEAF = OCCASIONS["F20"]

# --- D10 ----------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "change",
    [will_stop(M1), analytical],
    ids=["it is about to be stopped", "MAIN replicates nothing"],
)
def test_no_grace_is_given_to_what_is_certain(change: SceneChange) -> None:
    """Its row takes commits still, and yet nothing is to be waited for."""
    old = HEALTHY.but(unnamed_for(0.1), change, given_up(M1, M2))
    record = rewritten(old, "D10")
    assert (record.unprotected, record.row_seq) == (True, 8)


def test_a_row_that_catches_up_without_end_is_given_up() -> None:
    """A name is near while a row is in recovery; after the grace and `catch_up_max_s` it is not."""
    endless = HEALTHY.but(unnamed_for(60), standby_row(RowStatus.RECOVERY, bad_for_s=LIMIT_S + 0.1))
    assert rewritten(endless, "D10").unprotected
    near = HEALTHY.but(unnamed_for(60), standby_row(RowStatus.RECOVERY, bad_for_s=LIMIT_S - 0.3))
    assert_stopped(near, "D10", "the standby's row takes no commits", "recovery")


def test_under_required_writes_wait_for_it() -> None:
    """That is what `required` means."""
    endless = HEALTHY.but(unnamed_for(60), required, standby_row(RowStatus.RECOVERY, bad_for_s=LIMIT_S + 0.1))
    assert_stopped(endless, "D10", "data_durability is preferred", "required")


# --- D15, D20 -----------------------------------------------------------------------------------------


def test_a_standby_that_catches_up_without_end_is_stopped() -> None:
    """Its row cannot be dropped in recovery (81 of 81 crashes); once the process is gone it can."""
    assert decided(ENDLESS, "D15").commands == (
        StopInstance(instance=M1, incarnation=incarnation_of(M1), generation=4),
    )


def test_the_numbered_row_is_given_up_first() -> None:
    """D20 raises the number of one that has been in recovery for too long; then it is D15's."""
    blocking = HEALTHY.but(unprotected, standby_row(RowStatus.RECOVERY, bad_for_s=LIMIT_S + 0.1))
    assert rewritten(blocking, "D20").row_seq == 8
    young = HEALTHY.but(unprotected, standby_row(RowStatus.RECOVERY, bad_for_s=LIMIT_S - 0.3))
    assert_stopped(young, "D20", "the row blocks", "recovery")


ALONE_ONLY = "an unprotected reign has nobody named"
GIVEN_UP_ROW = "a row that was given up is in recovery"


@pytest.mark.parametrize(
    ("old", "guard"),
    [
        (HEALTHY, ALONE_ONLY),
        (HEALTHY.but(unnamed_for(1), rows(strict_row("m1_6", status=RowStatus.RECOVERY))), ALONE_ONLY),
        (HEALTHY.but(unprotected, standby_row(RowStatus.RECOVERY)), GIVEN_UP_ROW),
        (HEALTHY.but(unprotected, rows(strict_row("m1_6"), async_row())), GIVEN_UP_ROW),
        (HEALTHY.but(unprotected, rows(async_row("m1", M1, RowStatus.RECOVERY))), GIVEN_UP_ROW),
        (ENDLESS.but(gone(M1)), GIVEN_UP_ROW),
        (ENDLESS.but(just_failed(StopInstance, M1)), "it was not stopped a moment ago"),
        (ENDLESS.but(tried(a_stop(ENDLESS, M1), Outcome.DONE, ago_s=59)), "it was not stopped a moment ago"),
    ],
    ids=["named", "protected", "numbered", "ready", "ASYNC", "gone", "tried", "stopped"],
)
def test_when_no_catch_up_is_ended(old: Scene, guard: str) -> None:
    """The nearest misses."""
    assert_stopped(old, "D15", guard)


# --- A10: how a standby is attached -------------------------------------------------------------------

FRESH = HEALTHY.but(unprotected, rows(async_row()), held())
"""m1 has no row, and new transactions are held for it."""


def attached(old: Scene) -> RegisterReplica:
    """The registration of m1."""
    command = decided(old, "A10").commands[-1]
    assert isinstance(command, RegisterReplica)
    return command


def test_a_standby_that_is_far_behind_catches_up_as_async_first() -> None:
    """Its STRICT_SYNC row would abort every write meanwhile; the record says that MAIN goes on alone."""
    much = int(OBJECTS_PER_S * HEALTHY.policy.catch_up_max_s) + 1
    far = FRESH.but(place(M0, objects=much), place(M1, objects=0))
    assert (attached(far).mode, attached(far).row) == (Mode.ASYNC, "m1")
    assert attached(FRESH.but(place(M0, objects=much), place(M1, objects=2))).mode is Mode.STRICT_SYNC
    assert attached(FRESH.but(place(M0, objects=much), place(M1, objects=much))).mode is Mode.STRICT_SYNC


def test_under_required_it_is_attached_as_what_it_will_be() -> None:
    """Writes wait in any case."""
    far = FRESH.but(required, place(M0, objects=10**7))
    assert attached(far).mode is Mode.STRICT_SYNC


def test_how_long_the_last_catch_up_took_counts_too() -> None:
    """Vertices and edges say little of many small commits."""
    slow = place(M0, rows=(async_row(),), rows_bad_s=None)
    history = HEALTHY.but(unprotected, standby_row(RowStatus.RECOVERY, bad_for_s=3)).observed
    assert dict(history.catch_ups)[strict_row().address] > HEALTHY.policy.catch_up_max_s
    again = evolve(FRESH.but(slow).view, observed=evolve(FRESH.observed, catch_ups=history.catch_ups))
    register = decide(again).commands[-1]
    assert isinstance(register, RegisterReplica)
    assert register.mode is Mode.ASYNC


@pytest.mark.parametrize(
    ("outcome", "detail", "pause_s"),
    [(Outcome.DONE, "", BLOCKED_PAUSE_S), (Outcome.UNKNOWN, "no answer", STALLED_PAUSE_S)],
    ids=["it blocked writes", "it got no answer"],
)
def test_a_row_that_came_to_nothing_is_not_tried_again_at_once(outcome: Outcome, detail: str, pause_s: float) -> None:
    """Each try holds or aborts every write for seconds: the same process of it waits, another one does not."""

    def old(ago_s: float) -> Scene:
        return FRESH.but(tried(a_registration(FRESH, M1), outcome, ago_s=ago_s, detail=detail))

    assert_stopped(old(pause_s - 1), "A10", "the pause after the last try is over", detail)
    attached(evolve(old(pause_s + 1), places=FRESH.places))
    attached(old(pause_s - 1).but(restarted(M1)))


def test_a_stray_that_was_demoted_is_attached_at_once() -> None:
    """Its row came to nothing because somebody made it MAIN by hand, not because it blocks."""
    blocked = FRESH.but(tried(a_registration(FRESH, M1), Outcome.DONE, ago_s=30))
    assert_stopped(blocked, "A10", "the pause after the last try is over")
    attached(blocked.but(tried(a_demotion(FRESH, M1), Outcome.DONE, ago_s=5)))


# --- P10 ----------------------------------------------------------------------------------------------


def test_a_proof_grows_old_without_any_write() -> None:
    """On a full disk no commit succeeds, and no `ts` moves: it would never be noticed."""
    old = HEALTHY.but(only_noop(asked_at_s=NOW - HEARTBEAT_S - 0.1))
    assert [type(command) for command in decided(old, "P10").commands] == [CommitNoop]
    young = HEALTHY.but(last_noop(asked_at_s=NOW - HEARTBEAT_S + 0.1))
    assert_stopped(young, "P10", "it was written to since the last proof, or that is old")


# --- F20 ----------------------------------------------------------------------------------------------


def test_a_replica_that_does_not_listen_is_restarted() -> None:
    """Nothing else opens that port again."""
    assert decided(DEAF, "F20").commands == (StopInstance(instance=M2, incarnation=incarnation_of(M2), generation=4),)


NOBODY = "a replica does not listen for replication"


@pytest.mark.parametrize(
    ("old", "guard"),
    [
        (HEALTHY, NOBODY),
        (HEALTHY.but(place(M2, port_open=False)), NOBODY),
        (DEAF.but(place(M2, port_open=None)), NOBODY),
        (DEAF.but(place(M2, port_asked_s=NOW - 3.1)), NOBODY),
        (DEAF.but(is_main(M2), just_failed(StopInstance, M2)), NOBODY),
        (DEAF.but(stale(M2, NOW - 1.1)), NOBODY),
        (DEAF.but(just_failed(StopInstance, M2)), NOBODY),
        (DEAF.but(just_failed(RegisterReplica, M2)), NOBODY),
        (HEALTHY.but(place(M1, port_open=False)), NOBODY),
        (HEALTHY.but(place(M0, port_open=False)), NOBODY),
        (LOST.but(place(M2, port_open=False)), "MAIN answers"),
    ],
)
def test_when_nobody_is_restarted_for_a_port(old: Scene, guard: str) -> None:
    """The nearest misses: a row that works, a port that nobody looked at, a named standby, another reason."""
    assert_stopped(old, "F20", guard)


def test_a_deaf_replica_is_restarted_though_writes_wait() -> None:
    """Under `required` a new leader's first commit may be waiting for this very replica."""
    decided(DEAF.but(new_term, just_failed(CommitNoop, M0)), "F20")


@pytest.mark.parametrize(("run", "fires"), [(run_of(M2), False), (None, True)], ids=["its process", "its data"])
def test_a_deaf_fallback_is_restarted_only_if_its_data_counts(run: RunId | None, fires: bool) -> None:
    """Another run of it could not be relied on any more."""
    old = DEAF.but(recorded(fallback=Fallback(instance=M2, run=run)))
    assert isinstance(answer(old, "F20"), Decision) is fires


def test_a_registration_that_found_nobody_listening_is_no_excuse() -> None:
    """`Error: 5` says the same as the closed port, in whichever run it came."""
    refused = a_registration(DEAF, M2)
    decided(DEAF.but(tried(refused, ago_s=8, error=ErrorClass.NOT_ACCEPTING)), "F20")
    before = evolve(refused, replica_run=run_of(M2, 9))
    decided(DEAF.but(tried(before, ago_s=8, error=ErrorClass.NOT_ACCEPTING)), "F20")


@pytest.mark.parametrize(("ago_s", "fires"), [(8, True), (-1, False)], ids=["before the port was seen shut", "since"])
def test_a_refusal_for_another_reason_excuses_it_only_while_it_is_the_last_word(ago_s: float, fires: bool) -> None:
    """MAIN reached it to be told so; a port that is shut since opens to nobody, and nobody registers it any more."""
    refused = DEAF.but(tried(a_registration(DEAF, M2), ago_s=ago_s, error=ErrorClass.NOT_PERSISTED))
    assert isinstance(answer(refused, "F20"), Decision) is fires


@pytest.mark.parametrize("outcome", [Outcome.UNKNOWN, Outcome.NOT_SENT])
def test_a_registration_without_an_answer_is_no_excuse(outcome: Outcome) -> None:
    """It says nothing about the replica; and with its port closed there is never another one."""
    decided(DEAF.but(tried(a_registration(DEAF, M2), outcome, ago_s=8)), "F20")


def test_a_process_that_just_began_is_given_time() -> None:
    """It listens before it answers, as a rule; a minute is more than enough."""
    view = DEAF.view
    young = tuple(evolve(seen, born_s=NOW - DEAF_S + 0.1) for seen in view.observed.seen)
    assert decide(evolve(view, observed=evolve(view.observed, seen=young))).rule != "F20"
    old = tuple(evolve(seen, born_s=NOW - DEAF_S) for seen in view.observed.seen)
    assert decide(evolve(view, observed=evolve(view.observed, seen=old))).rule == "F20"

"""Rules Y and Z: what is waited for, by name, and that nothing is."""

import pytest
from attrs import evolve

from memgraph_ha.core.commands import CommitNoop, RegisterReplica
from memgraph_ha.core.decide import decide
from memgraph_ha.core.facts import NoopSeen, Outcome
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.observe import observe
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.topology import RowStatus
from tests.core.changes import (
    gate_shut,
    gone,
    just_failed,
    last_noop,
    new_term,
    place,
    recorded,
    required,
    rows,
    rows_unknown,
    scene,
    standby_row,
    unnamed_for,
    unprotected,
    wiped,
)
from tests.core.orders import analytical, given_up, rebuilding, refused_as_diverged
from tests.core.scenes import ALONE, ATTACHED, EMPTY, PROMOTED, PROVEN
from tests.core.views import (
    HEALTHY,
    M0,
    M1,
    M2,
    NOW,
    Scene,
    SceneChange,
    assert_stopped,
    async_row,
    decided,
    run_of,
    strict_row,
)

SHUT = HEALTHY.but(new_term, just_failed(CommitNoop))
"""A new leader's first commit failed a moment ago."""

WAITING = HEALTHY.but(required, unnamed_for(60), gone(M1), rows(async_row()), gate_shut())
"""`required`: the standby is gone, and writes wait for it."""

SINGLE = HEALTHY.but(unprotected, gone(M1), rows(async_row()))
"""`preferred`: MAIN serves alone, and the record says so."""

LAGGING = HEALTHY.but(
    place(M0, rows=(strict_row(), async_row(status=RowStatus.INVALID)), rows_bad_s=NOW - 4),
)
"""The ASYNC replica's row has taken nothing for longer than Memgraph needs to heal it."""

level_forgotten = recorded(level=((M0, 4),))
"""History proves nothing of the replicas."""

LONELY = HEALTHY.but(rows(strict_row()), gone(M2))
"""The ASYNC replica is gone and has no row."""


def test_a_shut_gateway_says_why_and_how_the_last_try_ended() -> None:
    """With MAIN alive and nothing to do now, what keeps read/write shut is said."""
    decision = decided(SHUT, "Y10")
    assert (decision.commands, decision.hold, decision.route.permit) == ((), Hold.BACKING_OFF, None)
    assert decision.reason == "the first commit of our term is not acknowledged yet; last try: refused (it says no)"
    assert decision.route.hold, "new connections are held, not refused"


def test_a_reign_that_cannot_be_opened_yet_says_so() -> None:
    """Also between two tries of a reign's opening."""
    assert "reign 5 of m1 is not open yet" in decided(PROMOTED.but(just_failed(CommitNoop)), "Y10").reason


@pytest.mark.parametrize(
    ("change", "hold", "lack"),
    [
        (scene(), Hold.WAITING_FOR_STANDBY, "m1: it does not answer"),
        (recorded(rebuild=frozenset({M1})), Hold.REBUILDING, "m1 must be rebuilt"),
        (recorded(rebuild=frozenset({M1}), level=((M0, 4), (M2, 4))), Hold.REBUILD_NEEDED, "memgraph-ha reinit m1"),
        (standby_row(RowStatus.RECOVERY), Hold.WAITING_FOR_STANDBY, "row m1_7 is recovery"),
        (
            scene(places=(WAITING.place(M0),)),
            Hold.WAITING_FOR_STANDBY,
            "the cluster has no second eligible instance",
        ),
    ],
    ids=["gone", "to be rebuilt", "given up by nobody", "catching up", "none"],
)
def test_required_waits_for_a_standby_by_name(change: SceneChange, hold: Hold, lack: str) -> None:
    """`required`: writes wait, and what the standby lacks is said; the hold is what a human can end, if one must."""
    old = WAITING.but(recorded(unprotected=True), change)
    decision = decided(old, "Y10")
    assert (decision.commands, decision.hold, decision.route.permit) == ((), hold, None)
    assert lack in decision.reason


def test_required_waits_when_its_row_is_gone() -> None:
    """Without a whole STRICT_SYNC row nothing may be acknowledged."""
    decision = decided(WAITING, "Y10")
    assert decision.hold is Hold.WAITING_FOR_STANDBY
    assert "MAIN has no whole STRICT_SYNC row of the standby" in decision.reason


@pytest.mark.parametrize("served", [HEALTHY, SINGLE, EMPTY], ids=["healthy", "single", "no record"])
def test_an_open_gateway_is_not_explained(served: Scene) -> None:
    """While read/write is open, or bootstrap speaks, Y10 has nothing to say."""
    assert_stopped(served, "Y10", "read/write is shut")


@pytest.mark.parametrize(
    ("old", "hold", "lack"),
    [
        (SINGLE, Hold.UNPROTECTED, "m1: it does not answer"),
        (SINGLE.but(given_up(M1)), Hold.REBUILDING, "m1 must be rebuilt"),
        (SINGLE.but(given_up(M1), rebuilding(M1)), Hold.REBUILDING, "m1 is being rebuilt: its old data is aside"),
        (
            SINGLE.but(given_up(M1), recorded(level=((M0, 4), (M2, 4)))),
            Hold.REBUILD_NEEDED,
            "to give up what it holds: memgraph-ha reinit m1",
        ),
        (SINGLE.but(standby_row(RowStatus.RECOVERY)), Hold.UNPROTECTED, "row m1_7 is recovery"),
        (
            SINGLE.but(rows(async_row(), async_row("m1", M1, RowStatus.RECOVERY))),
            Hold.CATCHING_UP,
            "row m1 is recovery",
        ),
        (
            SINGLE.but(analytical, given_up(M1, M2), recorded(level=((M0, 4),))),
            Hold.ANALYTICAL_MODE,
            "MAIN's storage mode is IN_MEMORY_ANALYTICAL: nothing is replicated",
        ),
        (
            SINGLE.but(scene(places=(SINGLE.place(M0),)), rows()),
            Hold.UNPROTECTED,
            "the cluster has no second eligible instance",
        ),
        (
            ALONE.but(just_failed(RegisterReplica, M0)),
            Hold.UNPROTECTED,
            "m0 is attached next; last try: refused (it says no)",
        ),
        (
            ATTACHED.but(just_failed(CommitNoop), recorded(level=((M0, 5), (M1, 5), (M2, 5)))),
            Hold.UNPROTECTED,
            "row m0_8 is ready, 0 behind; last try: refused (it says no)",
        ),
        (
            PROVEN.but(last_noop(witness=None, detail="its run changed"), recorded(level=((M0, 5), (M1, 5), (M2, 5)))),
            Hold.UNPROTECTED,
            "row m0_8 is ready, 0 behind; not proven: its run changed",
        ),
    ],
    ids=[
        "gone",
        "to be rebuilt",
        "being rebuilt",
        "a human must give it up",
        "blocking",
        "catching up as ASYNC",
        "analytical",
        "none",
        "backing off",
        "proof backing off",
        "proof without a witness",
    ],
)
def test_a_main_that_serves_alone_says_what_its_standby_lacks(old: Scene, hold: Hold, lack: str) -> None:
    """Nothing waits without a name, and the reason says what would end it."""
    decision = decided(old, "Y20")
    assert (decision.commands, decision.hold) == ((), hold)
    assert lack in decision.reason
    assert decision.route.permit is not None


def test_required_waits_while_its_row_blocks() -> None:
    """`required`: with a STRICT_SYNC row that takes no commits the gateway is open, but every write waits."""
    decision = decided(HEALTHY.but(required, unnamed_for(60), standby_row(RowStatus.INVALID)), "Y20")
    assert (decision.commands, decision.hold) == ((), Hold.WAITING_FOR_STANDBY)
    assert "waits for a proven standby; row m1_7 is invalid" in decision.reason


@pytest.mark.parametrize(
    ("durability", "hold", "says"),
    [
        (required, Hold.WAITING_FOR_STANDBY, "m0 waits for a proven standby; row m1_7 is invalid, 0 behind"),
        (scene(), Hold.UNPROTECTED, "m0 serves without a proven standby; row m1_7 is invalid, 0 behind"),
    ],
    ids=["required", "preferred"],
)
def test_a_row_that_aborts_every_write_is_told_as_what_it_is(durability: SceneChange, hold: Hold, says: str) -> None:
    """`required`: the gateway is open but writes wait, for the row aborts each; `preferred` soon goes on without it."""
    decision = decided(HEALTHY.but(durability, unnamed_for(1), gone(M1), standby_row(RowStatus.INVALID)), "Y20")
    assert (decision.hold, decision.reason) == (hold, says)
    assert decision.route.permit is not None


def test_a_named_standby_lacks_nothing() -> None:
    """With a name, or without a record, Y20 has nothing to say."""
    assert_stopped(HEALTHY, "Y20", "nobody is named")
    assert_stopped(EMPTY, "Y20", "nobody is named")


@pytest.mark.parametrize(
    ("old", "lack"),
    [
        (LONELY, "m2: it does not answer"),
        (HEALTHY.but(rows(strict_row()), just_failed(RegisterReplica)), "m2: it is attached next; last try: refused"),
        (LAGGING, "m2: its row is invalid"),
    ],
    ids=["gone", "backing off", "invalid"],
)
def test_a_missing_async_replica_is_named(old: Scene, lack: str) -> None:
    """Reads from it are stale or refused; that is said, and nothing is held up."""
    decision = decided(old, "Y30")
    assert (decision.commands, decision.hold) == ((), Hold.REPLICA_MISSING)
    assert lack in decision.reason
    assert decision.route.permit is not None


def test_a_replica_of_another_data_set_is_named_with_the_way_out() -> None:
    """After a forced reign the others hold what the new MAIN never had: only a human gives that up."""
    decision = decided(HEALTHY.but(rows(strict_row()), place(M2, uuid="another")), "Y30")
    assert (decision.commands, decision.hold) == ((), Hold.REBUILD_NEEDED)
    assert decision.reason.endswith(
        "holds another data set than the record; to give up what it holds: memgraph-ha reinit m2"
    )


@pytest.mark.parametrize(
    ("old", "guard", "evidence"),
    [
        pytest.param(LONELY.but(rows_unknown), "MAIN's rows are known", "", id="rows unknown"),
        pytest.param(HEALTHY, "an ASYNC replica is missing", "none is", id="attached"),
        pytest.param(
            HEALTHY.but(rows(strict_row(), async_row(status=RowStatus.RECOVERY))),
            "an ASYNC replica is missing",
            "none is",
            id="catching up",
        ),
        pytest.param(
            HEALTHY.but(rows(strict_row(), async_row(status=RowStatus.REPLICATING))),
            "an ASYNC replica is missing",
            "none is",
            id="replicating",
        ),
    ],
)
def test_an_attached_async_replica_is_not_missing(old: Scene, guard: str, evidence: str) -> None:
    """The nearest misses of the note."""
    assert_stopped(old, "Y30", guard, evidence)


def test_a_healthy_cluster_is_left_alone() -> None:
    """No command, no hold, the permit stands, and nothing is looked at before a second."""
    decision = decided(HEALTHY, "Z99")
    assert (decision.commands, decision.hold, decision.look) == ((), None, ())
    assert decision.wake_at_s == NOW + 1
    assert decision.route.permit == HEALTHY.gate


def test_a_replica_that_was_wiped_behind_its_row_is_not_our_business_yet() -> None:
    """While MAIN's row of it is healthy, what an ASYNC replica says of itself changes nothing."""
    assert decided(HEALTHY.but(wiped(M2)), "Z99").commands == ()


def test_an_async_row_that_flaps_is_no_news() -> None:
    """Under load it is `invalid` again and again, and heals itself."""
    young = HEALTHY.but(rows(strict_row(), async_row(status=RowStatus.INVALID)))
    assert decided(young, "Z99").hold is None


@pytest.mark.parametrize(
    ("old", "rule"),
    [
        (HEALTHY.but(unprotected, rows(async_row()), level_forgotten, refused_as_diverged(M1)), "Y20"),
        (HEALTHY.but(rows(strict_row()), level_forgotten, refused_as_diverged(M2)), "Y30"),
    ],
    ids=["standby", "ASYNC replica"],
)
def test_a_diverged_replica_is_called_so_with_the_way_out(old: Scene, rule: str) -> None:
    """`Error: 3` never heals by itself: the hold says what to do, and the same run is not asked again for a minute."""
    known = old.but(recorded(level=tuple((name, 4) for name in (M0, M1, M2) if not old.view.diverged(seen(old, name)))))
    decision = decided(known, rule)
    assert (decision.hold, decision.commands) == (Hold.DIVERGED_REPLICA, ())
    assert "memgraph-ha reinit" in decision.reason


def seen(old: Scene, name: InstanceName) -> Seen:
    """What is known of it."""
    found = old.observed.of(name)
    assert found is not None
    return found


def test_a_proof_without_a_witness_says_what_the_standby_lacks() -> None:
    """Acknowledged, but not by this standby: without WAL, say, it would never be named, and the reason is told."""
    scene = HEALTHY.but(unprotected)
    seen = NoopSeen(
        at_s=NOW - 0.05,
        asked_at_s=NOW - 0.06,
        instance=M0,
        run=run_of(M0),
        generation=scene.recorded.generation,
        outcome=Outcome.DONE,
        detail="MAIN or the standby runs without WAL: nothing is replicated",
    )
    decision = decide(evolve(scene.view, observed=observe(scene.view.observed, seen)))
    assert (decision.rule, decision.hold) == ("Y20", Hold.UNPROTECTED)
    assert "without WAL" in decision.reason

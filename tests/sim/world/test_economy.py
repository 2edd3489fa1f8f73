"""What makes the world fast must not make it wrong."""

import gc
from types import FunctionType

import pytest

from memgraph_ha.core.holds import Hold
from memgraph_ha.sim.checks.liveness import becomes_whole
from memgraph_ha.sim.world.ground import ids_of
from memgraph_ha.sim.world.hands import PATIENCE_S
from tests.sim.world.setting import M0, M1, M2, whole


def test_nothing_that_happens_refers_to_itself() -> None:
    """Whatever is over is freed at once: no collector has to run while a life is played."""
    cluster, _, _ = whole(writers=2)
    gc.collect()
    gc.disable()
    gc.set_debug(gc.DEBUG_SAVEALL)
    try:
        cluster.world.run(5)
        gc.collect()
        left = sum(_is_ours(each) for each in gc.garbage)
    finally:
        gc.set_debug(0)
        gc.garbage.clear()
        gc.enable()
    assert len(cluster.acks) > 50
    assert left < len(cluster.acks)  # what waited for a lock; each write by itself is some hundred objects


def _is_ours(thing: object) -> bool:
    """Whether the package made it: what threads of earlier tests leave behind in this process is not looked at."""
    made_by = thing.__module__ if isinstance(thing, FunctionType) else type(thing).__module__
    return str(made_by).startswith("memgraph_ha.")


def test_what_an_instance_holds_is_never_remembered_too_long() -> None:
    """Through writes, a wipe, a copy to the wiped one, and a restart: asked again and again, it is what there is."""
    cluster, _, _ = whole(writers=2)
    seen = set()
    for step in range(60):
        if step == 10:
            cluster.wipe(M2)
        if step == 30:
            cluster.kill(M1)
        cluster.world.run(0.25)
        for name in filter(cluster.up, (M0, M1, M2)):
            assert cluster.ids(name) == ids_of(cluster.world[name].graph)
            seen.add((name, len(cluster.ids(name))))
    assert (M2, 0) in seen
    assert len(seen) > 100


def test_what_must_be_kept_is_what_was_acknowledged_and_not_given_up() -> None:
    """Asked again and again, also after a person gave some of it up."""
    cluster, _, _ = whole(writers=2)
    ledger = cluster.ledger
    for _ in range(3):
        cluster.world.run(1)
        assert ledger.kept == {ack.write for ack in ledger.acks} | ledger.by_hand
    given_up = ledger.give_up(frozenset(sorted(ledger.kept)[:7]))
    assert given_up > 7
    cluster.world.run(1)
    assert ledger.kept == {ack.write for ack in ledger.acks} | ledger.by_hand
    assert len(ledger.forgiven) == given_up


def test_who_does_not_lead_decides_once_a_second_and_takes_over_as_soon_as_ever() -> None:
    """It is woken by the fact that the lease is its own."""
    cluster, leader, other = whole()
    turns = other._turn
    cluster.world.run(10)
    assert other._turn - turns <= 20
    assert other.decision is not None
    assert other.decision.hold is Hold.NOT_LEADING
    leader.crash()
    took_s = cluster.world.run_until(lambda: other.leads, 30)
    assert took_s <= other.policy.lease_duration_s + other.policy.lease_renew_s
    cluster.world.run(0.1)
    assert other.decision.hold is not Hold.NOT_LEADING


def test_a_follower_that_stands_still_notices() -> None:
    """Longer than it meant to sleep, by more than the policy allows."""
    cluster, _, other = whole()
    other.pause()
    cluster.world.run(other.policy.tilt_gap_s + 1.2)
    other.resume()
    assert other.observed.gap_at_s is not None


def test_a_cluster_that_is_not_whole_is_given_so_long_and_no_longer() -> None:
    """And one that is, is told at once."""
    cluster, _, _ = whole()
    before_s = cluster.now
    assert becomes_whole(cluster, 5)
    assert cluster.now == before_s
    cluster.keep_down(M2)
    cluster.world.run(2)
    before_s = cluster.now
    assert not becomes_whole(cluster, 5)
    assert 5 <= cluster.now - before_s < 5.1
    cluster.let_up(M2)
    assert becomes_whole(cluster, 30)


def test_a_person_does_not_wait_for_ever_for_who_is_frozen() -> None:
    """The answer may come later; nobody relies on it."""
    cluster, leader, other = whole()
    leader.crash()
    other.crash()
    cluster.freeze(M0)
    before_s = cluster.now
    with pytest.raises(TimeoutError):
        cluster.hands.write(M0)
    assert cluster.now - before_s <= PATIENCE_S
    assert not cluster.ledger.by_hand

"""Gateways with bytes in flight, and clients that note what they were told."""

from memgraph_ha.core import Ask
from memgraph_ha.fakes.memgraph.virtual_net import Reach
from memgraph_ha.sim.world.passage import CLIENTS
from tests.sim.world.setting import M0, M1, M2, whole


def test_each_write_is_acknowledged_refused_or_in_doubt() -> None:
    """Through a failover: what was acknowledged is on the new MAIN, what is in doubt may be."""
    cluster, _, _ = whole(writers=3)
    cluster.world.run(1)
    cluster.freeze(M0)
    cluster.world.run(8)
    ledger = cluster.ledger
    acked = {ack.write for ack in ledger.acks}
    begun = sum(caller.task.number is not None for caller in cluster.clients.callers)  # type: ignore[attr-defined]
    assert len(acked) + len(ledger.refused) + len(ledger.indeterminate) + begun == ledger.writes
    assert len(ledger.indeterminate) == 3
    assert acked <= cluster.ids(M1) <= acked | ledger.indeterminate | set(range(ledger.writes - 3, ledger.writes + 1))


def test_a_client_asks_one_thing_at_a_time() -> None:
    """While a standby that hangs stalls every commit, nobody piles up writes."""
    cluster, _, _ = whole(writers=3)
    before = cluster.ledger.writes
    cluster.world.hosts[M1].frozen = True
    cluster.world.run(2)
    assert cluster.ledger.writes - before <= 6


def test_an_answer_in_the_buffers_of_a_paused_controller_is_not_relayed_after_its_permit() -> None:
    """Bytes that MAIN answered before the pause are read after it, and the clock is looked at first (design 7)."""
    cluster, leader, _ = whole(writers=3)
    cluster.world.run_until(lambda: leader.gateway.in_flight > 0, 5)
    leader.pause()
    cluster.world.run(2)
    assert leader.gateway.in_flight > 0
    cluster.world.run(20)
    before, doubts = len(cluster.acks), len(cluster.ledger.indeterminate)
    generations = {ack.permit.generation for ack in cluster.acks}
    leader.resume()
    cluster.world.run(0.05)
    assert {ack.permit.generation for ack in cluster.acks} == generations
    assert len(cluster.acks) >= before
    assert doubts > 0


def test_an_answer_in_the_buffers_of_a_briefly_paused_controller_is_relayed() -> None:
    """The same, while its permit holds: nothing is lost, and nothing is said twice."""
    cluster, leader, _ = whole(writers=3)
    cluster.world.run_until(lambda: leader.gateway.in_flight > 0, 5)
    leader.pause()
    cluster.world.run(0.5)
    before = len(cluster.acks)
    assert cluster.ledger.indeterminate == set()
    leader.resume()
    cluster.world.run(0.2)
    assert len(cluster.acks) > before
    assert cluster.ledger.indeterminate == set()


def test_what_is_on_its_way_to_main_arrives_though_the_gateway_is_shut() -> None:
    """It cannot be called back: the write is saved, and its client is not told so."""
    cluster, leader, _ = whole(writers=1)
    cluster.net.hold(leader.name, M0)
    cluster.world.run(0.3)
    leader.crash()
    cluster.world.run(0.1)
    (doubt,) = cluster.ledger.indeterminate
    cluster.net.release(leader.name, M0)
    cluster.world.run(0.5)
    assert doubt in cluster.ids(M0)
    assert doubt not in {ack.write for ack in cluster.acks}


def test_who_comes_while_the_gateway_waits_for_a_reign_is_held_and_served() -> None:
    """New connections are held, not refused (design 8)."""
    cluster, leader, _ = whole(writers=2)
    cluster.freeze(M0)
    cluster.world.run_until(lambda: bool(leader.gateway.held), 5)
    cluster.world.run_until(lambda: cluster.gates[leader.name] is not None, 5)
    before = len(cluster.acks)
    cluster.world.run(0.1)
    assert leader.gateway.held == []
    assert len(cluster.acks) > before


def test_a_quiet_moment_holds_new_transactions_back() -> None:
    """They go on when it is over; those that were open end by themselves."""
    cluster, leader, _ = whole(writers=3)
    leader.ask(Ask.SWITCHOVER, M1)
    cluster.world.run_until(lambda: leader.gateway.quiet, 5)
    before = cluster.ledger.writes
    cluster.world.run_until(lambda: not leader.gateway.quiet, 10)
    assert cluster.ledger.writes - before <= 3
    before = len(cluster.acks)
    cluster.world.run(1)
    assert len(cluster.acks) > before
    assert not cluster.ledger.indeterminate & cluster.ids(M1)


def test_a_long_transaction_commits_or_its_client_is_cut_off() -> None:
    """BEGIN, a write, a wait, COMMIT: across a failover the COMMIT cannot succeed."""
    cluster, _, _ = whole()
    kept = cluster.clients.long_transaction(2.0, 2)
    cluster.world.run(3)
    assert {ack.write for ack in cluster.acks} == set(kept.numbers)
    assert set(kept.numbers) <= cluster.ids(M0)
    lost = cluster.clients.long_transaction(20.0)
    cluster.world.run(1)
    cluster.keep_down(M0)
    cluster.world.run(10)
    assert set(lost.numbers) <= cluster.ledger.refused
    assert not set(lost.numbers) & cluster.ids(M1)


def test_readers_are_led_to_replicas_and_follow_them() -> None:
    """Never to MAIN; when their replica goes away they find another."""
    cluster, _, _ = whole(writers=1)
    readers = cluster.clients.readers(2, 0.1)
    cluster.world.run(2)
    assert all(reader.served > 10 for reader in readers)
    leads_to = {caller.passage.host.name for caller in cluster.clients.callers if caller.reads and caller.passage}
    assert leads_to == {M2}
    cluster.keep_down(M2)
    cluster.world.run(3)
    leads_to = {caller.passage.host.name for caller in cluster.clients.callers if caller.reads and caller.passage}
    assert leads_to == {M1}


def test_a_storm_of_clients_writes_once_each_and_leaves() -> None:
    """All of them are served, and the reign goes on."""
    cluster, _, _ = whole()
    cluster.clients.storm(200)
    cluster.world.run(5)
    assert len(cluster.acks) == 200
    assert len(cluster.store.history[-1].history) == 1
    assert all(caller.gone for caller in cluster.clients.callers)


def test_clients_that_cannot_reach_a_gateway_try_until_they_can() -> None:
    """A black hole and a refusal; nobody takes that for a failure of MAIN."""
    for how in (Reach.BLACK_HOLE, Reach.REFUSED):
        cluster, leader, _ = whole(writers=2)
        cluster.net.cut(CLIENTS, leader.name, how)
        cluster.world.run(12)
        stalled = len(cluster.acks)
        cluster.world.run(3)
        assert len(cluster.acks) == stalled
        cluster.net.heal(CLIENTS, leader.name)
        cluster.world.run(12)
        assert len(cluster.acks) > stalled
        assert len(cluster.store.history[-1].history) == 1


def test_calm_clients_write_nothing() -> None:
    """And go on when they are not to be calm any more."""
    cluster, _, _ = whole(writers=2)
    cluster.calm = True
    cluster.world.run(1)
    written = cluster.ledger.writes
    cluster.world.run(2)
    assert cluster.ledger.writes == written
    cluster.calm = False
    cluster.world.run(1)
    assert cluster.ledger.writes > written


def test_clients_that_were_released_together_do_not_stay_in_step() -> None:
    """In step, each commit would meet the ASYNC row still replicating the one before it (semantics 2.10)."""
    cluster, _, _ = whole(writers=2)
    cluster.keep_down(M0)
    cluster.world.run(3)
    cluster.let_up(M0)
    cluster.world.run(3)
    states = []
    for _ in range(100):
        cluster.world.run(0.05)
        states.append(next(row.state.value for row in cluster.world[M1].rows.values() if row.host == M2))
    assert states.count("invalid") < 25

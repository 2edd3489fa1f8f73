"""The adapter against three real `memgraph-ha-fake` processes: commands, proofs, and processes that die or freeze."""

import itertools
import signal
from collections.abc import AsyncIterator
from pathlib import Path

import neo4j
import pytest
import trio
from attrs import evolve

from memgraph_ha.adapters.memgraph import MemgraphDatabase
from memgraph_ha.core.commands import CommitNoop, Demote, Promote
from memgraph_ha.core.facts import Miss, NoopSeen, Outcome, ProbeMissed, RoleSeen, RowsSeen, StorageSeen
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import InstanceName, RowName, RunId
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.record import Standby
from memgraph_ha.core.topology import Mode, Role, RowStatus
from tests.adapters import memgraph_rig as rig
from tests.adapters.memgraph_cluster import Cluster, following
from tests.free_port import free_port

pytestmark = pytest.mark.trio


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """Three fresh instances, all REPLICA, followed and seen."""
    async with following(tmp_path, "a", "b", "c", policy=Policy(command_deadline_s=3)) as made:
        yield made


def write(port: int, query: str) -> None:
    """Run one query as a client would."""
    with neo4j.GraphDatabase.driver(f"bolt://127.0.0.1:{port}") as driver, driver.session() as session:
        session.run(neo4j.Query(query)).consume()


async def test_promote_then_promote_again(cluster: Cluster) -> None:
    """The first makes it MAIN and says so; the second finds it done."""
    command = await cluster.promote("a")
    await cluster.done(command)
    assert Role.MAIN in [fact.role for fact in cluster.sink.of(RoleSeen, "a")]
    assert cluster.sink.of(RowsSeen, "a")
    await cluster.done(command)
    assert (await cluster.role("a")).role is Role.MAIN


async def test_demote_then_demote_again(cluster: Cluster) -> None:
    """Back to REPLICA with its port open again."""
    await cluster.done(await cluster.promote("a"))
    command = Demote(
        instance=InstanceName("a"), run=await cluster.run("a"), generation=1, port=cluster["a"].replication
    )
    await cluster.done(command)
    await cluster.done(command)
    assert (await cluster.role("a")).role is Role.REPLICA


async def test_a_guard_that_does_not_hold_changes_nothing(cluster: Cluster) -> None:
    """Another run: refused, and the role is what it was."""
    command = Promote(instance=InstanceName("a"), run=await cluster.run("b"), generation=1)
    assert (await cluster.execute(command)).outcome is Outcome.REFUSED
    assert (await cluster.role("a")).role is Role.REPLICA


async def test_register_proves_and_drops(cluster: Cluster) -> None:
    """The whole way of a standby: registered, proven by a no-op, dropped."""
    await cluster.pair()
    proof = await cluster.noop("a", "b")
    await cluster.done(proof)
    [noop] = [fact for fact in cluster.sink.of(NoopSeen) if fact.witness is not None]
    run = await cluster.run("b")
    assert noop.witness == Standby(instance=InstanceName("b"), run=run, row=RowName("b_1"))
    [row] = await cluster.rows("a")
    assert (row.mode, row.status, row.ts) == (Mode.STRICT_SYNC, RowStatus.READY, noop.row_ts)
    ended = await cluster.execute(await cluster.drop("a", "b", RowStatus.INVALID))
    assert ended.outcome is Outcome.REFUSED
    assert len(await cluster.rows("a")) == 1
    await cluster.done(await cluster.drop("a", "b", RowStatus.READY))
    assert await cluster.rows("a") == ()
    await cluster.done(await cluster.drop("a", "b", RowStatus.READY))


async def test_a_foreign_write_between_proofs_moves_the_row(cluster: Cluster) -> None:
    """After somebody's write the row has moved past what the last proof covers; the next proof covers it."""
    await cluster.pair()
    await cluster.done(await cluster.noop("a", "b"))
    covered = cluster.sink.of(NoopSeen)[-1].row_ts
    assert covered is not None
    await trio.to_thread.run_sync(write, cluster["a"].bolt, "CREATE (:Acknowledged)")
    [row] = await cluster.rows("a")
    assert row.ts is not None
    assert row.ts > covered
    await cluster.done(await cluster.noop("a", "b"))
    again = cluster.sink.of(NoopSeen)[-1].row_ts
    assert again is not None
    assert again >= row.ts


async def test_a_standby_that_became_main_refuses_the_proof(cluster: Cluster) -> None:
    """Its Prepare is refused: STRICT_SYNC aborts the no-op, and nobody is proven."""
    await cluster.pair()
    proof = await cluster.noop("a", "b")
    await cluster.done(await cluster.promote("b"))
    ended = await cluster.execute(proof)
    assert (ended.outcome, ended.error) == (Outcome.REFUSED, ErrorClass.ABORTED)
    noop = cluster.sink.of(NoopSeen)[-1]
    assert (noop.outcome, noop.witness) == (Outcome.REFUSED, None)


async def test_an_async_row_is_no_witness(cluster: Cluster) -> None:
    """Its acknowledgement is not waited for."""
    await cluster.pair(Mode.ASYNC)
    await cluster.done(await cluster.noop("a", "b"))
    assert cluster.sink.of(NoopSeen)[-1].witness is None


async def test_no_proof_from_a_replica(cluster: Cluster) -> None:
    """A no-op needs a MAIN."""
    command = CommitNoop(
        instance=InstanceName("a"), run=await cluster.run("a"), generation=1, standby=None, row=None, database_uuid=""
    )
    assert (await cluster.execute(command)).outcome is Outcome.NOT_SENT


async def test_register_asks_the_replica_first(cluster: Cluster) -> None:
    """Another run, a MAIN, or foreign data: refused, and MAIN has no row."""
    await cluster.done(await cluster.promote("a"))
    fine = await cluster.register("a", "b")
    assert (await cluster.execute(evolve(fine, replica_run=RunId("another")))).outcome is Outcome.REFUSED
    await cluster.done(await cluster.promote("b"))
    assert "role main" in (await cluster.execute(fine)).detail
    await trio.to_thread.run_sync(write, cluster["b"].bolt, "CREATE (:Foreign)")
    demote = Demote(instance=InstanceName("b"), run=fine.replica_run, generation=1, port=cluster["b"].replication)
    await cluster.done(demote)
    assert "data set" in (await cluster.execute(fine)).detail
    assert await cluster.rows("a") == ()


async def test_register_at_a_dead_port_leaves_a_half_row_that_is_seen(cluster: Cluster) -> None:
    """``Error: 5`` and a row ``{}``, then ``Error: 1``, then DROP, then fine (transcripts Summary)."""
    await cluster.done(await cluster.promote("a"))
    fine = await cluster.register("a", "b")
    wrong = evolve(fine, address=rig.member("b", 1, free_port()).replication)
    ended = await cluster.execute(wrong)
    assert (ended.outcome, ended.error) == (Outcome.REFUSED, ErrorClass.NOT_ACCEPTING)
    assert [row.status for row in cluster.sink.of(RowsSeen, "a")[-1].rows] == [RowStatus.HALF]
    again = await cluster.execute(fine)
    assert (again.outcome, again.error) == (Outcome.REFUSED, ErrorClass.NAME_EXISTS)
    drop = evolve(await cluster.drop("a", "b", RowStatus.HALF), address=wrong.address)
    await cluster.done(drop)
    await cluster.done(fine)


async def test_register_of_a_dead_or_frozen_replica_is_not_sent(cluster: Cluster) -> None:
    """Neither of them costs MAIN its locks."""
    await cluster.done(await cluster.promote("a"))
    of_b, of_c = await cluster.register("a", "b"), await cluster.register("a", "c")
    cluster["b"].kill()
    assert (await cluster.execute(of_b)).outcome is Outcome.NOT_SENT
    cluster["c"].signal(signal.SIGSTOP)
    assert (await cluster.execute(of_c)).outcome is Outcome.NOT_SENT
    assert await cluster.rows("a") == ()


async def test_a_proof_with_a_frozen_standby_is_not_sent_and_main_goes_on(cluster: Cluster) -> None:
    """Reads on MAIN would hang for 30 s behind the commit; so there is none."""
    await cluster.pair()
    proof = await cluster.noop("a", "b")
    cluster["b"].signal(signal.SIGSTOP)
    assert (await cluster.execute(proof)).outcome is Outcome.NOT_SENT
    with trio.fail_after(1):
        assert (await cluster.storage("a")).run == proof.run


async def test_a_commit_that_stalls_is_unknown_and_probes_tell_that_main_lives(cluster: Cluster) -> None:
    """Another STRICT_SYNC replica is frozen: the no-op hangs, SHOW REPLICATION ROLE does not (transcripts Q4)."""
    await cluster.pair()
    await cluster.done(await cluster.register("a", "c"))
    await cluster.until_ready("a", "c")
    proof = await cluster.noop("a", "b")
    cluster["c"].signal(signal.SIGSTOP)
    mark = len(cluster.sink.facts)
    assert (await cluster.execute(proof)).outcome is Outcome.UNKNOWN
    seen = [fact for fact in cluster.sink.of(RoleSeen, "a") if fact in cluster.sink.facts[mark:]]
    assert len(seen) > 5
    assert not [fact for fact in cluster.sink.of(ProbeMissed, "a") if fact in cluster.sink.facts[mark:]]


async def test_busy_locks_are_waited_for(cluster: Cluster) -> None:
    """While a commit stalls REGISTER is refused with ``Error: 6``; it is retried until the stall ends."""
    await cluster.pair()
    register = await cluster.register("a", "c")
    cluster["b"].signal(signal.SIGSTOP)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, write, cluster["a"].bolt, "CREATE (:Stalled)")
        await trio.sleep(0.3)
        nursery.start_soon(_thaw, cluster, "b", 1.0)
        await cluster.done(register)


async def _thaw(cluster: Cluster, name: str, after_s: float) -> None:
    await trio.sleep(after_s)
    cluster[name].signal(signal.SIGCONT)


async def test_main_killed_in_the_middle_of_a_command(cluster: Cluster) -> None:
    """Nobody can say whether it was done; the end comes with the process, not with the deadline."""
    await cluster.pair()
    await cluster.done(await cluster.register("a", "c"))
    await cluster.until_ready("a", "c")
    proof = await cluster.noop("a", "b")
    cluster["c"].signal(signal.SIGSTOP)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(_kill_later, cluster, "a", 0.5)
        began_s = trio.current_time()
        assert (await cluster.execute(proof)).outcome is Outcome.UNKNOWN
        assert trio.current_time() - began_s < 1.5


async def _kill_later(cluster: Cluster, name: str, after_s: float) -> None:
    await trio.sleep(after_s)
    cluster[name].kill()


async def test_main_frozen_in_the_middle_of_a_role_command(cluster: Cluster) -> None:
    """Frozen between guard and answer or before: never DONE, never later than the deadline."""
    command = await cluster.promote("a")
    cluster["a"].signal(signal.SIGSTOP)
    assert (await cluster.execute(command)).outcome in (Outcome.NOT_SENT, Outcome.UNKNOWN)


async def test_a_killed_instance_is_refused_twice_in_a_row(cluster: Cluster) -> None:
    """Its idle connection ends with it: both refusals come long before the next probe was due."""
    mark, killed_s = len(cluster.sink.facts), rig.boottime_s()
    cluster["c"].kill()
    first = await cluster.sink.next(ProbeMissed, "c", after=mark)
    second = await cluster.sink.next(ProbeMissed, "c", after=mark, that=lambda fact: fact is not first)
    assert first.miss is second.miss is Miss.REFUSED
    assert second.asked_at_s - first.asked_at_s >= 0.05
    assert second.at_s - killed_s < 0.4


async def test_a_restarted_instance_is_another_run_with_the_same_data(cluster: Cluster) -> None:
    """The run changes with every process; the data set does not."""
    before = await cluster.storage("b")
    cluster["b"].kill()
    await trio.to_thread.run_sync(cluster["b"].start)
    cluster.follow()
    after = await cluster.sink.next(StorageSeen, "b", after=len(cluster.sink.facts))
    assert after.run != before.run
    assert after.uuid == before.uuid


async def test_a_frozen_instance_times_out_and_delays_nobody(cluster: Cluster) -> None:
    """Four time-outs in about two seconds; the others answer at their pace."""
    mark, frozen_s = len(cluster.sink.facts), rig.boottime_s()
    cluster["b"].signal(signal.SIGSTOP)
    misses = 0
    while misses < Policy().frozen_count:
        missed = await cluster.sink.next(ProbeMissed, "b", after=mark)
        assert (missed.miss, missed.excused) == (Miss.TIMED_OUT, False)
        mark, misses = cluster.sink.facts.index(missed) + 1, misses + 1
    assert rig.boottime_s() - frozen_s < 3
    asked = [fact.asked_at_s for fact in cluster.sink.of(RoleSeen, "a") if fact.asked_at_s > frozen_s]
    assert max(later - sooner for sooner, later in itertools.pairwise(asked)) < 0.6
    cluster["b"].signal(signal.SIGCONT)
    await cluster.sink.next(RoleSeen, "b", after=mark)


async def test_a_hundred_freezes_leak_nothing(tmp_path: Path) -> None:
    """Threads and sockets are what they were (issue: 100 SIGSTOP/SIGCONT rounds)."""
    policy = Policy(probe_interval_s=0.02, probe_timeout_s=0.05)
    async with following(tmp_path, "a", policy=policy) as cluster:
        await cluster.role("a")
        sockets = rig.sockets_of_ours()
        threads = rig.threads_of_ours()
        for _ in range(100):
            mark = len(cluster.sink.facts)
            cluster["a"].signal(signal.SIGSTOP)
            await cluster.sink.next(ProbeMissed, "a", after=mark)
            cluster["a"].signal(signal.SIGCONT)
            await cluster.sink.next(RoleSeen, "a", after=len(cluster.sink.facts))
        assert await rig.settle(rig.sockets_of_ours, sockets, within_s=5) <= sockets
        assert await rig.settle(rig.threads_of_ours, threads, within_s=15) <= threads


async def test_users_are_logged_in(tmp_path: Path) -> None:
    """With users defined the password is needed, and a wrong one is told apart from death."""
    async with following(tmp_path, "a", user=("admin", "secret")) as cluster:
        await cluster.done(await cluster.promote("a"))
        await cluster.done(await cluster.noop("a"))
        stranger, sink = MemgraphDatabase(Policy(), auth=("admin", "wrong"), clock=rig.boottime_s), rig.Sink()
        stranger.follow((cluster["a"].member,))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(stranger.watch, sink)
            await sink.next(ProbeMissed, "a", that=lambda fact: fact.miss is Miss.UNAUTHORISED)
            assert not sink.of(RoleSeen)
            nursery.cancel_scope.cancel()

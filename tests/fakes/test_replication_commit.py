"""Commits on MAIN and what the replicas' state does to them (transcripts, table of writes, Q4, Q17, Q18, Q21)."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.rpc import FinalizeCommit, PrepareCommit, Request
from memgraph_ha.fakes.memgraph.settings import Settings
from memgraph_ha.fakes.memgraph.virtual import World
from memgraph_ha.fakes.memgraph.virtual_net import Reach
from tests.fakes.virtual_helpers import (
    NOOP,
    STRICT_SYNC_FAILED,
    SYNC_FAILED,
    begin_with,
    commit,
    count,
    promote,
    refusal,
    register,
    row,
    status,
    until_status,
)


@pytest.mark.parametrize("mode", ["SYNC", "STRICT_SYNC", "ASYNC"])
def test_commit_reaches_a_healthy_replica(world: World, mode: str) -> None:
    """A write on MAIN is on the replica, at once unless ASYNC; the row is level (raw recording e)."""
    register(world, "a", "b", mode)
    world.ask("a", "CREATE (:N {i: 1})")
    world.run(0.01 if mode == "ASYNC" else 0.0)
    assert world.ask("b", "MATCH (n:N) RETURN n.i") == [[1]]
    world.run(0.01)
    assert row(world, "a", "b") == {"ts": 2, "behind": 0, "status": "ready"}


def test_timestamps_advance_as_recorded(world: World) -> None:
    """`ts` is 2 after one write and 4 after two; `behind` counts in these units (raw recording e)."""
    register(world, "a", "b", "SYNC")
    world.ask("a", "CREATE (:A)")
    world.ask("a", "UNWIND range(1, 100) AS i CREATE (:A)")
    assert row(world, "a", "b")["ts"] == 4


def test_sync_write_with_a_dead_replica_is_committed_although_it_errors(world: World) -> None:
    """SYNC with a dead replica: a TransientError in milliseconds, the write is there (table of writes)."""
    register(world, "a", "b", "SYNC")
    world.kill("b")
    ticket = world.send("a", "CREATE (:W)")
    with pytest.raises(MemgraphError) as caught:
        world.outcome(ticket)
    assert caught.value.message == SYNC_FAILED
    assert caught.value.code == "Memgraph.TransientError.MemgraphError.MemgraphError"
    assert ticket.took_s < 0.01
    assert count(world, "a", "W") == 1
    world.start("b")
    assert until_status(world, "a", "b", "ready") < 1.1
    assert count(world, "b", "W") == 1


def test_strict_sync_write_with_a_dead_replica_is_rolled_back(world: World) -> None:
    """STRICT_SYNC with a dead replica: a TransientError, nothing anywhere (table of writes)."""
    register(world, "a", "b")
    world.kill("b")
    assert refusal(world, "a", "CREATE (:W)").message == STRICT_SYNC_FAILED
    assert count(world, "a", "W") == 0


def test_async_write_does_not_care(world: World) -> None:
    """ASYNC with a dead or frozen replica: ok (table of writes)."""
    register(world, "a", "b", "ASYNC")
    world.freeze("b")
    world.ask("a", "CREATE (:W)")
    world.kill("b")
    world.ask("a", "CREATE (:W)")
    assert count(world, "a", "W") == 2


def test_failure_at_commit_of_an_explicit_transaction_is_a_client_error(world: World) -> None:
    """The same failure from COMMIT is a ClientError, so drivers do not retry it (transcripts summary)."""
    register(world, "a", "b", "SYNC")
    world.kill("b")
    session = world.session("a")
    world.outcome(world.perform("a", begin_with(session, "CREATE (:T)")))
    with pytest.raises(MemgraphError) as caught:
        world.outcome(world.perform("a", commit(session)))
    assert caught.value.code == "Memgraph.ClientError.MemgraphError.MemgraphError"
    assert caught.value.message == SYNC_FAILED
    assert count(world, "a", "T") == 1


def test_frozen_strict_sync_replica_stalls_reads_but_not_the_role(world: World) -> None:
    """For 30 s RETURN 1 waits with the write, SHOW REPLICATION ROLE and SHOW REPLICAS answer (Q4)."""
    register(world, "a", "b")
    world.freeze("b")
    write = world.send("a", "CREATE (:W)")
    world.run(1.0)
    read = world.send("a", "RETURN 1")
    for query in ("SHOW REPLICATION ROLE", "SHOW REPLICAS", "SHOW VERSION", "SHOW TRANSACTIONS", "SHOW CONFIG"):
        ticket = world.send("a", query)
        world.outcome(ticket)
        assert ticket.took_s < 0.01, query
    assert status(world, "a", "b") == "replicating"
    with pytest.raises(MemgraphError, match=STRICT_SYNC_FAILED):
        world.outcome(write)
    assert write.took_s == pytest.approx(30.0, abs=0.01)
    assert world.outcome(read) == [[1]]
    assert count(world, "a", "W") == 0


def test_storage_info_waits_only_when_the_workers_are_all_blocked(world: World) -> None:
    """SHOW STORAGE INFO answers during a stall until as many queries as workers are stuck (Q4)."""
    register(world, "a", "b")
    world.freeze("b")
    world.send("a", "CREATE (:W)")
    world.run(1.0)
    free = world.send("a", "SHOW STORAGE INFO")
    world.outcome(free)
    assert free.took_s < 0.01
    world.send("a", "RETURN 1")
    stuck = world.send("a", "SHOW STORAGE INFO")
    world.run(5.0)
    assert not stuck.done


def test_killing_the_frozen_replica_frees_the_writer_at_once(world: World) -> None:
    """The write ends the same moment, with its error; DROP then works and writes succeed (Q4, 14 of 14)."""
    register(world, "a", "b")
    world.freeze("b")
    write = world.send("a", "CREATE (:W)")
    world.run(2.0)
    assert "lack of unique access" in refusal(world, "a", "DROP REPLICA b").message
    world.kill("b")
    with pytest.raises(MemgraphError, match=STRICT_SYNC_FAILED):
        world.outcome(write)
    assert write.took_s == pytest.approx(2.0, abs=0.01)
    world.ask("a", "DROP REPLICA b")
    world.ask("a", "CREATE (:W)")


def test_thawed_replica_lets_the_write_succeed_late(world: World) -> None:
    """SIGCONT after 5 s: the write succeeds at 5 s (Q4, 5 of 5)."""
    register(world, "a", "b")
    world.freeze("b")
    write = world.send("a", "CREATE (:W)")
    world.run(5.0)
    world.thaw("b")
    world.outcome(write)
    assert write.took_s == pytest.approx(5.0, abs=0.01)
    assert count(world, "b", "W") == 1


def test_write_eight_seconds_after_the_freeze_waits_for_the_pings_too(world: World) -> None:
    """Eight seconds after the stop the write takes 38 s: the pings have the connection (table of writes)."""
    register(world, "a", "b")
    world.run(0.99)
    world.freeze("b")
    world.run(8.0)
    write = world.send("a", "CREATE (:W)")
    with pytest.raises(MemgraphError, match=STRICT_SYNC_FAILED):
        world.outcome(write)
    assert write.took_s == pytest.approx(37.0, abs=1.0)


def test_unreachable_replica_costs_the_connect_timeout(world: World) -> None:
    """A black hole costs the 5 s of the connect, then STRICT_SYNC aborts (semantics 3.2)."""
    register(world, "a", "b")
    world.cut("a", "b", Reach.REFUSED)
    world.cut("a", "b", Reach.BLACK_HOLE)
    write = world.send("a", "CREATE (:W)")
    with pytest.raises(MemgraphError, match=STRICT_SYNC_FAILED):
        world.outcome(write)
    assert write.took_s == pytest.approx(5.0, abs=0.01)


def test_sync_beside_strict_sync_gets_nothing(world: World) -> None:
    """Both register, the write is acknowledged, and the SYNC replica does not have it (transcripts, Mixing)."""
    register(world, "a", "b", "SYNC")
    register(world, "a", "c", "STRICT_SYNC")
    world.ask("a", "CREATE (:M)")
    assert (count(world, "b"), count(world, "c")) == (0, 1)


def test_lost_finalize_is_acknowledged_and_the_standby_lacks_it(world: World) -> None:
    """MAIN does not look whether Finalize arrived: acknowledged, `ready`, `behind 0`, and not on b (Q17, Q18)."""
    register(world, "a", "b")
    world.lose = _every(FinalizeCommit)
    world.ask("a", "CREATE (:W)")
    world.lose = _every(type(None))
    assert row(world, "a", "b") == {"ts": 2, "behind": 0, "status": "ready"}
    world.run(3.0)
    assert status(world, "a", "b") == "ready"
    assert count(world, "b") == 0
    world.kill("a")
    promote(world, "b")
    assert count(world, "b") == 0


def test_noop_after_a_lost_finalize_is_refused_and_starts_the_repair(world: World) -> None:
    """The first no-op is refused, which repairs; an acknowledged one proves that b has everything (Q18)."""
    register(world, "a", "b")
    world.lose = _every(FinalizeCommit)
    world.ask("a", "CREATE (:W)")
    world.lose = _every(type(None))
    world.run(1.5)
    assert refusal(world, "a", NOOP).message == STRICT_SYNC_FAILED
    assert until_status(world, "a", "b", "ready") < 1.1
    world.ask("a", NOOP)
    assert count(world, "b", "W") == 1


def test_standby_that_restarts_after_a_lost_finalize_lacks_the_write(world: World) -> None:
    """The prepared record in its log has no verdict, so it does not count after a restart (semantics 3.4)."""
    register(world, "a", "b")
    world.lose = _every(FinalizeCommit)
    world.ask("a", "CREATE (:W)")
    world.kill("a")
    world.kill("b")
    world.start("b")
    promote(world, "b")
    assert count(world, "b") == 0


def test_lost_prepare_aborts_on_both_sides(world: World) -> None:
    """A Prepare that does not arrive aborts the transaction (Q17: "cut at Prepare: nothing acknowledged")."""
    register(world, "a", "b")
    world.lose = _every(PrepareCommit)
    assert refusal(world, "a", "CREATE (:W)").message == STRICT_SYNC_FAILED
    assert (count(world, "a"), count(world, "b")) == (0, 0)


def test_noop_is_logged_and_a_write_that_matches_nothing_is_not(world: World) -> None:
    """The no-op moves `ts`, `MATCH (n:Nope) SET` does not (Q3)."""
    register(world, "a", "b")
    world.ask("a", "MATCH (n:Nope) SET n.x = 1")
    assert row(world, "a", "b")["ts"] == 0
    world.ask("a", NOOP)
    assert row(world, "a", "b")["ts"] > 0


def test_without_wal_nothing_is_replicated() -> None:
    """The bare binary has WAL off, and then nothing is replicated though the row looks alive (semantics 3.1)."""
    world = World()
    world.start("a", Settings(wal_enabled=False))
    world.start("b")
    world.ask("b", "SET REPLICATION ROLE TO REPLICA WITH PORT 10000")
    register(world, "a", "b")
    world.ask("a", "CREATE (:W)")
    assert (count(world, "a"), count(world, "b")) == (1, 0)


def test_analytical_mode_hides_writes_from_replicas_for_ever(world: World) -> None:
    """In analytical mode the row is `{}` and writes stay here; afterwards everything looks level (Q21)."""
    register(world, "a", "b")
    world.ask("a", "STORAGE MODE IN_MEMORY_ANALYTICAL")
    assert row(world, "a", "b") == {}
    world.ask("a", "CREATE (:Lost)")
    world.ask("a", NOOP)
    world.ask("a", "STORAGE MODE IN_MEMORY_TRANSACTIONAL")
    world.ask("a", NOOP)
    assert (status(world, "a", "b"), row(world, "a", "b")["behind"]) == ("ready", 0)
    assert (count(world, "a", "Lost"), count(world, "b", "Lost")) == (1, 0)
    world.kill("a")
    world.start("a")
    assert count(world, "a", "Lost") == 0


def test_existence_constraint_stays_after_an_abort_and_an_index_does_not(world: World) -> None:
    """STRICT_SYNC with a dead replica: CREATE INDEX is undone, ASSERT EXISTS stays on MAIN (raw, DDL)."""
    register(world, "a", "b")
    world.kill("b")
    assert refusal(world, "a", "CREATE INDEX ON :N(i)").message == STRICT_SYNC_FAILED
    assert refusal(world, "a", "CREATE CONSTRAINT ON (n:N) ASSERT EXISTS (n.i)").message == STRICT_SYNC_FAILED
    assert world.ask("a", "SHOW INDEX INFO") == []
    assert len(world.ask("a", "SHOW CONSTRAINT INFO")) == 1


def test_triggers_are_not_replicated(world: World) -> None:
    """CREATE TRIGGER succeeds with a dead STRICT_SYNC replica, and the replica has none (Q21)."""
    register(world, "a", "b")
    world.ask("a", "CREATE TRIGGER t ON CREATE AFTER COMMIT EXECUTE CREATE (:T)")
    assert [each[0] for each in world.ask("a", "SHOW TRIGGERS")] == ["t"]
    assert world.ask("b", "SHOW TRIGGERS") == []
    world.kill("a")
    world.start("a")
    assert [each[0] for each in world.ask("a", "SHOW TRIGGERS")] == ["t"]


def test_full_disk_fails_the_commit_and_loses_nothing(world: World) -> None:
    """A commit that the disk does not take is an error; what was acknowledged before stays (issue, Bad input)."""
    register(world, "a", "b")
    world.ask("a", "CREATE (:Kept)")
    world.hosts["a"].disk_full = True
    error = refusal(world, "a", "CREATE (:W)")
    assert "No space left on device" in error.message
    assert (count(world, "a", "W"), count(world, "b", "W")) == (0, 0)
    world.hosts["a"].disk_full = False
    world.ask("a", "CREATE (:W)")
    assert (count(world, "a"), count(world, "b")) == (2, 2)


def test_disk_that_fills_once_all_have_prepared_blocks_no_later_commit(world: World) -> None:
    """There is no way back then: the client is told that it cannot be told, and the next commit is as any other."""
    register(world, "a", "b")

    def fill(_source: str, _target: str, request: Request) -> bool:
        if isinstance(request, PrepareCommit):
            world.hosts["a"].disk_full = True  # the replica prepares meanwhile
        return False

    world.lose = fill
    assert "No space left on device" in refusal(world, "a", "CREATE (:W)").message
    world.lose = lambda _source, _target, _request: False
    world.hosts["a"].disk_full = False
    assert (count(world, "a", "W"), count(world, "b", "W")) == (1, 1)
    world.ask("a", "CREATE (:W)")
    assert (count(world, "a", "W"), count(world, "b", "W")) == (2, 2)


def test_full_disk_of_a_standby_aborts_the_commit(world: World) -> None:
    """A STRICT_SYNC standby that cannot log refuses to prepare (semantics 3.4)."""
    register(world, "a", "b")
    world.hosts["b"].disk_full = True
    assert refusal(world, "a", "CREATE (:W)").message == STRICT_SYNC_FAILED
    world.hosts["b"].disk_full = False
    until_status(world, "a", "b", "ready")
    world.ask("a", "CREATE (:W)")
    assert count(world, "b", "W") == 1


@pytest.mark.parametrize(
    ("version", "code", "text"),
    [
        ("3.6.1", "Memgraph.TransientError.MemgraphError.MemgraphError", SYNC_FAILED),
        ("3.8.0", "Memgraph.ClientError.MemgraphError.MemgraphError", SYNC_FAILED),
        (
            "3.10.0",
            "Memgraph.ClientError.MemgraphError.MemgraphError",
            (
                "Failed to replicate to SYNC replica 'b': replica is not reachable or not in sync with the main."
                " Replica will be recovered automatically. Transaction is still committed on the main instance and"
                " other alive replicas."
            ),
        ),
    ],
)
def test_commit_errors_by_version(version: str, code: str, text: str) -> None:
    """Code and text of an unconfirmed commit changed in 3.8 and 3.10 (semantics 3.3)."""
    world = World()
    for name in "ab":
        world.start(name, Settings(version=version))
    world.ask("b", "SET REPLICATION ROLE TO REPLICA WITH PORT 10000")
    register(world, "a", "b", "SYNC")
    world.kill("b")
    until_status(world, "a", "b", "invalid")
    error = refusal(world, "a", "CREATE (:W)")
    assert (error.code, error.message) == (code, text)


def _every(kind: type[object]) -> Callable[[str, str, Request], bool]:
    return lambda _source, _target, request: isinstance(request, kind)


def test_commit_whose_client_is_gone_while_it_waits_for_a_worker_does_nothing(world: World) -> None:
    """The end of the connection aborted its transaction: there is nothing to commit, and nobody to tell."""
    register(world, "a", "b")
    session = world.session("a")
    world.outcome(world.perform("a", begin_with(session, "CREATE (:W)")))
    workers = world.hosts["a"].workers
    seats = [workers.take(express=False) for _ in range(workers.free)]
    waiting = world.perform("a", commit(session))
    world.run(0.1)
    session.abort()
    for seat in seats:
        assert seat is not None
        workers.give_back(seat)
    assert world.outcome(waiting) == []
    assert count(world, "a", "W") == 0
    world.ask("a", "CREATE (:W)")
    assert count(world, "b", "W") == 1

"""Replication between real processes over TCP: kill, freeze, wipe, diverge, cut (issue, part 3)."""

from __future__ import annotations

import shutil
import signal
import threading
import time

import neo4j
import pytest
from neo4j.exceptions import ClientError, Neo4jError, TransientError

from tests.fakes.cutting_proxy import CuttingProxy
from tests.fakes.processes import HOST, Fake, Processes

NOOP = "CREATE (n:X) DELETE n"
COUNT = "MATCH (n) RETURN count(n)"
# Memgraph's own 5, 10 and 30 s become 0.25, 0.5 and 1.5 s.
SHORT = "--fake-time-scale=0.05"


def test_failover_by_hand_loses_nothing(processes: Processes) -> None:
    """Kill MAIN under load, promote the standby, take the old MAIN back: all acknowledged is everywhere (Q9)."""
    main, standby, reader = processes.cluster({"b": "STRICT_SYNC", "c": "ASYNC"}, "--fake-hazards=never")
    acknowledged = _write_until_killed(main, writers=4, seconds=1.0)
    assert len(acknowledged) > 20
    standby.query("SET REPLICATION ROLE TO MAIN")
    standby.query(NOOP)
    have = {row[0] for row in standby.query("MATCH (n:N) RETURN n.id")}
    assert acknowledged <= have
    standby.register(reader, "ASYNC")
    main.start(main.init_file())
    assert main.query("SHOW REPLICATION ROLE") == [["replica"]]
    _register_unless_diverged(standby, main)
    standby.until_status("c", "ready")
    standby.query("CREATE (:After)")
    total = standby.query(COUNT)
    main.until(COUNT, total)
    reader.until(COUNT, total)


def test_standby_killed_and_back(processes: Processes) -> None:
    """With the standby dead writes abort; once it is back it recovers by itself and they go through."""
    main, standby = processes.cluster({"b": "STRICT_SYNC"})
    main.query("CREATE (:N)")
    standby.kill()
    with pytest.raises(TransientError, match="STRICT_SYNC replica has not confirmed"):
        main.query("CREATE (:N)")
    main.until_status("b", "invalid")
    standby.start()
    main.until_status("b", "ready")
    main.query("CREATE (:N)")
    assert standby.query(COUNT) == main.query(COUNT) == [[2]]


def test_frozen_standby_stalls_reads_until_it_is_killed(processes: Processes) -> None:
    """RETURN 1 waits with the stalled write, SHOW REPLICATION ROLE does not; a kill frees both (Q4)."""
    main, standby = processes.cluster({"b": "STRICT_SYNC"})
    standby.send(signal.SIGSTOP)
    ended: list[str] = []
    threads = [threading.Thread(target=_note, args=(main, query, ended)) for query in ("CREATE (:W)", "RETURN 1")]
    threads[0].start()
    main.until("SHOW REPLICATION ROLE", [["main"]])
    main.until_status("b", "replicating")
    threads[1].start()
    before = time.monotonic()
    for _ in range(20):
        assert main.query("SHOW REPLICATION ROLE") == [["main"]]
    assert time.monotonic() - before < 5
    assert ended == []
    standby.kill()
    for thread in threads:
        thread.join(20)
    assert sorted(ended) == ["CREATE (:W): TransientError", "RETURN 1: ok"]


def test_frozen_standby_without_help_times_out(processes: Processes) -> None:
    """Nobody helps: after the commit timeout the write aborts, later ones at once, and SIGCONT heals it (Q4)."""
    main, standby = processes.cluster({"b": "STRICT_SYNC"}, SHORT)
    standby.send(signal.SIGSTOP)
    before = time.monotonic()
    with pytest.raises(TransientError, match="STRICT_SYNC"):
        main.query("CREATE (:W)")
    assert 1.0 < time.monotonic() - before < 10.0
    assert main.status("b") == "invalid"
    standby.send(signal.SIGCONT)
    main.until_status("b", "ready")
    main.query("CREATE (:W)")
    assert standby.query("MATCH (n:W) RETURN count(n)") == [[1]]


def test_wiped_replica_is_filled_in_parts(processes: Processes) -> None:
    """An empty replica gets a copy and the log, and holds them after kill -9 (Q13)."""
    main, replica = processes.cluster({"b": "ASYNC"})
    main.query("UNWIND range(1, 5000) AS i CREATE (:N {i: i})-[:R]->(:M)")
    main.query("CREATE SNAPSHOT")
    main.kill()
    replica.kill()
    shutil.rmtree(replica.data)
    main.start()
    replica.start(replica.init_file())
    main.query("DROP REPLICA b")
    main.register(replica, "ASYNC")
    main.until_status("b", "ready")
    main.query("CREATE (:Last)")
    replica.until(COUNT, [[10001]])
    replica.kill()
    replica.start()
    assert replica.query(COUNT) == [[10001]]
    assert replica.query("MATCH (:N)-[r:R]->(:M) RETURN count(r)") == [[5000]]


def test_diverged_old_main_is_refused_until_its_data_is_moved_aside(processes: Processes) -> None:
    """One commit more on the old MAIN is Error: 3; without wal/ and snapshots/ it registers (i5)."""
    main, standby = processes.cluster({"b": "SYNC"})
    main.query("CREATE (:N)")
    standby.query("SET REPLICATION ROLE TO MAIN")
    standby.query(NOOP)
    with pytest.raises(TransientError, match="SYNC replica has not confirmed"):
        main.query("CREATE (:Extra)")
    main.become_replica()
    with pytest.raises(ClientError, match=r"Couldn't register replica a\. Error: 3"):
        standby.register(main)
    assert standby.status("a") == ""
    main.kill()
    for folder in ("wal", "snapshots"):
        (main.data / folder).rename(main.data / f"{folder}.aside")
    main.start(main.init_file())
    standby.query("DROP REPLICA a")
    standby.register(main)
    standby.until_status("a", "ready")
    assert main.query(COUNT) == standby.query(COUNT)


def test_lost_finalize_is_acknowledged_and_refused_by_the_next_noop(processes: Processes) -> None:
    """The link is cut at Finalize: acknowledged, `ready`, missing on b; the no-op is refused and repairs (Q17, Q18)."""
    main, standby = processes.start("a"), processes.start("b")
    standby.become_replica()
    with CuttingProxy(standby.replication) as link:
        main.query(f'REGISTER REPLICA b STRICT_SYNC TO "{HOST}:{link.port}"')
        main.query("CREATE (:N)")
        link.cut_at = "FinalizeCommit"
        main.query("CREATE (:W)")
        link.cut_at = None
        assert link.cuts == 1
        assert main.status("b") == "ready"
        assert standby.query("MATCH (n:W) RETURN count(n)") == [[0]]
        with pytest.raises(TransientError, match="STRICT_SYNC"):
            main.query(NOOP)
        main.until_status("b", "ready")
        main.query(NOOP)
        assert standby.query("MATCH (n:W) RETURN count(n)") == [[1]]


def test_standby_killed_after_a_lost_finalize_lacks_the_write(processes: Processes) -> None:
    """A standby that restarts after the lost Finalize and is promoted lacks an acknowledged write (Q17)."""
    main, standby = processes.start("a"), processes.start("b")
    standby.become_replica()
    with CuttingProxy(standby.replication) as link:
        main.query(f'REGISTER REPLICA b STRICT_SYNC TO "{HOST}:{link.port}"')
        link.cut_at = "FinalizeCommit"
        main.query("CREATE (:W)")
        main.kill()
        standby.kill()
        standby.start()
        standby.query("SET REPLICATION ROLE TO MAIN")
        assert standby.query("MATCH (n:W) RETURN count(n)") == [[0]]


def test_cut_at_prepare_acknowledges_nothing(processes: Processes) -> None:
    """The link is cut at Prepare: the write aborts on both (Q17)."""
    main, standby = processes.start("a"), processes.start("b")
    standby.become_replica()
    with CuttingProxy(standby.replication) as link:
        main.query(f'REGISTER REPLICA b STRICT_SYNC TO "{HOST}:{link.port}"')
        link.cut_at = "PrepareCommit"
        with pytest.raises(TransientError, match="STRICT_SYNC"):
            main.query("CREATE (:W)")
        assert (main.query(COUNT), standby.query(COUNT)) == ([[0]], [[0]])


def test_roles_are_answered_while_a_big_import_runs(processes: Processes) -> None:
    """SHOW REPLICATION ROLE is answered within half a second while one query creates many nodes (Q14)."""
    main, standby = processes.cluster({"b": "STRICT_SYNC"})
    ended: list[str] = []
    importing = threading.Thread(target=_note, args=(main, "UNWIND range(1, 30000) AS i CREATE (:N {i: i})", ended))
    importing.start()
    slowest = 0.0
    with neo4j.GraphDatabase.driver(main.address) as driver, driver.session() as session:
        while importing.is_alive():
            before = time.monotonic()
            session.run("SHOW REPLICATION ROLE").consume()
            slowest = max(slowest, time.monotonic() - before)
    assert ended == ["UNWIND range(1, 30000) AS i CREATE (:N {i: i}): ok"]
    assert slowest < 2.0
    assert standby.query(COUNT) == [[30000]]


def _write_until_killed(main: Fake, *, writers: int, seconds: float) -> set[str]:
    """Write from several clients, kill MAIN in the middle, and return what was acknowledged."""
    acknowledged: set[str] = set()

    def write(writer: int) -> None:
        with neo4j.GraphDatabase.driver(main.address) as driver, driver.session() as session:
            for number in range(100_000):
                name = f"{writer}-{number}"
                try:
                    session.run("CREATE (:N {id: $id})", id=name).consume()
                except (Neo4jError, neo4j.exceptions.DriverError):
                    return
                acknowledged.add(name)

    threads = [threading.Thread(target=write, args=(writer,)) for writer in range(writers)]
    for thread in threads:
        thread.start()
    time.sleep(seconds)
    main.kill()
    for thread in threads:
        thread.join(30)
    return acknowledged


def _register_unless_diverged(main: Fake, replica: Fake) -> None:
    """Take the old MAIN back; a kill between its commit and Finalize makes it diverged, rarely (Q9: 1 of 120)."""
    try:
        main.register(replica)
    except ClientError as error:
        if "Error: 3" not in str(error):
            raise
        replica.kill()
        shutil.rmtree(replica.data)
        replica.start(replica.init_file())
        main.query(f"DROP REPLICA {replica.name}")
        main.register(replica)
    main.until_status(replica.name, "ready")


def _note(fake: Fake, query: str, ended: list[str]) -> None:
    try:
        fake.query(query)
    except Neo4jError as error:
        ended.append(f"{query}: {type(error).__name__}")
    else:
        ended.append(f"{query}: ok")

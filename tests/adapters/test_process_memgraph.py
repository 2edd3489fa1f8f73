"""The local platform with what it is for: Memgraph, by default the bundled fake, or the one of MEMGRAPH_BINARY."""

import os
import signal
import sys
from collections.abc import Callable
from pathlib import Path

import pytest
import trio
from neo4j import GraphDatabase
from neo4j.exceptions import Neo4jError

from memgraph_ha.adapters.datadir import DataDir
from memgraph_ha.core.commands import RebuildInstance
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.names import Address
from tests.adapters import local_rig as rig
from tests.adapters.local_rig import M0, M1

FAKE = str(Path(sys.executable).with_name("memgraph-ha-fake"))


def cluster(place: Path) -> DataDir:
    """Make a data directory for three instances."""
    binary = os.environ.get("MEMGRAPH_BINARY", FAKE)
    arguments = ("--fake-replication-address=127.0.0.1",) if Path(binary).name == "memgraph-ha-fake" else ()
    return rig.make_cluster(place, binary, arguments=arguments)


def ask(address: Address, query: str) -> list[object]:
    """Run a query and give its first column."""
    with GraphDatabase.driver(f"bolt://{address}") as driver, driver.session() as session:
        return [record[0] for record in session.run(query)]


async def until(address: Address, query: str, wanted: Callable[[object], bool]) -> None:
    """Ask again and again until the answer is the wanted one."""

    def rows() -> object:
        with GraphDatabase.driver(f"bolt://{address}") as driver, driver.session() as session:
            return session.run(query).data()

    with trio.fail_after(20):
        while not wanted(await trio.to_thread.run_sync(rows)):  # noqa: ASYNC110 - it is another process that gets there
            await trio.sleep(0.05)


async def say(address: Address, *queries: str) -> None:
    """Run queries one after the other."""
    for query in queries:
        await trio.to_thread.run_sync(ask, address, query)


async def role(address: Address) -> object:
    """Ask an instance for its role as soon as its Bolt port opens."""
    with trio.fail_after(20):
        while True:
            try:
                stream = await trio.open_tcp_stream("127.0.0.1", int(address.rpartition(":")[2]))
            except OSError:
                await trio.sleep(0.02)
            else:
                await stream.aclose()
                return (await trio.to_thread.run_sync(ask, address, "SHOW REPLICATION ROLE"))[0]


@pytest.mark.trio
async def test_instances_start_and_return_as_replicas_that_sync_every_commit(tmp_path: Path) -> None:
    """The init file takes effect at the first start and after kill -9 (transcripts Q1), and the flags do too."""
    datadir = cluster(tmp_path)
    async with rig.running(datadir) as one:
        addresses = [member.bolt for member in one.members[-1].members]
        assert [await role(address) for address in addresses] == ["replica"] * 3
        await trio.to_thread.run_sync(ask, addresses[0], "SET REPLICATION ROLE TO MAIN")
        await trio.to_thread.run_sync(ask, addresses[0], "CREATE (:Kept)")
        before = one.incarnation(M0)
        os.kill(one.pid(M0), signal.SIGKILL)
        await one.replaced(M0, before)
        assert await role(addresses[0]) == "replica"
        assert await trio.to_thread.run_sync(ask, addresses[0], "MATCH (n:Kept) RETURN count(n)") == [1]
        with GraphDatabase.driver(f"bolt://{addresses[0]}") as driver, driver.session() as session:
            settings = {row["name"]: row["current_value"] for row in session.run("SHOW CONFIG")}
        assert settings["storage_wal_file_flush_every_n_tx"] == "1"
        assert settings["init_file"] == str(datadir.specs()[0].init_file)
    assert rig.processes(datadir) == []


@pytest.mark.trio
async def test_a_diverged_replica_is_rebuilt_and_follows(tmp_path: Path) -> None:
    """Refused for its own commits (`Error: 3`), it starts as an empty REPLICA after a rebuild, and gets MAIN's data."""
    datadir = cluster(tmp_path)
    async with rig.running(datadir) as one:
        main, replica, _ = (member.bolt for member in one.members[-1].members)
        register = f"REGISTER REPLICA r1 ASYNC TO '{one.members[-1].members[1].replication}'"
        await role(main)
        await role(replica)
        await say(main, "SET REPLICATION ROLE TO MAIN", register, "UNWIND range(1, 3) AS n CREATE (:Kept)")
        await until(replica, "MATCH (n:Kept) RETURN count(n) AS n", lambda rows: rows == [{"n": 3}])
        await say(replica, "SET REPLICATION ROLE TO MAIN", "CREATE (:Lost)")
        before = one.incarnation(M1)
        os.kill(one.pid(M1), signal.SIGKILL)
        diverged = await one.replaced(M1, before)
        assert await role(replica) == "replica"
        await say(main, "CREATE (:Kept)", "DROP REPLICA r1")
        with pytest.raises(Neo4jError, match="Error: 3"):
            await say(main, register)

        command = RebuildInstance(instance=M1, incarnation=diverged, generation=2)
        ended = await one.platform.rebuild(command)
        assert ended.outcome is Outcome.DONE, ended.detail
        await one.replaced(M1, diverged)
        assert await role(replica) == "replica"
        assert await trio.to_thread.run_sync(ask, replica, "MATCH (n) RETURN count(n)") == [0]
        await say(main, "DROP REPLICA r1", register, "CREATE (:Kept)")
        await until(replica, "MATCH (n:Kept) RETURN count(n) AS n", lambda rows: rows == [{"n": 5}])
        assert await trio.to_thread.run_sync(ask, replica, "MATCH (n:Lost) RETURN count(n)") == [0]
        assert (await one.platform.aside(M1)).count == 1

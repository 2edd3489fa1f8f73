"""Somebody sets roles by hand: the stray is demoted, MAIN stays, nothing is lost."""

import neo4j
import neo4j.exceptions
import pytest
import trio

from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.topology import Role
from tests.e2e.cluster import M2, PATIENCE_S, Cluster, writing

pytestmark = [pytest.mark.trio, pytest.mark.slow]


async def _by_hand(cluster: Cluster, name: InstanceName, query: str) -> None:
    """Set a role on an instance, past the gateway; under writes the first try may find it busy (transcripts Q6)."""

    def run() -> bool:
        with (
            neo4j.GraphDatabase.driver(f"bolt://{cluster.spec(name).bolt}") as driver,
            driver.session() as session,
        ):
            try:
                session.run(neo4j.Query(query)).consume()
            except neo4j.exceptions.ClientError as error:
                if "Couldn't set role" not in str(error):
                    raise
                return False
            return True

    with trio.fail_after(PATIENCE_S):
        while not await trio.to_thread.run_sync(run):
            pass


async def test_stray_async_replica(cluster: Cluster) -> None:
    """The ASYNC replica made MAIN by hand is demoted, writes and the standby unharmed; the next reign takes it back.

    MAIN's row of it is dead by then, and dropping an ASYNC row under writes may kill MAIN (transcripts Q5): until a
    moment comes in which it can be dropped, what is missing is said by name.
    """
    async with writing(cluster) as ledger:
        before = await cluster.record()
        ledger.fault()
        mark = cluster.mark()
        await _by_hand(cluster, M2, "SET REPLICATION ROLE TO MAIN")
        demotion = await cluster.until_event(since=mark, event="command", kind="Demote", instance=M2)
        await cluster.until_event(since=mark, event="decision", hold="ReplicaMissing")
        await ledger.more()
        after = await cluster.protected()
        ledger.fault()
        await cluster.kill(before.main)
        await cluster.protected(above=before.generation)
        await ledger.more()
    assert demotion["rule"] == "S10"
    assert (after.generation, after.main, after.standby) == (before.generation, before.main, before.standby)


async def test_stray_standby(cluster: Cluster) -> None:
    """The standby made MAIN by hand loses its name at once, is demoted, proven and named again."""
    async with writing(cluster) as ledger:
        before = await cluster.record()
        assert before.standby is not None
        stray = before.standby.instance
        ledger.fault()
        mark = cluster.mark()
        await _by_hand(cluster, stray, "SET REPLICATION ROLE TO MAIN")
        await cluster.until(lambda record: record.standby is None, "the stray is un-named")
        after = await cluster.until(lambda record: record.standby is not None, "a standby is named again")
        await ledger.more()
        await cluster.protected()
    assert (after.generation, after.main) == (before.generation, before.main)
    rules = [event["rule"] for event in cluster.events(since=mark, event="command")]
    assert rules.index("U10") < rules.index("S10")


async def test_main_demoted_by_hand(cluster: Cluster) -> None:
    """MAIN made a REPLICA by hand reigns again: it has everything, so nobody has to be rebuilt."""
    async with writing(cluster) as ledger:
        before = await cluster.record()
        ledger.fault()
        port = cluster.spec(before.main).ports.replication
        await _by_hand(cluster, before.main, f"SET REPLICATION ROLE TO REPLICA WITH PORT {port}")
        after = await cluster.protected(above=before.generation)
        await ledger.more()
    assert after.main == before.main
    assert (await cluster.local.roles())[before.main] is Role.MAIN

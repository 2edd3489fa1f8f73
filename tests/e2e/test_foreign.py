"""Somebody registers, or changes the storage mode, past the controller: it is named, and nothing of it is undone."""

import contextlib
from collections.abc import AsyncIterator

import neo4j
import neo4j.exceptions
import pytest
import trio

from memgraph_ha.core.record import ChangeKind
from tests.e2e.cluster import M2, Cluster, free_block, writing
from tests.e2e.hands import by_hand, done, operate, standby_of

pytestmark = [pytest.mark.trio, pytest.mark.slow, pytest.mark.timeout(300)]


async def _row_names(cluster: Cluster) -> set[str]:
    main = (await cluster.record()).main
    return {str(row["name"]) for row in await by_hand(cluster, main, "SHOW REPLICAS")}


async def test_a_row_of_nobody_is_left_alone(cluster: Cluster) -> None:
    """A human's `backup1` to an address of no member stays; one under our own name goes (scenario H7)."""
    async with writing(cluster) as ledger:
        before = await cluster.protected()
        mark, nowhere = cluster.mark(), free_block()
        await _half_row(cluster, "backup1", nowhere)
        await cluster.until_event(since=mark, event="decision", hold="ForeignRow")
        await _half_row(cluster, f"{M2}_9", nowhere + 1)

        async def ours_is_gone() -> bool:
            return f"{M2}_9" not in await _row_names(cluster)

        await cluster.until_true(ours_is_gone, "the row under our name to nobody is dropped")
        assert "backup1" in await _row_names(cluster)
        await ledger.more()
        after = await cluster.protected()
    assert (after.generation, after.main) == (before.generation, before.main)
    dropped = {event["row"] for event in cluster.events(since=mark, event="command", kind="DropReplica")}
    assert "backup1" not in dropped


@contextlib.asynccontextmanager
async def _open_transaction(cluster: Cluster) -> AsyncIterator[None]:
    """Hold a transaction with a write open meanwhile; in the end its commit fails."""
    with neo4j.GraphDatabase.driver(f"bolt://127.0.0.1:{cluster.gateway_port}") as driver, driver.session() as session:
        transaction = await trio.to_thread.run_sync(session.begin_transaction)
        await trio.to_thread.run_sync(lambda: transaction.run("CREATE (:Idle)").consume())
        yield
        with pytest.raises((neo4j.exceptions.DriverError, neo4j.exceptions.Neo4jError)):
            await trio.to_thread.run_sync(transaction.commit)
        await trio.to_thread.run_sync(transaction.close)


async def _half_row(cluster: Cluster, name: str, port: int) -> None:
    """Register what is not there: refused, and the row is there all the same (transcripts, REGISTER)."""
    main = (await cluster.record()).main

    async def refused() -> bool:
        with pytest.raises(neo4j.exceptions.Neo4jError) as error:
            await by_hand(cluster, main, f"REGISTER REPLICA `{name}` ASYNC TO '127.0.0.1:{port}'")
        return "Error: 5" in str(error.value)  # else MAIN was busy, and it is tried again

    await cluster.until_true(refused, f"{name} is half registered")


async def test_a_switchover_ends_a_transaction_that_never_ends(cluster: Cluster) -> None:
    """A client idles in an open transaction: the switchover waits `drain_s`, then MAIN moves (scenario H9)."""
    async with writing(cluster, writers=4, stock=True) as ledger:
        before = await cluster.protected()
        async with _open_transaction(cluster):
            await done(cluster, "switchover")
            after = await cluster.protected(above=before.generation)
            await ledger.more()
        assert not ledger.failed()
    assert after.history[-1].kind is ChangeKind.SWITCHOVER
    assert after.main == standby_of(before)


async def test_analytical_mode_is_named_and_nobody_is_promoted(cluster: Cluster) -> None:
    """Nothing is replicated in it: the standby loses its name at once, and each replica waits for `reinit` (H9)."""
    before = await cluster.protected()
    mark = cluster.mark()
    await by_hand(cluster, before.main, "STORAGE MODE IN_MEMORY_ANALYTICAL")
    await cluster.until_event(since=mark, event="decision", hold="AnalyticalMode")
    unnamed = await cluster.until(lambda record: record.standby is None, "the standby is un-named")
    assert unnamed.rebuild == {spec.name for spec in cluster.local.specs if spec.name != before.main}
    refused = await operate(cluster, "switchover")
    assert refused.code == 1
    await by_hand(cluster, before.main, "STORAGE MODE IN_MEMORY_TRANSACTIONAL")
    await by_hand(cluster, before.main, "CREATE SNAPSHOT")
    for name in sorted(unnamed.rebuild):
        await done(cluster, "reinit", name, "--yes")
    after = await cluster.protected()
    assert (after.generation, after.main) == (before.generation, before.main)

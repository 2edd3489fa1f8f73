"""What happens when a replication port is cut. Run by test_cut.py in name spaces of its own."""

import datetime as dt
import math
import time

import pytest
import trio

from memgraph_ha.drill.ledger import WriterLog
from tests.e2e.cluster import M2, Cluster, Event, Ledger, writing
from tests.e2e.conftest import Making
from tests.e2e.own_namespaces import cut, heal

pytestmark = pytest.mark.trio


def _logged_at(event: Event) -> float:
    """When something was logged, on the writers' clock."""
    wall_s = dt.datetime.fromisoformat(str(event["timestamp"])).timestamp()
    return wall_s - time.time() + time.monotonic()


def _first_acknowledged(logs: list[WriterLog], since_s: float, until_s: float = math.inf) -> float | None:
    found = [log.first_acknowledged(begun_from_s=since_s, until_s=until_s) for log in logs]
    return min((at_s for at_s in found if at_s is not None), default=None)


async def _cut_standby(cluster: Cluster, ledger: Ledger) -> tuple[int, float]:
    """Cut the way to the standby's replication port; gives the port, and when it was cut for certain."""
    record = await cluster.record()
    assert record.standby is not None
    port = cluster.spec(record.standby.instance).ports.replication
    ledger.fault()
    cut(port)
    return port, time.monotonic()


async def test_preferred(running: Making) -> None:
    """No write succeeds until `unprotected` is recorded; then they go on, and the healed standby is named again."""
    async with running() as cluster, writing(cluster) as ledger:
        before, mark = await cluster.record(), cluster.mark()
        port, cut_s = await _cut_standby(cluster, ledger)
        await cluster.until(lambda record: record.unprotected, "the reign goes on unprotected")
        await ledger.more()
        declared = await cluster.until_event(since=mark, event="command", rule="D10", kind="WriteRecord")
        logs = list(ledger.writers.logs)
        assert _first_acknowledged(logs, cut_s, _logged_at(declared)) is None
        unnamed = cluster.events(since=mark, event="command", rule="U10")
        assert _logged_at(declared) - _logged_at(unnamed[0]) >= 4.9  # standby_grace_s is 5
        heal(port)
        after = await cluster.until(lambda record: record.standby is not None, "the healed standby is named")
        await ledger.more()
        assert (after.generation, after.main, after.unprotected) == (before.generation, before.main, False)
    assert ledger.findings is not None
    assert ledger.findings.refused > 0


async def test_required(running: Making) -> None:
    """No write is acknowledged as long as the standby is away; healed, they go on."""
    async with running("--set=data_durability=required") as cluster, writing(cluster) as ledger:
        before, mark = await cluster.record(), cluster.mark()
        port, cut_s = await _cut_standby(cluster, ledger)
        await cluster.until(lambda record: record.standby is None, "the standby is un-named")
        await cluster.until_event(since=mark, event="decision", hold="WaitingForStandby")
        await trio.sleep(15)  # nothing may happen, for three times as long as `preferred` would wait
        assert _first_acknowledged(list(ledger.writers.logs), cut_s) is None
        heal(port)
        after = await cluster.until(lambda record: record.standby is not None, "the healed standby is named")
        await ledger.more()
        assert (after.generation, after.main, after.unprotected) == (before.generation, before.main, False)


async def test_async_replica(running: Making) -> None:
    """The way to the ASYNC replica cut: writes go on, it is missed by name, and it catches up when healed."""
    async with running() as cluster, writing(cluster) as ledger:
        before, mark = await cluster.record(), cluster.mark()
        port = cluster.spec(M2).ports.replication
        cut(port)
        await cluster.until_event(since=mark, event="decision", hold="ReplicaMissing")
        await ledger.more()
        heal(port)
        await cluster.until_event(since=cluster.mark(), event="decision", rule="Z99")
        await ledger.more()
        after = await cluster.record()
        assert (after.generation, after.main, after.standby) == (before.generation, before.main, before.standby)

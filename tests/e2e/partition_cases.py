"""What happens when any two parts of a cluster lose each other. Run by test_partitions.py in name spaces of its own."""

import time
from collections.abc import Awaitable, Callable
from typing import Final

import pytest
import trio

from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import Record
from tests.e2e.cluster import M2, Cluster, Ledger, writing
from tests.e2e.conftest import Making
from tests.e2e.hands import standby_of
from tests.e2e.links import Manner, Way, cut

pytestmark = pytest.mark.trio

SILENT_S: Final = 6.0
"""Longer than `frozen_standby_s` and than any verdict on silence takes."""

MANNERS: Final = pytest.mark.parametrize("manner", list(Manner), ids=lambda manner: manner.value)

Meanwhile = Callable[[Cluster, Ledger, Record], Awaitable[None]]


async def _each_way(
    running: Making, manner: Manner, port: Callable[[Cluster, Record], int], meanwhile: Meanwhile
) -> None:
    """Cut one link in either direction and in both, one after the other, healing it each time."""
    async with running() as cluster, writing(cluster) as ledger:
        for way in Way:
            before = await cluster.protected()
            ledger.fault()
            with cut(port(cluster, before), way, manner):
                await meanwhile(cluster, ledger, before)
            ledger.fault()
            await cluster.protected(above=before.generation - 1)
            await ledger.more()


async def _same_reign(cluster: Cluster, before: Record) -> None:
    after = await cluster.record()
    assert (after.generation, after.main) == (before.generation, before.main), cluster.local.tail()


@MANNERS
async def test_main_andstandby_of(running: Making, manner: Manner) -> None:
    """Replication to the standby: no failover, and writes come back without it (scenario C2)."""

    async def meanwhile(cluster: Cluster, ledger: Ledger, before: Record) -> None:
        await cluster.until(lambda record: record.unprotected, "the reign goes on unprotected")
        ledger.fault()
        await ledger.more()
        await _same_reign(cluster, before)

    await _each_way(running, manner, lambda cluster, record: _replication(cluster, standby_of(record)), meanwhile)


@MANNERS
async def test_main_and_async_replica(running: Making, manner: Manner) -> None:
    """Replication to the ASYNC replica: writes never wait for it (scenario B5)."""

    async def meanwhile(cluster: Cluster, ledger: Ledger, before: Record) -> None:
        begun_s = time.monotonic()
        while time.monotonic() < begun_s + SILENT_S:
            await ledger.more()
        after = await cluster.record()
        assert (after.generation, after.main, after.standby) == (before.generation, before.main, before.standby)

    await _each_way(running, manner, lambda cluster, _record: _replication(cluster, M2), meanwhile)


@MANNERS
async def test_controller_and_main(running: Making, manner: Manner) -> None:
    """Bolt to MAIN, clients' and ours: whoever cannot be asked is ended before another reigns (scenarios C1, A5)."""

    async def meanwhile(cluster: Cluster, ledger: Ledger, before: Record) -> None:
        with cluster.held(before.main) as unheard:
            after = await cluster.until(
                lambda record: record.generation > before.generation and record.opened, "another reign is open"
            )
            assert unheard.ended, "the unheard MAIN lives on beside another"
        assert after.main == standby_of(before)
        ledger.fault()
        await ledger.more()

    await _each_way(running, manner, lambda cluster, record: cluster.spec(record.main).ports.bolt, meanwhile)


@MANNERS
async def test_controller_andstandby_of(running: Making, manner: Manner) -> None:
    """Bolt to the standby: it loses its name, MAIN goes on (scenario B4)."""

    async def meanwhile(cluster: Cluster, ledger: Ledger, before: Record) -> None:
        await cluster.until(lambda record: record.standby is None, "the unheard standby is un-named")
        ledger.fault()
        await ledger.more()
        await _same_reign(cluster, before)

    await _each_way(running, manner, lambda cluster, record: cluster.spec(standby_of(record)).ports.bolt, meanwhile)


@MANNERS
async def test_controller_and_async_replica(running: Making, manner: Manner) -> None:
    """Bolt to the ASYNC replica: nothing changes for those who write (scenario B5)."""

    async def meanwhile(cluster: Cluster, ledger: Ledger, before: Record) -> None:
        await trio.sleep(SILENT_S)  # nothing may happen
        await ledger.more()
        after = await cluster.record()
        assert (after.generation, after.main, after.standby) == (before.generation, before.main, before.standby)

    await _each_way(running, manner, lambda cluster, _record: cluster.spec(M2).ports.bolt, meanwhile)


@pytest.mark.parametrize("manner", [Manner.BLACK_HOLE], ids=lambda manner: manner.value)
async def test_main_lost_while_the_async_replica_is_cut_off(running: Making, manner: Manner) -> None:
    """A failover does not wait for a replica that nobody reaches; healed, it follows the new MAIN (scenarios B5, C7)."""
    async with running() as cluster, writing(cluster) as ledger:
        before = await cluster.protected()
        spec = cluster.spec(M2)
        with cut(spec.ports.replication, Way.BOTH, manner), cut(spec.ports.bolt, Way.BOTH, manner):
            await trio.sleep(1)
            ledger.fault()
            await cluster.kill(before.main)
            after = await cluster.until(
                lambda record: record.generation > before.generation and record.opened, "another reign is open"
            )
            ledger.fault()
            await ledger.more()
        assert after.main == standby_of(before)
        await cluster.protected()


def _replication(cluster: Cluster, name: InstanceName) -> int:
    return cluster.spec(name).ports.replication

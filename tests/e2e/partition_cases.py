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

CUTS: Final = {
    "refused": (Way.TO, Manner.REJECT),
    "swallowed": (Way.TO, Manner.BLACK_HOLE),
    "unanswered": (Way.FROM, Manner.BLACK_HOLE),
}
"""What is sent on a link is refused, or lost without a word, or arrives and its answer is lost (scenario C5)."""

EACH_WAY: Final = pytest.mark.parametrize("how", list(CUTS))

Meanwhile = Callable[[Cluster, Ledger, Record], Awaitable[None]]


async def _cut_and_healed(
    running: Making, how: str, port: Callable[[Cluster, Record], int], meanwhile: Meanwhile
) -> None:
    """Cut one link, look what happens meanwhile, and heal it: the cluster is whole again by itself."""
    async with running() as cluster, writing(cluster, bounded=False) as ledger:
        before = await cluster.protected()
        with cut(port(cluster, before), *CUTS[how]):
            await meanwhile(cluster, ledger, before)
        await cluster.protected()
        await ledger.more()


async def _same_reign(cluster: Cluster, before: Record) -> None:
    after = await cluster.record()
    assert (after.generation, after.main) == (before.generation, before.main), cluster.local.tail()


@EACH_WAY
async def test_main_and_standby(running: Making, how: str) -> None:
    """Replication to the standby: no failover, and writes come back without it (scenario C2)."""

    async def meanwhile(cluster: Cluster, ledger: Ledger, before: Record) -> None:
        await cluster.until(lambda record: record.unprotected, "the reign goes on unprotected")
        await ledger.more()
        await _same_reign(cluster, before)

    await _cut_and_healed(running, how, lambda cluster, record: _replication(cluster, standby_of(record)), meanwhile)


@EACH_WAY
async def test_main_and_async_replica(running: Making, how: str) -> None:
    """Replication to the ASYNC replica: writes never wait for it (scenario B5)."""

    async def meanwhile(cluster: Cluster, ledger: Ledger, before: Record) -> None:
        begun_s = time.monotonic()
        while time.monotonic() < begun_s + SILENT_S:
            await ledger.more()
        after = await cluster.record()
        assert (after.generation, after.main, after.standby) == (before.generation, before.main, before.standby)

    await _cut_and_healed(running, how, lambda cluster, _record: _replication(cluster, M2), meanwhile)


@EACH_WAY
async def test_controller_and_main(running: Making, how: str) -> None:
    """Bolt to MAIN, clients' and ours: whoever cannot be asked is ended before another reigns (scenarios C1, A5)."""

    async def meanwhile(cluster: Cluster, ledger: Ledger, before: Record) -> None:
        with cluster.held(before.main) as unheard:
            after = await cluster.until(
                lambda record: record.generation > before.generation and record.opened, "another reign is open"
            )
            assert unheard.ended, "the unheard MAIN lives on beside another"
        assert after.main == standby_of(before)
        await ledger.more()

    await _cut_and_healed(running, how, lambda cluster, record: cluster.spec(record.main).ports.bolt, meanwhile)


@EACH_WAY
async def test_controller_and_standby(running: Making, how: str) -> None:
    """Bolt to the standby: it loses its name, MAIN goes on (scenario B4)."""

    async def meanwhile(cluster: Cluster, ledger: Ledger, before: Record) -> None:
        await cluster.until(lambda record: record.standby is None, "the unheard standby is un-named")
        await ledger.more()
        await _same_reign(cluster, before)

    await _cut_and_healed(running, how, lambda cluster, record: cluster.spec(standby_of(record)).ports.bolt, meanwhile)


@EACH_WAY
async def test_controller_and_async_replica(running: Making, how: str) -> None:
    """Bolt to the ASYNC replica: nothing changes for those who write (scenario B5)."""

    async def meanwhile(cluster: Cluster, ledger: Ledger, before: Record) -> None:
        await trio.sleep(SILENT_S)  # nothing may happen
        await ledger.more()
        after = await cluster.record()
        assert (after.generation, after.main, after.standby) == (before.generation, before.main, before.standby)

    await _cut_and_healed(running, how, lambda cluster, _record: cluster.spec(M2).ports.bolt, meanwhile)


async def test_main_lost_while_the_async_replica_is_cut_off(running: Making) -> None:
    """A failover does not wait for a replica that nobody reaches; healed, it follows the new MAIN (B5, C7)."""
    async with running() as cluster, writing(cluster) as ledger:
        before = await cluster.protected()
        spec = cluster.spec(M2)
        hole = Manner.BLACK_HOLE
        with cut(spec.ports.replication, Way.BOTH, hole), cut(spec.ports.bolt, Way.BOTH, hole):
            await trio.sleep(1)
            ledger.fault()
            await cluster.kill(before.main)
            after = await cluster.until(
                lambda record: record.generation > before.generation and record.opened, "another reign is open"
            )
            await ledger.more()
        assert after.main == standby_of(before)
        await cluster.protected()


def _replication(cluster: Cluster, name: InstanceName) -> int:
    return cluster.spec(name).ports.replication

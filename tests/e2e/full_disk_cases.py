"""What happens when the disk is full. Run by test_full_disk.py in name spaces of its own."""

from pathlib import Path

import pytest
import trio

from tests.e2e.cluster import Cluster, writing
from tests.e2e.conftest import Making
from tests.e2e.own_namespaces import fill, small_disk

pytestmark = pytest.mark.trio

SIZE = "16m"


async def _full_for_a_while(cluster: Cluster, filler: Path) -> None:
    """Fill the disk for longer than a lease lasts: everybody lives on, and the error is named.

    A commit that MAIN could not write to its disk is in doubt, each time anew: that is not bounded by the faults.
    """
    async with writing(cluster, bounded=False) as ledger:
        before = await cluster.record()
        ledger.fault()
        fill(filler)
        await cluster.until_true(lambda: "No space left" in cluster.said(), "the full disk is named")
        for _ in range(15):
            await trio.sleep(1)
            fill(filler)
            assert cluster.controller_lives(cluster.local), cluster.local.tail()
        assert set(await cluster.local.roles()) == {spec.name for spec in cluster.local.specs}
        ledger.fault()
        filler.unlink()  # noqa: ASYNC240 - one file
        after = await cluster.protected()
        await ledger.more()
    assert after.generation >= before.generation


@pytest.mark.parametrize("whose", ["data", "everything"])
async def test_full_disk(running: Making, tmp_path: Path, whose: str) -> None:
    """The data's disk is full, or the one that the controller prints to as well: freed, the cluster goes on."""
    root = tmp_path / "cluster"
    small = root / "data" if whose == "data" else root
    small.mkdir(parents=True)
    with small_disk(small, SIZE):
        async with running() as cluster:
            await _full_for_a_while(cluster, small / "filler")


async def test_end_on_a_full_disk(running: Making, tmp_path: Path) -> None:
    """Told to end while the disk is full, everything ends in order; freed and started again, all is there."""
    data = tmp_path / "cluster" / "data"
    data.mkdir(parents=True)
    with small_disk(data, SIZE):
        async with running() as cluster:
            async with writing(cluster, bounded=False) as ledger:
                before = await cluster.record()
                ledger.fault()
                fill(data / "filler")
                await cluster.until_true(lambda: "No space left" in cluster.said(), "the full disk is named")
                assert await cluster.end_controller() == 0
                (data / "filler").unlink()
                await cluster.start()
                after = await cluster.protected(above=before.generation)
                await ledger.more()
            assert after.main == before.main

"""What happens when MAIN's own disk is full. Run by test_main_disk.py in name spaces of its own."""

import shutil

import pytest

from memgraph_ha.core.record import ChangeKind
from tests.e2e.cluster import writing
from tests.e2e.conftest import Making
from tests.e2e.hands import standby_of
from tests.e2e.own_namespaces import fill, small_disk

pytestmark = pytest.mark.trio

SIZE = "16m"


async def test_the_disk_of_main_alone_is_full(running: Making) -> None:
    """It answers, but cannot commit: the standby reigns, and what MAIN could not write was acknowledged to nobody.

    A commit that MAIN could not write to its disk is in doubt, each time anew: that is not bounded by the faults.
    """
    async with running() as cluster:
        before = await cluster.record()
        assert await cluster.local.stop() == ()
        data = cluster.spec(before.main).data
        aside = data.with_name("moved")
        data.rename(aside)
        data.mkdir()
        with small_disk(data, SIZE):
            shutil.copytree(aside, data, dirs_exist_ok=True)
            shutil.rmtree(aside)
            await cluster.start()
            before = await cluster.protected(above=before.generation)
            async with writing(cluster, bounded=False) as ledger:
                filler = data / "filler"
                fill(filler)
                after = await cluster.until(
                    lambda record: record.generation > before.generation and record.opened, "another reign is open"
                )
                await ledger.more()
                filler.unlink()
                await cluster.protected()
                await ledger.more()
            assert await cluster.local.stop() == ()
    assert after.main == standby_of(before)
    assert after.history[-1].kind is ChangeKind.FAILOVER

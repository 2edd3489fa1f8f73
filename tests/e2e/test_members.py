"""The number of instances changes while clients write: 3, 5, 2, 3 (scenario H4)."""

import pytest

from memgraph_ha.adapters.datadir import open_data_dir
from memgraph_ha.core.record import ChangeKind
from tests.e2e.cluster import Cluster, free_block, writing
from tests.e2e.conftest import Making
from tests.e2e.hands import by_hand, done

pytestmark = [pytest.mark.trio, pytest.mark.slow, pytest.mark.timeout(300)]


async def test_three_five_two_three(running: Making) -> None:
    """Who comes is attached, who goes is forgotten, the pair and its reign stay; then MAIN dies and two suffice."""
    kinds = ("replication", "monitoring", "metrics")
    roomy = [f"--{kind}-base={free_block()}" for kind in kinds]
    async with running(*roomy) as cluster, writing(cluster) as ledger:
        before = await cluster.protected()
        for count in (5, 2, 3, 2):
            await done(cluster, "instances", str(count), "--yes")
            await _rows_fit(cluster, count)
            await ledger.more()
        after = await cluster.record()
        assert (after.generation, after.main) == (before.generation, before.main)
        ledger.fault()
        await cluster.kill(before.main)
        await cluster.protected(above=before.generation)
        await ledger.more()
        last = await cluster.record()
    assert {change.kind for change in last.history[-1:]} <= {ChangeKind.FAILOVER, ChangeKind.REPROMOTE}


async def _rows_fit(cluster: Cluster, count: int) -> None:
    """Wait until MAIN replicates to every other member, and to nobody else."""
    cluster.local._opened = open_data_dir(cluster.data)

    async def fit() -> bool:
        record = await cluster.record()
        wanted = {spec.replication for spec in cluster.local.specs if spec.name != record.main}
        assert len(wanted) == count - 1
        rows = await by_hand(cluster, record.main, "SHOW REPLICAS")
        return {str(row["socket_address"]) for row in rows} == wanted and record.standby is not None

    await cluster.until_true(fit, f"MAIN has rows of {count - 1} replicas, and of nobody else")

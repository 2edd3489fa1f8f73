"""What `helm test` runs, and the preStop hook beside it, against a whole cluster of real processes."""

import subprocess
import sys
from collections.abc import AsyncIterator, Mapping
from pathlib import Path
from typing import Final

import pytest
import trio

from memgraph_ha.core.names import InstanceName
from tests.chart.kit import CHART
from tests.e2e.cluster import Cluster

pytestmark = [pytest.mark.trio, pytest.mark.slow]

FILES: Final = CHART / "files"
MAIN: Final = InstanceName("memgraph-0")


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """A cluster with a standby."""
    made = Cluster(tmp_path)
    try:
        await made.start()
        await made.protected()
        yield made
    finally:
        with trio.CancelScope(shield=True):
            left = await made.stop()
    assert not left, "\n".join(left)


async def run(script: str, told: Mapping[str, str]) -> "subprocess.CompletedProcess[bytes]":
    """Run a script of the chart in an environment of its own."""
    with trio.fail_after(60):
        return await trio.run_process(
            [sys.executable, "-B", str(FILES / script)],
            env=dict(told), capture_stdout=True, capture_stderr=True, check=False,
        )  # fmt: skip


def environment(cluster: Cluster, deadline_s: int) -> Mapping[str, str]:
    """What the chart tells `helm test`."""
    return {
        "BOLT_URL": f"bolt://127.0.0.1:{cluster.base}",
        "API_URL": f"http://127.0.0.1:{cluster.base + 14}",
        "MEMGRAPH_USER": "anybody",
        "MEMGRAPH_PASSWORD": "anything",
        "DEADLINE_SECONDS": str(deadline_s),
    }


async def test_a_cluster_that_is_well_passes_and_nothing_is_left_behind(cluster: Cluster) -> None:
    """It names MAIN and the standby; a cluster that is gone fails it, in its time, with the reason."""
    told = environment(cluster, 30)
    done = await run("round_trip.py", told)
    assert done.returncode == 0, done
    assert b"MAIN is memgraph-0, and memgraph-1 could follow it" in done.stdout
    await cluster.stop()
    gone = await run("round_trip.py", {**told, "DEADLINE_SECONDS": "2"})
    assert gone.returncode == 1
    assert b"not within 2 s: ServiceUnavailable" in gone.stdout


async def test_a_main_may_stop_when_another_reigns(cluster: Cluster) -> None:
    """The hook ends with 0, and by then MAIN is the standby of before."""
    told = {
        "PRESTOP_URL": f"http://127.0.0.1:{cluster.base + 14}",
        "POD_NAME": MAIN,
        "PRESTOP_USER": "anybody",
        "PRESTOP_PASSWORD": "anything",
        "PRESTOP_UNANSWERED_SECONDS": "5",
        "PRESTOP_TIMEOUT_SECONDS": "30",
    }
    done = await run("prestop.py", told)
    assert done.returncode == 0, done
    assert (await cluster.record()).main != MAIN

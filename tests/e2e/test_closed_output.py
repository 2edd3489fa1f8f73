"""Nobody reads what the controller prints any more: it goes on, and ends in order."""

import signal
import subprocess
from pathlib import Path

import pytest
import trio

from memgraph_ha.adapters.datadir import open_data_dir
from memgraph_ha.adapters.process_stop import Stopped, stop_everything
from tests.e2e.cluster import M0, PATIENCE_S, Cluster, command_line, port_arguments, tracebacks

pytestmark = [pytest.mark.trio, pytest.mark.slow]


async def test_a_closed_pipe(tmp_path: Path) -> None:
    """As with ``memgraph-ha local | head -1``: the cluster comes up, MAIN's death is mended, SIGTERM ends it with 0."""
    cluster = Cluster(tmp_path)
    arguments = ("local", "--data", str(cluster.data), *port_arguments(cluster.base), "--verbose")
    with (tmp_path / "stderr.log").open("wb") as errors:
        process = await trio.lowlevel.open_process(
            command_line(*arguments), stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=errors
        )
    assert process.stdout is not None
    try:
        assert await process.stdout.receive_some()
        await process.stdout.aclose()
        await cluster.until_event(event="decision", rule="Z99")
        mark = cluster.mark()
        assert cluster.spec(M0).name == M0
        await cluster.kill(M0)
        await cluster.until_event(since=mark, event="decision", rule="Z99")
        process.send_signal(signal.SIGTERM)
        with trio.fail_after(PATIENCE_S):
            assert await process.wait() == 0
    finally:
        with trio.CancelScope(shield=True):
            process.kill()
            await process.wait()
            ended = await stop_everything(open_data_dir(cluster.data))
    assert ended == Stopped(controllers=(), instances=(), left=())
    assert tracebacks(tmp_path) == []

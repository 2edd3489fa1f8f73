"""`memgraph-ha run` as a process: how it starts, how it ends, and what it says. No API server is needed for that."""

import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import httpx
import pytest
import trio

from memgraph_ha.adapters.ports import Report
from memgraph_ha.core.commands import RebuildInstance, StopInstance, WriteRecord
from memgraph_ha.core.facts import CommandEnded, LeaseSeen, RecordSeen
from memgraph_ha.kube import runtime
from memgraph_ha.kube.assembly import Cluster
from memgraph_ha.kube.options import RunOptions, read_options
from memgraph_ha.kube.runtime import run_kube
from memgraph_ha.runtime.clock import boottime
from memgraph_ha.runtime.leading import Leading
from tests.free_port import free_port

KUBECONFIG = """
apiVersion: v1
kind: Config
clusters: [{name: c, cluster: {server: "http://127.0.0.1:1"}}]
users: [{name: u, user: {token: t}}]
contexts: [{name: x, context: {cluster: c, user: u}}]
current-context: x
"""
"""Of an API server that is not there: nobody listens on port 1."""


def environment(folder: Path) -> dict[str, str]:
    """Say everything that a controller must know, with ports of its own."""
    kubeconfig = folder / "kubeconfig"
    kubeconfig.write_text(KUBECONFIG)
    return {
        "NAMESPACE": "graph",
        "STATEFULSET_NAME": "mg",
        "POD_NAME": "mg-controller-0",
        "KUBECONFIG": str(kubeconfig),
        "HTTP_PORT": str(free_port()),
        "GATEWAY_BIND_ADDRESS": f"127.0.0.1:{free_port()}",
        "LOG_FORMAT": "json",
    }


def test_a_controller_without_its_api_server_lives_and_ends_in_order(tmp_path: Path) -> None:
    """It is alive, not ready, says why, and ends with 0 when it is told to; log and trace are whole lines."""
    told = environment(tmp_path)
    argv = [sys.executable, "-m", "memgraph_ha", "run", "--trace", "-"]
    with subprocess.Popen(
        argv, env={**os.environ, **told}, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    ) as process:
        try:
            assert process.stderr is not None
            assert json.loads(process.stderr.readline())["event"] == "started"
            url, within = f"http://127.0.0.1:{told['HTTP_PORT']}", httpx.HTTPTransport(retries=8)
            with httpx.Client(base_url=url, transport=within, timeout=10) as client:
                assert [client.get(path).status_code for path in ("/livez", "/readyz")] == [200, 503]
            while "lease.trouble" not in process.stderr.readline():
                pass
            process.send_signal(signal.SIGTERM)
            out, err = process.communicate(timeout=30)
        finally:
            process.kill()
    assert process.returncode == 0
    assert json.loads(err.splitlines()[-1])["event"] == "ended"
    lines = [json.loads(line) for line in out.splitlines()]
    assert (lines[0]["kind"], lines[0]["source"], lines[-1]["kind"]) == ("header", "DAEMON", "footer")


def test_what_is_wrong_ends_the_start_in_one_line() -> None:
    """Exit code 2 and every wrong variable; no traceback."""
    told = {**os.environ, "NAMESPACE": "graph", "HTTP_PORT": "x", "GATEWAY_TIMEOUT": "1h"}
    argv = [sys.executable, "-m", "memgraph_ha", "run"]
    done = subprocess.run(argv, env=told, capture_output=True, text=True, check=False, timeout=60)
    assert (done.returncode, done.stdout) == (2, "")
    assert done.stderr.startswith("memgraph-ha: ")
    assert len(done.stderr.splitlines()) == 1
    assert "HTTP_PORT: 'x' is not allowed" in done.stderr
    assert "GATEWAY_TIMEOUT: '1h' is not allowed" in done.stderr


class Kube:
    """Every port of a controller, in memory: it leads, there is no record, and its pods break when told to."""

    def __init__(self) -> None:
        self.broken = trio.Event()
        self.released = False
        self.leader: str | None = None

    async def campaign(self, report: Report) -> None:
        """Lead for ever."""
        while True:
            now_s = boottime()
            report(LeaseSeen(at_s=now_s, leading=True, until_s=now_s + 10, since_s=now_s))
            await trio.sleep(1)

    def raise_floor(self, generation: int) -> None:
        """Nothing is kept."""

    async def release(self) -> None:
        """Take note."""
        self.released = True

    async def read(self) -> RecordSeen:
        """There is none."""
        return RecordSeen(at_s=boottime(), record=None, token=None)

    async def write(self, command: WriteRecord, report: Report) -> CommandEnded:
        """Nobody asks for it: no instance is ever seen."""
        raise NotImplementedError

    async def watch(self, report: Report) -> None:
        """Break when told to: a fault of ours, not of the world."""
        del report
        await self.broken.wait()
        raise ZeroDivisionError("a bug")

    async def stop(self, command: StopInstance) -> CommandEnded:
        """Nobody asks for it."""
        raise NotImplementedError

    async def rebuild(self, command: RebuildInstance) -> CommandEnded:
        """Nobody asks for it."""
        raise NotImplementedError


@pytest.mark.trio
async def test_a_bug_of_ours_ends_the_process_with_a_line_that_says_so(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capfd: pytest.CaptureFixture[str]
) -> None:
    """Exit code 70, the traceback in the log, the lease released; until then the loop turns and it leads."""
    kube, codes = Kube(), list[int]()

    def opened(_options: RunOptions) -> Cluster:
        return Cluster(record=kube, lease=kube, platform=kube, leading=Leading())

    monkeypatch.setattr(runtime, "open_cluster", opened)
    told = environment(tmp_path)
    options = read_options(told, {})
    async with trio.open_nursery() as nursery:

        async def run() -> None:
            codes.append(await run_kube(options))

        nursery.start_soon(run)
        async with httpx.AsyncClient(base_url=f"http://127.0.0.1:{told['HTTP_PORT']}", timeout=5) as client:
            with trio.fail_after(20):
                while await _status(client, "/readyz") != httpx.codes.OK:  # noqa: ASYNC110 - a port tells nobody
                    await trio.sleep(0.05)
            assert await _status(client, "/livez") == httpx.codes.OK
        kube.broken.set()
    assert codes == [os.EX_SOFTWARE]
    assert kube.released
    said = [json.loads(line) for line in capfd.readouterr().err.splitlines()]
    assert said[-1]["error"] == "ZeroDivisionError: a bug"
    assert "Traceback" in said[-2]["exception"]


async def _status(client: httpx.AsyncClient, path: str) -> int | None:
    try:
        return (await client.get(path)).status_code
    except httpx.TransportError:
        return None

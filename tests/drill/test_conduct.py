"""Whole drills with real processes: a good cluster passes, whatever is wrong is found, and nothing is ever left."""

import contextlib
import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import tempfile
import time
from collections.abc import Awaitable, Callable, Iterator
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest
import trio
from rich.console import Console

from memgraph_ha.adapters.datadir import DataDir, open_data_dir
from memgraph_ha.adapters.memgraph.connection import BoltConnection, ConnectionLostError, QueryRefusedError
from memgraph_ha.core.names import Address
from memgraph_ha.drill.cluster import LocalCluster
from memgraph_ha.drill.conduct import conduct
from memgraph_ha.drill.demo import DemoOptions, run_demo
from memgraph_ha.drill.errors import DrillError
from memgraph_ha.drill.faults import is_stopped
from memgraph_ha.drill.pauses import FaultKind
from memgraph_ha.drill.plan import Plan, choose_ports
from memgraph_ha.drill.report import Report
from memgraph_ha.drill.results import DrillResult
from memgraph_ha.drill.waiting import until_protected
from memgraph_ha.runtime.usage import UsageError


@pytest.fixture(autouse=True)
def own_place(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[Path]:
    """Drills make their directories here, and afterwards no process works in it."""
    monkeypatch.setenv("TMPDIR", str(tmp_path))
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path))
    yield tmp_path
    assert processes_in(tmp_path) == []


def processes_in(place: Path) -> list[str]:
    """Living processes whose command line names the place."""
    found = []
    for process in psutil.process_iter(["cmdline", "status"]):
        words = process.info["cmdline"] or []
        if any(str(place) in word for word in words) and process.info["status"] != psutil.STATUS_ZOMBIE:
            found.append(" ".join(words))
    return found


def drill(
    *faults: FaultKind,
    sabotage: Callable[[Path], Awaitable[None]] | None = None,
    memgraph: Path | None = None,
    settle_s: float = 0.2,
) -> tuple[DrillResult, str]:
    """Do a short drill, with a saboteur beside it who knows its data directory; gives its result and what was shown."""
    out = io.StringIO()
    report = Report(Console(file=out, width=80))
    plan = Plan(
        title="test", faults=faults, writers=3, memgraph=memgraph, settle_s=(settle_s, settle_s), patience_s=30.0
    )

    async def both() -> DrillResult:
        async with trio.open_nursery() as nursery:
            if sabotage is not None:
                nursery.start_soon(sabotage, Path(tempfile.gettempdir()))
            result = await conduct(plan, report)
            nursery.cancel_scope.cancel()
        return result

    result = trio.run(both)
    report.closing(result)
    return result, out.getvalue()


async def running_cluster(place: Path) -> DataDir:
    """Wait until the drill's cluster is open for writes."""
    while True:
        for path in await trio.Path(place).glob("memgraph-ha-drill-*/data/record.json"):
            with contextlib.suppress(ValueError, OSError):  # not there yet
                if json.loads(await path.read_bytes())["record"]["standby"]:
                    return open_data_dir(Path(path.parent))
        await trio.sleep(0.02)


def test_a_good_cluster_passes_kill_and_stop(own_place: Path, capfd: pytest.CaptureFixture[str]) -> None:
    """Both faults are survived, every acknowledged write is everywhere, and not even a directory is left.

    Standard output is one JSON value, everything else goes to standard error.
    """
    code = trio.run(run_demo, DemoOptions(kills=1, stops=1, writers=3, as_json=True))
    out, err = capfd.readouterr()
    result = json.loads(out)
    ledger = result["ledger"]

    assert code == 0, err
    assert "Nothing lost" in err
    assert (result["passed"], result["complaints"]) == (True, [])
    assert [fault["kind"] for fault in result["faults"]] == ["kill", "stop"]
    assert all(fault["main"] != fault["new_main"] and fault["pause_s"] > 0 for fault in result["faults"])
    assert ledger["acknowledged"] > 0
    assert ledger["indeterminate"] <= 3 * 2
    assert len(ledger["instances"]) == 3
    assert all(found["rows"] >= ledger["acknowledged"] for found in ledger["instances"])
    assert list(own_place.iterdir()) == []


def test_a_write_that_vanished_is_found() -> None:
    """A write that somebody deletes behind the writers' back is lost on every instance; the evidence is kept."""

    async def delete_one(place: Path) -> None:
        datadir = await running_cluster(place)
        gateway = Address(f"127.0.0.1:{datadir.config.rw_port}")
        deleted = False
        while not deleted:
            connection = BoltConnection(gateway, auth=None, limiter=trio.CapacityLimiter(2), undelivered_s=5)
            with trio.move_on_after(5), contextlib.suppress(ConnectionLostError, QueryRefusedError):
                await connection.open()
                answer = await connection.ask("MATCH (w:Write {id: '1-0'}) DELETE w RETURN 1 AS one")
                deleted = bool(answer.rows)
            connection.close()
            await trio.sleep(0.01)

    result, shown = drill(sabotage=delete_one, settle_s=3.0)

    assert not result.passed
    assert result.findings is not None
    assert [found.lost for found in result.findings.instances] == [("1-0",)] * 3
    assert "memgraph-0: 1 acknowledged but missing: 1-0" in shown
    assert result.kept is not None
    assert (result.kept / "data" / "record.json").exists()


def test_a_controller_that_dies_ends_the_drill() -> None:
    """Nobody waits for a dead controller; the instances that it leaves behind are read back and stopped."""

    async def kill_controller(place: Path) -> None:
        [controller] = (await running_cluster(place)).controllers()
        os.kill(controller.pid, signal.SIGKILL)

    result, shown = drill(*[FaultKind.KILL] * 5, sabotage=kill_controller)

    assert result.trouble is not None
    assert "the controller ended with exit code -9" in result.trouble
    assert "controller.log ends:" in shown
    assert result.left == ()


def test_a_binary_that_is_no_memgraph_is_told_in_the_words_of_local() -> None:
    """The reason that `local` gave for not starting is part of the complaint, and soon."""
    began_s = time.monotonic()
    result, _ = drill(FaultKind.KILL, memgraph=Path("/bin/false"))

    assert result.trouble is not None
    assert "the controller ended with exit code 2" in result.trouble
    assert str(Path("/bin/false").resolve()) in result.trouble
    assert result.left == ()
    assert result.findings is None
    assert time.monotonic() - began_s < 25


def test_a_busy_port_is_a_usage_error(capfd: pytest.CaptureFixture[str]) -> None:
    """The error says who holds it; nothing is started, nothing is announced."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        options = DemoOptions(kills=1, port=taken.getsockname()[1])
        with pytest.raises(UsageError, match=rf"--port \d+ is in use by pid {os.getpid()} "):
            trio.run(run_demo, options)

    assert capfd.readouterr().out == ""


def test_a_missing_binary_is_a_usage_error(tmp_path: Path) -> None:
    """The path is named."""
    with pytest.raises(UsageError, match="nothing does not exist"):
        trio.run(run_demo, DemoOptions(kills=1, memgraph=tmp_path / "nothing"))


@pytest.mark.parametrize("signum", [signal.SIGINT, signal.SIGTERM])
def test_an_interrupted_demo_stops_everything(own_place: Path, signum: signal.Signals) -> None:
    """A signal in the middle ends it in order, with the exit code of one that was interrupted."""
    code = "import sys, trio; from memgraph_ha.drill.demo import *; sys.exit(trio.run(run_demo, DemoOptions(kills=50)))"
    with subprocess.Popen([sys.executable, "-c", code], stdout=subprocess.PIPE, text=True) as demo:
        assert demo.stdout is not None
        for line in demo.stdout:
            if "writers write through" in line:
                break
        assert len(processes_in(own_place)) >= 4
        demo.send_signal(signum)
        rest = demo.stdout.read()
        demo.wait(60)

    assert demo.returncode == 128 + signum, rest
    assert "everything was stopped, nothing is left" in rest
    assert list(own_place.iterdir()) == []


def test_a_stopped_process_is_seen_to_stand_still() -> None:
    """SIGSTOP is only over when every thread stands still."""
    code = "import threading; [threading.Thread(target=threading.Event().wait).start() for _ in range(3)]"
    with subprocess.Popen([sys.executable, "-c", code]) as process:
        assert not is_stopped(process.pid)
        process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, process.pid, os.WSTOPPED | os.WNOWAIT)
        deadline_s = time.monotonic() + 5
        while not is_stopped(process.pid):
            assert time.monotonic() < deadline_s
        process.send_signal(signal.SIGCONT)
        process.kill()


def test_what_is_left_is_found_killed_and_told(own_place: Path) -> None:
    """A controller that `local --stop` cannot know of, but that works on the cluster's data, does not stay."""

    async def start_and_stop() -> tuple[tuple[str, ...], int]:
        cluster = LocalCluster(own_place)
        ports = choose_ports(3, None)
        await cluster.start(["--instances=3", *ports.arguments()])
        with trio.fail_after(30):
            await until_protected(cluster, above=0, within_s=30)
        code = "import signal; signal.pause()"
        stray = await trio.lowlevel.open_process([sys.executable, "-c", code, "--data", str(cluster.data)])
        left = await cluster.stop()
        return left, await stray.wait()

    left, code = trio.run(start_and_stop)

    assert len(left) == 1
    assert re.match(r"process \d+ was left running: .*--data ", left[0])
    assert code == -signal.SIGKILL


def test_a_cluster_that_was_never_started_has_nothing_to_stop(own_place: Path) -> None:
    """Stopping is safe at any time; asking is an error that says why."""
    cluster = LocalCluster(own_place)

    assert trio.run(cluster.stop) == ()
    with pytest.raises(DrillError, match="the controller was not started"):
        trio.run(cluster.record)
    with pytest.raises(DrillError, match="there is no cluster in"):
        _ = cluster.gateway

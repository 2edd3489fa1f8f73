"""Instances outlive their controller, are adopted by the next, and are ended by `--stop`."""
# ruff: noqa: ASYNC220 - a test is the only task in its loop: starting a process delays nobody

import json
import os
import signal
import subprocess
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest

from memgraph_ha.adapters.datadir import DataDir, RunNote
from memgraph_ha.adapters.process_events import EventKind, RestartPolicy
from memgraph_ha.adapters.process_os import identify
from memgraph_ha.adapters.process_stop import Stopped, stop_everything
from tests.adapters import local_rig as rig
from tests.adapters.local_rig import M0, M1

_CONTROLLER = """
import sys, time, trio
from pathlib import Path
from memgraph_ha.adapters.datadir import open_data_dir
from memgraph_ha.adapters.process import ProcessPlatform

async def main():
    datadir = open_data_dir(Path(sys.argv[1]))
    platform = ProcessPlatform(datadir, clock=lambda: time.clock_gettime(time.CLOCK_BOOTTIME))
    with datadir.enlisted():
        await platform.start_all()
        print("started", flush=True)
        await platform.watch(lambda fact: None)

trio.run(main)
"""


@contextmanager
def controller(datadir: DataDir) -> Iterator["subprocess.Popen[str]"]:
    """Run a controller of this data directory as a process of its own."""
    command = [sys.executable, "-c", _CONTROLLER, str(datadir.path)]
    process = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, start_new_session=True)
    assert process.stdout is not None
    try:
        while (line := process.stdout.readline()) != "started\n":
            assert line, "the controller ended"
        yield process
    finally:
        process.kill()
        process.communicate()


def kill(process: "subprocess.Popen[str]") -> None:
    """End a controller by kill -9."""
    process.kill()
    process.wait()


@pytest.mark.trio
async def test_instances_outlive_a_killed_controller_and_are_adopted(tmp_path: Path) -> None:
    """After kill -9 of the controller the next has the same incarnations, and keeps them alive."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path))
    with controller(datadir) as first:
        before = sorted(process.pid for process in rig.processes(datadir) if process.pid != first.pid)
        kill(first)
    async with rig.running(datadir) as one:
        assert sorted(one.pid(spec.name) for spec in datadir.specs()) == before
        assert len(one.of_kind(EventKind.ADOPTED)) == 3
        incarnation = one.incarnation(M0)
        os.kill(one.pid(M0), signal.SIGKILL)
        await one.replaced(M0, incarnation)
        assert "its exit status is unknown" in one.of_kind(EventKind.ENDED)[0].detail
    assert rig.processes(datadir) == []


@pytest.mark.trio
@pytest.mark.parametrize("note", [None, b"", b"{}", b"garbage"])
async def test_an_instance_that_nobody_wrote_down_is_found(tmp_path: Path, note: bytes | None) -> None:
    """A controller killed between starting and writing down leaves no second process to be started."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path))
    with controller(datadir) as first:
        kill(first)
    file = datadir.specs()[0].place / "run.json"
    pid = json.loads(file.read_text())["pid"]
    file.unlink() if note is None else file.write_bytes(note)
    async with rig.running(datadir) as one:
        assert one.pid(M0) == pid
        assert json.loads(file.read_text())["pid"] == pid


@pytest.mark.trio
async def test_a_stale_note_is_no_instance(tmp_path: Path) -> None:
    """A pid that was used again, or belongs to another boot, is neither adopted nor ever signalled."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path))
    for spec in datadir.specs():
        (datadir.path / "instances").mkdir(exist_ok=True)
        spec.place.mkdir()
    with subprocess.Popen(["/bin/sleep", "60"]) as stranger:
        now = identify(stranger.pid)
        assert now is not None
        earlier = type(now)(pid=now.pid, start=now.start - 1, boot=now.boot, namespace=now.namespace)
        elsewhere = type(now)(pid=now.pid, start=now.start, boot="another", namespace=now.namespace)
        for spec, identity in zip(datadir.specs(), (earlier, elsewhere, now), strict=True):
            # The last has the right identity and the wrong arguments: not what was started.
            datadir.write_run(spec.name, RunNote(process=identity, argv=("memgraph", spec.data_argument)))
        async with rig.running(datadir) as one:
            assert stranger.pid not in {one.pid(spec.name) for spec in datadir.specs()}
        assert (await stop_everything(datadir)).instances == ()
        assert stranger.poll() is None
        stranger.kill()


@pytest.mark.trio
async def test_stopping_everything_ends_controllers_and_instances(tmp_path: Path) -> None:
    """`--stop` ends what runs, says what, and has nothing to do the second time."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path))
    with controller(datadir) as first, controller(datadir) as second:
        instances = {process.pid for process in rig.processes(datadir)} - {first.pid, second.pid}
        ended = await stop_everything(datadir, grace_s=2)
        assert set(ended.controllers) == {first.pid, second.pid}
        assert {pid for _, pid in ended.instances} == instances
        assert {name for name, _ in ended.instances} == {spec.name for spec in datadir.specs()}
        assert ended.left == ()
        assert first.wait(1) == second.wait(1) == -signal.SIGTERM
    assert rig.processes(datadir) == []
    assert await stop_everything(datadir) == Stopped(controllers=(), instances=(), left=())


@pytest.mark.trio
async def test_stopping_everything_ends_what_is_frozen(tmp_path: Path) -> None:
    """A frozen controller and frozen or deaf instances are no hindrance."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path), arguments=("--stand-in=deaf",))
    with controller(datadir) as first:
        first.send_signal(signal.SIGSTOP)
        psutil.Process(json.loads((datadir.specs()[0].place / "run.json").read_text())["pid"]).suspend()
        ended = await stop_everything(datadir, grace_s=0.3)
        assert len(ended.instances) == 3
        assert ended.controllers == (first.pid,)
    assert rig.processes(datadir) == []


@pytest.mark.trio
async def test_stopping_everything_after_the_controller_died(tmp_path: Path) -> None:
    """Instances that a killed controller left behind are ended too, and its listing is no hindrance."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path))
    with controller(datadir) as first:
        kill(first)
    assert len((await stop_everything(datadir)).instances) == 3
    assert rig.processes(datadir) == []


@pytest.mark.trio
async def test_a_surviving_child_of_a_wrapper_is_adopted(tmp_path: Path) -> None:
    """When only the wrapper script is killed, the real process that it started is the instance from then on."""
    binary = rig.stand_in(tmp_path)
    wrapper = rig.script(tmp_path / "wrapper", f'#!/bin/sh\n{binary} "$@"\nexit $?\n')
    datadir = rig.make_cluster(tmp_path, wrapper, count=1)
    async with rig.running(datadir, RestartPolicy(step_s=0.05)) as one:
        incarnation = one.incarnation(M0)
        (child,) = psutil.Process(one.pid(M0)).children()
        os.kill(one.pid(M0), signal.SIGKILL)
        await one.replaced(M0, incarnation)
        assert one.pid(M0) == child.pid
    assert rig.processes(datadir) == []


@pytest.mark.trio
async def test_a_controller_is_listed_while_it_runs(tmp_path: Path) -> None:
    """A living controller is listed, a killed one is not."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path))
    with controller(datadir) as first:
        assert [each.pid for each in datadir.controllers()] == [first.pid]
        with datadir.enlisted():
            assert {each.pid for each in datadir.controllers()} == {first.pid, os.getpid()}
        kill(first)
        assert datadir.controllers() == ()
    await stop_everything(datadir)
    assert M1 in {spec.name for spec in datadir.specs()}

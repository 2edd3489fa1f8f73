"""A rebuild puts aside what an instance stored: all of it or nothing, whenever its controller is killed."""
# ruff: noqa: ASYNC220, ASYNC240 - a test is the only task in its loop: small files and processes delay nobody

import json
import os
import re
import signal
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest
import trio

from memgraph_ha.adapters.datadir import DataDir
from memgraph_ha.adapters.process_argv import InstanceSpec
from memgraph_ha.adapters.process_events import EventKind, RestartPolicy
from memgraph_ha.core.commands import RebuildInstance
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.names import Incarnation, InstanceName
from tests.adapters import local_rig as rig
from tests.adapters.local_rig import M0, M1

STORED = ("snapshots", "text_indices", "wal")
STAYS = ("auth", "databases", "replication", "settings", "triggers")


def command(incarnation: Incarnation | None, name: InstanceName = M0, generation: int = 7) -> RebuildInstance:
    """Make the command."""
    assert incarnation is not None
    return RebuildInstance(instance=name, incarnation=incarnation, generation=generation)


def fill(data: Path) -> None:
    """Put into a data directory what Memgraph keeps there."""
    for name in (*STORED, *STAYS):
        (data / name).mkdir()
        (data / name / "file").write_text(name)


def asides(datadir: DataDir, ordinal: int = 0) -> list[Path]:
    """List what was put aside."""
    return sorted((datadir.specs()[ordinal].place / "aside").glob("*"))


def names(data: Path) -> set[str]:
    """List what a data directory holds."""
    return {entry.name for entry in data.iterdir()}


async def found(spec: InstanceSpec, *, lives: int) -> str:
    """Give what an instance's last life of so many found in its data directory when it began."""
    with trio.fail_after(5):
        while spec.log.read_text().count("found ") < lives:  # noqa: ASYNC110 - another process writes this
            await trio.sleep(0.01)
    return spec.log.read_text().splitlines()[-1].removeprefix("found ")


@pytest.mark.trio
@pytest.mark.parametrize("frozen", [False, True])
async def test_a_rebuilt_instance_starts_with_nothing_but_its_role(tmp_path: Path, frozen: bool) -> None:
    """What it stored is aside, dated and whole; role, accounts and settings stay; the next life comes at once."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path), count=2)
    spec = datadir.specs()[0]
    async with rig.running(datadir, RestartPolicy(step_s=60)) as one:
        fill(spec.data)
        before, other = one.incarnation(M0), one.incarnation(M1)
        if frozen:
            psutil.Process(one.pid(M0)).suspend()
        ended = await one.platform.rebuild(command(before))
        assert ended.outcome is Outcome.DONE, ended.detail
        await one.replaced(M0, before)
        assert one.incarnation(M1) == other
        assert names(spec.data) == set(STAYS)
        (aside,) = asides(datadir)
        assert re.fullmatch(r"\d{8}T\d{6}Z-gen7", aside.name)
        assert names(aside) == {*STORED, "rebuild.json"}
        assert all((aside / name / "file").read_text() == name for name in STORED)
        assert json.loads((aside / "rebuild.json").read_text())["incarnation"] == before
        assert not (spec.place / "rebuild.json").exists()
        assert await found(spec, lives=2) == str(sorted(STAYS))
        assert str(aside) in one.of_kind(EventKind.REBUILT)[0].detail
        kept = await one.platform.aside(M0)
        assert kept.count == 1
        assert kept.bytes == sum(path.stat().st_size for path in aside.rglob("*") if path.is_file())
        assert await one.platform.aside(M1) == type(kept)(count=0, bytes=0)


@pytest.mark.trio
async def test_every_rebuild_is_kept(tmp_path: Path) -> None:
    """Two rebuilds of one reign, within one second too, have a directory each."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path), count=1)
    async with rig.running(datadir) as one:
        for _ in range(3):
            (datadir.specs()[0].data / "wal").mkdir()
            before = one.incarnation(M0)
            assert (await one.platform.rebuild(command(before))).outcome is Outcome.DONE
            await one.replaced(M0, before)
        assert [names(aside) for aside in asides(datadir)] == [{"wal", "rebuild.json"}] * 3
        assert (await one.platform.aside(M0)).count == 3


@pytest.mark.trio
async def test_another_incarnation_is_left_alone(tmp_path: Path) -> None:
    """A late rebuild, for a process that was replaced, touches nothing; a repeated one is done already."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path), count=1)
    spec = datadir.specs()[0]
    async with rig.running(datadir) as one:
        first = one.incarnation(M0)
        os.kill(one.pid(M0), signal.SIGKILL)
        second = await one.replaced(M0, first)
        fill(spec.data)
        late = await one.platform.rebuild(command(first))
        assert late.outcome is Outcome.REFUSED
        assert second in late.detail
        assert (await one.platform.rebuild(command(first, InstanceName("other")))).outcome is Outcome.REFUSED
        assert names(spec.data) == {*STORED, *STAYS}
        assert one.incarnation(M0) == second
        assert (await one.platform.rebuild(command(second))).outcome is Outcome.DONE
        third = await one.replaced(M0, second)
        (spec.data / "wal").mkdir()
        assert (await one.platform.rebuild(command(second))).outcome is Outcome.DONE
        assert one.incarnation(M0) == third
        assert "wal" in names(spec.data)


@pytest.mark.trio
async def test_a_process_that_ended_is_rebuilt_too(tmp_path: Path) -> None:
    """While nobody came after that incarnation, the data is still its own; the next start is not delayed."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path), count=1)
    spec = datadir.specs()[0]
    async with rig.running(datadir, RestartPolicy(first_s=300)) as one:
        fill(spec.data)
        before = one.incarnation(M0)
        os.kill(one.pid(M0), signal.SIGKILL)
        await one.until(lambda: one.of_kind(EventKind.ENDED))
        assert (await one.platform.rebuild(command(before))).outcome is Outcome.DONE
        await one.replaced(M0, before)
        assert names(spec.data) == set(STAYS)


_CUT_OFF = """
import os, signal, sys, time, trio
from pathlib import Path
from memgraph_ha.adapters.datadir import open_data_dir
from memgraph_ha.adapters.process import ProcessPlatform
from memgraph_ha.adapters.process_os import incarnation_of
from memgraph_ha.core.commands import RebuildInstance

place, steps, names = Path(sys.argv[1]), int(sys.argv[2]), sys.argv[3:]
WATCHED = ("open", "os.mkdir", "os.rename", "os.remove", "os.rmdir", "os.chmod", "os.truncate")

def die_in_time(event, arguments):
    # Before the operation: what came before is done, this and what follows is not.
    global steps
    sends = event == "signal.pidfd_send_signal"
    if sends or (event in WATCHED and str(place) in str(arguments[0])):
        steps -= 1
        if steps < 0:
            os.kill(os.getpid(), signal.SIGKILL)

async def main():
    datadir = open_data_dir(place)
    clock = lambda: time.clock_gettime(time.CLOCK_BOOTTIME)
    platform = ProcessPlatform(datadir, clock=clock, notice=lambda event: None)
    await platform.start_all(settle_s=20)
    for name in names:
        (datadir.specs()[0].data / name).mkdir()
        (datadir.specs()[0].data / name / "file").write_text(name)
    incarnation = incarnation_of(datadir.read_run("memgraph-0").process)
    print(incarnation, flush=True)
    command = RebuildInstance(instance="memgraph-0", incarnation=incarnation, generation=7)
    sys.addaudithook(die_in_time)
    print((await platform.rebuild(command)).outcome.value)

trio.run(main)
"""


def rebuild_and_die(datadir: DataDir, steps: int) -> list[str]:
    """Run a controller that starts an instance with data and rebuilds it, and is killed right before a step.

    Gives the incarnation that it started, and what the rebuild answered if it came to its end.
    """
    command = [sys.executable, "-c", _CUT_OFF, str(datadir.path), str(steps), *STORED, *STAYS]
    done = subprocess.run(command, capture_output=True, text=True, check=False)
    assert done.returncode in (0, -signal.SIGKILL), done.stderr
    return done.stdout.split()


@pytest.mark.trio
async def test_a_controller_may_be_killed_between_any_two_steps(tmp_path: Path) -> None:
    """Whatever step is the last, the next controller starts on all of the data or on none of it, and loses nothing."""
    binary = rig.stand_in(tmp_path)
    outcomes: list[bool] = []
    answered: list[str] = []
    for steps in range(200):
        place = tmp_path / str(steps)
        place.mkdir()
        datadir = rig.make_cluster(place, binary, count=1)
        spec = datadir.specs()[0]
        before, *answered = rebuild_and_die(datadir, steps)
        async with rig.running(datadir) as second:
            rebuilt = await second.replaced(M0, None) != before
            assert not (spec.place / "rebuild.json").exists()
            assert (names(spec.data) & set(STORED)) == (set() if rebuilt else set(STORED))
            if rebuilt:
                (aside,) = asides(datadir)
                assert all((aside / name / "file").read_text() == name for name in STORED)
                assert await found(spec, lives=2) == str(sorted(STAYS))
        outcomes.append(rebuilt)
        if answered:
            break
    assert answered == ["done"]
    # Cut off early nothing was done, cut off late it was finished; never the one after the other.
    assert outcomes == sorted(outcomes)
    assert {*outcomes[:-1]} == {False, True}


@pytest.mark.trio
async def test_nothing_is_moved_while_anybody_uses_the_data(tmp_path: Path) -> None:
    """Where another process on the same data outlives the kill, its data stays, and the order is withdrawn."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path), count=1)
    spec = datadir.specs()[0]
    async with rig.running(datadir) as one:
        fill(spec.data)
        before = one.incarnation(M0)
        other = [sys.executable, "-c", "import signal; signal.pause()", spec.data_argument]
        with subprocess.Popen(other, start_new_session=True) as stranger:
            ended = await one.platform.rebuild(command(before))
            assert ended.outcome is Outcome.UNKNOWN
            assert "still there" in ended.detail
            await one.replaced(M0, before)
            assert one.pid(M0) == stranger.pid
            assert {*STORED, *STAYS} <= names(spec.data)
            assert not (spec.place / "rebuild.json").exists()
            stranger.kill()
        await one.replaced(M0, one.incarnation(M0))
        assert {*STORED, *STAYS} <= names(spec.data)
        assert asides(datadir) == []


@pytest.mark.trio
async def test_a_disk_that_takes_nothing_refuses_before_anybody_is_ended(tmp_path: Path) -> None:
    """Where no place can be made, the process lives on, and the refusal names the path."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path), count=1)
    spec = datadir.specs()[0]
    async with rig.running(datadir) as one:
        fill(spec.data)
        (spec.place / "aside").write_text("a file")
        before = one.incarnation(M0)
        ended = await one.platform.rebuild(command(before))
        assert ended.outcome is Outcome.REFUSED
        assert str(spec.place / "aside") in ended.detail
        assert psutil.Process(one.pid(M0)).is_running()
        assert one.incarnation(M0) == before
        assert names(spec.data) == {*STORED, *STAYS}


@pytest.mark.trio
async def test_data_on_another_disk_is_refused_before_anybody_is_ended(tmp_path: Path) -> None:
    """What cannot be renamed from disk to disk is not half moved: it is refused, and the way out is the path."""
    shared = Path("/dev/shm")  # noqa: S108 - another file system is wanted, whichever
    if not shared.is_dir() or shared.stat().st_dev == tmp_path.stat().st_dev:
        pytest.skip("there is no second file system here")
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path), count=1)
    spec = datadir.specs()[0]
    elsewhere = shared / f"memgraph-ha-test-{os.getpid()}"
    elsewhere.mkdir()
    try:
        fill(elsewhere)
        spec.place.mkdir(parents=True)
        spec.data.symlink_to(elsewhere)
        async with rig.running(datadir) as one:
            before = one.incarnation(M0)
            ended = await one.platform.rebuild(command(before))
            assert ended.outcome is Outcome.REFUSED
            assert f"{spec.data / 'snapshots'}" in ended.detail
            assert one.incarnation(M0) == before
            assert asides(datadir) == []
    finally:
        for path in sorted(elsewhere.rglob("*"), reverse=True):
            path.unlink() if path.is_file() else path.rmdir()
        elsewhere.rmdir()


@pytest.mark.trio
@pytest.mark.parametrize("order", ["", "garbage", '{"incarnation": "1:2:3", "generation": 1, "into": "../../x"}'])
async def test_an_order_that_makes_no_sense_keeps_the_instance_down(tmp_path: Path, order: str) -> None:
    """Half of its data may be aside: it is not started until a human has looked, and is then at once."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path), count=1)
    spec = datadir.specs()[0]
    spec.place.mkdir(parents=True)
    (spec.place / "rebuild.json").write_text(order)
    async with rig.running(datadir, RestartPolicy(step_s=0.02, most_s=0.02), start=False) as one:
        await one.until(lambda: len(one.of_kind(EventKind.NOT_STARTED)) > 1)
        assert str(spec.place / "rebuild.json") in one.of_kind(EventKind.NOT_STARTED)[0].detail
        assert one.incarnation(M0) is None
        (spec.place / "rebuild.json").unlink()
        await one.replaced(M0, None)


@pytest.mark.trio
async def test_an_order_that_makes_no_sense_does_not_hinder_who_lives(tmp_path: Path) -> None:
    """Where a process lives there is nothing to finish: it is adopted, and the order is gone."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path), count=1)
    async with rig.running(datadir) as one:
        (datadir.specs()[0].place / "rebuild.json").write_text("garbage")
        async with rig.running(datadir, stop=False) as two:
            assert two.incarnation(M0) == one.incarnation(M0)
        assert not (datadir.specs()[0].place / "rebuild.json").exists()


@pytest.mark.trio
async def test_an_order_for_an_earlier_process_is_withdrawn(tmp_path: Path) -> None:
    """When another process ran since (by an older version, say), its data is not touched."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path), count=1)
    spec = datadir.specs()[0]
    async with rig.running(datadir) as one:
        before = one.incarnation(M0)
    fill(spec.data)
    (spec.place / "aside" / "there").mkdir(parents=True)
    order = {"incarnation": f"{before}0", "generation": 1, "into": "there"}
    (spec.place / "rebuild.json").write_text(json.dumps(order))
    async with rig.running(datadir) as two:
        assert two.incarnation(M0) is not None
        assert names(spec.data) == {*STORED, *STAYS}
        assert not (spec.place / "rebuild.json").exists()
        assert asides(datadir) == []


@pytest.mark.trio
async def test_who_was_not_written_down_is_nobodys_successor(tmp_path: Path) -> None:
    """On a full disk the process before is forgotten, so that a late rebuild of it touches nobody else's data."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path), count=1)
    spec = datadir.specs()[0]
    async with rig.running(datadir, RestartPolicy(first_s=300)) as one:
        first = one.incarnation(M0)
    (spec.place / "run.json.new").mkdir()  # nothing can be written there, as on a full disk
    async with rig.running(datadir, RestartPolicy(first_s=300)) as two:
        fill(spec.data)
        second = two.incarnation(M0)
        assert not (spec.place / "run.json").exists()
        refused = await two.platform.rebuild(command(second))
        assert refused.outcome is Outcome.REFUSED
        assert "run.json.new" in refused.detail
        assert two.incarnation(M0) == second
        os.kill(two.pid(M0), signal.SIGKILL)
        await two.until(lambda: two.of_kind(EventKind.ENDED))
        for incarnation in (first, second):
            assert (await two.platform.rebuild(command(incarnation))).outcome is Outcome.REFUSED
        assert names(spec.data) == {*STORED, *STAYS}


@pytest.mark.trio
async def test_what_cannot_be_finished_is_not_started(tmp_path: Path) -> None:
    """While a begun rebuild cannot be finished, the path is told and nothing runs; then it is finished and starts."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path), count=1)
    spec = datadir.specs()[0]
    async with rig.running(datadir) as one:
        ended = one.incarnation(M0)
    fill(spec.data)
    (spec.place / "aside").mkdir()
    blocked = spec.place / "aside" / "there"
    blocked.write_text("in the way")
    (spec.place / "rebuild.json").write_text(json.dumps({"incarnation": ended, "generation": 1, "into": "there"}))
    async with rig.running(datadir, RestartPolicy(step_s=0.02, most_s=0.02), start=False) as two:
        await two.until(lambda: len(two.of_kind(EventKind.NOT_STARTED)) > 1)
        assert str(blocked) in two.of_kind(EventKind.NOT_STARTED)[0].detail
        assert names(spec.data) == {*STORED, *STAYS}
        blocked.unlink()
        await two.replaced(M0, None)
        assert names(spec.data) == set(STAYS)
        assert names(blocked) == {*STORED, "rebuild.json"}

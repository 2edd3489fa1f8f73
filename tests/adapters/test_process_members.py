"""The number of instances changes while they run; who was a member once never comes back as if it were current."""

import os
import re
import signal
import socket
import subprocess
import sys
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest
import trio

from memgraph_ha.adapters.datadir import DataDir, open_data_dir
from memgraph_ha.adapters.process_events import EventKind, RestartPolicy
from memgraph_ha.adapters.process_members import MembersError
from memgraph_ha.adapters.process_stop import living_in, stop_everything
from memgraph_ha.core.names import InstanceName
from tests.adapters import local_rig as rig
from tests.adapters.local_rig import M0, M1, M2

M3, M4 = InstanceName("memgraph-3"), InstanceName("memgraph-4")


def make(place: Path, count: int = 3) -> DataDir:
    """Make a cluster that may grow to six."""
    return rig.make_plan(place, rig.stand_in(place), count=count, room=6)


def members(one: rig.Watched) -> list[str]:
    """List the members last reported."""
    return [each.name for each in one.members[-1].members]


def living(one: rig.Watched) -> bool:
    """Whether every member last reported has a process."""
    return all(each.incarnation is not None for each in one.members[-1].members)


def leave_running(datadir: DataDir, name: InstanceName) -> "subprocess.Popen[bytes]":
    """Start an instance that no controller of this test knows of."""
    spec = next(each for each in datadir.specs() if each.name == name)
    datadir.prepare(spec)
    command = [sys.executable, "-c", "import signal; signal.pause()", spec.data_argument]
    return subprocess.Popen(command, start_new_session=True)


@pytest.mark.trio
async def test_three_to_five_to_two_to_three(tmp_path: Path) -> None:
    """New ones get the next names and ports, the last are ended and kept aside, and whoever returns is empty."""
    datadir = make(tmp_path)
    async with rig.running(datadir) as one:
        before = {name: one.incarnation(name) for name in (M0, M1)}
        assert await one.platform.change_members(5) == (M0, M1, M2, M3, M4)
        await one.until(lambda: len(members(one)) == 5 and living(one))
        first, last = one.members[-1].members[0], one.members[-1].members[4]
        assert int(last.bolt.rpartition(":")[2]) == int(first.bolt.rpartition(":")[2]) + 4
        assert [spec.name for spec in open_data_dir(datadir.path).specs()] == [M0, M1, M2, M3, M4]
        for spec in open_data_dir(datadir.path).specs():
            (spec.data / f"of {spec.name}").touch()

        assert await one.platform.change_members(2) == (M0, M1)
        await one.until(lambda: members(one) == [M0, M1])
        assert len(rig.processes(datadir)) == 2
        assert sorted(place.name for place in (datadir.path / "instances").iterdir()) == [M0, M1]
        kept = sorted((datadir.path / "former").iterdir())
        assert [re.sub(r"\d{8}T\d{6}Z", "DATE", place.name) for place in kept] == [f"{n}-DATE" for n in (M2, M3, M4)]
        assert [(place / "data" / f"of {place.name[:10]}").exists() for place in kept] == [True] * 3
        assert (await one.platform.former()).count == 3

        assert await one.platform.change_members(3) == (M0, M1, M2)
        await one.until(lambda: members(one) == [M0, M1, M2] and living(one))
        assert list(open_data_dir(datadir.path).specs()[2].data.iterdir()) == []
        assert {name: one.incarnation(name) for name in (M0, M1)} == before
        old = one.incarnation(M2)
        os.kill(one.pid(M2), signal.SIGKILL)
        await one.replaced(M2, old)
    assert rig.processes(datadir) == []


@pytest.mark.trio
async def test_those_that_may_be_main_stay(tmp_path: Path) -> None:
    """Fewer than two, and the removal of one that is in use, are refused in words, and nothing is changed."""
    datadir = make(tmp_path)
    async with rig.running(datadir) as one:
        for count in (1, 0, -1, 33):
            with pytest.raises(MembersError, match=f"{count} instances: a cluster has 2 to 32"):
                await one.platform.change_members(count)
        with pytest.raises(MembersError, match="memgraph-2 would be removed and is in use"):
            await one.platform.change_members(2, keep=(M0, M2))
        assert await one.platform.change_members(3, keep=(M0, M2)) == (M0, M1, M2)
        assert len(rig.processes(datadir)) == 3
        assert open_data_dir(datadir.path) == datadir


@pytest.mark.trio
async def test_a_busy_port_of_a_new_instance_is_named(tmp_path: Path) -> None:
    """The refusal says which port, whose it would be and who holds it; the cluster stays as it was."""
    datadir = make(tmp_path, 2)
    busy = datadir.config.instances[0].ports.replication + 3
    async with rig.running(datadir) as one:
        with socket.create_server(("127.0.0.1", busy)):
            with pytest.raises(MembersError) as raised:
                await one.platform.change_members(4)
            assert f"port {busy} (memgraph-3's replication) is in use by pid {os.getpid()}" in str(raised.value)
            assert await one.platform.change_members(3) == (M0, M1, M2)
        assert await one.platform.change_members(4) == (M0, M1, M2, M3)
        await one.until(lambda: len(members(one)) == 4 and living(one))


@pytest.mark.trio
async def test_ports_that_are_given_already_are_refused(tmp_path: Path) -> None:
    """Where the next port in a row is another instance's, the refusal names both users."""
    datadir = rig.make_plan(tmp_path, rig.stand_in(tmp_path), count=2, room=2)
    async with rig.running(datadir) as one:
        with pytest.raises(MembersError, match=r"is given to memgraph-\d's \w+ and to memgraph-\d's \w+"):
            await one.platform.change_members(3)
        assert open_data_dir(datadir.path) == datadir


@pytest.mark.trio
async def test_a_removal_that_was_cut_off_is_finished_by_the_next(tmp_path: Path) -> None:
    """Once cluster.json is written, whoever watches next ends the former members and puts their places away."""
    datadir = make(tmp_path)
    with leave_running(datadir, M2) as left:
        smaller = datadir.rewritten(datadir.config.resized(2))
        async with rig.running(smaller) as one:
            with trio.fail_after(10):
                await trio.to_thread.run_sync(left.wait)
                while smaller.strays():  # noqa: ASYNC110 - nobody reports this
                    await trio.sleep(0.02)
            assert members(one) == [M0, M1]
            assert [place.name[:10] for place in smaller.former.iterdir()] == [M2]


@pytest.mark.trio
async def test_growing_waits_for_what_a_cut_off_removal_left(tmp_path: Path) -> None:
    """A former member's process and data are out of the way before a new instance gets its name."""
    datadir = make(tmp_path)
    with leave_running(datadir, M2) as left:
        (datadir.specs()[2].data / "old").touch()
        smaller = datadir.rewritten(datadir.config.resized(2))
        one = rig.Watched(smaller)
        assert await one.platform.change_members(3) == (M0, M1, M2)
        assert left.wait(1) == -signal.SIGTERM
        assert [(place / "data" / "old").exists() for place in smaller.former.iterdir()] == [True]
    async with rig.running(open_data_dir(datadir.path)) as two:
        assert living(two)
        assert list(datadir.specs()[2].data.iterdir()) == []


@pytest.mark.trio
async def test_a_frozen_or_deaf_member_is_removed_too(tmp_path: Path) -> None:
    """Who is stopped is woken to end; the others never notice."""
    datadir = make(tmp_path)
    async with rig.running(datadir) as one:
        psutil.Process(one.pid(M2)).suspend()
        with trio.fail_after(8):
            await one.platform.change_members(2)
        assert len(rig.processes(datadir)) == 2
        assert one.of_kind(EventKind.STARTED)[3:] == []


@pytest.mark.trio
async def test_another_controller_does_not_revive_who_was_removed(tmp_path: Path) -> None:
    """A controller that stood still, and so knows the old members, starts none of them again."""
    datadir = make(tmp_path)
    async with rig.running(datadir) as one, rig.running(datadir, RestartPolicy(step_s=0.01), stop=False) as stale:
        await one.platform.change_members(2)
        await stale.until(lambda: stale.of_kind(EventKind.NOT_STARTED))
        assert "memgraph-2 is no member" in stale.of_kind(EventKind.NOT_STARTED)[0].detail
        assert len(rig.processes(datadir)) == 2
        assert datadir.path / "instances" / M2 not in open_data_dir(datadir.path).strays()
        async with rig.running(datadir, stop=False) as third:  # as the stale one when it leads again
            assert members(third) == [M0, M1]


@pytest.mark.trio
async def test_two_changes_at_the_same_time_agree(tmp_path: Path) -> None:
    """Changes come one after the other; in the end reports, processes and cluster.json say the same."""
    datadir = make(tmp_path)
    async with rig.running(datadir) as one:
        async with trio.open_nursery() as nursery:
            for count in (5, 2, 4):
                nursery.start_soon(one.platform.change_members, count)
        await one.until(lambda: living(one))
        config = open_data_dir(datadir.path).config
        assert members(one) == [each.name for each in config.instances]
        assert len(rig.processes(datadir)) == len(config.instances)
        assert (datadir.path / "instances" / M1).exists()


@pytest.mark.trio
async def test_stopping_everything_ends_former_members_too(tmp_path: Path) -> None:
    """`--stop` leaves nothing running that a cut-off removal left."""
    datadir = make(tmp_path)
    with leave_running(datadir, M2) as left:
        smaller = datadir.rewritten(datadir.config.resized(2))
        ended = await stop_everything(smaller, grace_s=2)
        assert ended.instances == ((M2, left.pid),)
        assert living_in(smaller.path / "instances" / M2) == ()

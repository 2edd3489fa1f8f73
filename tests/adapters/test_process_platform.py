"""The local platform keeps real processes alive, reports them, and ends them."""
# ruff: noqa: ASYNC240 - a test is the only task in its loop: blocking for a small file delays nobody

import json
import os
import signal
from pathlib import Path

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest
import trio
import trio.testing

from memgraph_ha.adapters.process_events import EventKind, RestartPolicy
from memgraph_ha.core.commands import StopInstance
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.names import Incarnation, InstanceName
from tests.adapters import local_rig as rig
from tests.adapters.local_rig import M0, M1


def stop(name: InstanceName, incarnation: Incarnation) -> StopInstance:
    """Make the command."""
    return StopInstance(instance=name, incarnation=incarnation, generation=1)


@pytest.mark.trio
async def test_instances_start_in_places_of_their_own(tmp_path: Path) -> None:
    """Each instance runs with its own flags, session, private directory, init file and written-down process."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path))
    async with rig.running(datadir) as one:
        members = one.members[-1].members
        assert one.members[-1].cluster == datadir.config.cluster
        assert [member.name for member in members] == [each.name for each in datadir.config.instances]
        for member, spec in zip(members, datadir.specs(), strict=True):
            process = psutil.Process(one.pid(member.name))
            assert f"--bolt-port={spec.ports.bolt}" in process.cmdline()
            assert member.bolt == f"127.0.0.1:{spec.ports.bolt}"
            assert member.replication == f"127.0.0.1:{spec.ports.replication}"
            assert os.getsid(process.pid) == process.pid
            assert spec.place.stat().st_mode & 0o777 == 0o700
            assert f"REPLICA WITH PORT {spec.ports.replication};" in spec.init_file.read_text()
            note = json.loads((spec.place / "run.json").read_text())
            assert f"{note['pid']}:{note['start']}:{note['boot']}" == member.incarnation


@pytest.mark.trio
async def test_a_killed_instance_is_reported_and_replaced_at_once(tmp_path: Path) -> None:
    """A death is reported within moments as no incarnation, the next life as another one, and no zombie stays."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path))
    async with rig.running(datadir) as one:
        before, others = one.incarnation(M0), one.incarnation(M1)
        killed_s = rig.now_s()
        os.kill(one.pid(M0), signal.SIGKILL)
        await one.until(lambda: one.incarnation(M0) is None)
        assert one.members[-1].at_s - killed_s < 1
        await one.replaced(M0, before)
        assert one.members[-1].at_s - killed_s < 3
        assert one.incarnation(M1) == others
        assert len(rig.processes(datadir)) == 3
        assert "killed by SIGKILL" in one.of_kind(EventKind.ENDED)[0].detail


@pytest.mark.trio
async def test_rounds_of_death_leak_nothing(tmp_path: Path) -> None:
    """After many deaths this process has as many descriptors, threads and children as before."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path))
    async with rig.running(datadir) as one:
        me = psutil.Process()
        counts: list[tuple[int, int]] = []
        for _ in range(8):
            incarnation = one.incarnation(M0)
            os.kill(one.pid(M0), signal.SIGKILL)
            await one.replaced(M0, incarnation)
            await trio.testing.wait_all_tasks_blocked()
            counts.append((me.num_fds(), len(me.children())))
        assert counts[-1] == counts[0]


@pytest.mark.trio
@pytest.mark.parametrize("frozen", [False, True])
async def test_stop_ends_that_incarnation_and_it_is_started_again(tmp_path: Path, frozen: bool) -> None:
    """A stop ends a running or frozen process by SIGKILL before it answers, and counts as no failure."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path))
    async with rig.running(datadir, RestartPolicy(step_s=60)) as one:
        for _ in range(3):
            incarnation = one.incarnation(M0)
            assert incarnation is not None
            process = psutil.Process(one.pid(M0))
            if frozen:
                process.suspend()
            ended = await one.platform.stop(stop(M0, incarnation))
            assert ended.outcome is Outcome.DONE
            assert not process.is_running() or process.status() == psutil.STATUS_ZOMBIE
            await one.replaced(M0, incarnation)


@pytest.mark.trio
async def test_stop_touches_no_other_incarnation(tmp_path: Path) -> None:
    """A late stop, for a process that was replaced meanwhile, is done without harm; a stop of nobody is refused."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path), count=1)
    async with rig.running(datadir) as one:
        old = one.incarnation(M0)
        assert old is not None
        os.kill(one.pid(M0), signal.SIGKILL)
        new = await one.replaced(M0, old)
        assert (await one.platform.stop(stop(M0, old))).outcome is Outcome.DONE
        assert (await one.platform.stop(stop(M1, old))).outcome is Outcome.REFUSED
        await trio.sleep(0.1)
        assert one.incarnation(M0) == new


@pytest.mark.trio
async def test_stop_reaches_through_a_wrapper_script(tmp_path: Path) -> None:
    """Where the binary is a script that waits for the real one, a stop is done only when that one is gone too."""
    binary = rig.stand_in(tmp_path)
    wrapper = rig.script(tmp_path / "wrapper", f'#!/bin/sh\n{binary} "$@"\nexit $?\n')
    datadir = rig.make_cluster(tmp_path, wrapper, count=1)
    async with rig.running(datadir, RestartPolicy(first_s=60)) as one:
        incarnation = one.incarnation(M0)
        assert incarnation is not None
        assert len(rig.processes(datadir)) == 2
        ended = await one.platform.stop(stop(M0, incarnation))
        assert ended.outcome is Outcome.DONE
        await one.until(lambda: one.of_kind(EventKind.ENDED))
        assert rig.processes(datadir) == []


@pytest.mark.trio
async def test_what_fails_again_and_again_is_slowed_down_and_quoted(tmp_path: Path) -> None:
    """An instance that cannot live is started again at ever longer intervals, and its last words are told."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path), count=1, arguments=("--stand-in=fails",))
    async with rig.running(datadir, RestartPolicy(step_s=0.4, most_s=0.6), start=False) as one:
        await one.until(lambda: len(one.of_kind(EventKind.ENDED)) == 5)
        ended = one.of_kind(EventKind.ENDED)
        began = one.of_kind(EventKind.STARTED)
        pauses_s = [start.at_s - end.at_s for end, start in zip(ended, began[1:], strict=False)]
        assert [pause_s > least_s for pause_s, least_s in zip(pauses_s, [0, 0.4, 0.6, 0.6], strict=True)] == [True] * 4
        assert pauses_s[0] < 0.4
        assert "exit status 3" in ended[0].detail
        assert "bad things | Couldn't load a library" in ended[0].detail
        assert ended[4].detail.count("first words") == 1


def test_the_pause_grows_to_its_limit() -> None:
    """The default pauses are those of the documentation."""
    delays = [RestartPolicy().delay_s(ends) for ends in (0, 1, 2, 3, 4, 8, 9, 1000)]
    assert delays == [0, 0, 0.1, 0.2, 0.4, 6.4, 10, 10]


@pytest.mark.trio
async def test_a_start_that_is_impossible_for_now_is_tried_again(tmp_path: Path) -> None:
    """When the binary vanishes the operator is told, and when it is back the instance runs."""
    binary = Path(rig.stand_in(tmp_path))
    datadir = rig.make_cluster(tmp_path, str(binary), count=1)
    async with rig.running(datadir, RestartPolicy(step_s=0.05, most_s=0.05)) as one:
        before = one.incarnation(M0)
        away = binary.rename(tmp_path / "away")
        os.kill(one.pid(M0), signal.SIGKILL)
        await one.until(lambda: one.of_kind(EventKind.NOT_STARTED))
        assert str(binary) in one.of_kind(EventKind.NOT_STARTED)[0].detail
        away.rename(binary)
        await one.replaced(M0, before)


@pytest.mark.trio
async def test_two_platforms_start_each_instance_once(tmp_path: Path) -> None:
    """Two controllers on one data directory agree on one process for each instance, through many deaths."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path))
    async with rig.running(datadir) as one, rig.running(datadir, stop=False) as two:
        assert one.members[-1].members == two.members[-1].members
        for _ in range(6):
            before = one.incarnation(M0)
            os.kill(one.pid(M0), signal.SIGKILL)
            after = await one.replaced(M0, before)
            assert await two.replaced(M0, before) == after
            assert len(rig.processes(datadir)) == 3
    await two.platform.shut_down(0)  # waits for those of its children that the other ended
    assert rig.processes(datadir) == []


@pytest.mark.trio
async def test_shutting_down_leaves_nothing(tmp_path: Path) -> None:
    """Running, frozen and deaf instances are all ended, and stay ended although they were supervised."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path), arguments=("--stand-in=deaf",))
    async with rig.running(datadir) as one:
        psutil.Process(one.pid(M1)).suspend()
        began_s = rig.now_s()
        assert await one.platform.shut_down(0.3) == ()
        assert 0.3 <= rig.now_s() - began_s < 4
        await one.until(lambda: [member.incarnation for member in one.members[-1].members] == [None] * 3)
        await trio.sleep(0.2)
        assert rig.processes(datadir) == []


@pytest.mark.trio
async def test_a_polite_end_is_waited_for(tmp_path: Path) -> None:
    """Who ends on SIGTERM, even if it was frozen, does not cost the whole grace."""
    datadir = rig.make_cluster(tmp_path, rig.stand_in(tmp_path))
    async with rig.running(datadir) as one:
        psutil.Process(one.pid(M1)).suspend()
        began_s = rig.now_s()
        assert await one.platform.shut_down(30) == ()
        assert rig.now_s() - began_s < 10
    assert rig.processes(datadir) == []

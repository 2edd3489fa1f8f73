"""`KubePlatform` while the API server stands still, or is gone."""

import os
import signal
import time
from pathlib import Path

import pytest
import trio

from memgraph_ha.adapters.kubernetes.errors import GoneError
from memgraph_ha.adapters.kubernetes.watching import Mirror, Selection
from memgraph_ha.core.commands import RebuildInstance, StopInstance
from memgraph_ha.core.facts import Outcome
from memgraph_ha.runtime.clock import boottime
from tests.kube.api.pods_rig import last, life, member, rig_on
from tests.kube.api_server import ApiServer

pytestmark = [pytest.mark.kube, pytest.mark.trio]

FROZEN_S = 12.0


def kill(server: ApiServer) -> None:
    """Kill the API server, but not its store."""
    assert server.apiserver_pid is not None
    os.kill(server.apiserver_pid, signal.SIGKILL)


async def test_a_frozen_api_server_takes_nobody_away(kube_api_alone: ApiServer, tmp_path: Path) -> None:
    """Members stay as they were, commands end by their deadline, and what happened meanwhile is seen at once after."""
    async with rig_on(kube_api_alone.kubeconfig, tmp_path) as rig, trio.open_nursery() as nursery:
        nursery.start_soon(rig.platform(watch_s=2).watch, rig.told)
        await rig.all_up()
        before, facts = last(rig.told.facts), len(rig.told.facts)
        incarnation, name = life(before, "db-0"), member(before, "db-0").name
        commander = rig.platform(rig.another_client(), deadline_s=2.0)
        with kube_api_alone.frozen():
            began_s = time.monotonic()
            stopped = await commander.stop(StopInstance(instance=name, incarnation=incarnation, generation=1))
            took_s = time.monotonic() - began_s
            rebuilt = await commander.rebuild(RebuildInstance(instance=name, incarnation=incarnation, generation=1))
            await trio.sleep(max(0.0, FROZEN_S - (time.monotonic() - began_s)))
            assert rig.told.facts[facts:] == []
        assert took_s < 3
        assert stopped.outcome in (Outcome.UNKNOWN, Outcome.NOT_SENT)
        assert rebuilt.outcome in (Outcome.UNKNOWN, Outcome.NOT_SENT)
        await rig.world.kill("db-1")
        woken_s = time.monotonic()
        await rig.seen(
            lambda seen: member(seen, "db-1").incarnation not in (None, life(before, "db-1")),
            "the change is seen",
            after=facts,
        )
        assert time.monotonic() - woken_s < 8
        nursery.cancel_scope.cancel()


async def test_a_server_that_was_killed_is_found_again(kube_api_alone: ApiServer, tmp_path: Path) -> None:
    """While it is gone nobody is reported gone; once it is back, so is the watch."""
    async with rig_on(kube_api_alone.kubeconfig, tmp_path) as rig, trio.open_nursery() as nursery:
        nursery.start_soon(rig.platform(watch_s=2).watch, rig.told)
        await rig.all_up()
        before, facts = last(rig.told.facts), len(rig.told.facts)
        kill(kube_api_alone)
        name, incarnation = member(before, "db-0").name, life(before, "db-0")
        await trio.sleep(1)
        ended = await rig.platform(rig.another_client()).stop(
            StopInstance(instance=name, incarnation=incarnation, generation=1)
        )
        assert ended.outcome is Outcome.NOT_SENT
        assert "refused" in ended.detail.lower()
        await trio.sleep(2)
        assert rig.told.facts[facts:] == []
        await trio.to_thread.run_sync(kube_api_alone.start)
        await rig.world.kill("db-1")
        await rig.seen(
            lambda seen: member(seen, "db-1").incarnation not in (None, life(before, "db-1")),
            "the change is seen",
            after=facts,
        )
        nursery.cancel_scope.cancel()


async def test_a_version_that_is_too_old_is_a_gap_and_everything_is_listed_again(
    kube_api_alone: ApiServer, tmp_path: Path
) -> None:
    """The server's 410 is told apart from an outage, and a watch goes on after it with what there is."""
    async with rig_on(kube_api_alone.kubeconfig, tmp_path) as rig:
        await rig.until(lambda: len(rig.world.lives) == 3, "all pods run")
        kill(kube_api_alone)
        await trio.to_thread.run_sync(kube_api_alone.start)  # it knows only what came since
        told: list[int] = []
        selection = Selection.pods(rig.world.client.namespace, "app=db", "pods")
        mirror = Mirror(rig.world.client, selection, lambda objects: told.append(len(objects)), clock=boottime)
        with pytest.raises(GoneError):
            await mirror._follow("1")
        real = mirror._list

        async def once_old() -> str:
            version = await real()
            return "1" if len(told) == 1 else version

        mirror._list = once_old  # type: ignore[method-assign]  # the list is fine, its version forgotten
        async with trio.open_nursery() as nursery:
            nursery.start_soon(mirror.run)
            await rig.until(lambda: len(told) >= 2, "it was listed again")
            await rig.world.add_pod("more", None)
            await rig.until(lambda: told[-1] == 4, "the watch goes on")
            nursery.cancel_scope.cancel()

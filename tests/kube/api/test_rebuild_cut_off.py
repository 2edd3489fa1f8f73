"""A rebuild whose controller, API or init container is cut off between any two steps."""

from collections.abc import Callable
from pathlib import Path
from typing import Any, TypeVar

import pytest
import trio
from kubernetes.client import ApiClient

from memgraph_ha.adapters.kubernetes.client import KubeClient
from memgraph_ha.adapters.kubernetes.errors import ApiUnavailableError
from memgraph_ha.adapters.kubernetes.platform import KubePlatform
from memgraph_ha.core.commands import RebuildInstance
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.names import Incarnation, InstanceName
from tests.kube.api.pods_rig import Rig, life, rig_on
from tests.kube.api_server import ApiServer

pytestmark = [pytest.mark.kube, pytest.mark.trio]

T = TypeVar("T")
DB0 = InstanceName("db-0")
STEPS = 6
"""Calls of the API that a rebuild consists of: pod, markers, order, pod, deletion, ``deleted``."""


class Cut:
    """Calls the API for a controller until that is cut off.

    Args:
        inner: Does the calls.
        at: The number of the call that is cut off, from 1; all later ones are too.
        done: Whether that call is done, and only its answer is lost.
    """

    def __init__(self, inner: KubeClient, at: int, *, done: bool) -> None:
        self._inner, self._at, self._done = inner, at, done
        self.namespace = inner.namespace
        self.calls = 0

    async def call(self, work: Callable[[ApiClient], T], *, what: str, timeout_s: float) -> T:
        """Do a call, or not."""
        self.calls += 1
        if self.calls == self._at and self._done:
            await self._inner.call(work, what=what, timeout_s=timeout_s)
        if self.calls >= self._at:
            raise ApiUnavailableError(f"{what}: cut off", sent=self._done)
        return await self._inner.call(work, what=what, timeout_s=timeout_s)


def order(incarnation: Incarnation) -> RebuildInstance:
    """Order a rebuild of db-0."""
    return RebuildInstance(instance=DB0, incarnation=incarnation, generation=3)


async def begin(rig: Rig, nursery: trio.Nursery) -> Incarnation:
    """Have three instances with data, watched; give the process in db-0."""
    nursery.start_soon(rig.platform().watch, rig.told)
    seen = await rig.all_up()
    for name in ("db-0", "db-1", "db-2"):
        rig.fill(name)
    return life(seen, "db-0")


async def next_life(rig: Rig, before: Incarnation, after: int) -> Incarnation:
    """Wait until another process runs in db-0."""
    seen = await rig.seen(
        lambda seen: any(one.name == DB0 and one.incarnation not in (None, before) for one in seen.members),
        "db-0 runs anew",
        after=after,
    )
    return life(seen, "db-0")


def kept(rig: Rig) -> list[str]:
    """List the stored files of db-0 that were put aside, wherever."""
    return sorted(path.name for place in rig.aside("db-0") for path in place.iterdir())


async def cut_off(rig: Rig, incarnation: Incarnation, step: int, *, done: bool) -> Outcome:
    """Have a controller begin the rebuild and be cut off."""
    dying: Any = Cut(rig.another_client(), step, done=done)
    doomed = KubePlatform(dying, statefulset="db", markers=rig.markers(dying), clock=trio.current_time, deadline_s=5.0)
    ended = await doomed.rebuild(order(incarnation))
    assert dying.calls >= step
    return ended.outcome


@pytest.mark.parametrize("done", [False, True], ids=["request lost", "answer lost"])
@pytest.mark.parametrize("step", range(1, STEPS + 1))
async def test_another_controller_finishes_what_one_began(
    kube_api: ApiServer, step: int, done: bool, tmp_path: Path
) -> None:
    """Whatever step a controller was cut off at, ordering again until it is done moves the data exactly once."""
    async with rig_on(kube_api.kubeconfig, tmp_path) as rig, trio.open_nursery() as nursery:
        incarnation = await begin(rig, nursery)
        facts = len(rig.told.facts)
        outcome = await cut_off(rig, incarnation, step, done=done)
        assert outcome is (Outcome.UNKNOWN if done else Outcome.NOT_SENT)
        successor = rig.platform()
        ended = await successor.rebuild(order(incarnation))
        for _ in range(5):
            if ended.outcome is Outcome.DONE:
                break
            # It ended meanwhile, and was started with its data: the rules order it again for the process of today.
            assert ended.outcome is Outcome.REFUSED, ended
            assert kept(rig) == []
            incarnation = await next_life(rig, incarnation, facts)
            ended = await successor.rebuild(order(incarnation))
        assert ended.outcome is Outcome.DONE, ended
        await rig.until(lambda: len(rig.aside("db-0")) == 1, "the data was moved")
        await next_life(rig, incarnation, facts)
        assert kept(rig) == ["snapshots", "wal"]
        assert (await successor.rebuild(order(incarnation))).outcome is Outcome.DONE
        assert rig.aside("db-1") == rig.aside("db-2") == []
        nursery.cancel_scope.cancel()


@pytest.mark.parametrize("done", [False, True], ids=["request lost", "answer lost"])
@pytest.mark.parametrize("step", range(1, STEPS + 1))
async def test_an_order_that_nobody_finished_moves_nothing_later(
    kube_api: ApiServer, step: int, done: bool, tmp_path: Path
) -> None:
    """If nobody comes back to it, a pod that is deleted for another reason later keeps its data."""
    counts = step == STEPS and done  # only then the pod is known to be dying for this order
    async with rig_on(kube_api.kubeconfig, tmp_path) as rig, trio.open_nursery() as nursery:
        incarnation = await begin(rig, nursery)
        facts = len(rig.told.facts)
        await cut_off(rig, incarnation, step, done=done)
        if (await rig.world.pods())["db-0"].metadata.deletion_timestamp is None:
            await rig.world.delete("db-0", 30)
        incarnation = await next_life(rig, incarnation, facts)
        assert kept(rig) == (["snapshots", "wal"] if counts else [])
        rig.fill("db-0")
        facts = len(rig.told.facts)
        await rig.world.delete("db-0", 30)
        await next_life(rig, incarnation, facts)
        assert kept(rig) == (["snapshots", "wal"] if counts else [])
        assert (rig.data("db-0") / "wal" / "file").exists()
        nursery.cancel_scope.cancel()


async def test_a_process_that_is_another_one_by_now_is_left_alone(kube_api: ApiServer, tmp_path: Path) -> None:
    """A container that was started anew in the same pod is not what was judged: nothing is written or deleted."""
    async with rig_on(kube_api.kubeconfig, tmp_path) as rig, trio.open_nursery() as nursery:
        before = await begin(rig, nursery)
        facts = len(rig.told.facts)
        await rig.world.kill("db-0")
        now = await next_life(rig, before, facts)
        assert now.partition("/")[0] == before.partition("/")[0]
        ended = await rig.platform().rebuild(order(before))
        assert ended.outcome is Outcome.REFUSED
        assert str(now) in ended.detail
        assert (await rig.markers().read(timeout_s=5)).orders == {}
        assert (await rig.world.pods())["db-0"].metadata.deletion_timestamp is None
        nursery.cancel_scope.cancel()


async def test_pods_that_would_move_nothing_are_not_rebuilt(kube_api: ApiServer, tmp_path: Path) -> None:
    """Without the init container a rebuild is refused, with the way out, and the pod lives on."""
    async with rig_on(kube_api.kubeconfig, tmp_path) as rig, trio.open_nursery() as nursery:
        platform = rig.platform()
        nursery.start_soon(platform.watch, rig.told)
        seen = await rig.all_up()
        body = {"spec": {"template": {"spec": {"initContainers": None}}}}
        await rig.world.apps(lambda api: api.patch_namespaced_stateful_set("db", rig.world.client.namespace, body))
        await trio.sleep(1)
        ended = await platform.rebuild(order(life(seen, "db-0")))
        assert ended.outcome is Outcome.REFUSED
        assert "no init container set-aside" in ended.detail
        assert (await rig.world.pods())["db-0"].metadata.deletion_timestamp is None
        nursery.cancel_scope.cancel()


async def test_who_started_without_moving_is_told_apart(kube_api: ApiServer, tmp_path: Path) -> None:
    """If the next pod starts without having moved anything, the order is withdrawn and says where to look."""
    async with rig_on(kube_api.kubeconfig, tmp_path) as rig, trio.open_nursery() as nursery:
        incarnation = await begin(rig, nursery)
        facts = len(rig.told.facts)

        async def broken(_name: str, _uid: str) -> bool:
            return True

        rig.world.init = broken
        platform = rig.platform()
        assert (await platform.rebuild(order(incarnation))).outcome is Outcome.DONE
        await next_life(rig, incarnation, facts)
        ended = await platform.rebuild(order(incarnation))
        assert ended.outcome is Outcome.REFUSED
        assert "init container set-aside" in ended.detail
        assert (await rig.markers().read(timeout_s=5)).orders == {}
        nursery.cancel_scope.cancel()

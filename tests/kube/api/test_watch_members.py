"""What `KubePlatform.watch` makes of what happens to a StatefulSet and its pods, on a real API server."""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import pytest
import trio

from memgraph_ha.adapters.kubernetes.members import NOWHERE
from memgraph_ha.adapters.kubernetes.pods import Pod
from memgraph_ha.core.commands import StopInstance
from memgraph_ha.core.facts import MembersSeen, Outcome, RequestEnded, RequestSeen
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.requests import Ask
from memgraph_ha.testing.contract import Sink
from tests.kube.api.pods_rig import Rig, last, life, member, rig_on
from tests.kube.api_server import ApiServer

pytestmark = [pytest.mark.kube, pytest.mark.trio]


@asynccontextmanager
async def watched(kube_api: ApiServer, tmp_path: Path, replicas: int = 3) -> AsyncIterator[Rig]:
    """Have a StatefulSet whose pods all run, watched by a platform."""
    async with rig_on(kube_api.kubeconfig, tmp_path, replicas) as rig, trio.open_nursery() as nursery:
        nursery.start_soon(rig.platform().watch, rig.told)
        await rig.all_up(replicas)
        yield rig
        nursery.cancel_scope.cancel()


async def test_only_pods_that_the_statefulset_owns_are_members(kube_api: ApiServer, tmp_path: Path) -> None:
    """Pods with its labels and names like its own are nobody, whoever made them."""
    async with watched(kube_api, tmp_path) as rig:
        await rig.world.add_pod("db-7", None)
        await rig.world.add_pod("db-8", "11111111-2222-3333-4444-555555555555")
        await rig.world.add_pod("intruder", None)
        await rig.until(lambda: len(rig.world.lives) == 6, "all pods run")
        await trio.sleep(0.5)
        assert [each.name for each in last(rig.told.facts).members] == ["db-0", "db-1", "db-2"]
        assert {fact.cluster for fact in rig.told.of(MembersSeen)} == {f"{rig.world.client.namespace}/db"}


async def test_a_restarted_container_is_another_incarnation_in_the_same_pod(
    kube_api: ApiServer, tmp_path: Path
) -> None:
    """The address stays, the life is another one, and in between there is none."""
    async with watched(kube_api, tmp_path) as rig:
        before, facts = last(rig.told.facts), len(rig.told.facts)
        await rig.world.kill("db-1")
        await rig.seen(lambda seen: member(seen, "db-1").incarnation is None, "it has no process", after=facts)
        after = await rig.seen(
            lambda seen: member(seen, "db-1").incarnation not in (None, life(before, "db-1")), "it runs", after=facts
        )
        assert member(after, "db-1").bolt == member(before, "db-1").bolt
        assert life(after, "db-1").partition("/")[0] == life(before, "db-1").partition("/")[0]


async def test_a_deleted_pod_is_a_request_to_stop_until_it_is_gone(kube_api: ApiServer, tmp_path: Path) -> None:
    """The request comes with the deletion and ends with the process; the next pod has another address."""
    async with watched(kube_api, tmp_path) as rig:
        before, facts = last(rig.told.facts), len(rig.told.facts)
        uid = life(before, "db-0").partition("/")[0]
        await rig.world.delete("db-0", 30)
        after = await rig.seen(
            lambda seen: member(seen, "db-0").incarnation not in (None, life(before, "db-0")), "it runs", after=facts
        )
        new = rig.told.facts[facts:]
        (asked,) = [fact for fact in new if isinstance(fact, RequestSeen)]
        (ended,) = [fact for fact in new if isinstance(fact, RequestEnded)]
        assert (asked.request.id, asked.request.ask) == (f"deletion-of-{uid}", Ask.STOP)
        assert asked.request.instance == "db-0"
        assert asked.request.until_s - asked.request.asked_s == 30
        assert ended.request_id == asked.request.id
        assert new.index(asked) < new.index(ended)
        assert member(after, "db-0").replication != member(before, "db-0").replication
        gone = [fact for fact in new if isinstance(fact, MembersSeen) and NOWHERE in member(fact, "db-0").bolt]
        assert gone, "a pod that is gone is looked for nowhere"
        assert {member(fact, "db-0").replication for fact in gone} == {member(before, "db-0").replication}


async def test_a_pod_on_a_lost_node_is_never_gone_and_deleted_once(kube_api: ApiServer, tmp_path: Path) -> None:
    """It stays a member with its process; a second stop changes nothing and says what it may be."""
    async with watched(kube_api, tmp_path) as rig:
        before = last(rig.told.facts)
        rig.world.lost.add("db-0")
        platform = rig.platform()
        stop = StopInstance(instance=member(before, "db-0").name, incarnation=life(before, "db-0"), generation=4)
        first = await platform.stop(stop)
        version = (await rig.world.pods())["db-0"].metadata.resource_version
        second = await platform.stop(stop)
        assert (first.outcome, second.outcome) == (Outcome.DONE, Outcome.UNKNOWN)
        assert "its node is lost" in second.detail
        assert (await rig.platform().stop(stop)).outcome is Outcome.DONE, "the next leader knows as much as the first"
        assert (await rig.world.pods())["db-0"].metadata.resource_version == version
        await trio.sleep(1)
        assert life(last(rig.told.facts), "db-0") == stop.incarnation
        rig.world.lost.clear()
        await rig.seen(lambda seen: member(seen, "db-0").incarnation not in (None, stop.incarnation), "it is replaced")
        assert (await platform.stop(stop)).outcome is Outcome.DONE


async def test_a_container_that_restarts_in_the_last_moment_is_left_alone(kube_api: ApiServer, tmp_path: Path) -> None:
    """Between the look and the deletion it became another process: the same pod, but not who was meant."""
    async with watched(kube_api, tmp_path) as rig:
        before = last(rig.told.facts)
        platform = rig.platform()
        real, looks = platform._ender.read, list[str]()

        async def read_and_restart(name: InstanceName, *, until_s: float) -> Pod | None:
            found = await real(name, until_s=until_s)
            looks.append(name)
            if len(looks) == 1:
                await rig.world.kill(name)
            return found

        platform._ender.read = read_and_restart  # type: ignore[method-assign]  # the world changes in between
        stop = StopInstance(instance=member(before, "db-0").name, incarnation=life(before, "db-0"), generation=4)
        assert (await platform.stop(stop)).outcome is Outcome.DONE
        assert len(looks) == 2
        pod = (await rig.world.pods())["db-0"]
        assert pod.metadata.deletion_timestamp is None
        assert pod.metadata.uid == stop.incarnation.partition("/")[0]


async def test_a_long_deletion_is_shortened_by_a_stop(kube_api: ApiServer, tmp_path: Path) -> None:
    """A frozen process whose pod somebody deleted with a long grace is killed all the same."""
    async with watched(kube_api, tmp_path) as rig:
        before = last(rig.told.facts)
        rig.world.lost.add("db-0")
        await rig.world.delete("db-0", 600)
        stop = StopInstance(instance=member(before, "db-0").name, incarnation=life(before, "db-0"), generation=4)
        assert (await rig.platform().stop(stop)).outcome is Outcome.DONE
        assert (await rig.world.pods())["db-0"].metadata.deletion_grace_period_seconds == 1


async def test_scaling_forgets_nobody_who_still_runs(kube_api: ApiServer, tmp_path: Path) -> None:
    """More pods are members at once; one that is scaled away is one until its process has ended."""
    async with watched(kube_api, tmp_path) as rig:
        await rig.world.scale(5)
        grown = await rig.all_up(5)
        rig.world.lost.add("db-4")
        facts = len(rig.told.facts)
        await rig.world.scale(2)
        shrunk = await rig.seen(lambda seen: len(seen.members) == 3, "db-2 and db-3 have left", after=facts)
        assert [each.name for each in shrunk.members] == ["db-0", "db-1", "db-4"]
        assert life(shrunk, "db-4") == life(grown, "db-4")
        rig.world.lost.clear()
        await rig.seen(lambda seen: len(seen.members) == 2, "db-4 has left", after=facts)
        assert [fact.request.instance for fact in rig.told.of(RequestSeen)].count(member(grown, "db-4").name) == 1


async def test_a_statefulset_made_anew_is_followed_under_the_same_id(kube_api: ApiServer, tmp_path: Path) -> None:
    """Uninstalled and installed again: its record, which was kept, is still its own."""
    async with watched(kube_api, tmp_path) as rig:
        before, facts = last(rig.told.facts), len(rig.told.facts)
        namespace = rig.world.client.namespace
        await rig.world.apps(lambda api: api.delete_namespaced_stateful_set("db", namespace))
        for name in ("db-0", "db-1", "db-2"):
            await rig.world.delete(name, 1)
        await trio.sleep(1)
        assert len(last(rig.told.facts).members) == 3, "who it wanted is still known"
        await rig.world.create(3)
        old = {life(before, name) for name in ("db-0", "db-1", "db-2")}
        seen = await rig.seen(
            lambda seen: all(each.incarnation not in (None, *old) for each in seen.members),
            "the new pods run",
            after=facts,
        )
        assert seen.cluster == before.cluster


async def test_a_statefulset_made_anew_around_its_living_pods_ends_nobody(kube_api: ApiServer, tmp_path: Path) -> None:
    """`kubectl delete --cascade=orphan` and apply: pods lose their owner and get another, and no process is gone."""
    async with watched(kube_api, tmp_path) as rig:
        before, facts = last(rig.told.facts), len(rig.told.facts)
        namespace = rig.world.client.namespace
        await rig.world.apps(
            lambda api: api.delete_namespaced_stateful_set("db", namespace, propagation_policy="Orphan")
        )
        for name in ("db-0", "db-1", "db-2"):
            await rig.world.own(name, None)
        if await rig.world.statefulset() is not None:  # without a controller-manager nobody takes its finalizer off
            await rig.world.apps(
                lambda api: api.patch_namespaced_stateful_set("db", namespace, {"metadata": {"finalizers": None}})
            )
        await rig.world.create(3)
        owner = await rig.world.statefulset()
        await trio.sleep(1)
        for name in ("db-0", "db-1", "db-2"):
            await rig.world.own(name, owner.metadata.uid)
        await trio.sleep(1)
        assert rig.told.facts[facts:] == []
        await rig.world.kill("db-1")
        after = await rig.seen(
            lambda seen: member(seen, "db-1").incarnation not in (None, life(before, "db-1")), "it runs", after=facts
        )
        assert life(after, "db-0") == life(before, "db-0")


async def test_nothing_is_told_before_everything_is_known(kube_api: ApiServer, tmp_path: Path) -> None:
    """Without a StatefulSet nothing is reported; a later one is found by itself."""
    async with rig_on(kube_api.kubeconfig, tmp_path) as rig, trio.open_nursery() as nursery:
        platform, told = rig.platform(), Sink()
        platform._name = "other"
        nursery.start_soon(platform.watch, told)
        await trio.sleep(1)
        assert told.facts == []
        rig.world.name = "other"
        await rig.world.create(2)
        await told.due(
            MembersSeen,
            lambda seen: [each.name for each in seen.members] == ["other-0", "other-1"],
            within_s=20,
            port="Platform",
            clause="it is found",
        )
        assert all(len(fact.members) == 2 for fact in told.of(MembersSeen))
        nursery.cancel_scope.cancel()

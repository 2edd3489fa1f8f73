"""Events and labels on a real API server, driven by the core's own scenes as the daemon's watcher drives them."""

import time
from collections.abc import Mapping
from typing import Any

import pytest
import trio
from attrs import evolve
from kubernetes.client import ApiClient, AppsV1Api, CoreV1Api

from memgraph_ha.adapters.kubernetes.client import KubeClient
from memgraph_ha.adapters.kubernetes.events import EventWriter
from memgraph_ha.adapters.kubernetes.labels import LEADER, ROLE, LeaderLabel, RoleLabels
from memgraph_ha.core.decide import decide
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.facts import RecordTrouble
from memgraph_ha.core.names import Incarnation, InstanceName
from memgraph_ha.core.view import View
from memgraph_ha.runtime.clock import boottime
from tests.core.changes import gone, recorded, scene
from tests.core.places import M0, M1, M2, NOW
from tests.core.views import HEALTHY, SceneChange
from tests.kube.api.asking import client_for, eventually
from tests.kube.api.pod_world import namespace_of_its_own, pod_body, statefulset_body
from tests.kube.api_server import ApiServer

pytestmark = [pytest.mark.kube, pytest.mark.trio]

LEASE = HEALTHY.lease
assert LEASE is not None
LEADS_ON = scene(lease=evolve(LEASE, until_s=NOW + 10_000))
SELECTOR = "app.kubernetes.io/component=controller,app.kubernetes.io/instance=r"
CONTROLLER = dict(pair.split("=") for pair in SELECTOR.split(","))


def tick(*changes: SceneChange, at_s: float = NOW) -> tuple[View, Decision]:
    """Decide on the healthy scene with changes, at a moment."""
    view = evolve(HEALTHY.but(LEADS_ON, *changes).view, now_s=at_s)
    return view, decide(view)


async def statefulset(client: KubeClient) -> str:
    """Create a StatefulSet, and give its UID."""
    made = await client.call(
        lambda api: AppsV1Api(api).create_namespaced_stateful_set(
            client.namespace, statefulset_body("r", 3, ("set-aside",))
        ),
        what="test",
        timeout_s=10,
    )
    assert made.metadata is not None
    return str(made.metadata.uid)


async def events(client: KubeClient) -> list[Any]:
    """List the Events as `kubectl describe` does, which looks at the old API."""
    found = await client.call(
        lambda api: CoreV1Api(api).list_namespaced_event(client.namespace), what="test", timeout_s=10
    )
    return list(found.items)


async def pod(client: KubeClient, name: str, labels: dict[str, str]) -> str:
    """Create a pod, and give its UID."""
    body = pod_body(name, "r", None, labels)
    made = await client.call(
        lambda api: CoreV1Api(api).create_namespaced_pod(client.namespace, body), what="test", timeout_s=10
    )
    assert made.metadata is not None
    return str(made.metadata.uid)


async def labels(client: KubeClient, key: str) -> dict[str, str]:
    """Give the label's value of each pod that has it."""

    def work(api: ApiClient) -> dict[str, str]:
        found = CoreV1Api(api).list_namespaced_pod(client.namespace).items
        metas = [each.metadata for each in found if each.metadata is not None and each.metadata.labels]
        return {str(meta.name): meta.labels[key] for meta in metas if meta.labels is not None and key in meta.labels}

    return await client.call(work, what="test", timeout_s=10)


async def changed(client: KubeClient, pod: str) -> int:
    """Give the revision of the cluster's state in which a pod was changed last."""

    def work(api: ApiClient) -> int:
        meta = CoreV1Api(api).read_namespaced_pod(pod, client.namespace).metadata
        assert meta is not None
        return int(str(meta.resource_version))

    return await client.call(work, what="test", timeout_s=10)


async def test_decisions_become_events_on_the_statefulset(kube_api: ApiServer, nursery: trio.Nursery) -> None:
    """What was done, and what waits, can be read from `kubectl describe statefulset`, with a count where it lasts."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        uid = await statefulset(client)
        writer = EventWriter(client, statefulset="r", reporter="r-controller-0", clock=boottime, wall=time.time)
        nursery.start_soon(writer.run)
        acted = tick(gone(M1))
        writer(*acted)
        [event] = await eventually(lambda: events(client))
        assert event.involved_object.uid == uid
        assert (event.involved_object.kind, event.involved_object.name) == ("StatefulSet", "r")
        assert event.reason == "".join(word.capitalize() for word in acted[1].name.split("_"))
        assert event.message == f"{acted[1].rule}: {acted[1].reason}"
        assert (event.type, event.reporting_component) == ("Normal", "memgraph-ha")
        assert event.reporting_instance == "r-controller-0"
        trouble = scene(record=None, token=None, trouble=RecordTrouble.INVALID)
        for at_s in (NOW + 20, NOW + 21, NOW + 21 + 600, NOW + 21 + 1200):
            writer(*tick(trouble, at_s=at_s))
            await trio.sleep(0.7)

        async def counted() -> bool:
            found = [each for each in await events(client) if each.type == "Warning"]
            return len(found) == 1 and found[0].series is not None and found[0].series.count == 3

        await eventually(counted)
        nursery.cancel_scope.cancel()


async def test_events_wait_for_the_api(kube_api_alone: ApiServer, nursery: trio.Nursery) -> None:
    """While the API stands still telling it costs nothing, and what happened meanwhile is written afterwards."""
    async with namespace_of_its_own(client_for(kube_api_alone)) as client:
        await statefulset(client)
        writer = EventWriter(client, statefulset="r", reporter="r-controller-0", clock=boottime, wall=time.time)
        nursery.start_soon(writer.run)
        with kube_api_alone.frozen():
            began_s = boottime()
            for number in range(300):
                view, decision = tick(gone(M1), at_s=NOW + 11 * number)
                writer(view, evolve(decision, reason=f"number {number}"))
            assert boottime() - began_s < 3
            await trio.sleep(1)
        found = await eventually(lambda: events(client), 20)
        assert all("number" in each.message for each in found)
        nursery.cancel_scope.cancel()


async def test_a_refused_event_is_forgotten(kube_api: ApiServer, nursery: trio.Nursery) -> None:
    """An Event that the API server refuses (its reason is too long) holds up none of the others."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        await statefulset(client)
        writer = EventWriter(client, statefulset="r", reporter="p", clock=boottime, wall=time.time)
        nursery.start_soon(writer.run)
        view, decision = tick(gone(M1))
        writer(view, evolve(decision, name="x" * 200))
        await trio.sleep(1)
        view, decision = tick(gone(M1), at_s=NOW + 11)
        writer(view, evolve(decision, reason="the second"))
        [event] = await eventually(lambda: events(client))
        assert event.message.endswith("the second")
        nursery.cancel_scope.cancel()


def with_pods(told: tuple[View, Decision], uids: Mapping[InstanceName, str]) -> tuple[View, Decision]:
    """Give the same with the incarnations of real pods."""
    view, decision = told
    seen = tuple(
        evolve(each, member=evolve(each.member, incarnation=Incarnation(f"{uids[each.member.name]}/c0")))
        for each in view.observed.seen
    )
    return evolve(view, observed=evolve(view.observed, seen=seen)), decision


async def test_roles_are_labels_of_the_pods(kube_api: ApiServer, nursery: trio.Nursery) -> None:
    """Each instance's pod says its role, follows its changes, and never takes over what its predecessor had."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        uids = {name: await pod(client, name, {"app": "r"}) for name in (M0, M1, M2)}
        keeper = RoleLabels(client)
        nursery.start_soon(keeper.run)
        keeper(*with_pods(tick(), uids))
        expected = {M0: "main", M1: "standby", M2: "replica"}

        async def as_expected() -> bool:
            return await labels(client, ROLE) == expected

        await eventually(as_expected)
        keeper(*with_pods(tick(recorded(standby=None, unprotected=True)), uids))
        expected = {M0: "main", M1: "replica", M2: "replica"}
        await eventually(as_expected)
        await client.call(
            lambda api: CoreV1Api(api).delete_namespaced_pod(M1, client.namespace, grace_period_seconds=0),
            what="test",
            timeout_s=10,
        )
        await pod(client, M1, {"app": "r"})
        keeper(*with_pods(tick(), uids))
        await trio.sleep(1)
        assert await labels(client, ROLE) == {M0: "main", M2: "replica"}
        nursery.cancel_scope.cancel()


async def test_the_leaders_label_follows_the_lease(kube_api: ApiServer) -> None:
    """It is on the leader's pod alone: gained at once, taken off who led before, and gone when the process ends."""
    async with namespace_of_its_own(client_for(kube_api)) as client:
        await pod(client, "c-0", {**CONTROLLER, LEADER: "true"})
        await pod(client, "c-1", dict(CONTROLLER))
        await pod(client, "other", {"app": "x", LEADER: "true"})
        follows, leads = tick(scene(lease=None)), tick()
        one = LeaderLabel(client, pod="c-1", selector=SELECTOR)
        expected = {"c-1": "true", "other": "true"}

        async def as_expected() -> bool:
            return await labels(client, LEADER) == expected

        async with trio.open_nursery() as nursery:
            one(*leads)
            nursery.start_soon(one.run)
            await eventually(as_expected)
            assert await changed(client, "c-0") < await changed(client, "c-1"), "nobody is led to both"
            one(*follows)
            expected = {"other": "true"}
            await eventually(as_expected)
            one(*leads)
            expected = {"c-1": "true", "other": "true"}
            began_s = boottime()
            await eventually(as_expected)
            assert boottime() - began_s < 1
            nursery.cancel_scope.cancel()
        assert await labels(client, LEADER) == {"other": "true"}

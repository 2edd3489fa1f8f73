"""A StatefulSet whose pods live on a real API server, with what the API server alone does not do.

Objects, versions, watches, preconditions and graceful deletion are the real API server's. Played here is only what a
controller-manager does (create the pods that are wanted, delete those beyond) and what a kubelet does (run the init
container, report containers, and remove a deleted pod when its process has ended).
"""

import contextlib
import hashlib
import itertools
import secrets
from collections.abc import AsyncIterator, Awaitable, Callable, Mapping
from typing import Any

import trio
from attrs import define, field
from kubernetes.client import ApiClient, AppsV1Api, CoreV1Api, V1DeleteOptions, V1Preconditions

from memgraph_ha.adapters.kubernetes.client import KubeClient
from memgraph_ha.adapters.kubernetes.errors import ApiError, ConflictError, NotFoundError

TICK_S = 0.05
DYING_S = 0.4
"""How long a deleted pod's process takes to end; a kubelet needs one to three seconds."""

CALL_S = 10.0

InitContainer = Callable[[str, str], Awaitable[bool]]
"""Called with the name and the UID of a pod before its container is started; says whether it may start."""


async def no_init(_name: str, _uid: str) -> bool:
    """Let every pod start."""
    return True


@define(eq=False)
class PodWorld:
    """One StatefulSet in a namespace of its own.

    Attributes:
        client: For the API, in that namespace.
        name: Of the StatefulSet.
        init: What runs in a pod before its container.
        lost: Names of pods whose node is lost: nothing of them is reported or removed any more.
        lives: How often a container was started, by pod UID.
    """

    client: KubeClient
    name: str = "db"
    init: InitContainer = no_init
    lost: set[str] = field(factory=set)
    lives: dict[str, int] = field(factory=dict)
    _dying: dict[str, float] = field(factory=dict)
    _addresses: Any = field(factory=lambda: itertools.count(1))

    async def core(self, work: Callable[[CoreV1Api], Any]) -> Any:
        """Do one call of the core API."""
        return await self.client.call(lambda api: work(CoreV1Api(api)), what="test", timeout_s=CALL_S)

    async def apps(self, work: Callable[[AppsV1Api], Any]) -> Any:
        """Do one call of the apps API."""
        return await self.client.call(lambda api: work(AppsV1Api(api)), what="test", timeout_s=CALL_S)

    async def create(self, replicas: int, *, init_containers: tuple[str, ...] = ("set-aside",)) -> None:
        """Create the StatefulSet, but no pods yet."""
        await self.apps(
            lambda api: api.create_namespaced_stateful_set(
                self.client.namespace, statefulset_body(self.name, replicas, init_containers)
            )
        )

    async def scale(self, replicas: int) -> None:
        """Want another number of pods."""
        body = {"spec": {"replicas": replicas}}
        await self.apps(lambda api: api.patch_namespaced_stateful_set(self.name, self.client.namespace, body))

    async def statefulset(self) -> Any:
        """Read the StatefulSet; None if it is not there."""
        try:
            return await self.apps(lambda api: api.read_namespaced_stateful_set(self.name, self.client.namespace))
        except NotFoundError:
            return None

    async def pods(self) -> dict[str, Any]:
        """List every pod of the namespace by name."""
        listed = await self.core(lambda api: api.list_namespaced_pod(self.client.namespace))
        return {pod.metadata.name: pod for pod in listed.items}

    async def kill(self, name: str) -> None:
        """End the process of a pod's container: the kubelet starts it again in the same pod."""
        pod = (await self.pods())[name]
        await self._report(pod, running=False)
        await self._start(pod)

    async def delete(self, name: str, grace_s: int) -> None:
        """Delete a pod, as anybody may do it."""
        await self.core(
            lambda api: api.delete_namespaced_pod(name, self.client.namespace, grace_period_seconds=grace_s)
        )

    async def own(self, name: str, owner_uid: str | None) -> None:
        """Give a pod another owner, as a controller-manager does when it orphans and adopts pods.

        Args:
            name: Of the pod.
            owner_uid: The UID of the StatefulSet; None: nobody.
        """
        references = [] if owner_uid is None else [_reference(self.name, owner_uid)]
        patch = [{"op": "add", "path": "/metadata/ownerReferences", "value": references}]
        await self.core(lambda api: api.patch_namespaced_pod(name, self.client.namespace, patch))

    async def play(self) -> None:
        """Be controller-manager and kubelet, for ever."""
        while True:
            with contextlib.suppress(ApiError):
                await self._turn()
            await trio.sleep(TICK_S)

    async def _turn(self) -> None:
        statefulset, pods = await self.statefulset(), await self.pods()
        if statefulset is not None:
            wanted = {f"{self.name}-{index}" for index in range(statefulset.spec.replicas)}
            for name in sorted(wanted - set(pods)):
                await self.add_pod(name, statefulset.metadata.uid)
            for name, pod in pods.items():
                ours = any(owner.uid == statefulset.metadata.uid for owner in pod.metadata.owner_references or ())
                if ours and name not in wanted and pod.metadata.deletion_timestamp is None:
                    await self.delete(name, 1)
        for name, pod in pods.items():
            if name not in self.lost:
                await self._keep(pod)

    async def _keep(self, pod: Any) -> None:
        """Do what a kubelet does about one pod."""
        uid = pod.metadata.uid
        if pod.metadata.deletion_timestamp is not None:
            # A kubelet lets the process end first and reports that; only then the pod may go.
            if trio.current_time() - self._dying.setdefault(uid, trio.current_time()) >= DYING_S:
                await self._report(pod, running=False)
                await self._remove(pod)
        elif uid not in self.lives and await self.init(pod.metadata.name, uid):
            await self._start(pod)

    async def _remove(self, pod: Any) -> None:
        body = V1DeleteOptions(grace_period_seconds=0, preconditions=V1Preconditions(uid=pod.metadata.uid))
        with contextlib.suppress(NotFoundError, ConflictError):
            await self.core(lambda api: api.delete_namespaced_pod(pod.metadata.name, self.client.namespace, body=body))

    async def _start(self, pod: Any) -> None:
        self.lives[pod.metadata.uid] = self.lives.get(pod.metadata.uid, 0) + 1
        await self._report(pod, running=True)

    async def _report(self, pod: Any, *, running: bool) -> None:
        known = (pod.status.pod_ip if pod.status is not None else None) or f"10.244.7.{next(self._addresses)}"
        starts = self.lives.get(pod.metadata.uid, 0)
        life = hashlib.sha256(f"{pod.metadata.uid} {starts}".encode()).hexdigest()
        body = {"status": status_body(known, life, starts, running=running)}
        with contextlib.suppress(NotFoundError, ConflictError):
            await self.core(lambda api: api.patch_namespaced_pod_status(pod.metadata.name, self.client.namespace, body))

    async def add_pod(self, name: str, owner_uid: str | None, labels: Mapping[str, str] | None = None) -> None:
        """Create a pod.

        Args:
            name: Its name.
            owner_uid: The UID of its StatefulSet; None: nobody owns it.
            labels: Its labels; None: those that the StatefulSet selects.
        """
        body = pod_body(name, self.name, owner_uid, labels or {"app": self.name})
        await self.core(lambda api: api.create_namespaced_pod(self.client.namespace, body))


def statefulset_body(name: str, replicas: int, init_containers: tuple[str, ...]) -> Any:
    """Give a StatefulSet as the chart makes it, as far as the platform looks at it."""
    spec = {
        "containers": [{"name": "memgraph", "image": "memgraph"}],
        "initContainers": [{"name": each, "image": "memgraph-ha"} for each in init_containers],
    }
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "serviceName": name,
            "selector": {"matchLabels": {"app": name}},
            "template": {"metadata": {"labels": {"app": name}}, "spec": spec},
        },
    }


def pod_body(name: str, owner: str, owner_uid: str | None, labels: Mapping[str, str]) -> Any:
    """Give a pod as the StatefulSet controller makes it; it is on a node, so that deletion is graceful."""
    return {
        "apiVersion": "v1",
        "kind": "Pod",
        "metadata": {
            "name": name,
            "labels": dict(labels),
            "ownerReferences": [] if owner_uid is None else [_reference(owner, owner_uid)],
        },
        "spec": {
            "nodeName": "node-1",
            "automountServiceAccountToken": False,
            "containers": [{"name": "memgraph", "image": "memgraph"}],
        },
    }


def _reference(owner: str, uid: str) -> dict[str, Any]:
    return {
        "apiVersion": "apps/v1",
        "kind": "StatefulSet",
        "name": owner,
        "uid": uid,
        "controller": True,
        "blockOwnerDeletion": True,
    }


def status_body(ip: str, life: str, starts: int, *, running: bool) -> dict[str, Any]:
    """Give what a kubelet says of a pod.

    Args:
        ip: Its address.
        life: The id of its container.
        starts: How often it was started.
        running: Whether its process lives.
    """
    now = "2026-01-31T12:00:00Z"
    state = {"running": {"startedAt": now}} if running else {"terminated": {"exitCode": 137}}
    return {
        "phase": "Running",
        "podIP": ip,
        "podIPs": [{"ip": ip}],
        "containerStatuses": [
            {
                "name": "memgraph",
                "image": "memgraph",
                "imageID": "memgraph",
                "ready": running,
                "restartCount": max(0, starts - 1),
                "containerID": f"containerd://{life}",
                # Not merged with what was said before: exactly one of the three is there.
                "state": {"running": None, "terminated": None, "waiting": None, **state},
            }
        ],
    }


@contextlib.asynccontextmanager
async def namespace_of_its_own(make: Callable[[str], KubeClient]) -> AsyncIterator[KubeClient]:
    """Make a namespace with its default account, and remove it again.

    Args:
        make: Makes a client for a namespace.
    """
    name = f"t-{secrets.token_hex(4)}"
    client = make(name)

    def prepare(api: ApiClient) -> None:
        core: Any = CoreV1Api(api)
        core.create_namespace({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}})
        with contextlib.suppress(Exception):  # a controller-manager does it too, if there is one
            account = {"apiVersion": "v1", "kind": "ServiceAccount", "metadata": {"name": "default"}}
            core.create_namespaced_service_account(name, account)

    try:
        await client.call(prepare, what="namespace", timeout_s=CALL_S)
        yield client
        with contextlib.suppress(ApiError):
            await client.call(lambda api: CoreV1Api(api).delete_namespace(name), what="namespace", timeout_s=CALL_S)
    finally:
        client.close()

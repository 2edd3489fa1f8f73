"""What a StatefulSet controller and a kubelet do, played on a real API server with real processes as containers."""

import contextlib
import threading
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import structlog
from attrs import define, field
from kubernetes.client import ApiClient, AppsV1Api, CoreV1Api
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from tests.kube.daemon.processes import Container, Network, instance

TICK_S: Final = 0.05
RESTART_S: Final = 0.3
"""How long a container that died stays dead: a kubelet needs longer (real-cluster.md: 2.6 s)."""

_log = structlog.get_logger("kubelet")


def core_of(api: ApiClient) -> Any:
    """Give the core API, which takes plain dictionaries too, whatever its types say."""
    return CoreV1Api(api)


def _apps_of(api: ApiClient) -> Any:
    return AppsV1Api(api)


@define
class Place:
    """One pod as this kubelet knows it.

    Attributes:
        uid: The pod's.
        container: Its process.
        told: The life that its status told last; 0 for none.
        died_s: When it was found dead.
    """

    uid: str
    container: Container
    told: int = -1
    died_s: float | None = None


@define
class Kubelet:
    """Keeps the pods of one StatefulSet, on a thread, until it is stopped.

    Attributes:
        api: An administrator's access.
        namespace: Where.
        name: Of the StatefulSet.
        folder: Where instances have their volumes and logs.
        network: Where pods get their addresses.
        environment: What instances are told.
        places: The pods by name.
        held: Pods whose containers stay dead when they die.
        prestop: Called with a pod's name before its container is told to end; None: there is no hook.
    """

    api: ApiClient
    namespace: str
    name: str
    folder: Path
    network: Network
    environment: Mapping[str, str] = field(factory=dict)
    places: dict[str, Place] = field(factory=dict)
    held: set[str] = field(factory=set)
    prestop: Callable[[str], None] | None = None
    _stop: threading.Event = field(factory=threading.Event)
    _thread: threading.Thread | None = None

    def create(self, replicas: int) -> None:
        """Create the StatefulSet, and begin to keep its pods."""
        labels = {"app.kubernetes.io/instance": self.name, "app.kubernetes.io/component": "memgraph"}
        template = {
            "metadata": {"labels": labels},
            "spec": {
                "initContainers": [{"name": "set-aside", "image": "memgraph-ha"}],
                "containers": [{"name": "memgraph", "image": "memgraph"}],
            },
        }
        body = {
            "metadata": {"name": self.name},
            "spec": {
                "replicas": replicas,
                "serviceName": self.name,
                "selector": {"matchLabels": labels},
                "template": template,
            },
        }
        _apps_of(self.api).create_namespaced_stateful_set(self.namespace, body)
        self._thread = threading.Thread(target=self._run, name="kubelet", daemon=True)
        self._thread.start()

    def stop(self) -> None:
        """Stop keeping pods, and end every process."""
        self._stop.set()
        if self._thread is not None:
            self._thread.join(20)
        for place in self.places.values():
            place.container.end()

    def delete(self, name: str, grace_s: int) -> None:
        """Delete a pod, as anybody may do it."""
        core_of(self.api).delete_namespaced_pod(name, self.namespace, grace_period_seconds=grace_s)

    def _run(self) -> None:
        while not self._stop.wait(TICK_S):
            try:
                self._turn()
            except (ApiException, HTTPError) as error:  # the API may be away: the containers live on
                _log.info("kubelet", error=repr(error)[:200])
                self._keep_alive()

    def _turn(self) -> None:
        core = core_of(self.api)
        found = _apps_of(self.api).read_namespaced_stateful_set(self.name, self.namespace)
        pods = {pod.metadata.name: pod for pod in core.list_namespaced_pod(self.namespace).items}
        wanted = [f"{self.name}-{index}" for index in range(found.spec.replicas)]
        for name in wanted:
            if name not in pods:
                self._create_pod(core, name, found)
        for name, pod in pods.items():
            if not any(owner.uid == found.metadata.uid for owner in pod.metadata.owner_references or ()):
                continue
            if pod.metadata.deletion_timestamp is not None:
                self._remove(core, name, pod)
            elif name not in wanted:
                self.delete(name, 1)
            else:
                self._keep(core, name, pod.metadata.uid)

    def _create_pod(self, core: Any, name: str, statefulset: Any) -> None:
        owner = {
            "apiVersion": "apps/v1",
            "kind": "StatefulSet",
            "name": self.name,
            "uid": statefulset.metadata.uid,
            "controller": True,
        }
        template = statefulset.spec.template
        spec = self.api.sanitize_for_serialization(template.spec)
        metadata = {"name": name, "labels": template.metadata.labels, "ownerReferences": [owner]}
        core.create_namespaced_pod(self.namespace, {"metadata": metadata, "spec": {**spec, "nodeName": "node1"}})

    def _keep(self, core: Any, name: str, uid: str) -> None:
        place = self.places.get(name)
        if place is None or place.uid != uid:
            if place is not None:
                place.container.end()
            place = Place(uid, instance(self.folder, name, self.network.address(), self.environment))
            self.places[name] = place
            place.container.start()
        self._revive(name, place)
        life = place.container.starts if place.container.running else 0
        if place.told != life:
            core.patch_namespaced_pod_status(name, self.namespace, {"status": _status(place, life)})
            place.told = life

    def _keep_alive(self) -> None:
        for name, place in self.places.items():
            self._revive(name, place)

    def _revive(self, name: str, place: Place) -> None:
        if place.container.running:
            place.died_s = None
        elif place.died_s is None:
            place.died_s = time.monotonic()
        elif time.monotonic() - place.died_s > RESTART_S and name not in self.held:
            place.container.start()

    def _remove(self, core: Any, name: str, pod: Any) -> None:
        """End a pod's process as its grace says, tell that, and let the pod go."""
        place = self.places.get(name)
        if place is not None and place.uid == pod.metadata.uid:
            if self.prestop is not None:
                self.prestop(name)
            place.container.end(pod.metadata.deletion_grace_period_seconds or 0)
            core.patch_namespaced_pod_status(name, self.namespace, {"status": _status(place, 0)})
        with contextlib.suppress(ApiException):
            core.delete_namespaced_pod(name, self.namespace, grace_period_seconds=0)


def _status(place: Place, life: int) -> dict[str, Any]:
    """Say how a pod stands: in its so many eth life, or with a container that ended."""
    ip = place.container.argv[next(i for i, each in enumerate(place.container.argv) if "--bolt-address" in each)]
    state = {"running": {"startedAt": _now()}} if life else {"terminated": {"exitCode": 137, "finishedAt": _now()}}
    number = f"{place.uid.replace('-', '')}{max(life, 1):04d}"[::-1]
    container = {
        "name": "memgraph",
        "image": "memgraph",
        "imageID": "",
        "ready": bool(life),
        "restartCount": max(0, place.container.starts - 1),
        "state": state,
        "containerID": f"containerd://{number}",
    }
    address = ip.partition("=")[2]
    return {
        "phase": "Running",
        "podIP": address,
        "podIPs": [{"ip": address}],
        "containerStatuses": [container],
        "conditions": [{"type": "Ready", "status": "True" if life else "False"}],
    }


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())

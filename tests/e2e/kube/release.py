"""One release of the chart, in a namespace of its own: installed, looked at, broken."""

import base64
import itertools
import json
import os
import sys
import time
from collections import Counter
from collections.abc import Callable, Mapping
from pathlib import Path
from typing import Any, Final

import httpx
from attrs import define, field, frozen
from neo4j import GraphDatabase, NotificationMinimumSeverity

from memgraph_ha.adapters.memgraph.reading import SHOW_ROLE, SHOW_ROWS
from memgraph_ha.core.errors import RecordError
from memgraph_ha.core.names import Address, InstanceName
from memgraph_ha.core.record import Record
from memgraph_ha.core.record_json import parse_record
from memgraph_ha.core.topology import Role
from memgraph_ha.drill.asking import COUNT, READ
from memgraph_ha.drill.ledger import Findings, Reading, WriterLog, check
from memgraph_ha.drill.writers import Writers
from tests.e2e.kube.client_pods import ClientPod
from tests.e2e.kube.paced import PacedWriter
from tests.e2e.kube.pods import Pod
from tests.e2e.kube.witness import Witness
from tools.kube import volumes
from tools.kube.api import Api
from tools.kube.builds import path_of
from tools.kube.containers import Containers
from tools.kube.images import ROOT, Images
from tools.kube.place import Place
from tools.kube.programs import HELM
from tools.kube.run import run

CHART: Final = ROOT / "charts" / "memgraph-ha"
BOLT: Final = 7687
HTTP: Final = 8080

PROTECTED_S: Final = 90.0
"""How long a release may take from its installation until a standby is named, on two busy cores."""

_HELM_S: Final = 60.0
_COMMAND_S: Final = 120.0
_GONE_S: Final = 60.0
_LEVEL_S: Final = 60.0
_POLL_S: Final = 0.1
_READERS: Final = 1000
"""Numbers of clients that only read begin here."""

_numbers: Final = itertools.count()


@frozen(kw_only=True)
class Host:
    """The cluster that releases are installed on.

    Attributes:
        place: Its directory.
        api: The administrator's requests.
        kubeconfig: How helm reaches it.
        containers: The node's containers.
        images: What is run.
    """

    place: Place
    api: Api
    kubeconfig: Path
    containers: Containers
    images: Images

    def helm(self, *arguments: str | Path, given: str | None = None, timeout_s: float = _HELM_S) -> str:
        """Run helm, with a text on its standard input; gives what it printed."""
        environment = {**os.environ, "KUBECONFIG": str(self.kubeconfig)}
        return run([path_of(HELM), *arguments], given=given, timeout_s=timeout_s, environment=environment)


def until(question: Callable[[], bool], within_s: float, what: Callable[[], str]) -> float:
    """Ask until the answer is yes; fails the test with ``what`` after ``within_s``. Gives how long it took, seconds."""
    begun_s = time.monotonic()
    while not question():
        if time.monotonic() - begun_s > within_s:
            raise AssertionError(f"not within {within_s:g} s: {what()}")
        time.sleep(_POLL_S)
    return time.monotonic() - begun_s


@define(kw_only=True, eq=False)
class Release:
    """A release.

    Attributes:
        host: Where.
        name: Its name, also that of everything in it.
        namespace: Its namespace.
        groups: The writers, in the order in which they began.
        clients: The pods that write.
        witness: Looks at it from the installation on.
    """

    host: Host
    name: str
    namespace: str
    groups: list[Writers] = field(factory=list)
    clients: list[ClientPod] = field(factory=list)
    witness: Witness | None = None

    @classmethod
    def in_new_namespace(cls, host: Host, name: str = "graph") -> "Release":
        """Make a namespace for a release that is not installed yet."""
        namespace = f"e2e-{os.getpid()}-{next(_numbers)}"
        host.api.create("/api/v1/namespaces", {"metadata": {"name": namespace}})
        return cls(host=host, name=name, namespace=namespace)

    @property
    def memgraph(self) -> str:
        """The path of the instances' StatefulSet."""
        return f"/apis/apps/v1/namespaces/{self.namespace}/statefulsets/{self.name}"

    @property
    def instances(self) -> tuple[InstanceName, ...]:
        """The names of the instances that are wished for."""
        count = self.host.api.get(self.memgraph).json()["spec"]["replicas"]
        return tuple(InstanceName(f"{self.name}-{number}") for number in range(count))

    def install(self, values: Mapping[str, Any] | None = None) -> str:
        """Install it, or upgrade it, with the test images and room for a small machine.

        Args:
            values: The chart's values beside those.

        Returns:
            What helm printed.
        """
        given = json.dumps(merged(small_values(self.host.images), values or {}))
        told = self.host.helm(
            *("upgrade", "--install", self.name, CHART, "--namespace", self.namespace, "--values", "-"), given=given
        )
        if self.witness is None:
            self.witness = Witness(self)
            self.witness.start()
        return told

    def uninstall(self) -> None:
        """Uninstall it, as a user would; its volumes stay."""
        self.host.helm("uninstall", self.name, "--namespace", self.namespace)

    def leave(self) -> None:
        """Remove it, but not its namespace, in which there may be others."""
        for group in self._writing:
            group.stop()
        if self.witness is not None:
            self.witness.stop()
        if self._helm_has_it():
            self.uninstall()
        for pod in self.pods():
            self.delete(pod.name, grace_s=0)

    def close(self) -> None:
        """Remove everything of it, volumes too, and wait until no pod is left."""
        self.leave()
        self.host.api.delete(f"/api/v1/namespaces/{self.namespace}")
        until(self._is_gone, _GONE_S, lambda: f"namespace {self.namespace} is gone")
        volumes.recycle(self.host.api, self.host.place)

    def pods(self, component: str | None = None) -> list[Pod]:
        """List its pods: `memgraph`, `controller`, or all."""
        selector = f"labelSelector=app.kubernetes.io/instance%3D{self.name}"
        items = self.host.api.items(f"/api/v1/namespaces/{self.namespace}/pods?{selector}")
        pods = [Pod.read(item) for item in items]
        return [pod for pod in pods if component in {None, pod.labels.get("app.kubernetes.io/component")}]

    def pod(self, name: str) -> Pod | None:
        """Give one pod; None if there is none of this name."""
        return next((pod for pod in self.pods() if pod.name == name), None)

    def uid(self, name: str) -> str | None:
        """Say which pod of that name there is."""
        pod = self.pod(name)
        return None if pod is None else pod.uid

    def rows(self, main: str) -> list[str]:
        """List the names of the replicas that a MAIN has registered."""
        return self._ask(InstanceName(main), SHOW_ROWS)

    def delete(self, pod: str, *, grace_s: int | None = None) -> None:
        """Delete a pod, as `kubectl delete pod` does."""
        options: dict[str, object] = {} if grace_s is None else {"gracePeriodSeconds": grace_s}
        self.host.api.delete(f"/api/v1/namespaces/{self.namespace}/pods/{pod}", options)

    def record(self) -> Record | None:
        """Read the record; None if there is none."""
        found = self.host.api.get(f"/api/v1/namespaces/{self.namespace}/configmaps/{self.name}-state")
        try:
            return None if found.is_error else parse_record(found.json()["data"]["record.json"])
        except (KeyError, RecordError):
            return None

    def service(self, name: str) -> str:
        """Give a Service's address, which this machine reaches as pods do."""
        address: str = self.host.api.get(f"/api/v1/namespaces/{self.namespace}/services/{name}").json()["spec"][
            "clusterIP"
        ]
        return address

    def volume(self, instance: str) -> Path:
        """Give the directory of an instance's volume on this machine."""
        claims = f"/api/v1/namespaces/{self.namespace}/persistentvolumeclaims"
        claim = self.host.api.get(f"{claims}/data-{instance}").json()
        volume = self.host.api.get(f"/api/v1/persistentvolumes/{claim['spec']['volumeName']}").json()
        return Path(volume["spec"]["hostPath"]["path"])

    @property
    def gateway(self) -> Address:
        """Where clients write."""
        return Address(f"{self.service(f'{self.name}-gateway')}:{BOLT}")

    def protected(self, *, above: int = 0, within_s: float = PROTECTED_S) -> Record:
        """Wait until a reign after ``above`` is open, its standby is named, and every instance is in its role."""
        found: list[Record] = []

        def whole() -> bool:
            record = self.record()
            if record is None or record.generation <= above or not record.opened or record.standby is None:
                return False
            roles = {pod.name: pod.labels.get("memgraph-ha/role") for pod in self.pods("memgraph")}
            wished = dict.fromkeys(self.instances, "replica") | {
                record.standby.instance: "standby",
                record.main: "main",
            }
            found[:] = [record]
            return all(roles.get(name) == role for name, role in wished.items())

        until(whole, within_s, lambda: f"{self.name} is protected\n{self.tail()}")
        return found[0]

    def start_writers(self, count: int = 4) -> Writers:
        """Begin to write through the Service, and wait for the first acknowledgement."""
        first = len(self.logs)
        writers = Writers(self.gateway, count, first=first, kind=PacedWriter)
        self.groups.append(writers)
        writers.start()
        until(lambda: writers.acknowledged() > 0, 30.0, lambda: f"a first write\n{self.tail()}")
        return writers

    def start_client(self, service: str, what: str = "write") -> ClientPod:
        """Start a client in a pod of this namespace, and wait until it was served.

        Args:
            service: The Service's name, as the client shall spell it.
            what: `write`, or `read`: then it is the caller who stops it.
        """
        number = len(self.logs) if what == "write" else _READERS + next(_numbers)
        client = ClientPod(
            self.host,
            self.namespace,
            name=f"{self.name}-client-{number}",
            image=self.host.images.controller,
            url=f"bolt://{service}:{BOLT}",
            number=number,
            what=what,
        )
        if what == "write":
            self.clients.append(client)
        client.start()
        return client

    @property
    def _writing(self) -> list[Writers | ClientPod]:
        return [*self.groups, *self.clients]

    @property
    def logs(self) -> list[WriterLog]:
        """The logs of all that write."""
        return [*(log for group in self.groups for log in group.logs), *(client.log for client in self.clients)]

    def findings(self) -> Findings:
        """Stop the writers, wait until all instances are level, and compare them with what all writers were told.

        How many writes became indeterminate is not judged: a fault of Kubernetes may cut clients more than once, say
        when the deletion of MAIN's pod ends the hand-over that it began.
        """
        for group in self._writing:
            stuck = group.stop()
            assert not stuck, stuck

        def level() -> bool:
            counts = {self._ask(name, COUNT)[0] for name in self.instances}
            return len(counts) == 1

        until(level, _LEVEL_S, lambda: f"the instances hold equally many writes\n{self.tail()}")
        readings = [Reading(instance=name, ids=Counter(self._ask(name, READ))) for name in self.instances]
        return check(self.logs, readings, ())

    def assert_sound(self) -> Findings:
        """Fail the test if a write is missing or there without reason, two were MAIN, or the record is not what is."""
        found = self.findings()
        assert (found.lost, found.duplicated, found.phantom, found.differing) == (0, 0, 0, ()), found.complaints()
        assert found.acknowledged > 0
        assert self.witness is not None, "it was never installed"
        self.witness.assert_nothing()
        self._assert_consistent()
        return found

    def command(self, *words: str, within_s: float = _COMMAND_S) -> str:
        """Run one of the operator's commands, from this machine against the leader; gives what it printed."""
        environment = {
            **os.environ,
            "MEMGRAPH_HA_SERVER": f"http://{self.service(f'{self.name}-controller')}:{HTTP}",
            "MEMGRAPH_HA_TOKEN": self._token,
        }
        return run([sys.executable, "-m", "memgraph_ha", *words], timeout_s=within_s, environment=environment)

    def ask(self, verb: str, body: Mapping[str, object], within_s: float) -> httpx.Response:
        """Ask the leader's HTTP API for a change, as the operator's commands do; whatever it answers."""
        url = f"http://{self.service(f'{self.name}-controller')}:{HTTP}/api/v1/{verb}"
        return httpx.post(url, json=body, headers={"Authorization": f"Bearer {self._token}"}, timeout=within_s)

    @property
    def _token(self) -> str:
        secret = self.host.api.get(f"/api/v1/namespaces/{self.namespace}/secrets/{self.name}-api").json()
        return base64.b64decode(secret["data"]["token"]).decode()

    def tail(self, lines: int = 15) -> str:
        """Say what the record, the pods and the ends of the controllers' logs tell."""
        told = [str(self.record())]
        for pod in self.pods():
            labels = {key: value for key, value in pod.labels.items() if key.startswith("memgraph-ha/")}
            told.append(f"--- {pod.name} {pod.address} ready={pod.ready} leaving={pod.leaving} {labels} {pod.restarts}")
            if pod.labels.get("app.kubernetes.io/component") == "controller":
                path = f"/api/v1/namespaces/{self.namespace}/pods/{pod.name}/log?tailLines={lines}"
                told.append(self.host.api.get(path).text)
        return "\n".join(told)

    def _assert_consistent(self) -> None:
        """Compare the record with what the instances say, when all is quiet."""
        record = self.protected()
        mains = [name for name in self.instances if self._ask(name, SHOW_ROLE) == [Role.MAIN.value]]
        assert mains == [record.main], f"the record names {record.main}, MAIN are {mains}"
        generations = [change.generation for change in record.history]
        assert generations == sorted(set(generations)), f"the record's history is out of order: {generations}"

    def _ask(self, instance: InstanceName, query: str) -> list[str]:
        """Ask an instance directly, past the gateway; gives the first column."""
        pod = self.pod(instance)
        assert pod is not None, f"there is no pod {instance}"
        driver = GraphDatabase.driver(
            f"bolt://{pod.address}:{BOLT}",
            notifications_min_severity=NotificationMinimumSeverity.OFF,
            telemetry_disabled=True,
        )
        # Not `execute_query`: questions about replication are refused in explicit transactions (transcripts).
        with driver, driver.session() as session:
            return [str(row[0]) for row in session.run(query)]

    def _helm_has_it(self) -> bool:
        return self.name in self.host.helm("list", "--namespace", self.namespace, "--short", "--all").split()

    def _is_gone(self) -> bool:
        return self.host.api.get(f"/api/v1/namespaces/{self.namespace}").status_code == httpx.codes.NOT_FOUND


def small_values(images: Images) -> dict[str, Any]:
    """Give the chart's values for the test images on a machine with two cores."""

    def image(name: str) -> dict[str, str]:
        repository, _, tag = name.rpartition(":")
        return {"repository": repository, "tag": tag}

    resources = {"requests": {"cpu": "10m", "memory": "64Mi"}, "limits": {"memory": "512Mi"}}
    return {
        "memgraph": {"image": image(images.memgraph), "memoryLimitMiB": 0, "resources": resources},
        "controller": {"image": image(images.controller), "resources": resources},
    }


def merged(below: Mapping[str, Any], above: Mapping[str, Any]) -> dict[str, Any]:
    """Merge two trees of values as helm does: the second wins, maps are merged."""
    result = dict(below)
    for key, value in above.items():
        known = result.get(key)
        result[key] = merged(known, value) if isinstance(known, Mapping) and isinstance(value, Mapping) else value
    return result

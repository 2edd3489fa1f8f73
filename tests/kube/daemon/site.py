"""One release on a real API server: a StatefulSet with its played kubelet, controllers, and clients with a ledger."""

import contextlib
import itertools
import os
import signal
import time
from collections import Counter
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import neo4j
from attrs import define, field
from kubernetes.client import ApiClient
from kubernetes.config import new_client_from_config

from memgraph_ha.core import Record, parse_record
from memgraph_ha.core.names import Address, InstanceName
from memgraph_ha.drill.ledger import Reading, WriterLog, check
from memgraph_ha.drill.writers import Writers
from tests.kube.api_server import ApiServer
from tests.kube.daemon.kubelet import Kubelet, core_of
from tests.kube.daemon.processes import BOLT, Controller, Network, until
from tests.kube.daemon.service import Service

USER: Final = "memgraph-ha"
PASSWORD: Final = "only-for-tests"  # noqa: S105 - opens nothing
TOKEN: Final = "a-token-of-the-tests"  # noqa: S105 - likewise
RELEASE: Final = "mg"
START_S: Final = 90.0
"""A controller needs three seconds of processor for its imports; a busy machine takes its time for them."""

_NUMBERS: Final = itertools.count()


@define
class Site:
    """One release.

    Attributes:
        server: The API server.
        namespace: The release's own.
        folder: Volumes, logs and files of the controllers.
        policy: TOML of the policy.
        api: An administrator's access.
        network: Where pods get their addresses.
        kubelet: Keeps the instances' pods.
        service: Where clients go.
        controllers: In the order in which they were added.
        groups: The writers, in the order in which they began.
    """

    server: ApiServer
    namespace: str
    folder: Path
    policy: str
    api: ApiClient
    network: Network
    kubelet: Kubelet
    service: Service
    controllers: list[Controller] = field(factory=list)
    groups: list[Writers] = field(factory=list)

    @classmethod
    def make(cls, server: ApiServer, folder: Path, policy: str = "") -> "Site":
        """Make a release whose instances start."""
        api = new_client_from_config(str(server.kubeconfig))
        namespace = f"site-{os.getpid()}-{next(_NUMBERS)}"
        core_of(api).create_namespace({"metadata": {"name": namespace}})
        network = Network()
        (folder / "policy.toml").write_text(policy)
        (folder / "token").write_text(TOKEN)
        kubelet = Kubelet(api, namespace, RELEASE, folder, network)
        site = cls(server, namespace, folder, policy, api, network, kubelet, Service(api, namespace, {}))
        kubelet.create(3)
        site.service.start()
        return site

    def close(self) -> None:
        """End everything."""
        for group in self.groups:
            group.stop()
        self.service.stop()
        for controller in self.controllers:
            controller.container.signal(signal.SIGCONT)
            controller.container.end()
        self.kubelet.stop()

    def add_controller(self, **environment: str) -> Controller:
        """Start one more controller, in a pod of its own."""
        name = f"{RELEASE}-controller-{len(self.controllers)}"
        labels = {"app.kubernetes.io/instance": RELEASE, "app.kubernetes.io/component": "controller"}
        spec = {"nodeName": "node1", "containers": [{"name": "controller", "image": "memgraph-ha"}]}
        pod = core_of(self.api).create_namespaced_pod(
            self.namespace, {"metadata": {"name": name, "labels": labels}, "spec": spec}
        )
        ip = self.network.address()
        status = {"phase": "Running", "podIP": ip, "podIPs": [{"ip": ip}]}
        core_of(self.api).patch_namespaced_pod_status(name, self.namespace, {"status": status})
        told = {
            "NAMESPACE": self.namespace,
            "STATEFULSET_NAME": RELEASE,
            "KUBECONFIG": str(self.server.kubeconfig),
            "POD_UID": str(pod.metadata.uid),
            "MEMGRAPH_USER": USER,
            "MEMGRAPH_PASSWORD": PASSWORD,
            "MEMGRAPH_HA_POLICY_FILE": str(self.folder / "policy.toml"),
            "MEMGRAPH_HA_API_TOKEN_FILE": str(self.folder / "token"),
            **environment,
        }
        controller = Controller.make(self.folder, name, ip, told)
        self.controllers.append(controller)
        self.service.backends[name] = (controller.ip, BOLT)
        controller.container.start()
        return controller

    def leader(self, within_s: float = START_S) -> Controller:
        """Wait until somebody leads; gives them."""
        found: list[Controller] = []

        def leads() -> bool:
            found[:] = [each for each in self.controllers if each.container.running and each.leads()]
            return bool(found)

        until(leads, within_s, f"a controller leads\n{self.tail()}")
        return found[0]

    def record(self) -> Record:
        """Read the record."""
        found = core_of(self.api).read_namespaced_config_map(f"{RELEASE}-state", self.namespace)
        return parse_record((found.data or {})["record.json"])

    def protected(self, within_s: float = START_S) -> Record:
        """Wait until a reign is open and its standby named; gives the record."""

        def whole() -> bool:
            with contextlib.suppress(Exception):
                record = self.record()
                return record.opened and record.standby is not None
            return False

        until(whole, within_s, f"the reign is open and protected\n{self.tail()}")
        return self.record()

    def tail(self, most: int = 3000) -> str:
        """Give the ends of the controllers' logs."""
        return "\n".join(f"--- {each.name}\n{each.log[-most:]}" for each in self.controllers)

    def start_writers(self, count: int = 4) -> Writers:
        """Begin to write through the service with so many clients; they are waited for by `served_after`."""
        first = sum(len(group.logs) for group in self.groups)
        self.groups.append(Writers(Address(f"127.0.0.1:{self.service.port}"), count, first=first))
        self.groups[-1].start()
        return self.groups[-1]

    def served_after(self, at_s: float, within_s: float) -> float:
        """Wait until a write of the latest writers that began after this moment is acknowledged.

        Args:
            at_s: CLOCK_MONOTONIC.
            within_s: Longest wait.

        Returns:
            When, in seconds since ``at_s``.
        """
        logs, found = self.groups[-1].logs, list[float]()

        def served() -> bool:
            ends = [log.first_acknowledged(begun_from_s=at_s, until_s=float("inf")) for log in logs]
            found[:] = [each for each in ends if each is not None]
            return bool(found)

        until(served, within_s, f"clients are served\n{self.tail()}")
        return min(found) - at_s

    def stop_writers(self) -> int:
        """Stop writing, and hold the ledger against MAIN.

        Returns:
            How many writes were acknowledged; none of them is lost.
        """
        stuck, logs = [each for group in self.groups for each in group.stop()], list[WriterLog]()
        for group in self.groups:
            logs.extend(group.logs)
        self.groups.clear()
        assert not stuck, stuck
        record = self.protected()
        found = check(logs, [self._read(record.main)], [])
        wrong = [each for each in found.complaints() if each not in found.over_bound]
        assert not wrong, "\n".join((*wrong, self.tail()))
        return found.acknowledged

    def _read(self, name: InstanceName) -> Reading:
        rows = ask(Address(f"{self.address_of(name)}:{BOLT}"), "MATCH (n:Write) RETURN n.id AS id")
        return Reading(instance=name, ids=Counter(map(str, rows)))

    def address_of(self, name: str) -> str:
        """Give a pod's address."""
        found = core_of(self.api).read_namespaced_pod(name, self.namespace)
        return str(found.status.pod_ip)

    def labels(self) -> Mapping[str, str | None]:
        """Give the role that each instance's pod is labelled with."""
        pods = core_of(self.api).list_namespaced_pod(
            self.namespace, label_selector="app.kubernetes.io/component=memgraph"
        )
        return {pod.metadata.name: (pod.metadata.labels or {}).get("memgraph-ha/role") for pod in pods.items}


def ask(address: Address, query: str) -> list[object]:
    """Send a query; gives the first column.

    Raises:
        neo4j.exceptions.Neo4jError: The server refuses it.
    """
    with neo4j.GraphDatabase.driver(f"bolt://{address}", auth=(USER, PASSWORD)) as driver, driver.session() as session:
        return [row[0] for row in session.run(query)]


def now_s() -> float:
    """Seconds of CLOCK_MONOTONIC, which the writers go by."""
    return time.monotonic()

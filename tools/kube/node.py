"""The cluster's one node: containerd, kubelet, kube-proxy, and a DNS server beside them."""

import signal
from typing import ClassVar, Final

import httpx

from memgraph_ha.adapters.process_os import ProcessHandle, identify
from tools.kube import network, node_config, traces, volumes
from tools.kube.api import Api
from tools.kube.archive import pause_image
from tools.kube.builds import path_of
from tools.kube.containers import Containers
from tools.kube.daemons import Daemons
from tools.kube.network import ADDRESS, PODS
from tools.kube.place import Place
from tools.kube.programs import COREDNS, KUBELET, PROXY
from tools.kube.say import step, wait_until

_PROXY_HEALTH_PORT: Final = 10256
_PROXY_METRICS_PORT: Final = 10249
_READY_S: Final = 90.0
_ENDED_WITHIN_S: Final = 15.0
_ASKED_WITHIN_S: Final = 2.0

FIXED_PORTS: Final = (
    (KUBELET.name, node_config.KUBELET_HEALTH_PORT),
    (PROXY.name, _PROXY_HEALTH_PORT),
    (PROXY.name, _PROXY_METRICS_PORT),
    (COREDNS.name, node_config.DNS_READY_PORT),
)
"""Ports on loopback that the node's daemons take."""


class Node:
    """The node's processes and what they leave on the machine.

    Args:
        place: The cluster's directory.
        daemons: What starts and ends its processes.
        api: The administrator's requests.
    """

    DAEMONS: ClassVar = ("containerd", KUBELET.name, PROXY.name, COREDNS.name)

    def __init__(self, place: Place, daemons: Daemons, api: Api) -> None:
        self._place, self._daemons, self._api = place, daemons, api
        self._containers = Containers(place)

    def start(self) -> None:
        """Start them, and wait until pods can run.

        Raises:
            ClusterError: One did not become ready; says which, and where its log is.
        """
        with step("containerd"):
            self._start_containerd()
        with step(KUBELET.name):
            self._start_kubelet()
        with step(PROXY.name):
            self._start_proxy()
        with step(COREDNS.name):
            self._start_dns()
        with step("a node that takes pods"):
            volumes.ensure(self._api, self._place)
            wait_until(
                self._takes_pods,
                timeout_s=_READY_S,
                what="the node's readiness",
                hint=lambda: self._daemons.hint(KUBELET.name),
            )

    def stop(self) -> None:
        """End them and every container.

        Raises:
            ClusterError: A process survived SIGKILL.
        """
        with step("ending the node and its pods"):
            for name in (COREDNS.name, KUBELET.name, PROXY.name):
                self._daemons.end(name, grace_s=_ENDED_WITHIN_S)
            for pid in self._container_pids():
                identity = identify(pid)
                handle = None if identity is None else ProcessHandle.open(identity)
                if handle is not None:
                    handle.send(signal.SIGKILL)
                    handle.close()
            self._daemons.end("containerd", grace_s=_ENDED_WITHIN_S)

    @staticmethod
    def remove_traces(place: Place) -> None:
        """Remove what no process holds any more: mounts, cgroups, links, the network plugins' notes.

        Raises:
            ClusterError: A mount is busy.
        """
        with step("removing mounts and cgroups"):
            traces.unmount_below(place.root)
            traces.remove_cgroups()
            traces.remove_notes(place.root)

    def _start_containerd(self) -> None:
        self._place.write("cni/10-pods.conflist", node_config.cni(self._place))
        config = self._place.write("containerd/config.toml", node_config.containerd(self._place))
        self._daemons.ensure(
            "containerd", ("containerd", "--config", config), ready=self._containers.answer, timeout_s=_READY_S
        )
        if node_config.PAUSE_IMAGE not in self._containers.images():
            self._containers.load(pause_image(self._place.folder("images"), node_config.PAUSE_IMAGE))

    def _start_kubelet(self) -> None:
        config = self._place.write("kubelet.json", node_config.kubelet(self._place))
        self._daemons.ensure(
            KUBELET.name,
            (
                path_of(KUBELET),
                f"--config={config}",
                f"--kubeconfig={self._place.kubeconfig}",
                f"--hostname-override={node_config.NODE}",
                f"--node-ip={ADDRESS}",
                f"--root-dir={self._place.folder('kubelet')}",
                f"--cert-dir={self._place.folder('kubelet/pki')}",
            ),
            ready=lambda: _is_healthy(node_config.KUBELET_HEALTH_PORT, "/healthz"),
            timeout_s=_READY_S,
        )

    def _start_proxy(self) -> None:
        if self._daemons.running(PROXY.name) is None:
            network.forget_services()
        self._daemons.ensure(
            PROXY.name,
            (
                path_of(PROXY),
                f"--kubeconfig={self._place.kubeconfig}",
                f"--hostname-override={node_config.NODE}",
                "--proxy-mode=nftables",
                f"--cluster-cidr={PODS}",
                f"--healthz-bind-address=127.0.0.1:{_PROXY_HEALTH_PORT}",
                f"--metrics-bind-address=127.0.0.1:{_PROXY_METRICS_PORT}",
                "--oom-score-adj=0",
                "--conntrack-max-per-core=0",  # the machine's limits are not ours to change
                "--conntrack-tcp-timeout-established=0s",
                "--conntrack-tcp-timeout-close-wait=0s",
            ),
            ready=lambda: _is_healthy(_PROXY_HEALTH_PORT, "/livez"),
            timeout_s=_READY_S,
        )

    def _start_dns(self) -> None:
        config = self._place.write("Corefile", node_config.coredns(self._place))
        self._daemons.ensure(
            COREDNS.name,
            (path_of(COREDNS), "-conf", config),
            ready=lambda: _is_healthy(node_config.DNS_READY_PORT, "/ready"),
            timeout_s=_READY_S,
        )

    def _takes_pods(self) -> bool:
        node = self._api.get(f"/api/v1/nodes/{node_config.NODE}")
        account = self._api.get("/api/v1/namespaces/default/serviceaccounts/default")
        if node.is_error or account.is_error:
            return False
        conditions = node.json()["status"].get("conditions", [])
        return any(one["type"] == "Ready" and one["status"] == "True" for one in conditions)

    def _container_pids(self) -> tuple[int, ...]:
        if self._daemons.running("containerd") is None:
            return ()
        return tuple(task.pid for task in self._containers.tasks())


def _is_healthy(port: int, path: str) -> bool:
    try:
        response = httpx.get(f"http://127.0.0.1:{port}{path}", timeout=_ASKED_WITHIN_S, trust_env=False)
    except httpx.HTTPError:
        return False
    return response.status_code == httpx.codes.OK

"""etcd, the API server, and what makes pods of objects: the part of a cluster that needs no container.

Tried with etcd 3.4.23 of Debian 12 and Kubernetes 1.34; the flags are those of
https://kubernetes.io/docs/reference/command-line-tools-reference/.
"""

import json
import os
from typing import Final

import httpx

from memgraph_ha.adapters.ports_in_use import port_is_busy
from tools.kube.api import Api
from tools.kube.builds import path_of
from tools.kube.daemons import Daemons
from tools.kube.errors import ClusterError
from tools.kube.place import Place, Settings
from tools.kube.programs import APISERVER, CONTROLLER_MANAGER, SCHEDULER, Program
from tools.kube.say import step

SERVICES: Final = "10.96.0.0/16"
"""The addresses of Services; the first is the API server's own."""

CONTROLLER_MANAGER_PORT: Final = 10257
SCHEDULER_PORT: Final = 10259
"""On loopback; there is one full cluster on a machine, so they are fixed."""

ISSUER: Final = "https://kubernetes.default.svc"

_AUDIT_POLICY: Final = json.dumps(
    {
        "apiVersion": "audit.k8s.io/v1",
        "kind": "Policy",
        "omitStages": ["RequestReceived"],
        "rules": [{"level": "Metadata", "userGroups": ["system:serviceaccounts"]}, {"level": "None"}],
    }
)
"""What pods ask for, so that a test can compare it with what their Role allows."""

_LOOPBACK: Final = "127.0.0.1"
_ETCD_READY_S: Final = 30.0
_APISERVER_READY_S: Final = 120.0
"""About 5 s on an idle machine; two busy cores were seen to take a minute."""

_BEGUN_S: Final = 60.0
_ASKED_WITHIN_S: Final = 2.0
_CONTEXT: Final = "memgraph-ha"


class ControlPlane:
    """The processes of a control plane.

    Args:
        place: The cluster's directory.
        settings: Its addresses and ports.
        daemons: What starts and ends its processes.
    """

    def __init__(self, place: Place, settings: Settings, daemons: Daemons) -> None:
        self._place, self._settings, self._daemons = place, settings, daemons
        self.api = Api(place, settings)

    def start_store(self) -> None:
        """Start etcd and the API server, and write the kubeconfig.

        Raises:
            ClusterError: One of them did not become ready.
        """
        with step("etcd"):
            self._start_etcd()
        with step("kube-apiserver"):
            self._start_apiserver()
        self._write_kubeconfig()

    def start_controllers(self) -> None:
        """Start what makes pods of objects and what places them.

        Raises:
            ClusterError: One of them did not become ready.
        """
        with step("kube-controller-manager"):
            self._start_controller(
                CONTROLLER_MANAGER,
                CONTROLLER_MANAGER_PORT,
                f"--root-ca-file={self.api.certificate}",
                f"--service-account-private-key-file={self._key}",
                "--use-service-account-credentials=true",
            )
        with step("kube-scheduler"):
            self._start_controller(SCHEDULER, SCHEDULER_PORT)

    @property
    def _key(self) -> str:
        """The key that signs service accounts' tokens: the API server's own, which it makes before it reads it."""
        return os.fspath(self._place.certificates / "apiserver.key")

    def _start_etcd(self) -> None:
        client = f"http://{_LOOPBACK}:{self._settings.etcd_port}"
        peer = f"http://{_LOOPBACK}:{self._settings.etcd_peer_port}"
        self._daemons.ensure(
            "etcd",
            (
                "etcd",
                "--name=node1",
                f"--data-dir={self._place.folder('etcd')}",
                f"--listen-client-urls={client}",
                f"--advertise-client-urls={client}",
                f"--listen-peer-urls={peer}",
                f"--initial-advertise-peer-urls={peer}",
                f"--initial-cluster=node1={peer}",
                "--unsafe-no-fsync",  # nothing here must survive a power cut
                "--log-level=warn",
            ),
            ready=lambda: _is_healthy(f"{client}/health"),
            timeout_s=_ETCD_READY_S,
        )

    def _start_apiserver(self) -> None:
        certificates = self._place.folder("certificates")
        tokens = self._place.write("certificates/tokens.csv", f'{self._settings.token},admin,admin,"system:masters"\n')
        alone = (
            # Nothing makes the service account that every pod must have: that is the controller-manager's work.
            "--disable-admission-plugins=ServiceAccount",
            # An address of loopback may not stand behind the Service `kubernetes`, and no pod asks for it.
            "--endpoint-reconciler-type=none",
        )
        self._daemons.ensure(
            APISERVER.name,
            (
                path_of(APISERVER),
                f"--etcd-servers=http://{_LOOPBACK}:{self._settings.etcd_port}",
                f"--bind-address={self._settings.address}",
                f"--advertise-address={self._settings.address}",
                f"--secure-port={self._settings.api_port}",
                f"--cert-dir={certificates}",
                f"--service-cluster-ip-range={SERVICES}",
                f"--service-account-issuer={ISSUER}",
                f"--service-account-key-file={self._key}",
                f"--service-account-signing-key-file={self._key}",
                f"--token-auth-file={tokens}",
                f"--audit-policy-file={self._place.write('audit-policy.json', _AUDIT_POLICY)}",
                f"--audit-log-path={self._place.audit}",
                "--authorization-mode=RBAC",
                "--allow-privileged=true",
                "--kubelet-preferred-address-types=InternalIP",  # the node's name does not resolve
                "--profiling=false",
                *(alone if self._settings.api_only else ()),
            ),
            ready=lambda: self.api.answers("/readyz"),
            timeout_s=_APISERVER_READY_S,
        )

    def _start_controller(self, program: Program, port: int, *flags: str) -> None:
        self._daemons.ensure(
            program.name,
            (
                path_of(program),
                f"--kubeconfig={self._place.kubeconfig}",
                f"--bind-address={_LOOPBACK}",
                f"--secure-port={port}",
                "--leader-elect=false",  # there is one of it, and a lease left behind would cost 15 s
                *flags,
            ),
            ready=lambda: port_is_busy(port),  # it listens when it begins
            timeout_s=_BEGUN_S,
        )

    def _write_kubeconfig(self) -> None:
        # JSON is YAML too. Only the path of the certificate: clients of this cluster are on this machine.
        config = {
            "apiVersion": "v1",
            "kind": "Config",
            "clusters": [
                {
                    "name": _CONTEXT,
                    "cluster": {
                        "server": self._settings.server,
                        "certificate-authority": os.fspath(self.api.certificate),
                    },
                }
            ],
            "users": [{"name": "admin", "user": {"token": self._settings.token}}],
            "contexts": [{"name": _CONTEXT, "context": {"cluster": _CONTEXT, "user": "admin"}}],
            "current-context": _CONTEXT,
        }
        self._place.write(self._place.kubeconfig.name, json.dumps(config, indent=2) + "\n")


def server_version(api: Api) -> str:
    """Ask the API server what it is, e.g. `v1.34.4`.

    Raises:
        ClusterError: It does not answer, or not with a version.
    """
    response = api.get("/version")
    if response.is_error:
        raise ClusterError(f"/version was answered by {response.status_code} {response.text}")
    return str(response.json()["gitVersion"])


def _is_healthy(url: str) -> bool:
    try:
        response = httpx.get(url, timeout=_ASKED_WITHIN_S, trust_env=False)
    except httpx.HTTPError:
        return False
    return response.status_code == httpx.codes.OK

"""The programs that are built here, from pinned Go modules; Debian has none of them.

Each folder below `go/` is a module of its own with its go.sum, so that Go checks every byte against its check-sum
database. Kubernetes is published without its staging folder: go.mod replaces each `k8s.io/X` that its own go.mod takes
from there by the published module of the same release (1.34.4 of Kubernetes is 0.34.4 of them).
"""

import hashlib
import re
from pathlib import Path
from typing import Final

from attrs import frozen

from tools.kube.errors import ClusterError

_MODULES: Final = Path(__file__).parent / "go"
_VERSION: Final = re.compile(r"^\s*(?:require\s+)?(?P<module>\S+) v(?P<version>\d\S*)", re.MULTILINE)


@frozen(kw_only=True)
class Program:
    """One program to build.

    Attributes:
        name: What the file is called.
        folder: Its module's folder below `go/`.
        package: The Go package, `.` for a main of our own.
        required: The module whose version is the program's own; None: it is a program of this repository.
        stamp: The package whose variables `gitVersion`, ... say the version; None if it says it in another way.
            Without them the API server's `/version` says v0.0.0, and clients that compare versions stumble.
    """

    name: str
    folder: str
    package: str
    required: str | None = None
    stamp: str | None = None

    @property
    def module(self) -> Path:
        """The folder of its go.mod."""
        return _MODULES / self.folder

    @property
    def version(self) -> str:
        """Its version, without the `v`, as go.mod pins it.

        Raises:
            ClusterError: go.mod does not pin it.
        """
        if self.required is None:
            return "1"
        path = self.module / "go.mod"
        for found in _VERSION.finditer(path.read_text(encoding="utf-8")):
            if found["module"] == self.required:
                return found["version"]
        raise ClusterError(f"{path}: pins no version of {self.required}")

    @property
    def fingerprint(self) -> str:
        """Name everything in this repository that goes into it; a change means that it is built again."""
        digest = hashlib.sha256(repr((self.package, self.stamp)).encode())
        for path in sorted(self.module.iterdir()):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()


def _kubernetes(name: str) -> Program:
    return Program(
        name=name,
        folder="kubernetes",
        package=f"k8s.io/kubernetes/cmd/{name}",
        required="k8s.io/kubernetes",
        stamp="k8s.io/component-base/version",
    )


APISERVER: Final = _kubernetes("kube-apiserver")
CONTROLLER_MANAGER: Final = _kubernetes("kube-controller-manager")
SCHEDULER: Final = _kubernetes("kube-scheduler")
KUBELET: Final = _kubernetes("kubelet")
PROXY: Final = _kubernetes("kube-proxy")
PAUSE: Final = Program(name="pause", folder="pause", package=".")
COREDNS: Final = Program(name="coredns", folder="coredns", package=".", required="github.com/coredns/coredns")
HELM: Final = Program(name="helm", folder="helm", package="helm.sh/helm/v3/cmd/helm", required="helm.sh/helm/v3")
KUBECONFORM: Final = Program(
    name="kubeconform",
    folder="kubeconform",
    package="github.com/yannh/kubeconform/cmd/kubeconform",
    required="github.com/yannh/kubeconform",
)

CLUSTER: Final = (APISERVER, CONTROLLER_MANAGER, SCHEDULER, KUBELET, PROXY, PAUSE, COREDNS)
"""What a full cluster runs."""

CHART: Final = (HELM, KUBECONFORM)
"""What installs and checks the chart."""

ALL: Final = {program.name: program for program in (*CLUSTER, *CHART)}
"""Every program, by its name."""

"""The programs that are built here, from pinned Go modules; Debian has none of them.

`go/` is one module for all of them, with its go.sum, so that Go checks every byte against its check-sum database. One
module, because then they share one version of everything, and what several of them need, Kubernetes' client and types
above all, is compiled once. Kubernetes is published without its staging folder: go.mod replaces each `k8s.io/X` that
its own go.mod takes from there by the published module of the same release (1.34.4 of Kubernetes is 0.34.4 of them).
"""

import hashlib
import re
from pathlib import Path
from typing import Final

from attrs import frozen

from tools.kube.errors import ClusterError

MODULE: Final = Path(__file__).parent / "go"
"""The folder of go.mod."""

_VERSION: Final = re.compile(r"^\s*(?:require\s+)?(?P<module>\S+) v(?P<version>\d\S*)", re.MULTILINE)


@frozen(kw_only=True)
class Program:
    """One program to build.

    Attributes:
        name: What the file is called.
        package: The Go package, whose last part is the name; `./NAME` for a main of our own.
        required: The module whose version is the program's own; None: it is a program of this repository.
    """

    name: str
    package: str
    required: str | None = None

    @property
    def version(self) -> str:
        """Its version, without the `v`, as go.mod pins it.

        Raises:
            ClusterError: go.mod does not pin it.
        """
        if self.required is None:
            return "1"
        path = MODULE / "go.mod"
        for found in _VERSION.finditer(path.read_text(encoding="utf-8")):
            if found["module"] == self.required:
                return found["version"]
        raise ClusterError(f"{path}: pins no version of {self.required}")

    @property
    def fingerprint(self) -> str:
        """Name everything in this repository that goes into it; a change means that it is built again."""
        digest = hashlib.sha256(self.package.encode())
        own = sorted((MODULE / self.name).glob("*.go"))
        for path in (MODULE / "go.mod", MODULE / "go.sum", *own):
            digest.update(path.name.encode() + b"\0" + path.read_bytes())
        return digest.hexdigest()


def _kubernetes(name: str) -> Program:
    return Program(name=name, package=f"k8s.io/kubernetes/cmd/{name}", required="k8s.io/kubernetes")


APISERVER: Final = _kubernetes("kube-apiserver")
CONTROLLER_MANAGER: Final = _kubernetes("kube-controller-manager")
SCHEDULER: Final = _kubernetes("kube-scheduler")
KUBELET: Final = _kubernetes("kubelet")
PROXY: Final = _kubernetes("kube-proxy")
PAUSE: Final = Program(name="pause", package="./pause")
COREDNS: Final = Program(name="coredns", package="./coredns", required="github.com/coredns/coredns")
HELM: Final = Program(name="helm", package="helm.sh/helm/v3/cmd/helm", required="helm.sh/helm/v3")
KUBECONFORM: Final = Program(
    name="kubeconform",
    package="github.com/yannh/kubeconform/cmd/kubeconform",
    required="github.com/yannh/kubeconform",
)

CLUSTER: Final = (APISERVER, CONTROLLER_MANAGER, SCHEDULER, KUBELET, PROXY, PAUSE, COREDNS)
"""What a full cluster runs."""

CHART: Final = (HELM, KUBECONFORM)
"""What installs and checks the chart."""

ALL: Final = {program.name: program for program in (*CLUSTER, *CHART)}
"""Every program, by its name."""

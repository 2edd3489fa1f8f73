"""What the tests of the chart share: where it is, its templates filled in, and the programs that look at them."""

import functools
import json
import shutil
import subprocess
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any, Final

import yaml
from attrs import frozen

ROOT: Final = Path(__file__).parents[2]
CHART: Final = ROOT / "charts" / "memgraph-ha"
KUBERNETES: Final = "1.34.4"
"""The version whose schemas the objects are held against, and which `tools/kube` starts."""

OPERATOR: Final = "v0.85.0"
"""The version of Prometheus' operator whose schemas ServiceMonitor and PrometheusRule are held against."""

_WITHIN_S: Final = 60.0

Values = Mapping[str, Any]

EVERYTHING: Final[Values] = {
    "commonLabels": {"team": "graphs"},
    "imagePullSecrets": [{"name": "registry"}],
    "memgraph": {
        "replicas": 5,
        "extraArgs": ["--bolt-num-workers=4"],
        "extraEnv": [{"name": "TZ", "value": "UTC"}],
        "antiAffinity": "hard",
        "storage": {"storageClassName": "-", "claimName": "lib-storage", "annotations": {"a": "b"}},
        "topologySpreadConstraints": [
            {"maxSkew": 1, "topologyKey": "topology.kubernetes.io/zone", "whenUnsatisfiable": "ScheduleAnyway"}
        ],
        "tolerations": [{"key": "db", "operator": "Exists"}],
        "nodeSelector": {"disk": "fast"},
        "priorityClassName": "high",
        "podAnnotations": {"a": "b"},
    },
    "controller": {
        "image": {"digest": "sha256:" + "0" * 64},
        "replicas": 3,
        "observeOnly": True,
        "trace": True,
        "apiPriority": True,
        "extraEnv": [{"name": "TZ", "value": "UTC"}],
        "affinity": {"nodeAffinity": {}},
        "service": {"name": "memgraph-controller"},
    },
    "policy": {"data_durability": "required", "standby_grace_s": 0.5, "failover_limit": 20, "eligible": ["r-0", "r-2"]},
    "gateway": {
        "rateLimit": {"enabled": True},
        "tls": {"enabled": True, "secretName": "certificate"},
        "service": {
            "name": "memgraph-gateway",
            "type": "LoadBalancer",
            "externalTrafficPolicy": "Local",
            "loadBalancerSourceRanges": ["10.0.0.0/8"],
        },
        "read": {"service": {"name": "memgraph-gateway-read", "type": "NodePort"}},
    },
    "auth": {"enabled": True, "applications": [{"user": "app", "password": 'a "quoted" \\ <päss>'}]},
    "api": {"tokenReview": True},
    "networkPolicy": {
        "clientsFrom": [{"namespaceSelector": {"matchLabels": {"clients": "yes"}}}],
        "apiFrom": [{"podSelector": {"matchLabels": {"operator": "yes"}}}],
    },
    "serviceMonitor": {"enabled": True, "labels": {"release": "prometheus"}},
    "prometheusRule": {"enabled": True, "alertLabels": {"team": "graphs"}},
    "dashboard": {"enabled": True},
}
"""Everything on, every list filled."""

LITTLE: Final[Values] = {
    "memgraph": {"replicas": 2, "antiAffinity": "none", "podDisruptionBudget": {"enabled": False}},
    "controller": {"replicas": 1, "podDisruptionBudget": {"enabled": False}},
    "gateway": {"read": {"enabled": False}},
    "networkPolicy": {"enabled": False},
    "auth": {"existingSecret": "mine", "userKey": "USER", "passwordKey": "PASSWORD"},
    "api": {"existingSecret": "mine-too"},
}
"""Everything off, secrets of one's own."""

VALUE_SETS: Final[Mapping[str, Values]] = {
    "defaults": {},
    "everything": EVERYTHING,
    "little": LITTLE,
    **{file.name: yaml.safe_load(file.read_text("utf-8")) for file in sorted((ROOT / "examples/kubernetes").iterdir())},
}
"""What the chart is tried with; the examples of the documentation among them."""


class HelmError(Exception):
    """Helm refused; the text is what it said."""


@frozen(kw_only=True)
class Object:
    """One Kubernetes object.

    Attributes:
        kind: Its kind.
        name: Its name.
        body: All of it.
    """

    kind: str
    name: str
    body: Mapping[str, Any]


@frozen(kw_only=True)
class Release:
    """The chart's templates filled in, as release `r` in the namespace `db`.

    Attributes:
        text: The YAML.
        objects: What is in it, in its order.
    """

    text: str
    objects: tuple[Object, ...]

    def of_kind(self, kind: str) -> tuple[Object, ...]:
        """List the objects of a kind."""
        return tuple(each for each in self.objects if each.kind == kind)

    def body(self, kind: str, name: str) -> Mapping[str, Any]:
        """Give the one object of that kind and name."""
        (found,) = (each.body for each in self.of_kind(kind) if each.name == name)
        return found

    def pods(self) -> Iterator[tuple[str, Mapping[str, Any]]]:
        """List the specification of every pod that would run, with the name of what makes it."""
        for each in self.objects:
            if each.kind in {"StatefulSet", "Deployment"}:
                yield each.name, each.body["spec"]["template"]["spec"]
            elif each.kind == "Pod":
                yield each.name, each.body["spec"]


def run(*command: str | Path, given: str | None = None) -> "subprocess.CompletedProcess[str]":
    """Run a program to its end, within a minute; what it prints is text."""
    return subprocess.run(
        [str(part) for part in command], input=given, capture_output=True, text=True, timeout=_WITHIN_S, check=False
    )


@frozen(kw_only=True)
class Helm:
    """Fills the chart in.

    Attributes:
        program: The helm binary.
    """

    program: Path

    def render(self, values: Values) -> Release:
        """Fill the chart in.

        Raises:
            HelmError: It refused.
        """
        return _rendered(self.program, yaml.safe_dump(dict(values)))

    def at(self, kubeconfig: Path, namespace: str, *command: str, values: Values | None = None) -> str:
        """Let it do something on a cluster; returns what it says.

        Raises:
            HelmError: It refused.
        """
        given = ("--values=-",) if values is not None else ()
        done = run(
            self.program, f"--kubeconfig={kubeconfig}", f"--namespace={namespace}", *command, *given,
            given=yaml.safe_dump(dict(values or {})),
        )  # fmt: skip
        if done.returncode:
            raise HelmError(done.stderr)
        return done.stdout

    def lint(self, values: Values) -> "subprocess.CompletedProcess[str]":
        """Let helm look for mistakes; warnings count."""
        return run(
            self.program, "lint", "--strict", f"--kube-version={KUBERNETES}", "--values=-", CHART,
            given=yaml.safe_dump(dict(values)),
        )  # fmt: skip


@functools.cache
def _rendered(helm: Path, values: str) -> Release:
    """Fill the chart in, once for all tests: it takes a second, and nobody changes what comes of it."""
    done = run(
        helm, "template", "r", CHART, "--namespace=db", f"--kube-version={KUBERNETES}", "--values=-",
        given=values,
    )  # fmt: skip
    if done.returncode:
        raise HelmError(done.stderr)
    bodies = (body for body in yaml.safe_load_all(done.stdout) if body)
    return Release(
        text=done.stdout,
        objects=tuple(Object(kind=body["kind"], name=body["metadata"]["name"], body=body) for body in bodies),
    )


def module(path: str, version: str) -> Path:
    """Give the directory of a Go module, fetched if it is not there yet.

    Args:
        path: The module's, e.g. `k8s.io/kubernetes`.
        version: With its `v`.
    """
    go = shutil.which("go") or "/usr/local/go/bin/go"
    done = subprocess.run(
        [go, "mod", "download", "-json", f"{path}@{version}"],
        cwd="/", capture_output=True, text=True, timeout=300, check=True,
    )  # fmt: skip
    return Path(json.loads(done.stdout)["Dir"])

"""What a pod and a StatefulSet say that matters to us, read out of the API's JSON. Pure.

Unknown things are ignored; what is missing is None or empty.
Source of the fields: https://kubernetes.io/docs/reference/kubernetes-api/workload-resources/.
"""

from collections.abc import Mapping, Sequence
from typing import Final

from attrs import frozen

from memgraph_ha.adapters.kubernetes.raw import Raw
from memgraph_ha.core.names import Incarnation

_ID_LENGTH: Final = 12
"""So many digits of a container's id are enough to tell it from every other, as in the tools of all runtimes."""

_OPERATORS: Final = {"In": "in", "NotIn": "notin"}


@frozen(kw_only=True)
class Pod:
    """A pod, as the API showed it.

    Attributes:
        name: Its name, which the next pod in its place has too.
        uid: Its own, never anybody else's.
        version: Its ``resourceVersion``.
        owner: The UID of its controller, the StatefulSet that it counts for; empty if it has none.
        ip: Its address; empty if it has none (yet).
        incarnation: The process in its container; None when the kubelet says that none runs. A kubelet that says
            nothing any more (its node is lost) leaves the last word standing: that is no sign of an end.
        grace_s: Somebody asked for its end, with so many seconds of grace; None if nobody did.
    """

    name: str
    uid: str
    version: str
    owner: str
    ip: str
    incarnation: Incarnation | None
    grace_s: int | None


@frozen(kw_only=True)
class StatefulSet:
    """A StatefulSet, as the API showed it.

    Attributes:
        name: Its name; those of its pods are ``<name>-<ordinal>``.
        uid: Its own, never anybody else's.
        first: The lowest ordinal (``spec.ordinals.start``).
        replicas: How many pods it wants.
        selector: Its label selector, as a query wants it.
        containers: The names of the containers of its pods.
        init_containers: The names of those that run before them.
    """

    name: str
    uid: str
    first: int
    replicas: int
    selector: str
    containers: tuple[str, ...]
    init_containers: tuple[str, ...]

    def wanted(self) -> tuple[str, ...]:
        """Give the names of the pods that it wants, in ordinal order."""
        return tuple(f"{self.name}-{self.first + index}" for index in range(self.replicas))

    def ordinal(self, pod: str) -> int | None:
        """Give the ordinal of a pod; None if that is no name of a pod of this set."""
        prefix, _, number = pod.rpartition("-")
        return int(number) if prefix == self.name and number.isascii() and number.isdigit() else None


def read_pod(raw: Raw, container: str) -> Pod:
    """Read a pod.

    Args:
        raw: The object.
        container: The name of the container that Memgraph runs in.
    """
    metadata, status = _inner(raw, "metadata"), _inner(raw, "status")
    uid = _text(metadata, "uid")
    deleted = bool(_text(metadata, "deletionTimestamp"))
    grace = metadata.get("deletionGracePeriodSeconds")
    return Pod(
        name=_text(metadata, "name"),
        uid=uid,
        version=_text(metadata, "resourceVersion"),
        owner=next((_text(each, "uid") for each in _items(metadata, "ownerReferences") if each.get("controller")), ""),
        ip=_address(status),
        incarnation=_incarnation(uid, _items(status, "containerStatuses"), container),
        grace_s=(grace if isinstance(grace, int) else 0) if deleted else None,
    )


def read_statefulset(raw: Raw) -> StatefulSet:
    """Read a StatefulSet.

    Args:
        raw: The object.
    """
    metadata, spec = _inner(raw, "metadata"), _inner(raw, "spec")
    template = _inner(_inner(spec, "template"), "spec")
    first, replicas = _inner(spec, "ordinals").get("start"), spec.get("replicas")
    return StatefulSet(
        name=_text(metadata, "name"),
        uid=_text(metadata, "uid"),
        first=first if isinstance(first, int) else 0,
        replicas=replicas if isinstance(replicas, int) else 1,
        selector=_selector(_inner(spec, "selector")),
        containers=tuple(_text(each, "name") for each in _items(template, "containers")),
        init_containers=tuple(_text(each, "name") for each in _items(template, "initContainers")),
    )


def uid_in(incarnation: Incarnation) -> str:
    """Give the UID of the pod that a process was in.

    Args:
        incarnation: The process.
    """
    return incarnation.partition("/")[0]


def version_of(raw: Raw) -> str:
    """Give the ``resourceVersion`` of an object or of a list."""
    return _text(_inner(raw, "metadata"), "resourceVersion")


def name_of(raw: Raw) -> str:
    """Give the name of an object."""
    return _text(_inner(raw, "metadata"), "name")


def _incarnation(uid: str, statuses: Sequence[Raw], container: str) -> Incarnation | None:
    """Name the process in a container; None if the kubelet says that none runs.

    A container that is started again has another id, also in the same pod
    (https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#container-states).
    """
    status = next((each for each in statuses if each.get("name") == container), {})
    running = _inner(status, "state").get("running")
    if not isinstance(running, Mapping):
        return None
    number = _text(status, "containerID").rpartition("//")[2]
    life = number[:_ID_LENGTH] or f"{status.get('restartCount', 0)}@{_text(running, 'startedAt')}"
    return Incarnation(f"{uid}/{life}")


def _address(status: Raw) -> str:
    """Choose one of a pod's addresses: IPv4 if it has one, for that is what Memgraph is tried with."""
    addresses = [_text(each, "ip") for each in _items(status, "podIPs")] or [_text(status, "podIP")]
    return next((each for each in addresses if ":" not in each), addresses[0])


def _selector(selector: Raw) -> str:
    """Write a label selector as a query wants it: ``a=b,c in (d,e),f``."""
    parts = [f"{key}={value}" for key, value in sorted(_inner(selector, "matchLabels").items())]
    for each in _items(selector, "matchExpressions"):
        key, operator = _text(each, "key"), _text(each, "operator")
        if operator in _OPERATORS:
            parts.append(f"{key} {_OPERATORS[operator]} ({','.join(map(str, each.get('values') or ()))})")
        else:
            parts.append(key if operator == "Exists" else f"!{key}")
    return ",".join(parts)


def _inner(raw: Raw, name: str) -> Raw:
    value = raw.get(name)
    return value if isinstance(value, Mapping) else {}


def _items(raw: Raw, name: str) -> list[Raw]:
    value = raw.get(name)
    return [each for each in value if isinstance(each, Mapping)] if isinstance(value, list) else []


def _text(raw: Raw, name: str) -> str:
    value = raw.get(name)
    return value if isinstance(value, str) else ""

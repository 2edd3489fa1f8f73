"""Pods as the API server tells them, and their processes as this machine has them."""

import signal
from collections.abc import Mapping
from typing import Any

from attrs import frozen

from memgraph_ha.adapters.process_os import ProcessHandle, identify
from tools.kube.containers import Containers


@frozen(kw_only=True)
class Pod:
    """One pod, as it was told at one moment.

    Attributes:
        name: Its name.
        uid: Which one of that name.
        address: Its IP address; empty without.
        labels: Its labels.
        containers: The ids of its running containers, by name.
        restarts: How often its containers were started again, by name.
        ready: Whether Kubernetes calls it ready.
        leaving: Whether it was told to end.
    """

    name: str
    uid: str
    address: str
    labels: Mapping[str, str]
    containers: Mapping[str, str]
    restarts: Mapping[str, int]
    ready: bool
    leaving: bool

    @classmethod
    def read(cls, raw: Mapping[str, Any]) -> "Pod":
        """Read one of the API server's."""
        meta, status = raw["metadata"], raw["status"]
        containers = status.get("containerStatuses", [])
        return cls(
            name=meta["name"],
            uid=meta["uid"],
            address=status.get("podIP", ""),
            labels=meta.get("labels", {}),
            containers={each["name"]: each.get("containerID", "") for each in containers if "running" in each["state"]},
            restarts={each["name"]: each["restartCount"] for each in containers},
            ready=any(each["type"] == "Ready" and each["status"] == "True" for each in status.get("conditions", [])),
            leaving="deletionTimestamp" in meta,
        )


def hold(containers: Containers, pod: Pod, container: str) -> ProcessHandle:
    """Take hold of the first process of a container; close it after use."""
    pid = containers.pid_of(pod.containers[container])
    identity = None if pid is None else identify(pid)
    handle = None if identity is None else ProcessHandle.open(identity)
    assert handle is not None, f"{container} of {pod.name} has no process"
    return handle


def send(containers: Containers, pod: Pod, container: str, signum: signal.Signals) -> None:
    """Send a signal to the first process of a container, past Kubernetes."""
    handle = hold(containers, pod, container)
    try:
        handle.send(signum)
    finally:
        handle.close()

"""What a pod and a StatefulSet of the API's JSON mean."""

from typing import Any

import pytest

from memgraph_ha.adapters.kubernetes.pods import read_pod, read_statefulset, uid_in
from memgraph_ha.core.names import Incarnation

UID = "9f6c0c0e-5d0c-4c55-8d4e-0d6f8f5a0001"
RUNNING = {"running": {"startedAt": "2026-01-31T12:00:00Z"}}


def pod_json(state: Any = None, **status: Any) -> dict[str, Any]:
    """Make a pod as the API sends it."""
    container = {
        "name": "memgraph",
        "restartCount": 2,
        "containerID": "containerd://0123456789abcdef0123",
        "state": RUNNING if state is None else state,
    }
    sidecar = {"name": "agent", "restartCount": 0, "containerID": "containerd://ffff", "state": RUNNING}
    return {
        "metadata": {
            "name": "db-0",
            "uid": UID,
            "resourceVersion": "41",
            "ownerReferences": [{"uid": "other", "controller": False}, {"uid": "set", "controller": True}],
        },
        "status": {"podIP": "10.0.0.7", "containerStatuses": [sidecar, container], **status},
    }


def test_a_running_pod() -> None:
    """Its process is named by pod and container, its owner is its controller."""
    pod = read_pod(pod_json(), "memgraph")
    assert (pod.name, pod.uid, pod.version, pod.owner, pod.ip) == ("db-0", UID, "41", "set", "10.0.0.7")
    assert pod.incarnation == Incarnation(f"{UID}/0123456789ab")
    assert uid_in(pod.incarnation) == UID
    assert pod.grace_s is None


@pytest.mark.parametrize(
    "state",
    [
        {"waiting": {"reason": "CrashLoopBackOff"}},
        {"terminated": {"exitCode": 137, "containerID": "containerd://0123"}},
        {},
        {"running": None},
    ],
)
def test_a_container_that_does_not_run_is_no_process(state: dict[str, Any]) -> None:
    """Waiting, terminated or unknown: there is none, whatever the sidecar does."""
    assert read_pod(pod_json(state), "memgraph").incarnation is None


@pytest.mark.parametrize(
    "signs",
    [
        {"phase": "Unknown", "reason": "NodeLost"},
        {"phase": "Running", "conditions": [{"type": "Ready", "status": "Unknown"}]},
        {"phase": "Running", "conditions": [{"type": "Ready", "status": "False", "reason": "NodeNotReady"}]},
    ],
)
def test_a_node_that_says_nothing_ends_no_process(signs: dict[str, Any]) -> None:
    """A pod on a lost node keeps the process that its kubelet reported last."""
    assert read_pod(pod_json(**signs), "memgraph").incarnation == f"{UID}/0123456789ab"


def test_a_container_without_an_id_is_named_by_its_start() -> None:
    """A runtime that gives no id still tells one life from another."""
    raw = pod_json()
    raw["status"]["containerStatuses"][1]["containerID"] = ""
    assert read_pod(raw, "memgraph").incarnation == f"{UID}/2@2026-01-31T12:00:00Z"


def test_a_pod_that_is_being_deleted() -> None:
    """Its grace is told; it still has its process."""
    raw = pod_json()
    raw["metadata"] |= {"deletionTimestamp": "2026-01-31T12:00:30Z", "deletionGracePeriodSeconds": 30}
    pod = read_pod(raw, "memgraph")
    assert pod.grace_s == 30
    assert pod.incarnation is not None


def test_the_address_is_ipv4_if_there_is_one() -> None:
    """On a dual-stack network IPv6 may come first."""
    assert read_pod(pod_json(podIPs=[{"ip": "fd00::7"}, {"ip": "10.0.0.8"}]), "memgraph").ip == "10.0.0.8"
    assert read_pod(pod_json(podIPs=[{"ip": "fd00::7"}]), "memgraph").ip == "fd00::7"


@pytest.mark.parametrize("raw", [{}, {"metadata": None, "status": []}, {"status": {"containerStatuses": ["x", 7]}}])
def test_a_pod_with_nothing_in_it_is_nobody(raw: dict[str, Any]) -> None:
    """A new pod, or an answer of a strange server, breaks nothing and stands for no process."""
    pod = read_pod(raw, "memgraph")
    assert (pod.name, pod.owner, pod.ip, pod.incarnation) == ("", "", "", None)


def test_a_statefulset() -> None:
    """Its pods are numbered from where it says, and selected as it selects them."""
    raw = {
        "metadata": {"name": "db", "uid": "set"},
        "spec": {
            "replicas": 2,
            "ordinals": {"start": 3},
            "selector": {
                "matchLabels": {"b": "2", "a": "1"},
                "matchExpressions": [
                    {"key": "tier", "operator": "In", "values": ["x", "y"]},
                    {"key": "old", "operator": "DoesNotExist"},
                    {"key": "new", "operator": "Exists"},
                ],
            },
            "template": {"spec": {"containers": [{"name": "memgraph"}], "initContainers": [{"name": "set-aside"}]}},
        },
    }
    found = read_statefulset(raw)
    assert found.wanted() == ("db-3", "db-4")
    assert found.selector == "a=1,b=2,tier in (x,y),!old,new"
    assert (found.containers, found.init_containers) == (("memgraph",), ("set-aside",))
    assert read_statefulset({"metadata": {"name": "db"}}).replicas == 1, "the API's default"


@pytest.mark.parametrize(
    ("pod", "ordinal"),
    [("db-0", 0), ("db-12", 12), ("db-x", None), ("db", None), ("db-1-0", None), ("xdb-1", None), ("db-\u0663", None)],
)
def test_only_names_of_its_own_have_an_ordinal(pod: str, ordinal: int | None) -> None:
    """Another set whose name begins alike is another set."""
    assert read_statefulset({"metadata": {"name": "db"}}).ordinal(pod) == ordinal

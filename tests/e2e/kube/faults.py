"""What is done to a release, past the API or through it, and what its clients notice."""

import enum
import itertools
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Final

import httpx

from memgraph_ha.drill.writers import Writers
from tests.e2e.kube.pods import Pod
from tests.e2e.kube.release import Release, until
from tools.kube.run import run

_SERVED_S: Final = 60.0
_ROLLED_S: Final = 240.0
_TABLE: Final = "memgraph-ha-e2e"


def served_after(writers: Writers, at_s: float) -> float | None:
    """Say when the first write that began after a moment was acknowledged, in seconds since it; None if none was.

    Args:
        writers: Whose.
        at_s: CLOCK_MONOTONIC.
    """
    until_s = time.monotonic()
    times = [log.first_acknowledged(begun_from_s=at_s, until_s=until_s) for log in writers.logs]
    return min((each - at_s for each in times if each is not None), default=None)


def wait_served(release: Release, writers: Writers, at_s: float, within_s: float = _SERVED_S) -> float:
    """Wait until a write that began after a moment is acknowledged; gives how long after it that was, seconds."""
    until(
        lambda: served_after(writers, at_s) is not None,
        within_s,
        lambda: f"a write is acknowledged\n{release.tail()}",
    )
    served_s = served_after(writers, at_s)
    assert served_s is not None
    return served_s


def longest_silence(writers: Writers, since_s: float) -> float:
    """Give the longest time without an acknowledgement to anybody since a moment, until the last one, seconds."""
    times = sorted(at_s for log in writers.logs for at_s in log.acknowledgements() if at_s >= since_s - 1)
    return max((after - before for before, after in itertools.pairwise(times)), default=0.0)


def silences(writers: Writers, since_s: float, above_s: float) -> str:
    """Name each silence longer than ``above_s``: when it began, seconds since a moment, and how long it was."""
    times = sorted(at_s for log in writers.logs for at_s in log.acknowledgements() if at_s >= since_s - 1)
    found = ((before - since_s, after - before) for before, after in itertools.pairwise(times))
    return ", ".join(f"{length_s:.1f} s at {at_s:.1f} s" for at_s, length_s in found if length_s > above_s) or "none"


def restart_rolling(release: Release) -> None:
    """Restart all instances one by one, as `kubectl rollout restart statefulset` does, and wait until it is done."""
    stamp = {"kubectl.kubernetes.io/restartedAt": str(time.time())}
    release.host.api.change(release.memgraph, {"spec": {"template": {"metadata": {"annotations": stamp}}}})
    until(lambda: _is_rolled_out(release), _ROLLED_S, lambda: f"the restart is done\n{release.tail()}")


def scale(release: Release, replicas: int) -> None:
    """Wish for another number of instances, as `kubectl scale statefulset` does, and wait until they are there."""
    release.host.api.change(release.memgraph, {"spec": {"replicas": replicas}})
    until(lambda: _is_rolled_out(release), _ROLLED_S, lambda: f"{replicas} instances run\n{release.tail()}")


def evict(release: Release, pod: str) -> bool:
    """Ask for a pod's eviction, as `kubectl drain` does; False if a PodDisruptionBudget forbids it for now."""
    path = f"/api/v1/namespaces/{release.namespace}/pods/{pod}/eviction"
    body: dict[str, object] = {"apiVersion": "policy/v1", "kind": "Eviction", "metadata": {"name": pod}}
    answer = release.host.api.post(path, body)
    assert not answer.is_error or answer.status_code == httpx.codes.TOO_MANY_REQUESTS, answer.text
    return answer.is_success


def leader_of(release: Release) -> Pod:
    """Give the controller that holds the lease."""
    found: list[Pod] = []

    def held() -> bool:
        path = f"/apis/coordination.k8s.io/v1/namespaces/{release.namespace}/leases/{release.name}-leader"
        response = release.host.api.get(path)
        holder = "" if response.is_error else (response.json()["spec"].get("holderIdentity") or "")
        found[:] = [pod for pod in release.pods("controller") if pod.name and holder.startswith(pod.name)]
        return bool(found)

    until(held, _SERVED_S, lambda: f"a controller leads\n{release.tail()}")
    return found[0]


class Way(enum.Flag):
    """What a cut swallows, as the pod sees it that is cut off."""

    ARRIVING = enum.auto()
    LEAVING = enum.auto()
    BOTH = ARRIVING | LEAVING


@contextmanager
def cut_off(release: Release, pod: Pod, container: str, peers: Sequence[str], *, way: Way = Way.BOTH) -> Iterator[None]:
    """Drop everything between a pod and some addresses in the pod's own network namespace.

    Args:
        release: Whose pod it is.
        pod: Which.
        container: One of its containers that run.
        peers: IPv4 addresses.
        way: What is dropped.
    """
    pid = release.host.containers.pid_of(pod.containers[container])
    assert pid is not None, f"{container} of {pod.name} has no process"
    inside = ("nsenter", "--target", str(pid), "--net", "nft")
    listed = ", ".join(peers)
    chains = {
        Way.ARRIVING: f"chain arriving {{ type filter hook input priority 0; ip saddr {{ {listed} }} drop; }}",
        Way.LEAVING: f"chain leaving {{ type filter hook output priority 0; ip daddr {{ {listed} }} drop; }}",
    }
    rules = "\n".join(chain for each, chain in chains.items() if each in way)
    run([*inside, "-f", "-"], given=f"table ip {_TABLE} {{\n{rules}\n}}\n")
    try:
        yield
    finally:
        # The pod may have been deleted meanwhile, and its namespace with it.
        run([*inside, "delete", "table", "ip", _TABLE], may_fail=True)


def switchovers(release: Release, above: int) -> list[str]:
    """List how the reigns after a generation came about, oldest first."""
    record = release.record()
    assert record is not None
    return [change.kind.value for change in record.history if change.generation > above]


def _is_rolled_out(release: Release) -> bool:
    told = release.host.api.get(release.memgraph).json()
    status, wished = told["status"], told["spec"]["replicas"]
    return bool(
        status.get("observedGeneration") == told["metadata"]["generation"]
        and status.get("updateRevision") == status.get("currentRevision")
        and status.get("readyReplicas", 0) == wished == status.get("replicas")
    )

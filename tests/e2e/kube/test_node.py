"""A machine goes away without a word, and comes back as if nothing had been: kubelet and pods stand still, and go on.

There is one node, so what is on the lost machine is chosen: its kubelet, and the processes of some pods. It stays away
for less than what Kubernetes waits before it says that a node is not ready (40 s).
"""

import json
import signal
import time
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager

import pytest

from memgraph_ha.adapters.process_os import ProcessHandle
from memgraph_ha.core.policy import Policy
from tests.e2e.kube.conduct import WRITERS, patience, tell
from tests.e2e.kube.faults import leader_of, longest_silence, wait_served
from tests.e2e.kube.pods import Pod, hold
from tests.e2e.kube.release import Release, until
from tests.kube.standing_still import standing_still
from tools.kube.cluster import Cluster
from tools.kube.daemons import Daemons
from tools.kube.programs import KUBELET

pytestmark = [pytest.mark.kube, pytest.mark.alone, pytest.mark.timeout(900)]

_POLICY = Policy()
_LEASE_S = _POLICY.lease_duration_s
_AWAY_S = 20.0
_MAIN_LOST_S = 5.0
"""Issue 6 and design 10: 3 s from freezing to the first write on a quiet machine; the rest is for a busy one."""

_AGAIN_S = 150.0


@contextmanager
def _machine_away(release: Release, cluster: Cluster, pods: Sequence[Pod]) -> Iterator[None]:
    """Let a machine with these pods stand still while the block runs: nothing on it answers, and nothing is closed."""
    with ExitStack() as stack:
        handles: list[ProcessHandle] = []
        for pod in pods:
            for container in pod.containers:
                handles.append(hold(release.host.containers, pod, container))
                stack.callback(handles[-1].close)
        stack.enter_context(standing_still(Daemons(cluster.place), KUBELET.name))
        for handle in handles:
            handle.send(signal.SIGSTOP)
            stack.callback(handle.send, signal.SIGCONT)
        yield


def _pod(release: Release, name: str) -> Pod:
    found = release.pod(name)
    assert found is not None, f"there is no pod {name}"
    return found


def _deletions(cluster: Cluster, release: Release, pod: Pod) -> int:
    """Count how often the controllers asked for the deletion of a pod, by the API server's audit log."""
    account = f"system:serviceaccount:{release.namespace}:"
    lines = (json.loads(line) for line in cluster.place.audit.read_text(encoding="utf-8").splitlines())
    return sum(
        line["verb"] == "delete"
        and line["user"]["username"].startswith(account)
        and line.get("objectRef", {}).get("resource") == "pods"
        and line["objectRef"].get("namespace") == release.namespace
        and line["objectRef"].get("name") == pod.name
        for line in lines
    )


def test_the_machine_of_main_goes_away_and_comes_back(release: Release, kube_cluster: Cluster) -> None:
    """The standby takes over at once; the old MAIN wakes, is no MAIN any more, and its pod is asked to go only once."""
    record = release.protected()
    writers = release.start_writers(WRITERS)
    main = _pod(release, record.main)
    before = _deletions(kube_cluster, release, main)
    with _machine_away(release, kube_cluster, [main]):
        lost_s = time.monotonic()
        served_s = wait_served(release, writers, lost_s)
        time.sleep(max(0.0, lost_s + _AWAY_S - time.monotonic()))
        asked = _deletions(kube_cluster, release, main) - before
        assert _pod(release, main.name).uid == main.uid, "nothing can end a pod on a machine that is away"
    tell(f"MAIN's machine away: served after {served_s:.2f} s, its pod's deletion asked for {asked} times")
    after = release.protected(above=record.generation, within_s=_AGAIN_S)
    assert after.main != main.name
    assert _pod(release, main.name).uid != main.uid
    assert asked == 1
    assert served_s < patience(_MAIN_LOST_S)
    release.assert_sound()


def test_the_machine_of_main_and_the_leader_goes_away_and_comes_back(release: Release, kube_cluster: Cluster) -> None:
    """The other controller leads when the lease is over, and fails over; both old ones wake and do nothing."""
    record = release.protected()
    writers = release.start_writers(WRITERS)
    main, leader = _pod(release, record.main), leader_of(release)
    with _machine_away(release, kube_cluster, [main, leader]):
        lost_s = time.monotonic()
        until(lambda: leader_of(release).name != leader.name, 2 * _LEASE_S, lambda: f"another leads\n{release.tail()}")
        new = release.start_writers(WRITERS)  # the old ones wait for an answer that never comes
        served_s = wait_served(release, new, lost_s)
        woken = {log.writer: log.last_acknowledged_s for log in writers.logs}
        time.sleep(max(0.0, lost_s + _AWAY_S - time.monotonic()))
    tell(f"the machine of MAIN and leader away: served after {served_s:.2f} s")
    assert all((told_s or 0.0) < lost_s + 1 or (told_s or 0.0) > lost_s + served_s - 1 for told_s in woken.values())
    after = release.protected(above=record.generation, within_s=_AGAIN_S)
    assert after.main != main.name
    assert leader_of(release).name != leader.name
    wait_served(release, writers, time.monotonic())
    assert served_s < _LEASE_S + patience(2.0 + _MAIN_LOST_S)
    release.assert_sound()


def test_the_machine_of_the_standby_goes_away_and_comes_back(release: Release, kube_cluster: Cluster) -> None:
    """MAIN is unprotected by record after the grace; when the standby is back it is proven and named again.

    Nobody can end a connection to a machine that is away, so MAIN's commits hang until the standby answers again, or
    for Memgraph's own 38 s (design 5).
    """
    record = release.protected()
    writers = release.start_writers(WRITERS)
    assert record.standby is not None
    standby = _pod(release, record.standby.instance)
    lost_s = time.monotonic()
    with _machine_away(release, kube_cluster, [standby]):
        time.sleep(_AWAY_S)
        now = release.record()
        assert now is not None
        assert now.unprotected
    after = release.protected(within_s=_AGAIN_S)
    silence_s = longest_silence(writers, lost_s)
    tell(f"the standby's machine away: longest silence {silence_s:.2f} s")
    assert after.generation == record.generation
    assert silence_s < _AWAY_S + patience(_MAIN_LOST_S)
    release.assert_sound()


def test_everything_stands_still_and_goes_on(release: Release, kube_cluster: Cluster) -> None:
    """All pods and the kubelet sleep past the lease, as on one machine that is suspended: one MAIN goes on."""
    record = release.protected()
    writers = release.start_writers(WRITERS)
    with _machine_away(release, kube_cluster, release.pods()):
        time.sleep(_LEASE_S + 3.0)
    woken_s = time.monotonic()
    served_s = wait_served(release, writers, woken_s)
    tell(f"everything stood still: served {served_s:.2f} s after it went on")
    assert release.protected(within_s=_AGAIN_S).generation <= record.generation + 1
    release.assert_sound()

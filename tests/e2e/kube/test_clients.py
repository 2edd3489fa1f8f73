"""Clients in the cluster, and releases that share a namespace: each is served by its own, whatever else happens."""

import signal
import time
from collections.abc import Iterator

import pytest

from tests.e2e.kube.client_pods import longest_gap
from tests.e2e.kube.conduct import PATIENT, tell
from tests.e2e.kube.faults import leader_of, longest_silence
from tests.e2e.kube.pods import send
from tests.e2e.kube.release import Release, until

pytestmark = [pytest.mark.kube, pytest.mark.timeout(600)]

_UNFELT_S = 3.0
"""What a neighbour's fault must not reach: a lease is 10 s, a failover with a restart takes longer than this."""

_GAP_S = 45.0
"""The driver's own retries wait 1 s, 2 s, 4 s, ... And who connects in the moment in which the leader's pod goes may
reach a pod that is gone: nobody answers, and the driver's `connection_timeout` is 30 s."""


@pytest.fixture(scope="module")
def neighbour(release: Release) -> Iterator[Release]:
    """A second release in the namespace of the first."""
    other = Release(host=release.host, name="other", namespace=release.namespace)
    try:
        other.install(PATIENT)
        yield other
    finally:
        other.leave()


def test_clients_in_pods(release: Release) -> None:
    """Stock drivers in pods write and read by the Services' names while MAIN's pod and the leader's are deleted."""
    record = release.protected()
    for service in (f"{release.name}-gateway", f"{release.name}-gateway.{release.namespace}.svc.cluster.local"):
        release.start_client(service)
    reader = release.start_client(f"{release.name}-gateway-read", "read")
    try:
        begun_s = time.monotonic()
        release.delete(record.main, grace_s=0)
        record = release.protected(above=record.generation)
        leader = leader_of(release)
        release.delete(leader.name)
        until(lambda: leader_of(release).name != leader.name, 30.0, lambda: f"another leads\n{release.tail()}")
        release.protected()
        moved_s = time.monotonic()
        for client in (*release.clients, reader):
            client.wait_served(moved_s, _GAP_S)
        findings = release.assert_sound()
    finally:
        wrong = reader.stop()
    assert not wrong, wrong
    written, read = longest_gap(release.logs, begun_s), longest_gap([reader.log], begun_s)
    tell(f"in pods: {findings.acknowledged} acknowledged, longest wait to write {written:.2f} s, to read {read:.2f} s")
    assert max(written, read) < _GAP_S
    assert findings.attempts >= max(reader.values) > min(reader.values)


def test_a_fault_in_one_release_is_not_felt_in_another(release: Release, neighbour: Release) -> None:
    """Two releases in one namespace: one loses MAIN, leader and standby; the other goes on as if nothing was."""
    record, before = release.protected(), neighbour.protected()
    pods = {(pod.name, pod.uid) for pod in neighbour.pods()}
    restarts = {pod.name: pod.restarts for pod in neighbour.pods()}
    leader = leader_of(neighbour).name
    release.start_writers(2)
    unhurt = neighbour.start_writers(2)
    begun_s = time.monotonic()
    main = release.pod(record.main)
    assert main is not None
    send(release.host.containers, main, "memgraph", signal.SIGKILL)
    record = release.protected(above=record.generation)
    release.delete(leader_of(release).name, grace_s=0)
    assert record.standby is not None
    release.delete(record.standby.instance, grace_s=0)
    release.protected(above=record.generation - 1)
    silence_s = longest_silence(unhurt, begun_s)
    tell(f"a neighbour of a release that was hit three times: longest silence {silence_s:.2f} s")
    after = neighbour.protected()
    assert (after.generation, after.main, after.standby) == (before.generation, before.main, before.standby)
    assert {(pod.name, pod.uid) for pod in neighbour.pods()} == pods
    assert {pod.name: pod.restarts for pod in neighbour.pods()} == restarts
    assert leader_of(neighbour).name == leader
    assert silence_s < _UNFELT_S
    neighbour.assert_sound()
    release.assert_sound()

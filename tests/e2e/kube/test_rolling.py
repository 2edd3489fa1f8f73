"""What administrators do in daily life: restarts, drains, scaling, uninstalling. Clients hardly notice."""

import time
from collections.abc import Callable
from typing import Final

import pytest

from memgraph_ha.core.policy import Policy
from memgraph_ha.drill.ledger import Outcome
from tests.e2e.kube.conduct import tell
from tests.e2e.kube.faults import (
    evict,
    leader_of,
    longest_silence,
    restart_rolling,
    scale,
    silences,
    switchovers,
    wait_served,
)
from tests.e2e.kube.release import Release, until

pytestmark = [pytest.mark.kube, pytest.mark.timeout(900)]

_MOST_SWITCHOVERS: Final = 2
_SILENCE_S: Final = Policy().lease_duration_s
"""No silence is as long: then somebody would have waited for a lease."""

_GRACEFUL_S: Final = 3.0
"""A hand-over takes well below a second; on a machine that is busy starting pods it is still seconds away from this."""

_EVICTED_S: Final = 120.0


def test_two_rolling_restarts_back_to_back(release: Release) -> None:
    """Restarting all instances twice under load loses nothing, and takes at most two switchovers each time."""
    record = release.protected()
    writers = release.start_writers()
    begun_s = time.monotonic()
    for _ in range(2):
        restart_rolling(release)
        changes = switchovers(release, record.generation)
        tell(f"rolling restart: {changes}, {longest_silence(writers, begun_s):.2f} s longest silence so far")
        assert set(changes) <= {"switchover"}, changes
        assert len(changes) <= _MOST_SWITCHOVERS
        record = release.protected()
    silence_s = longest_silence(writers, begun_s)
    tell(f"silences: {silences(writers, begun_s, _GRACEFUL_S / 3)}")
    findings = release.assert_sound()
    tell(
        f"two rolling restarts: longest silence {silence_s:.2f} s, {findings.acknowledged} acknowledged, "
        f"{findings.indeterminate} in doubt, {findings.failed_connects} refused connections"
    )
    assert findings.failed_connects == 0, findings.errors
    assert silence_s < _SILENCE_S


def test_eviction_of_main_is_a_switchover(release: Release) -> None:
    """`kubectl drain` evicts MAIN: its duties are handed over first, and meanwhile nobody else may be evicted."""
    record = release.protected()
    writers = release.start_writers()
    begun_s = time.monotonic()
    uid = {pod.name: pod.uid for pod in release.pods()}
    until(lambda: evict(release, record.main), _EVICTED_S, lambda: f"MAIN may be evicted\n{release.tail()}")
    assert record.standby is not None
    assert not evict(release, record.standby.instance), "the PodDisruptionBudget lets two instances go at once"
    after = release.protected(above=record.generation)
    wait_served(release, writers, time.monotonic())
    silence_s = longest_silence(writers, begun_s)
    tell(f"MAIN evicted: longest silence {silence_s:.2f} s")
    assert (after.main, switchovers(release, record.generation)) == (record.standby.instance, ["switchover"])
    assert {name for name, each in uid.items() if release.uid(name) != each} == {record.main}
    assert silence_s < _GRACEFUL_S
    release.assert_sound()


def test_eviction_of_the_leader_is_a_hand_over(release: Release) -> None:
    """A drain takes one controller at a time, and the other leads at once: MAIN stays who it is."""
    record = release.protected()
    writers = release.start_writers()
    leader = leader_of(release)
    other = next(pod.name for pod in release.pods("controller") if pod.name != leader.name)
    begun_s = time.monotonic()
    until(lambda: evict(release, leader.name), _EVICTED_S, lambda: f"the leader may be evicted\n{release.tail()}")
    refused = not evict(release, other)
    until(lambda: leader_of(release).name != leader.name, _EVICTED_S, lambda: f"another leads\n{release.tail()}")
    wait_served(release, writers, time.monotonic())
    silence_s = longest_silence(writers, begun_s)
    tell(f"leader evicted: longest silence {silence_s:.2f} s")
    assert refused, "the PodDisruptionBudget lets both controllers go at once"
    assert release.protected().generation == record.generation
    assert silence_s < _GRACEFUL_S
    release.assert_sound()


def test_scaling_up_and_down(release: Release) -> None:
    """From three instances to five and back under load: nothing is lost, and the new ones take part."""
    record = release.protected()
    release.start_writers()
    scale(release, 5)
    assert release.protected().generation == record.generation
    until(lambda: _registered(release, 5), 60.0, lambda: f"all five take part\n{release.tail()}")
    scale(release, 3)
    after = release.protected()
    assert after.generation == record.generation
    release.assert_sound()
    until(lambda: len(release.rows(after.main)) == 2, 60.0, lambda: f"two rows are left\n{release.tail()}")


def test_uninstalling_keeps_the_data(make_release: Callable[[], Release]) -> None:
    """After `helm uninstall` and `helm install` the data is there, and the cluster serves again."""
    release = make_release()
    release.install()
    record = release.protected()
    writers = release.start_writers()
    until(lambda: writers.acknowledged() > 100, 30.0, release.tail)
    writers.stop()
    release.uninstall()
    until(lambda: not release.pods(), 60.0, lambda: f"no pod is left: {release.pods()}")
    release.install()
    again = release.protected()
    assert again.generation >= record.generation
    release.start_writers()
    assert sum(log.count(Outcome.ACKNOWLEDGED) for log in writers.logs) > 100
    release.assert_sound()


def _registered(release: Release, count: int) -> bool:
    roles = [pod.labels.get("memgraph-ha/role") for pod in release.pods("memgraph")]
    return sorted(map(str, roles)) == sorted(["main", "standby", *["replica"] * (count - 2)])

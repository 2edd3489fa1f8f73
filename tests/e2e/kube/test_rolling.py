"""What administrators do in daily life: restarts, scaling, uninstalling. Clients hardly notice."""

import time
from collections.abc import Callable

import pytest

from memgraph_ha.drill.ledger import Outcome
from tests.e2e.kube.faults import longest_silence, restart_rolling, scale, switchovers
from tests.e2e.kube.release import Release, until

pytestmark = [pytest.mark.kube, pytest.mark.timeout(900)]

_MOST_SWITCHOVERS = 2
_SILENCE_S = 5.0


def test_two_rolling_restarts_back_to_back(release: Release) -> None:
    """Restarting all instances twice under load loses nothing, and takes at most two switchovers each time."""
    record = release.protected()
    writers = release.start_writers()
    begun_s = time.monotonic()
    for _ in range(2):
        restart_rolling(release)
        changes = switchovers(release, record.generation)
        assert set(changes) <= {"switchover"}, changes
        assert len(changes) <= _MOST_SWITCHOVERS
        record = release.protected()
    silence_s = longest_silence(writers, begun_s)
    findings = release.assert_sound()
    print(f"two rolling restarts: longest silence {silence_s:.2f} s")  # noqa: T201 - the measurement is what it is for
    assert findings.failed_connects == 0
    assert silence_s < _SILENCE_S


def test_scaling_up_and_down(release: Release) -> None:
    """From three instances to five and back under load: nothing is lost, and the new ones take part."""
    record = release.protected()
    release.start_writers()
    scale(release, 5)
    assert release.protected().generation == record.generation
    until(lambda: _registered(release, 5), 60.0, lambda: f"all five take part\n{release.tail()}")
    scale(release, 3)
    release.protected()
    release.assert_sound()


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

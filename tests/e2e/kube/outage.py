"""What nobody may feel while the API server is away, in whichever way it is."""

import time
from collections.abc import Iterator
from contextlib import AbstractContextManager, contextmanager
from typing import Final

from memgraph_ha.core.policy import Policy
from memgraph_ha.drill.writers import Writers
from tests.e2e.kube.conduct import LONG, WRITERS, patience, tell
from tests.e2e.kube.faults import leader_of, longest_silence
from tests.e2e.kube.pods import Pod
from tests.e2e.kube.release import Release, until

LEASE_S: Final = Policy().lease_duration_s

SILENCE_S: Final = 1.0
"""No client waits longer where nothing is to be felt."""

KNOWN_S: Final = 6.0
"""The leader writes who the controllers are into the lease within five seconds."""

_AWAY_S: Final = 300.0 if LONG else 3 * LEASE_S
_READY_S: Final = 60.0


def leader_and_other(release: Release) -> tuple[Pod, Pod]:
    """Give the controller that leads and one that is ready beside it, once the lease names both."""
    leader = leader_of(release)

    def others() -> list[Pod]:
        pods = release.pods("controller")
        return [pod for pod in pods if pod.name != leader.name and pod.ready and not pod.leaving]

    until(lambda: bool(others()), _READY_S, lambda: f"a second controller is ready\n{release.tail()}")
    time.sleep(KNOWN_S)
    return leader, others()[0]


@contextmanager
def unfelt(release: Release, what: str) -> Iterator[Writers]:
    """Let clients write while the block runs: they do not feel it, and nobody else leads or reigns afterwards."""
    record = release.protected()
    leader, _ = leader_and_other(release)
    writers = release.start_writers(WRITERS)
    begun_s = time.monotonic()
    yield writers
    silence_s = longest_silence(writers, begun_s)
    tell(f"{what}: longest silence {silence_s:.2f} s")
    assert silence_s < patience(SILENCE_S)
    assert leader_of(release).name == leader.name, "nobody took the lease"
    assert release.protected().generation == record.generation
    release.assert_sound()


def serves_on(release: Release, away: AbstractContextManager[object], what: str) -> None:
    """Keep writing while the API server is away for all controllers, and for a moment after it is back."""
    with unfelt(release, f"{what} for {_AWAY_S:g} s and back") as writers:
        with away:
            time.sleep(_AWAY_S)
            goes_on = writers.acknowledged_since(time.monotonic() - patience(SILENCE_S))
        assert goes_on, release.tail()
        time.sleep(KNOWN_S)

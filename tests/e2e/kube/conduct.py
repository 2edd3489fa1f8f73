"""How thoroughly these tests are run, how they kill, and how they say what they measured."""

import os
import signal
import time
from collections.abc import Mapping, Sequence
from typing import Any, Final

from memgraph_ha.drill.pauses import Distribution, distribution
from tests.e2e.kube.pods import Pod, hold
from tests.e2e.kube.release import Release
from tests.kube.daemon.processes import slowness

LONG: Final = os.environ.get("MEMGRAPH_HA_E2E_LONG") == "1"
"""Whether outages last as long as the issue says and sweeps leave nothing out; otherwise each is a sample."""

PATIENT: Final[Mapping[str, Any]] = {"policy": {"failover_limit": 100}}
"""Tests break more in an hour than a year does; a release that fails over so often would stop and ask."""

WRITERS: Final = 2
"""So many write at once: each goes as fast as it can, and more would leave two cores no time for what is tested."""

_ENDED_S: Final = 10.0


def patience(limit_s: float) -> float:
    """Stretch a limit that a quiet machine keeps, seconds, by how many times busier than that this one is."""
    return limit_s * slowness()


def kill(release: Release, pod: Pod, container: str) -> float:
    """Kill the first process of a container, past Kubernetes; gives when it was seen to be dead, CLOCK_MONOTONIC."""
    handle = hold(release.host.containers, pod, container)
    try:
        handle.send(signal.SIGKILL)
        assert handle.ended_within(_ENDED_S), f"{container} of {pod.name} outlived SIGKILL"
        return time.monotonic()
    finally:
        handle.close()


def tell(line: str) -> None:
    """Say what was measured: the measurement is what it is for."""
    print(line)  # noqa: T201 - pytest keeps it, and -rP shows it


def tell_pauses(what: str, values: Sequence[float | None]) -> Distribution:
    """Say how long something took, seconds, each time it was tried; gives the summary."""
    found = distribution(values)
    shown = ", ".join("never" if value is None else f"{value:.2f}" for value in values)
    tell(f"{what}: p50 {found.p50:.2f} s, max {found.max:.2f} s ({shown})")
    return found

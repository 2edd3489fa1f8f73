"""MAIN is lost, and at some step of the next reign the leading controller too: the next one finishes, whatever it was.

Short leases, so that many steps can be tried. At which step a blow fell is seen in the record afterwards, not assumed.
"""

import signal
import time
from collections.abc import Iterator

import pytest

from memgraph_ha.core.record import Record
from tests.e2e.kube.conduct import LONG, PATIENT, WRITERS, tell
from tests.e2e.kube.controller_log import ControllerLog
from tests.e2e.kube.faults import leader_of, wait_served
from tests.e2e.kube.pods import hold
from tests.e2e.kube.release import Host, Release, merged, until
from tools.kube.cluster import Cluster

pytestmark = [pytest.mark.kube, pytest.mark.timeout(1800)]

_LEASE_S = 6.0
_POLICY = {"policy": {"lease_duration_s": _LEASE_S, "lease_renew_s": 1, "command_deadline_s": 3}}
_REACHED_S = 30.0
_SERVED_S = 90.0
_STEPS = 40
"""More than any reign has."""

_LEAPS = {signal.SIGKILL: 1 if LONG else 4, signal.SIGSTOP: 3 if LONG else 8}
_FROZEN_S = 2 * _LEASE_S
"""Past its lease, and past the next one's beginning."""


@pytest.fixture(scope="module")
def release(host: Host) -> Iterator[Release]:
    """A release with short leases for all tests of this file."""
    shared = Release.in_new_namespace(host)
    try:
        shared.install(merged(PATIENT, _POLICY))
        yield shared
    finally:
        shared.close()


def _where(before: Record, after: Record | None) -> str:
    """Say how far the reign had come when it was struck, by what the record said right after."""
    if after is None or after.generation == before.generation:
        return "before the record was written"
    return "open" if after.opened else "promoting"


def _strike(release: Release, cluster: Cluster, step: int, signum: signal.Signals) -> tuple[str, int]:
    """Kill MAIN, and at a step of the next reign send its leader a signal; gives where that was, and the steps seen."""
    before = release.protected()
    writers = release.groups[-1]
    leader, main = leader_of(release), release.pod(before.main)
    assert main is not None
    log = ControllerLog.of(cluster.place, release.namespace, leader)
    handle = hold(release.host.containers, leader, "controller")
    try:
        killer = hold(release.host.containers, main, "memgraph")
        with log.following() as follower:
            killed_s = time.monotonic()
            killer.send(signal.SIGKILL)
            killer.close()
            # What dies again and again is started ever later by its kubelet; a new pod is not.
            release.delete(main.name, grace_s=0)
            seen = follower.strike(step, lambda: handle.send(signum), _REACHED_S)
        struck_s = time.monotonic()
        after = release.record()
        if len(seen) <= step:
            return "whole", len(seen)
        if signum is signal.SIGSTOP:  # who is connected to a frozen process waits for as long as it is frozen
            until(lambda: leader_of(release).name != leader.name, _SERVED_S, lambda: f"another leads\n{release.tail()}")
            writers = release.start_writers(1)
        served_s = struck_s - killed_s + wait_served(release, writers, struck_s, _SERVED_S)
        where = _where(before, after)
        tell(f"{signum.name} at step {step} ({seen[-1]['event']} {seen[-1].get('kind')}), {where}: {served_s:.2f} s")
        if signum is signal.SIGSTOP:
            time.sleep(max(0.0, struck_s + _FROZEN_S - time.monotonic()))
    finally:
        handle.send(signal.SIGCONT)
        handle.close()
    if signum is signal.SIGKILL:
        release.delete(leader.name, grace_s=0)
    release.protected(above=before.generation)
    return where, len(seen)


@pytest.mark.parametrize("signum", [signal.SIGKILL, signal.SIGSTOP], ids=lambda signum: signum.name)
def test_a_leader_that_is_lost_at_a_step_of_a_reign(
    release: Release, kube_cluster: Cluster, signum: signal.Signals
) -> None:
    """Before the record is written, while promoting, when it is open: one MAIN reigns in the end, nothing is lost."""
    release.protected()
    release.start_writers(WRITERS)
    struck: set[str] = set()
    for step in range(0, _STEPS, _LEAPS[signum]):
        where, _ = _strike(release, kube_cluster, step, signum)
        if where == "whole":
            break
        struck.add(where)
    release.assert_sound()
    assert "promoting" in struck, struck
    assert len(struck) > 1, f"{struck}: before the record is written, or when it is open, too"

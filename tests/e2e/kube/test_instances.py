"""Instances die, freeze, lose the network or their data: the cluster goes on, and nothing acknowledged is lost."""

import shutil
import signal
import time
from pathlib import Path

import pytest

from tests.e2e.kube.faults import cut_off, wait_served
from tests.e2e.kube.pods import Pod, hold, send
from tests.e2e.kube.release import Release, until

pytestmark = [pytest.mark.kube, pytest.mark.timeout(600)]

_GONE_S = 60.0
_REBUILT_S = 150.0
"""A replica's row is dropped in a quiet moment, which under load is waited for; then its pod is made anew."""

_PARTED_S = 15.0


def _pod(release: Release, name: str) -> Pod:
    found = release.pod(name)
    assert found is not None, f"there is no pod {name}"
    return found


def test_the_charts_own_test_passes(release: Release) -> None:
    """`helm test` writes and reads through the gateways, as the notes after an installation advise."""
    release.protected()
    told = release.host.helm("test", release.name, "--namespace", release.namespace, timeout_s=250.0)
    assert "Phase:          Succeeded" in told


def test_a_killed_main_is_replaced(release: Release) -> None:
    """SIGKILL of MAIN's process, past Kubernetes: the standby takes over, and it comes back as a replica.

    Whether its pod is deleted too depends on what is known first: that the process is gone, or that nobody answers.
    """
    record = release.protected()
    writers = release.start_writers()
    main = _pod(release, record.main)
    killed_s = time.monotonic()
    send(release.host.containers, main, "memgraph", signal.SIGKILL)
    wait_served(release, writers, killed_s)
    assert release.protected(above=record.generation).main != main.name
    release.assert_sound()


def test_a_frozen_main_is_replaced_and_its_pod_deleted(release: Release) -> None:
    """SIGSTOP of MAIN's process: it is fenced by the deletion of its pod, and what it held unacknowledged is gone."""
    record = release.protected()
    writers = release.start_writers()
    main = _pod(release, record.main)
    handle = hold(release.host.containers, main, "memgraph")
    try:
        frozen_s = time.monotonic()
        handle.send(signal.SIGSTOP)
        served_s = wait_served(release, writers, frozen_s)
        assert handle.ended_within(_GONE_S), "the frozen process still lives"
        print(f"MAIN frozen: served after {served_s:.2f} s, its process gone after {time.monotonic() - frozen_s:.2f} s")  # noqa: T201 - the measurement is what it is for
    finally:
        handle.send(signal.SIGCONT)
        handle.close()
    release.protected(above=record.generation)
    assert _pod(release, main.name).uid != main.uid
    release.assert_sound()


def test_a_main_that_nobody_reaches_is_replaced(release: Release) -> None:
    """MAIN's pod is cut off from controllers and instances, both ways, and comes back as a replica."""
    record = release.protected()
    writers = release.start_writers()
    main = _pod(release, record.main)
    others = [pod.address for pod in release.pods() if pod.name != main.name and pod.address]
    cut_s = time.monotonic()
    with cut_off(release, main, "memgraph", others):
        wait_served(release, writers, cut_s)
        time.sleep(max(0.0, cut_s + _PARTED_S - time.monotonic()))
    after = release.protected(above=record.generation)
    assert after.main != main.name
    release.assert_sound()


def test_a_replica_is_filled_anew(release: Release) -> None:
    """`memgraph-ha reinit` moves a replica's data aside in its volume, through its pod's init container."""
    record = release.protected()
    release.start_writers()
    standby = record.standby
    assert standby is not None
    replica = next(name for name in release.instances if name not in {record.main, standby.instance})
    before = _pod(release, replica)
    release.command("reinit", replica, "--yes")
    until(lambda: bool(_moved_aside(release, replica)), _REBUILT_S, lambda: f"data is moved aside\n{release.tail()}")
    assert release.protected().generation == record.generation
    assert _pod(release, replica).uid != before.uid
    release.assert_sound()


def test_a_main_whose_volume_was_emptied_is_no_main(release: Release) -> None:
    """MAIN's volume loses everything while its pod is down: the standby takes over, and MAIN is filled anew."""
    record = release.protected()
    writers = release.start_writers()
    main = _pod(release, record.main)
    handle = hold(release.host.containers, main, "memgraph")
    try:
        release.delete(main.name, grace_s=1)
        assert handle.ended_within(_GONE_S), f"{main.name} still runs"
    finally:
        handle.close()
    for path in release.volume(main.name).iterdir():
        shutil.rmtree(path)
    wait_served(release, writers, time.monotonic())
    release.protected(above=record.generation)
    release.assert_sound()


def _moved_aside(release: Release, instance: str) -> list[Path]:
    return list(release.volume(instance).glob("mg_data/aside-*"))

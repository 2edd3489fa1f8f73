"""Instances die, freeze, lose the network or their data: the cluster goes on, and nothing acknowledged is lost."""

import shutil
import signal
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

import pytest

from memgraph_ha.adapters.process_os import ProcessHandle
from memgraph_ha.core.record import Record
from tests.e2e.kube.conduct import LONG, tell
from tests.e2e.kube.faults import Way, cut_off, longest_silence, wait_served
from tests.e2e.kube.pods import Pod, hold
from tests.e2e.kube.release import Release, until

pytestmark = [pytest.mark.kube, pytest.mark.timeout(600)]

_GONE_S = 60.0
_FENCED_S = 3.0
"""From the API server's word that a pod is deleted without grace until its kubelet has killed the process. Nobody can
write to it meanwhile: its gate is shut, and its commits wait for who was its standby."""

_REBUILT_S = 150.0
"""A replica's row is dropped in a quiet moment, which under load is waited for; then its pod is made anew."""

_PARTED_S = 15.0
_SILENT_S = 12.0
"""Longer than any verdict on silence takes (`frozen_standby_s` 3 s) and than Memgraph's own checks (up to 10 s)."""

_UNFELT_S = 3.0
"""Nobody is to wait for an ASYNC replica at all; what a busy machine does to four writers stays below this."""

_PARTED_MAX_S = 100.0
"""MAIN holds a commit up for up to 38 s when its standby is not heard (transcripts Q4), and a second one may follow."""

_WAYS: Final = [Way.LEAVING, Way.ARRIVING, Way.BOTH] if LONG else [Way.LEAVING]
"""What leaves MAIN is lost: the other learns nothing, and what it says arrives. BOTH is what a broken switch does."""


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
    ended_s = _kill(release, main)
    tell(f"MAIN killed: served after {wait_served(release, writers, ended_s):.2f} s")
    assert release.protected(above=record.generation).main != main.name
    release.assert_sound()


@pytest.mark.parametrize("who", ["standby", "replica"])
def test_a_killed_follower_comes_back(release: Release, who: str) -> None:
    """SIGKILL of the standby's or the replica's process: MAIN stays, and the follower is started again."""
    record = release.protected()
    writers = release.start_writers()
    victim = _follower(release, record, who)
    ended_s = _kill(release, victim)
    wait_served(release, writers, ended_s)
    until(lambda: _run_again(release, victim), _GONE_S, lambda: f"{victim.name} runs again\n{release.tail()}")
    after = release.protected()
    tell(f"{who} killed: longest silence {longest_silence(writers, ended_s):.2f} s")
    assert (after.generation, after.main) == (record.generation, record.main)
    release.assert_sound()


def test_a_frozen_main_is_replaced_and_its_pod_deleted(release: Release) -> None:
    """SIGSTOP of MAIN's process: it is fenced by the deletion of its pod, and what it held unacknowledged is gone."""
    record = release.protected()
    writers = release.start_writers()
    main = _pod(release, record.main)
    with _frozen(release, main) as handle:
        frozen_s = time.monotonic()
        served_s = wait_served(release, writers, frozen_s)
        assert handle.ended_within(_GONE_S), "the frozen process still lives"
        gone_s = time.monotonic() - frozen_s
    tell(f"MAIN frozen: served after {served_s:.2f} s, its process gone after {gone_s:.2f} s")
    release.protected(above=record.generation)
    assert _pod(release, main.name).uid != main.uid
    release.assert_sound()


def test_a_frozen_standby_is_replaced(release: Release) -> None:
    """SIGSTOP of the standby holds every commit up; its pod is deleted, and writes go on under the same MAIN."""
    record = release.protected()
    writers = release.start_writers()
    standby = _follower(release, record, "standby")
    with _frozen(release, standby) as handle:
        frozen_s = time.monotonic()
        served_s = wait_served(release, writers, frozen_s)
        assert handle.ended_within(_GONE_S), "the frozen process still lives"
    tell(f"standby frozen: served after {served_s:.2f} s")
    after = release.protected()
    assert (after.generation, after.main) == (record.generation, record.main)
    assert _pod(release, standby.name).uid != standby.uid
    release.assert_sound()


def test_a_frozen_replica_holds_nobody_up(release: Release) -> None:
    """SIGSTOP of the ASYNC replica: writes go on as if nothing was, and it is level again when it goes on."""
    record = release.protected()
    writers = release.start_writers()
    replica = _follower(release, record, "replica")
    with _frozen(release, replica):
        frozen_s = time.monotonic()
        time.sleep(_SILENT_S)
        silence_s = longest_silence(writers, frozen_s)
        assert writers.acknowledged_since(time.monotonic() - _UNFELT_S), release.tail()
    tell(f"replica frozen for {_SILENT_S:g} s: longest silence {silence_s:.2f} s")
    assert silence_s < _UNFELT_S
    assert release.protected().generation == record.generation
    release.assert_sound()


def test_a_main_that_nobody_reaches_is_replaced(release: Release) -> None:
    """MAIN's pod is cut off from controllers and instances, both ways, and comes back as a replica."""
    record = release.protected()
    writers = release.start_writers()
    main = _pod(release, record.main)
    others = [pod.address for pod in release.pods() if pod.name != main.name and pod.address]
    with cut_off(release, main, "memgraph", others):
        cut_s = time.monotonic()
        wait_served(release, writers, cut_s)
        time.sleep(max(0.0, cut_s + _PARTED_S - time.monotonic()))
    after = release.protected(above=record.generation)
    assert after.main != main.name
    release.assert_sound()


@pytest.mark.parametrize("way", _WAYS)
def test_main_and_standby_lose_each_other(release: Release, way: Way) -> None:
    """Nothing passes from one to the other, or back: MAIN stays and goes on unprotected; healed, it is protected.

    A failover would lose nothing, but then the old MAIN would be the standby that cannot be reached (scenario C2).
    """
    record = release.protected()
    writers = release.start_writers()
    main, standby = _pod(release, record.main), _follower(release, record, "standby")
    with cut_off(release, main, "memgraph", [standby.address], way=way):
        cut_s = time.monotonic()
        until(
            lambda: _is_unprotected(release), _PARTED_MAX_S, lambda: f"the reign goes on unprotected\n{release.tail()}"
        )
        served_s = wait_served(release, writers, cut_s, within_s=_PARTED_MAX_S)
    tell(f"MAIN and standby parted ({way.name}): served after {served_s:.2f} s")
    after = release.protected()
    assert (after.generation, after.main) == (record.generation, record.main)
    release.assert_sound()


@pytest.mark.parametrize("way", _WAYS)
def test_controllers_and_main_lose_each_other(release: Release, way: Way) -> None:
    """No controller hears MAIN, or MAIN hears none: it is ended before another reigns (scenarios C1, A5)."""
    record = release.protected()
    writers = release.start_writers()
    main = _pod(release, record.main)
    controllers = [pod.address for pod in release.pods("controller")]
    unheard = hold(release.host.containers, main, "memgraph")
    try:
        with cut_off(release, main, "memgraph", controllers, way=way):
            cut_s = time.monotonic()
            until(
                lambda: _reigns_anew(release, record.generation),
                _GONE_S,
                lambda: f"another reign is open\n{release.tail()}",
            )
            assert unheard.ended_within(_FENCED_S), "the unheard MAIN lives on beside another"
            served_s = wait_served(release, writers, cut_s)
    finally:
        unheard.close()
    tell(f"controllers and MAIN parted ({way.name}): served after {served_s:.2f} s")
    assert release.protected(above=record.generation).main != main.name
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


def _pod(release: Release, name: str) -> Pod:
    found = release.pod(name)
    assert found is not None, f"there is no pod {name}"
    return found


def _follower(release: Release, record: Record, who: str) -> Pod:
    """Give the standby's pod, or that of the ASYNC replica."""
    assert record.standby is not None
    standby = record.standby.instance
    replica = next(name for name in release.instances if name not in {record.main, standby})
    return _pod(release, standby if who == "standby" else replica)


def _kill(release: Release, pod: Pod) -> float:
    """Kill the instance of a pod, past Kubernetes; gives when it had ended (CLOCK_MONOTONIC)."""
    handle = hold(release.host.containers, pod, "memgraph")
    try:
        handle.send(signal.SIGKILL)
        assert handle.ended_within(_GONE_S), f"{pod.name} still runs"
    finally:
        handle.close()
    return time.monotonic()


@contextmanager
def _frozen(release: Release, pod: Pod) -> Iterator[ProcessHandle]:
    """Stop the instance of a pod; it goes on in the end, if it still lives."""
    handle = hold(release.host.containers, pod, "memgraph")
    try:
        handle.send(signal.SIGSTOP)
        yield handle
    finally:
        handle.send(signal.SIGCONT)
        handle.close()


def _run_again(release: Release, before: Pod) -> bool:
    """Whether a pod's container was started anew since, or the pod itself."""
    now = release.pod(before.name)
    return now is not None and (now.uid != before.uid or now.restarts != before.restarts) and bool(now.containers)


def _is_unprotected(release: Release) -> bool:
    record = release.record()
    return record is not None and record.unprotected


def _reigns_anew(release: Release, generation: int) -> bool:
    record = release.record()
    return record is not None and record.generation > generation and record.opened

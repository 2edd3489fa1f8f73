"""The controllers' way to the API server breaks, slows or closes: what goes on, what shuts in time, what waits.

Only this release's controllers go through a proxy of the test's, so kubelet and everybody else keep their API server.
"""

import time
from collections.abc import Iterator
from contextlib import ExitStack
from datetime import datetime

import pytest

from memgraph_ha.core.names import Address
from memgraph_ha.drill.writers import Writers
from tests.e2e.kube.api_proxy import ApiProxy, Weather
from tests.e2e.kube.conduct import PATIENT, WRITERS, kill, patience, tell
from tests.e2e.kube.faults import cut_off, leader_of, longest_silence, wait_served
from tests.e2e.kube.outage import KNOWN_S, LEASE_S, SILENCE_S, leader_and_other, serves_on, unfelt
from tests.e2e.kube.pods import hold
from tests.e2e.kube.release import BOLT, Host, Release, merged, until
from tools.kube.cluster import Cluster

pytestmark = [pytest.mark.kube, pytest.mark.timeout(900)]

_BACK_S = 60.0
_GRACE_S = 20


@pytest.fixture(scope="module")
def proxy(kube_cluster: Cluster) -> Iterator[ApiProxy]:
    """The proxy that this release's controllers go through."""
    settings = kube_cluster.place.settings()
    assert settings is not None
    made = ApiProxy(server=settings.server).start()
    yield made
    made.close()


@pytest.fixture(scope="module")
def release(host: Host, proxy: ApiProxy) -> Iterator[Release]:
    """A release for all tests of this file, whose controllers reach the API server through the proxy."""
    shared = Release.in_new_namespace(host)
    try:
        shared.install(merged(PATIENT, proxy.values))
        yield shared
    finally:
        shared.close()


@pytest.mark.parametrize("weather", [Weather.FROZEN, Weather.REFUSED], ids=lambda weather: weather.value)
def test_writes_go_on_while_the_api_is_away(release: Release, proxy: ApiProxy, weather: Weather) -> None:
    """Nobody can renew, the other controller promises not to lead, and no client notices (decision 0011)."""
    serves_on(release, proxy.weather(weather), f"API {weather.value}")


def test_connections_to_the_api_that_break_are_not_noticed(release: Release, proxy: ApiProxy) -> None:
    """All connections to the API server are reset again and again, as by a load balancer: no client notices."""
    with unfelt(release, "connections to the API reset every 1.5 s"):
        begun_s = time.monotonic()
        while time.monotonic() < begun_s + 2 * LEASE_S:
            with proxy.weather(Weather.REFUSED):
                time.sleep(0.2)
            time.sleep(1.3)


def test_read_write_shuts_in_time_if_the_other_controller_cannot_be_asked(release: Release, proxy: ApiProxy) -> None:
    """The API is away for both and they do not reach each other: read/write is shut before the lease could be taken."""
    record = release.protected()
    leader, other = leader_and_other(release)
    writers = release.start_writers(WRITERS)
    with cut_off(release, leader, "controller", [other.address]), proxy.weather(Weather.FROZEN):
        away_s = time.monotonic()
        time.sleep(LEASE_S + SILENCE_S)
        last_s = max(log.last_acknowledged_s or 0.0 for log in writers.logs)
        time.sleep(LEASE_S / 2)
        assert not writers.acknowledged_since(last_s + 0.001), "it opened again without the API"
    tell(
        f"API away, controllers cut off from each other: the last write was acknowledged after {last_s - away_s:.2f} s"
    )
    assert 0 < last_s - away_s < LEASE_S
    wait_served(release, writers, time.monotonic(), _BACK_S)
    assert release.protected().generation == record.generation
    release.assert_sound()


def test_a_leader_cut_off_from_api_and_peer_shuts_before_the_other_leads(release: Release, proxy: ApiProxy) -> None:
    """It still reaches MAIN, and its clients reach it: its last acknowledgement is older than the next one's lease."""
    record = release.protected()
    leader, other = leader_and_other(release)
    writers = release.start_writers(WRITERS)
    old = Writers(Address(f"{leader.address}:{BOLT}"), 4, first=sum(len(group.logs) for group in release.groups))
    release.groups.append(old)
    old.start()
    until(lambda: old.acknowledged() > 0, _BACK_S, lambda: f"the leader serves\n{release.tail()}")
    with cut_off(release, leader, "controller", [other.address]), proxy.weather(Weather.FROZEN, leader.address):
        cut_s = time.monotonic()
        until(lambda: leader_of(release).name == other.name, 3 * LEASE_S, lambda: f"another leads\n{release.tail()}")
        taken_s = _taken_s(release)
        served_s = taken_s - cut_s + wait_served(release, writers, taken_s)
        last_s = max(log.last_acknowledged_s or 0.0 for log in old.logs)
    tell(
        f"leader cut off: its last acknowledgement after {last_s - cut_s:.2f} s, the lease taken after "
        f"{taken_s - cut_s:.2f} s, served by the other after {served_s:.2f} s"
    )
    assert cut_s < last_s < taken_s
    old.stop()
    assert release.protected().generation == record.generation
    release.assert_sound()


def test_a_main_that_is_lost_while_the_api_is_away_is_replaced_when_it_is_back(
    release: Release, proxy: ApiProxy
) -> None:
    """No reign begins without the record: writes wait, and go on soon after the API is back."""
    record = release.protected()
    leader_and_other(release)
    writers = release.start_writers(WRITERS)
    main = release.pod(record.main)
    assert main is not None
    with proxy.weather(Weather.REFUSED):
        time.sleep(LEASE_S)
        lost_s = kill(release, main, "memgraph")
        time.sleep(2 * LEASE_S)
        assert release.record() == record
        assert not writers.acknowledged_since(lost_s + SILENCE_S), "it served without a MAIN on record"
    back_s = wait_served(release, writers, time.monotonic(), _BACK_S)
    tell(f"MAIN lost while the API was away: served {back_s:.2f} s after it was back")
    assert release.protected(above=record.generation).generation == record.generation + 1
    release.assert_sound()


def test_a_deletion_of_main_waits_for_the_api(release: Release, proxy: ApiProxy) -> None:
    """The preStop hook is held while nothing can be handed over, MAIN serves on, and is handed over afterwards."""
    record = release.protected()
    leader_and_other(release)
    writers = release.start_writers(WRITERS)
    begun_s = time.monotonic()
    with proxy.weather(Weather.FROZEN):
        time.sleep(KNOWN_S)
        release.delete(record.main)
        time.sleep(LEASE_S)
        assert writers.acknowledged_since(time.monotonic() - patience(SILENCE_S)), release.tail()
        assert release.record() == record
    after = release.protected(above=record.generation)
    silence_s = longest_silence(writers, begun_s)
    tell(f"MAIN's pod deleted while the API was away: longest silence {silence_s:.2f} s")
    assert (after.generation, after.history[-1].kind.value) == (record.generation + 1, "switchover")
    assert silence_s < patience(3 * SILENCE_S)
    release.assert_sound()


def test_a_hook_that_cannot_be_answered_ends_with_the_grace_period(release: Release, proxy: ApiProxy) -> None:
    """With the API away for longer than the pod's grace MAIN is killed: writes wait, and nothing is lost."""
    record = release.protected()
    leader_and_other(release)
    writers = release.start_writers(WRITERS)
    main = release.pod(record.main)
    assert main is not None
    handle = hold(release.host.containers, main, "memgraph")
    try:
        with proxy.weather(Weather.FROZEN):
            time.sleep(KNOWN_S)
            deleted_s = time.monotonic()
            release.delete(main.name, grace_s=_GRACE_S)
            assert handle.ended_within(_GRACE_S + 15.0), "the hook outlived the pod's grace"
            ended_s = time.monotonic()
            time.sleep(SILENCE_S)
            assert not writers.acknowledged_since(ended_s + SILENCE_S / 2), "it served without a MAIN on record"
    finally:
        handle.close()
    back_s = wait_served(release, writers, time.monotonic(), _BACK_S)
    tell(f"grace {_GRACE_S} s: ended after {ended_s - deleted_s:.2f} s, served {back_s:.2f} s after the API came back")
    release.protected(above=record.generation)
    release.assert_sound()


@pytest.mark.parametrize("delay_s", [0.3, 1.5])
def test_a_slow_api_costs_nothing_but_patience(release: Release, proxy: ApiProxy, delay_s: float) -> None:
    """Every answer takes twice that, and more where a connection is new: writes go on, and a lost MAIN is replaced."""
    record = release.protected()
    leader_and_other(release)
    writers = release.start_writers(WRITERS)
    begun_s = time.monotonic()
    with proxy.slow(delay_s):
        time.sleep(2 * LEASE_S)
        silence_s = longest_silence(writers, begun_s)
        main = release.pod(record.main)
        assert main is not None
        killed_s = kill(release, main, "memgraph")
        if 2 * delay_s < LEASE_S / 4:  # what a renewal may take
            served_s = wait_served(release, writers, killed_s, _BACK_S)
            tell(f"API slower by {2 * delay_s:g} s: MAIN killed, served after {served_s:.2f} s")
    wait_served(release, writers, time.monotonic(), _BACK_S)
    tell(f"API slower by {2 * delay_s:g} s: longest silence {silence_s:.2f} s")
    assert silence_s < patience(SILENCE_S)
    release.protected(above=record.generation)
    release.assert_sound()


def test_whoever_gets_the_api_back_first(release: Release, proxy: ApiProxy) -> None:
    """The API is away for both, then comes back for the other controller alone: one of them leads, never two."""
    record = release.protected()
    leader, other = leader_and_other(release)
    writers = release.start_writers(WRITERS)
    begun_s = time.monotonic()
    with ExitStack() as away:
        away.enter_context(proxy.weather(Weather.FROZEN))
        time.sleep(2 * LEASE_S)
        away.enter_context(proxy.weather(Weather.FINE, other.address))
        until(lambda: leader_of(release).name == other.name, 4 * LEASE_S, lambda: f"it leads\n{release.tail()}")
        wait_served(release, writers, time.monotonic())
    silence_s = longest_silence(writers, begun_s)
    tell(f"the API comes back for {other.name} alone, and it takes over from {leader.name}: silence {silence_s:.2f} s")
    assert silence_s < patience(2 * LEASE_S)
    assert release.protected().generation == record.generation
    release.assert_sound()


def _taken_s(release: Release) -> float:
    """When the present holder sent its take of the lease, on CLOCK_MONOTONIC: both clocks are this machine's."""
    path = f"/apis/coordination.k8s.io/v1/namespaces/{release.namespace}/leases/{release.name}-leader"
    taken = datetime.fromisoformat(release.host.api.get(path).json()["spec"]["acquireTime"])
    return taken.timestamp() - time.time() + time.monotonic()

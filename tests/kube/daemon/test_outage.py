"""The API server is away: what goes on, what closes in time, and that everything comes back."""

import signal
import time
from collections.abc import Callable

import pytest

from tests.kube.daemon.processes import until
from tests.kube.daemon.site import START_S, Site, now_s

pytestmark = [pytest.mark.kube, pytest.mark.timeout(400)]

LEASE_S = 6.0


@pytest.fixture
def site(make_site: Callable[[str], Site]) -> Site:
    """A release with two controllers that serves clients."""
    made = make_site("lease_duration_s = 6\nlease_renew_s = 1\ncommand_deadline_s = 3\n")
    made.add_controller()
    made.add_controller()
    made.protected()
    made.start_writers()
    made.served_after(now_s(), START_S)
    return made


def test_writes_go_on_while_the_api_server_stands_still(site: Site) -> None:
    """For three leases nobody can renew; the other controller promises, and no client is cut."""
    leader, old = site.leader(), site.protected()
    time.sleep(6)  # the leader has told the lease who the controllers are
    cut_before = leader.get("/metrics")
    with site.server.frozen():
        began_s = now_s()
        while now_s() - began_s < 3 * LEASE_S:
            site.served_after(now_s(), 3)
            assert leader.leads()
    assert cut_before is not None
    time.sleep(3)
    assert site.leader() is leader
    assert site.protected().generation == old.generation
    site.stop_writers()


def test_read_write_closes_in_time_if_the_other_controller_cannot_promise(site: Site) -> None:
    """Nobody could say that it will not lead: the gateways close before the lease is over, and open again with it."""
    leader, old = site.leader(), site.protected()
    other = next(each for each in site.controllers if each is not leader)
    time.sleep(6)
    other.container.signal(signal.SIGSTOP)
    with site.server.frozen():
        began_s = now_s()
        until(lambda: not leader.leads(), LEASE_S + 1, "it does not lead any more")
        closed_s = now_s()
        time.sleep(2)
        last_s = max(log.last_acknowledged_s or 0.0 for log in site.groups[-1].logs)
        assert last_s < closed_s
        assert last_s - began_s < LEASE_S
    other.container.signal(signal.SIGCONT)
    site.served_after(now_s(), 60)
    assert site.protected().generation == old.generation
    site.stop_writers()


def test_a_main_that_dies_meanwhile_waits_for_the_record(site: Site) -> None:
    """No reign begins without the record; when it can be written, the standby takes over and nothing is lost."""
    old = site.protected()
    time.sleep(6)
    with site.server.frozen():
        site.kubelet.held.add(old.main)
        site.kubelet.places[old.main].container.signal(signal.SIGKILL)
        time.sleep(2 * LEASE_S)
    back_s = now_s()
    site.served_after(back_s, 60)
    new = site.record()
    assert new.generation == old.generation + 1
    assert new.main != old.main
    site.kubelet.held.clear()
    site.protected()
    site.stop_writers()

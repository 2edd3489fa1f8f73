"""Two controllers of one release on a real API server: who leads, who serves, and how long clients wait."""

import signal
from collections.abc import Callable

import pytest

from memgraph_ha.core.record import ChangeKind
from tests.kube.daemon.processes import until
from tests.kube.daemon.site import START_S, Site, now_s

pytestmark = [pytest.mark.kube, pytest.mark.timeout(400)]

QUICK = "lease_duration_s = 6\nlease_renew_s = 1\ncommand_deadline_s = 3\n"
LEASE_S = 6.0


@pytest.fixture
def site(make_site: Callable[[str], Site]) -> Site:
    """A release with two controllers that serves clients."""
    made = make_site(QUICK)
    made.add_controller()
    made.add_controller()
    made.protected()
    return made


def other_than(site: Site, leader: object) -> None:
    """Wait until another controller leads."""
    until(lambda: site.leader() is not leader, 60, "another controller leads")


def test_a_killed_main_is_followed_by_its_standby(site: Site) -> None:
    """Nothing acknowledged is lost, labels say who is what, and the old MAIN comes back as a replica."""
    site.start_writers()
    old = site.protected()
    began_s = now_s()
    site.kubelet.places[old.main].container.signal(signal.SIGKILL)
    pause_s = site.served_after(began_s, 30)
    new = site.protected()
    assert new.generation == old.generation + 1
    assert new.history[-1].kind in (ChangeKind.FAILOVER, ChangeKind.REPROMOTE)
    print(f"MAIN killed: clients served again after {pause_s:.2f} s")
    assert site.stop_writers() > 0
    standby = new.standby
    assert standby is not None
    roles = {new.main: "main", standby.instance: "standby"}
    until(lambda: roles.items() <= dict(site.labels()).items(), 20, f"labels {roles}, but {site.labels()}")


def test_a_killed_leader_is_followed_within_the_lease_and_two_seconds(site: Site) -> None:
    """The other controller serves clients by then, in the same reign: MAIN was never in trouble."""
    site.start_writers()
    leader, old = site.leader(), site.protected()
    began_s = now_s()
    leader.container.signal(signal.SIGKILL)
    pause_s = site.served_after(began_s, LEASE_S + 20)
    print(f"leader killed: clients served again after {pause_s:.2f} s (lease {LEASE_S:g} s)")
    assert pause_s <= LEASE_S + 2
    assert site.protected().generation == old.generation
    site.stop_writers()
    assert site.service.labelled() == [site.leader().name]


def test_a_leader_that_is_told_to_end_hands_over(site: Site) -> None:
    """It releases the lease, ends with 0, and clients wait less than a second."""
    site.start_writers()
    leader = site.leader()
    began_s = now_s()
    leader.container.signal(signal.SIGTERM)
    pause_s = site.served_after(began_s, 20)
    print(f"leader told to end: clients served again after {pause_s:.2f} s")
    assert leader.container.wait(20) == 0
    assert pause_s < 1
    assert "lease.released" in leader.log
    site.stop_writers()
    until(lambda: site.service.labelled() == [site.leader().name], START_S, "the label is the new leader's")


def test_a_leader_that_stood_still_past_its_lease_relays_nothing_more(site: Site) -> None:
    """Its clients are cut when it wakes, no acknowledgement of its MAIN reaches them, and it campaigns again."""
    site.start_writers()
    leader = site.leader()
    began_s = now_s()
    leader.container.signal(signal.SIGSTOP)
    pause_s = site.served_after(began_s, LEASE_S + 20)
    print(f"leader frozen: clients served again after {pause_s:.2f} s (lease {LEASE_S:g} s)")
    leader.container.signal(signal.SIGCONT)
    until(lambda: "tilt" in leader.log, 20, f"it knows that it stood still\n{leader.log[-2000:]}")
    until(lambda: not leader.leads(), 20, "it does not say that it leads")
    site.stop_writers()
    assert site.service.labelled() == [site.leader().name]

"""Two controllers of one release on a real API server: who leads, who serves, and how long clients wait."""

import signal
import sys
from collections.abc import Callable

import pytest

from memgraph_ha.core.record import ChangeKind
from memgraph_ha.kube.runtime import LINGER_S
from tests.kube.daemon.processes import slowness, until
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
    made.start_writers(2)
    made.served_after(now_s(), START_S)
    return made


@pytest.fixture
def tell(capsys: pytest.CaptureFixture[str]) -> Callable[[str], None]:
    """Say a number to whoever reads the test's output, also if it passes."""

    def say(line: str) -> None:
        with capsys.disabled():
            sys.stdout.write(f"\n{line}\n")

    return say


def test_a_killed_main_is_followed_by_its_standby(site: Site, tell: Callable[[str], None]) -> None:
    """Nothing acknowledged is lost, labels say who is what, and the old MAIN comes back as a replica."""
    old = site.protected()
    began_s = now_s()
    site.kubelet.places[old.main].container.signal(signal.SIGKILL)
    pause_s = site.served_after(began_s, 30)
    new = site.protected()
    assert new.generation == old.generation + 1
    assert new.history[-1].kind in (ChangeKind.FAILOVER, ChangeKind.REPROMOTE)
    tell(f"MAIN killed: clients served again after {pause_s:.2f} s")
    assert site.stop_writers() > 0
    standby = new.standby
    assert standby is not None
    roles = {new.main: "main", standby.instance: "standby"}
    until(lambda: roles.items() <= dict(site.labels()).items(), 20, f"labels {roles}, but {site.labels()}")


def test_a_killed_leader_is_followed_within_the_lease_and_two_seconds(site: Site, tell: Callable[[str], None]) -> None:
    """The other controller serves clients by then, in the same reign: MAIN was never in trouble."""
    leader, old = site.leader(), site.protected()
    began_s = now_s()
    leader.container.signal(signal.SIGKILL)
    pause_s = site.served_after(began_s, LEASE_S + 20)
    tell(f"leader killed: clients served again after {pause_s:.2f} s (lease {LEASE_S:g} s)")
    assert pause_s <= LEASE_S + 2 * slowness()
    assert site.protected().generation == old.generation
    site.stop_writers()
    assert site.service.labelled() == [site.leader().name]


def test_a_leader_that_is_told_to_end_hands_over(site: Site, tell: Callable[[str], None]) -> None:
    """It releases the lease, ends with 0, and clients wait less than a second; there and back again.

    It stays for a while after that: what the Services still lead to it is refused, and not left without an answer.
    """
    pauses_s: list[float] = []
    for _ in range(2):
        leader, began_s = site.leader(), now_s()
        leader.container.signal(signal.SIGTERM)
        pauses_s.append(site.served_after(began_s, 20))
        served_s = now_s()
        assert "lease.released" in leader.log
        assert leader.container.wait(20) == 0
        assert now_s() - served_s >= LINGER_S - 1 * slowness()
        until(lambda: site.service.labelled() == [site.leader().name], START_S, "the label is the new leader's")
        leader.container.start()
        until(lambda leader=leader: leader.get("/livez") is not None, START_S, "it runs again")
    tell(f"leader told to end: clients served again after {' and '.join(f'{each:.2f} s' for each in pauses_s)}")
    assert min(pauses_s) < 1 * slowness()
    site.stop_writers()


def test_a_leader_that_stood_still_past_its_lease_relays_nothing_more(site: Site, tell: Callable[[str], None]) -> None:
    """New clients are served by the next leader; the old one's are cut when it wakes, and it campaigns again."""
    leader, stuck = site.leader(), site.groups[-1]
    leader.container.signal(signal.SIGSTOP)
    began_s = now_s()
    until(lambda: site.service.labelled() not in ([], [leader.name]), LEASE_S + 5, "another one has the label")
    site.start_writers()
    pause_s = site.served_after(began_s, 30)
    tell(f"leader frozen: new clients served after {pause_s:.2f} s (lease {LEASE_S:g} s)")
    told_s = [log.last_acknowledged_s or 0.0 for log in stuck.logs]
    assert max(told_s) < began_s + 0.5, "a frozen process acknowledged something"
    woken_s = now_s()
    leader.container.signal(signal.SIGCONT)
    until(lambda: "tilt" in leader.log, 20, "it knows that it stood still")
    until(lambda: not leader.leads(), 20, "it does not say that it leads")
    for log in stuck.logs:  # what was on its way when it froze is told to nobody: those clients begin anew
        until(lambda log=log: (log.last_acknowledged_s or 0.0) > woken_s, 30, "its clients are served elsewhere")
        assert log.indeterminate_between(began_s, now_s()) >= 1
    site.stop_writers()
    assert site.service.labelled() == [site.leader().name]

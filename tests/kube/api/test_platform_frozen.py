"""A real controller fences a MAIN that stands still by deleting its pod, on a real API server."""

import signal
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest

from memgraph_ha.core.record import ChangeKind
from tests.kube.api_server import ApiServer
from tests.kube.daemon.kubelet import core_of
from tests.kube.daemon.processes import until
from tests.kube.daemon.site import START_S, Site, now_s

pytestmark = [pytest.mark.kube, pytest.mark.timeout(300)]

QUICK = "lease_duration_s = 6\nlease_renew_s = 1\ncommand_deadline_s = 3\n"


@pytest.fixture
def site(kube_api: ApiServer, tmp_path: Path) -> Iterator[Site]:
    """A release with one controller that serves clients."""
    made = Site.make(kube_api, tmp_path, QUICK)
    try:
        made.add_controller()
        made.protected()
        made.start_writers()
        made.served_after(now_s(), START_S)
        yield made
    finally:
        made.close()


def test_a_frozen_main_is_followed_and_its_pod_replaced(site: Site, capsys: pytest.CaptureFixture[str]) -> None:
    """The promotion waits for the deletion's acceptance only, nothing cuts it off, and nothing acknowledged is lost."""
    old = site.protected()
    pod = core_of(site.api).read_namespaced_pod(old.main, site.namespace)
    began_s = now_s()
    site.kubelet.places[old.main].container.signal(signal.SIGSTOP)
    pause_s = site.served_after(began_s, 60)
    with capsys.disabled():
        sys.stdout.write(f"\nMAIN frozen: clients served again after {pause_s:.2f} s\n")

    def replaced() -> bool:
        found = core_of(site.api).list_namespaced_pod(site.namespace, field_selector=f"metadata.name={old.main}")
        return any(each.metadata.uid != pod.metadata.uid for each in found.items)

    until(replaced, 30, f"its pod is replaced\n{site.tail()}")
    new = site.protected()
    assert new.main != old.main
    assert new.history[-1].kind is ChangeKind.FAILOVER
    assert site.stop_writers() > 0
    stops = [line for line in site.tail(10**6).splitlines() if "command " in line and "StopInstance" in line]
    ended = [line for line in stops if "command ended" in line]
    assert len(stops) == 2, stops
    assert "outcome=done" in ended[0]

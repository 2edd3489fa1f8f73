"""The API server and its store stand still, end, forget their history or go back in time: MAIN serves on."""

import contextlib
import time

import pytest

from tests.e2e.kube.conduct import WRITERS, kill, tell
from tests.e2e.kube.control_plane import Plane
from tests.e2e.kube.controller_log import ControllerLog
from tests.e2e.kube.faults import leader_of, wait_served
from tests.e2e.kube.outage import KNOWN_S, LEASE_S, serves_on
from tests.e2e.kube.pods import Pod
from tests.e2e.kube.release import Release, until
from tools.kube.cluster import Cluster

pytestmark = [pytest.mark.kube, pytest.mark.alone, pytest.mark.timeout(1200)]

_LOOK_S = 3.0
_BACK_S = 90.0
"""kube-controller-manager itself may wait for half a minute before it connects again."""

_NOTICED_S = 25.0
"""Longer than any stream that broke goes unnoticed: every list is made anew after 20 s."""


@pytest.fixture
def plane(kube_cluster: Cluster) -> Plane:
    """The cluster's control plane."""
    return Plane(kube_cluster)


def test_writes_go_on_while_the_api_server_stands_still(release: Release, plane: Plane) -> None:
    """With the API server frozen the leader, whose peers promise not to campaign, goes on serving (decision 0011)."""
    serves_on(release, plane.frozen(), "API server frozen")


def test_writes_go_on_while_the_api_server_is_started_anew(release: Release, plane: Plane) -> None:
    """Its connections are refused for a while, as in the upgrade of a control plane; then another process answers."""
    serves_on(release, plane.ended(), "API server ended")


def test_changes_are_seen_after_the_history_is_gone(release: Release, plane: Plane) -> None:
    """Every watch from before is answered by 410 Gone: the controllers list anew, and see a pod that was replaced."""
    record = release.protected()
    release.start_writers(WRITERS)
    assert record.standby is not None
    replica = next(name for name in release.instances if name not in {record.main, record.standby.instance})
    before = release.pod(replica)
    assert before is not None
    with plane.ended():
        plane.compact()
    plane.compact()
    release.delete(replica, grace_s=0)

    def back() -> Pod | None:
        pod = release.pod(replica)
        return pod if pod is not None and pod.uid != before.uid and pod.ready else None

    until(lambda: back() is not None, _BACK_S, lambda: f"{replica} is back\n{release.tail()}")

    def known() -> bool:
        pod = back()
        return pod is not None and pod.labels.get("memgraph-ha/role") == "replica"

    noticed_s = until(known, _NOTICED_S, lambda: f"the new {replica} is known\n{release.tail()}")
    tell(f"etcd's history compacted: a replaced pod has its label {noticed_s:.2f} s after it is ready")
    assert release.protected().generation == record.generation
    release.assert_sound()


def test_a_store_that_goes_back_in_time_demotes_nobody(release: Release, plane: Plane, kube_cluster: Cluster) -> None:
    """The store is put back to before a failover, record and Lease with it: held by name until the newest is put back.

    One controller remembers that there was a newer record; then it dies too, and the next one knows only what the
    instances say: the recorded MAIN is none, and another one is.
    """
    path = f"/api/v1/namespaces/{release.namespace}/configmaps/{release.name}-state"
    before = release.protected()
    writers = release.start_writers(WRITERS)
    assert release.witness is not None
    with contextlib.ExitStack() as restoring:
        restoring.enter_context(plane.restored())
        time.sleep(KNOWN_S)
        main = release.pod(before.main)
        assert main is not None
        kill(release, main, "memgraph")
        after = release.protected(above=before.generation)
        newest = release.host.api.get(path).json()["data"]
        with release.witness.looking_away():
            restoring.close()
    assert release.record() == before, "the old record is there again"
    until(lambda: _is_held(release, kube_cluster), _BACK_S, lambda: f"it is held\n{release.tail()}")
    time.sleep(_LOOK_S)
    held_s = time.monotonic()
    time.sleep(_LOOK_S)
    assert not writers.acknowledged_since(held_s), "it served by a record that went back"
    leader = leader_of(release)
    release.delete(leader.name, grace_s=0)
    until(lambda: leader_of(release).name != leader.name, 3 * LEASE_S, lambda: f"another leads\n{release.tail()}")
    until(lambda: _is_held(release, kube_cluster), _BACK_S, lambda: f"it is held\n{release.tail()}")
    with release.witness.looking_away():
        release.host.api.change(path, {"data": newest})
    served_s = wait_served(release, writers, time.monotonic())
    tell(f"etcd restored from a copy: served {served_s:.2f} s after the newest record was put back")
    assert release.protected().main == after.main
    release.assert_sound()


def _is_held(release: Release, cluster: Cluster) -> bool:
    """See whether the leader holds because of the record, and not because it cannot reach it."""
    log = ControllerLog.of(cluster.place, release.namespace, leader_of(release))
    decisions = [event for event in log.events() if event["event"] == "decision"]
    if not decisions:
        return False
    hold, reason = decisions[-1].get("hold"), str(decisions[-1].get("reason"))
    return hold == "RecordRegressed" or (hold == "RecordUnknown" and "older than" in reason)

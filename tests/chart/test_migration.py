"""Steps 4 to 8 of docs/how-to/migrate-from-the-predecessor.md: what it left is taken up, and nothing is guessed."""

from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import httpx
import pytest
from kubernetes.client import CoordinationV1Api

from memgraph_ha.core.record import ChangeKind
from tests.kube.api_server import ApiServer
from tests.kube.daemon.kubelet import core_of
from tests.kube.daemon.processes import until
from tests.kube.daemon.site import RELEASE, TOKEN, Site, now_s

pytestmark = [pytest.mark.kube, pytest.mark.timeout(400)]

STATE: Final = f"{RELEASE}-state"
SOON_S: Final = 90.0


@pytest.fixture
def site(own_server: ApiServer, tmp_path: Path) -> Iterator[Site]:
    """A site."""
    made = Site.make(own_server, tmp_path)
    try:
        yield made
    finally:
        made.close()


def left_by_the_predecessor(site: Site) -> int:
    """Make what there is after step 6: data on volumes, instances that all are REPLICA, the predecessor's ConfigMap.

    Returns:
        How many writes were acknowledged.
    """
    first = site.add_controller()
    site.protected()
    site.start_writers(2)
    site.served_after(now_s(), SOON_S)
    written = site.stop_writers()
    first.container.end()
    core: Any = core_of(site.api)
    core.delete_namespaced_config_map(STATE, site.namespace)
    leases: Any = CoordinationV1Api(site.api)
    leases.delete_namespaced_lease(f"{RELEASE}-leader", site.namespace)
    old = {name: place.uid for name, place in site.kubelet.places.items()}
    for name in old:
        site.kubelet.delete(name, 0)
    until(lambda: all(place.uid != old[name] for name, place in site.kubelet.places.items()), SOON_S, "all start anew")
    core.create_namespaced_config_map(site.namespace, {"metadata": {"name": STATE}, "data": {"targetMainIndex": "0"}})
    return written


def test_what_the_predecessor_left_waits_for_a_human_and_is_then_taken_up(site: Site) -> None:
    """All are REPLICA and hold data: held by name, adopted by word, and the predecessor's number stays in step."""
    written = left_by_the_predecessor(site)
    controller = site.add_controller()
    site.leader()
    until(lambda: "AmbiguousBootstrap" in controller.log, SOON_S, f"it says what it waits for\n{site.tail()}")
    answer = httpx.post(
        f"{controller.url}/api/v1/adopt",
        json={"instance": f"{RELEASE}-0", "wait_s": 60},
        headers={"Authorization": f"Bearer {TOKEN}"},
        timeout=90,
    )
    assert answer.status_code == 200, answer.text
    record = site.protected()
    assert record.main == f"{RELEASE}-0"
    assert record.history[0].kind is ChangeKind.ADOPT
    kept: Any = core_of(site.api).read_namespaced_config_map(STATE, site.namespace)
    assert kept.data["targetMainIndex"] == "0"
    assert not kept.metadata.owner_references
    assert len(site._read(record.main).ids) >= written > 0
    site.start_writers(2)
    site.served_after(now_s(), SOON_S)

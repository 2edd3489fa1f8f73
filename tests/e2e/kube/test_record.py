"""The record or the Lease is deleted, spoilt or put back by hand: it is held by name, and nothing is lost."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, Final

import pytest

from memgraph_ha.core.policy import Policy
from tests.e2e.kube.conduct import WRITERS, kill, patience, tell
from tests.e2e.kube.controller_log import ControllerLog, Event
from tests.e2e.kube.faults import leader_of, longest_silence, wait_served
from tests.e2e.kube.release import Release, until
from tools.kube.cluster import Cluster

pytestmark = [pytest.mark.kube, pytest.mark.timeout(900)]

_LEASE_S = Policy().lease_duration_s
_RECORD: Final = "record.json"
_INDEX: Final = "targetMainIndex"
_HELD_S = 10.0
_SHUT_S = 1.0
_LOOK_S = 3.0
"""Long enough for the record to be read again a few times, and for anybody to act on it."""

Data = Mapping[str, str]


class _Kept:
    """The record's ConfigMap, as an administrator with an editor has it."""

    def __init__(self, release: Release) -> None:
        self._release = release
        self._all = f"/api/v1/namespaces/{release.namespace}/configmaps"
        self._path = f"{self._all}/{release.name}-state"

    @property
    def data(self) -> dict[str, str] | None:
        """What stands in it; None if there is none."""
        found = self._release.host.api.get(self._path)
        return None if found.is_error else found.json().get("data", {})

    @contextmanager
    def saying(self, data: Data | None) -> Iterator[None]:
        """Let it say something else while the block runs; None: let there be none."""
        good = self.data
        self.put(data)
        try:
            yield
        finally:
            self.put(good)

    def put(self, data: Data | None) -> None:
        """Make it say that, whatever it said; None deletes it."""
        assert self._release.witness is not None
        with self._release.witness.looking_away():
            self._put(data)

    def _put(self, data: Data | None) -> None:
        now = self.data
        if data is None:
            self._release.host.api.delete(self._path)
        elif now is None:
            body: dict[str, Any] = {"metadata": {"name": f"{self._release.name}-state"}, "data": dict(data)}
            self._release.host.api.create(self._all, body)
        else:
            self._release.host.api.change(self._path, {"data": {**dict.fromkeys(now), **data}})


def _changed(**fields: object) -> Callable[[Data], Data]:
    """Change fields inside the record."""
    return lambda data: {**data, _RECORD: json.dumps({**json.loads(data[_RECORD]), **fields})}


_SPOILT: Final[Mapping[str, tuple[str, Callable[[Data], Data | None]]]] = {
    "deleted": ("RecordRegressed", lambda _: None),
    "garbage": ("RecordInvalid", lambda data: {**data, _RECORD: "\x01 not json"}),
    "cut short": ("RecordInvalid", lambda data: {**data, _RECORD: data[_RECORD][:100]}),
    "no key": ("RecordInvalid", lambda _: {}),
    "keys that disagree": ("RecordInvalid", lambda data: {**data, _INDEX: str(1 - int(data[_INDEX]))}),
    "no ordinal": ("RecordInvalid", lambda data: {**data, _INDEX: "-1"}),
    "a newer schema": ("RecordSchema", _changed(schema=2)),
    "another cluster's": ("RecordForeign", _changed(cluster="another")),
}


def _decisions(events: list[Event]) -> set[str]:
    return {str(event["hold"]) for event in events if event["event"] == "decision" and event.get("hold")}


@contextmanager
def _held(release: Release, cluster: Cluster, kept: _Kept, bad: Data | None, name: str) -> Iterator[None]:
    """Put that in the record's place: it is held by that name, read/write shuts, nobody acts or overwrites it.

    At the end of the block what was there is put back.
    """
    writers = release.groups[-1]
    log = ControllerLog.of(cluster.place, release.namespace, leader_of(release))
    seen = len(log.events())
    before = _processes(release)
    with kept.saying(bad):
        told = kept.data
        held_s = until(
            lambda: name in _decisions(log.events()[seen:]), _HELD_S, lambda: f"it is held as {name}\n{release.tail()}"
        )
        time.sleep(patience(_SHUT_S))
        shut_s, seen = time.monotonic(), len(log.events())
        time.sleep(_LOOK_S)
        assert not writers.acknowledged_since(shut_s), "read/write was open"
        assert not [event for event in log.events()[seen:] if event["event"] == "command"], "something was commanded"
        assert kept.data == told, "it was overwritten"
        assert _processes(release) == before, "an instance was restarted"
        tell(f"held as {name} after {held_s:.2f} s")
        yield


def test_a_spoilt_record_is_held_by_name(release: Release, kube_cluster: Cluster) -> None:
    """Deleted, garbage, contradictory, another's or older: MAIN lives on, and serves when the right one is back."""
    record, kept = release.protected(), _Kept(release)
    writers = release.start_writers(WRITERS)
    for what, (name, spoil) in _SPOILT.items():
        record, good = release.protected(), kept.data
        assert good is not None
        tell(f"--- {what}")
        with _held(release, kube_cluster, kept, spoil(good), name):
            pass
        tell(f"served {wait_served(release, writers, time.monotonic()):.2f} s after it was put back")
        after = release.protected()
        assert (after.generation, after.main_run, after.standby) == (record.generation, record.main_run, record.standby)
    release.assert_sound()


def test_a_record_of_an_earlier_reign_is_refused(release: Release, kube_cluster: Cluster) -> None:
    """An old copy, applied after a failover, names the old MAIN: nobody demotes the new one (scenarios E4)."""
    before, kept = release.protected(), _Kept(release)
    old = kept.data
    writers = release.start_writers(WRITERS)
    main = release.pod(before.main)
    assert main is not None
    kill(release, main, "memgraph")
    after = release.protected(above=before.generation)
    assert old is not None
    with _held(release, kube_cluster, kept, old, "RecordRegressed"):
        leader = leader_of(release)
        release.delete(leader.name, grace_s=0)  # the next one remembers nothing but what the lease says
        until(lambda: leader_of(release).name != leader.name, 3 * _LEASE_S, lambda: f"another leads\n{release.tail()}")
        time.sleep(_LOOK_S)
        log = ControllerLog.of(kube_cluster.place, release.namespace, leader_of(release))
        assert "RecordRegressed" in _decisions(log.events())
        assert kept.data == old
    wait_served(release, writers, time.monotonic())
    assert release.protected().main == after.main
    release.assert_sound()


def test_a_record_that_is_gone_for_good_is_made_anew_by_order(release: Release) -> None:
    """Deleted and without a copy: `memgraph-ha adopt` says who reigned last, and a later reign begins."""
    record, kept = release.protected(), _Kept(release)
    writers = release.start_writers(WRITERS)
    kept.put(None)
    time.sleep(_LOOK_S)
    adopted_s = time.monotonic()
    release.command("adopt", record.main, "--yes")
    tell(f"adopted: served after {wait_served(release, writers, adopted_s):.2f} s")
    after = release.protected()
    assert after.main == record.main
    assert after.generation > record.generation
    release.assert_sound()


def test_a_deleted_lease_is_put_back_by_its_holder(release: Release) -> None:
    """Deleting the Lease, again and again, costs nobody anything: its holder's term runs."""
    record = release.protected()
    writers = release.start_writers(WRITERS)
    leader, begun_s = leader_of(release), time.monotonic()
    for _ in range(5):
        release.host.api.delete(_lease(release))
        time.sleep(1.5)
    assert leader_of(release).name == leader.name
    silence_s = longest_silence(writers, begun_s)
    tell(f"the Lease deleted five times: longest silence {silence_s:.2f} s")
    assert silence_s < patience(_SHUT_S)
    assert release.protected().generation == record.generation
    release.assert_sound()


def test_a_lease_deleted_with_its_holder_is_waited_for(release: Release) -> None:
    """Nobody knows how long the dead holder's permit lives: the next one waits a whole lease before it commands."""
    record = release.protected()
    writers = release.start_writers(WRITERS)
    leader = leader_of(release)
    killed_s = kill(release, leader, "controller")
    release.host.api.delete(_lease(release))
    served_s = wait_served(release, writers, killed_s)
    tell(f"leader killed and its Lease deleted: served after {served_s:.2f} s")
    assert _LEASE_S <= served_s <= _LEASE_S + patience(5.0)
    release.delete(leader.name, grace_s=0)
    assert release.protected().generation == record.generation
    release.assert_sound()


def test_a_lease_that_somebody_else_holds_is_honoured(release: Release) -> None:
    """An edited Lease takes the leadership away at once; when its holder does not renew, a controller leads again."""
    record = release.protected()
    writers = release.start_writers(WRITERS)
    leader_of(release)
    edited_s = time.monotonic()
    release.host.api.change(_lease(release), {"spec": {"holderIdentity": "somebody_else"}})
    time.sleep(4.0)  # the holder looks when it renews
    assert not writers.acknowledged_since(edited_s + 3.5), "it served with somebody else's lease"
    served_s = wait_served(release, writers, time.monotonic(), 3 * _LEASE_S) + 4.0
    tell(f"the Lease was given to somebody else, who never came: served after {served_s:.2f} s")
    assert served_s >= _LEASE_S
    assert release.protected().generation == record.generation
    release.assert_sound()


def _processes(release: Release) -> dict[str, tuple[str, dict[str, str]]]:
    """Say which processes the instances are."""
    return {pod.name: (pod.uid, dict(pod.containers)) for pod in release.pods("memgraph")}


def _lease(release: Release) -> str:
    return f"/apis/coordination.k8s.io/v1/namespaces/{release.namespace}/leases/{release.name}-leader"

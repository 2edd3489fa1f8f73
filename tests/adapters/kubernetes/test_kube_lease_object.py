"""What stands in the Lease object, read and written without any API."""

from collections.abc import Mapping
from typing import Any

import pytest
from attrs import evolve

from memgraph_ha.adapters.kubernetes.lease_object import read_lease, write_lease
from memgraph_ha.adapters.lease_note import LeaseNote, Sight, may_take
from memgraph_ha.core.policy import Policy

NOTE = LeaseNote(
    holder="r-controller-1_x",
    session="5e55",
    term=3,
    renewals=4,
    duration_s=10,
    floor=2,
    released=False,
    clean=True,
    controllers="opaque",
)
SEEN = Sight(token="12", note=None, ever=True)  # noqa: S106 - a version, no secret
WHEN_S = 1_800_000_000.0


def written(note: LeaseNote) -> dict[str, Any]:
    """Make what the API server would answer after that note was written over nothing."""
    return merged({"metadata": {"resourceVersion": "13"}}, note)


def merged(lease: Mapping[str, Any], note: LeaseNote) -> dict[str, Any]:
    """Apply a patch as the API server does: null removes, all else replaces."""
    body: Any = write_lease(note, SEEN, name="r-leader", labels={}, wall_s=WHEN_S)
    spec = {**lease.get("spec", {}), **body["spec"]}
    marks = {**lease["metadata"].get("annotations", {}), **body["metadata"]["annotations"]}
    return {
        "metadata": {**lease["metadata"], "annotations": marks},
        "spec": {key: value for key, value in spec.items() if value is not None},
    }


def foreign(**spec: Any) -> dict[str, Any]:
    """Make a Lease that some other program wrote."""
    return {"metadata": {"resourceVersion": "5"}, "spec": spec}


@pytest.mark.parametrize("note", [NOTE, evolve(NOTE, released=True), evolve(NOTE, clean=False, controllers="")])
def test_a_note_comes_back_as_it_was_written(note: LeaseNote) -> None:
    """Every field survives, also of a released lease, whose holder nobody is any more."""
    sight = read_lease(written(note))
    assert sight.note == note
    assert (sight.token, sight.ever, sight.trouble) == ("13", True, "")


def test_a_fraction_of_a_second_is_rounded_up() -> None:
    """Others wait rather longer than the holder relies on it: the field of Kubernetes knows whole seconds."""
    note = read_lease(written(evolve(NOTE, duration_s=2.2))).note
    assert note is not None
    assert note.duration_s == 3


def test_people_see_who_holds_it_and_since_when() -> None:
    """`kubectl get leases` shows the pod, and nobody after a release; times are as the API insists on."""
    body: Any = write_lease(evolve(NOTE, renewals=0), SEEN, name="r-leader", labels={"a": "b"}, wall_s=WHEN_S)
    assert body["metadata"]["resourceVersion"] == "12"
    assert body["metadata"]["labels"] == {"a": "b"}
    assert body["spec"]["holderIdentity"] == "r-controller-1_x_5e55"
    assert body["spec"]["acquireTime"] == body["spec"]["renewTime"] == "2027-01-15T08:00:00.000000Z"
    assert body["spec"]["leaseTransitions"] == 2
    later: Any = write_lease(NOTE, SEEN, name="r-leader", labels={}, wall_s=WHEN_S)
    assert "acquireTime" not in later["spec"]
    gone: Any = write_lease(evolve(NOTE, released=True), SEEN, name="r-leader", labels={}, wall_s=WHEN_S)
    assert gone["spec"]["holderIdentity"] is None
    new: Any = write_lease(NOTE, Sight(token=None, note=None, ever=False), name="r-leader", labels={}, wall_s=WHEN_S)
    assert "resourceVersion" not in new["metadata"]


def test_every_renewal_is_a_beat_and_nothing_else_is() -> None:
    """A renewal differs from the one before even with the same wall clock; somebody's annotation does not count."""
    lease = written(NOTE)
    first = read_lease(lease).beat
    lease["metadata"]["annotations"]["somebody/else"] = "1"
    lease["metadata"]["resourceVersion"] = "14"
    assert read_lease(lease).beat == first
    assert read_lease(merged(lease, evolve(NOTE, renewals=5))).beat != first


def test_another_programs_lease_is_honoured() -> None:
    """A holder that knows only the fields of Kubernetes, as the predecessor's library, is waited for as any other."""
    lease = foreign(
        holderIdentity="old-0", leaseDurationSeconds=15, leaseTransitions=6, renewTime="2026-01-01T00:00:00.000000Z"
    )
    sight = read_lease(lease)
    assert sight.note == LeaseNote(
        holder="old-0", session="old-0", term=7, renewals=0, duration_s=15, floor=0, released=False, clean=True
    )
    assert may_take(sight, unchanged_s=14, session="ours", policy=Policy()) is None
    lease["spec"]["renewTime"] = "2026-01-02T00:00:00.000000Z"
    assert read_lease(lease).beat != sight.beat


def test_another_program_in_our_lease_did_not_release_it() -> None:
    """Annotations that we left behind say nothing about whoever holds it now."""
    lease = written(evolve(NOTE, released=True))
    lease["spec"]["holderIdentity"] = "old-0"
    note = read_lease(lease).note
    assert note is not None
    assert (note.released, note.holder) == (False, "old-0")


@pytest.mark.parametrize(
    ("lease", "text"),
    [
        ({"metadata": {"resourceVersion": "5"}}, "spec.holderIdentity"),
        (foreign(holderIdentity="", leaseDurationSeconds=1), "spec.holderIdentity: is empty"),
        (foreign(holderIdentity="x"), "spec.leaseDurationSeconds: None"),
        (foreign(holderIdentity="x", leaseDurationSeconds=100_000), "spec.leaseDurationSeconds: 100000"),
    ],
)
def test_nonsense_is_named(lease: dict[str, Any], text: str) -> None:
    """A lease that says nothing usable is there all the same: it is waited for, and what is wrong is named."""
    sight = read_lease(lease)
    assert (sight.note, sight.ever) == (None, True)
    assert text in sight.trouble
    assert may_take(sight, unchanged_s=9.9, session="ours", policy=Policy()) is None


@pytest.mark.parametrize("key", ["generation", "term", "renewals"])
def test_a_number_that_is_none_is_named(key: str) -> None:
    """An annotation that was edited by hand is not taken for zero."""
    lease = written(NOTE)
    lease["metadata"]["annotations"][f"memgraph-ha/{key}"] = "-1"
    sight = read_lease(lease)
    assert sight.note is None
    assert f"annotation memgraph-ha/{key}: '-1'" in sight.trouble

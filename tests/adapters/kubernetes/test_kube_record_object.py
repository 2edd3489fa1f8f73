"""What stands in the record's ConfigMap, judged without any API."""

import json
import re
from collections.abc import Mapping

import pytest
from attrs import evolve
from structlog.testing import capture_logs

from memgraph_ha.adapters.kubernetes.raw import Raw
from memgraph_ha.adapters.kubernetes.record_object import (
    INDEX_KEY,
    RECORD_KEY,
    RecordObject,
    contradiction,
    new_object,
    new_version,
    ordinal,
    read_object,
    same_again,
)
from memgraph_ha.adapters.kubernetes.record_versions import Versions
from memgraph_ha.core.facts import RecordTrouble
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record_json import dump_record
from tests.adapters.first_record import first_record

FIRST = first_record(InstanceName("r-1"), generation=3)
TEXT = dump_record(FIRST)


def config_map(data: Mapping[str, str] | None, version: str = "12") -> Raw:
    """Make what the API server answers, which leaves empty fields out."""
    meta = {"name": "r-state", "uid": "u", "resourceVersion": version}
    return {"metadata": meta} if data is None else {"metadata": meta, "data": dict(data)}


def test_our_record_is_read_with_its_version() -> None:
    """A record that agrees with the predecessor's number, or stands alone, is taken as it is."""
    for data in ({RECORD_KEY: TEXT, INDEX_KEY: "1"}, {RECORD_KEY: TEXT}):
        there = read_object(config_map(data))
        assert (there.record, there.version, there.uid, there.trouble) == (FIRST, "12", "u", None)
        assert not there.migrating


def test_the_predecessors_number_alone_is_no_record() -> None:
    """A ConfigMap of the predecessor's holds no record of ours, and says who it took for MAIN."""
    there = read_object(config_map({INDEX_KEY: "1"}))
    assert (there.record, there.index, there.trouble, there.migrating) == (None, 1, None, True)


@pytest.mark.parametrize(
    ("data", "trouble", "text"),
    [
        (None, RecordTrouble.INVALID, "holds neither record.json nor targetMainIndex"),
        ({"other": "1"}, RecordTrouble.INVALID, "holds neither"),
        ({INDEX_KEY: ""}, RecordTrouble.INVALID, "key targetMainIndex: '' is not the ordinal"),
        ({INDEX_KEY: "-1"}, RecordTrouble.INVALID, "'-1' is not the ordinal"),
        ({INDEX_KEY: "memgraph-1"}, RecordTrouble.INVALID, "'memgraph-1' is not the ordinal"),
        ({INDEX_KEY: "\u0661"}, RecordTrouble.INVALID, "is not the ordinal"),
        ({INDEX_KEY: "2"}, RecordTrouble.INVALID, "2 is not 0 or 1"),
        ({RECORD_KEY: TEXT, INDEX_KEY: "x"}, RecordTrouble.INVALID, "key targetMainIndex"),
        ({RECORD_KEY: TEXT, INDEX_KEY: "0"}, RecordTrouble.INVALID, "says 0, but MAIN of record.json is r-1"),
        ({RECORD_KEY: ""}, RecordTrouble.INVALID, "key record.json: the record is not JSON"),
        ({RECORD_KEY: "[]", INDEX_KEY: "1"}, RecordTrouble.INVALID, "key record.json: the record is not a JSON object"),
        ({RECORD_KEY: TEXT.replace('"main"', '"mein"')}, RecordTrouble.INVALID, "field main: is missing"),
        ({RECORD_KEY: TEXT.replace('"schema": 1', '"schema": 2')}, RecordTrouble.NEWER_SCHEMA, "field schema: 2"),
    ],
)
def test_what_cannot_be_used_is_named(data: Mapping[str, str] | None, trouble: RecordTrouble, text: str) -> None:
    """Everything else is trouble that names the ConfigMap, the key and the value, and is no record."""
    there = read_object(config_map(data))
    assert (there.trouble, there.record, there.index, there.migrating) == (trouble, None, None, False)
    assert text in there.detail
    assert there.detail.startswith("configmap r-state: ")


@pytest.mark.parametrize(
    ("index", "by", "against"), [(1, "", False), (0, "", True), (0, "anna", False), (None, "", False)]
)
def test_the_first_record_does_not_contradict_the_predecessor(index: int | None, by: str, against: bool) -> None:
    """Facts that speak for another MAIN than the predecessor's number are not enough; a human's word is."""
    there = RecordObject(uid="u", version="1", index=index)
    first = evolve(FIRST, history=(evolve(FIRST.history[0], by=by),))
    said = contradiction(there, first)
    assert (said is not None) == against
    if said is not None:
        assert re.search(r"instance 0 was MAIN.*r-1.*memgraph-ha adopt", said)


@pytest.mark.parametrize(
    ("name", "number"), [("r-0", 0), ("my-release-12", 12), ("r", None), ("r-x", None), ("-1", None)]
)
def test_the_ordinal_is_in_the_name(name: str, number: int | None) -> None:
    """A StatefulSet's pods end in their ordinals."""
    assert ordinal(InstanceName(name)) == number


def test_a_write_names_the_version_it_is_for() -> None:
    """Every patch carries the expected version, takes owners off, keeps the number in step, and differs from others."""
    one, two = (new_version(FIRST, {"a": "b"}, "12") for _ in range(2))
    meta = one["metadata"]
    assert isinstance(meta, dict)
    assert (meta["resourceVersion"], meta["ownerReferences"], meta["labels"]) == ("12", None, {"a": "b"})
    assert one["data"] == {RECORD_KEY: TEXT, INDEX_KEY: "1"}
    assert one != two
    assert same_again("12")["metadata"] != same_again("12")["metadata"]
    odd = evolve(FIRST, main=InstanceName("m"), history=())
    assert new_version(odd, {}, "12")["data"] == {RECORD_KEY: dump_record(odd), INDEX_KEY: None}
    assert new_object(odd, {}, "r-state")["data"] == {RECORD_KEY: dump_record(odd)}


def test_new_versions_are_accepted_in_any_case() -> None:
    """Versions that grow, a new object of that name, and versions that are no numbers are never refused."""
    versions = Versions()
    for uid, version in (("u", "5"), ("u", "5"), ("u", "9"), ("v", "3"), ("v", "x"), ("v", "4")):
        there = RecordObject(uid=uid, version=version, text=version)
        assert versions.judge(there, versions.newest) is None


def test_a_version_that_goes_back_is_refused_until_somebody_writes() -> None:
    """An older content is refused, its newer one is logged, and any later write ends it: a human has looked."""
    versions = Versions()
    assert versions.judge(RecordObject(uid="u", version="9", text="new"), None) is None
    old = RecordObject(uid="u", version="5", text="old")
    with capture_logs() as logs:
        for _ in range(3):
            refusal = versions.judge(old, versions.newest)
            assert refusal is not None
            assert "version 5 is older than 9" in refusal
    assert [(log["event"], log["newest_record"]) for log in logs] == [("record.regressed", "new")]
    assert versions.judge(RecordObject(uid="u", version="4", text="older"), versions.newest) is not None
    annotated = RecordObject(uid="u", version="6", text="older")
    assert versions.judge(annotated, versions.newest) is None
    assert versions.judge(annotated, versions.newest) is None
    assert versions.judge(RecordObject(uid="u", version="5", text="old"), versions.newest) is not None


def test_the_same_content_under_an_older_version_is_accepted() -> None:
    """A restore that brings back exactly what was known last changes nothing."""
    versions = Versions()
    versions.judge(RecordObject(uid="u", version="9", text="same"), None)
    assert versions.judge(RecordObject(uid="u", version="5", text="same"), versions.newest) is None
    assert versions.judge(RecordObject(uid="u", version="6", text="next"), versions.newest) is None


def test_a_read_that_was_overtaken_is_only_late() -> None:
    """A read that was asked for before a newer version was known is no regression, and hides nothing newer."""
    versions = Versions()
    versions.judge(RecordObject(uid="u", version="5", text="five"), None)
    asked = versions.newest
    versions.judge(RecordObject(uid="u", version="9", text="nine"), asked)
    assert versions.judge(RecordObject(uid="u", version="7", text="seven"), asked) is None
    assert versions.newest is not None
    assert versions.newest.number == 9


def test_the_record_is_stored_as_the_core_writes_it() -> None:
    """What stands under the key is the core's JSON, so that every tool that reads records reads it."""
    data = new_object(FIRST, {}, "r-state")["data"]
    assert isinstance(data, dict)
    assert json.loads(data[RECORD_KEY])["main"] == "r-1"

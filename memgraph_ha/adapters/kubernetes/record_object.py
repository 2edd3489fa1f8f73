"""What stands in the record's ConfigMap: our JSON, and the predecessor's one number that is kept beside it. No I/O.

The predecessor keeps under ``targetMainIndex`` the ordinal of its MAIN, 0 or 1, as decimal text, and makes its
Deployment the owner of the object, so that uninstalling it deletes it (reference inventory K8S-03).
"""

import re
import secrets
from collections.abc import Mapping
from typing import Final

from attrs import frozen

from memgraph_ha.adapters.kubernetes.raw import Raw
from memgraph_ha.core.errors import RecordError, RecordSchemaError
from memgraph_ha.core.facts import RecordTrouble
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import Record
from memgraph_ha.core.record_json import dump_record, parse_record

RECORD_KEY: Final = "record.json"

INDEX_KEY: Final = "targetMainIndex"

_WRITE: Final = "memgraph-ha/write"
"""An annotation that every write changes: the API server makes no new version of a write that changes nothing."""


@frozen(kw_only=True)
class RecordObject:
    """One version of the ConfigMap, judged.

    Attributes:
        uid: Which object; another one after it was deleted and made again.
        version: Its ``resourceVersion``.
        text: The record as it stands there; empty if there is none.
        record: What it says; None if there is none, or trouble.
        index: The predecessor's ordinal of MAIN; None if there is none, or trouble.
        trouble: Why it cannot be used.
        detail: What exactly is wrong, with the field and what to do.
    """

    uid: str
    version: str
    text: str = ""
    record: Record | None = None
    index: int | None = None
    trouble: RecordTrouble | None = None
    detail: str = ""

    @property
    def migrating(self) -> bool:
        """Whether it is the predecessor's alone: there is no record of ours yet, and no trouble."""
        return self.record is None and self.trouble is None


def read_object(found: Raw) -> RecordObject:
    """Judge what the API server answered.

    Args:
        found: The ConfigMap.
    """
    meta, data = found["metadata"], found.get("data") or {}
    uid, version, name = str(meta["uid"]), str(meta["resourceVersion"]), f"configmap {meta['name']}"
    text, index_text = data.get(RECORD_KEY), data.get(INDEX_KEY)

    def trouble(kind: RecordTrouble, detail: str) -> RecordObject:
        return RecordObject(uid=uid, version=version, text=text or "", trouble=kind, detail=f"{name}: {detail}")

    if index_text is not None and re.fullmatch(r"[0-9]{1,5}", index_text) is None:
        return trouble(RecordTrouble.INVALID, f"key {INDEX_KEY}: {index_text!r} is not the ordinal of an instance")
    index = None if index_text is None else int(index_text)
    if text is None:
        if index is None:
            detail = f"holds neither {RECORD_KEY} nor {INDEX_KEY}: put the newest record back, or delete the ConfigMap"
            return trouble(RecordTrouble.INVALID, detail)
        if index > 1:
            return trouble(
                RecordTrouble.INVALID, f"key {INDEX_KEY}: {index} is not 0 or 1, and there is no {RECORD_KEY}"
            )
        return RecordObject(uid=uid, version=version, index=index)
    try:
        record = parse_record(text)
    except RecordSchemaError as error:
        return trouble(RecordTrouble.NEWER_SCHEMA, f"key {RECORD_KEY}: {error}")
    except RecordError as error:
        return trouble(RecordTrouble.INVALID, f"key {RECORD_KEY}: {error}")
    if index is not None and index != ordinal(record.main):
        detail = (
            f"key {INDEX_KEY} says {index}, but MAIN of {RECORD_KEY} is {record.main}: remove the one that is wrong"
        )
        return trouble(RecordTrouble.INVALID, detail)
    return RecordObject(uid=uid, version=version, text=text, record=record, index=index)


def contradiction(there: RecordObject, first: Record) -> str | None:
    """Say why the first record must not be written over what the predecessor left there; None if it may.

    Args:
        there: The predecessor's.
        first: The record that would be created.
    """
    if there.index is None or there.index == ordinal(first.main) or _ordered(first):
        return None
    return (
        f"the predecessor's {INDEX_KEY} says that instance {there.index} was MAIN, but the facts are for {first.main}; "
        "find out who holds the newest data, then: memgraph-ha adopt INSTANCE"
    )


def ordinal(instance: InstanceName) -> int | None:
    """Read the ordinal of a StatefulSet's pod; None if that is not its name."""
    match = re.fullmatch(r".+-([0-9]+)", instance)
    return None if match is None else int(match[1])


def new_object(record: Record, labels: Mapping[str, str], name: str) -> dict[str, object]:
    """The body that creates the ConfigMap.

    Args:
        record: The first record.
        labels: For people and their tools.
        name: Of the ConfigMap.
    """
    meta = {"name": name, "labels": dict(labels), "annotations": _mark()}
    data = {key: value for key, value in _data(record).items() if value is not None}
    return {"apiVersion": "v1", "kind": "ConfigMap", "metadata": meta, "data": data}


def new_version(record: Record, labels: Mapping[str, str], over: str) -> dict[str, object]:
    """The patch that writes a record over one version, and over no other; what else stands there stays.

    Owners are taken off: the record must outlive the controller's Deployment (design 4).

    Args:
        record: The new record.
        labels: For people and their tools.
        over: The ``resourceVersion`` that must be there.
    """
    meta = {"resourceVersion": over, "labels": dict(labels), "annotations": _mark(), "ownerReferences": None}
    return {"metadata": meta, "data": _data(record)}


def same_again(over: str) -> dict[str, object]:
    """The patch that makes a new version of the same record, so that nothing can be written over the old one.

    Args:
        over: The ``resourceVersion`` that must be there.
    """
    return {"metadata": {"resourceVersion": over, "annotations": _mark()}}


def _mark() -> dict[str, str]:
    return {_WRITE: secrets.token_hex(8)}


def _data(record: Record) -> dict[str, str | None]:
    """The keys and their values; None removes one."""
    index = ordinal(record.main)
    return {RECORD_KEY: dump_record(record), INDEX_KEY: None if index is None else str(index)}


def _ordered(record: Record) -> bool:
    """Whether a human chose the MAIN of this reign by name."""
    return bool(record.history and record.history[-1].by)

"""What stands in the Lease object: the fields that Kubernetes knows, and annotations for the rest. No I/O.

``spec.holderIdentity`` is ``<pod>_<session>`` while somebody holds it, and empty after a release, as client-go leaves
it. The times in it are for people only, since clocks of two machines are never compared; but they belong to what
differs after a renewal, so that a holder that knows only them is recognised as alive.
"""

import math
import re
from collections.abc import Mapping
from typing import Final

from memgraph_ha.adapters.kubernetes.raw import Raw
from memgraph_ha.adapters.kubernetes.times import micro_time
from memgraph_ha.adapters.lease_note import DURATION_RANGE_S, LeaseNote, Sight

_FLOOR: Final = "memgraph-ha/generation"
_TERM: Final = "memgraph-ha/term"
_RENEWALS: Final = "memgraph-ha/renewals"
_HELD_BY: Final = "memgraph-ha/holder"
_RELEASED: Final = "memgraph-ha/released"
_CLEAN: Final = "memgraph-ha/clean"
_CONTROLLERS: Final = "memgraph-ha/controllers"


class _NonsenseError(ValueError):
    """A field holds what cannot be: names it and the value."""


def read_lease(found: Raw) -> Sight:
    """Read what the API server answered.

    Args:
        found: The Lease.
    """
    meta, spec = found["metadata"], found.get("spec") or {}
    marks = meta.get("annotations") or {}
    token = str(meta["resourceVersion"])
    beat = "/".join(
        str(part)
        for part in (
            *(spec.get(key) for key in ("holderIdentity", "renewTime", "leaseTransitions")),
            *(marks.get(key) for key in (_HELD_BY, _TERM, _RENEWALS, _RELEASED)),
        )
    )
    try:
        note = _read_note(spec, marks)
    except _NonsenseError as error:
        return Sight(token=token, note=None, ever=True, beat=beat, trouble=str(error))
    return Sight(token=token, note=note, ever=True, beat=beat)


def _read_note(spec: Raw, marks: Mapping[str, str]) -> LeaseNote:
    held_by: str = spec.get("holderIdentity") or ""
    released = not held_by and marks.get(_RELEASED) == "true"
    identity = marks.get(_HELD_BY) if released else held_by
    if not identity:
        raise _NonsenseError("field spec.holderIdentity: is empty, but nobody released it")
    duration_s = spec.get("leaseDurationSeconds")
    low, high = DURATION_RANGE_S
    if duration_s is None or not 0 < duration_s <= high:
        raise _NonsenseError(f"field spec.leaseDurationSeconds: {duration_s} is not from {low:g} to {high:g}")
    holder, _, session = identity.rpartition("_")
    return LeaseNote(
        holder=holder or identity,
        session=session,
        term=_count(marks, _TERM, (spec.get("leaseTransitions") or 0) + 1),
        renewals=_count(marks, _RENEWALS, 0),
        duration_s=float(duration_s),
        floor=_count(marks, _FLOOR, 0),
        released=released,
        clean=marks.get(_CLEAN) != "false",
        controllers=marks.get(_CONTROLLERS, ""),
    )


def _count(marks: Mapping[str, str], key: str, missing: int) -> int:
    text = marks.get(key)
    if text is None:
        return missing
    if re.fullmatch(r"[0-9]{1,18}", text) is None:
        raise _NonsenseError(f"annotation {key}: {text!r} is not a whole number")
    return int(text)


def write_lease(
    note: LeaseNote, sight: Sight, *, name: str, labels: Mapping[str, str], wall_s: float
) -> dict[str, object]:
    """The patch that writes a note over what was seen, and over nothing else; other annotations stay.

    Args:
        note: What to write.
        sight: What was seen; where nothing was, the answer creates the object.
        name: Of the Lease.
        labels: For people and their tools.
        wall_s: Seconds since 1970, for people.
    """
    time = micro_time(wall_s)
    identity = f"{note.holder}_{note.session}"
    marks = {
        _FLOOR: str(note.floor),
        _TERM: str(note.term),
        _RENEWALS: str(note.renewals),
        _HELD_BY: identity,
        _RELEASED: str(note.released).lower(),
        _CLEAN: str(note.clean).lower(),
        _CONTROLLERS: note.controllers,
    }
    meta: dict[str, object] = {"name": name, "labels": dict(labels), "annotations": marks}
    if sight.token is not None:
        meta["resourceVersion"] = sight.token
    spec: dict[str, object] = {
        "holderIdentity": None if note.released else identity,
        "leaseDurationSeconds": math.ceil(note.duration_s),
        "leaseTransitions": note.term - 1,
        "renewTime": time,
    }
    if note.renewals == 0 and not note.released:
        spec["acquireTime"] = time
    return {"apiVersion": "coordination.k8s.io/v1", "kind": "Lease", "metadata": meta, "spec": spec}

"""What stands in the lease's file: a note, and the process that wrote it."""

import json

from memgraph_ha.adapters.files_atomic import token_of
from memgraph_ha.adapters.json_fields import FieldError, read_object
from memgraph_ha.adapters.lease_note import DURATION_RANGE_S, LeaseNote, Sight
from memgraph_ha.adapters.process_os import ProcessIdentity, alive, read_identity, seen_from_here


def to_bytes(note: LeaseNote, process: ProcessIdentity) -> bytes:
    """Write a note as one JSON object, to be read back by `see`.

    Args:
        note: What the holder says.
        process: The holder's process.
    """
    known: dict[str, object] = {
        "holder": note.holder,
        "session": note.session,
        **process.to_json(),
        "term": note.term,
        "renewals": note.renewals,
        "duration_s": note.duration_s,
        "floor": note.floor,
        "released": note.released,
        "clean": note.clean,
    }
    return json.dumps(known, indent=1).encode() + b"\n"


def see(content: bytes | None, *, ever: bool, where: str) -> Sight:
    """Read what stands in the lease's file, and look whether the process that wrote it is alive.

    Args:
        content: All of it; None if there is no file.
        ever: Whether there ever was one.
        where: Its path, for complaints.
    """
    if content is None:
        return Sight(token=None, note=None, ever=ever)
    token = token_of(content)
    try:
        note, process = _parse(content, where)
    except FieldError as error:
        return Sight(token=token, note=None, ever=True, beat=token, trouble=str(error))
    dead = seen_from_here(process) and not alive(process)
    gone = f"{note.holder} (pid {process.pid}) has ended" if dead else ""
    return Sight(token=token, note=note, ever=True, beat=token, gone=gone)


def _parse(content: bytes, where: str) -> tuple[LeaseNote, ProcessIdentity]:
    fields = read_object(content, where)
    note = LeaseNote(
        holder=fields.text("holder"),
        session=fields.text("session"),
        term=fields.integer("term", 1),
        renewals=fields.integer("renewals", 0),
        duration_s=fields.number("duration_s", *DURATION_RANGE_S),
        floor=fields.integer("floor", 0),
        released=fields.flag("released"),
        clean=fields.flag("clean"),
    )
    return note, read_identity(fields)

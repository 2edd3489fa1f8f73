"""What stands in the lease's file, and when another controller may take it: no I/O on files, no clock of its own."""

import json

from attrs import frozen

from memgraph_ha.adapters.files_atomic import token_of
from memgraph_ha.adapters.json_fields import FieldError, read_object
from memgraph_ha.adapters.process_os import ProcessIdentity, alive, read_identity, seen_from_here
from memgraph_ha.core.policy import Policy

_DURATION_RANGE_S = (2.0, 600.0)
"""What policy ``lease_duration_s`` allows."""


@frozen(kw_only=True)
class LeaseNote:
    """What a holder writes into the lease's file.

    Attributes:
        holder: Its name, for people.
        session: A random name of the holder's `FileLease` object: tells its own writes from all others.
        process: The holder's process.
        term: How many times the lease changed hands, this term included.
        renewals: How often it was renewed in this term; makes every renewal a change that others can see.
        duration_s: How long the holder relies on it without renewing.
        floor: The highest generation that any holder saw.
        released: The holder gave it back and relays nothing.
        clean: False while a permit from before somebody removed the lease may still live.
    """

    holder: str
    session: str
    process: ProcessIdentity
    term: int
    renewals: int
    duration_s: float
    floor: int
    released: bool
    clean: bool

    def to_bytes(self) -> bytes:
        """Write it as one JSON object, to be read back by `see`."""
        known: dict[str, object] = {
            "holder": self.holder,
            "session": self.session,
            **self.process.to_json(),
            "term": self.term,
            "renewals": self.renewals,
            "duration_s": self.duration_s,
            "floor": self.floor,
            "released": self.released,
            "clean": self.clean,
        }
        return json.dumps(known, indent=1).encode() + b"\n"


@frozen(kw_only=True)
class Sight:
    """What one look at the lease's file showed.

    Attributes:
        token: The version of the content; None if there is no file.
        note: What it says; None if there is no file, or if nothing in it makes sense.
        ever: Whether there ever was a lease here.
        trouble: Why it makes no sense.
    """

    token: str | None
    note: LeaseNote | None
    ever: bool
    trouble: str = ""


def see(content: bytes | None, *, ever: bool, where: str) -> Sight:
    """Read what stands in the lease's file.

    Args:
        content: All of it; None if there is no file.
        ever: Whether there ever was one.
        where: Its path, for complaints.
    """
    if content is None:
        return Sight(token=None, note=None, ever=ever)
    token = token_of(content)
    try:
        return Sight(token=token, note=_parse(content, where), ever=True)
    except FieldError as error:
        return Sight(token=token, note=None, ever=True, trouble=str(error))


@frozen(kw_only=True)
class Claim:
    """Leave to take the lease.

    Attributes:
        clean: Whether no permit of anybody else can live any more.
        why: One sentence for the log.
    """

    clean: bool
    why: str


def may_take(sight: Sight, *, unchanged_s: float, session: str, policy: Policy) -> Claim | None:
    """Judge whether the lease may be taken now.

    Args:
        sight: What stands there.
        unchanged_s: How long this process has seen exactly that, on its own clock.
        session: Our own.
        policy: ``lease_duration_s`` and ``lease_renew_s``.

    Returns:
        None if somebody may still rely on it.
    """
    note = sight.note
    if sight.token is None and not sight.ever:
        return Claim(clean=True, why="there never was one")
    if note is None:
        # A living holder puts its lease back at its next renewal: give it the time, and nobody is cut off.
        patience_s = 2 * policy.lease_renew_s if sight.token is None else policy.lease_duration_s
        what = "it was removed" if sight.token is None else f"it was overwritten ({sight.trouble})"
        return Claim(clean=False, why=what) if unchanged_s >= patience_s else None
    if unchanged_s >= max(note.duration_s, policy.lease_duration_s):
        return Claim(clean=True, why=f"{note.holder} did not renew it for {unchanged_s:.1f} s")
    # Below, no time has passed: what an unclean term was waiting for is still to be waited for.
    if note.released:
        return Claim(clean=note.clean, why=f"{note.holder} released it")
    if note.session == session:
        return Claim(clean=note.clean, why="it was ours, and ran out")
    if seen_from_here(note.process) and not alive(note.process):
        return Claim(clean=note.clean, why=f"{note.holder} (pid {note.process.pid}) has ended")
    return None


def _parse(content: bytes, where: str) -> LeaseNote:
    fields = read_object(content, where)
    return LeaseNote(
        holder=fields.text("holder"),
        session=fields.text("session"),
        process=read_identity(fields),
        term=fields.integer("term", 1),
        renewals=fields.integer("renewals", 0),
        duration_s=fields.number("duration_s", *_DURATION_RANGE_S),
        floor=fields.integer("floor", 0),
        released=fields.flag("released"),
        clean=fields.flag("clean"),
    )

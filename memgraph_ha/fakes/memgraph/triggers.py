"""Triggers: which of them a transaction fires (transcripts Q21).

They are stored on the instance that they were created on and never replicated; what they write is.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator
from typing import Any, Final

from attrs import frozen

from . import cypher, texts
from .errors import MemgraphError
from .graph import Transaction
from .trigger_variables import VARIABLES, Change, spelt, values

BEFORE: Final = "BEFORE"
AFTER: Final = "AFTER"
_FORM: Final = re.compile(
    r"\s*(?:ON\s+(?P<event>(?:\(\)\s*|-->\s*)?(?:CREATE|UPDATE|DELETE))\s+)?"
    r"(?P<phase>BEFORE|AFTER)\s+COMMIT\s+EXECUTE\s+(?P<statement>.+)",
    re.IGNORECASE | re.DOTALL,
)


@frozen
class Trigger:
    """A trigger.

    Attributes:
        event: `ANY`, or as in `ON () CREATE`, in upper case.
        phase: `BEFORE` or `AFTER` the commit.
        statement: What it executes.
    """

    event: str
    phase: str
    statement: str


def parse(text: str) -> Trigger:
    """Take apart what stands behind the name in CREATE TRIGGER.

    Raises:
        MemgraphError: It is not of that form.
    """
    found = _FORM.fullmatch(text)
    if found is None:
        raise MemgraphError.client(
            f"Trigger definition {text!r} is not of the form [ON event] BEFORE|AFTER COMMIT EXECUTE statement."
        )
    event = " ".join((found["event"] or "ANY").upper().split())
    return Trigger(event, found["phase"].upper(), found["statement"].strip())


def check(trigger: Trigger) -> None:
    """Make sure that a trigger's statement can be run, with the variables of its event.

    Raises:
        MemgraphError: It cannot.
    """
    try:
        cypher.parse(spelt(trigger.statement, trigger.event))
    except MemgraphError as error:
        names = ", ".join(VARIABLES[trigger.event])
        raise MemgraphError.transient(texts.bad_trigger(error.message, trigger.event, names)) from error


def execute(trigger: Trigger, changes: Iterable[Change], writes: Transaction, now_us: int) -> None:
    """Run a trigger's statement in a transaction.

    Args:
        trigger: Which.
        changes: What fired it.
        writes: Where it reads and writes.
        now_us: What `timestamp()` answers.

    Raises:
        MemgraphError: The statement failed.
    """
    query = cypher.parse(spelt(trigger.statement, trigger.event))
    cypher.execute(query, writes, values(changes, writes), now_us=now_us).take(-1)


def due(definitions: Iterable[str], phase: str, deltas: list[list[Any]]) -> Iterator[Trigger]:
    """Yield the triggers of a phase that a transaction with these deltas fires, in order.

    One without an event fires on every commit that wrote, the one that leaves nothing behind included
    (Q21: 5 of 5); so does `ON CREATE`, but not `ON () CREATE` nor `ON () DELETE`, for which only counts
    what is there, or was there, outside of the transaction.
    """
    events = _events(deltas)
    for text in definitions:
        trigger = parse(text)
        if trigger.phase == phase and deltas and trigger.event in events:
            yield trigger


def _events(deltas: list[list[Any]]) -> set[str]:
    events = {"ANY"}
    for kind, sign in (("node", "()"), ("edge", "-->")):
        created = {delta[1] for delta in deltas if delta[0] == f"+{kind}"}
        deleted = {delta[1] for delta in deltas if delta[0] == f"-{kind}"}
        words = {f"{kind}.set", "+label", "-label"} if kind == "node" else {f"{kind}.set"}
        updated = {delta[1] for delta in deltas if delta[0] in words} - created - deleted
        if created:
            events.add("CREATE")
        for event, objects in (("CREATE", created - deleted), ("UPDATE", updated), ("DELETE", deleted - created)):
            if objects:
                events |= {event, f"{sign} {event}"}
    return events

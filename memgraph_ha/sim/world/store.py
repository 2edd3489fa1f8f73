"""What every controller shares through the API: the record, with compare-and-set, and the lease."""

from __future__ import annotations

from functools import lru_cache

from attrs import define, field

from memgraph_ha.core.errors import RecordError, RecordSchemaError
from memgraph_ha.core.facts import RecordSeen, RecordTrouble
from memgraph_ha.core.names import Token
from memgraph_ha.core.record import Record
from memgraph_ha.core.record_json import dump_record, parse_record
from memgraph_ha.sim.checks.safety import check_record

_parse = lru_cache(maxsize=256)(parse_record)


@define(eq=False)
class Store:
    """The record: linearizable, compare-and-set.

    Attributes:
        text: What is there; None: nothing.
        version: Rises with every change of the object (Kubernetes: ``resourceVersion``).
        history: What controllers wrote, oldest first.
        past: Every text that was there, with its version, oldest first.
    """

    text: str | None = None
    version: int = 0
    history: list[Record] = field(factory=list)
    past: list[tuple[str | None, int]] = field(factory=lambda: [(None, 0)])

    def read(self) -> tuple[Record | None, Token | None]:
        """What is there, and its version; no record if what is there is none."""
        seen = self.seen_at(0.0)
        return seen.record, seen.token

    def seen_at(self, asked_s: float, back: int = 0) -> RecordSeen:
        """What a reader learns.

        Args:
            asked_s: When it asked, on its own clock.
            back: How many changes ago: 0 is the truth, more is a stale read.
        """
        text, version = self.past[max(0, len(self.past) - 1 - back)]
        if text is None:
            return RecordSeen(at_s=asked_s, record=None, token=None)
        token = Token(str(version))
        try:
            return RecordSeen(at_s=asked_s, record=_parse(text), token=token)
        except RecordSchemaError as error:
            trouble, detail = RecordTrouble.NEWER_SCHEMA, str(error)
        except RecordError as error:
            trouble, detail = RecordTrouble.INVALID, str(error)
        return RecordSeen(at_s=asked_s, record=None, token=token, trouble=trouble, detail=detail)

    def put(self, text: str) -> None:
        """Write past everybody's back, as somebody who restores a backup does."""
        self._change(text)

    def touch(self) -> None:
        """Change the object but not the record, as somebody who sets a label does: the next writer meets a conflict."""
        if self.text is not None:
            self._change(self.text)

    def forget(self) -> None:
        """Remove it past everybody's back."""
        self._change(None)
        self.history = []

    def swap(self, expected: Token | None, record: Record) -> bool:
        """Write if nothing else was written since.

        Raises:
            SafetyViolation: S9: the record must not follow what was written before.
        """
        if expected != (None if self.text is None else Token(str(self.version))):
            return False
        if self.history:
            check_record(self.history[-1], record)
        self._change(dump_record(record))
        self.history.append(record)
        return True

    def _change(self, text: str | None) -> None:
        self.text, self.version = text, self.version + 1
        self.past.append((text, self.version))


@define(eq=False)
class LeaseObject:
    """The lease as the API has it.

    Attributes:
        holder: The name of the controller that holds it; None: nobody does.
        life: Which life of that controller's process.
        renewals: Rises with every change.
        floor: The highest generation that its holders have seen.
        term: How many times it was taken.
        controllers: Who may lead, as the holder wrote it last.
    """

    holder: str | None = None
    life: int = 0
    renewals: int = 0
    floor: int = 0
    term: int = 0
    controllers: str = ""

    def held_by(self, name: str, life: int) -> bool:
        """Whether that life of that controller holds it."""
        return (self.holder, self.life) == (name, life)

    def take(self, name: str, life: int, seen: tuple[str | None, int]) -> bool:
        """Take it, if nothing changed since `seen` (`key`)."""
        if seen != self.key:
            return False
        self.holder, self.life, self.renewals = name, life, self.renewals + 1
        self.term, self.controllers = self.term + 1, ""
        return True

    def renew(self, name: str, life: int, floor: int, controllers: str) -> bool:
        """Renew it, if that life of that controller holds it."""
        if not self.held_by(name, life):
            return False
        self.renewals, self.floor, self.controllers = self.renewals + 1, max(self.floor, floor), controllers
        return True

    def release(self, name: str, life: int) -> None:
        """Give it back: whoever comes next need not wait."""
        if self.held_by(name, life):
            self.holder, self.life, self.renewals = "", 0, self.renewals + 1

    @property
    def key(self) -> tuple[str | None, int]:
        """What a watcher compares: as long as it stays the same, nobody renewed."""
        return self.holder, self.renewals

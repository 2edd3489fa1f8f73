"""What every controller shares: the record with compare-and-set, and the lease; and how a broken promise is told."""

from __future__ import annotations

from attrs import define, field

from memgraph_ha.core.names import Token
from memgraph_ha.core.record import ChangeKind, Record
from memgraph_ha.core.record_json import dump_record, parse_record


class ViolationError(AssertionError):
    """A promise was broken; the text says which, by whom and when."""


@define
class Store:
    """The record: linearizable, compare-and-set."""

    text: str | None = None
    version: int = 0
    history: list[Record] = field(factory=list)

    def read(self) -> tuple[Record | None, Token | None]:
        """What is there, and its version."""
        return (None, None) if self.text is None else (parse_record(self.text), Token(str(self.version)))

    def put(self, text: str) -> None:
        """Write past everybody's back, as somebody who restores a backup does."""
        self.text, self.version = text, self.version + 1

    def forget(self) -> None:
        """Remove it past everybody's back."""
        self.text, self.history = None, []

    def swap(self, expected: Token | None, record: Record) -> bool:
        """Write if nothing else was written since."""
        if expected != (None if self.text is None else Token(str(self.version))):
            return False
        old = self.history[-1] if self.history else None
        if old is not None:
            _check_record(old, record)
        self.text, self.version = dump_record(record), self.version + 1
        self.history.append(record)
        return True


def _check_record(old: Record, new: Record) -> None:
    """S9: generations rise by one, never name two, and row numbers never fall."""
    by_order = bool(new.history) and new.history[-1].kind in (ChangeKind.FORCED, ChangeKind.ADOPT)
    follows = new.generation in (old.generation, old.generation + 1) or (by_order and new.generation > old.generation)
    if not follows or (new.row_seq < old.row_seq and not by_order):
        raise ViolationError(f"S9: record {old.generation}/{old.row_seq} -> {new.generation}/{new.row_seq}")
    if new.generation == old.generation and new.main != old.main:
        raise ViolationError(f"S9: generation {new.generation} names {old.main} and {new.main}")


@define
class LeaseObject:
    """The lease as everybody sees it: who renewed it how often, and the highest generation."""

    holder: str | None = None
    renewals: int = 0
    floor: int = 0

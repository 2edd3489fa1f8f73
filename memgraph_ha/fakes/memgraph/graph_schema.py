"""Indexes and constraints: what there is, and whether the nodes keep to it."""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final

from attrs import frozen

from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph_records import Lookup, NodeRecord, State, ValueTable

UNIQUE: Final = "unique"
EXISTS: Final = "exists"


@frozen
class Index:
    """A label index (`properties` empty) or a label+property index."""

    label: str
    properties: tuple[str, ...] = ()


@frozen
class Constraint:
    """A rule for every node of a label.

    Args:
        kind: `unique` or `exists`, the words of SHOW CONSTRAINT INFO (transcripts, official.md).
        label: Of the nodes it binds.
        properties: What must be unique together, or be there.
    """

    kind: str
    label: str
    properties: tuple[str, ...]

    def __str__(self) -> str:
        """Return it as Memgraph's error texts name it."""
        return f":{self.label}({', '.join(self.properties)})"

    def refusal(self) -> MemgraphError:
        """Return the error of a commit that breaks the constraint."""
        name = "unique" if self.kind == UNIQUE else "existence"
        return MemgraphError.client(f"Unable to commit due to {name} constraint violation on {self}")

    def creation_refusal(self) -> MemgraphError:
        """Return the error of creating the constraint over nodes that break it."""
        name = "unique" if self.kind == UNIQUE else "existence"
        return MemgraphError.client(f"Unable to create {name} constraint {self}, because an existing node violates it.")


def schema_delta(word: str, item: Index | Constraint) -> list[Any]:
    """Return the delta that creates or drops `item`."""
    kind = [item.kind] if isinstance(item, Constraint) else []
    return [word, *kind, item.label, list(item.properties)]


class Schema:
    """The committed indexes and constraints of a graph, with the tables that make them quick.

    Args:
        lookup: The lookup tables of the same graph; value tables are opened and closed in it.
    """

    def __init__(self, lookup: Lookup) -> None:
        self._lookup = lookup
        self._indexes: dict[Index, ValueTable | None] = {}
        self._constraints: dict[Constraint, ValueTable | None] = {}

    def indexes(self) -> list[Index]:
        """Return the indexes in order of creation."""
        return list(self._indexes)

    def constraints(self) -> list[Constraint]:
        """Return the constraints in order of creation."""
        return list(self._constraints)

    def count(self, index: Index) -> int:
        """Return how many nodes `index` holds now, for SHOW INDEX INFO."""
        table = self._indexes[index]
        nodes = self._lookup.labelled(index.label)
        states = (state for node in nodes if (state := node.latest()) is not None)
        if table is None:
            return sum(index.label in state.labels for state in states)
        return sum(table.key(state) is not None for state in states)

    def has_index(self, label: str) -> bool:
        """Return whether some index of any form covers `label`."""
        return any(index.label == label for index in self._indexes)

    def change(self, word: str, item: Index | Constraint) -> None:
        """Carry out one schema change of a committed transaction.

        What exists stays as it is, what does not exist is no error to drop.

        Args:
            word: `+index`, `-index`, `+constraint` or `-constraint`.
            item: What the word is about.
        """
        if word.startswith("-"):
            table = self._indexes.pop(item, None) if isinstance(item, Index) else self._constraints.pop(item, None)
            if table is not None:
                self._lookup.close_table(table)
        elif isinstance(item, Index):
            if item not in self._indexes:
                self._indexes[item] = self._open_table(item) if item.properties else None
        elif item not in self._constraints:
            self._constraints[item] = self._open_table(item) if item.kind == UNIQUE else None

    def _open_table(self, item: Index | Constraint) -> ValueTable:
        return self._lookup.open_table(item.label, item.properties)

    def check(self, record: NodeRecord) -> None:
        """Check the pending state of a node that is about to be committed.

        Raises:
            MemgraphError: A constraint is broken, with Memgraph's text.
        """
        state = record.pending
        if state is None or not self._constraints:
            return
        for constraint, table in self._constraints.items():
            if constraint.label not in state.labels:
                continue
            if table is None:
                if any(name not in state.properties for name in constraint.properties):
                    raise constraint.refusal()
            elif _is_taken(table, record, state):
                raise constraint.refusal()

    def check_new(self, constraint: Constraint) -> None:
        """Check every committed node against a constraint that is about to be created.

        Raises:
            MemgraphError: Some node breaks it, with Memgraph's text.
        """
        table = ValueTable(constraint.label, constraint.properties)
        seen: set[Hashable] = set()
        for record in self._lookup.labelled(constraint.label):
            state = record.latest()
            if state is None or constraint.label not in state.labels:
                continue
            key = table.key(state)
            if constraint.kind == EXISTS:
                if key is None:
                    raise constraint.creation_refusal()
            elif key is not None:
                if key in seen:
                    raise constraint.creation_refusal()
                seen.add(key)


def _is_taken(table: ValueTable, record: NodeRecord, state: State) -> bool:
    key = table.key(state)
    if key is None:
        return False
    for other in table.nodes(key):
        if other is not record and any(table.key(held) == key for held in _held(other, record)):
            return True
    return False


def _held(other: NodeRecord, record: NodeRecord) -> tuple[State | None, ...]:
    """Return the states of `other` whose values the owner of `record` must not repeat."""
    owner = other.owner
    if owner is None:
        return (other.latest(),)
    if owner is record.owner:
        return (other.pending,)
    # A prepared transaction may still commit or abort, so both its values and those it replaces are
    # taken.  One that is still at work will itself be checked against ours when it prepares.
    return (other.latest(), other.pending) if owner.is_prepared else (other.latest(),)

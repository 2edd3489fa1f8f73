"""Versioned nodes and edges: what each transaction sees of one object, and the lookup tables.

Every object keeps its committed versions, oldest first, and at most one uncommitted state, that of
the transaction that owns it.  Lookup tables hold every object that *may* match, in any version; who
asks checks what it sees.  Both are trimmed as soon as no open transaction can see an old version.
"""

from __future__ import annotations

from collections.abc import Hashable, Iterator
from typing import TYPE_CHECKING, ClassVar, Final

from attrs import define, field, frozen

from memgraph_ha.fakes.memgraph.graph_values import Value, comparison_key

if TYPE_CHECKING:
    from memgraph_ha.fakes.memgraph.graph_transaction import Transaction


@frozen
class State:
    """What one version of an object holds; never changed in place.

    Args:
        labels: Of a node, in the order they were given; always empty for an edge.
        properties: Without nulls.
    """

    labels: tuple[str, ...] = ()
    properties: dict[str, Value] = field(factory=dict)


@define(eq=False)
class Record:
    """One object of the graph and its versions.

    Args:
        id: As the function `id()` answers it; never reused.
        owner: The open transaction that changes it, which locks out every other writer.
        pending: The owner's view; None: deleted by the owner.
        versions: Committed states with their commit time, oldest first; a state of None: deleted.
        changed_at: The commit time of the last transaction that owned it.
    """

    type_word: ClassVar[str] = "object"

    id: int
    owner: Transaction | None = None
    pending: State | None = None
    versions: tuple[tuple[int, State | None], ...] = ()
    changed_at: int = 0

    def latest(self) -> State | None:
        """Return the newest committed state, None if there is none or it was deleted."""
        return self.versions[-1][1] if self.versions else None

    def at(self, snapshot: int) -> State | None:
        """Return the committed state that was current at commit time `snapshot`."""
        for time, state in reversed(self.versions):
            if time <= snapshot:
                return state
        return None

    def states(self) -> Iterator[State]:
        """Yield every state that some open transaction might still see."""
        for _, state in self.versions:
            if state is not None:
                yield state
        if self.pending is not None:
            yield self.pending


@define(eq=False)
class NodeRecord(Record):
    """A node with every edge that has a version starting (`outgoing`) or ending (`incoming`) at it."""

    type_word: ClassVar[str] = "vertex"

    outgoing: dict[EdgeRecord, None] = field(factory=dict)
    incoming: dict[EdgeRecord, None] = field(factory=dict)


@define(eq=False, kw_only=True)
class EdgeRecord(Record):
    """An edge; its type and ends never change."""

    type_word: ClassVar[str] = "edge"

    type: str
    start: NodeRecord
    end: NodeRecord


class ValueTable:
    """Nodes of one label by the values of some properties, for an index or a unique constraint."""

    def __init__(self, label: str, properties: tuple[str, ...]) -> None:
        self.label: Final = label
        self.properties: Final = properties
        self._nodes: dict[Hashable, dict[NodeRecord, None]] = {}

    def key(self, state: State | None) -> Hashable:
        """Return the key under which `state` belongs here, None if it does not."""
        if state is None or self.label not in state.labels:
            return None
        found = [state.properties.get(name) for name in self.properties]
        return None if None in found else self.key_of(found)

    @staticmethod
    def key_of(values: list[Value]) -> Hashable:
        """Return the key of these values, given in the order of `properties`."""
        return tuple(comparison_key(value) for value in values)

    def nodes(self, key: Hashable) -> dict[NodeRecord, None]:
        """Return the nodes that have `key` in any of their versions."""
        return self._nodes.get(key, {})

    def add(self, record: NodeRecord, state: State) -> None:
        """File `record` under the key of `state`, if it has one."""
        key = self.key(state)
        if key is not None:
            self._nodes.setdefault(key, {})[record] = None

    def discard(self, record: NodeRecord, gone: State) -> None:
        """Forget `record` under the key of `gone` unless another of its states has the same key."""
        key = self.key(gone)
        if key is None or any(self.key(state) == key for state in record.states()):
            return
        nodes = self._nodes.get(key)
        if nodes is not None and record in nodes:
            del nodes[record]
            if not nodes:
                del self._nodes[key]

    def distinct_count(self) -> int:
        """Return how many keys have a node."""
        return len(self._nodes)


class Lookup:
    """Every lookup table of a graph, kept level with the states of its nodes."""

    def __init__(self) -> None:
        self.labels: dict[str, dict[NodeRecord, None]] = {}
        self._tables: dict[str, list[ValueTable]] = {}

    def labelled(self, label: str) -> dict[NodeRecord, None]:
        """Return the nodes that have `label` in any of their versions, in order of creation."""
        return self.labels.get(label, {})

    def tables(self, label: str) -> list[ValueTable]:
        """Return the value tables kept for `label`."""
        return self._tables.get(label, [])

    def open_table(self, label: str, properties: tuple[str, ...]) -> ValueTable:
        """Begin to keep a value table, filled from the nodes there are."""
        table = ValueTable(label, properties)
        for record in self.labelled(label):
            for state in record.states():
                table.add(record, state)
        self._tables.setdefault(label, []).append(table)
        return table

    def close_table(self, table: ValueTable) -> None:
        """Stop keeping a value table."""
        self._tables[table.label].remove(table)

    def add(self, record: NodeRecord, state: State) -> None:
        """File `record` under everything that `state` says."""
        for label in state.labels:
            self.labels.setdefault(label, {})[record] = None
            for table in self._tables.get(label, ()):
                table.add(record, state)

    def discard(self, record: NodeRecord, gone: State) -> None:
        """Forget what only `gone`, a state that `record` no longer has, said of it."""
        for label in gone.labels:
            for table in self._tables.get(label, ()):
                table.discard(record, gone)
            if not any(label in state.labels for state in record.states()):
                nodes = self.labels.get(label, {})
                nodes.pop(record, None)
                if not nodes:
                    self.labels.pop(label, None)

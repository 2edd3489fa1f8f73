"""A transaction: a snapshot to read, objects it owns while it writes, and a log of what it wrote."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from enum import Enum
from typing import TYPE_CHECKING, Any, Final, TypeAlias, TypeVar

from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph_records import EdgeRecord, NodeRecord, Record, State
from memgraph_ha.fakes.memgraph.graph_schema import Constraint, Index, Schema, schema_delta
from memgraph_ha.fakes.memgraph.graph_values import Value, check_storable

if TYPE_CHECKING:
    from memgraph_ha.fakes.memgraph.graph import Graph

# One written change as JSON: a word and its arguments; `graph_deltas` lists and replays them.
Delta: TypeAlias = list[Any]

AnyRecord = TypeVar("AnyRecord", NodeRecord, EdgeRecord)

CONFLICT: Final = (
    "Cannot resolve conflicting transactions. You can retry this transaction when the conflicting "
    "transaction is finished"
)
HAS_EDGES: Final = "Failed to remove node because of it's existing connections. Consider using DETACH DELETE."


class Phase(Enum):
    """How far a transaction is."""

    ACTIVE = "active"
    PREPARED = "prepared"
    COMMITTED = "committed"
    ABORTED = "aborted"


class Transaction:
    """Snapshot isolation: reads see the graph as it was at `begin` plus what this transaction wrote.

    Begun by `Graph.begin()`.  It ends with `commit` or `abort`; between `prepare` and that end its
    writes are checked, final, invisible to others and still locked, as STRICT_SYNC needs it
    (semantics 3.4).

    Args:
        graph: Where it works.
        snapshot: The commit time up to which it sees other transactions.
    """

    def __init__(self, graph: Graph, snapshot: int) -> None:
        self.snapshot: Final = snapshot
        self.phase = Phase.ACTIVE
        self._graph = graph
        self.schema_changes: Final[list[tuple[str, Index | Constraint]]] = []
        self._deltas: list[Delta] = []
        self._owned: list[NodeRecord | EdgeRecord] = []

    # -- reading ---------------------------------------------------------------------------------

    @property
    def schema(self) -> Schema:
        """The committed indexes and constraints."""
        return self._graph.schema

    def state(self, record: Record) -> State | None:
        """Return what this transaction sees of `record`; None: nothing, or it was deleted."""
        if record.owner is self:
            return record.pending
        return record.at(self.snapshot)

    def node(self, node_id: int) -> NodeRecord | None:
        """Return the node with this id if this transaction sees it."""
        return self._seen(self._graph.nodes.get(node_id))

    def edge(self, edge_id: int) -> EdgeRecord | None:
        """Return the edge with this id if this transaction sees it."""
        return self._seen(self._graph.edges.get(edge_id))

    def _seen(self, record: AnyRecord | None) -> AnyRecord | None:
        self._require_open()
        return record if record is not None and self.state(record) is not None else None

    def candidates(self, labels: Iterable[str], values: Mapping[str, Value]) -> list[NodeRecord]:
        """Return nodes among which are all that have `labels` and `values`.

        Uses an index where there is one, the smallest label otherwise; the caller checks each.

        Args:
            labels: All of them must be there.
            values: Properties and what they must equal; nulls equal nothing.
        """
        self._require_open()
        best: dict[NodeRecord, None] | None = None
        for label in labels:
            nodes = self._graph.lookup.labelled(label)
            for table in self._graph.lookup.tables(label):
                if all(values.get(name) is not None for name in table.properties):
                    return list(table.nodes(table.key_of([values[name] for name in table.properties])))
            if best is None or len(nodes) < len(best):
                best = nodes
        return list(self._graph.nodes.values() if best is None else best)

    def candidate_count(self, labels: Iterable[str], names: Iterable[str]) -> int:
        """Return about how many candidates there would be, to choose where a match begins.

        Args:
            labels: As for `candidates`.
            names: The properties whose value is known.
        """
        known = set(names)
        best = len(self._graph.nodes)
        for label in labels:
            nodes = len(self._graph.lookup.labelled(label))
            for table in self._graph.lookup.tables(label):
                if known.issuperset(table.properties):
                    return nodes // max(1, table.distinct_count())
            best = min(best, nodes)
        return best

    def edges_of(self, node: NodeRecord, *, outgoing: bool) -> Iterator[EdgeRecord]:
        """Yield the edges this transaction sees at one side of `node`, oldest first."""
        for edge in list(node.outgoing if outgoing else node.incoming):
            if self.state(edge) is not None:
                yield edge

    # -- writing ---------------------------------------------------------------------------------

    def create_node(
        self,
        labels: Iterable[str] = (),
        properties: Mapping[str, Value] | None = None,
        *,
        node_id: int | None = None,
    ) -> NodeRecord:
        """Create a node.

        Args:
            labels: In order; repeated ones count once.
            properties: Those that are null are left out.
            node_id: The id when a delta is replayed; None: a fresh one.

        Raises:
            MemgraphError: A value cannot be stored.
        """
        state = State(tuple(dict.fromkeys(labels)), _storable(properties))
        self._require(Phase.ACTIVE)
        node = self._graph.new_node(node_id)
        self._deltas.append(["+node", node.id, list(state.labels), state.properties])
        self._take(node, state)
        self._graph.lookup.add(node, state)
        return node

    def create_edge(
        self,
        start: NodeRecord,
        end: NodeRecord,
        edge_type: str,
        properties: Mapping[str, Value] | None = None,
        *,
        edge_id: int | None = None,
    ) -> EdgeRecord:
        """Create an edge; it locks both nodes, so that nobody deletes one of them meanwhile.

        Args:
            start: Where it begins.
            end: Where it ends.
            edge_type: Its type.
            properties: Those that are null are left out.
            edge_id: The id when a delta is replayed; None: a fresh one.

        Raises:
            MemgraphError: A value cannot be stored, a node is deleted or changed by another.
        """
        state = State((), _storable(properties))
        for node in (start, end):
            self._own(node, "create an edge at")
        edge = self._graph.new_edge(edge_type, start, end, edge_id)
        self._deltas.append(["+edge", edge.id, edge_type, start.id, end.id, state.properties])
        self._take(edge, state)
        start.outgoing[edge] = None
        end.incoming[edge] = None
        return edge

    def set_property(self, record: NodeRecord | EdgeRecord, name: str, value: Value) -> None:
        """Set a property, or remove it with None.

        Raises:
            MemgraphError: The value cannot be stored, the object is deleted or locked by another.
        """
        stored = check_storable(value)
        state = self._own(record, "set properties on")
        properties = {key: old for key, old in state.properties.items() if key != name}
        if stored is not None:
            properties[name] = stored
        word = "node.set" if isinstance(record, NodeRecord) else "edge.set"
        self._deltas.append([word, record.id, name, stored])
        self._write(record, State(state.labels, properties))

    def add_label(self, node: NodeRecord, label: str) -> bool:
        """Add a label; returns False, and writes nothing, if it is there already."""
        state = self._own(node, "set labels on")
        if label in state.labels:
            return False
        self._deltas.append(["+label", node.id, label])
        self._write(node, State((*state.labels, label), state.properties))
        return True

    def remove_label(self, node: NodeRecord, label: str) -> bool:
        """Remove a label; returns False, and writes nothing, if it is not there."""
        state = self._own(node, "remove labels from")
        if label not in state.labels:
            return False
        self._deltas.append(["-label", node.id, label])
        labels = tuple(one for one in state.labels if one != label)
        self._write(node, State(labels, state.properties))
        return True

    def delete_edge(self, edge: EdgeRecord) -> bool:
        """Delete an edge; returns False if this transaction does not see it any more."""
        if self.state(edge) is None:
            return False
        for record in (edge, edge.start, edge.end):
            self._own(record, "delete")
        self._deltas.append(["-edge", edge.id])
        self._write(edge, None)
        return True

    def delete_node(self, node: NodeRecord) -> bool:
        """Delete a node; returns False if this transaction does not see it any more.

        Raises:
            MemgraphError: It still has edges, or another transaction changes it.
        """
        if self.state(node) is None:
            return False
        self._own(node, "delete")
        for outgoing in (True, False):
            if any(True for _ in self.edges_of(node, outgoing=outgoing)):
                raise MemgraphError.client(HAS_EDGES)
        self._deltas.append(["-node", node.id])
        self._write(node, None)
        return True

    def change_schema(self, word: str, item: Index | Constraint) -> None:
        """Create or drop an index or a constraint with the commit of this transaction.

        Args:
            word: `+index`, `-index`, `+constraint` or `-constraint`.
            item: An `Index` or `Constraint`, as the word says.

        Raises:
            MemgraphError: Some node breaks the new constraint.
        """
        self._require(Phase.ACTIVE)
        if word == "+constraint" and isinstance(item, Constraint):
            self._graph.schema.check_new(item)
        self._deltas.append(schema_delta(word, item))
        self.schema_changes.append((word, item))

    # -- ending ----------------------------------------------------------------------------------

    @property
    def wrote(self) -> bool:
        """Whether anything was written, in the sense of `deltas`."""
        return bool(self._deltas)

    @property
    def is_prepared(self) -> bool:
        """Whether the writes are final but neither committed nor aborted."""
        return self.phase is Phase.PREPARED

    def deltas(self) -> list[Delta]:
        """Return what was written so far, in order, as plain JSON values.

        Empty exactly when nothing was written: a node created and deleted again leaves two deltas,
        since Memgraph gives such a commit its record in the WAL (transcripts Q3, Q18).
        """
        return list(self._deltas)

    def prepare(self) -> None:
        """Check the constraints and make the writes final; they stay invisible and locked.

        Raises:
            MemgraphError: A constraint is broken; the transaction is then still active.
        """
        self._require(Phase.ACTIVE)
        for record in self._owned:
            if isinstance(record, NodeRecord):
                self._graph.schema.check(record)
        self.phase = Phase.PREPARED

    def commit(self) -> None:
        """Make the writes visible to every later transaction; prepares first if need be.

        Raises:
            MemgraphError: From `prepare`; after a `prepare` nothing can go wrong.
        """
        if self.phase is not Phase.PREPARED:
            self.prepare()
        self.phase = Phase.COMMITTED
        self._graph.finish(self, self._owned)

    def abort(self) -> None:
        """Take everything back and let go of every lock; does nothing after the end."""
        if self.phase in (Phase.ACTIVE, Phase.PREPARED):
            self.phase = Phase.ABORTED
            self._graph.finish(self, self._owned)

    # -- inside ----------------------------------------------------------------------------------

    def _require(self, phase: Phase) -> None:
        if self.phase is not phase:
            raise MemgraphError.transient(
                f"The transaction is {self.phase.value}, it must be {phase.value} for this. "
                "You can retry it as a new transaction."
            )

    def _require_open(self) -> None:
        if self.phase is Phase.ABORTED:  # ended by somebody else, for example by a recovery
            self._require(Phase.ACTIVE)

    def _take(self, record: NodeRecord | EdgeRecord, state: State | None) -> None:
        record.owner = self
        record.pending = state
        self._owned.append(record)

    def _own(self, record: NodeRecord | EdgeRecord, purpose: str) -> State:
        if record.owner is not self:
            self._require(Phase.ACTIVE)
            if record.owner is not None or record.changed_at > self.snapshot:
                raise MemgraphError.transient(CONFLICT)
            self._take(record, record.latest())
        if record.pending is None:
            raise MemgraphError.client(f"Trying to {purpose} a deleted object.")
        return record.pending

    def _write(self, record: NodeRecord | EdgeRecord, state: State | None) -> None:
        before = record.pending
        record.pending = state
        if isinstance(record, NodeRecord):
            if state is not None:
                self._graph.lookup.add(record, state)
            if before is not None and before is not record.latest():
                self._graph.lookup.discard(record, before)


def _storable(properties: Mapping[str, Value] | None) -> dict[str, Value]:
    if not properties:
        return {}
    return {name: check_storable(value) for name, value in properties.items() if value is not None}

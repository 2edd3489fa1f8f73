"""An in-memory labelled property graph with snapshot isolation.

It knows no clock, no randomness and no I/O: ids and commit times are counters.  The instance model
around it decides when a commit happens and ships `Transaction.deltas()` to the write-ahead log and to
replicas, which put them into their own graph with `replay` or `apply`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from typing import Any

from memgraph_ha.fakes.memgraph.graph_deltas import DeltaError, replay
from memgraph_ha.fakes.memgraph.graph_records import EdgeRecord, Lookup, NodeRecord, State
from memgraph_ha.fakes.memgraph.graph_schema import Constraint, Index, Schema, schema_delta
from memgraph_ha.fakes.memgraph.graph_transaction import Delta, Phase, Transaction

__all__ = ["Constraint", "Delta", "DeltaError", "Graph", "Index", "Phase", "Transaction"]


class Graph:
    """The graph of one database.

    `nodes`, `edges`, `lookup` and `schema` are for transactions and the query executor; everybody
    else reads through a transaction.

    Attributes:
        changes: How often what is committed changed: as long as it is the same, so is all that was read.
    """

    def __init__(self) -> None:
        self._open: dict[Transaction, None] = {}
        self.changes = 0
        self._reset()

    def _reset(self) -> None:
        self.changes += 1
        self.nodes: dict[int, NodeRecord] = {}
        self.edges: dict[int, EdgeRecord] = {}
        self.lookup = Lookup()
        self.schema = Schema(self.lookup)
        self._vertex_count = 0
        self._edge_count = 0
        self._next_node = 0
        self._next_edge = 0
        self._time = 0
        self._stale: deque[tuple[int, NodeRecord | EdgeRecord]] = deque()

    @property
    def vertex_count(self) -> int:
        """How many committed nodes there are."""
        return self._vertex_count

    @property
    def edge_count(self) -> int:
        """How many committed edges there are."""
        return self._edge_count

    @property
    def has_data(self) -> bool:
        """Whether there is anything at all: nodes, edges, indexes or constraints."""
        return bool(self._vertex_count or self._edge_count or self.schema.indexes() or self.schema.constraints())

    def begin(self) -> Transaction:
        """Begin a transaction that sees everything committed so far; costs the same at any size."""
        transaction = Transaction(self, self._time)
        self._open[transaction] = None
        return transaction

    def replay(self, deltas: Sequence[Delta]) -> Transaction:
        """Begin a transaction that has written `deltas`, still to be committed or aborted.

        What a replica does at Prepare (semantics 3.4); ids are those of the deltas.

        Raises:
            DeltaError: They do not fit this graph; nothing is changed.
            MemgraphError: They conflict with another open transaction.
        """
        transaction = self.begin()
        try:
            replay(self, transaction, deltas)
        except BaseException:
            transaction.abort()
            raise
        return transaction

    def apply(self, deltas: Sequence[Delta]) -> None:
        """Put the writes of another process into this graph, all or nothing.

        Raises:
            DeltaError: They do not fit this graph; nothing is changed.
            MemgraphError: They conflict with another open transaction or break a constraint.
        """
        transaction = self.replay(deltas)
        try:
            transaction.commit()
        finally:
            transaction.abort()

    def dump(self) -> dict[str, Any]:
        """Return the committed graph as plain JSON values; `load` takes them back."""
        return {
            "nodes": [
                [node.id, list(state.labels), state.properties]
                for node in self.nodes.values()
                if (state := node.latest()) is not None
            ],
            "edges": [
                [edge.id, edge.type, edge.start.id, edge.end.id, state.properties]
                for edge in self.edges.values()
                if (state := edge.latest()) is not None
            ],
            "indexes": [schema_delta("", item)[1:] for item in self.schema.indexes()],
            "constraints": [schema_delta("", item)[1:] for item in self.schema.constraints()],
            "next_node": self._next_node,
            "next_edge": self._next_edge,
        }

    def load(self, dump: dict[str, Any]) -> None:
        """Replace everything by a dump; open transactions are aborted.

        Raises:
            DeltaError: It is not a dump of a graph; the graph is then empty.
        """
        self.clear()
        try:
            self._load(dump)
        except (KeyError, TypeError, ValueError, AttributeError) as error:
            self.clear()
            raise DeltaError(f"not a dump of a graph: {error!r}") from error

    def _load(self, dump: dict[str, Any]) -> None:
        self.changes += 1
        for node_id, labels, properties in dump["nodes"]:
            node = self.new_node(int(node_id))
            state = State(tuple(labels), dict(properties))
            node.versions = ((self._time, state),)
            self.lookup.add(node, state)
        for edge_id, edge_type, start, end, properties in dump["edges"]:
            edge = self.new_edge(edge_type, self.nodes[start], self.nodes[end], int(edge_id))
            edge.versions = ((self._time, State((), dict(properties))),)
            edge.start.outgoing[edge] = None
            edge.end.incoming[edge] = None
        for label, properties in dump["indexes"]:
            self.schema.change("+index", Index(label, tuple(properties)))
        for kind, label, properties in dump["constraints"]:
            self.schema.change("+constraint", Constraint(kind, label, tuple(properties)))
        self._vertex_count, self._edge_count = len(self.nodes), len(self.edges)
        self._next_node = max(self._next_node, int(dump["next_node"]))
        self._next_edge = max(self._next_edge, int(dump["next_edge"]))

    def clear(self) -> None:
        """Drop everything, indexes and constraints too; open transactions are aborted."""
        for transaction in list(self._open):
            transaction.abort()
        self._reset()

    # -- for transactions ------------------------------------------------------------------------

    def new_node(self, node_id: int | None = None) -> NodeRecord:
        """File a node nobody sees yet, with a fresh id or the given one (of a replayed delta)."""
        node = NodeRecord(self._next_node if node_id is None else node_id)
        self._next_node = max(self._next_node, node.id + 1)
        self.nodes[node.id] = node
        return node

    def new_edge(self, edge_type: str, start: NodeRecord, end: NodeRecord, edge_id: int | None = None) -> EdgeRecord:
        """File an edge nobody sees yet, with a fresh id or the given one (of a replayed delta)."""
        number = self._next_edge if edge_id is None else edge_id
        edge = EdgeRecord(id=number, type=edge_type, start=start, end=end)
        self._next_edge = max(self._next_edge, edge.id + 1)
        self.edges[edge.id] = edge
        return edge

    def finish(self, transaction: Transaction, owned: Sequence[NodeRecord | EdgeRecord]) -> None:
        """End `transaction`: publish what it owns if it is committed, take it back otherwise."""
        self._open.pop(transaction, None)
        if transaction.phase is not Phase.COMMITTED or not transaction.wrote:
            for record in owned:
                self._take_back(record)
        else:
            self._time += 1
            self.changes += 1
            for record in owned:
                self._publish(record)
            for word, item in transaction.schema_changes:
                self.schema.change(word, item)
        self._trim()

    def _publish(self, record: NodeRecord | EdgeRecord) -> None:
        before, after = record.latest(), record.pending
        record.owner, record.pending = None, None
        record.changed_at = self._time
        if after is not before:
            record.versions = (*record.versions, (self._time, after))
            change = (after is not None) - (before is not None)
            if isinstance(record, NodeRecord):
                self._vertex_count += change
            else:
                self._edge_count += change
        if not record.versions:  # created and deleted in this very transaction
            self._remove(record)
        elif len(record.versions) > 1 or after is None:
            self._stale.append((self._time, record))

    def _take_back(self, record: NodeRecord | EdgeRecord) -> None:
        gone = record.pending
        record.owner, record.pending = None, None
        if isinstance(record, NodeRecord) and gone is not None and gone is not record.latest():
            self.lookup.discard(record, gone)
        if not record.versions:
            self._remove(record)

    def _trim(self) -> None:
        oldest = next(iter(self._open)).snapshot if self._open else self._time
        while self._stale and self._stale[0][0] <= oldest:
            _, record = self._stale.popleft()
            self._trim_record(record, oldest)

    def _trim_record(self, record: NodeRecord | EdgeRecord, oldest: int) -> None:
        versions = record.versions
        first = 0
        while first + 1 < len(versions) and versions[first + 1][0] <= oldest:
            first += 1
        if first == len(versions) - 1 and versions[first][1] is None and record.owner is None:
            first += 1
        record.versions = versions[first:]
        if isinstance(record, NodeRecord):
            for _, gone in versions[:first]:
                if gone is not None:
                    self.lookup.discard(record, gone)
        if not record.versions and record.owner is None:
            self._remove(record)

    def _remove(self, record: NodeRecord | EdgeRecord) -> None:
        if isinstance(record, NodeRecord):
            if self.nodes.get(record.id) is record:
                del self.nodes[record.id]
        elif self.edges.get(record.id) is record:
            del self.edges[record.id]
            record.start.outgoing.pop(record, None)
            record.end.incoming.pop(record, None)

"""Deltas: the writes of a transaction as plain JSON values, and how they are put into a graph.

Each is a list of a word and its arguments:

    ["+node", id, [label...], {name: value...}]            ["-node", id]
    ["+edge", id, type, start, end, {name: value...}]      ["-edge", id]
    ["+label", id, label]                                  ["-label", id, label]
    ["node.set", id, name, value]                          value null: removed
    ["edge.set", id, name, value]                          likewise
    ["+index", label, [property...]]                       ["-index", label, [property...]]
    ["+constraint", kind, label, [property...]]            ["-constraint", kind, label, [property...]]
"""

from __future__ import annotations

from collections.abc import Sequence
from typing import TYPE_CHECKING

from memgraph_ha.fakes.memgraph.graph_records import EdgeRecord, NodeRecord
from memgraph_ha.fakes.memgraph.graph_schema import Constraint, Index

if TYPE_CHECKING:
    from memgraph_ha.fakes.memgraph.graph import Graph
    from memgraph_ha.fakes.memgraph.graph_transaction import Delta, Transaction


class DeltaError(ValueError):
    """Deltas that do not fit the graph they are put into, or are not deltas at all."""


def replay(graph: Graph, transaction: Transaction, deltas: Sequence[Delta]) -> None:
    """Write `deltas` in `transaction`, with the ids they name.

    Raises:
        DeltaError: One of them does not fit.
        MemgraphError: One of them conflicts with another open transaction.
    """
    for number, delta in enumerate(deltas):
        try:
            done = _replay_one(graph, transaction, delta)
        except (TypeError, LookupError) as error:
            raise DeltaError(f"delta {number} ({delta!r}) does not fit the graph: {error}") from error
        if not done:
            raise DeltaError(f"delta {number} ({delta!r}) is not one that a graph knows")


def _replay_one(graph: Graph, transaction: Transaction, delta: Delta) -> bool:  # noqa: C901 - one case a word
    match delta:
        case ["+node", int(node_id), [*labels], dict(properties)]:
            _require(node_id not in graph.nodes, f"node {node_id} exists")
            transaction.create_node(labels, properties, node_id=node_id)
        case ["-node", int(node_id)]:
            transaction.delete_node(_node(transaction, node_id))
        case ["+edge", int(edge_id), str(edge_type), int(start), int(end), dict(properties)]:
            _require(edge_id not in graph.edges, f"edge {edge_id} exists")
            ends = _node(transaction, start), _node(transaction, end)
            transaction.create_edge(*ends, edge_type, properties, edge_id=edge_id)
        case ["-edge", int(edge_id)]:
            transaction.delete_edge(_edge(transaction, edge_id))
        case ["+label", int(node_id), str(label)]:
            transaction.add_label(_node(transaction, node_id), label)
        case ["-label", int(node_id), str(label)]:
            transaction.remove_label(_node(transaction, node_id), label)
        case ["node.set", int(node_id), str(name), value]:
            transaction.set_property(_node(transaction, node_id), name, value)
        case ["edge.set", int(edge_id), str(name), value]:
            transaction.set_property(_edge(transaction, edge_id), name, value)
        case [("+index" | "-index") as word, str(label), [*properties]]:
            transaction.change_schema(word, Index(label, tuple(properties)))
        case [
            ("+constraint" | "-constraint") as word,
            ("unique" | "exists") as kind,
            str(label),
            [*properties],
        ]:
            transaction.change_schema(word, Constraint(kind, label, tuple(properties)))
        case _:
            return False
    return True


def _require(condition: bool, problem: str) -> None:
    if not condition:
        raise LookupError(problem)


def _node(transaction: Transaction, node_id: int) -> NodeRecord:
    node = transaction.node(node_id)
    if node is None:
        raise LookupError(f"no node {node_id}")
    return node


def _edge(transaction: Transaction, edge_id: int) -> EdgeRecord:
    edge = transaction.edge(edge_id)
    if edge is None:
        raise LookupError(f"no edge {edge_id}")
    return edge

"""Small steps on a graph, each its own transaction."""

from __future__ import annotations

from memgraph_ha.fakes.memgraph.graph import Constraint, Graph, Index, Transaction
from memgraph_ha.fakes.memgraph.graph_records import NodeRecord
from memgraph_ha.fakes.memgraph.graph_values import Value


def create(graph: Graph, *labels: str, **properties: Value) -> NodeRecord:
    """Commit one node."""
    transaction = graph.begin()
    node = transaction.create_node(labels, properties)
    transaction.commit()
    return node


def with_schema(graph: Graph, word: str, item: Index | Constraint) -> None:
    """Commit one schema change."""
    transaction = graph.begin()
    transaction.change_schema(word, item)
    transaction.commit()


def value(transaction: Transaction, node: NodeRecord, name: str) -> Value:
    """Read one property as the transaction sees it."""
    state = transaction.state(node)
    assert state is not None
    return state.properties.get(name)

"""Constraints and indexes of the graph store: enforced, narrowing, trimmed."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph import Constraint, Graph, Index, Transaction
from tests.fakes.query_graph import create, with_schema


def test_a_unique_constraint_binds_every_way_to_a_value() -> None:
    """Creating, setting and labelling into a taken value are refused at commit."""
    graph = Graph()
    with_schema(graph, "+constraint", Constraint("unique", "L", ("x",)))
    create(graph, "L", x=1)
    other, free = create(graph, "L", x=2), create(graph, x=1)
    writes: list[Callable[[Transaction], object]] = [
        lambda t: t.create_node(["L"], {"x": 1}),
        lambda t: t.set_property(other, "x", 1.0),
        lambda t: t.add_label(free, "L"),
    ]
    for write in writes:
        transaction = graph.begin()
        write(transaction)
        with pytest.raises(MemgraphError) as caught:
            transaction.commit()
        assert caught.value.message == "Unable to commit due to unique constraint violation on :L(x)"
        transaction.abort()
    swap = graph.begin()
    swap.set_property(other, "x", True)
    swap.create_node(["L"], {})
    swap.create_node(["L"], {})
    swap.commit()


def test_a_unique_constraint_holds_between_two_open_transactions() -> None:
    """Of two transactions with the same value only the first to prepare gets through."""
    graph = Graph()
    with_schema(graph, "+constraint", Constraint("unique", "L", ("x", "y")))
    first, second = graph.begin(), graph.begin()
    first.create_node(["L"], {"x": 1, "y": 1})
    second.create_node(["L"], {"x": 1, "y": 1})
    first.prepare()
    with pytest.raises(MemgraphError, match=r"violation on :L\(x, y\)"):
        second.prepare()
    first.abort()
    second.commit()


def test_an_existence_constraint_binds_until_it_is_dropped() -> None:
    """A node of the label without the property cannot be committed while the constraint is there."""
    graph = Graph()
    constraint = Constraint("exists", "L", ("x",))
    with_schema(graph, "+constraint", constraint)
    refused = graph.begin()
    refused.create_node(["L"])
    with pytest.raises(MemgraphError) as caught:
        refused.commit()
    assert caught.value.message == "Unable to commit due to existence constraint violation on :L(x)"
    refused.abort()
    with_schema(graph, "-constraint", constraint)
    create(graph, "L")
    with pytest.raises(MemgraphError, match="Unable to create existence constraint :L"):
        graph.begin().change_schema("+constraint", constraint)


def test_an_index_narrows_the_candidates_to_the_value() -> None:
    """With an index a lookup sees only nodes that had the value in some version that is still needed."""
    graph = Graph()
    nodes = [create(graph, "L", x=number % 10) for number in range(50)]
    with_schema(graph, "+index", Index("L", ("x",)))
    reader = graph.begin()
    assert reader.candidates(["L"], {"x": 3}) == nodes[3::10]
    writer = graph.begin()
    writer.set_property(nodes[3], "x", 4)
    writer.commit()
    assert nodes[3] in reader.candidates(["L"], {"x": 3})
    assert nodes[3] in graph.begin().candidates(["L"], {"x": 4})
    reader.abort()
    create(graph, "L", x=0)
    assert nodes[3] not in graph.begin().candidates(["L"], {"x": 3})

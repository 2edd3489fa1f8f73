"""CREATE, MERGE, SET, REMOVE and DELETE."""

from __future__ import annotations

from collections.abc import Iterable, Iterator, Mapping
from itertools import product

from memgraph_ha.fakes.memgraph.cypher.ast import (
    Delete,
    MapLiteral,
    NodePattern,
    Parameter,
    PathPattern,
    SetItem,
    SetLabels,
    SetProperties,
    SetProperty,
)
from memgraph_ha.fakes.memgraph.cypher.context import Context, Row
from memgraph_ha.fakes.memgraph.cypher.evaluate import evaluate
from memgraph_ha.fakes.memgraph.cypher.functions import properties_of
from memgraph_ha.fakes.memgraph.cypher.match import find_path
from memgraph_ha.fakes.memgraph.cypher.plan import MergePlan
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph_records import EdgeRecord, NodeRecord
from memgraph_ha.fakes.memgraph.graph_values import Value, type_name


def create_path(path: PathPattern, row: Row, context: Context) -> Row:
    """Create what `row` does not hold yet of a path, and return the row with it.

    Raises:
        MemgraphError: A value cannot be stored, or a bound variable is no node.
    """
    row = dict(row)
    for node in path.nodes:
        if node.variable not in row:
            row[node.variable] = _create_node(node, row, context)
        elif not isinstance(row[node.variable], NodeRecord):
            raise MemgraphError.client(
                f"Expected a Vertex for '{node.variable}', but got {type_name(row[node.variable])}."
            )
    for number, edge in enumerate(path.edges):
        ends = [row[path.nodes[number].variable], row[path.nodes[number + 1].variable]]
        if edge.direction == "in":
            ends.reverse()
        properties = _property_map(edge.properties, row, context)
        start, end = ends
        row[edge.variable] = context.transaction.create_edge(start, end, edge.types[0], properties)
        context.statistics.relationships_created += 1
        context.statistics.properties_set += _without_nulls(properties)
    return row


def _create_node(pattern: NodePattern, row: Row, context: Context) -> NodeRecord:
    properties = _property_map(pattern.properties, row, context)
    node = context.transaction.create_node(pattern.labels, properties)
    context.statistics.nodes_created += 1
    context.statistics.labels_added += len(set(pattern.labels))
    context.statistics.properties_set += _without_nulls(properties)
    return node


def _without_nulls(properties: Mapping[str, Value]) -> int:
    return sum(value is not None for value in properties.values())


def _property_map(properties: MapLiteral | Parameter | None, row: Row, context: Context) -> dict[str, Value]:
    if properties is None:
        return {}
    value = evaluate(properties, row, context)
    if not isinstance(value, dict):
        raise MemgraphError.client(f"The properties of a pattern must be a map, not {type_name(value)}.")
    return value


def merge_rows(plan: MergePlan, row: Row, context: Context) -> Iterator[Row]:
    """Yield `row` with each place where the path of a MERGE is found, or with the path created.

    Raises:
        MemgraphError: From the search, the creation or the SET items.
    """
    found = list(find_path(plan.search, row, context))
    for matched in found:
        set_items(plan.on_match, matched, context)
        yield matched
    if not found:
        created = create_path(plan.search.path, row, context)
        set_items(plan.on_create, created, context)
        yield created


def set_items(items: Iterable[SetItem], row: Row, context: Context) -> None:
    """Carry out SET or REMOVE in a row; a null is left alone.

    Raises:
        MemgraphError: A value cannot be stored, or the variable is not what the item needs.
    """
    for item in items:
        target = row[item.variable]
        if target is None:
            continue
        match item:
            case SetProperty():
                record = _record(item.variable, target)
                value = evaluate(item.value, row, context)
                context.transaction.set_property(record, item.name, value)
                context.statistics.properties_set += 1
            case SetProperties():
                _set_properties(item, _record(item.variable, target), row, context)
            case SetLabels():
                _set_labels(item, target, context)


def _record(variable: str, value: Value) -> NodeRecord | EdgeRecord:
    if isinstance(value, NodeRecord | EdgeRecord):
        return value
    raise MemgraphError.client(
        f"Properties can only be set on nodes and relationships, '{variable}' is {type_name(value)}."
    )


def _set_properties(item: SetProperties, record: NodeRecord | EdgeRecord, row: Row, context: Context) -> None:
    value = evaluate(item.value, row, context)
    new = {} if value is None else properties_of(context, value, "SET")
    if not item.keep:
        old = properties_of(context, record, "SET")
        new = {**dict.fromkeys(old), **new}
    for name, one in new.items():
        context.transaction.set_property(record, name, one)
        context.statistics.properties_set += 1


def _set_labels(item: SetLabels, target: Value, context: Context) -> None:
    if not isinstance(target, NodeRecord):
        raise MemgraphError.client(f"Expected a Vertex for '{item.variable}', but got {type_name(target)}.")
    for label in item.labels:
        if item.remove:
            context.statistics.labels_removed += context.transaction.remove_label(target, label)
        else:
            context.statistics.labels_added += context.transaction.add_label(target, label)


def delete_targets(clause: Delete, rows: Iterable[Row], context: Context) -> None:
    """Delete what the expressions of every row name: relationships first, then nodes.

    Raises:
        MemgraphError: A node keeps relationships and it is no DETACH DELETE, or a value is no object.
    """
    nodes: dict[NodeRecord, None] = {}
    edges: dict[EdgeRecord, None] = {}
    for value in (evaluate(target, row, context) for row in rows for target in clause.targets):
        if isinstance(value, NodeRecord):
            nodes[value] = None
        elif isinstance(value, EdgeRecord):
            edges[value] = None
        elif value is not None:
            raise MemgraphError.client(f"Only nodes and relationships can be deleted, not {type_name(value)}.")
    if clause.detach:
        for node, outgoing in product(nodes, (True, False)):
            edges.update(dict.fromkeys(context.transaction.edges_of(node, outgoing=outgoing)))
    for edge in edges:
        context.statistics.relationships_deleted += context.transaction.delete_edge(edge)
    for node in nodes:
        context.statistics.nodes_deleted += context.transaction.delete_node(node)

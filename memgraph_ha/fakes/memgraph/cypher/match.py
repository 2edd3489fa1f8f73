"""Looking for patterns in the graph."""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import TypeAlias

from attrs import frozen

from memgraph_ha.fakes.memgraph.cypher.ast import EdgePattern, NodePattern
from memgraph_ha.fakes.memgraph.cypher.context import Context, Row
from memgraph_ha.fakes.memgraph.cypher.evaluate import evaluate, is_true
from memgraph_ha.fakes.memgraph.cypher.operators import equals
from memgraph_ha.fakes.memgraph.cypher.plan import MatchPlan, PathPlan, Wanted
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph_records import EdgeRecord, NodeRecord, State
from memgraph_ha.fakes.memgraph.graph_values import Value, type_name

# The edges of this MATCH so far: no edge is used twice in one match.
_Used: TypeAlias = tuple[EdgeRecord, ...]


@frozen
class _Step:
    """One edge of a path and the node behind it, in the order in which the path is walked."""

    edge: EdgePattern
    edge_wants: Mapping[str, Value]
    origin: str
    node: NodePattern
    node_wants: Mapping[str, Value]
    backwards: bool


def match_rows(plan: MatchPlan, row: Row, context: Context) -> Iterator[Row]:
    """Yield `row` with the variables of each match; an optional one that finds nothing adds nulls.

    Args:
        plan: What to look for.
        row: The variables that are bound already.
        context: The running query.

    Raises:
        MemgraphError: From a condition, or because a bound variable is no node or relationship.
    """
    found = False
    for matched in _match_paths(plan.paths, row, context, ()):
        found = True
        yield matched
    if plan.optional and not found:
        yield {**row, **dict.fromkeys(plan.introduced)}


def find_path(plan: PathPlan, row: Row, context: Context) -> Iterator[Row]:
    """Yield `row` with the variables of each place where one path is found.

    Raises:
        MemgraphError: As for `match_rows`.
    """
    for matched, _ in _match_path(plan, row, context, ()):
        yield matched


def _match_paths(plans: tuple[PathPlan, ...], row: Row, context: Context, used: _Used) -> Iterator[Row]:
    plan, others = plans[0], plans[1:]
    for matched, now_used in _match_path(plan, row, context, used):
        if plan.filters and not all(is_true(condition, matched, context) for condition in plan.filters):
            continue
        if others:
            yield from _match_paths(others, matched, context, now_used)
        else:
            yield matched


def _match_path(plan: PathPlan, row: Row, context: Context, used: _Used) -> Iterator[tuple[Row, _Used]]:
    nodes, edges = plan.path.nodes, plan.path.edges
    node_wants = [_values(wanted, row, context) for wanted in plan.node_wants]
    edge_wants = [_values(wanted, row, context) for wanted in plan.edge_wants]
    first = _cheapest(nodes, node_wants, row, context)
    steps = [
        _Step(edges[i], edge_wants[i], nodes[i].variable, nodes[i + 1], node_wants[i + 1], backwards=False)
        for i in range(first, len(edges))
    ] + [
        _Step(edges[i], edge_wants[i], nodes[i + 1].variable, nodes[i], node_wants[i], backwards=True)
        for i in reversed(range(first))
    ]
    for node in _start_nodes(nodes[first], node_wants[first], row, context):
        begun = {**row, nodes[first].variable: node}
        if steps:
            yield from _walk(steps, 0, begun, used, context)
        else:
            yield begun, used


def _values(wanted: Wanted, row: Row, context: Context) -> dict[str, Value]:
    return {name: evaluate(value, row, context) for name, value in wanted}


def _cheapest(nodes: tuple[NodePattern, ...], wants: list[dict[str, Value]], row: Row, context: Context) -> int:
    """Return the node of a path from which the fewest candidates have to be looked at."""
    if len(nodes) == 1:
        return 0

    def cost(number: int) -> int:
        node = nodes[number]
        if node.variable in row:
            return 0
        return 1 + context.transaction.candidate_count(node.labels, wants[number])

    return min(range(len(nodes)), key=cost)


def _start_nodes(pattern: NodePattern, wants: Mapping[str, Value], row: Row, context: Context) -> Iterator[NodeRecord]:
    if pattern.variable in row:
        node = row[pattern.variable]
        if node is None:
            return
        if not isinstance(node, NodeRecord):
            raise MemgraphError.client(f"Expected a Vertex for '{pattern.variable}', but got {type_name(node)}.")
        candidates = [node]
    else:
        candidates = context.transaction.candidates(pattern.labels, wants)
    state_of = context.transaction.state
    for candidate in candidates:
        state = state_of(candidate)
        if state is not None and _fits(state, pattern.labels, wants):
            yield candidate


def _fits(state: State, labels: tuple[str, ...], wants: Mapping[str, Value]) -> bool:
    for label in labels:  # loops, not all(): this is the innermost step of every scan
        if label not in state.labels:
            return False
    for name, value in wants.items():  # noqa: SIM110 - likewise
        if equals(state.properties.get(name), value) is not True:
            return False
    return True


def _walk(steps: list[_Step], number: int, row: Row, used: _Used, context: Context) -> Iterator[tuple[Row, _Used]]:
    if number == len(steps):
        yield row, used
        return
    step = steps[number]
    transaction = context.transaction
    for edge, node in _neighbours(step, row, context):
        if edge in used or row.get(step.edge.variable, edge) is not edge:
            continue
        if row.get(step.node.variable, node) is not node:
            continue
        node_state, edge_state = transaction.state(node), transaction.state(edge)
        if node_state is None or edge_state is None:
            continue
        if _fits(node_state, step.node.labels, step.node_wants) and _fits(edge_state, (), step.edge_wants):
            extended = {**row, step.edge.variable: edge, step.node.variable: node}
            yield from _walk(steps, number + 1, extended, (*used, edge), context)


def _neighbours(step: _Step, row: Row, context: Context) -> Iterator[tuple[EdgeRecord, NodeRecord]]:
    origin = row[step.origin]
    direction = step.edge.direction
    types = step.edge.types
    for outgoing in (True, False):
        wanted = "out" if outgoing is not step.backwards else "in"
        if direction not in (wanted, "both"):
            continue
        for edge in context.transaction.edges_of(origin, outgoing=outgoing):
            if types and edge.type not in types:
                continue
            if direction == "both" and not outgoing and edge.start is edge.end:
                continue  # a loop was met on the outgoing side already
            yield edge, edge.end if outgoing else edge.start

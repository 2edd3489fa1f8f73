"""WITH and RETURN: grouping, DISTINCT, ORDER BY, SKIP and LIMIT."""

from __future__ import annotations

from collections.abc import Callable, Hashable, Iterable, Iterator
from functools import reduce
from itertools import islice
from typing import Final

from memgraph_ha.fakes.memgraph.cypher.ast import Aggregate, Expression
from memgraph_ha.fakes.memgraph.cypher.context import Context, Row
from memgraph_ha.fakes.memgraph.cypher.evaluate import evaluate, is_true
from memgraph_ha.fakes.memgraph.cypher.operators import BINARY, sort_key
from memgraph_ha.fakes.memgraph.cypher.plan import ProjectionPlan
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph_values import Value, comparison_key, type_name


def project_rows(plan: ProjectionPlan, rows: Iterable[Row], context: Context) -> Iterator[Row]:
    """Yield the rows of a WITH or RETURN, each with exactly its columns.

    Rows are taken from `rows` as they are needed, unless grouping or sorting needs them all.

    Raises:
        MemgraphError: From an expression, or because SKIP or LIMIT is not a count.
    """
    skip = _count("SKIP", plan.skip, context) or 0
    limit = _count("LIMIT", plan.limit, context)
    pairs = _projected(plan, _groups(plan, rows, context) if plan.grouped else rows, context)
    if plan.distinct:
        pairs = _distinct(plan, pairs)
    if plan.order:
        pairs = _sorted(plan, list(pairs), context)
    for _, projected in islice(pairs, skip, None if limit is None else skip + limit):
        if plan.where is None or is_true(plan.where, projected, context):
            yield projected


def _count(name: str, expression: Expression | None, context: Context) -> int | None:
    if expression is None:
        return None
    value = evaluate(expression, {}, context)
    if isinstance(value, int) and not isinstance(value, bool) and value >= 0:
        return value
    shown = value if isinstance(value, int) else type_name(value)
    raise MemgraphError.client(f"{name} must be a non-negative integer, got {shown}.")


def _projected(plan: ProjectionPlan, rows: Iterable[Row], context: Context) -> Iterator[tuple[Row, Row]]:
    """Yield each row with its projection."""
    named = list(zip(plan.columns, plan.outputs, strict=True))
    for row in rows:
        yield row, {name: evaluate(output, row, context) for name, output in named}


def _distinct(plan: ProjectionPlan, pairs: Iterable[tuple[Row, Row]]) -> Iterator[tuple[Row, Row]]:
    seen: set[Hashable] = set()
    for row, projected in pairs:
        key = tuple(comparison_key(projected[name]) for name in plan.columns)
        if key not in seen:
            seen.add(key)
            yield row, projected


def _sorted(plan: ProjectionPlan, pairs: list[tuple[Row, Row]], context: Context) -> Iterator[tuple[Row, Row]]:
    # Python's sort is stable: sorting by the last key first leaves the first key in charge.
    for sort in reversed(plan.order):

        def key(pair: tuple[Row, Row], expression: Expression = sort.expression) -> object:
            row, projected = pair
            return sort_key(evaluate(expression, {**row, **projected}, context))

        pairs.sort(key=key, reverse=sort.descending)  # type: ignore[arg-type]  # the key compares
    yield from pairs


def _groups(plan: ProjectionPlan, rows: Iterable[Row], context: Context) -> Iterator[Row]:
    """Yield one row of hidden variables for each group; without keys there is always one group."""
    groups: dict[Hashable, tuple[Row, list[_Accumulator]]] = {}
    if not plan.keys:
        groups[()] = ({}, [_Accumulator(one) for _, one in plan.aggregates])
    for row in rows:
        keys = {name: evaluate(expression, row, context) for name, expression in plan.keys}
        key = tuple(comparison_key(value) for value in keys.values())
        group = groups.get(key)
        if group is None:
            group = groups[key] = (keys, [_Accumulator(one) for _, one in plan.aggregates])
        for accumulator in group[1]:
            accumulator.add(row, context)
    for keys, accumulators in groups.values():
        results = zip(plan.aggregates, accumulators, strict=True)
        yield {**keys, **{name: accumulator.result() for (name, _), accumulator in results}}


class _Accumulator:
    """One aggregate of one group; nulls do not count."""

    def __init__(self, aggregate: Aggregate) -> None:
        self._aggregate = aggregate
        self._values: list[Value] = []
        self._rows = 0
        self._seen: set[Hashable] = set()

    def add(self, row: Row, context: Context) -> None:
        """Take one row in."""
        argument = self._aggregate.argument
        if argument is None:
            self._rows += 1
            return
        value = evaluate(argument, row, context)
        if value is None:
            return
        if self._aggregate.distinct:
            key = comparison_key(value)
            if key in self._seen:
                return
            self._seen.add(key)
        self._rows += 1
        if self._aggregate.name != "count":
            self._values.append(value)

    def result(self) -> Value:
        """Return the value of the aggregate over the rows taken in."""
        if self._aggregate.name == "count":
            return self._rows
        return _AGGREGATES[self._aggregate.name](self._values)


def _sum(values: list[Value]) -> Value:
    return reduce(BINARY["+"], map(_number, values), 0)


def _average(values: list[Value]) -> Value:
    return float(_sum(values)) / len(values) if values else None


def _number(value: Value) -> Value:
    if isinstance(value, bool) or not isinstance(value, int | float):
        raise MemgraphError.client(f"sum() and avg() take numbers, not {type_name(value)}.")
    return value


def _extreme(choose: Callable[..., Value]) -> Callable[[list[Value]], Value]:
    return lambda values: choose(values, key=sort_key) if values else None


_AGGREGATES: Final[dict[str, Callable[[list[Value]], Value]]] = {
    "sum": _sum,
    "avg": _average,
    "min": _extreme(min),
    "max": _extreme(max),
    "collect": list,
}

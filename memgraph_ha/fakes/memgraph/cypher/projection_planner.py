"""WITH and RETURN: columns, grouping and sort keys."""

from __future__ import annotations

from collections.abc import Sequence

from memgraph_ha.fakes.memgraph.cypher.ast import (
    HIDDEN,
    Aggregate,
    Expression,
    Item,
    Projection,
    SortItem,
    Variable,
)
from memgraph_ha.fakes.memgraph.cypher.plan import ProjectionPlan
from memgraph_ha.fakes.memgraph.cypher.tree import children, has_aggregate, rebuild, variables
from memgraph_ha.fakes.memgraph.errors import MemgraphError


def plan_projection(clause: Projection, visible: Sequence[str]) -> ProjectionPlan:
    """Work out the columns of a WITH or RETURN and how they come about.

    Rows are grouped if any column holds an aggregate.  Whatever of the columns lies outside every
    aggregate groups them, so `RETURN n.x + count(*)` groups by `n.x` as Memgraph does.

    Args:
        clause: As parsed.
        visible: The variables that `*` stands for.

    Raises:
        MemgraphError: Columns have the same name, aggregates nest, or there is no column.
    """
    stars = [Item(Variable(name), name) for name in sorted(visible)] if clause.star else []
    items = [*stars, *clause.items]
    names = [item.name for item in items]
    if not items:
        raise MemgraphError.client("There are no variables in scope to use for '*'.")
    for name in names:
        if names.count(name) > 1:
            raise MemgraphError.client(f"Multiple results with the same name '{name}' are not allowed.")
    grouped = any(has_aggregate(item.expression) for item in items)
    grouping = _Grouping()
    outputs = [grouping.rewrite(item.expression) if grouped else item.expression for item in items]
    return ProjectionPlan(
        columns=tuple(names),
        outputs=tuple(outputs),
        grouped=grouped,
        keys=tuple((name, key) for key, name in grouping.keys.items()),
        aggregates=tuple((name, one) for one, name in grouping.aggregates.items()),
        distinct=clause.distinct,
        order=tuple(SortItem(_by_columns(sort.expression, items), sort.descending) for sort in clause.order),
        keeps_scope=not grouped and not clause.distinct,
        skip=clause.skip,
        limit=clause.limit,
        where=clause.where,
    )


class _Grouping:
    """Collects what groups rows and what is computed of each group."""

    def __init__(self) -> None:
        self.keys: dict[Expression, str] = {}
        self.aggregates: dict[Aggregate, str] = {}

    def rewrite(self, expression: Expression) -> Expression:
        """Return the expression in terms of hidden variables for the keys and aggregates in it."""
        if isinstance(expression, Aggregate):
            if any(has_aggregate(child) for child in children(expression)):
                raise MemgraphError.client("Using aggregation functions inside aggregation functions is not allowed.")
            name = self.aggregates.setdefault(expression, f"{HIDDEN}aggregate {len(self.aggregates)}")
            return Variable(name)
        if has_aggregate(expression):
            return rebuild(expression, self.rewrite)
        if not variables(expression):
            return expression
        return Variable(self.keys.setdefault(expression, f"{HIDDEN}key {len(self.keys)}"))


def _by_columns(expression: Expression, items: Sequence[Item]) -> Expression:
    """Return a sort key with every returned expression replaced by its column."""
    for item in items:
        if expression == item.expression:
            return Variable(item.name)
    return rebuild(expression, lambda child: _by_columns(child, items))

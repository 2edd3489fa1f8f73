"""What is executed: the clauses of a query with every name resolved and every condition in its place."""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from memgraph_ha.fakes.memgraph.cypher.ast import (
    Aggregate,
    Create,
    Delete,
    Expression,
    PathPattern,
    Set,
    SetItem,
    SortItem,
    Unwind,
)

# What properties of a pattern must equal, evaluated before the pattern is looked for.
Wanted: TypeAlias = tuple[tuple[str, Expression], ...]


@frozen
class PathPlan:
    """How to look for one pattern.

    Args:
        path: The pattern; its own property maps are already in `node_wants`, `edge_wants` or `filters`.
        node_wants: For each node the properties whose values are known before the path is looked for.
        edge_wants: Likewise for each edge.
        filters: Conditions that can be decided once the path is found.
    """

    path: PathPattern
    node_wants: tuple[Wanted, ...]
    edge_wants: tuple[Wanted, ...]
    filters: tuple[Expression, ...]


@frozen
class MatchPlan:
    """MATCH; an optional one that finds nothing leaves nulls in `introduced`."""

    paths: tuple[PathPlan, ...]
    introduced: tuple[str, ...]
    optional: bool


@frozen
class MergePlan:
    """MERGE: look for the path, create it if there is none."""

    search: PathPlan
    on_match: tuple[SetItem, ...]
    on_create: tuple[SetItem, ...]


@frozen
class ProjectionPlan:
    """WITH and RETURN.

    Args:
        columns: The names of the columns.
        outputs: The expression of each column; behind an aggregation they speak of `keys` and
            `aggregates` by the hidden variables named there.
        grouped: Whether rows are grouped at all.
        keys: What groups rows, each under its hidden variable.
        aggregates: What is computed of each group, each under its hidden variable.
        distinct: Whether equal rows are reported once.
        order: The sort keys, in terms of `columns` and, if `keeps_scope`, of the row before.
        keeps_scope: Whether ORDER BY sees the row before.
        skip: How many rows to leave out.
        limit: How many rows to report at most.
        where: The condition of a WITH, in terms of `columns`.
    """

    columns: tuple[str, ...]
    outputs: tuple[Expression, ...]
    grouped: bool
    keys: tuple[tuple[str, Expression], ...]
    aggregates: tuple[tuple[str, Aggregate], ...]
    distinct: bool
    order: tuple[SortItem, ...]
    keeps_scope: bool
    skip: Expression | None
    limit: Expression | None
    where: Expression | None


ClausePlan: TypeAlias = MatchPlan | Create | MergePlan | Set | Delete | Unwind | ProjectionPlan


@frozen
class Plan:
    """A whole query of clauses.

    Args:
        clauses: In order of execution.
        columns: Of the result; empty without RETURN.
        parameters: The names of the parameters it needs.
        reads: Whether some clause looks things up in the graph.
        writes: Whether some clause changes the graph.
    """

    clauses: tuple[ClausePlan, ...]
    columns: tuple[str, ...]
    parameters: frozenset[str]
    reads: bool
    writes: bool

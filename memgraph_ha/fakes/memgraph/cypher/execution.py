"""Running a planned query: rows flow from clause to clause, and every writing clause is a barrier."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping
from typing import Final

from memgraph_ha.fakes.memgraph.cypher.ast import Create, Delete, SchemaChange, Set, ShowSchema, Unwind
from memgraph_ha.fakes.memgraph.cypher.context import Context, Row
from memgraph_ha.fakes.memgraph.cypher.evaluate import evaluate
from memgraph_ha.fakes.memgraph.cypher.match import match_rows
from memgraph_ha.fakes.memgraph.cypher.plan import ClausePlan, MatchPlan, MergePlan, Plan, ProjectionPlan
from memgraph_ha.fakes.memgraph.cypher.project import project_rows
from memgraph_ha.fakes.memgraph.cypher.query import Query
from memgraph_ha.fakes.memgraph.cypher.schema import change_schema, plan_hints, show_schema
from memgraph_ha.fakes.memgraph.cypher.write import create_path, delete_targets, merge_rows, set_items
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph_records import EdgeRecord, NodeRecord
from memgraph_ha.fakes.memgraph.graph_transaction import Transaction
from memgraph_ha.fakes.memgraph.graph_values import Node, Relationship, Value, type_name

TOO_DEEP: Final = "The query nests too deeply; split it or pass lists as parameters."


class Execution:
    """The rows of one running query, each a list of values as Bolt sends them.

    Iterating does the work, the writes of a query without RETURN too: nothing has happened before the
    first `next`.  Use `take` to fetch in batches.

    Args:
        query: As parsed.
        transaction: Where it reads and writes; the caller commits or aborts it.
        parameters: The values of `$name`.
        now_us: What `timestamp()` answers, in microseconds since 1970.

    Raises:
        MemgraphError: A parameter is missing.
    """

    def __init__(self, query: Query, transaction: Transaction, parameters: Mapping[str, Value], now_us: int) -> None:
        for name in sorted(query.parameters):
            if name not in parameters:
                raise MemgraphError.client(f"Parameter ${name} not provided.")
        self._context = Context(transaction, parameters, now_us)
        self._rows = _rows(query, self._context)
        self._ahead: list[list[Value]] = []

    def __iter__(self) -> Iterator[list[Value]]:
        """Return itself."""
        return self

    def __next__(self) -> list[Value]:
        """Return the next row.

        Raises:
            MemgraphError: The query fails; its transaction can only be aborted then.
        """
        if self._ahead:
            return self._ahead.pop()
        try:
            return next(self._rows)
        except RecursionError as error:
            raise MemgraphError.client(TOO_DEEP) from error

    def take(self, count: int) -> tuple[list[list[Value]], bool]:
        """Return up to `count` rows and whether there are more.

        Args:
            count: How many at most; negative: all of them.

        Raises:
            MemgraphError: As for `next`.
        """
        rows: list[list[Value]] = []
        for row in self:
            if len(rows) == count:
                self._ahead.append(row)
                return rows, True
            rows.append(row)
        return rows, False

    @property
    def stats(self) -> dict[str, int]:
        """What was written so far, as the summary's `stats`; without zeros."""
        return self._context.statistics.summary()

    @property
    def notifications(self) -> list[dict[str, str]]:
        """What the summary's `notifications` say."""
        return self._context.notifications


def execute(query: Query, transaction: Transaction, parameters: Mapping[str, Value], *, now_us: int) -> Execution:
    """Begin to run a query; see `Execution`.

    Args:
        query: As parsed.
        transaction: Where it reads and writes; the caller commits or aborts it.
        parameters: The values of `$name`.
        now_us: What `timestamp()` answers, in microseconds since 1970.

    Raises:
        MemgraphError: A parameter is missing.
    """
    return Execution(query, transaction, parameters, now_us)


def _rows(query: Query, context: Context) -> Iterator[list[Value]]:
    match query.body:
        case Plan() as plan:
            context.notifications.extend(plan_hints(plan, context.transaction))
            yield from _run_plan(plan, context)
        case SchemaChange() as change:
            context.notifications.append(change_schema(change, context.transaction))
        case ShowSchema() as show:
            yield from show_schema(show, context.transaction)


def _run_plan(plan: Plan, context: Context) -> Iterator[list[Value]]:
    rows: Iterable[Row] = [{}]
    for clause in plan.clauses:
        rows = _RUNNERS[type(clause)](clause, rows, context)
    for row in rows:
        if plan.columns:
            yield [_to_client(row[name], context) for name in plan.columns]


def _match(clause: MatchPlan, rows: Iterable[Row], context: Context) -> Iterator[Row]:
    for row in rows:
        yield from match_rows(clause, row, context)


def _create(clause: Create, rows: Iterable[Row], context: Context) -> Iterator[Row]:
    created = []
    for row in list(rows):
        for path in clause.paths:
            row = create_path(path, row, context)  # noqa: PLW2901 - each path extends the row
        created.append(row)
    yield from created


def _merge(clause: MergePlan, rows: Iterable[Row], context: Context) -> Iterator[Row]:
    merged = [one for row in list(rows) for one in merge_rows(clause, row, context)]
    yield from merged


def _set(clause: Set, rows: Iterable[Row], context: Context) -> Iterator[Row]:
    changed = list(rows)
    for row in changed:
        set_items(clause.items, row, context)
    yield from changed


def _delete(clause: Delete, rows: Iterable[Row], context: Context) -> Iterator[Row]:
    remaining = list(rows)
    delete_targets(clause, remaining, context)
    yield from remaining


def _unwind(clause: Unwind, rows: Iterable[Row], context: Context) -> Iterator[Row]:
    for row in rows:
        values = evaluate(clause.source, row, context)
        if values is None:
            continue
        if not isinstance(values, list):
            raise MemgraphError.client(f"Argument of UNWIND must be a list, but '{type_name(values)}' was provided.")
        for value in values:
            yield {**row, clause.variable: value}


def _project(clause: ProjectionPlan, rows: Iterable[Row], context: Context) -> Iterator[Row]:
    return project_rows(clause, rows, context)


# Each takes the kind of clause it stands under; a dict cannot say so.
_RUNNERS: Final[dict[type[ClausePlan], Callable[..., Iterator[Row]]]] = {
    MatchPlan: _match,
    Create: _create,
    MergePlan: _merge,
    Set: _set,
    Delete: _delete,
    Unwind: _unwind,
    ProjectionPlan: _project,
}


def _to_client(value: Value, context: Context) -> Value:
    """Return a value cut loose from the transaction: nodes and relationships become copies."""
    if isinstance(value, NodeRecord | EdgeRecord):
        state = context.transaction.state(value)
        if state is None:
            raise MemgraphError.client("Returning a deleted object as a result.")
        if isinstance(value, NodeRecord):
            return Node(value.id, state.labels, state.properties)
        return Relationship(value.id, value.start.id, value.end.id, value.type, state.properties)
    if isinstance(value, list):
        return [_to_client(item, context) for item in value]
    if isinstance(value, dict):
        return {name: _to_client(item, context) for name, item in value.items()}
    return value

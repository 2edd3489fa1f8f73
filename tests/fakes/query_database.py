"""A graph that answers Cypher at once: parse, execute, commit."""

from __future__ import annotations

from attrs import define, field, frozen

from memgraph_ha.fakes.memgraph.cypher import execute, parse
from memgraph_ha.fakes.memgraph.graph import Delta, Graph
from memgraph_ha.fakes.memgraph.graph_values import Value

NOW_US = 1_700_000_000_000_000


@frozen
class Answer:
    """What one query answered and did."""

    columns: tuple[str, ...]
    rows: list[list[Value]]
    stats: dict[str, int]
    deltas: list[Delta]
    titles: list[str]


@define
class Database:
    """Runs each query in a transaction of its own."""

    graph: Graph = field(factory=Graph)

    def run(self, text: str, **parameters: Value) -> Answer:
        """Run a query and commit it; a query that fails changes nothing.

        Raises:
            MemgraphError: From the query or its commit.
        """
        query = parse(text)
        transaction = self.graph.begin()
        try:
            execution = execute(query, transaction, parameters, now_us=NOW_US)
            rows = list(execution)
            deltas = transaction.deltas()
            transaction.commit()
        finally:
            transaction.abort()
        titles = [notification["title"] for notification in execution.notifications]
        return Answer(query.columns, rows, execution.stats, deltas, titles)

    def rows(self, text: str, **parameters: Value) -> list[list[Value]]:
        """Run a query and return its rows."""
        return self.run(text, **parameters).rows

    def value(self, text: str, **parameters: Value) -> Value:
        """Run a query that answers one row of one column."""
        ((value,),) = self.rows(text, **parameters)
        return value

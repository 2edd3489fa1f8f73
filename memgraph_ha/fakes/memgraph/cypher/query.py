"""From text to a query that can be executed, with a cache in front."""

from __future__ import annotations

from functools import lru_cache
from typing import Final

from attrs import frozen

from memgraph_ha.fakes.memgraph.cypher.ast import SchemaChange, ShowSchema
from memgraph_ha.fakes.memgraph.cypher.clauses import QueryParser
from memgraph_ha.fakes.memgraph.cypher.plan import Plan
from memgraph_ha.fakes.memgraph.cypher.planner import plan_query
from memgraph_ha.fakes.memgraph.cypher.schema import CONSTRAINT_COLUMNS, INDEX_COLUMNS
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph_schema import Index

_CACHED_QUERIES: Final = 512
# Longer texts are one-off (rows written into the query) and would only fill the cache.
_CACHED_LENGTH: Final = 4096


@frozen
class Query:
    """A parsed query.

    Args:
        text: As the client wrote it.
        columns: The names of the result's columns; empty if it returns nothing.
        writes: Whether it changes the graph or its schema; a replica refuses such a query at RUN.
        type: The summary's `type`: `r`, `w` or `rw`; Memgraph reports a query that does neither, such
            as `RETURN 1`, as `rw`, because some drivers know no other word.
        parameters: The names of the parameters it needs.
        multicommand_refusal: The error text of running it in an explicit transaction; None: it may.
        body: What `execute` runs.
    """

    text: str
    columns: tuple[str, ...]
    writes: bool
    type: str
    parameters: frozenset[str]
    multicommand_refusal: str | None
    body: Plan | SchemaChange | ShowSchema


def parse(text: str) -> Query:
    """Parse a query; the last few hundred short ones are remembered.

    Args:
        text: One query, with or without a semicolon.

    Raises:
        MemgraphError: It is not understood (the text says what and where), or it means nothing.
    """
    return _parse_cached(text) if len(text) <= _CACHED_LENGTH else _parse(text)


def _parse(text: str) -> Query:
    try:
        return _build(text)
    except RecursionError as error:
        raise MemgraphError.client("The query nests too deeply; split it or pass lists as parameters.") from error


_parse_cached = lru_cache(_CACHED_QUERIES)(_parse)


def _build(text: str) -> Query:
    match QueryParser(text).query():
        case SchemaChange() as change:
            kind = "Index" if isinstance(change.item, Index) else "Constraint"
            refusal = f"{kind} manipulation not allowed in multicommand transactions."
            return Query(text, (), True, "w", frozenset(), refusal, change)
        case ShowSchema() as show:
            columns = INDEX_COLUMNS if show.indexes else CONSTRAINT_COLUMNS
            refusal = "Info reporting not allowed in multicommand transactions."
            return Query(text, columns, False, "r", frozenset(), refusal, show)
        case clauses:
            plan = plan_query(clauses)
            kind = "w" if plan.writes and not plan.reads else "r" if plan.reads and not plan.writes else "rw"
            return Query(text, plan.columns, plan.writes, kind, plan.parameters, None, plan)

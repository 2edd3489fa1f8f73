"""What is not understood: an error that says what and where, and never anything else."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.fakes.memgraph.cypher import parse
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from tests.fakes.query_database import Database


@pytest.mark.parametrize(
    ("query", "line", "position", "detail"),
    [
        ("", 1, 1, "unexpected end of the query"),
        ("THIS IS NO CYPHER", 1, 1, "unexpected name 'THIS'"),
        ("MATCH (n) RETURN", 1, 17, "expecting an expression"),
        ("MATCH (n)\nRETRUN n", 2, 1, "unexpected name 'RETRUN'"),
        ("MATCH (n RETURN n", 1, 10, "expecting ')'"),
        ("RETURN 1 RETURN", 1, 16, "expecting an expression"),
        ("RETURN 1; RETURN 2", 1, 11, "expecting end of the query"),
        ("RETURN 'open", 1, 8, "token recognition error at: '''"),
        ("RETURN 1 ? 2", 1, 10, "token recognition error at: '?'"),
        ("RETURN '\\q'", 1, 9, "the escape '\\q' is not understood"),
        ("RETURN '\\uD800'", 1, 9, "is not understood"),
        ("RETURN 99999999999999999999", 1, 8, "does not fit into 64 bits"),
        ("RETURN nope(1)", 1, 8, "the function 'nope' is not understood"),
        ("RETURN size(1, 2)", 1, 8, "does not take 2 arguments"),
        ("RETURN sum()", 1, 8, "takes one argument, 0 are given"),
        ("MATCH p = (n) RETURN p", 1, 7, "unexpected name 'p'"),
        ("MATCH (a)-[*1..3]->(b) RETURN a", 1, 12, "variable-length relationships are not understood"),
        ("MATCH (a)-[:R*]->(b) RETURN a", 1, 14, "variable-length relationships are not understood"),
        ("CALL mg.procedures()", 1, 1, "unexpected name 'CALL'"),
        ("FOREACH (x IN [1] | CREATE ())", 1, 1, "unexpected name 'FOREACH'"),
        ("RETURN [x IN [1] | x]", 1, 18, "unexpected symbol '|'"),
        ("RETURN 1 UNION RETURN 2", 1, 10, "unexpected name 'UNION'"),
        ("LOAD CSV FROM 'x' AS row RETURN row", 1, 1, "unexpected name 'LOAD'"),
        ("MATCH (n) WITH n.x RETURN 1", 1, 16, "Only variables can be non-aliased in WITH."),
        ("MATCH (n) SET n", 1, 16, "expecting '.', '=', '+=' or ':'"),
        ("CREATE INDEX ON L(p)", 1, 17, "expecting ':'"),
        ("CREATE CONSTRAINT ON (n:L) ASSERT m.p IS UNIQUE", 1, 35, "expecting the variable 'n'"),
        ("RETURN CASE END", 1, 16, "expecting WHEN"),
    ],
)
def test_a_syntax_error_says_what_and_where(query: str, line: int, position: int, detail: str) -> None:
    """The text has Memgraph's form, with line and position counted from 1 (transcripts, official.md)."""
    with pytest.raises(MemgraphError) as caught:
        parse(query)
    place = f"Error on line {line} position {position}. The underlying parsing error is "
    assert caught.value.message.startswith(place)
    assert detail in caught.value.message
    assert caught.value.code == "Memgraph.ClientError.MemgraphError.MemgraphError"


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("RETURN x", "Unbound variable: x."),
        ("MATCH (n) WHERE m.x = 1 RETURN n", "Unbound variable: m."),
        ("MATCH (n) WITH n.x AS y RETURN n", "Unbound variable: n."),
        ("CREATE (a {x: b.x})", "Unbound variable: b."),
        ("UNWIND x AS x RETURN x", "Unbound variable: x."),
        ("MATCH (n) RETURN n.x AS y ORDER BY z", "Unbound variable: z."),
        ("MATCH (n) RETURN count(n) AS c ORDER BY n.x", "Unbound variable: n."),
        ("MATCH (n) RETURN DISTINCT n.x AS x ORDER BY n.y", "Unbound variable: n."),
        ("MATCH (n) RETURN n LIMIT n.x", "Unbound variable: n."),
        ("MATCH (n) SET m.x = 1", "Unbound variable: m."),
        ("DELETE n", "Unbound variable: n."),
        ("MATCH (n) CREATE (n)", "Redeclaring variable: n."),
        ("MATCH (n) CREATE (n:L)-[:R]->()", "Redeclaring variable: n."),
        ("MATCH ()-[r]->() CREATE ()-[r:R]->()", "Redeclaring variable: r."),
        ("MATCH (n) MERGE (n)", "Redeclaring variable: n."),
        ("UNWIND [1] AS x UNWIND [2] AS x RETURN x", "Redeclaring variable: x."),
        ("MATCH (n)-[n]->() RETURN n", "Type mismatch: n already defined as Vertex, expected Edge."),
        ("MATCH (n) WHERE count(n) > 1 RETURN n", "Aggregation functions are only allowed in WITH and RETURN."),
        ("CREATE (n {x: count(*)})", "Aggregation functions are only allowed in WITH and RETURN."),
        ("RETURN sum(count(*))", "Using aggregation functions inside aggregation functions is not allowed."),
        ("RETURN 1 ORDER BY count(*)", "Aggregation functions are only allowed in WITH and RETURN."),
        ("RETURN 1 AS x, 2 AS x", "Multiple results with the same name 'x' are not allowed."),
        ("RETURN 1, 1", "Multiple results with the same name '1' are not allowed."),
        ("RETURN *", "There are no variables in scope to use for '*'."),
        ("MATCH (n)", "Query should either create or update something, or return results!"),
        ("UNWIND [1] AS x", "Query should either create or update something, or return results!"),
        ("RETURN 1 AS x MATCH (n) RETURN n", "RETURN must be the last clause of a query."),
        ("CREATE (n) MATCH (m) RETURN m", "MATCH can't be put after RETURN clause or after an update."),
        ("CREATE (n) UNWIND [1] AS x RETURN x", "UNWIND can't be put after RETURN clause or after an update."),
        ("OPTIONAL MATCH (n) MATCH (m) RETURN m", "MATCH can't be put after OPTIONAL MATCH."),
        ("CREATE (a)-[:R]-(b)", "Bidirectional relationship are not supported when creating an edge"),
        ("CREATE (a)-[:R|S]->(b)", "A single relationship type must be specified when creating an edge."),
        ("CREATE (a)-->(b)", "A single relationship type must be specified when creating an edge."),
        ("MERGE (a)-[r]->(b)", "A single relationship type must be specified when creating an edge."),
        ("MATCH (n $map) RETURN n", "cannot be the property map of a MATCH pattern"),
        ("MERGE (n $map)", "cannot be the property map of a MERGE pattern"),
        ("MERGE (n {x: n.y})", "Unbound variable: n."),
        ("MERGE (n)-[:R {x: n.y}]->()", "must not use its own variables"),
    ],
)
def test_a_query_that_means_nothing_is_refused_before_it_runs(query: str, message: str) -> None:
    """Names, order of clauses and shapes are checked when the query is parsed, that is at RUN."""
    with pytest.raises(MemgraphError) as caught:
        parse(query)
    assert message in caught.value.message


@pytest.mark.parametrize(
    "query",
    [
        "RETURN " + "(" * 5000 + "1" + ")" * 5000,
        "RETURN " + "[" * 5000,
        "RETURN " + "NOT " * 5000 + "true",
        "RETURN " + "1 + " * 20000 + "1",
        "RETURN " + "-" * 5000 + "1",
    ],
)
def test_nesting_without_end_is_an_error_like_any_other(query: str) -> None:
    """Depth is bounded for the parser and for what runs behind it."""
    with pytest.raises(MemgraphError, match=r"nests too deeply|unexpected"):
        Database().run(query)


def test_a_query_of_megabytes_is_refused() -> None:
    """Rows belong into parameters, and the error says so."""
    with pytest.raises(MemgraphError, match="pass large values as parameters"):
        parse("RETURN '" + "x" * 5_000_000 + "'")


@given(st.text())
def test_arbitrary_text_is_parsed_or_refused(text: str) -> None:
    """No text makes the parser raise anything but its own error."""
    try:
        parse(text)
    except MemgraphError as error:
        assert error.message  # noqa: PT017 - either outcome is right


FRAGMENTS = st.sampled_from(
    [
        "MATCH", "OPTIONAL MATCH", "CREATE", "MERGE", "ON CREATE SET", "SET", "REMOVE", "DETACH DELETE",
        "WHERE", "WITH", "RETURN", "DISTINCT", "ORDER BY", "SKIP", "LIMIT", "UNWIND", "AS", "AND", "NOT",
        "IN", "IS NULL", "CASE", "WHEN", "THEN", "END", "(n)", "(n:L {x: 1})", "(m)", "-[r:R]->", "<-[:R]-", "--",
        "n", "m", "r", "x", "n.x", "count(*)", "sum(n.x)", "labels(n)", "$p", "1", "-1", "2.5", "'s'", "null",
        "true", "[1, 2]", "{a: 1}", "range(0, 3)", "(", ")", "[", "]", "{", "}", ",", ":", ".", "=", "<", "+",
        "*", "/", "%", "n:L", "INDEX ON :L(x)", "DROP", "SHOW INDEX INFO", ";", "CONSTRAINT ON (n:L) ASSERT",
        "n.x IS UNIQUE", "EXISTS (n.x)",
    ]
)  # fmt: skip


@given(st.lists(FRAGMENTS, max_size=14))
def test_any_sentence_of_cypher_words_runs_or_is_refused(words: list[str]) -> None:
    """No query, however senseless, fails in any other way than with Memgraph's kind of error."""
    database = Database()
    database.run("CREATE (a:L {x: 1})-[:R]->(b:L {x: 's'}), (c)")
    try:
        answer = database.run(" ".join(words), p=[1])
    except MemgraphError:
        assert database.graph.vertex_count == 3
    else:
        assert all(len(row) == len(answer.columns) for row in answer.rows)

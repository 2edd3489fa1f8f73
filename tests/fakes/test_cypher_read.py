"""Reading: patterns, WHERE, OPTIONAL MATCH, WITH, aggregation, ordering, columns."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.fakes.memgraph.cypher import execute, parse
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph_values import Node, Relationship, Value
from tests.fakes.query_database import Database

# ann -KNOWS-> bob -KNOWS-> eve, ann -LIKES-> eve, eve -LIKES-> eve; bob and eve work at acme.
PEOPLE = """
CREATE (ann:Person {name: 'ann', age: 30}), (bob:Person {name: 'bob', age: 40}),
       (eve:Person:Boss {name: 'eve'}), (acme:Company {name: 'acme'}),
       (ann)-[:KNOWS {since: 2001}]->(bob), (bob)-[:KNOWS {since: 2005}]->(eve),
       (ann)-[:LIKES]->(eve), (eve)-[:LIKES]->(eve),
       (bob)-[:WORKS_AT]->(acme)<-[:WORKS_AT]-(eve)
"""


@pytest.fixture(name="people")
def _people() -> Database:
    database = Database()
    database.run(PEOPLE)
    return database


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("MATCH (n) RETURN count(n)", [[4]]),
        ("MATCH (n:Person) RETURN n.name ORDER BY n.name", [["ann"], ["bob"], ["eve"]]),
        ("MATCH (n:Person:Boss) RETURN n.name", [["eve"]]),
        ("MATCH (n:Nobody) RETURN n", []),
        ("MATCH (n {name: 'bob'}) RETURN n.age", [[40]]),
        ("MATCH (n:Person {age: null}) RETURN n", []),
        ("MATCH (n) WHERE n.age > 30 RETURN n.name", [["bob"]]),
        ("MATCH (n {age: 30}) WHERE n.age = 40 RETURN n", []),
        ("MATCH (n) WHERE n.age = 30 AND n.age = 40 RETURN n", []),
        ("UNWIND [1] AS x RETURN x = 1 AS a, x = true AS b, count(*)", [[True, False, 1]]),
        ("MATCH (n:Person) WHERE n.age IS NULL RETURN n.name", [["eve"]]),
        ("MATCH (n) WHERE n:Boss OR n:Company RETURN n.name ORDER BY n.name", [["acme"], ["eve"]]),
        ("MATCH (a)-[:KNOWS]->(b) RETURN a.name, b.name ORDER BY a.name", [["ann", "bob"], ["bob", "eve"]]),
        ("MATCH (b)<-[:KNOWS]-(a) RETURN a.name, b.name ORDER BY a.name", [["ann", "bob"], ["bob", "eve"]]),
        ("MATCH (n {name: 'bob'})-[:KNOWS]-(m) RETURN m.name ORDER BY m.name", [["ann"], ["eve"]]),
        ("MATCH (n {name: 'eve'})-[r:LIKES]-(m) RETURN m.name ORDER BY m.name", [["ann"], ["eve"]]),
        ("MATCH (n)-[r:LIKES|:WORKS_AT]->(m) RETURN count(r)", [[4]]),
        ("MATCH (n)-[r {since: 2005}]->(m) RETURN n.name, type(r)", [["bob", "KNOWS"]]),
        ("MATCH (n)-[r]->(m) WHERE r.since < 2005 RETURN m.name", [["bob"]]),
        ("MATCH (a)-[:KNOWS]->(b)-[:KNOWS]->(c) RETURN a.name, b.name, c.name", [["ann", "bob", "eve"]]),
        ("MATCH (a)-->(b)-->(c {name: 'acme'}) RETURN a.name, b.name ORDER BY a.name, b.name",
         [["ann", "bob"], ["ann", "eve"], ["bob", "eve"], ["eve", "eve"]]),
        # One edge is used once in a MATCH, so nobody is his own colleague.
        ("MATCH (a)-[:WORKS_AT]->(c)<-[:WORKS_AT]-(b) RETURN a.name, b.name ORDER BY a.name",
         [["bob", "eve"], ["eve", "bob"]]),
        ("MATCH (a)-[:WORKS_AT]->(c) MATCH (c)<-[:WORKS_AT]-(b) RETURN count(*)", [[4]]),
        ("MATCH (a {name: 'ann'}), (b {name: 'bob'}) RETURN a.age + b.age", [[70]]),
        ("MATCH (a:Person), (b:Person) WHERE a.age < b.age RETURN a.name, b.name", [["ann", "bob"]]),
        ("MATCH (a:Person), (b:Person {age: a.age}) RETURN count(*)", [[2]]),
        ("MATCH (a:Person {name: b.name}), (b:Boss) RETURN a.name", [["eve"]]),
        ("MATCH (a)-[r]->(b), (b)-[s]->(b) RETURN a.name, type(r) ORDER BY a.name",
         [["ann", "LIKES"], ["bob", "KNOWS"]]),
        ("MATCH (a {name: 'ann'}) OPTIONAL MATCH (a)-[:WORKS_AT]->(c) RETURN a.name, c.name, c",
         [["ann", None, None]]),
        ("MATCH (a:Person) OPTIONAL MATCH (a)-[:WORKS_AT]->(c) RETURN a.name, c.name ORDER BY a.name",
         [["ann", None], ["bob", "acme"], ["eve", "acme"]]),
        ("OPTIONAL MATCH (x:Nobody) OPTIONAL MATCH (x)-->(y) RETURN x, y", [[None, None]]),
        ("MATCH (n) RETURN labels(n)[0], count(n) ORDER BY count(n) DESC", [["Person", 3], ["Company", 1]]),
        ("MATCH (n:Person) RETURN sum(n.age), avg(n.age), min(n.age), max(n.name), count(n.age), collect(n.age)",
         [[70, 35.0, 30, "eve", 2, [30, 40]]]),
        ("MATCH (n:Nobody) RETURN count(*), sum(n.x), min(n.x), avg(n.x), collect(n)", [[0, 0, None, None, []]]),
        ("MATCH (n:Nobody) RETURN n.x, count(*)", []),
        ("UNWIND [1, 1, 2, null] AS x RETURN count(DISTINCT x), count(x), count(*), collect(DISTINCT x)",
         [[2, 3, 4, [1, 2]]]),
        ("UNWIND [1, 1.0, true, 'a', null, null] AS x RETURN DISTINCT x", [[1], [True], ["a"], [None]]),
        ("UNWIND [1, 2, 3, 4] AS x RETURN x % 2 AS odd, sum(x) AS s ORDER BY odd", [[0, 6], [1, 4]]),
        ("UNWIND [1, 2] AS x RETURN x + count(*) AS s ORDER BY s", [[2], [3]]),
        ("UNWIND [3, null, 1, 2] AS x RETURN x ORDER BY x", [[1], [2], [3], [None]]),
        ("UNWIND [3, null, 1, 2] AS x RETURN x ORDER BY x DESC", [[None], [3], [2], [1]]),
        ("UNWIND [[1, 'b'], [1, 'a'], [0, 'z']] AS p RETURN p[1] ORDER BY p[0] DESC, p[1]", [["a"], ["b"], ["z"]]),
        ("UNWIND range(1, 10) AS x RETURN x SKIP 2 LIMIT 3", [[3], [4], [5]]),
        ("UNWIND range(1, 3) AS x RETURN x LIMIT 0", []),
        ("UNWIND range(1, 3) AS x RETURN x SKIP $n", [[3]]),
        ("UNWIND [] AS x RETURN x", []),
        ("UNWIND null AS x RETURN x", []),
        ("UNWIND [[1, 2], [3]] AS l UNWIND l AS x RETURN sum(x)", [[6]]),
        ("UNWIND $rows AS row RETURN row.id, row.v", [[1, "a"], [2, "b"]]),
        ("MATCH (n:Person) WITH n.name AS name WHERE name > 'ann' RETURN name ORDER BY name", [["bob"], ["eve"]]),
        ("MATCH (n:Person) WITH n ORDER BY n.name DESC LIMIT 1 RETURN n.name", [["eve"]]),
        ("MATCH (a)-->(b) WITH a, count(b) AS c WHERE c > 1 RETURN a.name, c ORDER BY a.name",
         [["ann", 2], ["bob", 2], ["eve", 2]]),
        ("WITH 1 AS a, 2 AS b WITH *, a + b AS c RETURN *", [[1, 2, 3]]),
        ("MATCH (n {name: 'ann'}) WITH n AS m MATCH (m)-[:LIKES]->(o) RETURN o.name", [["eve"]]),
        ("MATCH (a)-[r:LIKES]->(a) RETURN a.name, startNode(r) = endNode(r)", [["eve", True]]),
        ("MATCH (n:Person) WHERE id(n) = 1 RETURN n.name", [["bob"]]),
        ("MATCH (n:Person) WHERE n.name IN $names RETURN count(n)", [[2]]),
        ("MATCH (n:Boss) RETURN keys(n), size(labels(n)), properties(n).name, n['name']",
         [[["name"], 2, "eve", "eve"]]),
        ("MATCH (`odd name`:Boss) RETURN `odd name`.name", [["eve"]]),
        ("match (n:Boss) where NOT n.name = 'x' return n.name as x order by x skip 0 limit 1;", [["eve"]]),
        ("MATCH (n:Person)\n// a comment\nRETURN /* another */ count(*)", [[3]]),
    ],
)  # fmt: skip
def test_a_query_finds_its_rows(people: Database, query: str, expected: list[list[Value]]) -> None:
    """Each query answers exactly these rows, and leaves no delta behind."""
    parameters = {"rows": [{"id": 1, "v": "a"}, {"id": 2, "v": "b"}], "n": 2, "names": ["ann", "bob"]}
    answer = people.run(query, **parameters)
    assert answer.rows == expected
    assert answer.deltas == []


@pytest.mark.parametrize(
    ("query", "columns"),
    [
        ("MATCH (n) RETURN count(n)", ("count(n)",)),
        ("MATCH (n) RETURN labels(n)[0], count( n )", ("labels(n)[0]", "count( n )")),
        ("MATCH (n) RETURN n.x AS x, n.y+1 , n", ("x", "n.y+1", "n")),
        ("WITH 1 AS b, 2 AS a RETURN *", ("a", "b")),
        ("CREATE (n)", ()),
        ("SHOW INDEX INFO", ("index type", "label", "property", "count")),
        ("SHOW CONSTRAINT INFO", ("constraint type", "label", "properties", "data_type")),
    ],
)
def test_columns_are_named_by_their_source_text(query: str, columns: tuple[str, ...]) -> None:
    """An unaliased column is called as it was written (transcripts, official.md, `labels(n)[0]`)."""
    assert parse(query).columns == columns


@pytest.mark.parametrize(
    ("query", "kind", "writes"),
    [
        ("MATCH (n) RETURN n", "r", False),
        ("RETURN 1", "rw", False),
        ("CREATE (n) RETURN n", "w", True),
        ("MATCH (n) SET n.x = 1", "rw", True),
        ("MATCH (n) REMOVE n.x", "rw", True),
        ("MATCH (n) DELETE n", "rw", True),
        ("MERGE (n:L)", "rw", True),
        ("CREATE INDEX ON :L(p)", "w", True),
        ("DROP CONSTRAINT ON (n:L) ASSERT n.p IS UNIQUE", "w", True),
        ("SHOW INDEX INFO", "r", False),
    ],
)
def test_a_query_knows_whether_it_writes(query: str, kind: str, writes: bool) -> None:
    """A replica refuses by this at RUN, and the summary's type says it."""
    parsed = parse(query)
    assert (parsed.type, parsed.writes) == (kind, writes)


def test_nodes_and_relationships_come_out_as_copies(people: Database) -> None:
    """What a client gets carries ids, labels, type and properties, also inside lists and maps."""
    node = Node(0, ("Person",), {"name": "ann", "age": 30})
    edge = Relationship(0, 0, 1, "KNOWS", {"since": 2001})
    rows = people.rows("MATCH (a {name: 'ann'})-[r:KNOWS]->() RETURN a, r, [a], {k: r}")
    assert rows == [[node, edge, [node], {"k": edge}]]


def test_rows_are_fetched_in_batches(people: Database) -> None:
    """`take` says whether there is more without losing the row that told it so."""
    transaction = people.graph.begin()
    execution = execute(parse("UNWIND range(1, 5) AS x RETURN x"), transaction, {}, now_us=0)
    assert execution.take(2) == ([[1], [2]], True)
    assert execution.take(0) == ([], True)
    assert execution.take(2) == ([[3], [4]], True)
    assert execution.take(-1) == ([[5]], False)
    assert execution.take(-1) == ([], False)


def test_a_match_without_an_index_gets_memgraphs_hint(people: Database) -> None:
    """The summary carries the hint of the transcripts (official.md), until an index is there."""
    query = "MATCH (n:Person) RETURN count(n)"
    hint = (
        "Sequential scan will be used on symbol `n` although there is a filter on labels :Person. "
        "Consider creating a label index."
    )
    assert people.run(query).titles == [hint]
    assert people.run("MATCH (n) RETURN count(n)").titles == []
    people.run("CREATE INDEX ON :Person")
    assert people.run(query).titles == []


VALUES = st.sampled_from([None, 0, 1, 1.0, True, "a", "b", [1], {"k": 1}])


@given(
    nodes=st.lists(st.tuples(st.sampled_from(["A", "B", "A:B"]), VALUES, VALUES), max_size=12),
    wanted=VALUES,
    query=st.sampled_from([
        "MATCH (n:A {p: $v}) RETURN id(n)",
        "MATCH (n:B:A) WHERE n.p = $v RETURN id(n)",
        "MATCH (n:A) WHERE $v = n.p AND n.q IS NOT NULL RETURN id(n)",
        "MATCH (n:A {q: 1}), (m:B {p: n.p}) RETURN id(n), id(m)",
        "MATCH (n:A {p: $v, q: 'a'}) RETURN id(n)",
        "MATCH (n:A) OPTIONAL MATCH (m:A {p: n.q}) RETURN id(n), id(m)",
    ]),
)  # fmt: skip
def test_indexes_change_no_answer(nodes: list[tuple[str, Value, Value]], wanted: Value, query: str) -> None:
    """With any index a query answers the same rows as without."""
    plain, indexed = Database(), Database()
    for statement in ("CREATE INDEX ON :A(p)", "CREATE INDEX ON :A(p, q)", "CREATE INDEX ON :B"):
        indexed.run(statement)
    for database in (plain, indexed):
        for labels, p, q in nodes:
            database.run(f"CREATE (:{labels} {{p: $p, q: $q}})", p=p, q=q)
    assert sorted(map(repr, indexed.rows(query, v=wanted))) == sorted(map(repr, plain.rows(query, v=wanted)))


SAME_TWICE = [
    (
        "MATCH (a:A)-[r]->(b) WHERE a.p = b.p RETURN id(a), id(r), id(b)",
        "MATCH (b)<-[r]-(a) WITH a, r, b WHERE a:A AND a.p = b.p RETURN id(a), id(r), id(b)",
    ),
    (
        "MATCH (a)-[r:R]-(b:B {p: 1})-[s]->(c) RETURN id(a), id(r), id(b), id(s), id(c)",
        """MATCH (c)<-[s]-(b), (b)-[r]-(a) WHERE type(r) = 'R' AND b:B AND b.p = 1
        RETURN id(a), id(r), id(b), id(s), id(c)""",
    ),
    (
        "MATCH (a:A), (b:B) WHERE a.p = 1 AND (b.p = a.p OR b.p IS NULL) RETURN id(a), id(b)",
        "MATCH (b:B), (a:A) WITH *, a.p = 1 AS x, b.p = a.p OR b.p IS NULL AS y WHERE y AND x RETURN id(a), id(b)",
    ),
    (
        "MATCH (a) OPTIONAL MATCH (a)-[r:R]->(b:B) WHERE b.p = a.p RETURN id(a), count(r)",
        """MATCH (a) OPTIONAL MATCH (b)<-[r]-(a)
        WITH a, CASE WHEN type(r) = 'R' AND b:B AND b.p = a.p THEN r END AS r RETURN id(a), count(r)""",
    ),
    (
        "MATCH (a)-[r]-(a) RETURN id(a), id(r)",
        "MATCH (a)-[r]->(b) WHERE a = b RETURN id(a), id(r)",
    ),
    (
        "MATCH (a)-->(b)-->(a) RETURN id(a), id(b)",
        "MATCH (a)-[r]->(b) MATCH (b)-[s]->(a) WHERE r <> s RETURN id(a), id(b)",
    ),
]


@given(
    nodes=st.lists(st.tuples(st.sampled_from(["A", "B", "A:B"]), VALUES), min_size=1, max_size=5),
    edges=st.lists(st.tuples(st.integers(0, 4), st.integers(0, 4), st.sampled_from("RS")), max_size=8),
    queries=st.sampled_from(SAME_TWICE),
    indexed=st.booleans(),
)
def test_a_question_asked_in_two_ways_has_one_answer(
    nodes: list[tuple[str, Value]], edges: list[tuple[int, int, str]], queries: tuple[str, str], indexed: bool
) -> None:
    """Where a search begins and when a condition is tested changes nothing about its answer."""
    database = Database()
    if indexed:
        database.run("CREATE INDEX ON :B(p)")
    for labels, p in nodes:
        database.run(f"CREATE (:{labels} {{p: $p}})", p=p)
    for start, end, kind in edges:
        ends = {"a": start % len(nodes), "b": end % len(nodes)}
        database.run(f"MATCH (a), (b) WHERE id(a) = $a AND id(b) = $b CREATE (a)-[:{kind}]->(b)", **ends)
    first, second = (sorted(map(repr, database.rows(query))) for query in queries)
    assert first == second


@pytest.mark.parametrize(
    "query",
    ["UNWIND ['a', 1] AS x RETURN x ORDER BY x", "UNWIND [{}, {}] AS x RETURN min(x)"],
)
def test_values_without_an_order_cannot_be_sorted(query: str) -> None:
    """Sorting or comparing values of different kinds is an error, not a guess."""
    with pytest.raises(MemgraphError, match="Can't compare value of type"):
        Database().run(query)

"""Writing: CREATE, MERGE, SET, REMOVE, DELETE, their counters and deltas; indexes and constraints."""

from __future__ import annotations

import pytest

from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph_values import Node, Value
from tests.fakes.query_database import Database


def everything(database: Database) -> list[tuple[tuple[str, ...], dict[str, Value]]]:
    """Return the labels and properties of every node."""
    nodes: list[Node] = [row[0] for row in database.rows("MATCH (n) RETURN n ORDER BY id(n)")]
    return [(node.labels, node.properties) for node in nodes]


def test_create_counts_what_it_does() -> None:
    """The counters that drivers show are exact."""
    answer = Database().run("CREATE (a:A:B {x: 1, y: null}), (a)-[:R {w: 1, v: 2}]->(:C)")
    assert answer.stats == {
        "nodes-created": 2,
        "relationships-created": 1,
        "properties-set": 3,
        "labels-added": 3,
    }
    assert answer.rows == []


def test_create_makes_one_pattern_for_each_row() -> None:
    """Rows of UNWIND and parameters become nodes, and later clauses see them."""
    database = Database()
    rows = [{"id": 1, "v": "a"}, {"id": 2, "v": None}]
    answer = database.run("UNWIND $rows AS r CREATE (n:L {id: r.id}) SET n.v = r.v RETURN n.id", rows=rows)
    assert answer.rows == [[1], [2]]
    assert everything(database) == [(("L",), {"id": 1, "v": "a"}), (("L",), {"id": 2})]
    database.run("CREATE (:P $map)", map={"k": [1, 2]})
    assert everything(database)[2] == (("P",), {"k": [1, 2]})


def test_a_match_does_not_see_what_its_own_clause_creates() -> None:
    """MATCH (n) CREATE (...) ends: every match is made before the first node is created."""
    database = Database()
    database.run("CREATE (:L), (:L)")
    database.run("MATCH (n:L) CREATE (:L)")
    assert database.value("MATCH (n:L) RETURN count(n)") == 4
    database.run("MATCH (n:L), (m:L) CREATE (:L)")
    assert database.value("MATCH (n:L) RETURN count(n)") == 20


def test_direction_of_a_created_relationship_is_as_written() -> None:
    """`<-` creates from right to left."""
    database = Database()
    database.run("CREATE (:A)<-[:R]-(:B)")
    assert database.rows("MATCH (x)-[:R]->(y) RETURN labels(x), labels(y)") == [[["B"], ["A"]]]


def test_merge_creates_once_and_then_matches() -> None:
    """ON CREATE runs the first time, ON MATCH every other time."""
    database = Database()
    query = "MERGE (n:L {id: $id}) ON CREATE SET n.made = 1 ON MATCH SET n.seen = coalesce(n.seen, 0) + 1 RETURN n"
    first, second, third = (database.run(query, id=7) for _ in range(3))
    assert first.stats == {"nodes-created": 1, "labels-added": 1, "properties-set": 2}
    assert second.stats == {"properties-set": 1}
    assert third.rows == [[Node(0, ("L",), {"id": 7, "made": 1, "seen": 2})]]


def test_merge_of_a_relationship_keeps_its_bound_ends() -> None:
    """Between bound nodes only the missing relationship is created, in either direction of search."""
    database = Database()
    database.run("CREATE (:A), (:B)")
    for _ in range(2):
        database.run("MATCH (a:A), (b:B) MERGE (a)-[:R]->(b)")
        database.run("MATCH (a:A), (b:B) MERGE (b)-[:R]-(a)")
    assert database.value("MATCH ()-[r:R]->() RETURN count(r)") == 1
    database.run("MATCH (a:A) MERGE (a)-[:R]->(c:C {x: 1})")
    assert database.value("MATCH (:A)-[:R]->(c) RETURN count(c)") == 2


def test_merge_in_unwind_sees_what_it_created_before() -> None:
    """Rows with the same key share one node."""
    database = Database()
    database.run("UNWIND [1, 2, 1, 2] AS x MERGE (n:L {x: x})")
    assert database.value("MATCH (n:L) RETURN count(n)") == 2


def test_set_and_remove_in_every_form() -> None:
    """Property, map, += map, copy of another node, labels, null; REMOVE of both kinds."""
    database = Database()
    database.run("CREATE (:L {a: 1, b: 2}), (:Other {z: 9})")
    database.run("MATCH (n:L) SET n.a = 10, n.b = null, n:M:N")
    assert everything(database)[0] == (("L", "M", "N"), {"a": 10})
    answer = database.run("MATCH (n:L) SET n += {a: null, c: 3, d: 4}")
    assert answer.stats == {"properties-set": 3}
    assert everything(database)[0][1] == {"c": 3, "d": 4}
    database.run("MATCH (n:L) SET n = {e: 5}")
    assert everything(database)[0][1] == {"e": 5}
    database.run("MATCH (n:L), (o:Other) SET n = o")
    assert everything(database)[0][1] == {"z": 9}
    database.run("MATCH (n:L) SET n = $map", map={"p": True})
    assert everything(database)[0][1] == {"p": True}
    answer = database.run("MATCH (n:L) REMOVE n.p, n:M:Absent")
    assert answer.stats == {"properties-set": 1, "labels-removed": 1}
    assert everything(database)[0] == (("L", "N"), {})
    database.run("MATCH (n:L) CREATE (n)-[r:R]->(n) SET r.w = 1 REMOVE r.w SET r += {v: 2}")
    assert database.value("MATCH ()-[r]->() RETURN properties(r)") == {"v": 2}


def test_set_and_delete_leave_null_alone() -> None:
    """What an OPTIONAL MATCH did not find is not written to."""
    answer = Database().run("OPTIONAL MATCH (n:Nope) SET n.x = 1, n:L, n += {y: 1} DETACH DELETE n")
    assert answer.deltas == []
    assert answer.stats == {}


def test_delete_needs_detach_for_a_node_with_relationships() -> None:
    """DELETE refuses with Memgraph's text and changes nothing; DETACH DELETE takes all."""
    database = Database()
    database.run("CREATE (a:A)-[:R]->(b:B), (a)-[:R]->(a)")
    with pytest.raises(MemgraphError, match="Consider using DETACH DELETE"):
        database.run("MATCH (a:A) DELETE a")
    assert database.run("MATCH (a:A) DETACH DELETE a").stats == {"nodes-deleted": 1, "relationships-deleted": 2}
    assert everything(database) == [(("B",), {})]


def test_delete_takes_relationships_first_whatever_the_order() -> None:
    """Nodes and their relationships in one DELETE need no DETACH, and each is deleted once."""
    database = Database()
    database.run("CREATE (:A)-[:R]->(:B)")
    answer = database.run("MATCH (a)-[r]-(b) DELETE a, r, b")
    assert answer.stats == {"nodes-deleted": 2, "relationships-deleted": 1}


def test_a_deleted_object_cannot_be_used() -> None:
    """Returning, reading or writing what the query deleted is an error."""
    database = Database()
    database.run("CREATE (:L {x: 1})")
    with pytest.raises(MemgraphError, match="Returning a deleted object"):
        database.run("MATCH (n:L) DELETE n RETURN n")
    with pytest.raises(MemgraphError, match="deleted object"):
        database.run("MATCH (n:L) DELETE n RETURN n.x")
    with pytest.raises(MemgraphError, match="deleted object"):
        database.run("MATCH (n:L) DELETE n SET n.x = 2")
    assert everything(database) == [(("L",), {"x": 1})]


def test_the_no_op_commit_is_a_write_and_a_vain_match_is_not() -> None:
    """`CREATE (n:X) DELETE n` has deltas, `MATCH (n:Nope) SET n.x = 1` has none (transcripts Q3, Q18)."""
    database = Database()
    assert database.run("CREATE (n:X) DELETE n").deltas
    assert database.run("MATCH (n:Nope) SET n.x = 1").deltas == []
    assert not database.graph.has_data


def test_a_failing_query_changes_nothing() -> None:
    """A row that fails takes back the rows before it."""
    database = Database()
    with pytest.raises(MemgraphError, match="Division by zero"):
        database.run("UNWIND [1, 0] AS x CREATE (:L {v: 1 / x})")
    assert everything(database) == []


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ("MATCH (n) SET n.x = n", "'vertex' cannot be used as a property value."),
        ("CREATE (n {x: $bytes})", "'bytes' cannot be used as a property value."),
        ("CREATE (n $number)", "must be a map, not int"),
        ("WITH 1 AS n SET n.x = 1", "'n' is int"),
        ("WITH 1 AS n SET n:L", "Expected a Vertex for 'n', but got int."),
        ("WITH 1 AS n DELETE n", "Only nodes and relationships can be deleted, not int."),
        ("WITH 1 AS n MATCH (n) RETURN n", "Expected a Vertex for 'n', but got int."),
        ("WITH 1 AS n CREATE (n)-[:R]->()", "Expected a Vertex for 'n', but got int."),
        ("MATCH (n) SET n = 1", "'SET' argument must be"),
        ("UNWIND 1 AS x RETURN x", "must be a list, but 'int' was provided"),
        ("RETURN 1 LIMIT -1", "LIMIT must be a non-negative integer, got -1."),
        ("RETURN 1 SKIP 'a'", "SKIP must be a non-negative integer, got string."),
        ("MATCH (n) WHERE 1 RETURN n", "must evaluate to bool or null, got int"),
    ],
)
def test_values_of_the_wrong_kind_are_refused(query: str, message: str) -> None:
    """Each says what was wrong, and nothing is written."""
    database = Database()
    database.run("CREATE ()")
    with pytest.raises(MemgraphError, match=message):
        database.run(query, bytes=b"x", number=1)
    assert everything(database) == [((), {})]


def test_indexes_are_created_shown_and_dropped() -> None:
    """SHOW INDEX INFO lists them as the transcripts do (official.md: "label+property" | "N" | ['i'] | 3)."""
    database = Database()
    database.run("UNWIND [1, 2, null] AS i CREATE (:N {i: i})")
    assert database.run("CREATE INDEX ON :N(i)").deltas == [["+index", "N", ["i"]]]
    database.run("CREATE INDEX ON :N;")
    database.run("CREATE INDEX ON :N(i, j)")
    assert database.rows("SHOW INDEX INFO") == [
        ["label+property", "N", ["i"], 2],
        ["label", "N", None, 3],
        ["label+property", "N", ["i", "j"], 0],
    ]
    again = database.run("CREATE INDEX ON :N(i)")
    assert (again.deltas, again.titles) == ([], ["Index on label N on properties i already exists."])
    assert database.run("DROP INDEX ON :N(i)").titles == ["Dropped index on label N on properties i."]
    database.run("DROP INDEX ON :N(i, j)")
    assert database.rows("SHOW INDEX INFO") == [["label", "N", None, 3]]
    gone = database.run("DROP INDEX ON :N(i)")
    assert (gone.deltas, gone.titles) == ([], ["Index on label N on properties i doesn't exist."])


def test_constraints_are_created_shown_enforced_and_dropped() -> None:
    """SHOW CONSTRAINT INFO lists them as the transcripts do (official.md: "exists" | "N" | "i" | "")."""
    database = Database()
    database.run("CREATE CONSTRAINT ON (n:N) ASSERT EXISTS (n.i)")
    database.run("CREATE CONSTRAINT ON (n:N) ASSERT n.a, n.b IS UNIQUE")
    assert database.rows("SHOW CONSTRAINT INFO") == [["exists", "N", "i", ""], ["unique", "N", ["a", "b"], ""]]
    database.run("CREATE (:N {i: 1, a: 1, b: 1})")
    with pytest.raises(MemgraphError, match=r"^.*existence constraint violation on :N\(i\)$"):
        database.run("CREATE (:N)")
    with pytest.raises(MemgraphError, match=r"^.*unique constraint violation on :N\(a, b\)$"):
        database.run("CREATE (:N {i: 2, a: 1, b: 1})")
    database.run("DROP CONSTRAINT ON (n:N) ASSERT EXISTS (n.i)")
    database.run("DROP CONSTRAINT ON (n:N) ASSERT n.a, n.b IS UNIQUE")
    database.run("CREATE (:N {a: 1, b: 1})")
    with pytest.raises(MemgraphError, match="Unable to create unique constraint"):
        database.run("CREATE CONSTRAINT ON (n:N) ASSERT n.a IS UNIQUE")

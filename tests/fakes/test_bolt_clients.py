"""The unmodified stock clients against the server, over TCP: neo4j and mgclient."""

from __future__ import annotations

import json
import subprocess
import sys
import threading
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

import neo4j
import pytest
from neo4j.exceptions import ClientError, ServiceUnavailable, TransientError

from tests.fakes.query_engine import BLOCK, RUN_ID, SERVER_NAME, MemoryEngine, serving

ASKING = """
import sys, neo4j
with neo4j.GraphDatabase.driver(f"bolt://127.0.0.1:{sys.argv[1]}") as driver, driver.session() as session:
    session.run(sys.argv[2]).consume()
"""
"""A process that asks one query of the port it is given; to be ended from outside."""


@pytest.fixture(name="engine")
def _engine() -> MemoryEngine:
    return MemoryEngine()


@pytest.fixture(name="driver")
def _driver(engine: MemoryEngine) -> Iterator[neo4j.Driver]:
    with (
        serving(engine) as port,
        neo4j.GraphDatabase.driver(f"bolt://127.0.0.1:{port}", auth=("", "")) as driver,
    ):
        yield driver
    assert engine.open_sessions == 0


def test_the_driver_sees_the_server_of_the_transcripts(driver: neo4j.Driver) -> None:
    """Agent and protocol are what a real server reports (transcripts "Bolt")."""
    info = driver.get_server_info()
    assert (info.agent, info.protocol_version) == (SERVER_NAME, (5, 2))
    driver.verify_connectivity()


def test_parameters_of_every_type_come_back(driver: neo4j.Driver) -> None:
    """What the driver sends is what it gets."""
    values: list[Any] = [
        None, True, False, 0, -1, 2**63 - 1, -(2**63), 1.5, -0.0, "", "é" * 300, b"\x00\xff", [], [1, [None]], {},
        {"k": {"deep": [1, 2]}}, "x" * 100_000, list(range(70_000)),
    ]  # fmt: skip
    with driver.session() as session:
        for value in values:
            found = session.run("RETURN $value AS value", value=value).single(strict=True)["value"]
            assert found == value
            assert type(found) is type(value)


def test_nodes_and_relationships_are_the_drivers_own(driver: neo4j.Driver) -> None:
    """Ids, element ids, labels, types, ends and properties arrive."""
    with driver.session() as session:
        record = session.run("CREATE (a:A:B {x: 1})-[r:R {w: [1]}]->(b) RETURN a, r, b").single(strict=True)
    node, edge, end = record["a"], record["r"], record["b"]
    assert (node.element_id, set(node.labels), dict(node)) == ("0", {"A", "B"}, {"x": 1})
    assert (edge.type, dict(edge), edge.start_node, edge.end_node) == ("R", {"w": [1]}, node, end)


def test_the_summary_has_counters_type_and_run_id(driver: neo4j.Driver) -> None:
    """Counters are those of the query; the run id is in the metadata (transcripts Q16)."""
    with driver.session() as session:
        summary = session.run("CREATE (:L {x: 1, y: 2})-[:R]->()").consume()
    counters = summary.counters
    assert (counters.nodes_created, counters.relationships_created, counters.labels_added) == (2, 1, 1)
    assert (counters.properties_set, summary.query_type) == (2, "w")
    assert summary.metadata["run_id"] == RUN_ID


def test_a_big_result_arrives_whole_and_may_be_left(driver: neo4j.Driver) -> None:
    """Fetched in parts of a thousand, dropped in the middle, and the session goes on."""
    with driver.session() as session:
        result = session.run("UNWIND range(1, 20000) AS x RETURN x")
        assert [record["x"] for record in result] == list(range(1, 20_001))
        half_read = session.run("UNWIND range(1, 20000) AS x RETURN x")
        assert next(half_read)["x"] == 1
        half_read.consume()
        assert session.run("RETURN 2 AS x").single(strict=True)["x"] == 2


def test_explicit_transactions_commit_and_roll_back(driver: neo4j.Driver) -> None:
    """Several queries in one transaction; what is not committed never was."""
    with driver.session() as session:
        with session.begin_transaction() as transaction:
            for number in range(3):
                transaction.run("CREATE (:L {x: $x})", x=number)
            assert transaction.run("MATCH (n:L) RETURN count(n) AS c").single(strict=True)["c"] == 3
            transaction.rollback()
        with session.begin_transaction() as transaction:
            transaction.run("CREATE (:L)")
            transaction.commit()
        assert session.run("MATCH (n:L) RETURN count(n) AS c").single(strict=True)["c"] == 1


def test_execute_write_retries_what_is_transient(engine: MemoryEngine, driver: neo4j.Driver) -> None:
    """Conflicts at commit are tried again by the driver; the write is applied once."""
    engine.conflicts = 1
    attempts = 0

    def write(transaction: neo4j.ManagedTransaction) -> None:
        nonlocal attempts
        attempts += 1
        transaction.run("CREATE (:L)").consume()

    with driver.session() as session:
        session.execute_write(write)
        assert attempts == 2
        assert session.execute_read(lambda tx: tx.run("MATCH (n:L) RETURN count(n)").single(strict=True)[0]) == 1


def test_a_real_conflict_is_a_transient_error(driver: neo4j.Driver) -> None:
    """Two sessions that change one node: the second is told Memgraph's text at once."""
    with driver.session() as first, driver.session() as second:
        first.run("CREATE (:L {x: 0})").consume()
        with first.begin_transaction() as holding:
            holding.run("MATCH (n:L) SET n.x = 1").consume()
            with pytest.raises(TransientError, match="Cannot resolve conflicting transactions"):
                second.run("MATCH (n:L) SET n.x = 2").consume()
            holding.commit()
        assert second.run("MATCH (n:L) RETURN n.x AS x").single(strict=True)["x"] == 1


def test_errors_carry_memgraphs_code_and_text(driver: neo4j.Driver) -> None:
    """A ClientError with the one code there is; the session is usable afterwards."""
    with driver.session() as session:
        with pytest.raises(ClientError) as caught:
            session.run("RETURN nope").consume()
        assert caught.value.code == "Memgraph.ClientError.MemgraphError.MemgraphError"
        assert caught.value.message == "Unbound variable: nope."
        with pytest.raises(ClientError, match="0x44"):
            session.run("RETURN $d", d=date(2026, 1, 1)).consume()
        with pytest.raises(ClientError, match="multicommand"), session.begin_transaction() as transaction:
            transaction.run("CREATE INDEX ON :L").consume()
        assert session.run("RETURN 1 AS x").single(strict=True)["x"] == 1


def test_routing_and_other_databases_are_refused(engine: MemoryEngine) -> None:
    """`neo4j://` ends with ServiceUnavailable (transcripts "Bolt"); an unknown database is a ClientError."""
    with serving(engine) as port:
        address = f"127.0.0.1:{port}"
        with (
            neo4j.GraphDatabase.driver(f"neo4j://{address}") as routing,
            pytest.raises(ServiceUnavailable, match="routing"),
        ):
            routing.verify_connectivity()
        with (
            neo4j.GraphDatabase.driver(f"bolt://{address}") as driver,
            driver.session(database="other") as session,
            pytest.raises(ClientError, match="unknown database"),
        ):
            session.run("RETURN 1").consume()


def test_only_the_right_password_gets_in(engine: MemoryEngine) -> None:
    """Wrong and missing credentials end with the code of transcripts Q2, the right ones work."""
    engine.users["ann"] = "secret"
    with serving(engine) as port:
        url = f"bolt://127.0.0.1:{port}"
        for auth in (("ann", "wrong"), ("bob", "secret"), None):
            with neo4j.GraphDatabase.driver(url, auth=auth) as driver, pytest.raises(ClientError) as caught:
                driver.verify_connectivity()
            assert caught.value.code == "Memgraph.ClientError.Security.Unauthenticated"
        with neo4j.GraphDatabase.driver(url, auth=("ann", "secret")) as driver:
            driver.verify_connectivity()
    assert engine.open_sessions == 0


def test_a_client_that_goes_away_ends_its_blocked_query(engine: MemoryEngine) -> None:
    """A query that hangs in the server ends with its connection, and so does its session (transcripts Q15)."""
    engine.block = True
    with serving(engine) as port:
        client = subprocess.Popen([sys.executable, "-c", ASKING, str(port), BLOCK])
        try:
            assert engine.blocked.wait(30)
            assert engine.open_sessions == 1
        finally:
            client.kill()
            client.wait(10)
        assert engine.closed.wait(10)
    assert engine.open_sessions == 0
    assert engine.graph.vertex_count == 0


def test_many_sessions_write_at_once(engine: MemoryEngine, driver: neo4j.Driver) -> None:
    """Eight writers, each on its own connection: every write is there exactly once."""

    def write(writer: int) -> None:
        with driver.session() as session:
            for number in range(50):
                session.run("CREATE (:W {writer: $w, number: $n})", w=writer, n=number).consume()

    threads = [threading.Thread(target=write, args=(number,)) for number in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(60)
    with driver.session() as session:
        rows = session.run("MATCH (n:W) RETURN n.writer AS w, count(DISTINCT n.number) AS c ORDER BY w").values()
    assert rows == [[number, 50] for number in range(8)]
    assert engine.graph.vertex_count == 400


def test_mgclient_works_unmodified(engine: MemoryEngine) -> None:
    """The second stock client: values, nodes, transactions by text, errors (in a process of its own)."""
    script = Path(__file__).with_name("query_mgclient.py")
    with serving(engine) as port:
        done = subprocess.run(
            [sys.executable, str(script), str(port)], capture_output=True, text=True, timeout=60, check=True
        )
    seen = json.loads(done.stdout)
    assert seen["node"] == [0, ["M"], {"a": [1, "é"]}]
    assert seen["edge"] == ["R", {"x": 1}, True, True]
    assert seen["columns"] == ["n", "r", "m"]
    assert seen["count"] == [[1]]
    assert seen["values come back"] is True
    assert seen["syntax"].startswith("Error on line 1 position 1.")
    assert seen["after the error"] == "no error"
    assert seen["rows"] == 5000

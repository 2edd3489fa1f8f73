"""A fresh instance, and what a REPLICA answers and refuses (raw recordings a and g)."""

from __future__ import annotations

import uuid

import pytest

from tests.conformance import expected
from tests.conformance.answers import Refusal
from tests.conformance.questions import holds
from tests.conformance.servers import Server, Servers

COUNTED = ("vertex_count", "edge_count", "average_degree")


@pytest.fixture(scope="module", name="replica")
def _replica(shared: Servers) -> Server:
    """A REPLICA with three nodes that it got from its MAIN."""
    main, replica = shared.pair("SYNC")
    main.ask("UNWIND range(1, 3) AS i CREATE (:N {i: i})")
    return replica


@holds("R.a")
def test_a_fresh_instance_is_a_main_without_rows(lone: Server) -> None:
    """Version, role and the columns of the SHOW queries."""
    assert lone.ask("SHOW VERSION").columns == ["version"]
    role = lone.ask("SHOW REPLICATION ROLE")
    assert (role.columns, role.rows) == (["replication role"], [["main"]])
    replicas = lone.ask("SHOW REPLICAS")
    columns = ["name", "socket_address", "sync_mode", "system_info", "data_info"]
    assert (replicas.columns, replicas.rows) == (columns, [])
    assert lone.ask("SHOW CONFIG").columns == ["name", "default_value", "current_value", "description"]


@holds("R.a")
def test_storage_info_has_the_recorded_rows(lone: Server) -> None:
    """Sixteen names in their order, the uuid a uuid."""
    answer = lone.ask("SHOW STORAGE INFO")
    assert answer.columns == ["storage info", "value"]
    assert [row[0] for row in answer.rows] == [
        "name", "database_uuid", *COUNTED, "vm_max_map_count", "memory_res", "peak_memory_res",
        "unreleased_delta_objects", "disk_usage", "memory_tracked", "allocation_limit", "global_isolation_level",
        "session_isolation_level", "next_session_isolation_level", "storage_mode",
    ]  # fmt: skip
    info = dict(answer.rows)
    assert (info["name"], info["storage_mode"]) == ("memgraph", "IN_MEMORY_TRANSACTIONAL")
    assert info["global_isolation_level"] == "SNAPSHOT_ISOLATION"
    assert str(uuid.UUID(info["database_uuid"])) == info["database_uuid"]


@pytest.mark.parametrize(
    ("query", "columns", "rows"),
    [
        ("SHOW BUILD INFO", ["build info", "value"], [["build_type", "Release"]]),
        ("SHOW CURRENT ROLE", ["role"], [[None]]),
        (
            "SHOW LICENSE INFO",
            ["license info", "value"],
            [
                ["organization_name", ""],
                ["license_key", ""],
                ["is_valid", False],
                ["license_type", ""],
                ["valid_until", ""],
                ["memory_limit", "UNLIMITED"],
                ["status", "You have not provided any license!"],
            ],
        ),
    ],
)
@holds("R.a")
def test_show_queries_answer_as_recorded(
    lone: Server, query: str, columns: list[str], rows: list[list[object]]
) -> None:
    """Columns and rows, letter for letter."""
    answer = lone.ask(query)
    assert (answer.columns, answer.rows) == (columns, rows)


ENTERPRISE = {
    "SHOW INSTANCE": expected.NO_COORDINATOR,
    "SHOW INSTANCES": expected.NO_COORDINATOR,
    "SHOW DATABASES": expected.licence("multi-tenancy"),
    "SHOW DATABASE": expected.NO_LICENCE,
    "SHOW METRICS INFO": expected.licence("SHOW METRICS INFO"),
}


@pytest.mark.parametrize("build", ["official", "community"])
@holds("R.a", "R.a-community")
def test_enterprise_queries_are_refused_as_recorded(servers: Servers, build: str) -> None:
    """The official build without a licence says why, the other has one text, and fewer flags."""
    server = servers.start("a", *servers.edition(build))
    for query, text in ENTERPRISE.items():
        wanted = text if build == "official" else expected.NOT_IN_COMMUNITY
        assert server.refusal(query) == Refusal.client(wanted), query
    flags = {row[0] for row in server.rows("SHOW CONFIG")}
    assert ("coordinator_port" in flags, "management_port" in flags) == ((build == "official"),) * 2


@pytest.mark.parametrize(
    "query",
    ["CREATE (:X)", "MATCH (n) SET n.a = 1", "MATCH (n) DETACH DELETE n", "CREATE INDEX ON :N(i)"],
)
@holds("R.g", "S.codes")
def test_a_replica_refuses_writes(replica: Server, query: str) -> None:
    """Every kind of write gets the one text."""
    assert replica.refusal(query) == Refusal.client(expected.WRITE_ON_REPLICA)


@pytest.mark.parametrize(
    ("query", "refusal"),
    [
        ("DROP GRAPH", Refusal.transient(expected.DROP_GRAPH_MODE)),
        ("CREATE SNAPSHOT", Refusal.transient(expected.SNAPSHOT_ON_REPLICA)),
        ("CREATE USER a IDENTIFIED BY 'b'", Refusal.client(expected.USERS_ON_REPLICA)),
        ("SHOW REPLICAS", Refusal.client(expected.SHOW_ON_REPLICA)),
        ('REGISTER REPLICA x SYNC TO "127.0.0.1:1"', Refusal.client(expected.REGISTER_ON_REPLICA)),
        ("DROP REPLICA x", Refusal.client(expected.DROP_ON_REPLICA)),
    ],
)
@holds("R.g", "S.show-on-replica", "S.register-on-replica", "R.d")
def test_a_replica_refuses_what_only_main_may(replica: Server, query: str, refusal: Refusal) -> None:
    """Each with its own text; two of them are TransientErrors."""
    assert replica.refusal(query) == refusal


@holds("R.g")
def test_a_replica_answers_what_changes_nothing(replica: Server) -> None:
    """Reads, SHOWs and FREE MEMORY work, and one's own query is the one transaction listed."""
    assert replica.count() == 3
    assert replica.storage()["vertex_count"] == 3
    assert replica.rows("FREE MEMORY") == []
    transactions = replica.ask("SHOW TRANSACTIONS")
    assert transactions.columns == ["username", "transaction_id", "query", "metadata"]
    assert [(row[0], row[2], row[3]) for row in transactions.rows] == [("", ["SHOW TRANSACTIONS"], {})]


@holds("R.g")
def test_drop_graph_needs_the_analytical_mode_on_a_main_too(lone: Server) -> None:
    """The same TransientError."""
    assert lone.refusal("DROP GRAPH") == Refusal.transient(expected.DROP_GRAPH_MODE)

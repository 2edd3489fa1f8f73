"""SHOW queries and transactions as an operator sees them (raw recordings a, g; transcripts Q16, Q22)."""

from __future__ import annotations

import pytest

from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.quirks import quirks_of
from memgraph_ha.fakes.memgraph.settings import Edition, Settings
from memgraph_ha.fakes.memgraph.show import COLUMNS
from memgraph_ha.fakes.memgraph.statements import Topic
from memgraph_ha.fakes.memgraph.virtual import World
from tests.fakes.virtual_helpers import begin_with, commit, count, query_in, refusal

MULTICOMMAND = (
    "Managing replication is not allowed in multicommand transactions. A multicommand transaction, also known as"
    " an explicit transaction, groups multiple commands into a single atomic operation. Instead, please use an"
    " implicit transaction, also knwon as an auto committing transaction, in order to execute this particular"
    " query. For more details, visit https://memgraph.com/docs"
)


def test_storage_info_has_the_recorded_rows(world: World) -> None:
    """SHOW STORAGE INFO of 3.6 has sixteen rows in this order (raw recording a)."""
    assert [name for name, _ in world.ask("a", "SHOW STORAGE INFO")] == [
        "name",
        "database_uuid",
        "vertex_count",
        "edge_count",
        "average_degree",
        "vm_max_map_count",
        "memory_res",
        "peak_memory_res",
        "unreleased_delta_objects",
        "disk_usage",
        "memory_tracked",
        "allocation_limit",
        "global_isolation_level",
        "session_isolation_level",
        "next_session_isolation_level",
        "storage_mode",
    ]


@pytest.mark.parametrize(
    ("version", "plain_has_uuid", "knows_on_database"),
    [("3.6.1", True, False), ("3.9.0", True, False), ("3.10.0", True, True), ("3.11.0", False, True)],
)
def test_storage_info_by_version(version: str, plain_has_uuid: bool, knows_on_database: bool) -> None:
    """The uuid moves to ON DATABASE: added in 3.10, gone from the plain form in 3.11 (semantics 8)."""
    world = World()
    world.start("a", Settings(version=version))
    assert ("database_uuid" in dict(world.ask("a", "SHOW STORAGE INFO"))) is plain_has_uuid
    if knows_on_database:
        assert "vertex_count" in dict(world.ask("a", "SHOW STORAGE INFO ON DATABASE memgraph"))
    else:
        assert "Error on line 1" in refusal(world, "a", "SHOW STORAGE INFO ON DATABASE memgraph").message


@pytest.mark.parametrize(
    ("query", "official", "community"),
    [
        (
            "SHOW DATABASES",
            "Your license has an invalid type. To use multi-tenancy you need to have an enterprise license. \n",
            "Query is part of the Enterprise feature. In order to run it, you need an Enterprise license.",
        ),
        (
            "SHOW DATABASE",
            (
                "Trying to use enterprise feature without a valid license. Check your license status by running SHOW"
                " LICENSE INFO."
            ),
            "Query is part of the Enterprise feature. In order to run it, you need an Enterprise license.",
        ),
        (
            "SHOW METRICS INFO",
            "Your license has an invalid type. To use SHOW METRICS INFO you need to have an enterprise license. \n",
            "Query is part of the Enterprise feature. In order to run it, you need an Enterprise license.",
        ),
        (
            "SHOW INSTANCES",
            "Coordinator was not initialized as coordinator port, coordinator id or management port were not set.",
            "Query is part of the Enterprise feature. In order to run it, you need an Enterprise license.",
        ),
    ],
)
def test_enterprise_queries_are_refused_in_the_words_of_the_edition(query: str, official: str, community: str) -> None:
    """Each edition has its own refusal (raw recording a of both builds)."""
    world = World()
    world.start("a")
    world.start("b", Settings(edition=Edition.COMMUNITY))
    assert [refusal(world, name, query).message for name in "ab"] == [official, community]


def test_small_show_queries(world: World) -> None:
    """Version, build, licence, role, users and settings answer as recorded (raw recording a)."""
    assert world.ask("a", "SHOW VERSION") == [["3.6.1"]]
    assert world.ask("a", "SHOW BUILD INFO") == [["build_type", "Release"]]
    assert ["status", "You have not provided any license!"] in world.ask("a", "SHOW LICENSE INFO")
    assert world.ask("a", "SHOW CURRENT ROLE") == [[None]]
    assert world.ask("a", "SHOW CURRENT USER") == [[None]]
    assert world.ask("a", "SHOW USERS") == []
    assert ["query.timeout", "600"] in world.ask("a", "SHOW DATABASE SETTINGS")


def test_every_show_query_names_its_columns_before_its_rows(world: World) -> None:
    """What RUN announces has as many columns as the rows that follow."""
    for topic, columns in COLUMNS.items():
        if topic in {Topic.DATABASE_STORAGE_INFO, Topic.DATABASE_SETTING}:
            continue
        for answer in world.ask("a", f"SHOW {topic.value}"):
            assert len(answer) == len(columns), topic


def test_show_snapshots_lists_what_create_snapshot_made(world: World) -> None:
    """CREATE SNAPSHOT answers the path; it works on an empty graph and may be repeated (Q3c)."""
    paths = []
    for _ in range(2):
        paths.append(world.ask("a", "CREATE SNAPSHOT")[0][0])
        world.run(1.0)
    assert all(path.endswith("_timestamp_0") for path in paths)
    assert [each[0] for each in world.ask("a", "SHOW SNAPSHOTS")] == paths


@pytest.mark.parametrize(
    "query",
    [
        "SHOW REPLICATION ROLE",
        "SHOW REPLICAS",
        "SET REPLICATION ROLE TO MAIN",
        'REGISTER REPLICA b SYNC TO "b:10000"',
        "DROP REPLICA b",
    ],
)
def test_replication_queries_are_refused_in_explicit_transactions(world: World, query: str) -> None:
    """All replication queries are refused inside BEGIN, with one text (raw recording b)."""
    session = world.session("a")
    world.outcome(world.perform("a", begin_with(session, "RETURN 1")))
    with pytest.raises(MemgraphError) as caught:
        world.outcome(world.perform("a", query_in(session, query)))
    assert caught.value.message == MULTICOMMAND


def test_show_transactions_lists_itself_and_the_others(world: World) -> None:
    """Each open transaction is listed with an id beyond 2^63 and its queries (raw recording g)."""
    assert [each[2] for each in world.ask("a", "SHOW TRANSACTIONS")] == [["SHOW TRANSACTIONS"]]
    session = world.session("a")
    world.outcome(world.perform("a", begin_with(session, "CREATE (:Open)")))
    listed = world.ask("a", "SHOW TRANSACTIONS")
    assert sorted(each[2][0] for each in listed) == ["CREATE (:Open)", "SHOW TRANSACTIONS"]
    assert all(int(each[1]) >= 1 << 63 for each in listed)
    assert all(each[0] == "" and each[3] == {} for each in listed)


def test_terminated_transaction_cannot_commit(world: World) -> None:
    """TERMINATE TRANSACTIONS answers killed, the transaction is off the list, its COMMIT refused (Q22)."""
    session = world.session("a")
    world.outcome(world.perform("a", begin_with(session, "CREATE (:Open)")))
    number = next(each[1] for each in world.ask("a", "SHOW TRANSACTIONS") if each[2] == ["CREATE (:Open)"])
    assert world.ask("a", f'TERMINATE TRANSACTIONS "{number}"') == [[number, True]]
    assert [each[2] for each in world.ask("a", "SHOW TRANSACTIONS")] == [["SHOW TRANSACTIONS"]]
    with pytest.raises(MemgraphError) as caught:
        world.outcome(world.perform("a", commit(session)))
    assert caught.value.code.startswith("Memgraph.TransientError")
    assert caught.value.message == (
        "Aborting transaction commit because the transaction was requested to stop from other session. "
    )
    assert count(world, "a", "Open") == 0


def test_terminated_transaction_keeps_its_conflicts_until_its_client_speaks(world: World) -> None:
    """What it wrote stays locked until its client's next message or the end of its connection (Q22)."""
    world.ask("a", "CREATE (:N {i: 1})")
    session = world.session("a")
    world.outcome(world.perform("a", begin_with(session, "MATCH (n:N) SET n.i = 2")))
    number = next(each[1] for each in world.ask("a", "SHOW TRANSACTIONS") if "SET" in each[2][0])
    world.ask("a", f'TERMINATE TRANSACTIONS "{number}"')
    assert "conflicting transactions" in refusal(world, "a", "MATCH (n:N) SET n.i = 3").message
    session.abort()
    world.ask("a", "MATCH (n:N) SET n.i = 3")
    assert world.ask("a", "MATCH (n:N) RETURN n.i") == [[3]]


def test_next_query_after_a_termination_is_answered_or_refused(world: World) -> None:
    """The next RUN was answered 13 times of 20, else refused (Q22)."""
    outcomes = set()
    for _ in range(30):
        session = world.session("a")
        world.outcome(world.perform("a", begin_with(session, "RETURN 1")))
        number = next(each[1] for each in world.ask("a", "SHOW TRANSACTIONS") if each[2] == ["RETURN 1"])
        world.ask("a", f'TERMINATE TRANSACTIONS "{number}"')
        try:
            world.outcome(world.perform("a", query_in(session, "RETURN 2")))
            outcomes.add("answered")
        except MemgraphError as error:
            outcomes.add(error.message)
        session.abort()
    assert outcomes == {"answered", "Transaction was asked to abort by another user."}


def test_terminating_an_unknown_transaction(world: World) -> None:
    """An id that is not listed is answered with killed: False."""
    assert world.ask("a", 'TERMINATE TRANSACTIONS "17"') == [["17", False]]


def test_drop_graph_needs_analytical_mode(world: World) -> None:
    """DROP GRAPH is a TransientError in transactional mode and empties the graph in analytical (raw g, i5)."""
    world.ask("a", "CREATE (:N)")
    assert refusal(world, "a", "DROP GRAPH").message.startswith("Drop graph can only be used in the analytical mode")
    world.ask("a", "STORAGE MODE IN_MEMORY_ANALYTICAL")
    world.ask("a", "DROP GRAPH")
    world.ask("a", "STORAGE MODE IN_MEMORY_TRANSACTIONAL")
    assert count(world, "a") == 0


def test_replication_commands_need_transactional_mode(world: World) -> None:
    """In analytical mode REGISTER, DROP and SET ROLE are refused (semantics 2.0)."""
    world.ask("a", "STORAGE MODE IN_MEMORY_ANALYTICAL")
    message = refusal(world, "a", 'REGISTER REPLICA b SYNC TO "b:10000"').message
    assert message == "Replication query requires IN_MEMORY_TRANSACTIONAL mode."


def test_unknown_version_is_refused_by_name() -> None:
    """A version that is not known is an error that says which are."""
    with pytest.raises(ValueError, match=r"3\.4\.0"):
        quirks_of("3.4.0")
    with pytest.raises(ValueError, match="form"):
        quirks_of("3.6")
    assert (4, 4) in quirks_of("3.12.0").bolt_versions

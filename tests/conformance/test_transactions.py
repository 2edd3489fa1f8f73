"""Triggers and storage mode (Q21), TERMINATE TRANSACTIONS (Q22)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import neo4j
from neo4j.exceptions import Neo4jError

from tests.conformance import expected
from tests.conformance.answers import Refusal
from tests.conformance.questions import holds
from tests.conformance.servers import NOOP, Server, Servers, until


@holds("Q21.triggers", "Q21.not-fired")
def test_triggers_are_not_replicated_but_what_they_write_is(servers: Servers) -> None:
    """SHOW TRIGGERS on the replica is empty before and after its promotion, and nothing fires there."""
    main, replica = servers.pair("STRICT_SYNC")
    main.ask("CREATE TRIGGER log ON () CREATE BEFORE COMMIT EXECUTE CREATE (:Trace)")
    main.ask("CREATE TRIGGER gone ON () DELETE BEFORE COMMIT EXECUTE CREATE (:Trace)")
    assert sorted(row[0] for row in main.rows("SHOW TRIGGERS")) == ["gone", "log"]
    main.ask("CREATE (:N)")
    assert (main.count("Trace"), replica.count("Trace")) == (1, 1)
    main.ask(NOOP)
    assert main.count("Trace") == 1
    assert replica.rows("SHOW TRIGGERS") == []
    main.kill()
    replica.promote()
    replica.ask("CREATE (:N)")
    assert (replica.rows("SHOW TRIGGERS"), replica.count("Trace")) == ([], 1)
    replica.restart()
    assert replica.rows("SHOW TRIGGERS") == []


@holds("Q21.fired")
def test_the_noop_commit_fires_triggers_without_an_event(servers: Servers) -> None:
    """`BEFORE COMMIT` without an event fires on it, `ON CREATE BEFORE COMMIT` too."""
    server = servers.start("a")
    for name, event in (("any", ""), ("create", "ON CREATE ")):
        server.ask(f"CREATE TRIGGER {name} {event}BEFORE COMMIT EXECUTE CREATE (:Fired)")
        server.ask(NOOP)
        assert server.count("Fired") == 1, name
        server.ask(f"DROP TRIGGER {name}")
        server.ask("MATCH (n:Fired) DELETE n")


@holds("Q21.analytical", "Q21.analytical-after", "Q21.analytical-crash")
def test_what_is_written_in_analytical_mode_never_reaches_the_replica(servers: Servers) -> None:
    """Meanwhile the row is `{}`; afterwards it is `ready`, no-ops are acknowledged, and the write is missing.

    MAIN itself loses it at its next crash.  A REPLICA takes the mode as well.
    """
    main, replica = servers.pair("STRICT_SYNC")
    main.ask("CREATE (:N)")
    assert main.refusal("STORAGE MODE IN_MEMORY_ANALYTICAL") is None
    assert main.rows("SHOW REPLICAS")[0][4] == {}
    assert main.refusal("CREATE (:Meanwhile)") is None
    assert main.refusal(NOOP) is None
    assert main.refusal("STORAGE MODE IN_MEMORY_TRANSACTIONAL") is None
    main.until_status("b", "ready", 10)
    assert main.info("b")["behind"] == 0
    assert main.refusal(NOOP) is None
    assert (main.count("Meanwhile"), replica.count("Meanwhile")) == (1, 0)
    main.restart()
    assert (main.count("N"), main.count("Meanwhile")) == (1, 0)
    assert replica.refusal("STORAGE MODE IN_MEMORY_ANALYTICAL") is None


def _transaction_id(server: Server, query: str) -> str:
    (found,) = [row[1] for row in server.rows("SHOW TRANSACTIONS") if row[2] == [query]]
    return str(found)


@holds("Q22.killed", "Q22.commit")
def test_a_terminated_idle_transaction_cannot_commit(servers: Servers) -> None:
    """`killed: True`, no longer listed, COMMIT is a TransientError, and nothing of it stays."""
    server = servers.start("a")
    query = "CREATE (:Idle)"
    with server.driver() as driver, driver.session() as session:
        transaction = session.begin_transaction()
        transaction.run(query).consume()
        number = _transaction_id(server, query)
        answer = server.ask(f'TERMINATE TRANSACTIONS "{number}"')
        assert (answer.columns, answer.rows) == (["transaction_id", "killed"], [[number, True]])
        assert number not in {row[1] for row in server.rows("SHOW TRANSACTIONS")}
        refusal = None
        try:
            transaction.commit()
        except Neo4jError as error:
            refusal = Refusal.of(error)
    assert refusal == Refusal.transient(expected.TERMINATED_AT_COMMIT)
    assert server.count() == 0


@holds("Q22.run", "Q22.rollback", "Q22.conflicts")
def test_a_terminated_transaction_keeps_its_conflicts_until_its_client_moves(servers: Servers) -> None:
    """Its next RUN is answered or refused with the recorded text; after ROLLBACK its conflicts are gone."""
    server, transaction = _terminated(servers)
    with transaction as (_, open_transaction):
        assert server.refusal("MATCH (n:N) SET n.v = 2") is not None
        try:
            open_transaction.run("RETURN 1").consume()
        except Neo4jError as error:
            assert error.message == expected.TERMINATED  # noqa: PT017 - answered is allowed as well
        open_transaction.close()
        assert server.refusal("MATCH (n:N) SET n.v = 2") is None
    assert server.rows("MATCH (n:N) RETURN n.v") == [[2]]


@holds("Q22.conflicts")
def test_cutting_the_connection_of_a_terminated_client_ends_its_conflicts(servers: Servers) -> None:
    """Terminated but connected it still hinders others; without its connection it does not."""
    server, transaction = _terminated(servers)
    with transaction as (driver, _):
        assert server.refusal("MATCH (n:N) SET n.v = 2") is not None
        driver.close()
        until("the write", lambda: server.refusal("MATCH (n:N) SET n.v = 2"), lambda refusal: refusal is None, 5)
    assert server.rows("MATCH (n:N) RETURN n.v") == [[2]]


Open = contextlib.AbstractContextManager[tuple[neo4j.Driver, neo4j.Transaction]]


def _terminated(servers: Servers) -> tuple[Server, Open]:
    """Return a server and a client that wrote `(:N)` inside BEGIN, idles, and was terminated."""
    server = servers.start("a")
    server.ask("CREATE (:N {v: 0})")

    @contextlib.contextmanager
    def opened() -> Iterator[tuple[neo4j.Driver, neo4j.Transaction]]:
        query = "MATCH (n:N) SET n.v = 1"
        with server.driver() as driver, driver.session() as session:
            transaction = session.begin_transaction()
            transaction.run(query).consume()
            server.ask(f'TERMINATE TRANSACTIONS "{_transaction_id(server, query)}"')
            yield driver, transaction

    return server, opened()

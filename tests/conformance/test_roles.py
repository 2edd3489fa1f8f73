"""SET REPLICATION ROLE: texts, ports, what is open meanwhile (raw recordings b, h, l, n; Q6)."""

from __future__ import annotations

import socket
import threading
import time

import neo4j
import pytest
from neo4j.exceptions import ClientError

from tests.conformance import expected
from tests.conformance.answers import Refusal
from tests.conformance.load import background, timed
from tests.conformance.questions import holds
from tests.conformance.servers import Server, Servers


@holds("S.promote-main", "R.l")
def test_a_main_cannot_be_promoted(lone: Server) -> None:
    """The text is that of a busy lock too; the role stays."""
    for query in ("SET REPLICATION ROLE TO MAIN", "set replication role to main;"):
        assert lone.refusal(query) == Refusal.client(expected.CANNOT_PROMOTE)
    assert lone.refusal("SET REPLICATION ROLE TO MAIN WITH PORT 10000") == Refusal.client(expected.PORT_ON_MAIN)
    assert lone.role() == "main"


@pytest.mark.parametrize(
    ("query", "text"),
    [
        ("SET REPLICATION ROLE TO REPLICA", expected.PORT_MISSING),
        ("SET REPLICATION ROLE TO REPLICA WITH PORT 70000", expected.PORT_INVALID),
    ],
)
@holds("S.demotion-port", "R.b")
def test_a_demotion_needs_a_port(lone: Server, query: str, text: str) -> None:
    """Refused before anything happens."""
    assert lone.refusal(query) == Refusal.client(text)
    assert lone.role() == "main"


@holds("S.demotion-forgets", "S.demotion-again", "Q5.clear", "R.b")
def test_there_and_back_forgets_all_rows(servers: Servers) -> None:
    """Notifications, roles, no rows, and the replica can be registered anew (raw recording b; Q12b)."""
    main, replica = servers.pair("SYNC")
    main.ask("CREATE (:N)")
    demoted = main.demote()
    assert (demoted.columns, demoted.rows) == ([], [])
    assert demoted.notes == {"SetReplica": "Replica role set to REPLICA."}
    assert main.role() == "replica"
    assert main.refusal("SHOW REPLICAS") == Refusal.client(expected.SHOW_ON_REPLICA)
    assert main.count() == 1
    for port in (main.port, main.port + 1):
        again = f"SET REPLICATION ROLE TO REPLICA WITH PORT {port}"
        assert main.refusal(again) == Refusal.client(expected.CANNOT_DEMOTE)
    assert main.promote().notes == {"SetReplica": "Replica role set to MAIN."}
    assert main.rows("SHOW REPLICAS") == []
    main.register(replica, "STRICT_SYNC")
    assert main.refusal("CREATE (:N)") is None
    assert (main.count(), replica.count()) == (2, 2)


@holds("S.port-bound")
def test_a_port_that_cannot_be_bound_leaves_a_replica_without_a_server(servers: Servers) -> None:
    """The query errors, the role is `replica`, writes are refused, and only a promotion helps."""
    server = servers.start("a")
    with socket.create_server(("0.0.0.0", server.port)):  # noqa: S104 - where Memgraph binds
        assert server.refusal(server.demotion) == Refusal.client(expected.CANNOT_DEMOTE)
        assert server.role() == "replica"
        assert server.refusal("CREATE (:X)") == Refusal.client(expected.WRITE_ON_REPLICA)
    assert server.refusal(server.demotion) == Refusal.client(expected.CANNOT_DEMOTE)
    assert server.alive
    server.promote()
    server.demote()
    assert server.role() == "replica"


@holds("R.n-demotion", "S.demotion-open")
def test_open_transactions_at_a_demotion(servers: Servers) -> None:
    """Idle sessions and reads go on, a write fails at its next statement or at COMMIT, nothing of it stays."""
    server = servers.start("a")
    server.ask("CREATE (:N)")
    with server.driver() as driver, driver.session() as first, driver.session() as second, driver.session() as third:
        writing, other = first.begin_transaction(), second.begin_transaction()
        writing.run("CREATE (:InTx)").consume()
        other.run("CREATE (:InTx)").consume()
        reading = third.begin_transaction()
        assert reading.run("MATCH (n) RETURN count(n)").single(strict=True)[0] == 1
        server.demote()
        assert _commit(writing) == Refusal.client(expected.NOT_MAIN_ANYMORE)
        with pytest.raises(ClientError) as caught:
            other.run("CREATE (:InTx)").consume()
        assert Refusal.of(caught.value) == Refusal.client(expected.WRITE_ON_REPLICA)
        assert reading.run("MATCH (n) RETURN count(n)").single(strict=True)[0] == 1
        assert _commit(reading) is None
    assert (server.role(), server.count()) == ("replica", 1)


def _commit(transaction: neo4j.Transaction) -> Refusal | None:
    try:
        transaction.commit()
    except ClientError as error:
        return Refusal.of(error)
    return None


@holds("R.n-promotion")
def test_a_read_that_is_open_at_a_promotion_may_write_afterwards(servers: Servers) -> None:
    """The transaction begun on the REPLICA goes on, and its write commits."""
    _, replica = servers.pair("ASYNC")
    with replica.driver() as driver, driver.session() as session:
        transaction = session.begin_transaction()
        assert transaction.run("MATCH (n) RETURN count(n)").single(strict=True)[0] == 0
        replica.promote()
        transaction.run("CREATE (:D)").consume()
        transaction.commit()
    assert replica.count("D") == 1


@pytest.mark.parametrize(
    ("mode", "refusal", "kept"),
    [
        pytest.param("SYNC", Refusal.transient(expected.SYNC_UNCONFIRMED), 1, marks=pytest.mark.slow),
        ("STRICT_SYNC", Refusal.transient(expected.STRICT_ABORTED), 0),
        pytest.param("ASYNC", None, 1, marks=pytest.mark.slow),
    ],
)
@holds("S.not-fenced", "Q7.promote", "R.h")
def test_the_old_main_is_not_fenced_by_a_promotion(
    servers: Servers, mode: str, refusal: Refusal | None, kept: int
) -> None:
    """It stays MAIN with its rows; only in STRICT_SYNC it commits nothing; the promoted one has no rows."""
    main, replica = servers.pair(mode)
    replica.promote()
    assert replica.rows("SHOW REPLICAS") == []
    assert (main.role(), replica.role()) == ("main", "main")
    assert main.refusal("CREATE (:OldMainWrite)") == refusal
    assert main.count("OldMainWrite") == kept
    assert main.status("b") == "invalid"
    assert replica.count("OldMainWrite") == 0


@holds("S.promote-behind", "R.k")
def test_a_replica_that_is_behind_can_be_promoted(servers: Servers) -> None:
    """Nothing checks what it has."""
    main, replica = servers.pair("ASYNC")
    replica.kill()
    main.ask("CREATE (:Missed)")
    main.kill()
    replica.start()
    replica.promote()
    assert (replica.role(), replica.count()) == ("main", 0)


@pytest.mark.slow
@holds("R.n-long-write", "S.demotion-open")
def test_a_long_write_fails_at_its_commit_after_a_demotion(servers: Servers) -> None:
    """The demotion does not wait for the statement; nothing of it stays."""
    server = servers.start("a")
    with background() as pool:
        write = timed(pool, server, "UNWIND range(1, 300000) AS i CREATE (:Long {i: i})")
        threading.Event().wait(0.5)  # until it runs
        server.demote()
        assert server.role() == "replica"
        assert write.result(60)[1] == Refusal.client(expected.NOT_MAIN_ANYMORE)
    assert server.count() == 0


@pytest.mark.parametrize("gone", [pytest.param("dead", marks=pytest.mark.slow), "fenced"])
@pytest.mark.parametrize("restarted", [False, pytest.param(True, marks=pytest.mark.slow)], ids=["", "restarted"])
@holds("Q6.dead", "Q6.fenced", "Q6.restarted")
def test_a_demotion_does_not_wait_for_replicas_that_are_gone(servers: Servers, gone: str, *, restarted: bool) -> None:
    """First try, whether the replica is dead or follows another MAIN, and whether MAIN was restarted since."""
    main, replica = servers.pair("STRICT_SYNC")
    if gone == "dead":
        replica.kill()
    else:
        servers.start("c").refusal(main.registration(replica, "ASYNC"))
    if restarted:
        main.restart()
    before = time.monotonic()
    assert main.refusal(main.demotion) is None
    assert time.monotonic() - before < 3
    assert main.role() == "replica"


@pytest.mark.parametrize(
    ("when", "least_s", "most_s"),
    [
        pytest.param("at once", 0.0, 1.5, marks=pytest.mark.slow),
        pytest.param("after 2 s", 2.0, 6.0, marks=pytest.mark.slow),
        pytest.param("invalid", 3.0, 6.5, marks=pytest.mark.slow),
    ],
)
@holds("Q6.frozen", "Q6.frozen-role")
def test_a_demotion_waits_for_the_ping_of_a_frozen_replica_and_role_queries_with_it(
    servers: Servers, when: str, least_s: float, most_s: float
) -> None:
    """0.01 s at once, 4.0 s two seconds after the freeze, 5.0 s when the row is `invalid`: what is left of a ping."""
    main, replica = servers.pair("STRICT_SYNC")
    replica.freeze()
    if when == "after 2 s":
        time.sleep(2)  # the state asked for
    elif when == "invalid":
        main.until_status("b", "invalid", 25)
    with background() as pool:
        demotion = timed(pool, main, main.demotion)
        threading.Event().wait(0.3)
        role = timed(pool, main, "SHOW REPLICATION ROLE")
        took, refusal = demotion.result()
        assert refusal is None
        assert least_s < took < most_s
        assert role.result()[0] > took - 1.5
    assert main.role() == "replica"

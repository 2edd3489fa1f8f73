"""Bolt as clients see it (transcripts, "Bolt"; raw recording a)."""

from __future__ import annotations

import asyncio
import contextlib
import subprocess
import sys
import time
from pathlib import Path

import neo4j
import pytest
from neo4j.exceptions import ConnectionAcquisitionTimeoutError, ServiceUnavailable

from tests.conformance import expected, raw_bolt
from tests.conformance.answers import Refusal
from tests.conformance.load import background
from tests.conformance.questions import holds
from tests.conformance.servers import HOST, Server, Servers


@pytest.mark.parametrize(
    ("offers", "reply"),
    [
        ([(5, 8, 8)], "00000205"),
        ([(255, 1, 0), (5, 8, 8), (4, 4, 2), (3, 0, 0)], "00000205"),
        ([(5, 2, 0)], "00000205"),
        ([(5, 1, 0)], "0086b17f"),
        ([(5, 0, 0)], "0086b17f"),
        ([(4, 4, 0)], "0086b17f"),
        ([(4, 4, 2)], "00000304"),
        ([(4, 3, 0)], "00000304"),
        ([(4, 1, 0)], "00000104"),
        ([(4, 0, 0)], "00000004"),
        ([(3, 0, 0)], "0086b17f"),
        ([(1, 0, 0)], "00000001"),
    ],
)
@holds("S.bolt-versions")
def test_the_handshake_answers_with_the_recorded_bytes(lone: Server, offers: list[raw_bolt.Offer], reply: str) -> None:
    """Each offer of the recording gets the recorded four bytes."""
    with raw_bolt.connected(lone) as connection:
        assert raw_bolt.handshake(connection, *offers).hex() == reply


@holds("S.bolt-versions")
def test_a_refused_handshake_ends_the_connection(lone: Server) -> None:
    """Behind the refusal comes the end of the stream, not silence."""
    with raw_bolt.connected(lone) as connection:
        assert raw_bolt.handshake(connection, (3, 0, 0)).hex() == "0086b17f"
        while connection.recv(4096):
            pass


@pytest.mark.parametrize("build", ["official", pytest.param("community", marks=pytest.mark.slow)])
@holds("S.bolt-agent", "S.route")
def test_hello_logon_and_route_answer_byte_for_byte(servers: Servers, build: str) -> None:
    """HELLO and LOGON answer without hints; ROUTE of Bolt 5.2 is refused, by each build in its own words."""
    server = servers.start("a", *servers.edition(build))
    welcome = b"\xb1p\xa2\x8dconnection_id\x86bolt-1\x86server\xd09" + expected.AGENT.encode()
    if build == "official":
        refused = b"\xb1\x7f\xa2\x84code\xd03" + expected.TRANSIENT.encode() + b"\x87message\xd0O"
        refused += expected.NO_ROUTE.encode()
    else:
        refused = b"\xb1\x7f\xa2\x84code\x8266\x87message\xd0+Route message is not supported in Memgraph!"
    with raw_bolt.connected(server) as connection:
        raw_bolt.handshake(connection, (5, 2, 0))
        assert raw_bolt.message(connection, raw_bolt.HELLO) == welcome
        assert raw_bolt.message(connection, raw_bolt.LOGON) == welcome
        assert raw_bolt.message(connection, raw_bolt.ROUTE) == refused


@holds("S.bolt-agent")
def test_the_driver_sees_agent_and_version(lone: Server) -> None:
    """`get_server_info` of the stock driver."""
    with lone.driver() as driver:
        info = driver.get_server_info()
    assert (info.agent, info.protocol_version) == (expected.AGENT, (5, 2))


@holds("S.bolt-routing")
def test_routing_uris_fail(lone: Server) -> None:
    """`neo4j://` finds no routing table."""
    uri = f"neo4j://{HOST}:{lone.bolt}"
    with neo4j.GraphDatabase.driver(uri) as driver, pytest.raises(ServiceUnavailable) as caught:
        driver.verify_connectivity()
    assert "Unable to retrieve routing information" in str(caught.value)


@holds("S.bolt-access")
def test_read_access_mode_does_not_keep_writes_out(lone: Server) -> None:
    """A session with READ access mode writes on a MAIN."""
    with lone.driver() as driver, driver.session(default_access_mode=neo4j.READ_ACCESS) as session:
        assert session.run("CREATE (n:ByReader) RETURN labels(n)").single(strict=True)[0] == ["ByReader"]


@pytest.mark.parametrize(
    "query",
    ["SET REPLICATION ROLE TO REPLICA WITH PORT 10000", "SHOW REPLICATION ROLE", "SHOW REPLICAS"],
)
@holds("S.bolt-transactions", "S.codes")
def test_replication_queries_are_refused_inside_a_transaction(lone: Server, query: str) -> None:
    """BEGIN and any of them: a ClientError, and the role is what it was."""
    with lone.driver() as driver, driver.session() as session:
        transaction = session.begin_transaction()
        with pytest.raises(neo4j.exceptions.ClientError) as caught:
            transaction.run(query).consume()
        transaction.close()
    assert caught.value.code == expected.CLIENT
    assert str(caught.value.message).startswith("Managing replication is" + expected.IN_TRANSACTION)
    assert lone.role() == "main"


@holds("S.bolt-mgclient")
def test_mgclient_works(lone: Server) -> None:
    """The other stock client writes, reads and gets the same text as the driver."""
    script = Path(__file__).with_name("query_mgclient.py")
    done = subprocess.run(
        [sys.executable, str(script), str(lone.bolt)], capture_output=True, text=True, timeout=60, check=False
    )
    assert (done.returncode, done.stderr) == (0, "")
    assert done.stdout.splitlines() == ["[('seen', 3)]", expected.CANNOT_PROMOTE]


@holds("Q16.process")
def test_run_id_is_one_value_per_process(servers: Servers) -> None:
    """The same on every query, connection and role, also in a transaction; another after each restart."""
    server = servers.start("a")

    def run_ids() -> set[str]:
        found = set()
        with server.driver() as driver, driver.session() as session:
            for query in ("RETURN 1", "SHOW REPLICATION ROLE", "SHOW VERSION"):
                found.add(str(session.run(query).consume().metadata["run_id"]))
            with session.begin_transaction() as transaction:
                found.add(str(transaction.run("MATCH (n) RETURN n").consume().metadata["run_id"]))
        return found

    seen = [run_ids()]
    server.demote()
    assert run_ids() == seen[0]
    server.restart()
    seen.append(run_ids())
    server.terminate()
    server.start()
    seen.append(run_ids())
    assert [len(each) for each in seen] == [1, 1, 1]
    assert len(set.union(*seen)) == 3


@holds("Q16.where")
def test_run_id_comes_with_the_last_message_of_a_result_only(lone: Server) -> None:
    """Not with HELLO, LOGON, RUN or a failure; beside it are six keys of a read."""
    with raw_bolt.connected(lone) as connection:
        raw_bolt.logged_in(connection)
        head, last, *_ = raw_bolt.run(connection, "RETURN 1")
        assert (b"run_id" in head, b"run_id" in last) == (False, True)
        failure, *_ = raw_bolt.run(connection, "FOO")
        assert failure.startswith(raw_bolt.FAILURE)
        assert b"run_id" not in failure
    with lone.driver() as driver, driver.session() as session:
        found = session.run("RETURN 1").consume().metadata
    beside = {"cost_estimate", "db", "has_more", "parsing_time", "planning_time", "type"}
    assert beside <= found.keys()


@holds("Q15.new", "Q15.raw")
def test_a_frozen_server_blocks_the_driver_until_the_acquisition_deadline(servers: Servers) -> None:
    """`connection_timeout` does not bound a new connection, `connection_acquisition_timeout` does."""
    server = servers.start("a")
    server.freeze()
    before = time.monotonic()
    with (
        server.driver(connection_timeout=0.5, connection_acquisition_timeout=1.5) as driver,
        pytest.raises(ServiceUnavailable, match="Failed to read four byte Bolt handshake response"),
    ):
        driver.verify_connectivity()
    assert 1.4 < time.monotonic() - before < 5
    with raw_bolt.connected(server) as connection:
        connection.settimeout(0.5)
        with pytest.raises(TimeoutError):
            raw_bolt.handshake(connection, (5, 2, 0))
    server.thaw()
    assert server.role() == "main"


@pytest.mark.slow
@holds("Q15.pooled", "Q15.liveness")
def test_a_pooled_connection_to_a_frozen_server_is_bounded_by_a_liveness_check_only(servers: Servers) -> None:
    """`Query(timeout=)` goes to the server and bounds nothing; `liveness_check_timeout=0` with a deadline does."""
    server = servers.start("a")
    with (
        server.driver(liveness_check_timeout=0, connection_acquisition_timeout=1.5) as checked,
        contextlib.closing(server.driver()) as plain,
        background() as pool,
    ):
        for driver in (checked, plain):
            driver.verify_connectivity()
        server.freeze()
        waiting = pool.submit(_role_within_a_second, plain)
        before = time.monotonic()
        with pytest.raises((ServiceUnavailable, ConnectionAcquisitionTimeoutError)), checked.session() as session:
            session.run("SHOW REPLICATION ROLE").consume()
        assert 1.4 < time.monotonic() - before < 4
        assert not waiting.done()
        server.thaw()
        assert waiting.result(10) == "main"


def _role_within_a_second(driver: neo4j.Driver) -> str:
    with driver.session() as session:
        answer = session.run(neo4j.Query("SHOW REPLICATION ROLE", timeout=1))
        return str(answer.single(strict=True)[0])


@pytest.mark.slow
@holds("Q15.async")
def test_the_asynchronous_driver_can_be_given_up_on(servers: Servers) -> None:
    """`asyncio.wait_for` works against a frozen server, again and again, and so does the driver once it goes on."""
    server = servers.start("a")

    async def ask(driver: neo4j.AsyncDriver) -> str:
        async with driver.session() as session:
            answer = await session.run("SHOW REPLICATION ROLE")
            return str((await answer.single(strict=True))[0])

    async def scenario() -> str:
        async with neo4j.AsyncGraphDatabase.driver(f"bolt://{HOST}:{server.bolt}") as driver:
            await ask(driver)
            server.freeze()
            for _ in range(2):
                with pytest.raises(TimeoutError):
                    await asyncio.wait_for(ask(driver), 1)
            server.thaw()
            return await asyncio.wait_for(ask(driver), 10)

    assert asyncio.run(scenario()) == "main"


@holds("Q15.close")
def test_closing_the_driver_ends_a_query_on_a_frozen_server(servers: Servers) -> None:
    """From another thread `driver.close()` returns at once and so does the blocked run."""
    server = servers.start("a")
    driver = server.driver()
    with background() as pool:
        session = driver.session()
        session.run("RETURN 1").consume()
        server.freeze()
        blocked = pool.submit(lambda: session.run("SHOW REPLICATION ROLE").consume())
        with pytest.raises(TimeoutError):
            blocked.result(1)
        before = time.monotonic()
        driver.close()
        assert isinstance(blocked.exception(10), ServiceUnavailable)
        assert time.monotonic() - before < 5
        session.close()


@holds("S.codes")
def test_errors_differ_in_their_text_only(lone: Server) -> None:
    """A syntax error, a wrong role and an unknown row all have one code."""
    codes = set()
    for query in ("FOO", "SET REPLICATION ROLE TO MAIN", "DROP REPLICA nope", "SHOW INSTANCES"):
        refusal = lone.refusal(query)
        assert isinstance(refusal, Refusal)
        codes.add((refusal.kind, refusal.code))
    assert codes == {("ClientError", expected.CLIENT)}

"""Clients that misbehave: the server ends their connection, frees what they held, and never raises."""

from __future__ import annotations

import logging
import random
import socket
import struct
from collections.abc import Mapping

import pytest
import trio
from trio.testing import MockClock, lockstep_stream_pair

from memgraph_ha.fakes.memgraph.bolt import Limits, serve_connection
from memgraph_ha.fakes.memgraph.bolt.messages import Signature
from memgraph_ha.fakes.memgraph.graph_values import Value
from tests.fakes.query_client import RawClient, connected, message, offer
from tests.fakes.query_engine import BLOCK, MemoryEngine, MemoryResult, MemorySession

pytestmark = pytest.mark.trio

RUN, PULL, BEGIN = Signature.RUN, Signature.PULL, Signature.BEGIN
HELLO = message(Signature.HELLO, {"user_agent": "x"})
LOGON = message(Signature.LOGON, {})


async def tcp_pair(engine: MemoryEngine, nursery: trio.Nursery) -> trio.SocketStream:
    """Return the client's end of a real connection that is being served."""
    (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
    stream = await trio.open_tcp_stream("127.0.0.1", listener.socket.getsockname()[1])
    accepted = await listener.accept()
    await listener.aclose()
    nursery.start_soon(serve_connection, accepted, engine)
    return stream


async def test_a_client_that_leaves_frees_what_its_blocked_query_holds(autojump_clock: MockClock) -> None:
    """A query at work is cancelled when its client goes away, and its locks are gone with it."""
    engine = MemoryEngine(block=True)
    async with connected(engine) as client:
        await client.login()
        await client.send(RUN, BLOCK, {}, {})
        await trio.testing.wait_all_tasks_blocked()
        assert engine.blocked.is_set()
        assert engine.open_sessions == 1
    assert engine.open_sessions == 0
    assert engine.graph.vertex_count == 0
    assert trio.current_time() < 1
    assert autojump_clock is not None


async def test_a_client_that_leaves_inside_a_transaction_aborts_it() -> None:
    """What it wrote is taken back and the nodes it locked are free."""
    engine = MemoryEngine()
    async with connected(engine) as client:
        await client.login()
        await client.rows("CREATE (:L {x: 1})")
        await client.ask(BEGIN, {})
        await client.ask(RUN, "MATCH (n:L) SET n.x = 2", {}, {})
        await client.ask(PULL, {})
    async with connected(engine) as client:
        await client.login()
        assert await client.rows("MATCH (n:L) SET n.x = n.x + 10 RETURN n.x") == [[11]]


async def test_what_was_sent_before_leaving_is_still_done(autojump_clock: MockClock) -> None:
    """A client that writes and closes its side in one breath has its write carried out and answered."""
    engine = MemoryEngine(block=True)
    async with connected(engine) as client:
        await client.login()
        await client.stream.send_all(message(RUN, BLOCK, {}, {}) + message(PULL, {}))
        await client.stream.send_eof()
        await trio.testing.wait_all_tasks_blocked()
        await trio.sleep(0.05)
        engine.gate.set()
        assert [(await client.receive())[0] for _ in range(2)] == [Signature.SUCCESS, Signature.SUCCESS]
        assert await client.is_closed()
    assert engine.graph.vertex_count == 1
    assert engine.open_sessions == 0
    assert autojump_clock is not None


@pytest.mark.parametrize(
    "sent",
    [b"", b"\x60\x60", offer((5, 2, 0)), offer((5, 2, 0)) + b"\x00", offer((5, 2, 0)) + HELLO],
    ids=["nothing", "half a handshake", "no hello", "half a header", "no logon"],
)
async def test_a_client_that_does_not_log_in_is_cut(autojump_clock: MockClock, sent: bytes) -> None:
    """The login has a deadline, wherever the client stops."""
    async with connected(MemoryEngine(), Limits(login_s=5.0)) as client:
        await client.stream.send_all(sent)
        received = b""
        while data := await client.stream.receive_some():
            received += data
        assert trio.current_time() == pytest.approx(5.0, abs=0.2)
    assert autojump_clock is not None


async def test_a_client_that_is_logged_in_may_be_idle(autojump_clock: MockClock) -> None:
    """The deadline is for the login only: Memgraph has no idle timeout (semantics 9.4)."""
    async with connected(MemoryEngine(), Limits(login_s=5.0)) as client:
        await client.login()
        await trio.sleep(1000)
        assert await client.rows("RETURN 1") == [[1]]
    assert autojump_clock is not None


@pytest.mark.parametrize("seed", range(20))
async def test_garbage_after_the_handshake_ends_the_connection(seed: int) -> None:
    """Random bytes, before and after the login, are answered by a FAILURE at most."""
    noise = random.Random(seed).randbytes(3000)
    engine = MemoryEngine()
    for greeting in (b"", HELLO + LOGON):
        async with connected(engine, Limits(message_bytes=1000)) as client:
            await client.stream.send_all(offer((5, 2, 0)) + greeting + noise)
            await client.stream.receive_some(4)
    assert engine.open_sessions == 0


@pytest.mark.parametrize("logged_in", [False, True])
async def test_a_message_beyond_the_limit_ends_the_connection(logged_in: bool) -> None:
    """It is refused as soon as it is announced, with the FAILURE of a real server."""
    async with connected(MemoryEngine(), Limits(login_message_bytes=100, message_bytes=1000)) as client:
        if logged_in:
            await client.login()
            assert await client.rows("RETURN 1 // " + "x" * 900) == [[1]]
        else:
            await client.handshake((5, 2, 0))
        await client.stream.send_all(b"\x03\xe9" if logged_in else b"\x00\x65")
        signature, content = await client.receive()
        assert signature is Signature.FAILURE
        assert content["code"] == "Memgraph.ExecutionException"
        assert await client.is_closed()


async def test_a_value_that_nests_without_end_ends_the_connection() -> None:
    """Deep nesting is refused before it can exhaust the stack."""
    async with connected(MemoryEngine()) as client:
        await client.login()
        nested = b"\xb3\x10\x81x\xa1\x81p" + b"\x91" * 5000 + b"\xc0\xa0"
        await client.stream.send_all(len(nested).to_bytes(2, "big") + nested + b"\0\0")
        assert (await client.receive())[1]["code"] == "Memgraph.ExecutionException"
        assert await client.is_closed()


async def test_pipelined_messages_are_bounded(autojump_clock: MockClock) -> None:
    """While a query is at work only so much is read ahead; the rest waits in the connection."""
    engine = MemoryEngine(block=True)
    ours, theirs = lockstep_stream_pair()  # a send waits until the other side has read
    burst = message(RUN, "RETURN 1" + " " * 200, {}, {}) + message(PULL, {})
    taken = 0

    async def send_bursts() -> None:
        nonlocal taken
        for _ in range(100):
            await ours.send_all(burst)
            taken += len(burst)

    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, theirs, engine, Limits(backlog_bytes=1000))
        client = RawClient(ours)
        await client.login()
        await client.ask(RUN, "RETURN 0", {}, {})
        await client.ask(PULL, {})
        await client.receive()
        await client.send(RUN, BLOCK, {}, {})
        await client.send(PULL, {})
        nursery.start_soon(send_bursts)
        await trio.sleep(10)
        assert 1000 - len(burst) < taken < 1000 + 2 * len(burst)
        engine.gate.set()
        answers = [(await client.receive())[0] for _ in range(2 + 100 * 3)]
        assert answers.count(Signature.RECORD) == 100
        await ours.aclose()
    assert taken == 100 * len(burst)
    assert autojump_clock is not None


class BrokenSession(MemorySession):
    """A session with a bug."""

    async def run(self, query: str, parameters: Mapping[str, Value]) -> MemoryResult:
        """Fail in a way that no client can cause."""
        if query == "BUG":
            raise ZeroDivisionError(query)
        if query == "ODD":
            parameters = {"values": [1, object()]}
            return await super().run("UNWIND $values AS x RETURN x", parameters)
        return await super().run(query, parameters)


class BrokenEngine(MemoryEngine):
    """An engine whose sessions have a bug."""

    def open_session(self, user: str) -> MemorySession:  # noqa: ARG002 - it checks nobody
        """Return a session with a bug."""
        self.open_sessions += 1
        return BrokenSession(self)


async def test_a_bug_of_the_engine_is_logged_and_answered(caplog: pytest.LogCaptureFixture) -> None:
    """The client gets Memgraph's text for what it does not know, the log the truth, and all goes on."""
    async with connected(BrokenEngine()) as client:
        await client.login()
        with caplog.at_level(logging.ERROR):
            signature, failure = await client.ask(RUN, "BUG", {}, {})
        assert signature is Signature.FAILURE
        assert failure["code"] == "Memgraph.DatabaseError.MemgraphError.MemgraphError"
        assert "ZeroDivisionError: BUG" in caplog.text
        assert (await client.ask(Signature.RESET))[0] is Signature.SUCCESS
        assert await client.rows("RETURN 1") == [[1]]


async def test_a_value_without_an_encoding_does_not_break_the_stream() -> None:
    """The row that cannot be sent leaves no bytes behind; a FAILURE takes its place."""
    async with connected(BrokenEngine()) as client:
        await client.login()
        await client.ask(RUN, "ODD", {}, {})
        await client.send(PULL, {})
        assert await client.receive() == (Signature.RECORD, [1])
        signature, failure = await client.receive()
        assert signature is Signature.FAILURE
        assert "a object has no encoding" in failure["message"]
        assert (await client.ask(Signature.RESET))[0] is Signature.SUCCESS
        assert await client.rows("RETURN 1") == [[1]]


async def test_cancelling_the_server_closes_its_sessions() -> None:
    """A server that is shut down leaves no transaction open."""
    engine = MemoryEngine()
    ours, theirs = trio.testing.memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, theirs, engine)
        client = RawClient(ours)
        await client.login()
        await client.ask(BEGIN, {})
        nursery.cancel_scope.cancel()
    assert engine.open_sessions == 0


@pytest.mark.parametrize("moment", ["handshake", "login", "transaction", "blocked", "unread result"])
async def test_a_reset_of_the_connection_is_the_end_at_any_moment(moment: str) -> None:
    """RST instead of FIN, as after kill -9 with unread data, frees the session just as well."""
    engine = MemoryEngine(block=True)
    async with trio.open_nursery() as nursery:
        stream = await tcp_pair(engine, nursery)
        client = RawClient(stream)
        if moment == "handshake":
            await stream.send_all(offer((5, 2, 0))[:7])
        else:
            await client.login()
        if moment == "transaction":
            await client.ask(BEGIN, {})
        elif moment == "blocked":
            await client.send(RUN, BLOCK, {}, {})
            await trio.to_thread.run_sync(engine.blocked.wait, 10)
        elif moment == "unread result":
            await client.send(RUN, "UNWIND range(1, 200000) AS x RETURN toString(x) + 'padding padding'", {}, {})
            await client.send(PULL, {})
        stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        stream.socket.close()
        nursery.cancel_scope.deadline = trio.current_time() + 20
    assert not nursery.cancel_scope.cancelled_caught
    assert engine.open_sessions == 0


async def test_a_client_that_never_reads_holds_up_nobody_else() -> None:
    """Its result waits in bounded buffers while another client is served."""
    engine = MemoryEngine()
    async with trio.open_nursery() as nursery:
        greedy = await tcp_pair(engine, nursery)
        await RawClient(greedy).login()
        query = message(RUN, "UNWIND range(1, 300000) AS x RETURN toString(x) + '" + "x" * 200 + "'", {}, {})
        await greedy.send_all(query + message(PULL, {}))
        other = await tcp_pair(engine, nursery)
        client = RawClient(other)
        with trio.fail_after(20):
            await client.login()
            assert await client.rows("RETURN 1") == [[1]]
        assert engine.rows_fetched < 250_000
        await greedy.aclose()
        await other.aclose()
    assert engine.open_sessions == 0

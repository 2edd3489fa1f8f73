"""The Bolt server message by message, in every version, against the transcripts."""

from __future__ import annotations

from typing import Any

import pytest

from memgraph_ha.fakes.memgraph.bolt.messages import Signature
from memgraph_ha.fakes.memgraph.graph_values import Node
from tests.fakes.query_client import AUTH, connected, message, offer
from tests.fakes.query_engine import RUN_ID, SERVER_NAME, MemoryEngine

pytestmark = pytest.mark.trio

HELLO, LOGON, LOGOFF, GOODBYE = Signature.HELLO, Signature.LOGON, Signature.LOGOFF, Signature.GOODBYE
RUN, PULL, DISCARD, RESET = Signature.RUN, Signature.PULL, Signature.DISCARD, Signature.RESET
BEGIN, COMMIT, ROLLBACK, ROUTE = Signature.BEGIN, Signature.COMMIT, Signature.ROLLBACK, Signature.ROUTE
SUCCESS, FAILURE, IGNORED, RECORD = Signature.SUCCESS, Signature.FAILURE, Signature.IGNORED, Signature.RECORD
ALL = {"n": -1}
CLIENT_ERROR = "Memgraph.ClientError.MemgraphError.MemgraphError"
INVALID = {
    "code": "Memgraph.ExecutionException",
    "message": "Something went wrong while executing the query! Check the server logs for more details.",
}


@pytest.mark.parametrize(
    ("versions", "answer"),
    [
        # Each line is one of transcripts, official.md, "Bolt handshake".
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
        # The offers of mgclient, and an offer behind the end of the list.
        ([(4, 4, 0), (4, 3, 0), (4, 1, 0), (1, 0, 0)], "00000304"),
        ([(0, 0, 0), (5, 2, 0)], "0086b17f"),
        ([(5, 1, 200)], "0086b17f"),
    ],
)
async def test_the_handshake_answers_as_a_real_server(versions: list[tuple[int, int, int]], answer: str) -> None:
    """Versions, ranges and refusals are those of the transcripts, byte for byte."""
    async with connected(MemoryEngine()) as client:
        assert (await client.handshake(*versions)).hex() == answer


async def test_a_refused_handshake_is_a_failure_message() -> None:
    """The refusal that begins with 0086b17f is the FAILURE of 134 bytes, and then the end."""
    async with connected(MemoryEngine()) as client:
        await client.stream.send_all(bytes.fromhex("6060b017") + bytes(16))
        assert await client.receive() == (FAILURE, INVALID)
        assert client.raw.hex().startswith("0086b17f")
        assert await client.is_closed()


async def test_something_else_than_bolt_is_refused_in_the_same_way() -> None:
    """An HTTP request gets the FAILURE and the end of the connection."""
    async with connected(MemoryEngine()) as client:
        await client.stream.send_all(b"GET / HTTP/1.1\r\nHost: x\r\n\r\n")
        assert await client.receive() == (FAILURE, INVALID)
        assert await client.is_closed()


async def test_hello_logon_and_route_answer_byte_for_byte() -> None:
    """These three byte strings are in the transcripts (official.md, "raw Bolt 5.2 ...")."""
    welcome = (
        b"\xb1p\xa2\x8dconnection_id\x86bolt-1\x86server\xd09Neo4j/v5.11.0 compatible graph database server - Memgraph"
    )
    route = (
        b"\xb1\x7f\xa2\x84code\xd03Memgraph.TransientError.MemgraphError.MemgraphError\x87message\xd0O"
        b"You cannot fetch routing table from an instance which is not part of a cluster."
    )
    async with connected(MemoryEngine()) as client:
        await client.handshake((5, 2, 0))
        await client.ask(HELLO, {"user_agent": "x"})
        await client.ask(LOGON, AUTH)
        await client.ask(ROUTE, {}, [], {})
        frames = [len(one).to_bytes(2, "big") + one + b"\0\0" for one in (welcome, welcome, route)]
        assert client.raw == b"".join(frames)


@pytest.mark.parametrize("version", [(4, 0), (4, 1), (4, 3)])
async def test_version_4_logs_in_with_hello(version: tuple[int, int]) -> None:
    """HELLO carries the login, nodes have three fields, and ROUTE exists from 4.3 on."""
    async with connected(MemoryEngine()) as client:
        await client.handshake((*version, 0))
        signature, content = await client.ask(HELLO, {"user_agent": "x", **AUTH})
        assert (signature, content) == (SUCCESS, {"connection_id": "bolt-1", "server": SERVER_NAME})
        ((node,),) = await client.rows("CREATE (n:L) RETURN n")
        assert node.fields == (0, ["L"], {})
        signature, content = await client.ask(ROUTE, {}, [], None)
        known = version == (4, 3)
        assert signature is FAILURE
        assert (content == INVALID) is not known


async def test_version_1_has_no_maps_around_its_messages() -> None:
    """INIT, RUN, PULL_ALL, DISCARD_ALL and ACK_FAILURE as clients of the first version send them."""
    async with connected(MemoryEngine()) as client:
        await client.handshake((1, 0, 0))
        assert (await client.ask(HELLO, "old/1", AUTH))[0] is SUCCESS
        assert await client.ask(RUN, "UNWIND [1, 2] AS x RETURN x", {}) == (SUCCESS, {"fields": ["x"]})
        await client.send(PULL)
        assert [(await client.receive())[1] for _ in range(2)] == [[1], [2]]
        assert (await client.receive())[1]["has_more"] is False
        assert (await client.ask(RUN, "NONSENSE", {}))[0] is FAILURE
        assert (await client.ask(PULL))[0] is IGNORED
        assert (await client.ask(Signature.ACK_FAILURE))[0] is SUCCESS
        assert (await client.ask(RUN, "CREATE (n) RETURN n", {}))[0] is SUCCESS
        assert (await client.ask(DISCARD))[0] is SUCCESS
        assert (await client.ask(RUN, "BEGIN", {}))[0] is SUCCESS
        assert (await client.ask(PULL))[0] is SUCCESS
        assert (await client.ask(BEGIN, {}))[1] == INVALID
        assert await client.is_closed()


async def test_the_final_success_carries_the_run_id_and_the_rest() -> None:
    """The keys are those of transcripts Q16, and only there: not in RUN, not in a failure."""
    async with connected(MemoryEngine()) as client:
        await client.login()
        assert await client.ask(RUN, "RETURN 1 AS x", {}, {}) == (SUCCESS, {"fields": ["x"]})
        await client.send(PULL, ALL)
        assert await client.receive() == (RECORD, [1])
        signature, summary = await client.receive()
        assert signature is SUCCESS
        assert set(summary) == {
            "cost_estimate", "db", "has_more", "parsing_time", "planning_time", "run_id", "type",
        }  # fmt: skip
        assert (summary["run_id"], summary["db"], summary["has_more"]) == (RUN_ID, "memgraph", False)
        assert set((await client.ask(RUN, "NONSENSE", {}, {}))[1]) == {"code", "message"}


async def test_results_are_pulled_in_parts_and_discarded() -> None:
    """PULL n leaves has_more, the next one goes on, DISCARD skips, n of zero fetches nothing."""
    async with connected(MemoryEngine()) as client:
        await client.login()
        await client.ask(RUN, "UNWIND range(1, 6) AS x RETURN x", {}, {})
        assert await client.ask(PULL, {"n": 0}) == (SUCCESS, {"has_more": True})
        await client.send(PULL, {"n": 2})
        assert [await client.receive() for _ in range(3)] == [
            (RECORD, [1]), (RECORD, [2]), (SUCCESS, {"has_more": True}),
        ]  # fmt: skip
        assert await client.ask(DISCARD, {"n": 2, "qid": -1}) == (SUCCESS, {"has_more": True})
        await client.send(PULL, {"n": 5})
        assert [(await client.receive())[1] for _ in range(2)] == [[5], [6]]
        assert (await client.receive())[1]["has_more"] is False


async def test_explicit_transactions_number_their_queries() -> None:
    """RUN answers a qid inside a transaction only, and PULL must name the last one."""
    async with connected(MemoryEngine()) as client:
        await client.login()
        assert await client.ask(BEGIN, {"mode": "w", "db": "memgraph"}) == (SUCCESS, {})
        for number in range(2):
            assert (await client.ask(RUN, "CREATE (n:L) RETURN n", {}, {}))[1] == {"fields": ["n"], "qid": number}
            await client.send(PULL, {"n": -1, "qid": number})
            assert [(await client.receive())[0] for _ in range(2)] == [RECORD, SUCCESS]
        assert await client.ask(COMMIT) == (SUCCESS, {})
        assert await client.rows("MATCH (n:L) RETURN count(n)") == [[2]]
        await client.ask(BEGIN, {})
        await client.ask(RUN, "CREATE (:L)", {}, {})
        signature, failure = await client.ask(PULL, {"qid": 7})
        assert signature is FAILURE
        assert failure["message"] == "Invalid arguments sent: qid - Query with specified ID does not exist!"


async def test_rollback_and_reset_take_an_open_transaction_back() -> None:
    """Neither leaves anything written, and both leave a connection that works."""
    async with connected(MemoryEngine()) as client:
        await client.login()
        for end in (ROLLBACK, RESET):
            await client.ask(BEGIN, {})
            await client.ask(RUN, "CREATE (:L)", {}, {})
            await client.ask(PULL, ALL)
            assert await client.ask(end) == (SUCCESS, {})
            assert await client.rows("MATCH (n:L) RETURN count(n)") == [[0]]


async def test_reset_in_the_middle_of_a_result_drops_it() -> None:
    """After RESET the rest of the rows is gone and its transaction aborted."""
    engine = MemoryEngine()
    async with connected(engine) as client:
        await client.login()
        await client.ask(RUN, "UNWIND [1, 2, 3] AS x CREATE (n:L {x: x}) RETURN n.x", {}, {})
        await client.send(PULL, {"n": 1})
        assert [(await client.receive())[0] for _ in range(2)] == [RECORD, SUCCESS]
        assert await client.ask(RESET) == (SUCCESS, {})
        assert await client.rows("MATCH (n:L) RETURN count(n)") == [[0]]


async def test_after_a_failure_everything_is_ignored_until_reset() -> None:
    """FAILURE once, then IGNORED for each message, then SUCCESS of RESET; pipelined as drivers do."""
    async with connected(MemoryEngine()) as client:
        await client.login()
        for signature, *fields in ((RUN, "NONSENSE", {}, {}), (PULL, ALL), (RUN, "RETURN 1", {}, {}), (RESET,)):
            await client.send(signature, *fields)
        answers = [await client.receive() for _ in range(4)]
        assert [signature for signature, _ in answers] == [FAILURE, IGNORED, IGNORED, SUCCESS]
        assert answers[0][1]["code"] == CLIENT_ERROR
        assert await client.rows("RETURN 1") == [[1]]


async def test_a_commit_error_of_an_autocommit_query_comes_with_pull() -> None:
    """The rows are answered and the failure takes the place of the summary."""
    async with connected(MemoryEngine()) as client:
        await client.login()
        await client.rows("CREATE CONSTRAINT ON (n:L) ASSERT n.x IS UNIQUE")
        await client.rows("CREATE (:L {x: 1})")
        assert (await client.ask(RUN, "CREATE (n:L {x: 1}) RETURN n.x", {}, {}))[0] is SUCCESS
        await client.send(PULL, ALL)
        assert (await client.receive())[0] is FAILURE
        assert await client.ask(RESET) == (SUCCESS, {})


@pytest.mark.parametrize(
    ("good", "bad"), [(AUTH, {**AUTH, "credentials": "wrong"}), (AUTH, {}), (AUTH, {"scheme": "none"})]
)
async def test_a_wrong_login_is_refused_and_cut(good: dict[str, str], bad: dict[str, str]) -> None:
    """Code and text are those of transcripts Q2; a right login works, before and after LOGOFF."""
    engine = MemoryEngine(users={"ann": "secret"})
    async with connected(engine) as client:
        await client.login(**good)
        assert await client.ask(LOGOFF) == (SUCCESS, {})
        assert (await client.ask(LOGON, good))[0] is SUCCESS
        assert await client.rows("RETURN 1") == [[1]]
    async with connected(engine) as client:
        await client.handshake((5, 2, 0))
        await client.ask(HELLO, {"user_agent": "x"})
        assert await client.ask(LOGON, bad) == (
            FAILURE,
            {"code": "Memgraph.ClientError.Security.Unauthenticated", "message": "Authentication failure"},
        )
        assert await client.is_closed()
    assert engine.open_sessions == 0


MISUSE: list[list[tuple[Any, ...]]] = [
    [(RUN, "RETURN 1", {}, {}), (RUN, "RETURN 2", {}, {})],
    [(RUN, "RETURN 1", {}, {}), (BEGIN, {})],
    [(BEGIN, {}), (RUN, "RETURN 1", {}, {}), (COMMIT,)],
    [(PULL, ALL)],
    [(DISCARD, ALL)],
    [(RUN, "RETURN 1", {})],
    [(RUN, 1, {}, {})],
    [(PULL,)],
    [(RUN, "RETURN 1", {}, {}), (PULL, {"n": "all"})],
    [(LOGON, {})],
    [(HELLO, {"user_agent": "x"})],
    [(Signature.ACK_FAILURE,)],
    [(Signature.SUCCESS, {})],
]


@pytest.mark.parametrize("messages", MISUSE)
async def test_a_message_out_of_place_ends_the_connection(messages: list[tuple[Any, ...]]) -> None:
    """A client that breaks the protocol gets the FAILURE of a real server, and the session is closed."""
    engine = MemoryEngine()
    async with connected(engine) as client:
        await client.login()
        for signature, *fields in messages[:-1]:
            assert (await client.ask(signature, *fields))[0] is SUCCESS
        signature, *fields = messages[-1]
        assert await client.ask(signature, *fields) == (FAILURE, INVALID)
        assert await client.is_closed()
    assert engine.open_sessions == 0


@pytest.mark.parametrize("content", [b"\x01", b"\xa0", b"\xb0\x00", b"\xb1\x10\x01", b"\xc7"])
async def test_what_is_no_message_ends_the_connection(content: bytes) -> None:
    """A chunk that holds a plain value, an unknown tag, missing fields or no PackStream is refused."""
    async with connected(MemoryEngine()) as client:
        await client.login()
        await client.stream.send_all(len(content).to_bytes(2, "big") + content + b"\0\0")
        assert await client.receive() == (FAILURE, INVALID)
        assert await client.is_closed()


@pytest.mark.parametrize(
    "first",
    [
        (RUN, "RETURN 1", {}, {}),
        (RESET,),
        (HELLO, {"no": "agent"}),
        (LOGON, {"scheme": "kerberos"}),
        (LOGON, {"scheme": "basic", "principal": 1}),
        (LOGON, {"scheme": "basic", "credentials": 1}),
    ],
)
async def test_before_the_login_only_a_login_is_taken(first: tuple[Any, ...]) -> None:
    """Anything else ends the connection before a session is opened."""
    engine = MemoryEngine()
    async with connected(engine) as client:
        await client.handshake((5, 2, 0))
        signature, *fields = first
        assert await client.ask(signature, *fields) == (FAILURE, INVALID)
        assert await client.is_closed()
    assert engine.open_sessions == 0


async def test_goodbye_ends_the_connection_without_an_answer() -> None:
    """The server closes, whatever the state."""
    async with connected(MemoryEngine()) as client:
        await client.login()
        await client.send(GOODBYE)
        assert await client.is_closed()


@pytest.mark.parametrize(
    ("request_fields", "text"),
    [
        (("RETURN $x", {"x": [{"deep": None}]}, {"db": "other"}), 'Tried to retrieve an unknown database "other".'),
        (("RETURN $x", {}, {}), "Parameter $x not provided."),
        (("RETURN 1", {"x": [{"y": Node(1)}]}, {}), "Parameter $x holds a structure 0x4E"),
    ],
)
async def test_what_run_refuses_is_a_failure_of_run(request_fields: tuple[Any, ...], text: str) -> None:
    """Other databases, missing parameters and values of unknown types are refused at RUN."""
    async with connected(MemoryEngine()) as client:
        await client.login()
        signature, failure = await client.ask(RUN, *request_fields)
        assert signature is FAILURE
        assert failure["message"].startswith(text)


async def test_transactions_can_be_driven_by_text() -> None:
    """BEGIN, COMMIT and ROLLBACK work as queries, which is how mgclient sends them."""
    async with connected(MemoryEngine()) as client:
        await client.login()

        async def tell(query: str) -> None:
            assert await client.rows(query) == []

        for end, count in (("rollback;", 0), (" COMMIT ", 1)):
            await tell("BEGIN")
            await tell("CREATE (:L)")
            await tell(end)
            assert await client.rows("MATCH (n:L) RETURN count(n)") == [[count]]
        await client.ask(RUN, "begin", {}, {})
        assert (await client.ask(DISCARD, ALL))[0] is SUCCESS
        assert (await client.ask(RESET))[0] is SUCCESS
        await client.ask(RUN, "COMMIT", {}, {})
        assert (await client.ask(PULL, ALL))[1]["message"] == "No current transaction to commit."


async def test_noops_between_messages_are_no_messages() -> None:
    """Empty chunks keep a connection alive and are answered by nothing."""
    async with connected(MemoryEngine()) as client:
        await client.login()
        for _ in range(3):
            await client.stream.send_all(b"\0\0")
        assert await client.rows("RETURN 1") == [[1]]


async def test_a_whole_conversation_may_be_sent_at_once() -> None:
    """Requests that arrive in one packet are answered in their order."""
    async with connected(MemoryEngine()) as client:
        conversation = [
            message(HELLO, {"user_agent": "x"}), message(LOGON, {}), message(BEGIN, {}),
            message(RUN, "CREATE (n:L) RETURN id(n)", {}, {}), message(PULL, ALL), message(COMMIT), message(GOODBYE),
        ]  # fmt: skip
        await client.stream.send_all(offer((5, 2, 0)) + b"".join(conversation))
        assert await client.stream.receive_some(4) == bytes.fromhex("00000205")
        answers = [(await client.receive())[0] for _ in range(7)]
        assert answers == [SUCCESS, SUCCESS, SUCCESS, SUCCESS, RECORD, SUCCESS, SUCCESS]
        assert await client.is_closed()

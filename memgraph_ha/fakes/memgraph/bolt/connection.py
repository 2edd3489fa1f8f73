"""The server's side of one Bolt connection after the handshake: messages in, answers out, no I/O.

Source of every state and answer: transcripts "Bolt" and Q16, semantics 9, and where these are silent
Memgraph's bolt/v1/states.
"""

from __future__ import annotations

import logging
import re
from collections.abc import Awaitable, Callable, Mapping
from enum import Enum
from typing import Final

from attrs import frozen

from memgraph_ha.fakes.memgraph.bolt.engine import Engine, EngineSession, RunResult
from memgraph_ha.fakes.memgraph.bolt.handshake import Version
from memgraph_ha.fakes.memgraph.bolt.messages import (
    Answers,
    ProtocolViolation,
    Request,
    Signature,
    parse_request,
)
from memgraph_ha.fakes.memgraph.bolt.packstream import PackStreamError, Structure
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph_values import Value

_LOG: Final = logging.getLogger(__name__)

# Rows fetched from the engine at once, and bytes gathered before they are sent.
_BATCH_ROWS: Final = 1000
FLUSH_BYTES: Final = 64 * 1024
_DATABASE: Final = "memgraph"
_CONNECTION_ID: Final = "bolt-1"
_TRANSACTION_TEXT: Final = re.compile(r"\s*(BEGIN|COMMIT|ROLLBACK)\s*;?\s*", re.IGNORECASE)
# What every summary holds beside run_id, db and has_more (transcripts Q16); we plan nothing.
_PLANNER: Final[Mapping[str, Value]] = {
    "type": "r",
    "cost_estimate": 0.0,
    "parsing_time": 0.0,
    "planning_time": 0.0,
}


_UNKNOWN: Final = "An unknown exception occurred, this is unexpected. Real message should be in database logs."


class ClientGoneError(Exception):
    """The answers cannot be sent any more; raised by `flush`."""


class State(Enum):
    """What the connection is waiting for."""

    INIT = "init"
    IDLE = "idle"
    RESULT = "result"
    ERROR = "error"
    CLOSED = "closed"


class Connection:
    """Handles the messages of one client, one after the other.

    Args:
        engine: The database.
        version: What the handshake led to.
        flush: Sends and clears `out`; awaited while a long result is being fetched.
    """

    def __init__(self, engine: Engine, version: Version, flush: Callable[[], Awaitable[None]]) -> None:
        self.state = State.INIT
        self.out = bytearray()
        self._answers = Answers(self.out, version[0])
        self._engine = engine
        self._version = version
        self._flush = flush
        self._session: EngineSession | None = None
        self._result: RunResult | None = None
        self._next_qid: int | None = None

    async def handle(self, message: bytes) -> None:
        """Answer one message into `out`; afterwards `state` may be CLOSED.

        What a client must not send and whatever goes wrong in the engine is answered, not raised.

        Args:
            message: Without chunk headers.

        Raises:
            ClientGoneError: From `flush`.
        """
        try:
            request = parse_request(message, self._version)
            await self._dispatch(request)
        except MemgraphError as error:
            self._fail(error)
        except (ProtocolViolation, PackStreamError) as error:
            _LOG.info("Bolt client sent invalid data: %s", error)
            self._answers.invalid_data()
            self.state = State.CLOSED
        except ClientGoneError:
            raise
        except Exception:  # noqa: BLE001 - whatever it is, one client's query must not end the server
            # As Memgraph does with an exception it does not know (semantics 2.0): the client gets a
            # plain text, the log the truth, and the server goes on.
            _LOG.exception("Unknown exception occurred during query execution.")
            self._fail(MemgraphError.database(_UNKNOWN))

    async def close(self) -> None:
        """End the session, if there is one; whatever is open is aborted."""
        self.state = State.CLOSED
        if self._session is not None:
            session, self._session = self._session, None
            await session.close()

    def _fail(self, error: MemgraphError) -> None:
        self._answers.failure(error.code, error.message)
        self._result = None
        self.state = State.ERROR if self.state is not State.INIT else State.CLOSED

    async def _dispatch(self, request: Request) -> None:
        if request.signature is Signature.GOODBYE:
            self.state = State.CLOSED
        elif self.state is State.INIT:
            await self._log_in(request)
        elif self.state is State.ERROR:
            await self._recover(request)
        else:
            await self._serve(request)

    # -- logging in ------------------------------------------------------------------------------

    async def _log_in(self, request: Request) -> None:
        logs_on = self._version >= (5, 1)
        match request:
            case Request(Signature.HELLO, (dict(extra),)):
                if "user_agent" not in extra:
                    raise ProtocolViolation("HELLO has no user_agent")
                if not logs_on:
                    await self._authenticate(extra)
            case Request(Signature.HELLO, (str(), dict(extra))):
                await self._authenticate(extra)
            case Request(Signature.LOGON, (dict(extra),)):
                await self._authenticate(extra)
            case _:
                raise ProtocolViolation(f"{request.signature.name} before the login")
        name = self._engine.server_name
        self._answers.success({"connection_id": _CONNECTION_ID} | ({"server": name} if name else {}))

    async def _authenticate(self, extra: Mapping[str, Value]) -> None:
        scheme = extra.get("scheme", "none")
        principal = extra.get("principal", "")
        credentials = extra.get("credentials", "")
        if scheme not in ("basic", "none") or not isinstance(principal, str):
            raise ProtocolViolation(f"the authentication scheme {scheme!r} is not supported")
        if not isinstance(credentials, str):
            raise ProtocolViolation("credentials must be a string")
        await self._engine.authenticate(scheme, principal, credentials)
        if self._session is None:
            self._session = self._engine.open_session(principal)
        self.state = State.IDLE

    # -- after a failure -------------------------------------------------------------------------

    async def _recover(self, request: Request) -> None:
        match request.signature:
            case Signature.RESET:
                await self._reset()
            case Signature.ACK_FAILURE:
                self._answers.success({})
                self.state = State.IDLE
            case _:
                self._answers.ignored()

    async def _reset(self) -> None:
        self._result = None
        self._next_qid = None
        self.state = State.IDLE
        await self._session_now().reset()
        self._answers.success({})

    def _session_now(self) -> EngineSession:
        if self._session is None:
            raise ProtocolViolation("not logged in")
        return self._session

    # -- requests --------------------------------------------------------------------------------

    async def _serve(self, request: Request) -> None:
        match request:
            case Request(Signature.RESET):
                await self._reset()
            case Request(Signature.PULL | Signature.DISCARD, fields):
                await self._fetch(fields[0] if fields else {}, wanted=request.signature is Signature.PULL)
            case Request(Signature.ROUTE):
                raise self._engine.route_failure()
            case _ if self.state is not State.IDLE:
                # A second RUN while rows are left ends the connection on a real server too, inside
                # and outside a transaction: Memgraph's HandleRunV4, "Unexpected RUN command!".
                raise ProtocolViolation(f"{request.signature.name} while there are rows to fetch")
            case Request(Signature.RUN, (str(query), dict(parameters), *extra)):
                _check_database(extra[0] if extra else {})
                await self._run(query, parameters)
            case Request(Signature.BEGIN, (dict(extra_map),)):
                _check_database(extra_map)
                await self._begin(extra_map)
                self._answers.success({})
            case Request(Signature.COMMIT):
                self._answers.success(await self._commit())
            case Request(Signature.ROLLBACK):
                await self._rollback()
                self._answers.success({})
            case Request(Signature.LOGOFF):
                self._answers.success({})
                self.state = State.INIT
            case _:
                raise ProtocolViolation(f"{request.signature.name} is not for a server that is ready")

    async def _begin(self, extra: Mapping[str, Value]) -> None:
        await self._session_now().begin(extra)
        self._next_qid = 0

    async def _commit(self) -> Mapping[str, Value]:
        self._next_qid = None
        return await self._session_now().commit()

    async def _rollback(self) -> None:
        self._next_qid = None
        await self._session_now().rollback()

    async def _run(self, query: str, parameters: Mapping[str, Value]) -> None:
        for name, value in parameters.items():
            _check_parameter(name, value)
        command = _TRANSACTION_TEXT.fullmatch(query)
        if command is not None:
            self._result = _TransactionCommand(self._transaction_command(command.group(1).upper()))
        else:
            self._result = await self._session_now().run(query, parameters)
        metadata: dict[str, Value] = {"fields": list(self._result.columns)}
        if self._next_qid is not None and command is None:
            metadata["qid"] = self._next_qid
            self._next_qid += 1
        self._answers.success(metadata)
        self.state = State.RESULT

    def _transaction_command(self, word: str) -> Callable[[], Awaitable[object]]:
        if word == "BEGIN":
            return lambda: self._begin({})
        return self._commit if word == "COMMIT" else self._rollback

    async def _fetch(self, extra: Mapping[str, Value], *, wanted: bool) -> None:
        if self._result is None:
            raise ProtocolViolation("PULL or DISCARD without a result")
        count, qid = extra.get("n", -1), extra.get("qid", -1)
        if not isinstance(count, int) or not isinstance(qid, int):
            raise ProtocolViolation("n and qid must be integers")
        if count < -1:
            raise _invalid_argument("n", "Cannot fetch negative number of results!")
        if qid not in (-1, None if self._next_qid is None else self._next_qid - 1):
            raise _invalid_argument("qid", "Query with specified ID does not exist!")
        more, summary = await (self._pull(self._result, count) if wanted else self._result.discard(count))
        if more:
            self._answers.success({"has_more": True})
            return
        self._result = None
        self.state = State.IDLE
        always = {"run_id": self._engine.run_id, "db": _DATABASE, "has_more": False}
        self._answers.success({**_PLANNER, **summary, **always})

    async def _pull(self, result: RunResult, count: int) -> tuple[bool, Mapping[str, Value]]:
        left = count
        while True:
            batch = _BATCH_ROWS if left < 0 else min(left, _BATCH_ROWS)
            rows, more, summary = await result.pull(batch)
            self._answers.records(rows)
            if left >= 0:
                left -= batch
            if not more or left == 0:
                return more, summary
            if len(self.out) >= FLUSH_BYTES:
                await self._flush()


@frozen
class _TransactionCommand:
    """BEGIN, COMMIT or ROLLBACK sent as the text of a RUN, as mgclient does; done by the first PULL."""

    _act: Callable[[], Awaitable[object]]
    columns: tuple[str, ...] = ()

    async def pull(self, _n: int) -> tuple[list[list[Value]], bool, Mapping[str, Value]]:
        """Act; there are no rows."""
        await self._act()
        return [], False, {}

    async def discard(self, _n: int) -> tuple[bool, Mapping[str, Value]]:
        """Act."""
        await self._act()
        return False, {}


def _invalid_argument(name: str, text: str) -> MemgraphError:
    return MemgraphError.client(f"Invalid arguments sent: {name} - {text}")


def _check_database(extra: Mapping[str, Value]) -> None:
    name = extra.get("db")
    if name not in (None, "", _DATABASE):
        raise MemgraphError.client(f'Tried to retrieve an unknown database "{name}".')


def _check_parameter(name: str, value: Value) -> None:
    """Refuse dates, points and the like, which this server does not have."""
    if isinstance(value, Structure):
        raise MemgraphError.client(
            f"Parameter ${name} holds a structure 0x{value.tag:02X} (a date, time, duration, point, node or "
            "relationship), which this server does not support; send its parts or a string."
        )
    if isinstance(value, list | dict):
        for item in value.values() if isinstance(value, dict) else value:
            _check_parameter(name, item)

"""A Bolt server that plays a script: for what a healthy Memgraph cannot be made to do on purpose."""

from collections.abc import AsyncIterator, Awaitable, Callable, Mapping, Sequence
from contextlib import asynccontextmanager
from functools import partial

import trio
from attrs import define, field

from memgraph_ha.fakes.memgraph.bolt.serve import serve_connection
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph_values import Value

Table = tuple[Sequence[str], Sequence[Sequence[Value]]]
"""Columns and rows."""

Answer = Table | MemgraphError | Callable[[], Awaitable[Table]]
"""A query's table, its failure, or what makes the table."""

UUID = "5c1d8a52-6a0e-4a0f-9d9b-3a8d9a1f0001"


def storage_table(
    *, uuid: str | None = UUID, vertices: int = 0, edges: int = 0, mode: str = "IN_MEMORY_TRANSACTIONAL"
) -> Table:
    """SHOW STORAGE INFO as 3.6.1 prints it, the rows that we read."""
    rows: list[list[Value]] = [["vertex_count", vertices], ["edge_count", edges], ["storage_mode", mode]]
    return ("storage info", "value"), [*rows, *([] if uuid is None else [["database_uuid", uuid]])]


def config_table(*, wal: str = "true", flush: str = "1", init_file: str = "/etc/role.cypherl") -> Table:
    """SHOW CONFIG, the rows that we read."""
    columns = ("name", "default_value", "current_value", "description")
    rows: list[list[Value]] = [
        ["storage_wal_enabled", "false", wal, ""],
        ["storage_wal_file_flush_every_n_tx", "100000", flush, ""],
        ["init_file", "", init_file, ""],
    ]
    return columns, rows


def triggers_table(*triggers: tuple[str, str, str, str]) -> Table:
    """SHOW TRIGGERS of these: name, statement, event type, phase."""
    return ("trigger name", "statement", "event type", "phase", "owner"), [[*each, None] for each in triggers]


def transactions_table(*open_: tuple[str, list[str]]) -> Table:
    """SHOW TRANSACTIONS of these, and the question itself."""
    listed: list[tuple[str, list[str]]] = [*open_, ("9223372036854775999", ["SHOW TRANSACTIONS"])]
    rows: list[list[Value]] = [["", number, list[Value](queries), {}] for number, queries in listed]
    return ("username", "transaction_id", "query", "metadata"), rows


def users_table(*names: str) -> Table:
    """SHOW USERS of these."""
    return ("user",), [[name] for name in names]


def healthy(role: str = "replica", version: str = "3.6.1") -> dict[str, Answer]:
    """What an empty instance answers."""
    return {
        "SHOW REPLICATION ROLE": (("replication role",), [[role]]),
        "SHOW REPLICAS": (("name", "socket_address", "sync_mode", "system_info", "data_info"), []),
        "SHOW VERSION": (("version",), [[version]]),
        "SHOW CONFIG": config_table(),
        "SHOW STORAGE INFO": storage_table(),
        "SHOW INDEX INFO": (("index type", "label", "property", "count"), []),
        "SHOW CONSTRAINT INFO": (("constraint type", "label", "properties", "data_type"), []),
        "SHOW TRIGGERS": triggers_table(),
        "SHOW TRANSACTIONS": transactions_table(),
        "SHOW USERS": users_table(),
    }


@define
class Script:
    """A server's part.

    Attributes:
        answers: Per query its table, its failure, or a coroutine function that makes the table.
        run_id: What summaries carry.
        login: Awaited at each login.
        asked: Every query so far.
        death: Set it, and every connection and the port are gone, as by ``kill -9``.
        logins: How many connections logged in.
        connections: The present ones.
    """

    answers: dict[str, Answer]
    run_id: str = "run-1"
    login: Callable[[], Awaitable[None]] = trio.lowlevel.checkpoint
    asked: list[str] = field(factory=list)
    death: trio.Event = field(factory=trio.Event)
    logins: int = 0
    connections: set[trio.CancelScope] = field(factory=set)

    def cut(self) -> None:
        """End every connection; new ones are welcome."""
        for connection in self.connections:
            connection.cancel()

    async def serve(self, stream: trio.SocketStream) -> None:
        """Serve one connection."""
        with trio.CancelScope() as connection:
            self.connections.add(connection)
            await serve_connection(stream, self)
        self.connections.discard(connection)

    @property
    def server_name(self) -> str:
        """As a real one."""
        return "Neo4j/v5.11.0 compatible graph database server - Memgraph"

    def route_failure(self) -> MemgraphError:
        """Nobody asks."""
        return MemgraphError.client("no routing here")

    async def authenticate(self, scheme: str, principal: str, credentials: str) -> None:
        """Let everybody in, after whatever the script wants."""
        del scheme, principal, credentials
        self.logins += 1
        await self.login()

    def open_session(self, user: str) -> "_Session":  # noqa: ARG002 - it checks nobody
        """One per connection."""
        return _Session(self)


@define
class _Result:
    columns: Sequence[str]
    rows: Sequence[Sequence[Value]]

    async def pull(self, n: int) -> tuple[list[list[Value]], bool, Mapping[str, Value]]:
        del n
        return [list(row) for row in self.rows], False, {"type": "r"}

    async def discard(self, n: int) -> tuple[bool, Mapping[str, Value]]:
        del n
        return False, {"type": "r"}


@define
class _Session:
    script: Script

    async def run(self, query: str, parameters: Mapping[str, Value]) -> _Result:
        del parameters
        self.script.asked.append(query)
        answer = self.script.answers.get(query, MemgraphError.client(f"Error on line 1: {query}"))
        if isinstance(answer, MemgraphError):
            raise answer
        columns, rows = answer if isinstance(answer, tuple) else await answer()
        return _Result(columns, rows)

    async def begin(self, extra: Mapping[str, Value]) -> None:
        del extra

    async def commit(self) -> Mapping[str, Value]:
        return {}

    async def rollback(self) -> None:
        pass

    async def reset(self) -> None:
        pass

    async def close(self) -> None:
        pass


@asynccontextmanager
async def playing(script: Script, *, port: int = 0) -> AsyncIterator[int]:
    """Serve the script on a loopback port (0: a free one) until its death; yields the port."""
    async with trio.open_nursery() as nursery:
        yield await nursery.start(_live, script, port)
        nursery.cancel_scope.cancel()


async def _live(script: Script, port: int, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
    async with trio.open_nursery() as nursery:
        serve = partial(trio.serve_tcp, host="127.0.0.1")
        listeners = await nursery.start(serve, script.serve, port)
        task_status.started(listeners[0].socket.getsockname()[1])
        await script.death.wait()
        nursery.cancel_scope.cancel()

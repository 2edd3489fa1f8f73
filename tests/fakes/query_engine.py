"""A database without an instance model around it: a real graph and real Cypher behind real Bolt."""

from __future__ import annotations

import threading
import time
from collections.abc import Iterator, Mapping
from contextlib import contextmanager
from typing import Final

import trio
from attrs import define, field

from memgraph_ha.fakes.memgraph.bolt import Limits, serve_connection
from memgraph_ha.fakes.memgraph.cypher import Execution, Query, execute, parse
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph import Graph, Transaction
from memgraph_ha.fakes.memgraph.graph_values import Value

RUN_ID: Final = "0b5b1a3c-8d57-4f0e-9d0b-3f2f6d3a9a11"
SERVER_NAME: Final = "Neo4j/v5.11.0 compatible graph database server - Memgraph"
# A query of this text may wait; it writes first, so that it holds a lock.
BLOCK: Final = "CREATE (:Blocked)"


@define
class MemoryEngine:
    """One graph for every connection.

    Attributes:
        users: Names and passwords; empty: everybody may log in.
        conflicts: How many commits fail with a conflict before one succeeds.
        open_sessions: Sessions that were opened and not closed.
        block: Whether the query `BLOCK` waits.
        gate: What it waits for.
        blocked: Set when it waits.
        closed: Set when a session has been closed.
        rows_fetched: How many rows have been taken out of queries.
    """

    graph: Graph = field(factory=Graph)
    users: dict[str, str] = field(factory=dict)
    conflicts: int = 0
    open_sessions: int = 0
    block: bool = False
    gate: trio.Event = field(factory=trio.Event)
    blocked: threading.Event = field(factory=threading.Event)
    closed: threading.Event = field(factory=threading.Event)
    rows_fetched: int = 0
    server_name: str = SERVER_NAME
    run_id: str = RUN_ID

    def route_failure(self) -> MemgraphError:
        """Answer as the official edition does."""
        return MemgraphError.transient(
            "You cannot fetch routing table from an instance which is not part of a cluster."
        )

    async def authenticate(self, _scheme: str, principal: str, credentials: str) -> None:
        """Check the password if there are users."""
        if self.users and self.users.get(principal) != credentials:
            raise MemgraphError.unauthenticated()

    def open_session(self, user: str) -> MemorySession:  # noqa: ARG002 - it checks nobody
        """Count a new session."""
        self.open_sessions += 1
        return MemorySession(self)

    def commit(self, transaction: Transaction) -> None:
        """Commit, unless conflicts are asked for."""
        if self.conflicts and transaction.wrote:
            self.conflicts -= 1
            transaction.abort()
            raise MemgraphError.transient("Cannot resolve conflicting transactions.")
        try:
            transaction.commit()
        finally:
            transaction.abort()


@define
class MemorySession:
    """One client: an explicit transaction, and the autocommit ones that are being fetched."""

    engine: MemoryEngine
    explicit: Transaction | None = None
    implicit: Transaction | None = None

    async def run(self, query: str, parameters: Mapping[str, Value]) -> MemoryResult:
        """Parse and begin a query; `BLOCK` may wait for ever."""
        parsed = parse(query)
        if self.explicit is not None and parsed.multicommand_refusal is not None:
            raise MemgraphError.client(parsed.multicommand_refusal)
        transaction = self.explicit
        if transaction is None:
            transaction = self.implicit = self.engine.graph.begin()
        execution = execute(parsed, transaction, parameters, now_us=time.time_ns() // 1000)
        if self.engine.block and query == BLOCK:
            list(execution)
            self.engine.blocked.set()
            await self.engine.gate.wait()
        return MemoryResult(self, parsed, execution, self.implicit if self.explicit is None else None)

    async def begin(self, _extra: Mapping[str, Value]) -> None:
        """Open an explicit transaction."""
        if self.explicit is not None:
            raise MemgraphError.client("Nested transactions are not supported.")
        self.explicit = self.engine.graph.begin()

    async def commit(self) -> Mapping[str, Value]:
        """Commit, unless conflicts are asked for."""
        transaction, self.explicit = self.explicit, None
        if transaction is None:
            raise MemgraphError.client("No current transaction to commit.")
        self.engine.commit(transaction)
        return {}

    async def rollback(self) -> None:
        """Abort the explicit transaction."""
        if self.explicit is None:
            raise MemgraphError.client("No current transaction to rollback.")
        await self.reset()

    async def reset(self) -> None:
        """Abort whatever is open."""
        for transaction in (self.explicit, self.implicit):
            if transaction is not None:
                transaction.abort()
        self.explicit = self.implicit = None

    async def close(self) -> None:
        """Abort whatever is open, and leave."""
        await self.reset()
        self.engine.open_sessions -= 1
        self.engine.closed.set()


@define
class MemoryResult:
    """A running query, which commits when its rows are fetched if its transaction is its own."""

    session: MemorySession
    query: Query
    execution: Execution
    own: Transaction | None

    @property
    def columns(self) -> tuple[str, ...]:
        """The columns of the query."""
        return self.query.columns

    async def pull(self, n: int) -> tuple[list[list[Value]], bool, Mapping[str, Value]]:
        """Fetch rows; the last ones commit."""
        try:
            rows, more = self.execution.take(n)
            self.session.engine.rows_fetched += len(rows)
            if not more and self.own is not None:
                self.session.engine.commit(self.own)
        except MemgraphError:
            await self.session.reset()
            raise
        if more:
            return rows, True, {}
        summary: dict[str, Value] = {"type": self.query.type}
        if self.execution.stats:
            summary["stats"] = self.execution.stats
        return rows, False, summary

    async def discard(self, n: int) -> tuple[bool, Mapping[str, Value]]:
        """Fetch rows and drop them."""
        _, more, summary = await self.pull(n)
        return more, summary


@contextmanager
def serving(engine: MemoryEngine, limits: Limits | None = None) -> Iterator[int]:
    """Serve `engine` on a loopback port, in a thread of its own, for clients that block."""
    listening = threading.Event()
    port = 0
    stop: trio.CancelScope
    token: trio.lowlevel.TrioToken

    async def main() -> None:
        nonlocal port, stop, token
        token = trio.lowlevel.current_trio_token()
        (listener,) = await trio.open_tcp_listeners(0, host="127.0.0.1")
        port = listener.socket.getsockname()[1]

        async def handle(stream: trio.SocketStream) -> None:
            await serve_connection(stream, engine, limits or Limits())

        with trio.CancelScope() as stop:
            listening.set()
            await trio.serve_listeners(handle, [listener])

    thread = threading.Thread(target=trio.run, args=(main,))
    thread.start()
    try:
        assert listening.wait(10)
        yield port
    finally:
        token.run_sync_soon(stop.cancel)
        thread.join(10)
        assert not thread.is_alive()

"""What the Bolt server needs of a database: the seam between protocol and instance model.

Every coroutine may be cancelled when its client goes away.  An implementation shields whatever must
not stop half-way, a commit above all; `close` is called afterwards in any case.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Protocol

from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph_values import Value


class RunResult(Protocol):
    """A query that has begun; its rows are fetched by one PULL after the other."""

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns."""

    async def pull(self, n: int) -> tuple[list[list[Value]], bool, Mapping[str, Value]]:
        """Fetch rows.

        Args:
            n: How many at most; -1: all.

        Returns:
            The rows, whether there are more, and once there are none the summary: `type`, `stats`,
            `notifications` and so on.  What every summary has (`run_id`, `db`, `has_more`, the
            planner's numbers) is added by the connection.

        Raises:
            MemgraphError: The query or, outside an explicit transaction, its commit fails.
        """

    async def discard(self, n: int) -> tuple[bool, Mapping[str, Value]]:
        """Run on without rows; see `pull`."""


class EngineSession(Protocol):
    """What one connection does, in the order of its messages."""

    async def run(self, query: str, parameters: Mapping[str, Value]) -> RunResult:
        """Begin a query, inside the open transaction or in one of its own.

        Raises:
            MemgraphError: It is refused at once (transcripts Q1: on RUN).
        """

    async def begin(self, extra: Mapping[str, Value]) -> None:
        """Open an explicit transaction; `extra` holds what the client sent with it.

        Raises:
            MemgraphError: There is one already.
        """

    async def commit(self) -> Mapping[str, Value]:
        """Commit the explicit transaction; returns what SUCCESS carries (nothing, in reality).

        Raises:
            MemgraphError: There is none, or the commit fails.
        """

    async def rollback(self) -> None:
        """Abort the explicit transaction.

        Raises:
            MemgraphError: There is none.
        """

    async def reset(self) -> None:
        """Abort whatever is open."""

    async def close(self) -> None:
        """The connection is gone: abort whatever is open.  Runs shielded from cancellation."""


class Engine(Protocol):
    """The database behind every connection of a server."""

    @property
    def server_name(self) -> str:
        """What SUCCESS of HELLO says, `--bolt-server-name-for-init`; empty: nothing."""

    @property
    def run_id(self) -> str:
        """The uuid of this process (transcripts Q16)."""

    def route_failure(self) -> MemgraphError:
        """Return the answer to ROUTE, which differs by edition."""

    async def authenticate(self, scheme: str, principal: str, credentials: str) -> None:
        """Check a login.

        Raises:
            MemgraphError: It is refused.
        """

    def open_session(self, user: str) -> EngineSession:
        """Return the session of a new connection.

        Args:
            user: Who logged in, as `authenticate` was told; empty for nobody.
        """

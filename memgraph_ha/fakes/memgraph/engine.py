"""The model behind the Bolt server: sessions whose procedures the driver runs (`bolt.Engine`)."""

from __future__ import annotations

import itertools
import time
from collections.abc import Mapping, Sequence
from typing import TYPE_CHECKING

from . import accounts, texts
from .errors import MemgraphError
from .session import Answer, Session

if TYPE_CHECKING:
    from .driver import Driver
    from .graph_values import Value
    from .instance import Instance
    from .workers import Workers


class InstanceEngine:
    """An instance as a `bolt.Engine`.

    Error handling: what Memgraph refuses is raised as `MemgraphError`; a client that goes away does
    not stop what a worker thread of Memgraph would finish.

    Args:
        instance: The model.
        workers: Its Bolt workers.
        driver: Runs procedures.
    """

    def __init__(self, instance: Instance, workers: Workers, driver: Driver) -> None:
        self._instance = instance
        self._workers = workers
        self._driver = driver
        self._numbers = itertools.count(1)

    @property
    def server_name(self) -> str:
        """What HELLO answers."""
        return self._instance.settings.server_name

    @property
    def run_id(self) -> str:
        """The uuid of this process (transcripts Q16)."""
        return self._instance.run_id

    def route_failure(self) -> MemgraphError:
        """Return the answer to ROUTE (raw recording a; "ENT only")."""
        if self._instance.settings.official:
            return MemgraphError.transient(texts.ROUTE_OFFICIAL)
        return MemgraphError(texts.ROUTE_COMMUNITY_CODE, texts.ROUTE_COMMUNITY)

    async def authenticate(self, scheme: str, principal: str, credentials: str) -> None:
        """Check a login on an express worker: logins are never behind queries (transcripts Q4)."""
        await self._driver.run_whole(accounts.log_in(self._instance, self._workers, scheme, principal, credentials))

    def open_session(self, user: str) -> EngineSession:
        """Return the session of a new connection.

        Args:
            user: Who logged in.
        """
        known = user if self._instance.users else ""
        return EngineSession(Session(self._instance, self._workers, next(self._numbers), known), self._driver)


class EngineSession:
    """A session as a `bolt.EngineSession`."""

    def __init__(self, session: Session, driver: Driver) -> None:
        self._session = session
        self._driver = driver

    async def run(self, query: str, parameters: Mapping[str, Value]) -> EngineResult:
        """Begin a query."""
        now_us = time.time_ns() // 1000
        answer = await self._driver.run_whole(self._session.run(query, parameters, now_us))
        return EngineResult(answer, self._driver)

    async def begin(self, extra: Mapping[str, Value]) -> None:  # noqa: ARG002 - access mode is not enforced
        """Open an explicit transaction (transcripts, "Bolt": READ access mode is not enforced)."""
        await self._driver.run_whole(self._session.begin())

    async def commit(self) -> Mapping[str, Value]:
        """Commit the explicit transaction."""
        await self._driver.run_whole(self._session.commit())
        return {}

    async def rollback(self) -> None:
        """Abort the explicit transaction."""
        if self._session.explicit is None:
            raise MemgraphError.client("No current transaction to rollback.")
        self._session.abort()

    async def reset(self) -> None:
        """Abort whatever is open."""
        self._session.abort()

    async def close(self) -> None:
        """The connection is gone."""
        self._session.abort()


class EngineResult:
    """An answer as a `bolt.RunResult`."""

    def __init__(self, answer: Answer, driver: Driver) -> None:
        self._answer = answer
        self._driver = driver

    @property
    def columns(self) -> Sequence[str]:
        """The names of the columns."""
        return self._answer.columns

    async def pull(self, n: int) -> tuple[list[list[Value]], bool, Mapping[str, Value]]:
        """Fetch rows."""
        page = await self._driver.run_whole(self._answer.pull(n))
        return page.rows, page.has_more, page.summary

    async def discard(self, n: int) -> tuple[bool, Mapping[str, Value]]:
        """Run on without rows."""
        page = await self._driver.run_whole(self._answer.pull(n))
        return page.has_more, page.summary

"""One Bolt connection that keeps its deadline: the `neo4j` driver in a worker thread, its socket in our hands.

The driver bounds no query on a connection it already has, whatever its options say; shutting the socket down from
another thread ends a blocked call at once (transcripts Q15). So every call runs in a worker thread, and
cancellation, which is also how deadlines arrive, shuts the socket down and leaves the thread to its prompt end.
"""

import contextlib
import errno
import logging
import select
import socket
import struct
import threading
from collections.abc import Callable, Iterator, Mapping
from typing import Final, TypeVar

import neo4j
import trio
from attrs import frozen
from neo4j import GraphDatabase, NotificationMinimumSeverity
from neo4j.exceptions import Neo4jError

from memgraph_ha import __version__
from memgraph_ha.core.facts import Miss
from memgraph_ha.core.messages import ErrorClass, classify_error
from memgraph_ha.core.names import Address, RunId

T = TypeVar("T")

LONGEST_OPEN_S: Final = 5.0
"""How long opening may take when the caller set no deadline; also bounds a thread whose caller has left."""

KEEPALIVE_IDLE_S: Final = 10
"""An idle connection is checked by the kernel after so long, so that a peer that vanished does not stay unseen."""

logging.getLogger("neo4j").addHandler(logging.NullHandler())  # it prints each lost connection; we report a fact
logging.getLogger("neo4j.io").setLevel(logging.WARNING)  # at DEBUG it prints every query: CREATE USER has a password

_OUR_OWN_TROUBLE: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})


class ConnectionLostError(Exception):
    """No usable answer came; whether the server did what it was asked is not known.

    Attributes:
        miss: In which way.
        detail: The error as it came.
    """

    def __init__(self, miss: Miss, detail: str) -> None:
        super().__init__(f"{miss.value}: {detail}")
        self.miss = miss
        self.detail = detail


class QueryRefusedError(Exception):
    """The server answered the query with a failure; the connection is fine.

    Attributes:
        message: The server's text.
        meaning: What it stands for.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message
        self.meaning: ErrorClass = classify_error(message)


@frozen(kw_only=True)
class Answer:
    """What a query returned.

    Attributes:
        rows: One mapping per row, keyed by column.
        run: The life of the process that answered: its summary's ``run_id`` (transcripts Q16).
    """

    rows: tuple[Mapping[str, object], ...]
    run: RunId


class _GoneError(ConnectionResetError):
    """The driver wanted to replace its connection: the first one is gone."""


class BoltConnection:
    """One TCP connection to one process, for one conversation at a time.

    The driver replaces a dead connection silently, perhaps by one to the next process at this address; its
    resolver hook allows exactly one, so that a guard and its command always reach the same process.

    Args:
        address: ``host:port``.
        auth: User and password; None for none. Never logged, never part of an error.
        limiter: Bounds the threads that one instance can occupy.
        undelivered_s: How long sent bytes may stay unacknowledged by the peer's kernel (TCP_USER_TIMEOUT).

    Resource handling: `close` may be called at any time, from the event loop only, and never blocks. A thread
    that is in a call ends by itself right after; one that is still opening ends by the deadline it began with.

    Error handling: `open` and `ask` raise `ConnectionLostError` (the connection is closed then) and
    `QueryRefusedError` (it stays usable). On cancellation the connection is closed. Nothing is retried.
    """

    def __init__(
        self,
        address: Address,
        *,
        auth: tuple[str, str] | None,
        limiter: trio.CapacityLimiter,
        undelivered_s: float,
    ) -> None:
        self._address = address
        self._auth = auth
        self._limiter = limiter
        self._undelivered_s = undelivered_s
        self._lock = threading.Lock()
        self._driver: neo4j.Driver | None = None
        self._socket: socket.socket | None = None
        self._busy = False
        self._closed = False
        self._dialled = False
        self.run: RunId | None = None

    @property
    def closed(self) -> bool:
        """Whether it can be used no more, by what we know without asking."""
        return self._closed

    async def open(self) -> None:
        """Connect, shake hands and log in, within the deadline of the enclosing cancel scope.

        Raises:
            ConnectionLostError: It did not work; a refused login names the user.
        """
        left_s = trio.current_effective_deadline() - trio.current_time()
        try:
            await self._in_thread(lambda: self._open(max(0.001, min(left_s, LONGEST_OPEN_S))))
        except ConnectionLostError as error:
            if error.miss is not Miss.UNAUTHORISED:
                raise
            who = "without a user" if self._auth is None else f"as user {self._auth[0]!r}"
            raise ConnectionLostError(error.miss, f"{error.detail} ({who})") from error

    async def ask(self, query: str) -> Answer:
        """Run one query as an auto-commit transaction and read its whole result.

        Args:
            query: Its text; replication queries take no parameters (semantics 2.0).

        Returns:
            The rows and the run that answered.
        """
        return await self._in_thread(lambda: self._ask(query))

    def broken(self) -> bool:
        """Whether the idle connection has ended, or speaks out of turn: seen without asking the server."""
        if self._closed or self._socket is None:
            return True
        poll = select.poll()
        try:
            poll.register(self._socket, select.POLLIN)
        except (OSError, ValueError):
            return True
        return bool(poll.poll(0))

    async def ended(self) -> None:
        """Wait until the idle connection ends, or speaks out of turn; ask nothing meanwhile."""
        if self._socket is not None and not self.broken():
            await trio.lowlevel.wait_readable(self._socket)

    def close(self) -> None:
        """End it at once, by RST: what was not delivered yet will not be executed (design 7)."""
        with self._lock:
            self._closed = True
            if self._busy:
                self._shut_down()
                return
        self._release()

    def _shut_down(self) -> None:
        """Wake the thread that is blocked in the socket; `socket.close` would not (transcripts Q15)."""
        if self._socket is not None:
            with contextlib.suppress(OSError):
                self._socket.shutdown(socket.SHUT_RDWR)

    def _release(self) -> None:
        driver, self._driver = self._driver, None
        if driver is not None:
            with contextlib.suppress(Exception):  # a goodbye to a peer that is gone
                driver.close()

    async def _in_thread(self, work: Callable[[], T]) -> T:
        try:
            return await trio.to_thread.run_sync(self._guarded, work, abandon_on_cancel=True, limiter=self._limiter)
        except trio.Cancelled:
            self.close()
            raise

    def _guarded(self, work: Callable[[], T]) -> T:
        """Run in the worker thread; whoever of thread and event loop is last releases the driver."""
        with self._lock:
            if self._closed:
                raise ConnectionLostError(Miss.REFUSED, "the connection was closed before")
            self._busy = True
        healthy = False
        try:
            result = work()
            healthy = True
        except Exception as error:  # whatever the driver trips over is the peer's doing
            refusal = _translate(error)
            healthy = isinstance(refusal, QueryRefusedError)
            raise refusal from error
        finally:
            with self._lock:
                self._busy = False
                if not healthy:
                    self._closed = True
                over = self._closed
            if over:
                self._release()
        return result

    def _open(self, within_s: float) -> None:
        self._driver = GraphDatabase.driver(
            f"bolt://{self._address}",
            auth=self._auth,
            user_agent=f"memgraph-ha/{__version__}",
            max_connection_pool_size=1,
            max_connection_lifetime=-1,
            connection_acquisition_timeout=within_s,
            connection_timeout=within_s,
            keep_alive=True,
            resolver=self._resolve_once,
            notifications_min_severity=NotificationMinimumSeverity.OFF,
            telemetry_disabled=True,
        )
        self._driver.verify_connectivity()
        self._socket = _socket_of(self._driver)
        self._prepare(self._socket)

    def _resolve_once(self, address: neo4j.Address) -> list[neo4j.Address]:
        if self._dialled:
            raise _GoneError(f"the connection to {self._address} ended")
        self._dialled = True
        return [address]

    def _prepare(self, sock: socket.socket) -> None:
        sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, int(self._undelivered_s * 1000))
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, KEEPALIVE_IDLE_S)

    def _ask(self, query: str) -> Answer:
        if self._driver is None:
            raise _GoneError(f"the connection to {self._address} was never opened")
        with self._driver.session(fetch_size=-1) as session:
            result = session.run(neo4j.Query(query))
            columns = result.keys()
            rows = tuple(dict(zip(columns, record.values(), strict=True)) for record in result)
            run = result.consume().metadata.get("run_id")
        if not isinstance(run, str) or not run:
            raise ConnectionLostError(Miss.UNREADABLE, f"the answer carries run_id {run!r}: not a Memgraph")
        if self.run is not None and run != self.run:
            raise ConnectionLostError(Miss.UNREADABLE, f"run {run} answered on a connection to run {self.run}")
        self.run = RunId(run)
        return Answer(rows=rows, run=self.run)


def _socket_of(driver: neo4j.Driver) -> socket.socket:
    """Find the driver's one socket, which it does not publish (5.28 and 6.4 keep it at the same place)."""
    pool = driver._pool  # noqa: SLF001 - there is no public way, and no other way to wake a blocked read
    [connection] = [bolt for bolts in pool.connections.values() for bolt in bolts]
    sock = connection.socket._socket  # noqa: SLF001 - likewise
    if not isinstance(sock, socket.socket):
        raise TypeError(f"neo4j {neo4j.__version__} keeps its socket elsewhere: found {type(sock).__name__}")
    return sock


def _causes(error: BaseException) -> Iterator[BaseException]:
    seen: BaseException | None = error
    while seen is not None:
        yield seen
        seen = seen.__cause__ or seen.__context__


def _translate(error: Exception) -> ConnectionLostError | QueryRefusedError:
    """Say what an error of the driver means for us.

    A refused or reset connection, or its end in the middle of an answer, is `Miss.REFUSED`. No answer, also for
    want of a route or a name, is `Miss.TIMED_OUT`. What is our own trouble (no descriptors left) or nonsense is
    `Miss.UNREADABLE`, which is never evidence.
    """
    if isinstance(error, ConnectionLostError):
        return error
    text = str(error)
    if "failed to obtain a connection from the pool" in text:  # its class differs between driver versions
        return ConnectionLostError(Miss.TIMED_OUT, text)
    if isinstance(error, Neo4jError):
        if classify_error(error.message) is ErrorClass.UNAUTHORISED:
            return ConnectionLostError(Miss.UNAUTHORISED, error.message)
        return QueryRefusedError(error.message)
    detail = f"{type(error).__name__}: {text}"
    for cause in _causes(error):
        if isinstance(cause, TimeoutError):
            return ConnectionLostError(Miss.TIMED_OUT, detail)
        if isinstance(cause, OSError):
            return ConnectionLostError(_miss_of(cause), detail)
    if "closed with incomplete handshake" in text:
        return ConnectionLostError(Miss.REFUSED, detail)
    return ConnectionLostError(Miss.UNREADABLE, detail)


def _miss_of(error: OSError) -> Miss:
    if error.errno in _OUR_OWN_TROUBLE:
        return Miss.UNREADABLE
    ended = error.errno is None  # the driver's own "No data": the peer closed in the middle of an answer
    return Miss.REFUSED if ended or isinstance(error, ConnectionError) else Miss.TIMED_OUT

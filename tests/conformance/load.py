"""What goes on around a test: recoveries, writers that do not pause, queries that block, a link that can be cut."""

from __future__ import annotations

import contextlib
import itertools
import socket
import threading
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor
from typing import Final, Self

import neo4j
from attrs import define, field
from neo4j.exceptions import DriverError, Neo4jError

from tests.conformance.answers import Refusal
from tests.conformance.servers import HOST, PATIENCE_S, Server, Servers

# A recovery of so many takes long enough to do something in the middle of it.
MANY_NODES: Final = 60_000


def recovering(servers: Servers, mode: str, *flags: str) -> tuple[Server, Server]:
    """Return MAIN `a` with many nodes and an empty `b` whose recovery has just begun.

    What a DROP at the wrong moment can do happens for sure on the fake.

    Raises:
        AssertionError: The recovery was over already.
    """
    flags = (*servers.hazards("always"), *flags)
    main, replica = servers.two(*flags)
    replica.demote()
    main.ask(f"UNWIND range(1, {MANY_NODES}) AS i CREATE (:N {{i: i}})")
    main.ask(main.registration(replica, mode))
    assert main.status("b") == "recovery", "the recovery was over too soon to test anything: raise MANY_NODES"
    return main, replica


@contextlib.contextmanager
def background() -> Iterator[ThreadPoolExecutor]:
    """Give threads for queries that block; all have ended in the end.

    If the test fails they are left to end with the servers that they ask: waited for, they would hide why it failed.
    """
    pool = ThreadPoolExecutor(max_workers=16)
    try:
        yield pool
    except BaseException:
        pool.shutdown(wait=False, cancel_futures=True)
        raise
    pool.shutdown()


def timed(pool: ThreadPoolExecutor, server: Server, query: str) -> Future[tuple[float, Refusal | None]]:
    """Run a query in a thread; the result is how many seconds it took and what it was refused with."""

    def run() -> tuple[float, Refusal | None]:
        before = time.monotonic()
        refusal = server.refusal(query)
        return time.monotonic() - before, refusal

    return pool.submit(run)


def insist(server: Server, query: str, busy: str, kind: str = "ClientError") -> None:
    """Send a command again every 20 ms, as the recorded scripts did, for as long as it is refused as busy.

    Args:
        server: Who is asked.
        query: The command.
        busy: Text of the refusal that is for trying again.
        kind: Its class.

    Raises:
        AssertionError: Another refusal, or busy for longer than anything recorded.
    """
    for _ in range(500):
        refusal = server.refusal(query)
        if refusal is None:
            return
        assert (refusal.kind, refusal.text) == (kind, busy)
        time.sleep(0.02)
    raise AssertionError(f"{query}: still busy")


@define
class Load:
    """Writers that each create `(:W {id})` without pause, follow whoever is MAIN, and keep a ledger.

    Attributes:
        acknowledged: Ids whose write was acknowledged.
        pause_s: What each writer waits after an acknowledged write.
        refusals: Texts of the errors seen.
    """

    target: Server
    writers: int = 4
    pause_s: float = 0.0
    acknowledged: set[int] = field(factory=set)
    refusals: set[str] = field(factory=set)
    _ids: Iterator[int] = field(factory=itertools.count)
    _stop: threading.Event = field(factory=threading.Event)
    _threads: list[threading.Thread] = field(factory=list)

    def __enter__(self) -> Self:
        """Start, and wait until writes go through."""
        self._threads = [threading.Thread(target=self._write_for_ever) for _ in range(self.writers)]
        for thread in self._threads:
            thread.start()
        self.until_more(20)
        return self

    def __exit__(self, *_: object) -> None:
        """Stop and wait for the writers' end."""
        self.stop()
        for thread in self._threads:
            thread.join(PATIENCE_S)

    def stop(self) -> None:
        """Begin no more writes."""
        self._stop.set()

    def until_more(self, number: int = 20) -> None:
        """Wait until this many more writes were acknowledged."""
        goal = len(self.acknowledged) + number
        deadline = time.monotonic() + PATIENCE_S
        while len(self.acknowledged) < goal:
            assert time.monotonic() < deadline, f"no {number} writes were acknowledged; refused: {self.refusals}"
            time.sleep(0.01)

    def missing(self, server: Server) -> set[int]:
        """Return the acknowledged ids that a server does not have."""
        return self.acknowledged - self._ids_of(server)

    def unacknowledged(self, server: Server) -> set[int]:
        """Return the ids that a server has although no client was told so."""
        return self._ids_of(server) - self.acknowledged

    def _ids_of(self, server: Server) -> set[int]:
        return {row[0] for row in server.rows("MATCH (n:W) RETURN n.id")}

    def _write_for_ever(self) -> None:
        while not self._stop.is_set():
            target = self.target
            with contextlib.suppress(DriverError, OSError), target.driver() as driver, driver.session() as session:
                while target is self.target and not self._stop.is_set():
                    self._write(session)

    def _write(self, session: neo4j.Session) -> None:
        number = next(self._ids)
        try:
            session.run("CREATE (:W {id: $id})", id=number).consume()
        except Neo4jError as error:
            self.refusals.add(str(error.message))
            self._stop.wait(0.005)
        else:
            self.acknowledged.add(number)
            self._stop.wait(self.pause_s)


class Link:
    """A TCP link to a replica that can be cut just before MAIN's next message after an answer.

    In STRICT_SYNC a commit is Prepare, answer, Finalize, answer: cut behind the first answer, and
    Finalize is lost.  A ping may be what is answered; then Prepare is lost and nothing acknowledged.
    """

    def __init__(self, target: int) -> None:
        self._target: Final = target
        self._listener = socket.create_server((HOST, 0))
        self._armed = threading.Event()
        self._answered = False
        self._lock = threading.Lock()
        self._open: list[socket.socket] = []
        self.cut = threading.Event()
        self._thread = threading.Thread(target=self._accept)

    @property
    def address(self) -> str:
        """What to register instead of the replica's own address."""
        return f"{HOST}:{self._listener.getsockname()[1]}"

    def __enter__(self) -> Self:
        """Open the link."""
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        """Close everything."""
        with contextlib.suppress(OSError):
            self._listener.shutdown(socket.SHUT_RDWR)
        self._listener.close()
        self._close_all()
        self._thread.join(PATIENCE_S)

    def arm(self) -> None:
        """Cut behind the next answer; new connections go through again."""
        with self._lock:
            self._answered = False
        self.cut.clear()
        self._armed.set()

    def disarm(self) -> None:
        """Let everything through."""
        self._armed.clear()

    def _close_all(self) -> None:
        with self._lock:
            sockets, self._open = self._open, []
        for each in sockets:
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
            each.close()

    def _accept(self) -> None:
        threads: list[threading.Thread] = []
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                break
            try:
                server = socket.create_connection((HOST, self._target), timeout=5)
            except OSError:
                client.close()
                continue
            server.settimeout(None)
            with self._lock:
                self._open += [client, server]
            for source, sink, answers in ((client, server, False), (server, client, True)):
                thread = threading.Thread(target=self._relay, args=(source, sink, answers))
                thread.start()
                threads.append(thread)
        for thread in threads:
            thread.join(PATIENCE_S)

    def _relay(self, source: socket.socket, sink: socket.socket, answers: bool) -> None:
        with contextlib.suppress(OSError):
            while data := source.recv(65536):
                if self._armed.is_set():
                    with self._lock:
                        lost = self._answered and not answers
                        self._answered = self._answered or answers
                    if lost:
                        self._armed.clear()
                        self.cut.set()
                        break
                sink.sendall(data)
        self._close_all()

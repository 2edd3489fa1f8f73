"""Real sockets for the gateway's tests: MAINs that do as they are told, clients, a clock that can jump."""

import contextlib
import functools
import signal
import socket
import subprocess
import sys
import time
from collections.abc import AsyncIterator, Awaitable, Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Self

import trio

from memgraph_ha.core.facts import GateSeen, SentinelBroke
from memgraph_ha.core.names import Address, Incarnation, InstanceName, RunId
from memgraph_ha.core.permit import Permit, Route
from memgraph_ha.proxy import Counters, RwGateway
from memgraph_ha.proxy.options import PLAIN, Options
from memgraph_ha.proxy.sentinel import GREETING

HOST = "127.0.0.1"
BOLT_ANSWER = bytes.fromhex("00000205")

boottime = functools.partial(time.clock_gettime, time.CLOCK_BOOTTIME)


async def until(condition: Callable[[], object]) -> None:
    """Wait for what has no event to wait for: another thread's state, or the kernel's."""
    with trio.fail_after(5):
        while not condition():  # noqa: ASYNC110 - there is none
            await trio.sleep(0.002)


async def freeze(process: subprocess.Popen[str]) -> None:
    """SIGSTOP a process and wait until each of its threads stands still."""
    process.send_signal(signal.SIGSTOP)
    tasks = Path(f"/proc/{process.pid}/task")
    await until(lambda: all(stat.read_text().rpartition(")")[2].split()[0] == "T" for stat in tasks.glob("*/stat")))


class Clock:
    """CLOCK_BOOTTIME that a test can push forward, and that can push itself at a moment the test chooses."""

    def __init__(self) -> None:
        self.ahead_s = 0.0
        self.when: Callable[[], bool] | None = None
        self.jumped_at: Callable[[], None] = lambda: None

    def __call__(self) -> float:
        """Seconds; checks first whether the moment to jump an hour has come."""
        if self.when is not None and self.when():
            self.when = None
            self.ahead_s += 3600
            self.jumped_at()
        return boottime() + self.ahead_s


class Facts:
    """What the gateway reported, and a way to wait for more."""

    def __init__(self) -> None:
        self.seen: list[GateSeen | SentinelBroke] = []
        self._more = trio.Event()

    def __call__(self, fact: GateSeen | SentinelBroke) -> None:
        """File a fact; the gateway's ``report``."""
        self.seen.append(fact)
        self._more.set()
        self._more = trio.Event()

    async def until(self, wanted: Callable[[GateSeen | SentinelBroke], bool]) -> GateSeen | SentinelBroke:
        """The first fact, past or future, that is wanted."""
        with trio.fail_after(5):
            while True:
                for fact in self.seen:
                    if wanted(fact):
                        return fact
                await self._more.wait()

    @property
    def permits(self) -> list[Permit | None]:
        """The permits of all GateSeen facts in order."""
        return [fact.permit for fact in self.seen if isinstance(fact, GateSeen)]


class Main:
    """A server in MAIN's place. The gateway's sentinel is told by its greeting, answered, and kept apart."""

    def __init__(self, nursery: trio.Nursery, serve: Callable[[trio.SocketStream], Awaitable[None]] | None) -> None:
        self._nursery = nursery
        self._serve = serve
        self._send_client, self._receive_client = trio.open_memory_channel[trio.SocketStream](1000)
        self.listener = trio.socket.socket()
        self.sentinels: list[trio.SocketStream] = []
        self.answering = True
        self.streams: list[trio.SocketStream] = []
        self.port = 0
        self._accepting = trio.CancelScope()

    async def start(self, backlog: int = 4096) -> None:
        """Listen on a port of the kernel's choice."""
        await self.listener.bind((HOST, 0))
        self.listener.listen(backlog)
        self.port = self.listener.getsockname()[1]
        self._nursery.start_soon(self._accept)

    def stop_accepting(self) -> None:
        """Close the listening socket and keep the connections, as a server that shuts down does."""
        self._accepting.cancel()
        self.listener.close()

    async def listen_again(self) -> None:
        """Listen on the old port again, after `stop_accepting`."""
        self.listener = trio.socket.socket()
        self.listener.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        await self.listener.bind((HOST, self.port))
        self.listener.listen()
        self.resume()

    async def client(self) -> trio.SocketStream:
        """The next client that came and said something."""
        with trio.fail_after(5):
            return await self._receive_client.receive()

    def pause(self) -> None:
        """Accept nobody any more; the kernel still does, up to the backlog."""
        self._accepting.cancel()

    def resume(self) -> None:
        """Accept again."""
        self._accepting = trio.CancelScope()
        self._nursery.start_soon(self._accept)

    async def stuff(self) -> list[trio.SocketStream]:
        """Fill the backlog until the kernel takes no more connections, and return what filled it."""
        self.pause()
        self.listener.listen(0)
        fillers = []
        with trio.move_on_after(0.3):
            while True:
                fillers.append(await trio.open_tcp_stream(HOST, self.port))
        return fillers

    async def _accept(self) -> None:
        with self._accepting:
            while True:
                sock, _ = await self.listener.accept()
                stream = trio.SocketStream(sock)
                self.streams.append(stream)
                self._nursery.start_soon(self._sort, stream)

    async def _sort(self, stream: trio.SocketStream) -> None:
        try:
            first = await stream.socket.recv(len(GREETING), socket.MSG_PEEK)
        except (OSError, trio.ClosedResourceError):
            return
        if first == GREETING:
            await stream.receive_some(len(GREETING))
            self.sentinels.append(stream)
            if self.answering:
                with contextlib.suppress(trio.BrokenResourceError):  # the gateway may have let it go by now
                    await stream.send_all(BOLT_ANSWER)
        elif self._serve is None:
            await self._send_client.send(stream)
        else:
            with contextlib.suppress(trio.BrokenResourceError, trio.ClosedResourceError):
                await self._serve(stream)

    async def close(self) -> None:
        """Close everything, whatever state it is in."""
        self.listener.close()
        self._receive_client.close()
        for stream in self.streams:
            await trio.aclose_forcefully(stream)


@contextlib.asynccontextmanager
async def main_server(
    serve: Callable[[trio.SocketStream], Awaitable[None]] | None = None, *, backlog: int = 4096
) -> AsyncIterator[Main]:
    """A MAIN whose clients are handled by ``serve``, or fetched with `Main.client`."""
    async with trio.open_nursery() as nursery:
        main = Main(nursery, serve)
        await main.start(backlog)
        try:
            yield main
        finally:
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await main.close()


async def echo(stream: trio.SocketStream) -> None:
    """Send back whatever comes, then the end of stream."""
    async for chunk in stream:
        await stream.send_all(chunk)
    await stream.send_eof()


def permit(port: int, *, valid_for_s: float = 60.0, generation: int = 1, run: str = "run-1") -> Permit:
    """A permit for a server on loopback."""
    return Permit(
        instance=InstanceName("memgraph-0"),
        address=Address(f"{HOST}:{port}"),
        run=RunId(run),
        incarnation=Incarnation("pod-1"),
        generation=generation,
        valid_until_s=boottime() + valid_for_s,
    )


def route(to: Permit | None, *, hold: bool = True, quiet: bool = False) -> Route:
    """A route with or without a permit."""
    return Route(permit=to, hold=hold, why="a test", quiet=quiet)


class Entrance:
    """A port of a gateway, and the clients that came to it."""

    def __init__(self, count: Callable[[], Counters], port: int) -> None:
        self._count = count
        self.port = port
        self.clients: list[trio.SocketStream] = []

    @property
    def counters(self) -> Counters:
        """What the gateway counted so far."""
        return self._count()

    async def connect(self) -> trio.SocketStream:
        """A client, closed at the end of the test if not before."""
        stream = await trio.open_tcp_stream(HOST, self.port)
        self.clients.append(stream)
        return stream

    async def refuses(self) -> bool:
        """Whether a new client is reset, which it may learn while it connects or when it reads."""
        sock = trio.socket.socket()
        async with trio.SocketStream(sock) as stream:
            try:
                await sock.connect((HOST, self.port))
            except ConnectionResetError:
                return True
            return await was_reset(stream)

    async def until(self, wanted: Callable[[Counters], object]) -> None:
        """Wait until the counters say so."""
        await until(lambda: wanted(self.counters))

    async def close(self) -> None:
        """Close all clients."""
        for stream in self.clients:
            if stream.socket.fileno() >= 0:
                await trio.aclose_forcefully(stream)


class Gate(Entrance):
    """A serving read/write gateway, its facts and its address."""

    def __init__(self, gateway: RwGateway, facts: Facts, port: int) -> None:
        super().__init__(gateway.counters, port)
        self.gateway = gateway
        self.facts = facts

    def apply(self, to: Permit | None, *, hold: bool = True, quiet: bool = False) -> None:
        """Apply a route."""
        self.gateway.apply(route(to, hold=hold, quiet=quiet))


@contextlib.asynccontextmanager
async def gateway(
    *,
    clock: Callable[[], float] = boottime,
    hold_max_s: float = 30.0,
    hold_max_connections: int = 1000,
    max_connections: int = 5000,
    connect_timeout_s: float = 2.0,
    options: Options = PLAIN,
) -> AsyncIterator[Gate]:
    """A gateway that serves on an ephemeral port."""
    served = RwGateway(
        (HOST, 0),
        hold_max_s=hold_max_s,
        hold_max_connections=hold_max_connections,
        max_connections=max_connections,
        connect_timeout_s=connect_timeout_s,
        clock=clock,
        options=options,
    )
    facts = Facts()
    async with trio.open_nursery() as nursery:
        await nursery.start(served.serve, facts)
        gate = Gate(served, facts, served.bind()[1])
        try:
            yield gate
        finally:
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await gate.close()


async def ask(stream: trio.SocketStream, question: bytes) -> bytes:
    """Send and receive the same number of bytes."""
    await stream.send_all(question)
    return await receive_exactly(stream, len(question))


async def receive_exactly(stream: trio.SocketStream, count: int) -> bytes:
    """Receive so many bytes; fewer only if the stream ends."""
    got = bytearray()
    with trio.fail_after(10):
        while len(got) < count and (chunk := await stream.receive_some(count - len(got))):
            got += chunk
    return bytes(got)


async def was_reset(stream: trio.SocketStream) -> bool:
    """Whether the connection ends by RST, not by a clean end of stream, whatever comes before."""
    with trio.fail_after(5):
        try:
            while await stream.receive_some(65536):
                pass
        except trio.BrokenResourceError as error:
            return isinstance(error.__cause__, ConnectionResetError)
        return False


def unread(server_side: socket.socket | trio.socket.SocketType) -> int:
    """How many bytes the gateway has not yet taken out of its end of this server's or client's connection."""
    port = server_side.getpeername()[1]
    peer = server_side.getsockname()[1]
    with open("/proc/net/tcp", encoding="ascii") as table:  # noqa: PTH123 - a kernel table, not a file
        for line in table:
            fields = line.split()
            if fields[1].endswith(f":{port:04X}") and fields[2].endswith(f":{peer:04X}"):
                return int(fields[4].partition(":")[2], 16)
    raise AssertionError(f"no connection from port {port} to port {peer}")


_MAIN_PROCESS = """
import socket, sys, threading
listener = socket.create_server(("127.0.0.1", int(sys.argv[1])))
print(listener.getsockname()[1], flush=True)
def serve(sock):
    try:
        while chunk := sock.recv(65536):
            sock.sendall(chunk)
    except OSError:
        pass
while True:
    threading.Thread(target=serve, args=(listener.accept()[0],), daemon=True).start()
"""


class MainProcess:
    """An echo server in MAIN's place that is its own process: it can be killed or frozen."""

    def __init__(self, port: int = 0) -> None:
        self.process = subprocess.Popen(
            [sys.executable, "-c", _MAIN_PROCESS, str(port)], stdout=subprocess.PIPE, text=True
        )
        assert self.process.stdout is not None
        self.port = int(self.process.stdout.readline())

    def __enter__(self) -> Self:
        """Killed at the end."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Kill and reap it, frozen or not."""
        self.process.kill()
        self.process.wait()
        assert self.process.stdout is not None
        self.process.stdout.close()


@contextlib.contextmanager
def gateway_process(*arguments: str) -> Iterator[tuple[subprocess.Popen[str], int]]:
    """The gateway as a process of its own (``alone.py``), and its port."""
    process = subprocess.Popen(
        [sys.executable, "-m", "tests.proxy.alone", *arguments],
        stdout=subprocess.PIPE,
        text=True,
    )
    assert process.stdout is not None
    try:
        yield process, int(process.stdout.readline())
    finally:
        process.kill()
        process.wait()
        process.stdout.close()

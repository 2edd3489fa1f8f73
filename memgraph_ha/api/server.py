"""The HTTP server: hypercorn's protocol on trio, in a nursery of ours, with limits on everything a client may hold.

hypercorn's own `serve` shields every write from cancellation, so that one client that reads nothing would keep a
controller from ending, and with it the lease. Therefore connections are accepted here, and handed to hypercorn's
`TCPServer` through a stream that gives up a stalled write and can be torn down.
"""

import contextlib
import socket
import struct
from collections import Counter
from typing import Final

import structlog
import trio
from hypercorn.app_wrappers import ASGIWrapper
from hypercorn.config import Config
from hypercorn.trio.tcp_server import TCPServer
from hypercorn.trio.worker_context import WorkerContext
from hypercorn.typing import ConnectionState

from memgraph_ha.api.app import Application
from memgraph_ha.api.control import Control
from memgraph_ha.api.endpoints import LONGEST_WAIT_S, Access

MOST_CONNECTIONS: Final = 400
"""Clients connected at once; further ones are closed."""

MOST_PER_ADDRESS: Final = 200
"""Of these, from one address: one source cannot shut out the others."""

IDLE_S: Final = 10.0
"""A connection without a whole request's head for so long is closed."""

STALLED_S: Final = 10.0
"""A client that takes nothing for so long, while something is sent to it, is cut."""

GRACE_S: Final = 0.5
"""When the server ends, answers under way may take so long."""

_SLICE: Final = 64 * 1024


def _config() -> Config:
    config = Config()
    config.accesslog = None
    config.errorlog = None  # the application logs its own faults; what clients do wrong is no news
    config.include_server_header = False
    config.keep_alive_timeout = IDLE_S
    config.graceful_timeout = GRACE_S
    return config


class _Stream:
    """One client's connection, as hypercorn uses it: a write that stalls ends it.

    Args:
        inner: The connection.
    """

    def __init__(self, inner: trio.SocketStream) -> None:
        self._inner = inner

    @property
    def socket(self) -> trio.socket.SocketType:
        """The socket, for its addresses."""
        return self._inner.socket

    async def send_all(self, data: bytes) -> None:
        """Send everything, each slice within `STALLED_S`; raise `trio.BrokenResourceError` if it stalls."""
        rest = memoryview(data)
        while rest:
            with trio.move_on_after(STALLED_S) as scope:
                await self._inner.send_all(rest[:_SLICE])
            if scope.cancelled_caught:
                self.abort()
                raise trio.BrokenResourceError("the client takes nothing")
            rest = rest[_SLICE:]

    async def receive_some(self, most: int) -> bytes:
        """Receive what is there."""
        return bytes(await self._inner.receive_some(most))

    async def send_eof(self) -> None:
        """Say that nothing more comes."""
        await self._inner.send_eof()

    async def aclose(self) -> None:
        """Close it."""
        await self._inner.aclose()

    def abort(self) -> None:
        """Reset it at once, from any task: whoever waits for it is woken, and nothing stays in the kernel's buffers."""
        with contextlib.suppress(OSError):
            self._inner.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
        self._inner.socket.close()


class _Connection(TCPServer):
    """hypercorn's connection, but for one that its client closed: that is over at once, not only when idle too long."""

    async def _read_data(self) -> None:
        await super()._read_data()
        await self.idle_task.stop()


class _Server:
    """The connections of one server.

    Args:
        application: What answers.
    """

    def __init__(self, application: Application) -> None:
        self._application = application
        self._app = ASGIWrapper(application)  # type: ignore[arg-type]  # the same ASGI in Starlette's looser types
        self._config = _config()
        self._context = WorkerContext(None)
        self._streams: set[_Stream] = set()
        self._sources: Counter[str] = Counter()
        self._ending, self._idle = trio.Event(), trio.Event()
        self._log = structlog.get_logger("memgraph_ha.api")

    async def handle(self, inner: trio.SocketStream) -> None:
        """Serve one connection; returns when it is closed, and raises nothing that a client can cause."""
        async with inner:
            try:
                source = str(inner.socket.getpeername()[0])
            except OSError:
                return  # it is gone already
            if len(self._streams) >= MOST_CONNECTIONS or self._sources[source] >= MOST_PER_ADDRESS:
                return
            stream = _Stream(inner)
            self._streams.add(stream)
            self._sources[source] += 1
            try:
                await _Connection(self._app, self._config, self._context, ConnectionState({}), stream).run()  # type: ignore[arg-type]  # it uses the five methods that _Stream has
            except* OSError:
                pass
            except* Exception as group:  # noqa: BLE001 - whatever a client does, it must not end the controller
                self._log.info("an HTTP connection was dropped", error=repr(group.exceptions[0])[:200])
            finally:
                self._streams.discard(stream)
                self._sources -= Counter({source: 1})
                if self._ending.is_set() and not self._streams:
                    self._idle.set()

    async def keep(self, *, task_status: trio.TaskStatus[trio.Nursery]) -> None:
        """Hold the nursery of all connections; when the server ends, give answers under way a moment, then tear down.

        Shielded: the cancellation that ends the server must not tear an answer in two.
        """
        with trio.CancelScope(shield=True):
            async with trio.open_nursery() as nursery:
                task_status.started(nursery)
                await self._ending.wait()
                await self._context.terminated.set()
                with trio.move_on_after(GRACE_S):
                    if self._streams:
                        await self._idle.wait()
                for stream in tuple(self._streams):
                    stream.abort()
                nursery.cancel_scope.cancel()

    def end(self) -> None:
        """Begin to end; `keep` does the rest."""
        self._application.end()
        self._ending.set()


async def serve(
    control: Control,
    *,
    host: str | None,
    port: int,
    access: Access,
    hook_wait_s: float = LONGEST_WAIT_S,
    task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED,
) -> None:
    """Serve the API until cancelled.

    Resource handling:
        The port is bound before ``task_status`` is told (the port itself). Everything lives in the caller's nursery;
        cancelling ends it within about half a second, whatever clients do.

    Error handling:
        Nothing that a client does raises. Faults of handlers are logged and answered with 500.

    Args:
        control: The controller.
        host: Address to listen on, e.g. ``127.0.0.1``; None for every address, of IPv4 and IPv6.
        port: 0 takes any free one.
        access: What callers must know.
        hook_wait_s: How long a preStop hook is kept waiting at most, seconds.
        task_status: Told the port when connections are taken.

    Raises:
        OSError: The address cannot be bound; the text names it.
    """
    server = _Server(Application(control, access, hook_wait_s))
    try:
        listeners = await trio.open_tcp_listeners(port, host=host, backlog=128)
    except OSError as error:
        raise OSError(
            error.errno, f"HTTP port {port} on {host or 'every address'} cannot be bound: {error.strerror or error}"
        ) from None
    bound = int(listeners[0].socket.getsockname()[1])
    async with trio.open_nursery() as nursery:
        connections = await nursery.start(server.keep)
        try:
            task_status.started(bound)
            await trio.serve_listeners(server.handle, listeners, handler_nursery=connections)
        finally:
            server.end()

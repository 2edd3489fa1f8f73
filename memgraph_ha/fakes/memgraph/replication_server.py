"""The replication port of a REPLICA (semantics 1, 2.3)."""

from __future__ import annotations

from collections.abc import Awaitable, Callable
from typing import Final

import trio

from . import wire
from .rpc import Reply, Request
from .streams import receive_exactly

ACCEPT_PAUSE_S: Final = 0.1


class ReplicationServer:
    """Accepts MAINs and hands their requests on, one after the other per connection.

    Error handling: bytes that are not frames of ours end their connection and are logged.

    Args:
        nursery: Where connections are served.
        answer: Answers one request.
        address: Where to listen; a real server listens on 0.0.0.0 (semantics 2.3).
        log: Takes a level and a text.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        answer: Callable[[Request], Awaitable[Reply]],
        address: str,
        log: Callable[[str, str], None],
    ) -> None:
        self._nursery = nursery
        self._answer = answer
        self._address = address
        self._log = log
        self._listeners: list[trio.SocketListener] = []
        self._streams: set[trio.SocketStream] = set()

    async def open(self, port: int) -> bool:
        """Listen on `port`; returns False, and logs why, if it cannot be bound."""
        try:
            self._listeners = await trio.open_tcp_listeners(port, host=self._address)
        except OSError as error:
            where = f"{self._address}:{port}"
            self._log("error", f"Cannot bind to socket on endpoint {where}: {error.strerror}. Is it in use?")
            return False
        for listener in self._listeners:
            self._nursery.start_soon(self._accept, listener)
        return True

    async def close(self) -> None:
        """Stop listening and end all connections."""
        for listener in self._listeners:
            listener.socket.close()
        self._listeners = []
        for stream in list(self._streams):
            stream.socket.close()

    async def _accept(self, listener: trio.SocketListener) -> None:
        while True:
            try:
                stream = await listener.accept()
            except trio.ClosedResourceError:
                return
            except OSError as error:  # no file descriptor left, say: others may be closed soon
                self._log("error", f"Cannot accept on the replication port: {error.strerror}")
                await trio.sleep(ACCEPT_PAUSE_S)
                continue
            self._nursery.start_soon(self._serve, stream)

    async def _serve(self, stream: trio.SocketStream) -> None:
        self._streams.add(stream)
        try:
            stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
            while (request := await _receive(stream)) is not None:
                await stream.send_all(wire.encode_reply(await self._answer(request)))
        except wire.WireError as error:
            self._log("error", f"Dropped a connection on the replication port: {error}")
        except (trio.BrokenResourceError, trio.ClosedResourceError, OSError):
            pass
        finally:
            self._streams.discard(stream)
            stream.socket.close()


async def _receive(stream: trio.SocketStream) -> Request | None:
    """Return the next request, or None at the end of the connection."""
    prefix = await receive_exactly(stream, wire.PREFIX.size)
    if prefix is None:
        return None
    header, body = wire.lengths(prefix)
    content = await receive_exactly(stream, header + body)
    return None if content is None else wire.decode_request(content[:header], content[header:])

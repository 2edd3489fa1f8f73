"""One Bolt connection over a trio stream."""

from __future__ import annotations

import math
from collections import deque
from contextlib import suppress
from typing import Final

import trio
from attrs import frozen

from memgraph_ha.fakes.memgraph.bolt.chunking import ChunkError, Dechunker
from memgraph_ha.fakes.memgraph.bolt.connection import FLUSH_BYTES, ClientGoneError, Connection, State
from memgraph_ha.fakes.memgraph.bolt.engine import Engine
from memgraph_ha.fakes.memgraph.bolt.handshake import HANDSHAKE_BYTES, SUPPORTED, Version, answer, negotiate
from memgraph_ha.fakes.memgraph.bolt.messages import Answers

_RECEIVE_BYTES: Final = 64 * 1024


@frozen(kw_only=True)
class Limits:
    """What a client may speak, and how much and how long it may occupy the server.

    Args:
        versions: Of Bolt; 4.4 is among them from Memgraph 3.12 (semantics 0.1).
        login_s: Seconds from the connect to the end of the login; a slower client is cut.
        message_bytes: The longest message after the login.
        login_message_bytes: The longest message before it.
        backlog_bytes: Pipelined messages kept while an earlier one is at work; more stay in the socket.
        linger_s: Seconds that work goes on after a client has closed its side, so that what it sent
            last is still done, before it is cancelled.
    """

    versions: frozenset[Version] = SUPPORTED
    login_s: float = 60.0
    message_bytes: int = 64 * 1024 * 1024
    login_message_bytes: int = 64 * 1024
    backlog_bytes: int = 4 * 1024 * 1024
    linger_s: float = 0.1


DEFAULT_LIMITS: Final = Limits()


async def serve_connection(stream: trio.abc.Stream, engine: Engine, limits: Limits = DEFAULT_LIMITS) -> None:
    """Serve one client until it leaves, then close its session and the stream.

    Args:
        stream: The accepted connection; this function owns it.
        engine: The database.
        limits: What a client may do.

    Resource handling:
        The stream is closed and the session aborted however this ends, cancellation included.

    Error handling:
        Nothing propagates: garbage is answered with the FAILURE of a real server, an error of the
        engine that is no `MemgraphError` is logged and answered as Memgraph does, a reset ends the
        connection.
    """
    async with stream:
        try:
            with trio.CancelScope(deadline=trio.current_time() + limits.login_s) as login:
                await _shake_hands_and_serve(stream, engine, limits, login)
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            return


async def _shake_hands_and_serve(
    stream: trio.abc.Stream, engine: Engine, limits: Limits, login: trio.CancelScope
) -> None:
    received = b""
    while len(received) < HANDSHAKE_BYTES:
        data = await stream.receive_some(_RECEIVE_BYTES)
        if not data:
            return
        received += data
    version = negotiate(received[:HANDSHAKE_BYTES], limits.versions)
    if version is None:
        out = bytearray()
        Answers(out, 1).invalid_data()
        await stream.send_all(out)
        return
    await stream.send_all(answer(version))
    inbox = _Inbox(stream, limits)
    inbox.take_in(received[HANDSHAKE_BYTES:])
    await _Server(stream, inbox, engine, version, login).serve()


class _Inbox:
    """The messages of a client, read ahead so that its end is noticed while a query is at work."""

    def __init__(self, stream: trio.abc.Stream, limits: Limits) -> None:
        self.garbage = False
        self._dechunker = Dechunker(limits.login_message_bytes)
        self._stream = stream
        self._limits = limits
        self._messages: deque[bytes] = deque()
        self._bytes = 0
        self._ended = False
        self._arrived = trio.Event()
        self._drained = trio.Event()

    def __bool__(self) -> bool:
        """Return whether a message is there already."""
        return bool(self._messages)

    def accept_long_messages(self) -> None:
        """The client has logged in: what it sends may be as long as a message can be."""
        self._dechunker.max_message_bytes = self._limits.message_bytes

    def take_in(self, data: bytes | bytearray) -> None:
        """File the messages that received bytes complete."""
        try:
            messages = self._dechunker.feed(data)
        except ChunkError:
            self.garbage = self._ended = True
        else:
            self._messages.extend(messages)
            self._bytes += sum(map(len, messages))
        self._arrived.set()

    async def fill(self, work: trio.CancelScope) -> None:
        """Read until the client ends; then let `work` go on for a moment and cancel it."""
        try:
            while not self._ended:
                data = await self._stream.receive_some(_RECEIVE_BYTES)
                if not data:
                    self._ended = True
                    self._arrived.set()
                    await trio.sleep(self._limits.linger_s)
                    break
                self.take_in(data)
                while self._bytes > self._limits.backlog_bytes:
                    self._drained = trio.Event()
                    await self._drained.wait()
        except (trio.BrokenResourceError, trio.ClosedResourceError):
            pass
        if not self.garbage:  # garbage is still to be answered
            work.cancel()

    async def next(self) -> bytes | None:
        """Return the next message, None when there are no more."""
        while not self._messages:
            if self._ended:
                return None
            self._arrived = trio.Event()
            await self._arrived.wait()
        message = self._messages.popleft()
        self._bytes -= len(message)
        if self._bytes <= self._limits.backlog_bytes:
            self._drained.set()
        return message


class _Server:
    """Answers the messages of one client."""

    def __init__(
        self, stream: trio.abc.Stream, inbox: _Inbox, engine: Engine, version: Version, login: trio.CancelScope
    ) -> None:
        self._stream = stream
        self._inbox = inbox
        self._connection = Connection(engine, version, self._flush)
        self._login = login
        self._major = version[0]

    async def serve(self) -> None:
        """Serve until the client ends or is cut."""
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(self._inbox.fill, nursery.cancel_scope)
                with suppress(ClientGoneError):
                    await self._answer_all()
                nursery.cancel_scope.cancel()
        finally:
            with trio.CancelScope(shield=True):
                await self._connection.close()

    async def _answer_all(self) -> None:
        connection, inbox = self._connection, self._inbox
        while connection.state is not State.CLOSED:
            message = await inbox.next()
            if message is None:
                break
            await connection.handle(message)
            if self._login.deadline != math.inf and connection.state is not State.INIT:
                self._login.deadline = math.inf
                inbox.accept_long_messages()
            if not inbox or len(connection.out) >= FLUSH_BYTES:
                await self._flush()
        if inbox.garbage and connection.state is not State.CLOSED:
            Answers(connection.out, self._major).invalid_data()
        await self._flush()

    async def _flush(self) -> None:
        out = self._connection.out
        if not out:
            return
        data = bytes(out)
        out.clear()
        try:
            await self._stream.send_all(data)
        except (trio.BrokenResourceError, trio.ClosedResourceError) as error:
            raise ClientGoneError from error

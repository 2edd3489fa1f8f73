"""A raw Bolt client that sends and receives exactly what a test says."""

from __future__ import annotations

from collections import deque
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from typing import Any, Final

import trio
from attrs import define, field
from trio.testing import memory_stream_pair

from memgraph_ha.fakes.memgraph.bolt import Engine, Limits, serve_connection
from memgraph_ha.fakes.memgraph.bolt.chunking import Dechunker, begin_chunk, end_chunk
from memgraph_ha.fakes.memgraph.bolt.messages import Signature
from memgraph_ha.fakes.memgraph.bolt.packstream import Structure, pack_structure, unpack

MAGIC: Final = bytes.fromhex("6060b017")
AUTH: Final = {"scheme": "basic", "principal": "ann", "credentials": "secret"}


def offer(*versions: tuple[int, int, int]) -> bytes:
    """Return the handshake that offers these versions, each as major, minor and span."""
    slots = [bytes((0, span, minor, major)) for major, minor, span in versions]
    return MAGIC + b"".join(slots).ljust(16, b"\0")


def message(signature: Signature | int, *fields: Any, major: int = 5) -> bytes:
    """Return the bytes of one message, chunked."""
    out = bytearray()
    start = begin_chunk(out)
    pack_structure(Structure(int(signature), fields), out, major)
    end_chunk(out, start)
    return bytes(out)


@define
class RawClient:
    """The client's end of a connection.

    Attributes:
        stream: Where the server is.
        raw: Everything that was received after the handshake.
    """

    stream: trio.abc.HalfCloseableStream
    raw: bytearray = field(factory=bytearray)
    _dechunker: Dechunker = field(factory=lambda: Dechunker(2**30))
    _messages: deque[bytes] = field(factory=deque)

    async def handshake(self, *versions: tuple[int, int, int]) -> bytes:
        """Offer versions; returns what comes back first, at most four bytes."""
        await self.stream.send_all(offer(*versions))
        answer = b""
        while len(answer) < 4:
            data = await self.stream.receive_some(4 - len(answer))
            if not data:
                break
            answer += data
        return answer

    async def send(self, signature: Signature, *fields: Any) -> None:
        """Send one message."""
        await self.stream.send_all(message(signature, *fields))

    async def receive(self) -> tuple[Signature, Any]:
        """Return the signature of the next message and its only field, or None.

        Raises:
            EOFError: The server has closed the connection.
        """
        while not self._messages:
            data = await self.stream.receive_some()
            if not data:
                raise EOFError
            self.raw += data
            self._messages.extend(self._dechunker.feed(data))
        found = unpack(self._messages.popleft())
        assert isinstance(found, Structure)
        return Signature(found.tag), found.fields[0] if found.fields else None

    async def ask(self, signature: Signature, *fields: Any) -> tuple[Signature, Any]:
        """Send one message and return the next answer."""
        await self.send(signature, *fields)
        return await self.receive()

    async def login(self, **auth: str) -> None:
        """Speak 5.2 and log in."""
        assert await self.handshake((5, 2, 0)) == bytes.fromhex("00000205")
        assert (await self.ask(Signature.HELLO, {"user_agent": "test/1"}))[0] is Signature.SUCCESS
        assert (await self.ask(Signature.LOGON, auth))[0] is Signature.SUCCESS

    async def rows(self, query: str, **parameters: Any) -> list[list[Any]]:
        """Run a query outside a transaction and return its rows."""
        assert (await self.ask(Signature.RUN, query, parameters, {}))[0] is Signature.SUCCESS
        await self.send(Signature.PULL, {"n": -1})
        rows: list[list[Any]] = []
        while True:
            signature, content = await self.receive()
            if signature is not Signature.RECORD:
                assert signature is Signature.SUCCESS, content
                return rows
            rows.append(content)

    async def is_closed(self) -> bool:
        """Return whether the server has closed the connection after what was received."""
        assert not self._messages
        return await self.stream.receive_some() == b""


@asynccontextmanager
async def connected(engine: Engine, limits: Limits | None = None) -> AsyncIterator[RawClient]:
    """Serve one client in memory; at the end the client leaves and the server must follow."""
    ours, theirs = memory_stream_pair()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(serve_connection, theirs, engine, limits or Limits())
        yield RawClient(ours)
        await ours.aclose()

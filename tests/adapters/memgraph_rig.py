"""What the Memgraph adapter's tests share: raw peers that misbehave, and a sink for facts."""

import socket
import struct
import threading
import time
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager, suppress
from pathlib import Path
from typing import TypeVar

import psutil  # type: ignore[import-untyped]  # it ships no types
import trio

from memgraph_ha.core.facts import Fact
from memgraph_ha.core.names import Address, Incarnation, InstanceName
from memgraph_ha.core.topology import Member
from memgraph_ha.testing import contract

F = TypeVar("F", bound=Fact)

Peer = Callable[[trio.SocketStream], Awaitable[None]]


def boottime_s() -> float:
    """The clock that the daemon injects."""
    return time.clock_gettime(time.CLOCK_BOOTTIME)


def member(name: str, bolt_port: int, replication_port: int = 1, incarnation: str | None = "1:1") -> Member:
    """An instance on loopback."""
    return Member(
        name=InstanceName(name),
        bolt=Address(f"127.0.0.1:{bolt_port}"),
        replication=Address(f"127.0.0.1:{replication_port}"),
        incarnation=None if incarnation is None else Incarnation(incarnation),
    )


async def silent(stream: trio.SocketStream) -> None:
    """Read everything, answer nothing, like a frozen process whose kernel still accepts."""
    async for _ in stream:
        pass


async def garbage(stream: trio.SocketStream) -> None:
    """Answer the handshake with bytes that are no Bolt."""
    await stream.receive_some(100)
    await stream.send_all(b"\xde\xad\xbe\xef" * 64)
    await silent(stream)


async def hang_up(stream: trio.SocketStream) -> None:
    """Close in the middle of the handshake."""
    await stream.receive_some(100)


async def reset(stream: trio.SocketStream) -> None:
    """Answer with RST."""
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))


async def agree_then_hang_up(stream: trio.SocketStream) -> None:
    """Speak Bolt 5.2, then close instead of answering HELLO."""
    await stream.receive_some(100)
    await stream.send_all(b"\x00\x00\x02\x05")
    await stream.receive_some(1000)


async def agree_then_babble(stream: trio.SocketStream) -> None:
    """Speak Bolt 5.2, then answer HELLO with a message that no one can unpack."""
    await stream.receive_some(100)
    await stream.send_all(b"\x00\x00\x02\x05")
    await stream.receive_some(1000)
    await stream.send_all(b"\x00\x04\xff\xff\xff\xff\x00\x00")
    await silent(stream)


@asynccontextmanager
async def listening(peer: Peer) -> AsyncIterator[int]:
    """Serve every connection by that peer; yields the port."""

    async def serve(stream: trio.SocketStream) -> None:
        with suppress(trio.BrokenResourceError):
            await peer(stream)

    async with trio.open_nursery() as nursery:
        listeners = await nursery.start(trio.serve_tcp, serve, 0)
        yield listeners[0].socket.getsockname()[1]
        nursery.cancel_scope.cancel()


class Sink(contract.Sink):
    """Collects facts and lets a test wait for one, of one instance if it is named."""

    def of(self, kind: type[F], name: str | None = None) -> list[F]:
        """Every fact of that kind so far, of that instance if one is named."""
        return [fact for fact in super().of(kind) if name is None or getattr(fact, "instance", None) == name]

    async def next(
        self, kind: type[F], name: str | None = None, *, after: int = 0, that: Callable[[F], bool] | None = None
    ) -> F:
        """Wait for a fact of that kind beyond the first ``after`` facts of any kind."""

        def fits(fact: F) -> bool:
            return (name is None or getattr(fact, "instance", None) == name) and (that is None or that(fact))

        with trio.fail_after(20):
            return await self.first(kind, fits, after=after)


def sockets_of_ours() -> int:
    """How many TCP connections this process has, listeners and closed ones not counted."""
    return sum(
        1
        for connection in psutil.Process().net_connections(kind="tcp")
        if connection.status not in (psutil.CONN_LISTEN, psutil.CONN_NONE)
    )


def local_ports_to(port: int) -> list[int]:
    """Our ends, in whatever state, of the kernel's IPv4 connections to a port: half-closed and TIME_WAIT too."""
    lines = Path("/proc/net/tcp").read_text(encoding="ascii").splitlines()[1:]
    ends = [(line.split()[1], line.split()[2]) for line in lines]
    return [int(mine[9:], 16) for mine, peer in ends if int(peer[9:], 16) == port]


async def settle(measure: Callable[[], int], wanted: int, *, within_s: float) -> int:
    """Wait until a count has come down to what it was; returns the last count."""
    deadline = trio.current_time() + within_s
    while measure() > wanted and trio.current_time() < deadline:  # noqa: ASYNC110 - the kernel signals no event
        await trio.sleep(0.05)
    return measure()


def threads_of_ours() -> int:
    """How many threads this process has."""
    return threading.active_count()

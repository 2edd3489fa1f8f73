"""Runs the model's procedures under trio: real time, real files, real sockets."""

from __future__ import annotations

import math
import os
import signal
import time
from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import Any, NoReturn, TypeVar

import trio

from . import wire
from .disk import StorageError
from .durability import CorruptionError, DataDirectory, read_snapshot
from .effects import (
    Calendar,
    Call,
    Clock,
    Die,
    Effect,
    Failure,
    Hang,
    Hangup,
    Link,
    Listen,
    ListSnapshots,
    Offload,
    Persist,
    Procedure,
    ReadSnapshot,
    Sleep,
    Spawn,
    Unlisten,
    Wait,
)
from .errors import MemgraphError
from .locks import Waiter
from .replication_server import ReplicationServer
from .rpc import Reply, Request
from .streams import receive_exactly

T = TypeVar("T")


class Driver:
    """Interprets effects.

    Resource handling: sockets to replicas and the replication server live until `close` or the
    effects that end them; procedures run in `nursery`.

    Error handling: `StorageError` and `MemgraphError` are thrown into the procedure that asked; anything else that a
    background procedure raises is a bug and ends the process through the nursery.

    Args:
        nursery: Where spawned procedures and the replication server run.
        data: The data directory.
        serve: Answers a request on the replication port.
        address: Where the replication server listens.
        log: Takes a level and a text.
    """

    def __init__(
        self,
        nursery: trio.Nursery,
        data: DataDirectory,
        serve: Callable[[Request], Procedure[Reply]],
        address: str,
        log: Callable[[str, str], None],
    ) -> None:
        self._nursery = nursery
        self._data = data
        self._links: dict[Link, trio.SocketStream] = {}
        self._server = ReplicationServer(nursery, lambda request: self.run(serve(request)), address, log)
        # Each takes the kind of effect it stands under; a dict cannot say so.
        self._at_once: dict[type[Effect], Callable[[Any], object]] = {
            Persist: self._persist,
            Spawn: self._spawn,
            Hangup: lambda effect: self._hang_up(effect.link),
            Clock: lambda _: time.monotonic(),
            Calendar: lambda _: time.time_ns(),
            ListSnapshots: lambda _: data.list_snapshots(),
            Die: lambda effect: _die(effect.signal),
        }
        self._in_time: dict[type[Effect], Callable[[Any], Awaitable[object]]] = {
            Call: self._call,
            Wait: _wait,
            Sleep: _sleep,
            Listen: lambda effect: self._server.open(effect.port),
            Unlisten: lambda _: self._server.close(),
            Offload: lambda effect: trio.to_thread.run_sync(effect.function),
            ReadSnapshot: lambda effect: trio.to_thread.run_sync(_read, effect.path),
            Hang: _hang,
        }

    async def run_whole(self, procedure: Procedure[T]) -> T:
        """Run what must not stop half-way because a client went away: a thread of Memgraph goes on too."""
        with trio.CancelScope(shield=True):
            return await self.run(procedure)
        raise AssertionError("nobody cancels a shield of our own")

    async def run(self, procedure: Procedure[T]) -> T:
        """Run a procedure to its end; if this is cancelled, it is closed and lets go of its locks."""
        try:
            effect = next(procedure)
            while True:
                try:
                    perform = self._at_once.get(type(effect))
                    outcome = perform(effect) if perform else await self._in_time[type(effect)](effect)
                except (StorageError, MemgraphError) as refusal:
                    effect = procedure.throw(refusal)
                else:
                    effect = procedure.send(outcome)
        except StopIteration as stop:
            result: T = stop.value
            return result
        finally:
            procedure.close()

    def _persist(self, effect: Persist) -> float:
        self._data.write(effect.writes)
        return time.monotonic()

    def _spawn(self, effect: Spawn) -> None:
        self._nursery.start_soon(self.run, effect.procedure)

    async def _call(self, call: Call) -> Reply | Failure:
        """Send a request and wait for the reply; after a failure the connection is closed."""
        stream = self._links.get(call.link)
        if stream is None:
            found = await self._connect(call)
            if isinstance(found, Failure):
                return found
            stream = self._links[call.link] = found
        outcome: Reply | Failure = Failure.TIMED_OUT
        try:
            with trio.move_on_after(call.timeout_s):
                await stream.send_all(wire.encode_request(call.request))
                outcome = await _receive_reply(stream)
        except (trio.BrokenResourceError, trio.ClosedResourceError, wire.WireError):
            outcome = Failure.BROKEN
        if isinstance(outcome, Failure):
            self._hang_up(call.link)
        return outcome

    async def _connect(self, call: Call) -> trio.SocketStream | Failure:
        with trio.move_on_after(call.connect_timeout_s):
            try:
                stream = await trio.open_tcp_stream(call.link.host, call.link.port, happy_eyeballs_delay=math.inf)
            except OSError:
                return Failure.REFUSED
            stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
            return stream
        return Failure.UNREACHABLE

    def _hang_up(self, link: Link) -> None:
        stream = self._links.pop(link, None)
        if stream is not None:
            stream.socket.close()

    async def close(self) -> None:
        """Close the replication server and all connections."""
        await self._server.close()
        for link in list(self._links):
            self._hang_up(link)


async def _receive_reply(stream: trio.SocketStream) -> Reply | Failure:
    prefix = await receive_exactly(stream, wire.PREFIX.size)
    if prefix is None:
        return Failure.BROKEN
    header, body = wire.lengths(prefix)
    content = await receive_exactly(stream, header + body)
    return Failure.BROKEN if content is None else wire.decode_reply(content[:header])


async def _wait(wait: Wait) -> object:
    """Wait for a lock or a worker; see `effects.Wait`."""
    with trio.move_on_after(math.inf if wait.timeout_s is None else wait.timeout_s):
        while True:
            woken = trio.Event()
            waiter = Waiter(wait.exclusive, woken.set)
            wait.lock.enqueue(waiter)
            try:
                await woken.wait()
            except trio.Cancelled:
                wait.lock.forget(waiter)
                raise
            outcome = waiter.granted or wait.retry()
            if outcome is not None:
                return outcome
    return None


async def _sleep(effect: Sleep) -> None:
    await trio.sleep(effect.seconds)


async def _hang(_: Hang) -> None:
    await trio.sleep_forever()


def _read(path: str) -> object:
    try:
        return read_snapshot(Path(path))
    except (OSError, CorruptionError) as error:
        raise StorageError(str(error)) from error


def _die(number: int) -> NoReturn:
    """End like a crash: by a signal with its default action, without cleaning anything up."""
    signal.signal(number, signal.SIG_DFL)
    os.kill(os.getpid(), number)
    os._exit(128 + number)

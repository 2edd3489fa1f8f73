"""One running instance: start-up in Memgraph's order, Bolt, and a graceful end (semantics 6)."""

from __future__ import annotations

import os
import random
import signal
import sys
import uuid
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, NoReturn

import trio
from attrs import frozen

from . import cypher
from .bolt import Limits, serve_connection
from .disk import StorageError
from .driver import Driver
from .durability import CorruptionError, DataDirectory
from .engine import InstanceEngine
from .graph import DeltaError
from .initfile import run_lines
from .instance import Chance, Instance
from .logs import Log
from .replica import serve
from .session import Session
from .settings import Settings
from .snapshots import create_if_changed
from .startup import StartError, boot
from .workers import Workers

ACCEPT_PAUSE_S: Final = 0.1
# The backlog of a listening socket: a frozen process still lets clients connect (transcripts Q15).
BACKLOG: Final = 1024


@frozen(kw_only=True)
class Endpoints:
    """Where a server listens and what it reads at its start.

    Attributes:
        init_file: Run before Bolt opens.
        init_data_file: Run after.
        side_ports: (address, port, name) of the ports beside Bolt that a real server binds.
    """

    bolt_address: str
    bolt_port: int
    replication_address: str
    init_file: Path | None = None
    init_data_file: Path | None = None
    side_ports: tuple[tuple[str, int, str], ...] = ()


def new_instance(settings: Settings, log: Log, seed: int | None) -> Instance:
    """Return the instance of a fresh process.

    Args:
        settings: Its configuration.
        log: Where it logs.
        seed: Of its chances; None for any.  Uuids are always fresh.
    """
    chance = Chance(draw=random.Random(seed).random, uuid=lambda: str(uuid.uuid4()))  # noqa: S311 - dice, not secrets
    return Instance(
        settings=settings,
        chance=chance,
        log_line=log.line,
        run_id=chance.uuid(),
        main_uuid=chance.uuid(),
        database_uuid=chance.uuid(),
        epoch=chance.uuid(),
        storage_mode=settings.storage_mode,
    )


class Server:
    """An instance with its files and sockets.

    Args:
        instance: The model, not yet booted.
        data: Its data directory, locked.
        endpoints: Where to listen.
        log: Where to log.
    """

    def __init__(self, instance: Instance, data: DataDirectory, endpoints: Endpoints, log: Log) -> None:
        self._instance = instance
        self._data = data
        self._endpoints = endpoints
        self._log = log
        self._workers = Workers(instance.settings.workers)
        self._side_listeners: list[trio.SocketListener] = []

    async def run(self, leave: Callable[[int], NoReturn]) -> None:
        """Serve until SIGTERM or SIGINT.

        Error handling: what stops the start is logged and gives exit code 1.

        Args:
            leave: Ends the process with an exit code; commits that hang are not waited for.
        """
        with trio.open_signal_receiver(signal.SIGTERM, signal.SIGINT) as signals:
            async with trio.open_nursery() as nursery:
                driver = Driver(
                    nursery,
                    self._data,
                    lambda request: serve(self._instance, request),
                    self._endpoints.replication_address,
                    self._log.line,
                )
                try:
                    await self._start(driver, nursery)
                except (StartError, StorageError, CorruptionError, DeltaError) as error:
                    self._log.line("critical", str(error))
                    print(error, file=sys.stderr)  # noqa: T201 - for whoever started it
                    leave(1)
                async for _ in signals:
                    break
                await self._stop(driver)
                leave(0)

    async def _start(self, driver: Driver, nursery: trio.Nursery) -> None:
        log = self._log.line
        await self._bind_side_ports(nursery)
        await driver.run(boot(self._instance, self._data))
        for note in self._data.notes:
            log("warning", note)
        await self._run_file(driver, self._endpoints.init_file, "init file")
        listeners = await self._listen()
        engine = InstanceEngine(self._instance, self._workers, driver)
        for listener in listeners:
            nursery.start_soon(self._accept, listener, engine, nursery)
        log("warning", "Using non-secure Bolt connection (without SSL). For more details, visit https://memgr.ph/ssl.")
        port = listeners[0].socket.getsockname()[1]
        log("info", f"Bolt server is fully armed and operational at {self._endpoints.bolt_address}:{port}")
        nursery.start_soon(trio.to_thread.run_sync, _import_cypher)
        await self._run_file(driver, self._endpoints.init_data_file, "init data file")

    async def _listen(self) -> list[trio.SocketListener]:
        address, port = self._endpoints.bolt_address, self._endpoints.bolt_port
        try:
            return await trio.open_tcp_listeners(port, host=address, backlog=BACKLOG)
        except OSError as error:
            raise StartError(
                f"Cannot bind to socket on endpoint {address}:{port} for Bolt: {error.strerror}; stop what listens"
                " there or choose another --bolt-port"
            ) from error

    async def _run_file(self, driver: Driver, file: Path | None, what: str) -> None:
        """Run the queries of a file; a file that is not there is silently passed over (Q1)."""
        if file is None:
            return
        lines = _lines(file)
        if lines is None:
            self._log.line("trace", f"Could not find {what} {file}")
            return
        self._log.line("info", f"Running {what}...")
        session = Session(self._instance, self._workers, 0)
        await driver.run(run_lines(session, lines))
        if what == "init data file":
            self._log.line("info", "Running queries from init data file successfully finished.")

    async def _accept(self, listener: trio.SocketListener, engine: InstanceEngine, nursery: trio.Nursery) -> None:
        limits = Limits(versions=self._instance.quirks.bolt_versions)
        while True:
            try:
                stream = await listener.accept()
            except OSError as error:
                self._log.line("error", f"Cannot accept on the Bolt port: {error.strerror}")
                await trio.sleep(ACCEPT_PAUSE_S)
                continue
            stream.setsockopt(trio.socket.IPPROTO_TCP, trio.socket.TCP_NODELAY, 1)
            nursery.start_soon(serve_connection, stream, engine, limits)

    async def _bind_side_ports(self, nursery: trio.Nursery) -> None:
        """Bind the websocket and metrics ports; failing to is not fatal (semantics 9.5)."""
        for address, port, name in self._endpoints.side_ports:
            try:
                listeners = await trio.open_tcp_listeners(port, host=address)
            except OSError as error:
                self._log.line("error", f"Cannot bind the {name} port {address}:{port}: {error.strerror}")
                continue
            for listener in listeners:
                nursery.start_soon(_turn_away, listener)

    async def _stop(self, driver: Driver) -> None:
        """End gracefully: a MAIN takes its snapshot first (semantics 6)."""
        self._log.line("info", "Shutting down...")
        if self._instance.settings.snapshot_on_exit and self._instance.settings.wal_enabled:
            await driver.run(create_if_changed(self._instance))
        await driver.close()
        self._data.close()


async def _turn_away(listener: trio.SocketListener) -> None:
    """Accept and close: nothing of what these ports say is played here."""
    while True:
        try:
            stream = await listener.accept()
        except OSError:
            await trio.sleep(ACCEPT_PAUSE_S)
            continue
        stream.socket.close()


def _import_cypher() -> None:
    """Import what the first Cypher query needs, which the start did not wait for."""
    cypher.parse("RETURN 1")
    cypher.execute  # noqa: B018 - importing it is the point


def _lines(file: Path) -> Sequence[str] | None:
    try:
        return file.read_text().splitlines()
    except (OSError, UnicodeDecodeError):
        return None


def serve_until_stopped(server: Server) -> None:
    """Run `server` and end the process with its exit code."""
    trio.run(server.run, os._exit)

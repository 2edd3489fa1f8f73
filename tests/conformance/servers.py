"""Server processes of any binary that takes Memgraph's flags, and what tests do to them."""

from __future__ import annotations

import functools
import os
import shutil
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Final, Self, TypeVar

import neo4j
import pytest
from attrs import define, field
from neo4j.exceptions import DriverError, Neo4jError

from tests.conformance.answers import Answer, Refusal
from tests.conformance.ports import held_port, number_of

HOST: Final = "127.0.0.1"
BINARY: Final = os.environ.get("MEMGRAPH_BINARY", "") or str(Path(sys.executable).with_name("memgraph-ha-fake"))
# Far above anything that is waited for, so that only what never happens runs into it.
PATIENCE_S: Final = 60.0
POLL_S: Final = 0.02
NOOP: Final = "CREATE (n:X) DELETE n"
"""The commit that leaves nothing behind (transcripts Q3, Q18)."""

_Value = TypeVar("_Value")


@functools.cache
def _flags() -> str:
    """Return what the binary says of its flags: they tell which build it is, and whether it is the fake."""
    told = subprocess.run([BINARY, "--help"], capture_output=True, text=True, timeout=PATIENCE_S, check=False)
    return told.stdout


def until(
    what: str, ask: Callable[[], _Value], wanted: Callable[[_Value], bool], within_s: float = PATIENCE_S
) -> float:
    """Ask again and again until the answer is as wanted.

    Args:
        what: Named in the failure.
        ask: Errors of the driver count as an unwanted answer.
        wanted: Whether this is the answer.
        within_s: Seconds to go on for.

    Returns:
        The seconds it took.

    Raises:
        AssertionError: It never was.
    """
    before = time.monotonic()
    answer: object = None
    while time.monotonic() - before < within_s:
        try:
            answer = found = ask()
            if wanted(found):
                return time.monotonic() - before
        except (Neo4jError, DriverError) as error:
            answer = error
        time.sleep(POLL_S)
    raise AssertionError(f"{what}: still {answer!r} after {within_s} s")


@define(eq=False)
class Server:
    """One instance: name, ports and directory for good, a process while it runs."""

    name: str
    folder: Path
    flags: tuple[str, ...] = ()
    environment: Mapping[str, str] = field(factory=dict)
    auth: tuple[str, str] | None = None
    ports: tuple[socket.socket, ...] = field(factory=lambda: tuple(held_port() for _ in range(4)))
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.folder / self.name

    @property
    def bolt(self) -> int:
        """Its Bolt port."""
        return number_of(self.ports[0])

    @property
    def port(self) -> int:
        """Its replication port."""
        return number_of(self.ports[1])

    @property
    def address(self) -> str:
        """Where its replication server listens while it is a REPLICA."""
        return f"{HOST}:{self.port}"

    def launch(self, *flags: str) -> None:
        """Start the process; returns before Bolt is open."""
        argv = [
            BINARY,
            f"--bolt-address={HOST}",
            f"--bolt-port={self.bolt}",
            f"--data-directory={self.data}",
            f"--log-file={self.folder / self.name}.log",
            "--log-level=TRACE",
            "--storage-wal-enabled=true",
            "--storage-snapshot-interval-sec=300",
            "--storage-snapshot-on-exit=true",
            f"--monitoring-address={HOST}",
            f"--monitoring-port={number_of(self.ports[2])}",
            f"--metrics-address={HOST}",
            f"--metrics-port={number_of(self.ports[3])}",
            "--telemetry-enabled=false",
            *self.flags,
            *flags,
        ]
        # A memgraph.conf of the machine must not add flags to a real server's.
        environment = {**os.environ, "MEMGRAPH_CONFIG": os.devnull, **self.environment}
        self.process = subprocess.Popen(argv, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)

    def start(self, *flags: str) -> float:
        """Start the process and wait for its Bolt port; returns the seconds that took."""
        before = time.monotonic()
        self.launch(*flags)
        self.until_open()
        return time.monotonic() - before

    def until_open(self) -> None:
        """Wait for the Bolt port of a launched process."""
        before = time.monotonic()
        while True:
            try:
                socket.create_connection((HOST, self.bolt), timeout=1).close()
            except OSError:
                code = self.running.poll()
                if code is not None or time.monotonic() - before > PATIENCE_S:
                    raise AssertionError(f"{self.name} opened no Bolt port; exit code {code}") from None
                time.sleep(0.005)
            else:
                return

    @property
    def running(self) -> subprocess.Popen[bytes]:
        """The process."""
        assert self.process is not None, f"{self.name} was never started"
        return self.process

    @property
    def alive(self) -> bool:
        """Whether the process runs."""
        return self.running.poll() is None

    def signal(self, number: signal.Signals) -> None:
        """Send a signal."""
        self.running.send_signal(number)

    def freeze(self) -> None:
        """SIGSTOP: it answers nothing, its ports stay open."""
        self.signal(signal.SIGSTOP)

    def thaw(self) -> None:
        """SIGCONT."""
        self.signal(signal.SIGCONT)

    def kill(self) -> None:
        """SIGKILL, and wait for the end."""
        self.signal(signal.SIGKILL)
        self.running.wait(PATIENCE_S)

    def terminate(self) -> int:
        """SIGTERM, wait for the end, return the exit code."""
        self.signal(signal.SIGTERM)
        return self.running.wait(PATIENCE_S)

    def restart(self, *flags: str) -> float:
        """SIGKILL and start again; returns the seconds until Bolt was open."""
        self.kill()
        return self.start(*flags)

    def wipe(self) -> None:
        """Remove the data directory of a stopped instance."""
        assert not self.alive
        shutil.rmtree(self.data)

    def wipe_data(self) -> None:
        """Remove only `wal/` and `snapshots/` of a stopped instance: role and MAIN stay (Q11)."""
        assert not self.alive
        for name in ("wal", "snapshots"):
            shutil.rmtree(self.data / name, ignore_errors=True)

    def log(self) -> str:
        """Return what it logged; a real server puts the date into the name of its log file."""
        files = sorted(self.folder.glob(f"{self.name}*.log"))
        return "".join(each.read_text(errors="replace") for each in files)

    def driver(self, **options: Any) -> neo4j.Driver:
        """Return a stock driver for it."""
        return neo4j.GraphDatabase.driver(f"bolt://{HOST}:{self.bolt}", auth=self.auth, **options)

    def ask(self, query: str, **parameters: Any) -> Answer:
        """Run one auto-commit query on a connection of its own."""
        with self.driver() as driver, driver.session() as session:
            result = session.run(query, parameters)
            columns = list(result.keys())
            rows = [list(record.values()) for record in result]
            notes = result.consume().metadata.get("notifications", [])
            return Answer(columns, rows, {note["code"]: note["title"] for note in notes})

    def rows(self, query: str, **parameters: Any) -> list[list[Any]]:
        """Return the rows of a query."""
        return self.ask(query, **parameters).rows

    def refusal(self, query: str) -> Refusal | None:
        """Return the error that a query ends with, None if it succeeds."""
        try:
            self.ask(query)
        except Neo4jError as error:
            return Refusal.of(error)
        return None

    def role(self) -> str:
        """Return `main` or `replica`."""
        return str(self.rows("SHOW REPLICATION ROLE")[0][0])

    def count(self, label: str = "") -> int:
        """Return the number of nodes."""
        found = self.rows(f"MATCH (n{':' if label else ''}{label}) RETURN count(n)")[0][0]
        return int(found)

    def storage(self) -> dict[str, Any]:
        """Return SHOW STORAGE INFO as a map."""
        return dict(self.rows("SHOW STORAGE INFO"))

    def info(self, name: str) -> dict[str, Any]:
        """Return the `data_info` of a row: empty for a half row."""
        found = {row[0]: row[4] for row in self.rows("SHOW REPLICAS")}
        return dict(found[name].get("memgraph", {}))

    def status(self, name: str) -> str | None:
        """Return the status word of a row, None for a half row."""
        return self.info(name).get("status")

    def until_status(self, name: str, wanted: str, within_s: float = PATIENCE_S) -> float:
        """Wait for a status word; returns the seconds it took."""
        return until(f"row {name}", lambda: self.status(name), lambda found: found == wanted, within_s)

    def promote(self) -> Answer:
        """SET REPLICATION ROLE TO MAIN."""
        return self.ask("SET REPLICATION ROLE TO MAIN")

    def demote(self) -> Answer:
        """SET REPLICATION ROLE TO REPLICA on its port."""
        return self.ask(self.demotion)

    @property
    def demotion(self) -> str:
        """The query that makes it a REPLICA."""
        return f"SET REPLICATION ROLE TO REPLICA WITH PORT {self.port}"

    def registration(self, replica: Server, mode: str) -> str:
        """Return the query that registers another instance under its name."""
        return f'REGISTER REPLICA {replica.name} {mode} TO "{replica.address}"'

    def register(self, replica: Server, mode: str) -> None:
        """Register and wait for `ready`."""
        self.ask(self.registration(replica, mode))
        self.until_status(replica.name, "ready")

    def init_file(self, *more: str) -> str:
        """Write the init file that boots it as REPLICA (Q1), `more` lines behind that one; returns the flag."""
        file = self.folder / f"{self.name}.cypherl"
        file.write_text("".join(f"{line};\n" for line in (self.demotion, *more)))
        return f"--init-file={file}"


class Servers:
    """The instances of a test; whatever still runs at the end is killed.

    Attributes:
        fake: Whether the binary is `memgraph-ha-fake`; then chances can be forced, see `hazards`.
    """

    def __init__(self, folder: Path) -> None:
        self.fake: Final = "fake_hazards" in _flags()
        self._folder = folder
        self._servers: list[Server] = []

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        """Kill what still runs."""
        self.kill()
        for server in self._servers:
            if server.process is not None:
                server.process.wait(PATIENCE_S)
            for holder in server.ports:
                holder.close()

    def kill(self) -> None:
        """SIGKILL to every process, whatever state it is in; from any thread."""
        for server in self._servers:
            if server.process is not None:
                server.process.kill()

    def new(self, name: str, *flags: str, **environment: str) -> Server:
        """Return an instance that is not started; `environment` is added to the process's."""
        server = Server(name, self._folder, flags, environment)
        self._servers.append(server)
        return server

    def start(self, name: str, *flags: str, **environment: str) -> Server:
        """Return a started instance: MAIN, empty, without rows."""
        server = self.new(name, *flags, **environment)
        server.start()
        return server

    def two(self, *flags: str, **environment: str) -> list[Server]:
        """Return started instances `a` and `b`, strangers to each other."""
        return self._started(["a", "b"], flags, environment)

    def _started(self, names: list[str], flags: tuple[str, ...], environment: Mapping[str, str]) -> list[Server]:
        servers = [self.new(name, *flags, **environment) for name in names]
        for server in servers:
            server.launch()
        for server in servers:
            server.until_open()
        return servers

    def cluster(self, modes: Mapping[str, str], *flags: str) -> list[Server]:
        """Return MAIN `a` and a `ready` replica for each name in `modes`."""
        main, *replicas = servers = self._started(["a", *modes], flags, {})
        for replica in replicas:
            replica.demote()
            main.register(replica, modes[replica.name])
        return servers

    def pair(self, mode: str, *flags: str) -> tuple[Server, Server]:
        """Return MAIN `a` and its `ready` replica `b`."""
        main, replica = self.cluster({"b": mode}, *flags)
        return main, replica

    def hazards(self, play: str) -> tuple[str, ...]:
        """Return the flag that makes the fake's chances `always` or `never` come true; nothing for a real server."""
        return (f"--fake-hazards={play}",) if self.fake else ()

    def edition(self, build: str) -> tuple[str, ...]:
        """Return the flag that makes the fake play a build; a real server that is another one skips the test.

        Args:
            build: `official` (what the image runs) or `community` (built without the enterprise option).
        """
        if self.fake:
            return (f"--fake-edition={build}",)
        # Raw recording a of both builds: the community build has no flags of coordinators.
        if ("coordinator_port" in _flags()) != (build == "official"):
            pytest.skip(f"{BINARY} is not the {build} build")
        return ()

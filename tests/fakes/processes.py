"""Real `memgraph-ha-fake` processes for tests."""

from __future__ import annotations

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from types import TracebackType
from typing import Any, Self

import neo4j
from attrs import define, field
from neo4j.exceptions import DriverError, Neo4jError

from tests.free_port import free_port

EXECUTABLE = (sys.executable, "-m", "memgraph_ha.fakes.memgraph.cli")
HOST = "127.0.0.1"
# Far above what a start takes on a busy machine; a test that needs it has failed.
PATIENCE_S = 30.0


@define
class Fake:
    """One instance: its ports, its directory, and its process while it runs."""

    name: str
    folder: Path
    bolt: int = field(factory=free_port)
    replication: int = field(factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def data(self) -> Path:
        """Its data directory."""
        return self.folder / self.name

    @property
    def log(self) -> Path:
        """Its log file."""
        return self.folder / f"{self.name}.log"

    def argv(self, *flags: str) -> list[str]:
        """Return the command line."""
        return [
            *EXECUTABLE,
            f"--bolt-port={self.bolt}",
            f"--bolt-address={HOST}",
            f"--fake-replication-address={HOST}",
            f"--data-directory={self.data}",
            f"--log-file={self.log}",
            "--log-level=TRACE",
            "--storage-wal-enabled=true",
            f"--monitoring-address={HOST}",
            "--monitoring-port=0",
            f"--metrics-address={HOST}",
            "--metrics-port=0",
            *flags,
        ]

    def launch(self, *flags: str, environment: Mapping[str, str] | None = None, **options: Any) -> None:
        """Start the process without waiting for Bolt; `options` go to `Popen`."""
        env = {**os.environ, **(environment or {})}
        self.process = subprocess.Popen(
            self.argv(*flags), env=env, stderr=subprocess.PIPE, stdout=subprocess.DEVNULL, **options
        )

    def start(self, *flags: str, environment: Mapping[str, str] | None = None, **options: Any) -> float:
        """Start the process and wait until Bolt is open; returns how long that took in seconds."""
        before = time.monotonic()
        self.launch(*flags, environment=environment, **options)
        self.wait_for_bolt()
        return time.monotonic() - before

    def wait_for_bolt(self) -> None:
        """Wait until the Bolt port accepts connections."""
        deadline = time.monotonic() + PATIENCE_S
        while True:
            try:
                socket.create_connection((HOST, self.bolt), timeout=1).close()
            except OSError:
                process = self.running()
                if process.poll() is not None or time.monotonic() > deadline:
                    raise AssertionError(f"{self.name} did not open Bolt: rc {process.poll()}") from None
                time.sleep(0.005)
            else:
                return

    def running(self) -> subprocess.Popen[bytes]:
        """Return the process."""
        assert self.process is not None
        return self.process

    def send(self, number: int) -> None:
        """Send a signal."""
        self.running().send_signal(number)

    def stop(self, number: int = signal.SIGTERM) -> int:
        """End the process and return its exit code, negative for a signal."""
        self.send(number)
        return self.wait()

    def kill(self) -> None:
        """SIGKILL and wait."""
        self.stop(signal.SIGKILL)

    def wait(self) -> int:
        """Wait for the end of the process and return its exit code."""
        process = self.running()
        code = process.wait(PATIENCE_S)
        if process.stderr is not None:
            process.stderr.close()
        return code

    def stderr(self) -> str:
        """Wait for the end of the process and return what it wrote to stderr."""
        _, text = self.running().communicate(timeout=PATIENCE_S)
        return text.decode()

    def query(self, text: str, **parameters: Any) -> list[list[Any]]:
        """Run one query on a driver of its own and return the rows."""
        with neo4j.GraphDatabase.driver(self.address) as driver, driver.session() as session:
            return [list(record.values()) for record in session.run(text, parameters)]

    @property
    def address(self) -> str:
        """Its Bolt URI."""
        return f"bolt://{HOST}:{self.bolt}"

    def until(self, query: str, wanted: list[list[Any]], within_s: float = PATIENCE_S) -> float:
        """Ask until the answer is `wanted`; errors count as another answer.  Returns the seconds it took."""
        before = time.monotonic()
        answer: object = None
        while time.monotonic() < before + within_s:
            try:
                answer = self.query(query)
            except (Neo4jError, DriverError) as error:
                answer = error
            if answer == wanted:
                return time.monotonic() - before
            time.sleep(0.01)
        raise AssertionError(f"{self.name}: {query} answers {answer!r}, not {wanted!r}")

    def become_replica(self) -> None:
        """Set the role to REPLICA on its replication port."""
        self.query(f"SET REPLICATION ROLE TO REPLICA WITH PORT {self.replication}")

    def register(self, replica: Fake, mode: str = "STRICT_SYNC") -> None:
        """Register another instance under its name."""
        self.query(f'REGISTER REPLICA {replica.name} {mode} TO "{HOST}:{replica.replication}"')

    def status(self, replica: str) -> str:
        """Return the status of a row, empty for a half row."""
        rows = {each[0]: each[4] for each in self.query("SHOW REPLICAS")}
        return str(rows[replica].get("memgraph", {}).get("status", ""))

    def until_status(self, replica: str, wanted: str, within_s: float = PATIENCE_S) -> float:
        """Wait until a row has a status; returns the seconds it took."""
        before = time.monotonic()
        while self.status(replica) != wanted:
            if time.monotonic() > before + within_s:
                raise AssertionError(f"row {replica} is {self.status(replica)!r}, not {wanted!r}")
            time.sleep(0.01)
        return time.monotonic() - before

    def init_file(self) -> str:
        """Write the init file that boots it as REPLICA, and return the flag."""
        file = self.folder / f"{self.name}.cypherl"
        file.write_text(f"SET REPLICATION ROLE TO REPLICA WITH PORT {self.replication};\n")
        return f"--init-file={file}"


class Processes:
    """Instances in one folder; all that still run are killed at the end."""

    def __init__(self, folder: Path) -> None:
        self._folder = folder
        self._fakes: list[Fake] = []

    def __enter__(self) -> Self:
        """Return itself."""
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Kill whatever still runs."""
        for fake in self._fakes:
            process = fake.process
            if process is not None:
                if process.poll() is None:
                    process.kill()
                process.wait(PATIENCE_S)
                if process.stderr is not None:
                    process.stderr.close()

    def new(self, name: str) -> Fake:
        """Return an instance that is not started yet."""
        fake = Fake(name, self._folder)
        self._fakes.append(fake)
        return fake

    def start(self, name: str, *flags: str) -> Fake:
        """Return a started instance."""
        fake = self.new(name)
        fake.start(*flags)
        return fake

    def cluster(self, modes: Mapping[str, str], *flags: str) -> tuple[Fake, ...]:
        """Return a MAIN `a` and a registered replica for each name in `modes`, all `ready`."""
        main = self.start("a", *flags)
        replicas = [self.start(name, *flags) for name in modes]
        for replica in replicas:
            replica.become_replica()
            main.register(replica, modes[replica.name])
        for replica in replicas:
            main.until_status(replica.name, "ready")
        return (main, *replicas)

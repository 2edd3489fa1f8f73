"""Instances and controllers as real processes, each with an address of its own on loopback, as pods have."""

import contextlib
import os
import random
import signal
import subprocess
import sys
import time
from collections.abc import Mapping
from pathlib import Path
from typing import Final

import httpx
from attrs import define, field

from tests.fakes.processes import EXECUTABLE

BOLT: Final = 7687
REPLICATION: Final = 10000
HTTP: Final = 8080
RUN: Final = (sys.executable, "-m", "memgraph_ha", "run")


@define
class Network:
    """A network of 254 addresses of loopback, by lot: other tests have another one.

    Attributes:
        prefix: What all its addresses begin with.
    """

    prefix: str = field(factory=lambda: f"127.{random.randint(1, 254)}.{random.randint(0, 255)}.")
    _last: int = 0

    def address(self) -> str:
        """Give the next address."""
        self._last += 1
        return f"{self.prefix}{self._last}"


@define
class Container:
    """A process that can be started again: what a kubelet calls a container.

    Attributes:
        argv: Its command line.
        log: Where its output goes.
        environment: What it is told beside the test's own environment.
        process: Its present life; None before the first.
        starts: How many lives it had.
    """

    argv: list[str]
    log: Path
    environment: Mapping[str, str] = field(factory=dict)
    process: subprocess.Popen[bytes] | None = None
    starts: int = 0

    @property
    def running(self) -> bool:
        """Whether it lives, perhaps frozen."""
        return self.process is not None and self.process.poll() is None

    def start(self) -> None:
        """Start it; its output is appended."""
        with self.log.open("ab") as log:
            self.process = subprocess.Popen(
                self.argv, env={**os.environ, **self.environment}, stdin=subprocess.DEVNULL, stdout=log, stderr=log
            )
        self.starts += 1

    def signal(self, number: signal.Signals) -> None:
        """Send it a signal, if it lives."""
        if self.process is not None and self.running:
            self.process.send_signal(number)

    def wait(self, within_s: float) -> int:
        """Wait for its end; gives its exit code."""
        assert self.process is not None, "it was never started"
        return self.process.wait(within_s)

    def end(self, grace_s: float = 0.0) -> None:
        """End it as a kubelet does: SIGTERM, and SIGKILL when the grace is over."""
        if self.process is None:
            return
        if grace_s > 0:
            self.signal(signal.SIGTERM)
            with contextlib.suppress(subprocess.TimeoutExpired):
                self.process.wait(grace_s)
        self.signal(signal.SIGKILL)
        self.process.wait(10)


def instance(folder: Path, name: str, ip: str, environment: Mapping[str, str]) -> Container:
    """Make an instance on an address of its own; its data are in its folder, as on a volume.

    Args:
        folder: Of all instances.
        name: Its pod's.
        ip: Its pod's.
        environment: What it is told.
    """
    place = folder / name
    place.mkdir(parents=True, exist_ok=True)
    init = place / "init.cypherl"
    init.write_text(f"SET REPLICATION ROLE TO REPLICA WITH PORT {REPLICATION};\n")
    argv = [
        *EXECUTABLE,
        f"--bolt-address={ip}",
        f"--bolt-port={BOLT}",
        f"--fake-replication-address={ip}",
        f"--data-directory={place / 'data'}",
        f"--init-file={init}",
        f"--monitoring-address={ip}",
        "--monitoring-port=0",
        f"--metrics-address={ip}",
        "--metrics-port=0",
        "--storage-wal-enabled=true",
        "--storage-wal-file-flush-every-n-tx=1",
        "--data-recovery-on-startup=true",
        "--replication-restore-state-on-startup=true",
        "--telemetry-enabled=false",
        "--log-level=WARNING",
        "--log-file=",
        "--also-log-to-stderr=true",
    ]
    return Container(argv, folder / f"{name}.log", environment)


@define
class Controller:
    """A `memgraph-ha run` in a pod of its own.

    Attributes:
        name: Its pod's.
        ip: Its pod's.
        container: Its process.
    """

    name: str
    ip: str
    container: Container

    @classmethod
    def make(cls, folder: Path, name: str, ip: str, environment: Mapping[str, str]) -> "Controller":
        """Make one that is not running.

        Args:
            folder: Where its log goes.
            name: Its pod's.
            ip: Its pod's.
            environment: What it is told beside its names and addresses.
        """
        told = {
            "POD_NAME": name,
            "POD_IP": ip,
            "MEMGRAPH_HA_HTTP_ADDRESS": ip,
            "HTTP_PORT": str(HTTP),
            "GATEWAY_BIND_ADDRESS": f"{ip}:{BOLT}",
            "GATEWAY_READ_BIND_ADDRESS": f"{ip}:{BOLT + 1}",
            "ENABLE_READ_GATEWAY": "true",
            **environment,
        }
        return cls(name, ip, Container([*RUN], folder / f"{name}.log", told))

    @property
    def url(self) -> str:
        """Of its API."""
        return f"http://{self.ip}:{HTTP}"

    @property
    def log(self) -> str:
        """Everything that it logged so far, in all its lives."""
        return self.container.log.read_text(errors="replace") if self.container.log.exists() else ""

    def get(self, path: str) -> httpx.Response | None:
        """Ask its API; None if it does not answer within two seconds."""
        try:
            return httpx.get(f"{self.url}{path}", timeout=2)
        except httpx.HTTPError:
            return None

    def leads(self) -> bool:
        """Whether it says that it leads."""
        answer = self.get("/readyz")
        return answer is not None and answer.status_code == httpx.codes.OK


def slowness() -> float:
    """Say how many times slower than promised things may be, because others use this machine; 1 if they do not."""
    return max(1.0, os.getloadavg()[0] / (os.cpu_count() or 1))


def until(true: object, within_s: float, what: str) -> float:
    """Wait until something is so.

    Args:
        true: A function that says whether it is.
        within_s: Longest wait, seconds.
        what: It, for the error.

    Returns:
        How long that took, seconds.

    Raises:
        AssertionError: It is not so in time.
    """
    assert callable(true)
    began_s = time.monotonic()
    while not true():
        took_s = time.monotonic() - began_s
        assert took_s < within_s, f"not within {within_s:g} s: {what}"
        time.sleep(0.01)
    return time.monotonic() - began_s

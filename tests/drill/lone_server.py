"""One real `memgraph-ha-fake` process that is MAIN by itself, for the writers' tests."""

import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from attrs import define, field

from memgraph_ha.adapters.process_argv import InstancePorts, InstanceSpec
from memgraph_ha.core.names import Address, InstanceName
from tests.free_port import free_port

FAKE = Path(sys.executable).parent / "memgraph-ha-fake"


@define
class LoneServer:
    """A server, its directory and its port; the process can end and begin again."""

    folder: Path
    port: int = field(factory=free_port)
    process: subprocess.Popen[bytes] | None = None

    @property
    def address(self) -> Address:
        """Where it speaks Bolt."""
        return Address(f"127.0.0.1:{self.port}")

    @property
    def spec(self) -> InstanceSpec:
        """As the drill knows instances; only the Bolt port is used."""
        ports = InstancePorts(bolt=self.port, replication=1, monitoring=2, metrics=3)
        return InstanceSpec(name=InstanceName("alone"), ports=ports, place=self.folder)

    def start(self) -> None:
        """Start it, and wait until Bolt is open."""
        argv = [
            str(FAKE),
            "--bolt-address=127.0.0.1",
            f"--bolt-port={self.port}",
            f"--data-directory={self.folder / 'data'}",
            "--storage-wal-enabled=true",
            "--storage-wal-file-flush-every-n-tx=1",
            "--data-recovery-on-startup=true",
        ]
        with (self.folder / "log").open("ab") as log:
            self.process = subprocess.Popen(argv, stdout=log, stderr=log)
        deadline_s = time.monotonic() + 20
        while not self._is_open():
            if self.process.poll() is not None or time.monotonic() > deadline_s:
                raise RuntimeError(f"the fake does not start: {(self.folder / 'log').read_text()[-2000:]}")
            time.sleep(0.01)

    def kill(self) -> None:
        """End it by SIGKILL and reap it."""
        if self.process is not None:
            self.process.kill()
            self.process.wait()
            self.process = None

    def freeze(self) -> None:
        """Stop it; returns when it stands still."""
        assert self.process is not None
        self.process.send_signal(signal.SIGSTOP)
        os.waitid(os.P_PID, self.process.pid, os.WSTOPPED | os.WNOWAIT)

    def _is_open(self) -> bool:
        with socket.socket() as probe:
            return probe.connect_ex(("127.0.0.1", self.port)) == 0


@contextmanager
def lone_server(folder: Path) -> Iterator[LoneServer]:
    """Start a server; it is gone afterwards."""
    server = LoneServer(folder)
    try:
        server.start()
        yield server
    finally:
        server.kill()

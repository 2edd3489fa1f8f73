"""How an instance is started: its place, its ports and its command line."""

from pathlib import Path
from typing import Final

from attrs import field, frozen

from memgraph_ha.core.names import Address, InstanceName

LOOPBACK: Final = "127.0.0.1"


@frozen(kw_only=True)
class InstancePorts:
    """The ports of one instance, all on loopback; each 1 to 65535.

    Attributes:
        bolt: For clients and the controller.
        replication: Where it listens as REPLICA. Memgraph binds it on every address (semantics 4.6).
        monitoring: Its websocket of log lines (semantics 9.5).
        metrics: Its HTTP metrics (semantics 9.5).
    """

    bolt: int
    replication: int
    monitoring: int
    metrics: int

    def named(self) -> tuple[tuple[str, int], ...]:
        """List them with their purposes, for messages."""
        return (
            ("Bolt", self.bolt),
            ("replication", self.replication),
            ("monitoring", self.monitoring),
            ("metrics", self.metrics),
        )

    def shifted(self, by: int) -> "InstancePorts":
        """Give the ports of the instance that comes so many ordinals later."""
        return InstancePorts(
            bolt=self.bolt + by,
            replication=self.replication + by,
            monitoring=self.monitoring + by,
            metrics=self.metrics + by,
        )


def data_directory(place: Path) -> Path:
    """Give Memgraph's own directory in an instance's place."""
    return place / "data"


def data_argument(place: Path) -> str:
    """Give the argument by which the processes in an instance's place are told from all others."""
    return f"--data-directory={data_directory(place)}"


@frozen(kw_only=True)
class InstanceSpec:
    """All that must be known to run one instance.

    Attributes:
        name: Its name.
        ports: Its ports.
        place: The directory that is all its own: data, log, init file, what runs there.
        arguments: Further arguments for the binary, e.g. flags that only the fake has.
    """

    name: InstanceName
    ports: InstancePorts
    place: Path
    arguments: tuple[str, ...] = field(default=())

    @property
    def bolt(self) -> Address:
        """Where clients and the controller speak Bolt to it."""
        return Address(f"{LOOPBACK}:{self.ports.bolt}")

    @property
    def replication(self) -> Address:
        """Where MAIN replicates to it."""
        return Address(f"{LOOPBACK}:{self.ports.replication}")

    @property
    def data(self) -> Path:
        """Memgraph's own data directory."""
        return data_directory(self.place)

    @property
    def data_argument(self) -> str:
        """The flag that no other process has: its processes are found by it."""
        return data_argument(self.place)

    @property
    def log(self) -> Path:
        """What it wrote to its standard output and error, of all its lives."""
        return self.place / "memgraph.log"

    @property
    def init_file(self) -> Path:
        """What it executes before Bolt opens (transcripts Q1)."""
        return self.place / "init.cypherl"

    def init_text(self) -> str:
        """Give the content of the init file: start as REPLICA, so that nobody returns as a writable MAIN.

        It runs before Bolt opens in 35 of 35 starts; on an instance that is REPLICA already the statement fails
        harmlessly. A missing file is silent, so it is written before every start (all transcripts Q1).
        """
        return f"SET REPLICATION ROLE TO REPLICA WITH PORT {self.ports.replication};\n"


def instance_argv(binary: str, spec: InstanceSpec) -> list[str]:
    """Make the command line of an instance. Every flag exists in Memgraph 3.6.1; unknown ones abort its start.

    Durable: the WAL, without which nothing replicates and which is off by default, is synced with every commit
    (transcripts Q19; semantics 5), snapshots every 300 s and on exit, recovery of data and role on start. Private:
    loopback only, no telemetry. The log goes to standard error, and so to `InstanceSpec.log`, whatever a packaged
    configuration file says.

    Args:
        binary: Path of ``memgraph`` or of ``memgraph-ha-fake``.
        spec: The instance.
    """
    return [
        binary,
        f"--bolt-address={LOOPBACK}",
        f"--bolt-port={spec.ports.bolt}",
        f"--monitoring-address={LOOPBACK}",
        f"--monitoring-port={spec.ports.monitoring}",
        f"--metrics-address={LOOPBACK}",
        f"--metrics-port={spec.ports.metrics}",
        spec.data_argument,
        f"--init-file={spec.init_file}",
        "--storage-wal-enabled=true",
        "--storage-wal-file-flush-every-n-tx=1",
        "--storage-snapshot-interval-sec=300",
        "--storage-snapshot-on-exit=true",
        "--data-recovery-on-startup=true",
        "--replication-restore-state-on-startup=true",
        "--telemetry-enabled=false",
        "--log-level=WARNING",
        "--log-file=",
        "--also-log-to-stderr=true",
        *spec.arguments,
    ]


def plan_ports(
    count: int, *, bolt: int = 17687, replication: int = 20000, monitoring: int = 17444, metrics: int = 19091
) -> tuple[InstancePorts, ...]:
    """Give each of several instances the next port of each kind.

    Args:
        count: How many instances.
        bolt: The first's Bolt port; the others likewise.
        replication: The first's replication port.
        monitoring: The first's monitoring port.
        metrics: The first's metrics port.
    """
    first = InstancePorts(bolt=bolt, replication=replication, monitoring=monitoring, metrics=metrics)
    return tuple(map(first.shifted, range(count)))

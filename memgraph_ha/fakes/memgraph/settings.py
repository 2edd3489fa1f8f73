"""How one instance is configured, and Memgraph's constants of time."""

from __future__ import annotations

import enum
from typing import Final

from attrs import field, frozen

from .quirks import Quirks, quirks_of

SERVER_NAME: Final = "Neo4j/v5.11.0 compatible graph database server - Memgraph"


class Edition(enum.Enum):
    """Which build is played (memgraph-transcripts: ENT and OSS)."""

    OFFICIAL = "official"  # built with the enterprise option, run without a licence
    COMMUNITY = "community"  # built without it


class Hazards(enum.Enum):
    """Whether DROP REPLICA may kill or hang MAIN as the real one does (transcripts Q5, Q7)."""

    AUTO = "auto"  # with the measured probabilities
    ALWAYS = "always"  # whenever it was ever seen to
    NEVER = "never"


class StorageMode(enum.Enum):
    """Storage modes (semantics 11)."""

    TRANSACTIONAL = "IN_MEMORY_TRANSACTIONAL"
    ANALYTICAL = "IN_MEMORY_ANALYTICAL"


@frozen(kw_only=True)
class Timings:
    """Memgraph's constants, in seconds (semantics 3.5, 2.0; promotion: transcripts Q8).

    Attributes:
        scale: What `--fake-time-scale` multiplies the RPC and connect timeouts with.
        promotion_min: Shortest stop of the replication server during a promotion.
        promotion_max: Longest.
    """

    scale: float = 1.0
    promotion_min: float = 0.18
    promotion_max: float = 0.24
    system_lock: float = 0.1
    async_lock: float = 0.05

    @property
    def connect(self) -> float:
        """TCP connect."""
        return 5.0 * self.scale

    @property
    def ping(self) -> float:
        """FrequentHeartbeat."""
        return 5.0 * self.scale

    @property
    def heartbeat(self) -> float:
        """Heartbeat, SwapMainUUID and FinalizeCommit."""
        return 10.0 * self.scale

    @property
    def commit(self) -> float:
        """PrepareCommit, WAL files, SystemRecovery, and a replica's wait for its storage lock."""
        return 30.0 * self.scale

    @property
    def snapshot(self) -> float:
        """Snapshot."""
        return 60.0 * self.scale


@frozen(kw_only=True)
class Settings:
    """The flags and environment that matter to the model; flag names are in `flags`.

    Attributes:
        version: Memgraph version that is played.
        check_frequency_s: `--replication-replica-check-frequency-sec`; 0 disables the pings.
        flush_every: `--storage-wal-file-flush-every-n-tx`.
        workers: `--bolt-num-workers`: how many queries of low priority run at once.
        storage_access_timeout_s: How long a query waits for the storage lock.
        log_level: `--log-level`, for SHOW DATABASE SETTINGS.
        log_to_stderr: `--also-log-to-stderr`.
        config: Rows of SHOW CONFIG: name, default, current value, description.
        initial_user: `MEMGRAPH_USER` and `MEMGRAPH_PASSWORD`, or None.
        hashing_rounds: How often a password is hashed: about 0.2 s of computing, as bcrypt takes (transcripts Q2, Q14);
            in virtual time, where that passes without being computed, one is enough.
    """

    version: str = "3.6.1"
    edition: Edition = Edition.OFFICIAL
    hazards: Hazards = Hazards.AUTO
    timings: Timings = field(factory=Timings)
    wal_enabled: bool = True
    flush_every: int = 100_000
    snapshot_interval_s: float = 300.0
    snapshot_on_exit: bool = True
    snapshot_retention: int = 3
    data_recovery_on_startup: bool = True
    restore_replication_state: bool = True
    check_frequency_s: float = 1.0
    storage_mode: StorageMode = StorageMode.TRANSACTIONAL
    workers: int = 2
    storage_access_timeout_s: float = 1.0
    data_directory: str = "mg_data"
    server_name: str = SERVER_NAME
    log_level: str = "WARNING"
    log_to_stderr: bool = False
    config: tuple[tuple[str, str, str, str], ...] = ()
    initial_user: tuple[str, str] | None = None
    hashing_rounds: int = 500_000

    @property
    def quirks(self) -> Quirks:
        """What the version does differently."""
        return quirks_of(self.version)

    @property
    def official(self) -> bool:
        """Whether the official build is played."""
        return self.edition is Edition.OFFICIAL

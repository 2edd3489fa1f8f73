"""What survives the end of a process: the durable state as a plain value, and the writes to it.

`durability` keeps the same state in the files of a data directory; the simulator keeps a `Disk`.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping
from typing import Any, Protocol, TypeAlias

from attrs import define, field, frozen

JsonMap: TypeAlias = Mapping[str, Any]


class StorageError(Exception):
    """The disk did not take a write, for example because it is full.

    Args:
        reason: The operating system's words.
    """

    def __init__(self, reason: str) -> None:
        super().__init__(reason)
        self.reason = reason


@frozen(kw_only=True)
class Transaction:
    """One record of the write-ahead log.

    Attributes:
        epoch: Epoch in which MAIN committed it.
        previous: Last durable timestamp before it on the instance that committed it.
        timestamp: Its commit timestamp.
        payload: JSON text (UTF-8) of its list of deltas.
        committed: False while only prepared (STRICT_SYNC, semantics 3.4): then it counts only if a
            `Verdict` follows.
    """

    epoch: str
    previous: int
    timestamp: int
    payload: bytes
    committed: bool = True

    def deltas(self) -> list[Any]:
        """Return the deltas."""
        deltas: list[Any] = json.loads(self.payload)
        return deltas


@frozen
class Verdict:
    """The end of a prepared transaction in the write-ahead log.

    Attributes:
        timestamp: Which one.
        commit: True if it counts, False if it was aborted.
    """

    timestamp: int
    commit: bool


LogRecord: TypeAlias = Transaction | Verdict


@frozen
class Append:
    """Add `record` to the write-ahead log.

    Attributes:
        sync: Force it to the platter (`--storage-wal-file-flush-every-n-tx`); otherwise it survives
            the end of the process but not of the machine (transcripts Q19, semantics 3.1).
    """

    record: LogRecord
    sync: bool = False


@frozen
class Mark:
    """Note that MAIN commits the transaction that it logged as prepared: one store, no waiting.

    It survives the end of the process and tides over until the `Verdict` is in the log.

    Attributes:
        epoch: Of the transaction.
        timestamp: Of the transaction.
    """

    epoch: str
    timestamp: int


@frozen
class Put:
    """Replace one small store: `replication`, `databases`, `auth`, `triggers` or `settings`."""

    store: str
    value: JsonMap


@frozen
class SnapshotBegin:
    """Start a snapshot under `name`; unfinished ones are never read back.

    Attributes:
        header: Epoch, history, last durable timestamp and database uuid.
    """

    name: str
    header: JsonMap


@frozen
class SnapshotPart:
    """Add a part of the data to the snapshot `name` that is being written."""

    name: str
    part: JsonMap


@frozen
class SnapshotEnd:
    """Finish the snapshot `name`.

    Attributes:
        supersedes: Move all other snapshots and the log aside to `.old_<supersedes>` first, as a
            replica that was recovered does (semantics 1); None keeps them.
        keep: How many snapshots remain (`--storage-snapshot-retention-count`).
    """

    name: str
    supersedes: int | None
    keep: int


@frozen
class SetAside:
    """Move snapshots and log to `.backup` (`--data-recovery-on-startup=false`, semantics 5)."""


Write: TypeAlias = SetAside | Append | Mark | Put | SnapshotBegin | SnapshotPart | SnapshotEnd


@define
class Snapshot:
    """A finished snapshot: its header and its parts in order."""

    name: str
    header: JsonMap
    parts: list[JsonMap] = field(factory=list)


class Durable(Protocol):
    """What a starting process reads from its data directory.

    Attributes:
        stores: Small stores by name.
    """

    stores: dict[str, JsonMap]

    def marked(self, transaction: Transaction) -> bool:
        """Return whether the last `Mark` is for this transaction."""

    def newest_snapshot(self) -> Snapshot | None:
        """Return the newest finished snapshot."""

    def read_log(self) -> Iterator[LogRecord]:
        """Yield the write-ahead log in order."""


@define
class Disk:
    """The durable state of one data directory as a value.

    Attributes:
        stores: Small stores by name.
        snapshots: Finished ones, oldest first.
        log: The write-ahead log in order.
        unfinished: The snapshot that is being written.
        mark: The last one; a power cut takes it away.
        synced: How many log records a power cut would leave.
    """

    stores: dict[str, JsonMap] = field(factory=dict)
    snapshots: list[Snapshot] = field(factory=list)
    log: list[LogRecord] = field(factory=list)
    unfinished: Snapshot | None = None
    mark: Mark | None = None
    synced: int = 0

    def apply(self, write: Write) -> None:
        """Take one write."""
        match write:
            case Append(record=record, sync=sync):
                self.log.append(record)
                if sync:
                    self.synced = len(self.log)
            case Mark():
                self.mark = write
            case SetAside():
                self.wipe_data()
            case Put(store=store, value=value):
                self.stores[store] = value
            case SnapshotBegin(name=name, header=header):
                self.unfinished = Snapshot(name, header)
            case SnapshotPart(part=part):
                if self.unfinished is not None:
                    self.unfinished.parts.append(part)
            case SnapshotEnd(supersedes=supersedes, keep=keep):
                self._finish_snapshot(supersedes=supersedes is not None, keep=keep)

    def crash(self, *, power_cut: bool = False) -> None:
        """Lose what the end of the process, or of the machine (`power_cut`), takes away."""
        self.unfinished = None
        if power_cut:
            self.mark = None
            del self.log[self.synced :]

    def wipe_data(self) -> None:
        """Remove `wal/` and `snapshots/` only (transcripts Q11)."""
        self.snapshots.clear()
        self.log.clear()
        self.synced = 0

    def wipe(self) -> None:
        """Remove everything (transcripts Q10)."""
        self.wipe_data()
        self.stores.clear()

    def marked(self, transaction: Transaction) -> bool:
        """Return whether the last `Mark` is for this transaction."""
        return self.mark == Mark(transaction.epoch, transaction.timestamp)

    def newest_snapshot(self) -> Snapshot | None:
        """Return the newest finished snapshot."""
        return self.snapshots[-1] if self.snapshots else None

    def read_log(self) -> Iterator[LogRecord]:
        """Yield the log in order."""
        yield from self.log

    def _finish_snapshot(self, *, supersedes: bool, keep: int) -> None:
        if self.unfinished is None:
            return
        if supersedes:
            self.wipe_data()
        self.snapshots.append(self.unfinished)
        self.unfinished = None
        oldest = self.snapshots[-keep:][0].header["ldt"]
        del self.snapshots[:-keep]
        unneeded = sum(1 for record in self.log if record.timestamp <= oldest)
        self.synced = max(0, self.synced - unneeded)
        del self.log[:unneeded]

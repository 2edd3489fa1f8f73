"""The data directory: what `disk.Disk` is as a value, in files that survive kill -9 at any instant.

    .lock                 held while a process runs on the directory
    wal/<number>.log      one record a line: checksum, kind, fields; a torn last line is cut
    wal/.mark             the last two-phase commit of MAIN, until its verdict is in the log
    snapshots/<name>      header and parts, one a line; the last line says that it is complete
    replication/ databases/ auth/ triggers/ settings/    one small JSON file each, replaced whole

The layout is Memgraph's (semantics 1), the formats are our own.  `.old_<ns>` and `.backup` hold what was moved
aside; nothing deletes them.
"""

from __future__ import annotations

import fcntl
import json
import mmap
import os
import struct
import zlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

from .disk import (
    Append,
    JsonMap,
    LogRecord,
    Mark,
    Put,
    SetAside,
    Snapshot,
    SnapshotBegin,
    SnapshotEnd,
    SnapshotPart,
    StorageError,
    Transaction,
    Verdict,
    Write,
)
from .settings import Settings

_STORES: Final = {
    "replication": "replication/state.json",
    "databases": "databases/.durability",
    "auth": "auth/users.json",
    "triggers": "triggers/triggers.json",
    "settings": "settings/settings.json",
}
_MARK: Final = struct.Struct("<QQ")  # timestamp, checksum of the epoch
_MARK_NAME: Final = ".mark"
_UNFINISHED: Final = ".unfinished"
# `--storage-wal-file-size-kib`: a log file beyond this is followed by a new one.
SEGMENT_BYTES: Final = 20 * 1024 * 1024


class DirectoryInUseError(Exception):
    """Another process runs on the data directory."""


class CorruptionError(Exception):
    """A file of the data directory is damaged where a crash cannot have damaged it."""


class DataDirectory:
    """The files of one instance; every method blocks for as long as the disk takes.

    Resource handling: holds a file lock and the current log file open until `close`.

    Args:
        path: The directory; made if it is not there.
        settings: Retention and the like.

    Raises:
        DirectoryInUseError: Another process has it.
        StorageError: It cannot be made or written.
    """

    def __init__(self, path: Path, settings: Settings) -> None:
        self._path: Final = path
        self._settings: Final = settings
        self._wal: Final = path / "wal"
        self._snapshots: Final = path / "snapshots"
        try:
            for folder in (self._wal, self._snapshots):
                folder.mkdir(parents=True, exist_ok=True)
            for name in _STORES.values():
                (path / name).parent.mkdir(exist_ok=True)
            self._lock = os.open(path / ".lock", os.O_RDWR | os.O_CREAT, 0o600)
        except OSError as error:
            raise StorageError(f"{path}: {error.strerror}") from error
        try:
            fcntl.flock(self._lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except OSError as error:
            os.close(self._lock)
            raise DirectoryInUseError(
                f"Couldn't lock the storage directory {path}! Another Memgraph process is currently running"
                " with the same storage directory, please stop it first before starting this process!"
            ) from error
        self._mark = self._map_mark()
        for leftover in self._snapshots.glob(f"*{_UNFINISHED}"):
            leftover.unlink()
        self.stores: dict[str, JsonMap] = self._read_stores()
        self.notes: list[str] = []
        self._segment = 0
        self._file: int | None = None
        self._size = 0
        self._last: dict[Path, int] = {}

    def _map_mark(self) -> mmap.mmap:
        """Map the file of the mark: a store into it survives kill -9 and never waits for the disk."""
        file = os.open(self._wal / _MARK_NAME, os.O_RDWR | os.O_CREAT, 0o640)
        try:
            os.ftruncate(file, _MARK.size)
            return mmap.mmap(file, _MARK.size)
        finally:
            os.close(file)

    def close(self) -> None:
        """Let go of the directory."""
        self._mark.close()
        if self._file is not None:
            os.close(self._file)
            self._file = None
        os.close(self._lock)

    # -- reading ---------------------------------------------------------------------------------

    def _read_stores(self) -> dict[str, JsonMap]:
        stores = {}
        for store, name in _STORES.items():
            file = self._path / name
            if file.exists():
                try:
                    stores[store] = json.loads(file.read_bytes())
                except ValueError as error:
                    raise CorruptionError(f"{file}: not JSON ({error}); restore it or remove it") from error
        return stores

    def newest_snapshot(self) -> Snapshot | None:
        """Return the newest snapshot, or None.

        Raises:
            CorruptionError: It is damaged.
        """
        names = self._snapshot_names()
        return read_snapshot(self._snapshots / names[-1]) if names else None

    def marked(self, transaction: Transaction) -> bool:
        """Return whether the last mark is for this transaction."""
        return _MARK.unpack_from(self._mark, 0) == _marked(transaction.epoch, transaction.timestamp)

    def _snapshot_names(self) -> list[str]:
        return sorted(file.name for file in self._snapshots.iterdir() if "_timestamp_" in file.name)

    def list_snapshots(self) -> tuple[tuple[str, int], ...]:
        """Return name and size in bytes of each snapshot, oldest first."""
        return tuple((name, (self._snapshots / name).stat().st_size) for name in self._snapshot_names())

    def read_log(self) -> Iterator[LogRecord]:
        """Yield the log in order; a torn end of the last file is cut off, and noted.

        Raises:
            CorruptionError: A record that is not the last one is damaged; names file and offset.
        """
        files = self._log_files()
        for file in files:
            offset = 0
            with file.open("rb") as lines:
                for line in lines:
                    record = _decode(line)
                    if record is None:
                        rest = lines.read(1)
                        if file != files[-1] or rest:
                            raise CorruptionError(
                                f"{file}, offset {offset}: the record does not match its checksum; restore"
                                " the file, or move wal/ aside and let the instance be filled by its MAIN"
                            )
                        self._cut(file, offset)
                        break
                    offset += len(line)
                    self._last[file] = max(self._last.get(file, 0), record.timestamp)
                    yield record

    def _log_files(self) -> list[Path]:
        files = sorted(self._wal.glob("*.log"))
        self._segment = int(files[-1].stem) if files else 0
        return files

    def _cut(self, file: Path, offset: int) -> None:
        size = file.stat().st_size
        self.notes.append(f"{file}: cut a torn record of {size - offset} bytes at offset {offset}")
        os.truncate(file, offset)

    # -- writing ---------------------------------------------------------------------------------

    def write(self, writes: tuple[Write, ...]) -> None:
        """Take writes in order.

        Raises:
            StorageError: The disk did not take one; a half-written record was taken back.
        """
        try:
            for each in writes:
                self._write(each)
        except OSError as error:
            raise StorageError(error.strerror or str(error)) from error

    def _write(self, write: Write) -> None:
        match write:
            case Append(record=record, sync=sync):
                self._append(_encode(record), record.timestamp, sync=sync)
            case Mark():
                _MARK.pack_into(self._mark, 0, *_marked(write.epoch, write.timestamp))
            case Put(store=store, value=value):
                self._put(self._path / _STORES[store], value)
            case SnapshotBegin(name=name, header=header):
                (self._snapshots / (name + _UNFINISHED)).write_bytes(_line(header))
            case SnapshotPart(name=name, part=part):
                with (self._snapshots / (name + _UNFINISHED)).open("ab") as file:
                    file.write(_line(part))
            case SnapshotEnd(name=name, supersedes=supersedes, keep=keep):
                self._finish_snapshot(name, supersedes, keep)
            case SetAside():
                self._move_aside(self._path / ".backup", keep=None)

    def _append(self, line: bytes, timestamp: int, *, sync: bool) -> None:
        file = self._file
        if file is None or self._size > SEGMENT_BYTES:
            file = self._new_segment()
        try:
            written = os.write(file, line)
            while written < len(line):
                written += os.write(file, line[written:])
            if sync:
                os.fdatasync(file)
        except OSError:
            os.ftruncate(file, self._size)
            raise
        self._size += len(line)
        path = self._segment_path()
        self._last[path] = max(self._last.get(path, 0), timestamp)

    def _segment_path(self) -> Path:
        return self._wal / f"{self._segment:010d}.log"

    def _new_segment(self) -> int:
        if self._file is not None:
            os.close(self._file)
        else:
            self._log_files()
        self._segment += 1
        flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND
        self._file = os.open(self._segment_path(), flags, 0o640)
        self._size = os.fstat(self._file).st_size
        return self._file

    def _put(self, file: Path, value: JsonMap) -> None:
        fresh = file.with_name(file.name + ".new")
        with fresh.open("wb") as out:
            out.write(json.dumps(value, indent=1).encode())
            out.flush()
            os.fdatasync(out.fileno())
        fresh.replace(file)

    def _finish_snapshot(self, name: str, supersedes: int | None, keep: int) -> None:
        unfinished = self._snapshots / (name + _UNFINISHED)
        with unfinished.open("ab") as file:
            file.write(_line({"complete": True}))
            file.flush()
            os.fdatasync(file.fileno())
        unfinished.replace(self._snapshots / name)
        if supersedes is not None:
            self._move_aside(None, keep=name, stamp=supersedes)
        names = self._snapshot_names()
        for old in names[:-keep]:
            (self._snapshots / old).unlink()
        oldest = read_header(self._snapshots / names[-keep:][0])["ldt"]
        for path, last in list(self._last.items()):
            if last <= oldest and path != self._segment_path():
                path.unlink(missing_ok=True)
                del self._last[path]

    def _move_aside(self, target: Path | None, *, keep: str | None, stamp: int = 0) -> None:
        """Move log and snapshots to `target`, or to `.old_<stamp>` beside them, except snapshot `keep`."""
        if self._file is not None:
            os.close(self._file)
            self._file = None
        for folder in (self._wal, self._snapshots):
            goal = folder / f".old_{stamp}" if target is None else target / folder.name
            goal.mkdir(parents=True, exist_ok=True)
            for file in folder.iterdir():
                if file.is_file() and file.name not in {keep, _MARK_NAME}:
                    file.rename(goal / file.name)
        self._last.clear()


def _marked(epoch: str, timestamp: int) -> tuple[int, int]:
    return timestamp, zlib.crc32(epoch.encode())


def read_snapshot(path: Path) -> Snapshot:
    """Return the snapshot in a file.

    Raises:
        CorruptionError: It is incomplete or damaged.
    """
    values: list[JsonMap] = []
    with path.open("rb") as lines:
        for number, line in enumerate(lines):
            value = _checked(line)
            if value is None:
                raise CorruptionError(f"{path}, line {number + 1}: does not match its checksum; use another snapshot")
            values.append(value)
    if not values or values[-1] != {"complete": True}:
        raise CorruptionError(f"{path}: the snapshot is not complete; use another one")
    return Snapshot(path.name, values[0], values[1:-1])


def read_header(path: Path) -> JsonMap:
    """Return the header of a snapshot file.

    Raises:
        CorruptionError: It is damaged.
    """
    with path.open("rb") as lines:
        header: JsonMap | None = _checked(lines.readline())
    if header is None:
        raise CorruptionError(f"{path}, line 1: does not match its checksum; use another snapshot")
    return header


def _line(value: JsonMap) -> bytes:
    text = json.dumps(value, separators=(",", ":")).encode()
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _checked(line: bytes) -> Any:
    """Return the value of a line, or None if it is torn or damaged."""
    checksum, _, text = line.partition(b" ")
    text = text[:-1]
    try:
        if not line.endswith(b"\n") or int(checksum, 16) != zlib.crc32(text):
            return None
        return json.loads(text)
    except ValueError:
        return None


def _encode(record: LogRecord) -> bytes:
    """Return the line of a record: checksum, kind, fields; the deltas stay the text that they are."""
    if isinstance(record, Verdict):
        text = b"V %d %d" % (record.timestamp, record.commit)
    else:
        kind = b"T" if record.committed else b"P"
        text = b"%b %b %d %d %b" % (
            kind,
            record.epoch.encode(),
            record.previous,
            record.timestamp,
            record.payload,
        )
    return b"%08x %b\n" % (zlib.crc32(text), text)


def _decode(line: bytes) -> LogRecord | None:
    """Return the record of a line, or None if it is torn or damaged."""
    checksum, _, text = line.partition(b" ")
    text = text[:-1]
    try:
        if not line.endswith(b"\n") or int(checksum, 16) != zlib.crc32(text):
            return None
        kind, fields = text[:1], text[2:]
        if kind == b"V":
            timestamp, commit = fields.split(b" ")
            return Verdict(int(timestamp), commit == b"1")
        epoch, previous, timestamp, payload = fields.split(b" ", 3)
        return Transaction(
            epoch=epoch.decode(),
            previous=int(previous),
            timestamp=int(timestamp),
            payload=payload,
            committed=kind == b"T",
        )
    except ValueError:
        return None

"""Snapshots: CREATE SNAPSHOT, the periodic and the final one, RECOVER SNAPSHOT (transcripts Q3; semantics 4.8)."""

from __future__ import annotations

from datetime import UTC, datetime
from typing import Any

from . import dataset, texts
from .disk import Snapshot, SnapshotBegin, SnapshotEnd, SnapshotPart, StorageError
from .effects import Calendar, ListSnapshots, Persist, Procedure, ReadSnapshot, Sleep
from .errors import MemgraphError
from .instance import Instance, RowState
from .locks import acquire, wait_until_free
from .recovery import recover
from .rows import enqueue
from .txlog import forget_all


def create(instance: Instance, *, replaces_all: bool = False) -> Procedure[str]:
    """Write a snapshot and return its path; it makes a new epoch durable (transcripts Q3).

    Needs no data change, works on an empty graph and may be repeated (transcripts Q3c).

    Args:
        instance: A MAIN.
        replaces_all: Older snapshots and the log are of other data: move them aside.

    Raises:
        MemgraphError: On a REPLICA, or the disk did not take it.
    """
    if not instance.is_main:
        raise MemgraphError.transient(texts.SNAPSHOT_ON_REPLICA)
    yield from acquire(instance.snapshot_lock)
    try:
        nanoseconds = yield Calendar()
        assert isinstance(nanoseconds, int)  # noqa: S101 - what Calendar is resumed with
        name = dataset.snapshot_name(nanoseconds, instance.ldt)
        yield from wait_until_free(instance.graph_lock)
        header = instance.snapshot_header()
        parts = dataset.parts(instance.graph)
        yield Persist((SnapshotBegin(name, header),))
        for part in parts:
            yield Persist((SnapshotPart(name, part),))
            yield Sleep(0)
        supersedes = nanoseconds if replaces_all else None
        yield Persist((SnapshotEnd(name, supersedes, instance.settings.snapshot_retention),))
        instance.snapshot_of = (header["epoch"], header["ldt"])
    except StorageError as error:
        raise MemgraphError.transient(f"Failed to create a snapshot. {error.reason}") from error
    finally:
        instance.snapshot_lock.release()
    return f"{instance.settings.data_directory}/snapshots/{name}"


def keep_creating(instance: Instance) -> Procedure[None]:
    """Take a snapshot every `--storage-snapshot-interval-sec` if anything changed; only a MAIN does."""
    while True:
        yield Sleep(instance.settings.snapshot_interval_s)
        yield from create_if_changed(instance)


def create_if_changed(instance: Instance) -> Procedure[None]:
    """Take a snapshot unless the last one still says it all; a failure is logged."""
    if not instance.is_main or not instance.transactional:
        return
    if instance.snapshot_of == (instance.epoch, instance.ldt):
        return
    try:
        yield from create(instance)
    except MemgraphError as error:
        instance.log_line("error", error.message)


def restore(instance: Instance, path: str, *, force: bool) -> Procedure[None]:
    """RECOVER SNAPSHOT: replace the data by a snapshot, and all replicas' data too (semantics 4.8).

    Args:
        instance: A MAIN.
        path: Of the snapshot file.
        force: Also if there is data here already.

    Raises:
        MemgraphError: On a REPLICA, with data and without force, or the file cannot be read.
    """
    if not instance.is_main:
        raise MemgraphError.transient(texts.RECOVER_ON_REPLICA)
    if instance.graph.has_data and not force:
        raise MemgraphError.transient(texts.RECOVER_NOT_CLEAN)
    try:
        snapshot = yield ReadSnapshot(path)
    except StorageError as error:
        raise MemgraphError.transient(f"Failed to recover a snapshot. {error.reason}") from error
    if not isinstance(snapshot, Snapshot):
        return
    patience_s = instance.settings.storage_access_timeout_s
    if not (yield from acquire(instance.storage_lock, timeout_s=patience_s)):
        raise MemgraphError.transient(texts.UNIQUE_ACCESS)
    try:
        dataset.load(instance.graph, snapshot.parts)
        instance.take_header(snapshot.header)
        instance.database_uuid = snapshot.header["uuid"]
        forget_all(instance)
        yield Persist((instance.databases_record(),))
    finally:
        instance.storage_lock.release()
    yield from create(instance, replaces_all=True)
    for row in instance.whole_rows():
        row.state = RowState.RECOVERY
        row.cached_ldt = 0
        yield from enqueue(row, recover(instance, row))


def listing(instance: Instance) -> Procedure[list[list[Any]]]:
    """Return the rows of SHOW SNAPSHOTS, oldest first."""
    found = yield ListSnapshots()
    assert isinstance(found, tuple)  # noqa: S101 - what ListSnapshots is resumed with
    folder = f"{instance.settings.data_directory}/snapshots"
    return [[f"{folder}/{name}", int(name.rpartition("_")[2]), _written_at(name), f"{size}B"] for name, size in found]


def _written_at(name: str) -> str:
    when = datetime.strptime(name.partition("_")[0], "%Y%m%d%H%M%S%f").replace(tzinfo=UTC)
    return f"{when:%Y-%m-%d %H:%M:%S}"

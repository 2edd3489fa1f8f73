"""How MAIN brings a replica up to its own state (semantics 4.9)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Final

from . import dataset
from .disk import Transaction
from .effects import Failure, Procedure, Sleep
from .instance import Instance, Row, RowState
from .locks import acquire, wait_until_free
from .rowcalls import accepted, call, settle
from .rpc import LogChunk, Reply, SnapshotChunk, SnapshotFinish, SnapshotStart
from .txlog import covers, missing

# Bounds of one frame of log: so that neither side holds more than this of it at a time.
CHUNK_BYTES: Final = 256 * 1024
CHUNK_TRANSACTIONS: Final = 500


def recover(instance: Instance, row: Row) -> Procedure[None]:
    """Send what the replica lacks; then it is `ready`, or `invalid` if commits went by meanwhile.

    The next ping that finds it `invalid` starts another round, so under writes it may flap
    (transcripts, "REGISTER returns before the replica has caught up").
    """
    yield from acquire(row.rpc)
    try:
        reached = yield from _send_missing(instance, row)
    finally:
        row.rpc.release()
    if reached is None:
        row.state = RowState.MAYBE_BEHIND
        instance.log_line("debug", "One of recovery steps failed, setting replica state to MAYBE_BEHIND")
        return
    row.cached_ldt = reached
    yield from settle(instance, row, reached, otherwise=RowState.MAYBE_BEHIND)


def _send_missing(instance: Instance, row: Row) -> Procedure[int | None]:
    """Send a copy if the log does not reach back, then the log; return how far the replica came."""
    position: int | None = row.cached_ldt
    if not covers(instance, row.cached_ldt):
        position = yield from _send_copy(instance, row)
    while position is not None and position < instance.ldt:
        if not covers(instance, position):
            return None
        position = yield from _send_log(instance, row, position)
    return position


def _send_copy(instance: Instance, row: Row) -> Procedure[int | None]:
    timings = instance.settings.timings
    yield from wait_until_free(instance.graph_lock)
    header = instance.snapshot_header()
    parts = dataset.parts(instance.graph)
    outcome = yield from call(instance, row, SnapshotStart(instance.main_uuid, header), timings.snapshot)
    for part in parts:
        if not accepted(outcome):
            return None
        outcome = yield from call(instance, row, SnapshotChunk(instance.main_uuid, part), timings.snapshot)
    if not accepted(outcome):
        return None
    outcome = yield from call(instance, row, SnapshotFinish(instance.main_uuid), timings.snapshot)
    return _position(outcome)


def _send_log(instance: Instance, row: Row, position: int) -> Procedure[int | None]:
    for chunk in _chunks(missing(instance, position)):
        request = LogChunk(instance.main_uuid, instance.database_uuid, chunk)
        outcome = yield from call(instance, row, request, instance.settings.timings.commit)
        reached = _position(outcome)
        if reached is None or reached < chunk[-1].timestamp:
            return None
        position = reached
        yield Sleep(0)
    return position


def _position(outcome: Reply | Failure) -> int | None:
    return outcome.ldt if isinstance(outcome, Reply) and outcome.ok else None


def _chunks(transactions: list[Transaction]) -> Iterator[tuple[Transaction, ...]]:
    """Cut the log into bounded pieces."""
    chunk: list[Transaction] = []
    size = 0
    for transaction in transactions:
        chunk.append(transaction)
        size += len(transaction.payload)
        if size >= CHUNK_BYTES or len(chunk) >= CHUNK_TRANSACTIONS:
            yield tuple(chunk)
            chunk, size = [], 0
    if chunk:
        yield tuple(chunk)

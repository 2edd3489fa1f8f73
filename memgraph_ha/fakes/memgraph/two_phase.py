"""Commits with a STRICT_SYNC replica: all of them prepare, or nobody commits (semantics 3.4)."""

from __future__ import annotations

from attrs import evolve

from .disk import Append, Mark, StorageError, Verdict
from .effects import Persist, Procedure
from .errors import MemgraphError
from .graph import Transaction as GraphTransaction
from .instance import Instance, Mode, Row
from .locks import wait_until_free
from .rowcalls import call
from .rows import enqueue_first
from .rpc import FinalizeCommit
from .shipment import Shipment, give_back, release, send, ship
from .txlog import disk_refused, flush_due, publish


def commit_in_two_phases(instance: Instance, writes: GraphTransaction, shipment: Shipment) -> Procedure[None]:
    """Prepare everywhere, then commit here and on the replicas, or nowhere; `shipment.failed` says which.

    Whether Finalize arrived is not looked at (transcripts Q17); a SYNC row beside STRICT_SYNC gets
    nothing and is left `replicating` (transcripts, "Mixing").

    Raises:
        MemgraphError: The disk did not take the transaction.
    """
    strict = shipment.in_mode(Mode.STRICT_SYNC)
    others = shipment.in_mode(Mode.SYNC, Mode.ASYNC)
    try:
        yield Persist((Append(evolve(shipment.record, committed=False)),))
    except StorageError as error:
        give_back(shipment.streams)
        raise disk_refused(error) from error
    for row in strict:
        yield from send(instance, shipment, row)
    refusal: MemgraphError | None = None
    if shipment.failed:
        yield from _finalize_calls(instance, shipment, commit=False)
        yield from _forget(shipment)
        yield from _keep_existence_constraints(instance, writes)
        give_back(others)
    else:
        # From here on it counts; what follows at once, so that a kill in between stays rare (Q9: 1 of 120).
        tell = _finalize_calls(instance, shipment, commit=True)
        refusal = yield from _mark(shipment)
        yield from tell
        refusal = (yield from _commit_here(instance, writes, shipment)) or refusal
    release(strict)
    if not shipment.failed:
        for row in others:
            if row.mode is Mode.ASYNC:
                yield from enqueue_first(row, ship(instance, shipment, row))
            else:
                row.rpc.release()
    if refusal is not None:
        raise refusal


def _mark(shipment: Shipment) -> Procedure[MemgraphError | None]:
    """Note that it is committed; what a disk that is full by now does not take is told as by `_commit_here`."""
    try:
        yield Persist((Mark(shipment.record.epoch, shipment.record.timestamp),))
    except StorageError as error:
        return disk_refused(error)
    return None


def _commit_here(instance: Instance, writes: GraphTransaction, shipment: Shipment) -> Procedure[MemgraphError | None]:
    """Commit on MAIN; what the log does not take any more is committed in memory all the same.

    All replicas have prepared or even committed it, so there is no way back; the client is told that
    it cannot be told whether this is durable.
    """
    refusal = None
    now: object = None
    try:
        verdict = Verdict(shipment.record.timestamp, commit=True)
        now = yield Persist((Append(verdict, sync=flush_due(instance)),))
    except StorageError as error:
        refusal = disk_refused(error)
    yield from publish(instance, writes, shipment.record, shipment.session, now)
    return refusal


def _finalize_calls(instance: Instance, shipment: Shipment, *, commit: bool) -> Procedure[None]:
    """Tell the verdict to every replica that prepared; nobody looks at the answer (transcripts Q17)."""
    verdict = FinalizeCommit(instance.main_uuid, shipment.record.timestamp, commit)
    prepared = [row for row in shipment.in_mode(Mode.STRICT_SYNC) if row.name not in shipment.failed]
    return _call_each(instance, prepared, verdict)


def _call_each(instance: Instance, rows: list[Row], verdict: FinalizeCommit) -> Procedure[None]:
    for row in rows:
        yield from call(instance, row, verdict, instance.settings.timings.heartbeat)


def _forget(shipment: Shipment) -> Procedure[None]:
    """Log that the transaction was aborted; without this record it counts as aborted as well."""
    try:
        yield Persist((Append(Verdict(shipment.record.timestamp, commit=False)),))
    except StorageError:
        return


def _keep_existence_constraints(instance: Instance, writes: GraphTransaction) -> Procedure[None]:
    """An aborted CREATE CONSTRAINT ... ASSERT EXISTS leaves it on MAIN (transcripts, DDL)."""
    kept = [delta for delta in writes.deltas() if delta[:2] == ["+constraint", "exists"]]
    yield from wait_until_free(instance.graph_lock)
    writes.abort()
    if kept:
        instance.graph.apply(kept)

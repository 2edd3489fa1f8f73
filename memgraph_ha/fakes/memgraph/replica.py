"""A REPLICA's answers on the replication port (semantics 15.4)."""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from itertools import groupby
from typing import Final

from attrs import evolve

from . import dataset
from .disk import (
    Append,
    Snapshot,
    SnapshotBegin,
    SnapshotEnd,
    SnapshotPart,
    StorageError,
    Transaction,
    Verdict,
    Write,
)
from .effects import Calendar, Persist, Procedure, Sleep
from .errors import MemgraphError
from .graph import DeltaError
from .graph import Transaction as GraphTransaction
from .graph_deltas import replay
from .instance import Instance, Prepared
from .locks import acquire, wait_until_free
from .rpc import (
    FinalizeCommit,
    Heartbeat,
    LogChunk,
    Ping,
    PrepareCommit,
    Reply,
    Request,
    SnapshotChunk,
    SnapshotFinish,
    SnapshotStart,
    SwapMain,
    SystemRecovery,
)
from .txlog import append_write, forget_all, remember

REFUSED: Final = Reply(ok=False)
# Changes put into the graph between two chances for others to run.
SLICE_DELTAS: Final = 2000


def serve(instance: Instance, request: Request) -> Procedure[Reply]:
    """Answer one request; the server has one worker, so answers are one after another (semantics 1).

    A full disk is a refusal: MAIN then treats the replica as one that is behind.
    """
    if isinstance(request, Ping):
        return Reply(ok=True)
    yield from acquire(instance.server_lock)
    try:
        if instance.is_main:
            return REFUSED
        return (yield from _answer(instance, request))
    except (StorageError, MemgraphError, DeltaError) as error:
        instance.log_line("error", f"Could not apply what MAIN sent: {error}")
        return REFUSED
    finally:
        instance.server_lock.release()


def _answer(instance: Instance, request: Request) -> Procedure[Reply]:
    if isinstance(request, SwapMain):
        before, instance.main_uuid = instance.main_uuid, request.main_uuid
        try:
            yield Persist(instance.replication_record())
        except StorageError:
            instance.main_uuid = before
            raise
        return _done(instance)
    if isinstance(request, Ping):
        return _done(instance)
    if request.main_uuid != instance.main_uuid:
        instance.log_line(
            "error",
            f"Received {type(request).__name__}Req with main_id: {request.main_uuid} != current_main_uuid:"
            f" {instance.main_uuid}",
        )
        return REFUSED
    return (yield from _ANSWERS[type(request)](instance, request))


def _done(instance: Instance) -> Reply:
    return Reply(
        ok=True,
        ldt=instance.ldt,
        transactions=instance.committed,
        epoch=instance.last_commit_epoch(),
    )


def _same_database(instance: Instance, database_uuid: str) -> bool:
    """Only the official build compares identities here (semantics 2.6; ENT only, raw recording x1)."""
    if not instance.settings.official:
        return True
    return database_uuid in {instance.database_uuid, instance.promised_uuid}


def _system_recovery(instance: Instance, request: SystemRecovery) -> Procedure[Reply]:
    """Take over identity if empty, and MAIN's users: without a licence that list is empty (Q2)."""
    if request.database_uuid != instance.database_uuid:
        if instance.ldt:
            instance.log_line("debug", "Default storage is not clean, cannot update UUID...")
            return REFUSED
        instance.promised_uuid = request.database_uuid
    if instance.users:
        instance.users.clear()
        yield Persist((instance.users_record(),))
    return _done(instance)


def _heartbeat(instance: Instance, request: Heartbeat) -> Procedure[Reply]:
    if not instance.transactional or not _same_database(instance, request.database_uuid):
        instance.log_line("warning", f'No database with UUID "{request.database_uuid}" on replica!')
        return REFUSED
    if not instance.ldt and request.database_uuid != instance.database_uuid:
        instance.promised_uuid = request.database_uuid
        if not request.main_ldt:  # nothing will be sent, so the identity is taken over now
            yield Persist(instance.adopt_uuid())
    return _done(instance)


def _prepare(instance: Instance, request: PrepareCommit) -> Procedure[Reply]:
    """Apply or prepare one transaction; a gap before it is refused, which is what Q18 relies on."""
    transaction = request.transaction
    if instance.quirks.prepare_needs_role_lock and instance.repl_lock.writer:
        return REFUSED
    if not _same_database(instance, request.database_uuid):
        return REFUSED
    instance.drop_prepared()
    if transaction.previous > instance.ldt:
        return REFUSED
    if transaction.timestamp <= instance.ldt:
        return _done(instance)  # the blind spot of semantics 4.5
    if not request.two_phase:
        yield from _apply(instance, (transaction,))
        return _done(instance)
    patience_s = instance.settings.timings.commit
    if not (yield from acquire(instance.storage_lock, exclusive=False, timeout_s=patience_s)):
        return REFUSED
    try:
        writes = yield from _replay(instance, (transaction,))
        yield from _log_or_abort(instance, (evolve(_as_logged(instance, transaction), committed=False),), writes)
    except BaseException:
        instance.storage_lock.release(exclusive=False)
        raise
    _enter_epoch(instance, transaction.epoch)
    instance.prepared = Prepared(transaction, writes)
    return _done(instance)


def _finalize(instance: Instance, request: FinalizeCommit) -> Procedure[Reply]:
    prepared = instance.prepared
    if prepared is None or prepared.record.timestamp != request.timestamp:
        return _done(instance)
    if not request.commit:
        instance.drop_prepared()
        yield from _log(instance, Append(Verdict(request.timestamp, commit=False)))
        return _done(instance)
    sync = instance.settings.flush_every == 1
    yield from _log(instance, Append(Verdict(request.timestamp, commit=True), sync=sync))
    instance.prepared = None
    instance.storage_lock.release(exclusive=False)
    yield from _publish(instance, (prepared.record,), prepared.writes)
    return _done(instance)


def _apply(instance: Instance, transactions: tuple[Transaction, ...]) -> Procedure[None]:
    """Make transactions of one epoch of MAIN ours: on disk first, then visible."""
    writes = yield from _replay(instance, transactions)
    yield from _log_or_abort(instance, [_as_logged(instance, each) for each in transactions], writes)
    _enter_epoch(instance, transactions[0].epoch)
    yield from _publish(instance, transactions, writes)


def _replay(instance: Instance, transactions: tuple[Transaction, ...]) -> Procedure[GraphTransaction]:
    """Put the writes into the graph, invisible; what does not fit is refused (transcripts Q3b)."""
    deltas = [delta for each in transactions for delta in each.deltas()]
    yield from wait_until_free(instance.graph_lock)
    writes = instance.graph.begin()
    try:
        for start in range(0, len(deltas), SLICE_DELTAS):
            if start:
                yield Sleep(0)
            yield from wait_until_free(instance.graph_lock)
            replay(instance.graph, writes, deltas[start : start + SLICE_DELTAS])
        writes.prepare()
    except BaseException:
        instance.abort_writes(writes)
        raise
    return writes


def _log_or_abort(instance: Instance, transactions: Sequence[Transaction], writes: GraphTransaction) -> Procedure[None]:
    """Log transactions; what the disk does not take leaves nothing in the graph either."""
    records = [append_write(instance, each) for each in transactions]
    forced = any(each.sync for each in records)
    appends = [Append(each.record) for each in records[:-1]]
    try:
        yield from _log(instance, *appends, Append(records[-1].record, sync=forced))
    except BaseException:
        instance.abort_writes(writes)
        raise


def _log(instance: Instance, *writes: Write) -> Procedure[None]:
    """Make changes durable, and with the first data the identity of the database."""
    identity = instance.adopt_uuid()
    if instance.settings.wal_enabled:
        yield Persist((*writes, *identity))


def _publish(instance: Instance, transactions: tuple[Transaction, ...], writes: GraphTransaction) -> Procedure[None]:
    yield from wait_until_free(instance.graph_lock)
    writes.commit()
    for each in transactions:
        remember(instance, each)
    instance.ldt = transactions[-1].timestamp
    instance.committed += len(transactions)
    instance.timestamp = max(instance.timestamp, instance.ldt + 1)


def _as_logged(instance: Instance, transaction: Transaction) -> Transaction:
    """Up to 3.5 a replica's log goes on under the epoch it was begun in (semantics 4.7)."""
    if instance.quirks.epoch_mislabelled:
        return evolve(transaction, epoch=instance.log_label)
    return transaction


def _enter_epoch(instance: Instance, epoch: str) -> None:
    """MAIN commits in a new epoch: note how far we came in the old one (semantics 4.1)."""
    if epoch != instance.epoch:
        instance.save_history()
        instance.epoch = epoch


def _snapshot_start(instance: Instance, request: SnapshotStart) -> Procedure[Reply]:
    instance.drop_prepared()
    nanoseconds = yield Calendar()
    assert isinstance(nanoseconds, int)  # noqa: S101 - what Calendar is resumed with
    name = dataset.snapshot_name(nanoseconds, request.header["ldt"])
    instance.arriving = Snapshot(name, request.header)
    # The identity shows as soon as the load begins, and is durable with the data (transcripts Q13).
    instance.promised_uuid = None
    instance.database_uuid = request.header["uuid"]
    yield Persist((SnapshotBegin(name, request.header),))
    return _done(instance)


def _snapshot_chunk(instance: Instance, request: SnapshotChunk) -> Procedure[Reply]:
    if instance.arriving is None:
        return REFUSED
    instance.arriving.parts.append(request.part)
    yield Persist((SnapshotPart(instance.arriving.name, request.part),))
    return _done(instance)


def _snapshot_finish(instance: Instance, _: SnapshotFinish) -> Procedure[Reply]:
    arriving, instance.arriving = instance.arriving, None
    if arriving is None:
        return REFUSED
    patience_s = instance.settings.timings.commit
    if not (yield from acquire(instance.storage_lock, timeout_s=patience_s)):
        return REFUSED
    try:
        nanoseconds = yield Calendar()
        assert isinstance(nanoseconds, int)  # noqa: S101 - what Calendar is resumed with
        finish = SnapshotEnd(arriving.name, nanoseconds, instance.settings.snapshot_retention)
        yield Persist((finish, instance.databases_record()))
        dataset.load(instance.graph, arriving.parts)
        instance.take_header(arriving.header)
        forget_all(instance)
    finally:
        instance.storage_lock.release()
    return _done(instance)


def _log_chunk(instance: Instance, request: LogChunk) -> Procedure[Reply]:
    """Take over what was missed; what belongs to one epoch is forced to the platter once."""
    instance.drop_prepared()
    if not _same_database(instance, request.database_uuid):
        return REFUSED
    missed = [each for each in request.transactions if each.timestamp > instance.ldt]
    if missed and missed[0].previous > instance.ldt:
        return REFUSED
    if missed and instance.promised_uuid is not None:
        # It shows from the beginning of the load, and is durable with the data (transcripts Q13).
        instance.database_uuid = instance.promised_uuid
    for _, group in groupby(missed, key=lambda each: each.epoch):
        yield from _apply(instance, tuple(group))
    return _done(instance)


# Each takes the kind of request it stands under; a dict cannot say so.
_ANSWERS: Final[Mapping[type[Request], Callable[..., Procedure[Reply]]]] = {
    SystemRecovery: _system_recovery,
    Heartbeat: _heartbeat,
    PrepareCommit: _prepare,
    FinalizeCommit: _finalize,
    SnapshotStart: _snapshot_start,
    SnapshotChunk: _snapshot_chunk,
    SnapshotFinish: _snapshot_finish,
    LogChunk: _log_chunk,
}

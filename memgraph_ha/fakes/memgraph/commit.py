"""How MAIN commits: locally, and on its replicas by their mode (semantics 3, 15.6)."""

from __future__ import annotations

from typing import Any, Final

from . import texts
from .disk import StorageError, Transaction
from .effects import Offload, Persist, Procedure
from .errors import MemgraphError
from .graph import Transaction as GraphTransaction
from .instance import Instance, Mode
from .locks import acquire, wait_until_free
from .payload import encode_deltas
from .rows import enqueue_first
from .shipment import Shipment, give_back, open_stream, ship
from .two_phase import commit_in_two_phases
from .txlog import append_write, disk_refused, publish

# Changes from which encoding them is worth a thread.
LONG_LIST: Final = 5000


class NotReplicatedError(Exception):
    """A SYNC or STRICT_SYNC replica did not confirm; the Bolt code depends on the message that asked.

    Args:
        message: The text for the client.
    """

    def __init__(self, message: str) -> None:
        super().__init__(message)
        self.message = message


def commit(instance: Instance, writes: GraphTransaction, session: int) -> Procedure[None]:
    """Commit a transaction; afterwards it is ended whatever happened.

    The storage engine stays locked until the replicas have answered, so nobody can begin a
    transaction meanwhile (transcripts Q4).

    Args:
        instance: Where.
        writes: What it wrote.
        session: Number of the client's session, to tell how many clients write.

    Raises:
        MemgraphError: Not MAIN any more, a constraint is broken, or the disk is full; not committed.
        NotReplicatedError: A replica did not confirm; committed with SYNC, aborted with STRICT_SYNC.
    """
    deltas = writes.deltas()
    try:
        if not deltas:
            writes.commit()
            return
        yield from acquire(instance.repl_lock, exclusive=False)
        try:
            if not instance.is_main:
                raise MemgraphError.client(texts.NOT_MAIN_AT_COMMIT)
            yield from acquire(instance.engine_lock)
            try:
                yield from _commit_locked(instance, writes, deltas, session)
            finally:
                instance.engine_lock.release()
        finally:
            instance.repl_lock.release(exclusive=False)
    finally:
        instance.abort_writes(writes)


def _commit_locked(instance: Instance, writes: GraphTransaction, deltas: list[Any], session: int) -> Procedure[None]:
    yield from wait_until_free(instance.graph_lock)
    writes.prepare()
    payload = yield from _payload(deltas)
    record = Transaction(
        epoch=instance.epoch,
        previous=instance.ldt,
        timestamp=instance.next_timestamp(),
        payload=payload,
    )
    if not (instance.settings.wal_enabled and instance.transactional):
        # Nothing is replicated without a WAL (semantics 3.1), nor in analytical mode (transcripts Q21).
        yield from wait_until_free(instance.graph_lock)
        writes.commit()
        if instance.transactional:
            instance.ldt = record.timestamp
            instance.committed += 1
        return
    rows = instance.whole_rows()
    shipment = Shipment(record, session, two_phase=any(row.mode is Mode.STRICT_SYNC for row in rows))
    for row in rows:
        yield from open_stream(instance, shipment, row)
    if shipment.two_phase:
        yield from commit_in_two_phases(instance, writes, shipment)
    else:
        yield from _commit_and_ship(instance, writes, shipment)
    if shipment.failed:
        raise NotReplicatedError(_message(instance, shipment))


def _payload(deltas: list[Any]) -> Procedure[bytes]:
    """Encode the deltas; many of them in a thread, so that SHOW queries are answered meanwhile."""
    if len(deltas) < LONG_LIST:
        return encode_deltas(deltas)
    payload = yield Offload(lambda: encode_deltas(deltas))
    assert isinstance(payload, bytes)  # noqa: S101 - what the function returns
    return payload


def _commit_and_ship(instance: Instance, writes: GraphTransaction, shipment: Shipment) -> Procedure[None]:
    """Without STRICT_SYNC: commit here whatever the replicas say (transcripts, table of writes)."""
    try:
        now = yield Persist((append_write(instance, shipment.record),))
    except StorageError as error:
        give_back(shipment.streams)
        raise disk_refused(error) from error
    yield from publish(instance, writes, shipment.record, shipment.session, now)
    for row in shipment.streams:
        if row.mode is Mode.ASYNC:
            yield from enqueue_first(row, ship(instance, shipment, row))
        else:
            yield from ship(instance, shipment, row)


def _message(instance: Instance, shipment: Shipment) -> str:
    strict = shipment.two_phase
    if instance.quirks.replica_named_in_commit_error:
        return texts.unable_to_replicate(shipment.failed, strict=strict)
    return texts.STRICT_SYNC_FAILED if strict else texts.SYNC_FAILED

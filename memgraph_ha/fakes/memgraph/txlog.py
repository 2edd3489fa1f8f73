"""The recent transactions that an instance keeps at hand for replicas that lack them (semantics 4.9)."""

from __future__ import annotations

from itertools import takewhile
from typing import Final

from .disk import Append, StorageError, Transaction
from .effects import Procedure
from .errors import MemgraphError
from .graph import Transaction as GraphTransaction
from .instance import Instance
from .locks import wait_until_free

# Beyond this a replica gets a whole copy, as a real one does when the WAL chain does not reach back.
MAX_LOG_BYTES: Final = 32 * 1024 * 1024
# Python objects around a payload: what an entry costs beside its text.
ENTRY_BYTES: Final = 300


def remember(instance: Instance, transaction: Transaction) -> None:
    """Keep a committed transaction, and forget the oldest ones beyond the limit."""
    instance.log.append(transaction)
    instance.log_bytes += len(transaction.payload) + ENTRY_BYTES
    while instance.log_bytes > MAX_LOG_BYTES:
        instance.log_bytes -= len(instance.log.popleft().payload) + ENTRY_BYTES


def forget_all(instance: Instance) -> None:
    """Empty the log: the data was replaced as a whole."""
    instance.log.clear()
    instance.log_bytes = 0


def covers(instance: Instance, ldt: int) -> bool:
    """Return whether the log holds everything after `ldt`."""
    return ldt >= instance.ldt or (bool(instance.log) and instance.log[0].previous <= ldt)


def missing(instance: Instance, ldt: int) -> list[Transaction]:
    """Return what the log holds after `ldt`, oldest first."""
    newer = list(takewhile(lambda transaction: transaction.timestamp > ldt, reversed(instance.log)))
    newer.reverse()
    return newer


def flush_due(instance: Instance) -> bool:
    """Count a transaction; return whether the log is to be forced to the platter with it.

    `--storage-wal-file-flush-every-n-tx` counts transactions between two fsyncs (semantics 3.1).
    """
    instance.unflushed += 1
    if instance.unflushed < instance.settings.flush_every:
        return False
    instance.unflushed = 0
    return True


def append_write(instance: Instance, transaction: Transaction) -> Append:
    """Return the write that logs a committed transaction."""
    return Append(transaction, sync=flush_due(instance))


def publish(
    instance: Instance, writes: GraphTransaction, record: Transaction, session: int, now: object
) -> Procedure[None]:
    """Show a transaction that MAIN has logged to everybody.

    Args:
        instance: MAIN.
        writes: What it wrote.
        record: The same as it is shipped.
        session: Number of the client's session.
        now: Monotonic time, as `Persist` was resumed with it.
    """
    yield from wait_until_free(instance.graph_lock)
    writes.commit()
    instance.log_label = record.epoch
    instance.ldt = record.timestamp
    instance.committed += 1
    remember(instance, record)
    if isinstance(now, float | int):
        instance.recent_commits.append((now, session))


def disk_refused(error: StorageError) -> MemgraphError:
    """Return what a client is told when the log did not take its transaction."""
    return MemgraphError.database(
        f"Couldn't write the transaction to the WAL: {error.reason}. Free space on the disk of the data"
        " directory, see what is there, and retry."
    )

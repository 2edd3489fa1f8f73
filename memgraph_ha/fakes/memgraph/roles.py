"""SET REPLICATION ROLE (semantics 2.2, 2.3; transcripts Q6, Q8)."""

from __future__ import annotations

from typing import Final

from . import texts
from .disk import StorageError
from .effects import Listen, Persist, Procedure, Sleep, Unlisten
from .errors import MemgraphError
from .instance import Instance, Role
from .locks import acquire
from .rows import close

MAX_PORT: Final = 65535


def promote(instance: Instance) -> Procedure[None]:
    """SET REPLICATION ROLE TO MAIN: stop the replication server, then begin a new epoch.

    Role and fencing token are durable at once, the epoch is not (transcripts Q3).  A transaction that
    was prepared for the old MAIN is lost (transcripts Q7b).  The caller holds the system lock.

    Raises:
        MemgraphError: It is MAIN already, or a commit or SHOW is under way; the text is the same.
    """
    if instance.is_main or not instance.repl_lock.try_acquire():
        raise MemgraphError.client(texts.CANNOT_PROMOTE)
    try:
        yield Unlisten()
        yield from acquire(instance.server_lock)
        try:
            timings = instance.settings.timings
            spread_s = timings.promotion_max - timings.promotion_min
            yield Sleep(timings.promotion_min + instance.chance.draw() * spread_s)
            _lose_prepared(instance)
            instance.save_history()
            yield from _take_role(instance, Role.MAIN, None, texts.CANNOT_PROMOTE)
            instance.epoch = instance.chance.uuid()
            instance.arriving = None
            instance.timestamp = max(instance.timestamp, instance.ldt + 1)
        finally:
            instance.server_lock.release()
    finally:
        instance.repl_lock.release()


def _take_role(instance: Instance, role: Role, port: int | None, refusal: str) -> Procedure[None]:
    """Switch role and fencing token, durably; if the disk does not take it, nothing is switched (semantics 2.2)."""
    before = (instance.role, instance.port, instance.main_uuid)
    instance.rows.clear()
    instance.role, instance.port, instance.main_uuid = role, port, instance.chance.uuid()
    try:
        yield Persist(instance.replication_record())
    except StorageError as error:
        instance.role, instance.port, instance.main_uuid = before
        raise MemgraphError.client(refusal) from error


def _lose_prepared(instance: Instance) -> None:
    """Drop what was prepared; below 3.8 its access to the storage stays open (semantics 3.4)."""
    if instance.quirks.promotion_drops_prepared:
        instance.drop_prepared()
    elif instance.prepared is not None:
        instance.abort_writes(instance.prepared.writes)


def demote(instance: Instance, port: int) -> Procedure[None]:
    """SET REPLICATION ROLE TO REPLICA WITH PORT: forget all rows, obey nobody until a REGISTER.

    Waits for pings and recovery steps under way (transcripts Q5d, Q6), not for open transactions
    (those fail at their commit).  The caller holds the system lock.

    Args:
        instance: Which.
        port: Replication port, 0 to 65535.

    Raises:
        MemgraphError: It is a REPLICA already, or busy, or the port cannot be bound; the last leaves
            it a REPLICA without a server.  The text is the same.
    """
    if not 0 <= port <= MAX_PORT:
        raise MemgraphError.client(texts.PORT_INVALID)
    if not instance.is_main or not instance.repl_lock.try_acquire():
        raise MemgraphError.client(texts.CANNOT_DEMOTE)
    try:
        for row in list(instance.rows.values()):
            yield from close(instance, row)
        instance.log_line("trace", "Role set to replica, instance-level clients destroyed.")
        yield from _take_role(instance, Role.REPLICA, port, texts.CANNOT_DEMOTE)
        if not (yield Listen(port)):
            instance.log_line("error", "Unable to start the replication server.")
            raise MemgraphError.client(texts.CANNOT_DEMOTE)
    finally:
        instance.repl_lock.release()

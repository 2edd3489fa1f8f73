"""REGISTER REPLICA and DROP REPLICA (semantics 2.4, 2.7; transcripts Q5, Q7)."""

from __future__ import annotations

import enum
import signal
from typing import Final

from . import hazards, texts
from .disk import StorageError
from .effects import Clock, Die, Hang, Persist, Procedure
from .errors import MemgraphError
from .instance import Instance, Mode, Row, RowState
from .locks import acquire
from .rowcalls import accepted, call
from .rows import close, heartbeat, recover_system, start
from .rpc import SwapMain

DEFAULT_PORT: Final = 10000


class Refusal(enum.IntEnum):
    """The numbers of `Couldn't register replica X. Error: n` (transcripts, summary)."""

    NAME_EXISTS = 1
    ENDPOINT_EXISTS = 2
    CONNECTION_FAILED = 3  # what a diverged replica gives
    COULD_NOT_BE_PERSISTED = 4
    ERROR_ACCEPTING_MAIN = 5
    NO_ACCESS = 6


def parse_address(text: str) -> tuple[str, int]:
    """Split `host[:port]`; names are not resolved here (semantics 2.4).

    Raises:
        MemgraphError: More than one colon, or a port that is not a number.
    """
    host, colon, port = text.partition(":")
    if ":" in port or not host:
        raise MemgraphError.client(texts.ADDRESS_INVALID)
    if not colon:
        return host, DEFAULT_PORT
    if not port.isdecimal():
        raise MemgraphError.transient(texts.PORT_NOT_A_NUMBER)
    return host, int(port)


def register(instance: Instance, name: str, mode: Mode, address: str) -> Procedure[None]:
    """REGISTER REPLICA; holds the replication state for its whole duration (semantics 2.4).

    The caller holds the system lock.

    Raises:
        MemgraphError: As the table of semantics 2.4 says.  After errors 3 and 5 a half row stays.
    """
    host, port = parse_address(address)
    if not instance.repl_lock.try_acquire():
        raise _refused(name, Refusal.NO_ACCESS)
    try:
        if not instance.is_main:
            raise MemgraphError.client(texts.REGISTER_ON_REPLICA)
        if name in instance.rows:
            raise _refused(name, Refusal.NAME_EXISTS)
        if any((row.host, row.port) == (host, port) for row in instance.rows.values()):
            raise _refused(name, Refusal.ENDPOINT_EXISTS)
        frequency_s = instance.settings.check_frequency_s
        row = Row(name=name, mode=mode, host=host, port=port, frequency_s=frequency_s)
        yield from _add(instance, row)
        yield from _attach(instance, row)
    finally:
        instance.repl_lock.release()


def _refused(name: str, refusal: Refusal) -> MemgraphError:
    return MemgraphError.client(texts.register_failed(name, refusal))


def _add(instance: Instance, row: Row) -> Procedure[None]:
    """Persist the row before anybody is asked: what fails from here on leaves it half registered."""
    instance.rows[row.name] = row
    try:
        yield Persist(instance.replication_record())
    except StorageError as error:
        del instance.rows[row.name]
        raise _refused(row.name, Refusal.COULD_NOT_BE_PERSISTED) from error


def _attach(instance: Instance, row: Row) -> Procedure[None]:
    """Become the replica's MAIN, compare, start the pings."""
    yield from acquire(row.rpc)
    try:
        swap = SwapMain(instance.main_uuid)
        outcome = yield from call(instance, row, swap, instance.settings.timings.heartbeat)
    finally:
        row.rpc.release()
    if not accepted(outcome):
        raise _refused(row.name, Refusal.ERROR_ACCEPTING_MAIN)
    yield from recover_system(instance, row)
    yield from heartbeat(instance, row)
    if row.state is RowState.DIVERGED:
        instance.log_line(
            "error", f"Failed to register all databases for the replica {row.name}. Started unregistering replica."
        )
        raise _refused(row.name, Refusal.CONNECTION_FAILED)
    yield from start(instance, row)


def drop(instance: Instance, name: str) -> Procedure[None]:
    """DROP REPLICA: the replica is not asked; MAIN may not survive it (transcripts Q5, Q7).

    The caller holds the system lock.

    Raises:
        MemgraphError: Busy, not MAIN, or no such row.
    """
    if not instance.repl_lock.try_acquire():
        raise MemgraphError.client(texts.DROP_BUSY)
    try:
        if not instance.is_main:
            raise MemgraphError.client(texts.DROP_ON_REPLICA)
        row = instance.rows.get(name)
        if row is None:
            raise MemgraphError.client(texts.drop_failed(name))
        now = yield Clock()
        outcome = hazards.outcome_of_drop(instance, row, float(now) if isinstance(now, float | int) else 0.0)
        del instance.rows[name]
        try:
            yield Persist(instance.replication_record())
        except StorageError as error:
            instance.rows[name] = row
            raise MemgraphError.client(texts.drop_failed(name)) from error
        if outcome is hazards.Outcome.CRASH:
            yield Die(signal.SIGSEGV)
        if outcome is hazards.Outcome.HANG:
            yield Hang()
        yield from close(instance, row)
    finally:
        instance.repl_lock.release()

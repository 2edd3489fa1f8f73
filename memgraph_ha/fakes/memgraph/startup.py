"""What a process does between its start and the moment Bolt opens (semantics 6, 15.2)."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, Final

from . import accounts, dataset
from .disk import Durable, JsonMap, SetAside, Transaction, Verdict
from .effects import Listen, Persist, Procedure, Spawn
from .instance import Instance, Mode, Reign, Role, Row
from .rows import heartbeat, recover_system, start
from .snapshots import keep_creating
from .txlog import remember

REPLAY_BATCH: Final = 1000  # transactions put into the graph at once: faster than one by one


class StartError(Exception):
    """The process cannot start."""


def boot(instance: Instance, durable: Durable) -> Procedure[None]:
    """Restore everything that survived, and make contact with the peers; init file and Bolt come after.

    A restored MAIN asks its rows one after the other before Bolt opens: a frozen one costs 10 s, on
    the official build 30 s more for the system recovery (transcripts Q1; summary "ENT only").

    Raises:
        StartError: A REPLICA cannot bind its replication port (scenarios 1.7).
    """
    stores = durable.stores
    instance.users.update(stores.get("auth", {}).get("users", {}))
    instance.triggers.update(stores.get("triggers", {}))
    instance.database_settings.update(stores.get("settings", {}))
    yield from accounts.create_initial_user(instance)
    _restore_role(instance, stores.get("replication"))
    yield from _recover_data(instance, durable)
    if instance.is_main:
        rows = list(instance.rows.values())
        for row in rows:
            yield from _contact(instance, row)
        instance.log_line("info", "Replication role restored to MAIN.")
        for row in rows:
            yield from start(instance, row)
    elif instance.port is not None and not (yield Listen(instance.port)):
        raise StartError(f"cannot bind replication port {instance.port}: is another process on it?")
    if instance.settings.wal_enabled and instance.settings.snapshot_interval_s > 0:
        yield Spawn(keep_creating(instance))


def _restore_role(instance: Instance, record: JsonMap | None) -> None:
    """Take role, fencing token and rows from disk; half rows come back as whole ones (semantics 2.4)."""
    if record is None or not instance.settings.restore_replication_state:
        return
    instance.role = Role(record["role"])
    instance.main_uuid = record["main_uuid"]
    instance.port = record["port"]
    for name, row in record["rows"].items():
        instance.rows[name] = Row(
            name=name,
            mode=Mode(row["mode"]),
            host=row["host"],
            port=row["port"],
            frequency_s=row["frequency_s"],
        )


def _recover_data(instance: Instance, durable: Durable) -> Procedure[None]:
    snapshot = durable.newest_snapshot()
    known_uuid = durable.stores.get("databases", {}).get("memgraph")
    if not instance.settings.data_recovery_on_startup:
        yield Persist((SetAside(),))
    else:
        if snapshot is not None:
            dataset.load(instance.graph, snapshot.parts)
            instance.take_header(snapshot.header)
            instance.snapshot_of = (instance.epoch, instance.ldt)
            known_uuid = known_uuid or snapshot.header["uuid"]
        _replay(instance, durable)
    if known_uuid:
        instance.database_uuid = known_uuid
    elif instance.ldt or instance.settings.wal_enabled:
        yield Persist((instance.databases_record(),))
    instance.timestamp = max(instance.timestamp, instance.ldt + 1)


def _replay(instance: Instance, durable: Durable) -> None:
    """Put the log into the graph: only what was committed counts (semantics 3.4, 15.2)."""
    batch: list[Any] = []
    for number, transaction in enumerate(_committed(durable)):
        if transaction.timestamp <= instance.ldt:
            continue
        batch.extend(transaction.deltas())
        _advance(instance, transaction)
        if number % REPLAY_BATCH == 0:
            instance.graph.apply(batch)
            batch.clear()
    instance.graph.apply(batch)


def _committed(durable: Durable) -> Iterator[Transaction]:
    """Yield the committed transactions of the log in order.

    One that was only prepared counts if its verdict follows, if another one builds on it, or if the
    mark of MAIN is for it: then the process ended before the verdict was in the log.
    """
    prepared: Transaction | None = None
    for record in durable.read_log():
        if prepared is not None and isinstance(record, Transaction) and record.previous == prepared.timestamp:
            yield prepared
        if isinstance(record, Verdict):
            if prepared is not None and record.commit and record.timestamp == prepared.timestamp:
                yield prepared
            prepared = None
        elif record.committed:
            prepared = None
            yield record
        else:
            prepared = record
    if prepared is not None and durable.marked(prepared):
        yield prepared


def _advance(instance: Instance, transaction: Transaction) -> None:
    """Rebuild position and history as they follow from the log (semantics 4.2).

    The epoch of a promotion without a commit is not in it: that is the gap of transcripts Q3.
    """
    instance.ldt = transaction.timestamp
    instance.committed += 1
    instance.epoch = instance.log_label = transaction.epoch
    reign = Reign(transaction.epoch, transaction.timestamp)
    if instance.history and instance.history[-1].epoch == transaction.epoch:
        instance.history[-1] = reign
    else:
        instance.history.append(reign)
    remember(instance, transaction)


def _contact(instance: Instance, row: Row) -> Procedure[None]:
    instance.log_line("info", f"Replica {row.name} restoration started for memgraph.")
    yield from recover_system(instance, row)
    yield from heartbeat(instance, row)

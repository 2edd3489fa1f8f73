"""One transaction on its way from MAIN to its replicas (semantics 3.1, 3.2)."""

from __future__ import annotations

from typing import Final

from attrs import define, field

from .disk import Transaction
from .effects import Failure, Procedure
from .instance import Instance, Mode, Row, RowState
from .locks import acquire
from .rowcalls import accepted, call
from .rows import enqueue_heartbeat
from .rpc import PrepareCommit, Reply

_NOT_IN_SYNC: Final = "replica is not reachable or not in sync with the main"
_REASONS: Final = {
    Failure.REFUSED: _NOT_IN_SYNC,
    Failure.UNREACHABLE: _NOT_IN_SYNC,
    Failure.TIMED_OUT: "RPC timeout while replicating",
    Failure.BROKEN: "RPC communication error",
}


@define(eq=False)
class Shipment:
    """A transaction and who gets it.

    Attributes:
        record: The transaction as it stands in the log.
        session: Number of the client's session.
        two_phase: Some row is STRICT_SYNC (semantics 3.4).
        streams: Rows whose connection this commit holds.
        failed: Why, by the name of each replica that had to confirm and did not.
    """

    record: Transaction
    session: int
    two_phase: bool
    streams: list[Row] = field(factory=list)
    failed: dict[str, str] = field(factory=dict)

    def in_mode(self, *modes: Mode) -> list[Row]:
        """Return the rows of these modes whose connection this commit holds."""
        return [row for row in self.streams if row.mode in modes]


def open_stream(instance: Instance, shipment: Shipment, row: Row) -> Procedure[None]:
    """Take the connection to a replica that is `ready`; see semantics 2.10 for all others."""
    if row.state is RowState.READY:
        patience_s = instance.settings.timings.async_lock if row.mode is Mode.ASYNC else None
        if (yield from acquire(row.rpc, timeout_s=patience_s)):
            row.state = RowState.REPLICATING
            shipment.streams.append(row)
            return
        row.state = RowState.MAYBE_BEHIND
    elif row.state is RowState.REPLICATING:
        row.state = RowState.MAYBE_BEHIND
    elif row.state is RowState.MAYBE_BEHIND:
        yield from enqueue_heartbeat(instance, row)
    must_confirm = row.mode is Mode.STRICT_SYNC or (row.mode is Mode.SYNC and not shipment.two_phase)
    if must_confirm:
        diverged = row.state is RowState.DIVERGED
        shipment.failed[row.name] = "replica has diverged from main" if diverged else _NOT_IN_SYNC


def ship(instance: Instance, shipment: Shipment, row: Row) -> Procedure[None]:
    """Send what is committed here, and give the connection back."""
    try:
        yield from send(instance, shipment, row)
    finally:
        row.rpc.release()


def send(instance: Instance, shipment: Shipment, row: Row) -> Procedure[bool]:
    """Send the transaction and judge the answer; returns whether the replica took it.

    ASYNC rows beside STRICT_SYNC ones get what is committed already, in one phase (semantics 3.4).
    """
    two_phase = row.mode is Mode.STRICT_SYNC
    request = PrepareCommit(instance.main_uuid, instance.database_uuid, shipment.record, two_phase)
    outcome = yield from call(instance, row, request, instance.settings.timings.commit)
    _conclude(shipment, row, outcome)
    return accepted(outcome)


def _conclude(shipment: Shipment, row: Row, outcome: Reply | Failure) -> None:
    if accepted(outcome):
        row.cached_ldt = shipment.record.timestamp
        if row.state is RowState.REPLICATING:
            row.state = RowState.READY
        return
    row.state = RowState.MAYBE_BEHIND
    if row.mode is not Mode.ASYNC:
        shipment.failed[row.name] = _REASONS[outcome] if isinstance(outcome, Failure) else _NOT_IN_SYNC


def give_back(rows: list[Row]) -> None:
    """Let go of the connections of a transaction that does not happen: the rows are as before."""
    for row in rows:
        row.state = RowState.READY
    release(rows)


def release(rows: list[Row]) -> None:
    """Let go of the connections."""
    for row in rows:
        row.rpc.release()

"""The steps that everything MAIN does with a replica is made of: one request, one judgement."""

from __future__ import annotations

from .effects import Call, Failure, Procedure
from .instance import Instance, Row, RowState
from .locks import acquire
from .rpc import Reply, Request


def call(instance: Instance, row: Row, request: Request, timeout_s: float) -> Procedure[Reply | Failure]:
    """Send one request to the replica; the caller holds `row.rpc`.

    `timeout_s` is for the reply, already scaled.
    """
    connect_timeout_s = instance.settings.timings.connect
    outcome = yield Call(row.link, request, timeout_s=timeout_s, connect_timeout_s=connect_timeout_s)
    assert isinstance(outcome, Reply | Failure)  # noqa: S101 - what Call is resumed with
    return outcome


def accepted(outcome: Reply | Failure) -> bool:
    """Return whether the replica answered, and agreed."""
    return isinstance(outcome, Reply) and outcome.ok


def settle(instance: Instance, row: Row, replica_ldt: int, otherwise: RowState = RowState.RECOVERY) -> Procedure[None]:
    """Decide between `ready` and `otherwise` while no commit is under way (semantics 2.10)."""
    yield from acquire(instance.engine_lock)
    try:
        row.state = RowState.READY if replica_ldt >= instance.ldt else otherwise
    finally:
        instance.engine_lock.release()

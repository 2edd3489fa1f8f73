"""Rules Y and Z: what is waited for, by name, and that nothing is."""

from typing import Final

from memgraph_ha.core.commands import CommitNoop, RegisterReplica
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.policy import DataDurability
from memgraph_ha.core.rules.standing import LONG_S, SHORT_S
from memgraph_ha.core.topology import Row, RowStatus
from memgraph_ha.core.view import View

PATIENCE_S: Final = 3.0
"""Three failed pings: a dead replica's row says so after 2.8 s (transcripts, "Event")."""

DIVERGED: Final = (
    "has diverged: it holds commits that MAIN's history does not cover (Error: 3). If what it has more may go: "
    "stop it, move wal/ and snapshots/ of its data directory aside, start it; it is attached again by itself"
)


def hold_without_service(view: View) -> Decision | Unmet:
    """Say why read/write is shut although MAIN lives.

    When: no permit may be given, and no rule above could change that now.
    Then: nothing until facts change.
    Protects: nothing waits without a name.
    After: all repairs.
    Source: design 1 (promise 4), 6 (`required`).
    """
    if view.unserved is None or view.record is None:
        return Unmet("read/write is shut")
    required = view.policy.data_durability is DataDurability.REQUIRED
    waits = required and view.main_role is not None and view.record.standby is None
    tries = [view.last_outcome(kind, view.record.main) for kind in (CommitNoop,)]
    return Decision(
        hold=Hold.WAITING_FOR_STANDBY if waits else Hold.BACKING_OFF,
        reason=f"{view.unserved}{''.join(tries)}{_standby_lack(view) if waits else ''}",
        wake_at_s=view.now_s + SHORT_S,
    )


def hold_unprotected(view: View) -> Decision | Unmet:
    """Say what the standby lacks.

    When: MAIN serves and nobody is named. A diverged one is called so, with the way out. If `data_durability` is
        `required`, it is writes that wait: MAIN's STRICT_SYNC row of the standby aborts each.
    Then: nothing until facts change.
    Protects: nothing waits without a name.
    After: Y10.
    Source: design 1 (promise 4).
    """
    record = view.record
    if record is None or record.standby is not None:
        return Unmet("nobody is named")
    waits = view.policy.data_durability is DataDurability.REQUIRED and not record.unprotected
    plain = Hold.WAITING_FOR_STANDBY if waits else Hold.UNPROTECTED
    diverged = view.partner is not None and _has_diverged(view, view.partner)
    return Decision(
        hold=Hold.DIVERGED_REPLICA if diverged else plain,
        reason=f"{record.main} {'waits for' if waits else 'serves without'} a proven standby{_standby_lack(view)}",
        wake_at_s=view.now_s + SHORT_S,
    )


def _standby_lack(view: View) -> str:
    other, record = view.partner, view.record
    if other is None or record is None:
        return "; the cluster has no second eligible instance"
    name = other.member.name
    if name in record.rebuild:
        return f"; {name} must be rebuilt: stop it, empty its data directory, start it"
    if _has_diverged(view, other):
        return f"; {name} {DIVERGED}"
    row = view.standby_row
    if row is not None:
        noop = view.observed.noop
        doubt = "" if noop is None or noop.witness is not None or not noop.detail else f"; not proven: {noop.detail}"
        return f"; row {row.name} is {row.status.value}{view.last_outcome(CommitNoop, record.main) or doubt}"
    why = view.attachable(other)
    return f"; {name}: {why}" if why else f"; {name} is attached next{view.last_outcome(RegisterReplica, name)}"


def _has_diverged(view: View, seen: Seen) -> bool:
    """Whether MAIN refused to register its present run because it holds what MAIN's history does not cover."""
    tried = view.attempt(RegisterReplica, seen.member.name)
    if any(row.status is RowStatus.DIVERGED for row in view.rows_of(seen.member)):
        return True
    same = tried is not None and seen.role is not None and tried.replica_run == seen.role.run
    return same and tried is not None and tried.error is ErrorClass.DIVERGED


def hold_without_replica(view: View) -> Decision | Unmet:
    """Say which ASYNC replica is not attached, and why.

    When: MAIN serves with a standby, and a member that may never be MAIN has no healthy row. One that is `invalid`
        heals itself as a rule (under load it is so again and again), so it is told only after three seconds.
    Then: nothing until facts change.
    Protects: nothing waits without a name.
    After: Y20.
    Source: design 1 (promise 4).
    """
    if view.main_rows is None:
        return Unmet("MAIN's rows are known")
    for seen in view.asyncs:
        rows, name = view.rows_of(seen.member), seen.member.name
        if any(_is_healthy(view, row) for row in rows):
            continue
        diverged = _has_diverged(view, seen)
        lack = f"its row is {rows[0].status.value}" if rows else view.attachable(seen) or "it is attached next"
        said = DIVERGED if diverged else f"{lack}{view.last_outcome(RegisterReplica, name)}"
        return Decision(
            hold=Hold.DIVERGED_REPLICA if diverged else Hold.REPLICA_MISSING,
            reason=f"{name}: {said}",
            wake_at_s=view.now_s + SHORT_S,
        )
    return Unmet("an ASYNC replica is missing", "none is")


def _is_healthy(view: View, row: Row) -> bool:
    if row.status is RowStatus.INVALID and view.main is not None:
        since_s = view.main.bad_since_s(row.name)
        return since_s is not None and view.now_s - since_s < PATIENCE_S
    return row.takes_commits or row.status is RowStatus.RECOVERY


def steady(view: View) -> Decision | Unmet:
    """Nothing to do.

    When: nothing above applies.
    Then: nothing.
    Protects: QUIESCENCE (no command in a healthy cluster).
    After: everything.
    Source: scenarios L3.
    """
    return Decision(
        reason="MAIN serves, its standby is named, every replica is attached", wake_at_s=view.now_s + LONG_S
    )

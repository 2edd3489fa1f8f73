"""Rules Y and Z: what is waited for, by name, and that nothing is."""

from memgraph_ha.core.commands import CommitNoop, RegisterReplica
from memgraph_ha.core.decision import Decision, Hold, Unmet
from memgraph_ha.core.policy import DataDurability
from memgraph_ha.core.rules.standing import LONG_S, SHORT_S
from memgraph_ha.core.topology import RowStatus
from memgraph_ha.core.view import View


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

    When: MAIN serves and nobody is named. If `data_durability` is `required`, it is writes that wait: MAIN's
        STRICT_SYNC row of the standby aborts each.
    Then: nothing until facts change.
    Protects: nothing waits without a name.
    After: Y10.
    Source: design 1 (promise 4).
    """
    record = view.record
    if record is None or record.standby is not None:
        return Unmet("nobody is named")
    waits = view.policy.data_durability is DataDurability.REQUIRED and not record.unprotected
    return Decision(
        hold=Hold.WAITING_FOR_STANDBY if waits else Hold.UNPROTECTED,
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
    row = view.standby_row
    if row is not None:
        return f"; row {row.name} is {row.status.value}{view.last_outcome(CommitNoop, record.main)}"
    why = view.attachable(other)
    return f"; {name}: {why}" if why else f"; {name} is attached next{view.last_outcome(RegisterReplica, name)}"


def hold_without_replica(view: View) -> Decision | Unmet:
    """Say which ASYNC replica is not attached, and why.

    When: MAIN serves with a standby, and a member that may never be MAIN has no healthy row.
    Then: nothing until facts change.
    Protects: nothing waits without a name.
    After: Y20.
    Source: design 1 (promise 4).
    """
    if view.main_rows is None:
        return Unmet("MAIN's rows are known")
    for seen in view.asyncs:
        rows, name = view.rows_of(seen.member), seen.member.name
        healthy = any(row.takes_commits or row.status is RowStatus.RECOVERY for row in rows)
        if healthy:
            continue
        lack = f"its row is {rows[0].status.value}" if rows else view.attachable(seen) or "it is attached next"
        return Decision(
            hold=Hold.REPLICA_MISSING,
            reason=f"{name}: {lack}{view.last_outcome(RegisterReplica, name)}",
            wake_at_s=view.now_s + SHORT_S,
        )
    return Unmet("an ASYNC replica is missing", "none is")


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

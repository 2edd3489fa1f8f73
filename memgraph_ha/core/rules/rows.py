"""Rules F, D and H: a standby that blocks MAIN, and rows that must go."""

from attrs import evolve

from memgraph_ha.core.commands import DropReplica, StopInstance
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.policy import DataDurability
from memgraph_ha.core.record import Record
from memgraph_ha.core.rules.standing import SHORT_S
from memgraph_ha.core.topology import Mode, Row, RowStatus
from memgraph_ha.core.view import View


def restart_frozen_standby(view: View) -> Decision | Unmet:
    """Restart a standby that answers nothing, which ends the stall of MAIN's commits at once.

    When: the reign is open, MAIN has a row of the pair's other member, that member is not named, and its probes
        have gone unanswered for `frozen_standby_s`.
    Then: stop its process; the platform starts it again.
    Protects: nothing lost (it is un-named), liveness: a frozen STRICT_SYNC replica stalls MAIN for 30-38 s.
    After: U10 (which takes its name first).
    Source: design 5 (FrozenStandby); transcripts Q4 (killing it ends the stall, 14 of 14); scenarios B4.
    """
    record, other = view.record, view.partner
    if record is None or not record.opened or record.standby is not None or other is None:
        return Unmet("an open reign has no named standby")
    if other.member.incarnation is None or other.timeouts == 0:
        return Unmet("the other one is silent")
    silent_s = other.silent_s
    if silent_s < view.policy.frozen_standby_s:
        return Unmet("it has been silent for long enough", silent_s)
    if view.main_rows is None or not view.rows_of(other.member):
        return Unmet("MAIN has a row of it")
    if not view.may_try(StopInstance, other.member.name):
        return Unmet("the pause after the last try is over")
    return Decision(
        reason=f"restart {other.member.name}: silent for {silent_s:.1f} s, it may stall every commit of {record.main}",
        commands=(
            StopInstance(
                instance=other.member.name, incarnation=other.member.incarnation, generation=record.generation
            ),
        ),
        wake_at_s=view.now_s + SHORT_S,
    )


def declare_unprotected(view: View) -> Decision | Unmet:
    """Let writes go on without the standby, and write that down first.

    When: `data_durability` is `preferred`, an open reign that claims protection has had no named standby for
        `standby_grace_s`, and its row is not catching up (then a name is near).
    Then: write `unprotected` and the next row number; the row, stale now, is dropped by H10.
    Protects: UNPROTECTED_IS_RECORDED (before the first write that only MAIN has).
    After: U10, F10.
    Source: design 6 (Standby lost); scenarios B1.
    """
    record = view.record
    if record is None or view.policy.data_durability is not DataDurability.PREFERRED:
        return Unmet("data_durability is preferred", view.policy.data_durability.value)
    since_s = view.observed.unnamed_since_s
    if since_s is None or not record.opened or record.unprotected or record.standby is not None:
        return Unmet("an open reign claims protection without a standby")
    if view.now_s - since_s < view.policy.standby_grace_s:
        return Unmet("the grace is over", f"{view.now_s - since_s:.1f} s")
    if view.main_role is None or view.main_rows is None:
        return Unmet("MAIN's rows are known")
    row = view.standby_row
    if row is not None and (row.status is RowStatus.RECOVERY or row.takes_commits):
        return Unmet("the standby's row takes no commits", row.status.value)
    return Decision(
        reason=f"no standby for {view.now_s - since_s:.1f} s: reign {record.generation} goes on unprotected",
        commands=(view.rewrite(evolve(record, unprotected=True, row_seq=record.row_seq + 1)),),
        wake_at_s=view.now_s + SHORT_S,
    )


def renumber_blocking_row(view: View) -> Decision | Unmet:
    """Give up a row that blocks an unprotected MAIN.

    When: the reign is unprotected, and the numbered STRICT_SYNC row has taken no commits for `standby_grace_s`
        without catching up: every write aborts.
    Then: write the next row number; the row, stale now, is dropped by H10 and registered anew by A10.
    Protects: ROW_NUMBERS (the number rises before each DROP).
    After: D10.  Before: H10.
    Source: design 4 (`row_seq`), 6 (Standby lost).
    """
    record, row = view.record, view.standby_row
    if record is None or not record.unprotected or row is None or view.main is None:
        return Unmet("an unprotected MAIN has the standby's row")
    if row.takes_commits or row.status in (RowStatus.RECOVERY, RowStatus.HALF):
        return Unmet("the row blocks", row.status.value)
    since_s = view.main.bad_since_s(row.name)
    if since_s is None or view.now_s - since_s < view.policy.standby_grace_s:
        return Unmet("it has blocked for standby_grace_s")
    return Decision(
        reason=f"row {row.name} has been {row.status.value} for {view.now_s - since_s:.1f} s and blocks every write",
        commands=(view.rewrite(evolve(record, row_seq=record.row_seq + 1)),),
        wake_at_s=view.now_s + SHORT_S,
    )


def renumber_half_row(view: View) -> Decision | Unmet:
    """Give up the half row that a failed REGISTER left.

    When: nobody is named, and the numbered STRICT_SYNC row is half: commits ignore it, and it never heals.
    Then: write the next row number; the row, stale now, is dropped by H10. Until then the gateway is shut unless
        the reign is unprotected.
    Protects: ROW_NUMBERS, UNPROTECTED_IS_RECORDED.
    After: U10.  Before: H10.
    Source: design 5 (REGISTER that fails); transcripts Summary; scenarios H7.
    """
    record, row = view.record, view.standby_row
    if record is None or record.standby is not None or row is None:
        return Unmet("MAIN has the row of an unnamed standby")
    if row.status is not RowStatus.HALF:
        return Unmet("it is half", row.status.value)
    return Decision(
        reason=f"row {row.name} is half-registered; it is given up and dropped",
        commands=(view.rewrite(evolve(record, row_seq=record.row_seq + 1)),),
        wake_at_s=view.now_s + SHORT_S,
    )


def drop_stale_row(view: View) -> Decision | Unmet:
    """Drop a row of ours that is half, of the wrong mode, number or address, or doubled.

    When: MAIN has such a row, and SHOW REPLICAS says that dropping it is known to be safe under commits: a settled
        STRICT_SYNC or SYNC row or a half one. That our gateway is shut proves nothing: what it relayed before may
        still be committing.
    Then: drop it. Rows to foreign addresses are left alone.
    Protects: MAIN's life (transcripts Q5, Q7), ROW_NUMBERS.
    After: U10, H05 (only rows without the present number are stale).
    Source: design 5 (DROP REPLICA), 6 (Repair); transcripts Q4, Q5, Q7; scenarios H7.
    """
    record, role = view.record, view.main_role
    if record is None or role is None or view.main_rows is None:
        return Unmet("MAIN's rows are known")
    stale = _stale_rows(view, record)
    if not stale:
        return Unmet("a row of ours is stale", "none is")
    safe = [row for row in stale if row.droppable]
    if not safe:
        return Unmet("dropping it is safe now", [f"{row.name} ({row.status.value})" for row in stale])
    row = safe[0]
    if not view.may_try(DropReplica, record.main):
        return Unmet("the pause after the last try is over", view.last_outcome(DropReplica, record.main))
    allowed = {status for status in RowStatus if evolve(row, status=status).droppable}
    return Decision(
        reason=f"drop row {row.name} to {row.address} ({row.status.value}): it is stale",
        commands=(
            DropReplica(
                instance=record.main,
                run=role.run,
                generation=record.generation,
                row=row.name,
                address=row.address,
                statuses=frozenset(allowed),
            ),
        ),
        wake_at_s=view.now_s + SHORT_S,
    )


def _stale_rows(view: View, record: Record) -> list[Row]:
    """Rows to our own addresses that must go, and rows under our names to addresses of nobody."""
    stale: list[Row] = []
    kept: set[InstanceName] = set()
    owners = {member.replication: member.name for member in view.members}
    ours = {view.row_name(member.name) for member in view.members}
    for row in view.main_rows or ():
        owner = owners.get(row.address)
        if owner is None:
            if row.name in ours or row.name.rpartition("_")[0] in ours:
                stale.append(row)
            continue
        if owner == record.main or not _is_wanted(view, record, owner, row) or owner in kept:
            stale.append(row)
        else:
            kept.add(owner)
    return stale


def _is_wanted(view: View, record: Record, owner: InstanceName, row: Row) -> bool:
    if owner in view.pair:
        return row.mode is Mode.STRICT_SYNC and row.name == record.standby_row(owner)
    return row.mode is Mode.ASYNC and row.status is not RowStatus.HALF

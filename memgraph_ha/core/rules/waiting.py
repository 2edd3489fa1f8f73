"""Rules W and Y: why writes or protection wait, by name, where no rule above could change it now."""

from typing import Final

from memgraph_ha.core.commands import (
    CommitNoop,
    Promote,
    RebuildInstance,
    RegisterReplica,
    RestoreTriggers,
    RestoreUsers,
)
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.policy import DataDurability
from memgraph_ha.core.quiet import wants_quiet
from memgraph_ha.core.record import Record
from memgraph_ha.core.rowcare import why_not_rebuilt
from memgraph_ha.core.rules.rebuild import being_rebuilt, in_vain
from memgraph_ha.core.rules.standing import LONG_S, SHORT_S
from memgraph_ha.core.topology import Mode, Row, RowStatus
from memgraph_ha.core.view import View

PATIENCE_S: Final = 3.0
"""Three failed pings: a dead replica's row says so after 2.8 s (transcripts, "Event")."""


def hold_on_replaced_data(view: View) -> Decision | Unmet:
    """Touch nothing while the living MAIN holds another data set than the record.

    When: MAIN answers in its recorded run, and its `database_uuid` is not the recorded one: somebody ran RECOVER
        SNAPSHOT.
    Then: nothing; read/write is shut until a human says whose data counts.
    Protects: NO_ACKED_LOSS (what is written there now would be on no standby; the replicas hold what was there before).
    After: U10 (the standby is no copy any more).  Before: every repair: registering would overwrite the old data.
    Source: design 5 (DataSetReplaced); scenarios H5.
    """
    if view.replaced is None or view.record is None:
        return Unmet("MAIN's data set was replaced")
    return Decision(
        hold=Hold.DATA_SET_REPLACED,
        reason=f"{view.replaced}; if it counts: memgraph-ha adopt {view.record.main}",
        wake_at_s=view.now_s + LONG_S,
    )


def hold_on_lost_data(view: View) -> Decision | Unmet:
    """Touch nothing when the re-promoted MAIN lacks what a replica holds.

    When: the present reign is a `repromote`, and a replica that was level in the one before was refused as diverged
        (Error: 3).
    Then: nothing; read/write is shut until a human says whose data counts. Nobody is rebuilt.
    Protects: NO_ACKED_LOSS: that replica may be the last to hold acknowledged writes.
    After: U10.  Before: every repair.
    Source: design 4 (MainLostData); transcripts Q11; scenarios G8.
    """
    if view.lost_data is None:
        return Unmet("MAIN lost data")
    ways = "memgraph-ha failover --accept-data-loss INSTANCE makes it MAIN, memgraph-ha reinit INSTANCE gives it up"
    return Decision(hold=Hold.MAIN_LOST_DATA, reason=f"{view.lost_data}; {ways}", wake_at_s=view.now_s + LONG_S)


def hold_without_service(view: View) -> Decision | Unmet:
    """Say why read/write is shut although MAIN lives.

    When: no permit may be given, and no rule above could change that now.
    Then: nothing until facts change. If writes wait for the standby, the hold's name says what is the matter with it.
    Protects: nothing waits without a name.
    After: all repairs.
    Source: design 1 (promise 4), 6 (`required`).
    """
    record = view.record
    if view.unserved is None or record is None:
        return Unmet("read/write is shut")
    required = view.policy.data_durability is DataDurability.REQUIRED
    waits = required and view.main_role is not None and record.standby is None
    if view.unreplicated_mode is not None:
        hold, said = Hold.ANALYTICAL_MODE, _standby_lack(view)
    elif not view.users_restored:
        hold, said = Hold.USERS_NOT_RESTORED, view.last_outcome(RestoreUsers, record.main)
    elif not view.triggers_restored and not record.opened:
        hold, said = Hold.TRIGGERS_NOT_RESTORED, view.last_outcome(RestoreTriggers, record.main)
    elif waits:
        hold, said = _what_is_wrong(view, record) or Hold.WAITING_FOR_STANDBY, _standby_lack(view)
    else:
        hold, said = Hold.BACKING_OFF, ""
    tries = view.last_outcome(CommitNoop if view.main_role is not None else Promote, record.main)
    return Decision(hold=hold, reason=f"{view.unserved}{tries}{said}", wake_at_s=view.now_s + SHORT_S)


def hold_unprotected(view: View) -> Decision | Unmet:
    """Say what the standby lacks.

    When: MAIN serves and nobody is named. If `data_durability` is `required`, it is writes that wait: MAIN's
        STRICT_SYNC row of the standby aborts each.
    Then: nothing until facts change. The hold's name says what is the matter with the standby, if that is known.
    Protects: nothing waits without a name.
    After: Y10.
    Source: design 1 (promise 4).
    """
    record = view.record
    if record is None or record.standby is not None:
        return Unmet("nobody is named")
    waits = view.policy.data_durability is DataDurability.REQUIRED and not record.unprotected
    plain = Hold.WAITING_FOR_STANDBY if waits else Hold.UNPROTECTED
    return Decision(
        hold=_what_is_wrong(view, record) or plain,
        reason=f"{record.main} {'waits for' if waits else 'serves without'} a proven standby{_standby_lack(view)}",
        look=() if wants_quiet(view) is None else (record.main,),  # clients are held until its row is ready
        wake_at_s=view.now_s + SHORT_S,
    )


def _what_is_wrong(view: View, record: Record) -> Hold | None:
    other = view.partner
    if view.unreplicated_mode is not None:
        return Hold.ANALYTICAL_MODE
    if other is None:
        return None
    trouble = _trouble(view, record, other)
    if trouble is not None:
        return trouble[0]
    catches_up = any(row.mode is Mode.ASYNC for row in view.rows_of(other.member))
    return Hold.CATCHING_UP if catches_up else None


def _trouble(view: View, record: Record, seen: Seen) -> tuple[Hold, str] | None:
    """What keeps a replica's data from being used: the hold and the words for it; None if nothing does."""
    name = seen.member.name
    why = why_not_rebuilt(view, record, name)
    if name in record.rebuild and not being_rebuilt(view, seen):
        why = why or in_vain(view, seen)
    way = "" if why is None else f" ({why}); to give up what it holds: memgraph-ha reinit {name}"
    tried = view.last_outcome(RebuildInstance, name)
    if name in record.rebuild:
        if being_rebuilt(view, seen):
            return Hold.REBUILDING, f"{name} is being rebuilt: its old data is aside{tried}"
        needed = Hold.REBUILDING if why is None else Hold.REBUILD_NEEDED
        return needed, f"{name} must be rebuilt{way}{tried}"
    if view.holds_other_data(seen):
        way = f"; to give up what it holds: memgraph-ha reinit {name}"
        return Hold.REBUILD_NEEDED, f"{name} holds another data set than the record{way}"
    if not view.diverged(seen):
        return None
    text = f"{name} has diverged: it holds commits that MAIN's history does not cover (Error: 3){way}"
    return Hold.DIVERGED_REPLICA, text


def _standby_lack(view: View) -> str:
    other, record = view.partner, view.record
    if view.unreplicated_mode is not None:
        return f"; MAIN's storage mode is {view.unreplicated_mode.value}: nothing is replicated"
    if other is None or record is None:
        return "; the cluster has no second eligible instance"
    name, trouble = other.member.name, _trouble(view, record, other)
    if trouble is not None:
        return f"; {trouble[1]}"
    row = next(iter(view.rows_of(other.member)), None)
    if row is not None:
        noop = view.observed.noop
        doubt = "" if noop is None or noop.witness is not None or not noop.detail else f"; not proven: {noop.detail}"
        behind = "" if row.behind is None else f", {-row.behind} behind"
        said = view.last_outcome(CommitNoop, record.main) or doubt
        return f"; row {row.name} is {row.status.value}{behind}{said}"
    why = view.unready(other)
    if why:
        return f"; {name}: {why}"
    pause_s = view.retry_at_s(RegisterReplica, name) - view.now_s
    when = f"in {pause_s:.0f} s" if pause_s > 1 else "next"
    return f"; {name} is attached {when}{view.last_outcome(RegisterReplica, name)}"


def hold_without_replica(view: View) -> Decision | Unmet:
    """Say which ASYNC replica is not attached, and why.

    When: MAIN serves with a standby, and a member that is neither has no healthy row. One that is `invalid` heals
        itself as a rule (under load it is so again and again), so it is told only after three seconds.
    Then: nothing until facts change.
    Protects: nothing waits without a name.
    After: Y20.
    Source: design 1 (promise 4).
    """
    record = view.record
    if view.main_rows is None or record is None:
        return Unmet("MAIN's rows are known")
    for seen in view.asyncs:
        rows, name = view.rows_of(seen.member), seen.member.name
        trouble = _trouble(view, record, seen)
        if trouble is None and any(_is_healthy(view, row) for row in rows):
            continue
        lack = f"its row is {rows[0].status.value}" if rows else view.unready(seen) or "it is attached next"
        said = f"{name}: {lack}{view.last_outcome(RegisterReplica, name)}"
        return Decision(
            hold=Hold.REPLICA_MISSING if trouble is None else trouble[0],
            reason=said if trouble is None else trouble[1],
            wake_at_s=view.now_s + SHORT_S,
        )
    return Unmet("an ASYNC replica is missing", "none is")


def _is_healthy(view: View, row: Row) -> bool:
    if row.status is RowStatus.INVALID and view.main is not None:
        since_s = view.main.bad_since_s(row.name)
        return since_s is not None and view.now_s - since_s < PATIENCE_S
    return row.takes_commits or row.status is RowStatus.RECOVERY

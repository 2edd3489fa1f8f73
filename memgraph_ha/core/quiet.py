"""Quiet moments and switchovers: when new transactions are held, whether MAIN is quiet, and when to give up."""

from typing import Final

from memgraph_ha.core.commands import Quiesce, RegisterReplica
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.policy import DataDurability
from memgraph_ha.core.record import Record
from memgraph_ha.core.rowcare import far_behind, leaving_rows, stale_rows
from memgraph_ha.core.topology import Mode, RowStatus
from memgraph_ha.core.view import LossKind, View

QUIET_LIMIT_S: Final = 3.0
"""How long, beyond ``quiesce_max_s``, new transactions may be held for a repair."""

SETTLE_S: Final = 0.3
"""How long MAIN must have been quiet before a row is dropped: ASYNC replication goes on after its commit has ended, and
20 of 20 drops were harmless with writers paused so long (transcripts Q7)."""

QUIET_PAUSE_S: Final = 30.0
"""Least time between two quiet moments for repairs: clients feel each."""

LEAVING_PAUSE_S: Final = 5.0
"""The same for the row of who is about to be stopped: its stop waits for that, and rolls on to the next one then."""

ATTACH_REST_S: Final = 5.0
"""Least time from a quiet moment to one in which the standby is attached: until then every write is on MAIN alone."""

SWITCH_LIMIT_S: Final = 6.0
"""How long, beyond ``drain_s``, a switchover may take before it is given up."""

RETRY_S: Final = 5.0
"""How long after a switchover that was given up an announced stop begins another."""


def lacks_as_target(view: View, name: InstanceName) -> str | None:
    """Say why a switchover to that instance cannot begin now; None if it can."""
    record = view.record
    if record is None or view.main_role is None or view.unserved is not None:
        return f"MAIN does not serve: {view.unserved or 'it has not answered yet'}"
    if name == record.main:
        return f"{name} is MAIN already"
    if view.observed.of(name) is None:
        return f"{name} is no member of the cluster"
    if name not in view.pair:
        return f"{name} may not be MAIN (policy eligible lists {' and '.join(view.pair)})"
    if record.standby is None or record.standby.instance != name:
        return f"{name} is not the proven standby"
    seen = view.observed.of(name)
    if seen is None or not view.answered_within(seen, 2.0):
        return f"{name} does not answer"
    return f"{name} is about to be stopped itself" if view.stopping(name) else None


def wanted_switchover(view: View) -> InstanceName | None:
    """To whom MAIN's announced stop should move the reign; None if it must not or cannot."""
    record = view.record
    if record is None or record.standby is None or not view.stopping(record.main):
        return None
    ended_s = view.observed.given_up_s
    if ended_s is not None and view.now_s - ended_s < RETRY_S:
        return None
    target = record.standby.instance
    return target if lacks_as_target(view, target) is None else None


def given_up(view: View) -> str | None:
    """Why the switchover that the record orders cannot go on; None if it can, or none is ordered."""
    record, since_s = view.record, view.observed.switchover_since_s
    if record is None or record.switchover is None:
        return None
    target = record.switchover.target
    if view.loss is not None and view.loss.kind is not LossKind.NOT_MAIN:
        return f"MAIN {record.main} is lost: {view.loss.evidence}"
    if record.standby is None or record.standby.instance != target:
        return f"{target} is not the proven standby any more"
    limit_s = view.policy.drain_s + SWITCH_LIMIT_S
    if since_s is not None and view.now_s - since_s > limit_s:
        return f"it was not done within {limit_s:g} s{view.last_outcome(Quiesce, record.main)}"
    return None


def is_shut(view: View) -> bool:
    """Whether our gateway is shut and cannot open before the standby is registered, which is ours to do.

    So under ``required`` nobody has to be held, and nothing opens it in the middle of a DROP.
    """
    required = view.policy.data_durability is DataDurability.REQUIRED
    return required and view.main_role is not None and view.standby_row is None and view.cut_at_s is not None


def held_since_s(view: View) -> float | None:
    """Since when our gateway has let no new transaction pass, and this counts; None while it does.

    A look at a MAIN whose gateway is shut counts for as long as a quiet moment lasts.
    """
    if is_shut(view) and view.cut_at_s is not None:
        return max(view.cut_at_s, view.now_s - QUIET_LIMIT_S)
    return view.observed.quiet_since_s


def is_quiet(view: View) -> bool:
    """Whether MAIN was found without transactions while our gateway let no new one pass, as it still does."""
    quiet, since_s, role = view.observed.quiet, held_since_s(view), view.main_role
    if quiet is None or since_s is None or role is None or view.record is None:
        return False
    return quiet.at_s >= since_s and quiet.run == role.run and quiet.generation == view.record.generation


def is_settled(view: View) -> bool:
    """Whether MAIN has been quiet for so long that nothing of a commit can be under way."""
    quiet = view.observed.quiet
    return is_quiet(view) and quiet is not None and view.now_s - quiet.at_s >= SETTLE_S


def wants_quiet(view: View) -> str | None:
    """Why new transactions are held now, though MAIN serves; None if they are not."""
    record = view.record
    if record is None or view.unserved is not None:
        return None
    if record.switchover is not None and given_up(view) is None:
        return f"switchover to {record.switchover.target}"
    return _repair(view, record)


def _repair(view: View, record: Record) -> str | None:
    """A row that can be dropped only while no commit runs, or a standby whose row aborts commits until it is ready."""
    since_s, paused = view.observed.quiet_since_s, record.paused is not None
    if paused or (since_s is not None and view.now_s - since_s > view.policy.quiesce_max_s + QUIET_LIMIT_S):
        return None
    rows = quiet_rows(view)
    if rows and (since_s is not None or rest_s(view, record) <= 0):
        return f"row {rows[0]} is dropped"
    rested = since_s is not None or _rested(view)
    return "the standby is attached" if rested and attaching(view, record) else None


def quiet_rows(view: View) -> tuple[str, ...]:
    """Stale rows that may be dropped in a quiet moment only: ASYNC ones that are not in recovery (transcripts Q7)."""
    if view.record is None or view.main_rows is None or view.record.paused is not None:
        return ()
    stale = stale_rows(view, view.record)
    waiting = [row for row in stale if not row.droppable and row.status is not RowStatus.RECOVERY]
    return tuple(row.name for row in waiting)


def in_the_way(view: View) -> tuple[str, ...]:
    """Those of them that keep the standby from being registered, if writes wait for that."""
    if view.partner is None or not is_shut(view):
        return ()
    mine = {row.name for row in view.rows_of(view.partner.member)}
    return tuple(name for name in quiet_rows(view) if name in mine)


def rest_s(view: View, record: Record) -> float:
    """How long until clients may be asked for another quiet moment, seconds; 0 if now."""
    tried, ended_s = view.attempt(Quiesce, record.main), view.observed.quiet_ended_s
    times = [] if tried is None else [tried.at_s]
    times += [] if ended_s is None else [ended_s]
    pause_s = LEAVING_PAUSE_S if leaving_rows(view) else QUIET_PAUSE_S
    return 0.0 if not times else max(0.0, max(times) + pause_s - view.now_s)


def _rested(view: View) -> bool:
    """Whether clients may be asked for a quiet moment in which the standby is attached.

    One that ended with its permit is not counted: after a switchover they are held until the new reign is protected.
    """
    ended_s = view.observed.quiet_ended_s
    return ended_s is None or ended_s <= view.observed.gate_since_s or view.now_s - ended_s >= ATTACH_REST_S


def attaching(view: View, record: Record) -> bool:
    """Whether the standby can be attached as STRICT_SYNC now, or was and its row is not ready yet: commits abort.

    Args:
        view: What is known.
        record: The view's.
    """
    other, seen = view.partner, None if view.main is None else view.main.rows
    if other is None or seen is None or view.main_rows is None or view.noop_in_reign is None:
        return False
    if record.standby is not None or not record.unprotected:
        return False
    rows, tried = view.rows_of(other.member), view.attempt(RegisterReplica, other.member.name)
    if rows:
        return any(row.mode is Mode.STRICT_SYNC and row.status is RowStatus.RECOVERY for row in rows)
    if view.unattachable(other) is not None:
        return False
    if tried is not None and tried.outcome is Outcome.DONE and tried.at_s > seen.asked_at_s:
        return True  # its row is seen with the next look
    return not async_first(view, other) and view.may_try(RegisterReplica, other.member.name)


def async_first(view: View, standby: Seen) -> bool:
    """Whether it has so much to catch up that it is attached as ASYNC first; in a quiet moment it is level."""
    return not is_quiet(view) and far_behind(view, standby)

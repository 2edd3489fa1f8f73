"""What becomes of a request: why it is refused, whether a process may stop, and when it is answered. Pure."""

from collections.abc import Callable
from typing import Final

from memgraph_ha.core.candidate import Why, fit_to_be_forced
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.policy import DataDurability
from memgraph_ha.core.quiet import given_up, lacks_as_target, quiet_rows
from memgraph_ha.core.record import ChangeKind, Record
from memgraph_ha.core.requests import Answer, Ask, Request
from memgraph_ha.core.rowcare import leaving_rows
from memgraph_ha.core.topology import Role
from memgraph_ha.core.view import View

ANSWER_AGE_S: Final = 2.0
"""How old an instance's last answer may be where a human's order relies on it."""


def refusal(view: View, ask: Ask, instance: InstanceName | None) -> str | None:
    """Say why it would be refused now; None if it would be taken up.

    Args:
        view: What is known.
        ask: What is asked for.
        instance: Of whom.
    """
    unable = _unable(view, ask)
    if unable is not None or ask in (Ask.PAUSE, Ask.RESUME):
        return unable
    if instance is None:
        return "there is no proven standby to move to" if ask is Ask.SWITCHOVER else "name an instance"
    if view.observed.of(instance) is None:
        names = ", ".join(member.name for member in view.members)
        return f"{instance} is no member of this cluster; its members are {names}"
    return _REFUSALS[ask](view, instance)


def _unable(view: View, ask: Ask) -> str | None:
    if view.lease is None:
        return "this controller does not lead"
    if view.record is None and not (ask is Ask.ADOPT and _may_have_none(view)):
        return "there is no usable record"
    return None


def _no_process(view: View, instance: InstanceName) -> str | None:
    seen = view.observed.of(instance)
    return f"{instance} has no process" if seen is not None and seen.member.incarnation is None else None


def _may_have_none(view: View) -> bool:
    seen = view.observed.record
    return seen is not None and seen.trouble is None


def _no_failover(view: View, instance: InstanceName) -> str | None:
    record = view.record
    if record is None or instance not in view.pair:
        return f"{instance} may not be MAIN (policy eligible lists {' and '.join(view.pair)})"
    if view.loss is None and view.lost_data is None and view.replaced is None and record.opened:
        return f"MAIN {record.main} is alive: use `memgraph-ha switchover`, which loses nothing"
    seen = view.observed.of(instance)
    holders = [name for name in _holders(view, record) if name != instance]
    if holders and seen is not None and seen.storage is not None and seen.storage.empty:
        return f"{instance} is empty, while {', '.join(holders)} holds the recorded data set"
    why = fit_to_be_forced(view, instance)
    return None if why in (None, Why.STALE) else f"{instance}: {why.value}"


def _holders(view: View, record: Record) -> list[str]:
    """Who holds the recorded data set, and is not empty."""
    return [
        str(seen.member.name)
        for seen in view.observed.seen
        if seen.storage is not None and seen.storage.uuid == record.database_uuid and not seen.storage.empty
    ]


def no_adoption(view: View, instance: InstanceName) -> str | None:
    """Say why that instance's data cannot be made the cluster's by order; None if it can."""
    record, seen = view.record, view.observed.of(instance)
    if seen is None or instance not in view.pair:
        return f"{instance} may not be MAIN (policy eligible lists {' and '.join(view.pair)})"
    if not view.answered_within(seen, ANSWER_AGE_S) or seen.role is None:
        return f"{instance} does not answer"
    if seen.storage is None or seen.storage.run != seen.role.run:
        return f"the data set of {instance} is not known yet"
    floor = 0 if view.lease is None else view.lease.floor_generation
    if record is None or floor > record.generation:
        return _empty_beside_data(view, seen)  # nothing else says who is MAIN: a human does
    if view.replaced is not None:
        return None if instance == record.main else f"{instance} is not the MAIN whose data set was replaced"
    if view.main_role is not None:
        return f"{record.main} is MAIN and as the record says: there is nothing to adopt"
    if seen.role.role is not Role.MAIN:
        return f"{instance} is a REPLICA: use `memgraph-ha failover --accept-data-loss {instance}`"
    if seen.storage.uuid != record.database_uuid:
        return f"{instance} holds data set {seen.storage.uuid}, the record says {record.database_uuid}"
    return None


def _empty_beside_data(view: View, seen: Seen) -> str | None:
    """Why an instance without data cannot be adopted: writes would begin from nothing beside the data."""
    holders = [other for other in view.observed.seen if other.storage is not None and not other.storage.empty]
    if seen.storage is None or not seen.storage.empty or not holders:
        return None
    names = ", ".join(other.member.name for other in holders)
    return f"{seen.member.name} is empty, while {names} holds data: adopt that one (policy `eligible` must list it)"


def _no_reinit(view: View, instance: InstanceName) -> str | None:
    record = view.record
    if record is None or instance == record.main:
        return f"{instance} is MAIN: nothing may be thrown away there"
    if view.main_role is None:
        return f"MAIN {record.main} does not answer: {instance} may hold what nobody else does"
    return None


_REFUSALS: Final[dict[Ask, Callable[[View, InstanceName], str | None]]] = {
    Ask.SWITCHOVER: lacks_as_target,
    Ask.FAILOVER: _no_failover,
    Ask.ADOPT: no_adoption,
    Ask.RESTART: _no_process,
    Ask.STOP: _no_process,
    Ask.REINIT: _no_reinit,
}


def at_stake(view: View, instance: InstanceName) -> str:
    """Say what a forced failover to that instance could lose, as far as it can be known."""
    record, seen = view.record, view.observed.of(instance)
    if record is None or seen is None:
        return f"unknown: there is no record, or {instance} is no member"
    named = record.standby
    if named is not None and named.instance == instance and seen.role is not None and seen.role.run == named.run:
        return f"nothing: {instance} is the proven standby and still the same process"
    if seen.storage is not None and seen.storage.uuid != record.database_uuid:
        what = "is empty" if seen.storage.empty else f"holds another data set ({seen.storage.uuid})"
        holders = ", ".join(_holders(view, record)) or "nobody who answers"
        return f"everything: {instance} {what}; the recorded data set is held by {holders}"
    level = dict(record.level).get(instance)
    if level is None:
        return f"unknown: {instance} was never seen level with a MAIN of this record"
    if level < record.generation:
        since = next((change.at for change in record.history if change.generation == level + 1), None)
        span = "" if since is None else f", {max(0.0, view.wall_s - since):.0f} s ago"
        return f"every write acknowledged since reign {level} ended{span}: {instance} was last level then"
    return (
        f"the writes that reign {record.generation} acknowledged since {instance} was last level in it: "
        "those of the last moments if it was attached to the end, more if it was not"
    )


def not_yet(view: View, name: InstanceName) -> str | None:
    """Say why that process should not be stopped yet; None if stopping it costs no more than it must."""
    record, seen = view.record, view.observed.of(name)
    if record is None or seen is None:
        return None
    if name == record.main and seen.member.incarnation is not None:
        other = view.partner
        if other is None or view.stopping(other.member.name):
            return None
        return f"{name} is MAIN, and {other.member.name} is to take over first"
    if record.standby is not None and record.standby.instance == name:
        return f"{name} is the named standby"
    required = view.policy.data_durability is DataDurability.REQUIRED
    rows = view.rows_of(seen.member)
    if rows and seen is view.partner and not required:
        return f"MAIN's commits still wait for {name}"
    leaving = {row.name for row in rows} & {*leaving_rows(view)} & {*quiet_rows(view)}
    return f"its row on {record.main} is dropped first, while its address still answers" if leaving else None


def answer(view: View, request: Request) -> Answer | None:
    """Say how a request ended; None while it is under way.

    Args:
        view: What is known.
        request: One that was filed.
    """
    found = _ended(view, request)
    if found is None and view.now_s >= request.until_s:
        found = (False, f"no end within the time given{_pending(view, request)}")
    return None if found is None else Answer(request_id=request.id, ok=found[0], text=found[1])


def _pending(view: View, request: Request) -> str:
    if request.ask is not Ask.STOP or request.instance is None:
        return "; it may still happen"
    why = not_yet(view, request.instance)
    return "" if why is None else f": {why}"


def _ended(view: View, request: Request) -> tuple[bool, str] | None:
    record, name = view.record, request.instance
    if record is not None:
        match request.ask:
            case Ask.PAUSE if record.paused is not None:
                return True, f"paused by {record.paused.by}; `memgraph-ha resume` ends it"
            case Ask.RESUME if record.paused is None:
                return True, "no longer paused: failover and repair go on"
            case Ask.SWITCHOVER | Ask.FAILOVER | Ask.ADOPT if name is not None:
                ended = _reign_ended(view, record, request, name)
                opens = record.main == name and (not record.opened or view.loss is None)
                if ended is not None or record.switchover is not None or opens:
                    return ended
            case Ask.REINIT if name is not None and name in record.reinit:
                return True, f"{name} is being rebuilt; `memgraph-ha status` shows when it is done"
            case Ask.RESTART | Ask.STOP if name is not None and (seen := view.observed.of(name)) is not None:
                return _process_ended(view, request, seen)
            case _:
                pass
    refused = refusal(view, request.ask, name)
    return None if refused is None else (False, refused)


def _reign_ended(view: View, record: Record, request: Request, name: InstanceName) -> tuple[bool, str] | None:
    if record.main == name and view.unserved is None:
        last = record.history[-1] if record.history else None
        planned = last is not None and last.kind is not ChangeKind.REPROMOTE
        how = f" ({last.kind.value})" if planned and last is not None else ""
        return True, f"{name} is MAIN in reign {record.generation}{how}; read/write is open"
    if request.ask is not Ask.SWITCHOVER:
        return None
    ended_s = view.observed.given_up_s
    why = given_up(view)
    if why is not None:
        return False, f"given up: {why}; {record.main} goes on as MAIN"
    if record.switchover is None and ended_s is not None and ended_s >= request.asked_s:
        return False, f"given up; {record.main} goes on as MAIN"
    return None


def _process_ended(view: View, request: Request, seen: Seen) -> tuple[bool, str] | None:
    name = seen.member.name
    if seen.born_s > request.asked_s:
        if request.ask is Ask.STOP or seen.role is not None:
            return True, f"{name} runs anew, as another process"
        return None
    if seen.member.incarnation is None:
        return request.ask is Ask.STOP, f"{name} has no process"
    may_stop = seen.stop_asked_s is not None and not_yet(view, name) is None
    return (True, f"{name} may stop") if request.ask is Ask.STOP and may_stop else None

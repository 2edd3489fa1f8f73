"""Who may begin a reign when MAIN is lost, and why everybody else may not (design 4)."""

import enum
from typing import Final

from attrs import frozen

from memgraph_ha.core.names import InstanceName, RunId
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.record import ChangeKind, Fallback, Record
from memgraph_ha.core.topology import Role
from memgraph_ha.core.view import View

ANSWER_S: Final = 0.3
"""How long a MAIN that came back as REPLICA may take to say what it holds: it answers within milliseconds, or not."""


class Why(enum.Enum):
    """Why an instance may not begin a reign now."""

    NOT_NAMED = "the record names nobody here"
    NOT_A_MEMBER = "it is no member of the cluster"
    NOT_ELIGIBLE = "policy `eligible` does not list it"
    DOWN = "its process is gone"
    SILENT = "it does not answer"
    STALE = "its last answer is older than the cut of the gateways"
    IS_MAIN = "it answers as MAIN, not as REPLICA"
    OTHER_RUN = "its process restarted since: it may lack the last write"
    OTHER_DATA = "it holds another data set"
    DATA_UNKNOWN = "its data set is not known yet"
    UNFLUSHED = "it does not flush each commit to disk, and its machine may have restarted"
    NEEDS_REBUILD = "it must be rebuilt first"
    RESTARTS_TOO_OFTEN = "it restarted too often, and the standby can take over"


@frozen(kw_only=True)
class Candidate:
    """Who begins the next reign, and what the record will say.

    Attributes:
        instance: Whose reign.
        kind: ``repromote``, ``failover`` or ``fallback``.
        main_run: The run that was chosen; None if its data directory holds everything.
        fallback: Who else holds everything, for the case that this one fails before it opens.
    """

    instance: InstanceName
    kind: ChangeKind
    main_run: RunId | None
    fallback: Fallback | None


@frozen(kw_only=True)
class Rejection:
    """One way that is closed, and why."""

    kind: ChangeKind
    instance: InstanceName | None
    why: Why

    def __str__(self) -> str:
        """For a person: who, and what it lacks."""
        who = "nobody" if self.instance is None else str(self.instance)
        return f"{self.kind.value}: {who}: {self.why.value}"


def choose(view: View) -> Candidate | tuple[Rejection, ...]:
    """Choose who begins the next reign, or say for each way what it lacks.

    Judged only on facts newer than the cut of the gateways.

    Args:
        view: One with a record whose MAIN is lost.

    Returns:
        The first of: the recorded MAIN itself come back, the named standby, the fallback; or all rejections.
    """
    return view.once(choose, lambda: _choose(view))


def _choose(view: View) -> Candidate | tuple[Rejection, ...]:
    record = view.record
    if record is None:
        return ()
    itself, standby, fallback = _recorded_main(view, record), named_standby(view, record), _fallback(view, record)
    second = standby if isinstance(standby, Candidate) else fallback
    if isinstance(itself, Candidate) and isinstance(second, Candidate) and _restarts_too_often(view, record):
        itself = Rejection(kind=ChangeKind.REPROMOTE, instance=record.main, why=Why.RESTARTS_TOO_OFTEN)
    by_hand = _promoted_by_hand(view, record)
    ways = (*by_hand, itself, standby, fallback)
    if any(isinstance(way, Rejection) and way.why in (Why.STALE, Why.DATA_UNKNOWN) for way in by_hand):
        return tuple(way for way in ways if isinstance(way, Rejection))  # it has to be asked again before any other
    chosen = next((way for way in ways if isinstance(way, Candidate)), None)
    return chosen or tuple(way for way in ways if isinstance(way, Rejection))


def _promoted_by_hand(view: View, record: Record) -> tuple[Candidate | Rejection, ...]:
    """The named standby, in its run, made MAIN by somebody while no controller was there (break-glass).

    It held every acknowledged write, and may have taken more since: nobody else may follow it, so no `fallback`.
    """
    named = record.standby
    seen = None if named is None else view.observed.of(named.instance)
    if named is None or seen is None or seen.role is None or seen.role.role is not Role.MAIN:
        return ()
    why = _lacks(view, record, named.instance, named.run, role=Role.MAIN)
    if why is not None:
        return (Rejection(kind=ChangeKind.ADOPT, instance=named.instance, why=why),)
    return (Candidate(instance=named.instance, kind=ChangeKind.ADOPT, main_run=named.run, fallback=None),)


def fit_to_be_forced(view: View, name: InstanceName) -> Why | None:
    """What an instance lacks for a reign that a human forces: it must answer now, as REPLICA, with data that is known.

    Args:
        view: One with a record.
        name: Whom.
    """
    seen, record = view.observed.of(name), view.record
    if seen is None or record is None:
        return Why.NOT_A_MEMBER
    if seen.member.incarnation is None:
        return Why.DOWN
    why = _answers_lack(view, record, seen, None, Role.REPLICA)
    if why is Why.OTHER_DATA:  # which data counts is what the human decides
        return Why.STALE if _stale(view, seen) else None
    return why


def main_may_yet_answer(view: View) -> bool:
    """Whether the recorded MAIN answers as REPLICA, and only lacks facts newer than the cut, for `ANSWER_S` at most.

    It holds everything: rather than begin another's reign, it is waited for as long as one round of questions takes.
    """
    record, seen, cut_at_s = view.record, view.main, view.cut_at_s
    if record is None or seen is None or seen.role is None or view.silent(seen) or cut_at_s is None:
        return False
    itself = _recorded_main(view, record)
    waits = isinstance(itself, Rejection) and itself.why in (Why.STALE, Why.DATA_UNKNOWN)
    return waits and view.now_s - cut_at_s < ANSWER_S and not _restarts_too_often(view, record)


def _recorded_main(view: View, record: Record) -> Candidate | Rejection:
    """It holds everything, and nobody has to be rebuilt."""
    kind, any_run = ChangeKind.REPROMOTE, record.opened or record.main_run is None
    seen = view.observed.of(record.main)
    why = _lacks(view, record, record.main, None if any_run else record.main_run)
    if why is None and any_run and seen is not None:
        why = _may_have_lost_its_tail(record, seen)
    if why is not None:
        return Rejection(kind=kind, instance=record.main, why=why)
    named = record.standby
    kept = record.fallback if named is None else Fallback(instance=named.instance, run=named.run)
    return Candidate(instance=record.main, kind=kind, main_run=None if any_run else record.main_run, fallback=kept)


def _may_have_lost_its_tail(record: Record, seen: Seen) -> Why | None:
    """A new run that does not flush each commit may have lost some to a reboot (design 5)."""
    if seen.role is None or seen.role.run == record.main_run:
        return None
    if seen.server is None or seen.server.run != seen.role.run:
        return Why.DATA_UNKNOWN
    return None if seen.server.flush_every == 1 else Why.UNFLUSHED


def named_standby(view: View, record: Record) -> Candidate | Rejection:
    """Whether the named standby may begin its reign now, judged as `choose` does."""
    kind, named = ChangeKind.FAILOVER, record.standby
    if named is None:
        return Rejection(kind=kind, instance=None, why=Why.NOT_NAMED)
    why = _lacks(view, record, named.instance, named.run)
    if why is not None:
        return Rejection(kind=kind, instance=named.instance, why=why)
    return Candidate(instance=named.instance, kind=kind, main_run=named.run, fallback=_old_main(record))


def _fallback(view: View, record: Record) -> Candidate | Rejection:
    kind, named = ChangeKind.FALLBACK, record.fallback
    if named is None:
        return Rejection(kind=kind, instance=None, why=Why.NOT_NAMED)
    why = _lacks(view, record, named.instance, named.run)
    if why is not None:
        return Rejection(kind=kind, instance=named.instance, why=why)
    return Candidate(instance=named.instance, kind=kind, main_run=named.run, fallback=_old_main(record))


def _old_main(record: Record) -> Fallback | None:
    """The MAIN that is left behind, if its data directory holds every acknowledged write."""
    holds_all = record.opened or record.main_run is None
    return Fallback(instance=record.main, run=None) if holds_all else None


def _lacks(view: View, record: Record, name: InstanceName, run: RunId | None, role: Role = Role.REPLICA) -> Why | None:
    """What that instance lacks for a reign in that run (None: any run); None if nothing."""
    seen = view.observed.of(name)
    if seen is None:
        return Why.NOT_A_MEMBER
    if name not in view.pair and name != record.main:
        return Why.NOT_ELIGIBLE
    if name in record.rebuild:
        return Why.NEEDS_REBUILD
    if seen.member.incarnation is None:
        return Why.DOWN
    return _answers_lack(view, record, seen, run, role)


def _answers_lack(view: View, record: Record, seen: Seen, run: RunId | None, wanted: Role) -> Why | None:
    role = seen.role
    if role is None or (seen.miss is not None and seen.miss.asked_at_s > role.asked_at_s):
        return Why.SILENT
    if run is not None and role.run != run:
        return Why.OTHER_RUN
    if role.role is not wanted:
        return Why.IS_MAIN
    storage = seen.storage
    if storage is None or storage.run != role.run:
        return Why.DATA_UNKNOWN
    if storage.uuid != record.database_uuid:
        return Why.OTHER_DATA
    return Why.STALE if _stale(view, seen) else None


def _stale(view: View, seen: Seen) -> bool:
    """Whether what it said is older than the cut of the gateways, or than a round of probes."""
    role, storage, cut_at_s = seen.role, seen.storage, view.cut_at_s
    fresh_s = view.now_s - view.policy.probe_interval_s - view.policy.probe_timeout_s
    if role is None or storage is None or cut_at_s is None:
        return True
    return min(role.asked_at_s, storage.asked_at_s) < cut_at_s or role.asked_at_s < fresh_s


def _restarts_too_often(view: View, record: Record) -> bool:
    since = view.wall_s - view.policy.main_restart_window_s
    again = [
        change
        for change in record.history
        if change.kind is ChangeKind.REPROMOTE and change.main == record.main and change.at > since
    ]
    return len(again) >= view.policy.main_restart_limit

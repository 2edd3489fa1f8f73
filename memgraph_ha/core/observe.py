"""`observe`: the filing of one fact. It never decides anything."""

from typing import assert_never

from attrs import evolve

from memgraph_ha.core.commands import (
    Command,
    CommitNoop,
    Demote,
    DropReplica,
    Promote,
    Quiesce,
    RebuildInstance,
    RegisterReplica,
    RestoreTriggers,
    RestoreUsers,
    StopInstance,
    WriteRecord,
)
from memgraph_ha.core.facts import (
    CommandEnded,
    Fact,
    GapSeen,
    GateSeen,
    LeaseSeen,
    MembersSeen,
    Miss,
    NoopSeen,
    Outcome,
    PortSeen,
    ProbeMissed,
    QuietSeen,
    RecordSeen,
    RecordTrouble,
    RequestEnded,
    RequestSeen,
    RoleSeen,
    RowsSeen,
    SentinelBroke,
    ServerSeen,
    StorageSeen,
    TriggersSeen,
)
from memgraph_ha.core.names import Address, InstanceName, RowName
from memgraph_ha.core.observed import RECORD, Attempt, Observed, Seen, changed
from memgraph_ha.core.requests import Ask
from memgraph_ha.core.topology import Role, RowStatus


def observe(observed: Observed, fact: Fact) -> Observed:  # noqa: C901, PLR0912 - one flat case per kind of fact
    """File one fact.

    Total and idempotent: repeating a fact changes nothing, and a fact older than what it would replace is
    ignored, so that the order of facts about distinct subjects does not matter.

    Args:
        observed: What was filed before.
        fact: What an adapter reports.

    Returns:
        The same, with the fact filed.
    """
    match fact:
        case MembersSeen():
            return _members(observed, fact)
        case RoleSeen():
            return _answered(observed, fact)
        case ProbeMissed():
            return _missed(observed, fact)
        case RowsSeen() | StorageSeen() | ServerSeen() | PortSeen():
            return _detail(observed, fact)
        case RecordSeen():
            return _record(observed, fact)
        case LeaseSeen():
            return changed(observed, lease=fact) if _newer(fact.at_s, observed.lease) else observed
        case GateSeen():
            return _gate(observed, fact)
        case SentinelBroke():
            return _broke(observed, fact)
        case NoopSeen():
            return _noop(observed, fact)
        case CommandEnded():
            return _ended(observed, fact)
        case GapSeen():
            return _gap(observed, fact)
        case TriggersSeen():
            return _triggers(observed, fact)
        case QuietSeen():
            return changed(observed, quiet=fact) if _newer(fact.at_s, observed.quiet) else observed
        case RequestSeen():
            return _request(observed, fact)
        case RequestEnded():
            return _request_ended(observed, fact)
        case _:  # pragma: no cover - the type checker proves that nothing is left
            assert_never(fact)


def _broke(observed: Observed, fact: SentinelBroke) -> Observed:
    """No verdict: the probes that follow are the evidence. But until one is answered, nobody relays to that run."""
    old = observed.of(fact.instance)
    if old is None or fact.at_s < old.born_s:
        return observed
    newest = old.sentinel is None or fact.at_s >= old.sentinel.at_s
    return _replace(observed, changed(old, sentinel=fact)) if newest else observed


def _newer(at_s: float, held: LeaseSeen | RecordSeen | GateSeen | MembersSeen | NoopSeen | QuietSeen | None) -> bool:
    return held is None or at_s >= held.at_s


def _members(observed: Observed, fact: MembersSeen) -> Observed:
    if not _newer(fact.at_s, observed.members):
        return observed
    seen: list[Seen] = []
    for member in fact.members:
        old = observed.of(member.name)
        if old is None or old.member.incarnation != member.incarnation:
            seen.append(Seen(member=member, born_s=fact.at_s))
        else:
            seen.append(changed(old, member=member))
    before = None if observed.members is None else [member.name for member in observed.members.members]
    same = before == [member.name for member in fact.members]
    since_s = observed.names_since_s if same else fact.at_s
    return changed(observed, members=fact, names_since_s=since_s, seen=tuple(seen))


def _gap(observed: Observed, fact: GapSeen) -> Observed:
    if observed.gap_at_s is not None and fact.at_s <= observed.gap_at_s:
        return observed
    calm = tuple(changed(seen, refused=0, timeouts=0) for seen in observed.seen)
    return changed(observed, gap_at_s=fact.at_s, seen=calm)


def _replace(observed: Observed, new: Seen) -> Observed:
    name = new.member.name
    return changed(observed, seen=tuple(new if old.member.name == name else old for old in observed.seen))


def _answered(observed: Observed, fact: RoleSeen) -> Observed:
    old = observed.of(fact.instance)
    if old is None or fact.asked_at_s < old.born_s:
        return observed
    if old.role is not None and fact.asked_at_s < old.role.asked_at_s:
        return observed
    if old.role is not None and old.role.run != fact.run:
        old = Seen(
            member=old.member,
            born_s=old.born_s,
            port=old.port,
            sentinel=old.sentinel,
            stop_asked_s=old.stop_asked_s,
        )
    if old.miss is not None and old.miss.asked_at_s > fact.asked_at_s:
        return _replace(observed, changed(old, role=fact))
    if fact.role is not Role.MAIN and old.rows is not None:
        old = changed(old, rows=None, bad_rows=(), recovering=())
    return _replace(observed, changed(old, role=fact, refused=0, timeouts=0))


def _missed(observed: Observed, fact: ProbeMissed) -> Observed:
    old = observed.of(fact.instance)
    if old is None or fact.asked_at_s < old.born_s:
        return observed
    if old.role is not None and fact.asked_at_s < old.role.asked_at_s:
        return observed
    if old.miss is not None and fact.asked_at_s <= old.miss.asked_at_s:
        return observed
    filed = changed(old, miss=fact)
    if fact.miss is Miss.REFUSED:
        first = fact.asked_at_s if old.refused == 0 else old.refused_first_s
        filed = changed(
            filed, refused=old.refused + 1, refused_first_s=first, refused_last_s=fact.asked_at_s, timeouts=0
        )
    elif fact.miss is Miss.TIMED_OUT and not fact.excused:
        first = fact.asked_at_s if old.timeouts == 0 else old.timeouts_first_s
        filed = changed(filed, timeouts=old.timeouts + 1, timeouts_first_s=first, timeouts_last_s=fact.at_s, refused=0)
    elif fact.miss in (Miss.UNAUTHORISED, Miss.UNREADABLE):
        filed = changed(filed, timeouts=0)  # it answered: whatever is wrong with it, it is not frozen
    return _replace(observed, filed)


def _detail(observed: Observed, fact: RowsSeen | StorageSeen | ServerSeen | PortSeen) -> Observed:
    old = observed.of(fact.instance)
    asked_at_s = fact.at_s if isinstance(fact, ServerSeen) else fact.asked_at_s
    if old is None or asked_at_s < old.born_s:
        return observed
    match fact:
        case RowsSeen():
            if old.rows is not None and asked_at_s < old.rows.asked_at_s:
                return observed
            known = dict(old.bad_rows)
            bad = [row.name for row in fact.rows if row.status is not RowStatus.HALF and not row.takes_commits]
            since = tuple((name, known.get(name, asked_at_s)) for name in bad)
            recovering, took = _catch_ups(observed, old, fact)
            filed = _replace(observed, changed(old, rows=fact, bad_rows=since, recovering=recovering))
            last = observed.last_rows
            if last is not None and asked_at_s < last.asked_at_s:
                return filed
            return changed(filed, catch_ups=took, last_rows=fact)
        case StorageSeen():
            fresh = old.storage is None or asked_at_s >= old.storage.asked_at_s
            return _replace(observed, changed(old, storage=fact)) if fresh else observed
        case ServerSeen():
            fresh = old.server is None or asked_at_s >= old.server.at_s
            return _replace(observed, changed(old, server=fact)) if fresh else observed
        case PortSeen():
            fresh = old.port is None or asked_at_s >= old.port.asked_at_s
            return _replace(observed, changed(old, port=fact)) if fresh else observed


def _catch_ups(
    observed: Observed, old: Seen, fact: RowsSeen
) -> tuple[tuple[tuple[RowName, float], ...], tuple[tuple[Address, float], ...]]:
    """Since when rows are in recovery, and how long each replica's last recovery took, or has taken so far."""
    known, took = dict(old.recovering), dict(observed.catch_ups)
    now = tuple(
        (row.name, known.get(row.name, fact.asked_at_s)) for row in fact.rows if row.status is RowStatus.RECOVERY
    )
    for row in fact.rows:
        since = dict(now).get(row.name, known.get(row.name))
        if since is not None:
            took[row.address] = fact.asked_at_s - since
    return now, tuple(sorted(took.items()))


def _record(observed: Observed, fact: RecordSeen) -> Observed:
    if not _newer(fact.at_s, observed.record):
        return observed
    if fact.trouble is RecordTrouble.UNANSWERED:
        return changed(observed, record=_unanswered(observed.record, fact))
    record = fact.record
    waiting = record is not None and record.opened and record.standby is None and not record.unprotected
    since = _since(fact.at_s, observed.unnamed_since_s, holds=waiting)
    moving = record is not None and record.switchover is not None
    moving_since = _since(fact.at_s, observed.switchover_since_s, holds=moving)
    before = None if observed.record is None else observed.record.record
    given_up = before is not None and before.switchover is not None and not moving
    given_up = given_up and record is not None and before is not None and record.generation == before.generation
    return changed(
        observed,
        record=fact,
        unnamed_since_s=since,
        switchover_since_s=moving_since,
        given_up_s=fact.at_s if given_up else observed.given_up_s,
    )


def _unanswered(old: RecordSeen | None, fact: RecordSeen) -> RecordSeen:
    """Keep what was read last, at the age that it has: a read without an answer is no news about the record."""
    if old is None or old.record is None:
        return fact
    return evolve(old, trouble=fact.trouble, detail=fact.detail)


def _since(at_s: float, before_s: float | None, *, holds: bool) -> float | None:
    """Since when something has held that holds now; None if it does not."""
    if not holds:
        return None
    return at_s if before_s is None else before_s


def _gate(observed: Observed, fact: GateSeen) -> Observed:
    old = observed.gate
    if not _newer(fact.at_s, old):
        return observed
    same = old is not None and (old.permit is None if fact.permit is None else fact.permit.extends(old.permit))
    since = observed.gate_since_s if same else fact.at_s
    quiet_since = _since(fact.at_s, observed.quiet_since_s if same else None, holds=fact.quiet)
    ended = fact.at_s if observed.quiet_since_s is not None and quiet_since is None else observed.quiet_ended_s
    return changed(observed, gate=fact, gate_since_s=since, quiet_since_s=quiet_since, quiet_ended_s=ended)


def _noop(observed: Observed, fact: NoopSeen) -> Observed:
    if not _newer(fact.at_s, observed.noop):
        return observed
    filed = changed(observed, noop=fact)
    if fact.outcome is Outcome.DONE:
        filed = changed(filed, noop_done=fact)
        if fact.witness is not None:
            filed = changed(filed, proof=fact)
    return filed


def _triggers(observed: Observed, fact: TriggersSeen) -> Observed:
    old = observed.of(fact.instance)
    if old is None or fact.asked_at_s < old.born_s or (old.role is not None and old.role.run != fact.run):
        return observed
    if old.triggers is not None and fact.asked_at_s < old.triggers.asked_at_s:
        return observed
    had = old.had_triggers | {trigger.name for trigger in fact.triggers}
    return _replace(observed, changed(old, triggers=fact, had_triggers=had))


def _request(observed: Observed, fact: RequestSeen) -> Observed:
    request = fact.request
    if any(known.id == request.id for known in observed.requests):
        return observed
    observed = changed(observed, requests=(*observed.requests, request))
    old = None if request.instance is None else observed.of(request.instance)
    if request.ask not in (Ask.STOP, Ask.RESTART) or old is None:
        return observed
    return _replace(observed, changed(old, stop_asked_s=fact.at_s))


def _request_ended(observed: Observed, fact: RequestEnded) -> Observed:
    """Forget it; and if nobody waited long enough for a stop that was announced, forget the announcement too."""
    request = next((known for known in observed.requests if known.id == fact.request_id), None)
    if request is None:
        return observed
    observed = changed(observed, requests=tuple(known for known in observed.requests if known is not request))
    old = None if request.instance is None else observed.of(request.instance)
    stops = request.ask in (Ask.STOP, Ask.RESTART) and fact.at_s >= request.until_s
    return observed if old is None or not stops else _replace(observed, changed(old, stop_asked_s=None))


def _subject(command: Command) -> InstanceName:
    match command:
        case WriteRecord():
            return RECORD
        case RegisterReplica():
            return command.replica
        case (
            StopInstance()
            | RebuildInstance()
            | Promote()
            | Demote()
            | CommitNoop()
            | DropReplica()
            | Quiesce()
            | RestoreUsers()
            | RestoreTriggers()
        ):
            return command.instance
        case _:  # pragma: no cover - the type checker proves that nothing is left
            assert_never(command)


def _ended(observed: Observed, fact: CommandEnded) -> Observed:
    command, kind, subject = fact.command, type(fact.command), _subject(fact.command)
    old = next((a for a in observed.attempts if a.kind is kind and a.subject == subject), None)
    if old is not None and fact.at_s <= old.at_s:
        return observed
    done = fact.outcome is Outcome.DONE
    attempt = Attempt(
        kind=kind,
        subject=subject,
        at_s=fact.at_s,
        failures=0 if done else 1 + (old.failures if old is not None else 0),
        outcome=fact.outcome,
        error=fact.error,
        detail=fact.detail,
        generation=0 if isinstance(command, WriteRecord) else command.generation,
        incarnation=command.incarnation if isinstance(command, (StopInstance, RebuildInstance)) else None,
        replica_run=command.replica_run if isinstance(command, RegisterReplica) else None,
        mode=command.mode if isinstance(command, RegisterReplica) else None,
    )
    rest = tuple(a for a in observed.attempts if a is not old)
    doubtful = fact.outcome is Outcome.UNKNOWN and isinstance(command, (RegisterReplica, DropReplica, Promote, Demote))
    doubtful_s = observed.rows_doubtful_s
    if doubtful and (doubtful_s is None or fact.at_s > doubtful_s):
        doubtful_s = fact.at_s
    unwritten = fact.outcome is Outcome.UNKNOWN and isinstance(command, WriteRecord)
    return changed(
        observed,
        attempts=(*rest, attempt),
        rows_doubtful_s=doubtful_s,
        record_doubtful_s=fact.at_s if unwritten else observed.record_doubtful_s,
    )

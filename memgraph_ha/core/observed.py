"""Filing of facts: the newest of each kind per subject, and since when. `observe` never decides anything."""

from typing import Final, assert_never

from attrs import evolve, frozen

from memgraph_ha.core.commands import (
    Command,
    CommitNoop,
    Demote,
    DropReplica,
    Promote,
    RegisterReplica,
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
    RecordSeen,
    RoleSeen,
    RowsSeen,
    SentinelBroke,
    ServerSeen,
    StorageSeen,
)
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import Incarnation, InstanceName, RowName, RunId
from memgraph_ha.core.topology import Member, Role, RowStatus

RECORD: Final = InstanceName("(record)")
"""The subject of attempts to write the record."""


@frozen(kw_only=True)
class Seen:
    """What is known of one instance, all of it about its present incarnation.

    Attributes:
        member: As the platform has it.
        born_s: When this incarnation was first seen; older answers are void.
        role: Its last answer.
        refused: Refused probes in a row since then.
        refused_first_s: When the first of them was asked; ``refused_last_s`` when the last was.
        timeouts: Timed-out probes in a row, excused ones not counted; any other answer ends the row.
        timeouts_first_s: When the first of them was asked; ``timeouts_last_s`` when the last was given up.
        miss: The last probe that failed.
        rows: MAIN's rows.
        bad_rows: Since when each whole row that takes no commits has taken none.
        storage: Which data it holds.
        server: How it is configured.
        port: Whether its replication port is open.
        sentinel: When the gateway's own connection to a run of it ended; only a newer answer shows that it lives.
    """

    member: Member
    born_s: float
    role: RoleSeen | None = None
    refused: int = 0
    refused_first_s: float = 0.0
    refused_last_s: float = 0.0
    timeouts: int = 0
    timeouts_first_s: float = 0.0
    timeouts_last_s: float = 0.0
    miss: ProbeMissed | None = None
    rows: RowsSeen | None = None
    bad_rows: tuple[tuple[RowName, float], ...] = ()
    storage: StorageSeen | None = None
    server: ServerSeen | None = None
    port: PortSeen | None = None
    sentinel: SentinelBroke | None = None

    def bad_since_s(self, row: RowName) -> float | None:
        """Since when that row has taken no commits; None if it does, is half, or is not there."""
        return dict(self.bad_rows).get(row)

    @property
    def silent_s(self) -> float:
        """For how long its probes have gone unanswered, seconds; 0 if the last was not."""
        return self.timeouts_last_s - self.timeouts_first_s if self.timeouts else 0.0


@frozen(kw_only=True)
class Attempt:
    """The last try of one kind of command on one subject.

    Attributes:
        failures: Tries in a row that were not done; 0 after one that was.
        generation: The reign it was for; 0 for the record itself.
        incarnation: What a `StopInstance` was aimed at.
        replica_run: The run that a `RegisterReplica` was aimed at.
    """

    kind: type[Command]
    subject: InstanceName
    at_s: float
    failures: int
    outcome: Outcome
    error: ErrorClass | None
    detail: str
    generation: int
    incarnation: Incarnation | None
    replica_run: RunId | None


@frozen(kw_only=True)
class Observed:
    """Everything that was reported, filed.

    Attributes:
        members: The last list of the platform.
        seen: One entry per member, in its order.
        record: The last reading.
        unnamed_since_s: Since when an opened, protected reign has had no standby, by our readings.
        lease: What we hold.
        gate: What our gateway allows.
        gate_since_s: When it began to allow exactly that (a permit's mere extension does not count).
        noop: The last no-op commit, whatever its end.
        noop_done: The last that was acknowledged.
        proof: The last that was acknowledged with a witness.
        rows_doubtful_s: When a registration command last ended unknown: rows asked before say nothing.
        attempts: See `Attempt`.
        gap_at_s: When our process was last found to have stood still.
    """

    members: MembersSeen | None = None
    seen: tuple[Seen, ...] = ()
    record: RecordSeen | None = None
    unnamed_since_s: float | None = None
    lease: LeaseSeen | None = None
    gate: GateSeen | None = None
    gate_since_s: float = 0.0
    noop: NoopSeen | None = None
    noop_done: NoopSeen | None = None
    proof: NoopSeen | None = None
    rows_doubtful_s: float | None = None
    attempts: tuple[Attempt, ...] = ()
    gap_at_s: float | None = None

    def of(self, name: InstanceName) -> Seen | None:
        """What is known of that instance; None if it is no member."""
        return next((seen for seen in self.seen if seen.member.name == name), None)


def observe(observed: Observed, fact: Fact) -> Observed:  # noqa: C901 - one flat case per kind of fact
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
            return evolve(observed, lease=fact) if _newer(fact.at_s, observed.lease) else observed
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
        case _:  # pragma: no cover - the type checker proves that nothing is left
            assert_never(fact)


def _broke(observed: Observed, fact: SentinelBroke) -> Observed:
    """No verdict: the probes that follow are the evidence. But until one is answered, nobody relays to that run."""
    old = observed.of(fact.instance)
    if old is None or fact.at_s < old.born_s:
        return observed
    newest = old.sentinel is None or fact.at_s >= old.sentinel.at_s
    return _replace(observed, evolve(old, sentinel=fact)) if newest else observed


def _newer(at_s: float, held: LeaseSeen | RecordSeen | GateSeen | MembersSeen | NoopSeen | None) -> bool:
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
            seen.append(evolve(old, member=member))
    return evolve(observed, members=fact, seen=tuple(seen))


def _gap(observed: Observed, fact: GapSeen) -> Observed:
    if observed.gap_at_s is not None and fact.at_s <= observed.gap_at_s:
        return observed
    calm = tuple(evolve(seen, refused=0, timeouts=0) for seen in observed.seen)
    return evolve(observed, gap_at_s=fact.at_s, seen=calm)


def _replace(observed: Observed, changed: Seen) -> Observed:
    name = changed.member.name
    return evolve(observed, seen=tuple(changed if old.member.name == name else old for old in observed.seen))


def _answered(observed: Observed, fact: RoleSeen) -> Observed:
    old = observed.of(fact.instance)
    if old is None or fact.asked_at_s < old.born_s:
        return observed
    if old.role is not None and fact.asked_at_s < old.role.asked_at_s:
        return observed
    if old.role is not None and old.role.run != fact.run:
        old = Seen(member=old.member, born_s=old.born_s, port=old.port, sentinel=old.sentinel)
    if old.miss is not None and old.miss.asked_at_s > fact.asked_at_s:
        return _replace(observed, evolve(old, role=fact))
    if fact.role is not Role.MAIN:
        old = evolve(old, rows=None, bad_rows=())
    return _replace(observed, evolve(old, role=fact, refused=0, timeouts=0))


def _missed(observed: Observed, fact: ProbeMissed) -> Observed:
    old = observed.of(fact.instance)
    if old is None or fact.asked_at_s < old.born_s:
        return observed
    if old.role is not None and fact.asked_at_s < old.role.asked_at_s:
        return observed
    if old.miss is not None and fact.asked_at_s <= old.miss.asked_at_s:
        return observed
    changed = evolve(old, miss=fact)
    if fact.miss is Miss.REFUSED:
        first = fact.asked_at_s if old.refused == 0 else old.refused_first_s
        changed = evolve(
            changed, refused=old.refused + 1, refused_first_s=first, refused_last_s=fact.asked_at_s, timeouts=0
        )
    elif fact.miss is Miss.TIMED_OUT and not fact.excused:
        first = fact.asked_at_s if old.timeouts == 0 else old.timeouts_first_s
        changed = evolve(
            changed, timeouts=old.timeouts + 1, timeouts_first_s=first, timeouts_last_s=fact.at_s, refused=0
        )
    elif fact.miss in (Miss.UNAUTHORISED, Miss.UNREADABLE):
        changed = evolve(changed, timeouts=0)  # it answered: whatever is wrong with it, it is not frozen
    return _replace(observed, changed)


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
            return _replace(observed, evolve(old, rows=fact, bad_rows=since))
        case StorageSeen():
            fresh = old.storage is None or asked_at_s >= old.storage.asked_at_s
            return _replace(observed, evolve(old, storage=fact)) if fresh else observed
        case ServerSeen():
            fresh = old.server is None or asked_at_s >= old.server.at_s
            return _replace(observed, evolve(old, server=fact)) if fresh else observed
        case PortSeen():
            fresh = old.port is None or asked_at_s >= old.port.asked_at_s
            return _replace(observed, evolve(old, port=fact)) if fresh else observed


def _record(observed: Observed, fact: RecordSeen) -> Observed:
    if not _newer(fact.at_s, observed.record):
        return observed
    record = fact.record
    waiting = record is not None and record.opened and record.standby is None and not record.unprotected
    since = None if not waiting else fact.at_s if observed.unnamed_since_s is None else observed.unnamed_since_s
    return evolve(observed, record=fact, unnamed_since_s=since)


def _gate(observed: Observed, fact: GateSeen) -> Observed:
    old = observed.gate
    if not _newer(fact.at_s, old):
        return observed
    same = old is not None and (old.permit is None if fact.permit is None else fact.permit.extends(old.permit))
    since = observed.gate_since_s if same else fact.at_s
    return evolve(observed, gate=fact, gate_since_s=since)


def _noop(observed: Observed, fact: NoopSeen) -> Observed:
    if not _newer(fact.at_s, observed.noop):
        return observed
    changed = evolve(observed, noop=fact)
    if fact.outcome is Outcome.DONE:
        changed = evolve(changed, noop_done=fact)
        if fact.witness is not None:
            changed = evolve(changed, proof=fact)
    return changed


def _subject(command: Command) -> InstanceName:
    match command:
        case WriteRecord():
            return RECORD
        case RegisterReplica():
            return command.replica
        case StopInstance() | Promote() | Demote() | CommitNoop() | DropReplica():
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
        incarnation=command.incarnation if isinstance(command, StopInstance) else None,
        replica_run=command.replica_run if isinstance(command, RegisterReplica) else None,
    )
    rest = tuple(a for a in observed.attempts if a is not old)
    doubtful = fact.outcome is Outcome.UNKNOWN and isinstance(command, (RegisterReplica, DropReplica, Promote, Demote))
    doubtful_s = observed.rows_doubtful_s
    if doubtful and (doubtful_s is None or fact.at_s > doubtful_s):
        doubtful_s = fact.at_s
    return evolve(observed, attempts=(*rest, attempt), rows_doubtful_s=doubtful_s)

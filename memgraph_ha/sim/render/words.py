"""Facts, commands and what only the simulator knows, each in one short sentence for people."""

from typing import Final, assert_never

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
    NoopSeen,
    PortSeen,
    ProbeMissed,
    QuietSeen,
    RecordSeen,
    RequestEnded,
    RequestSeen,
    RoleSeen,
    RowsSeen,
    SentinelBroke,
    ServerSeen,
    StorageSeen,
    TriggersSeen,
)
from memgraph_ha.core.record import Record
from memgraph_ha.core.requests import Request
from memgraph_ha.core.topology import Row
from memgraph_ha.sim.render.story import word_of
from memgraph_ha.trace.schema import Ghost, GhostLine

_RUN_SHOWN: Final = 8
_LIFE_SHOWN: Final = 16


def run_of(run: str | None) -> str:
    """Shorten the name of a run."""
    return "unknown" if run is None else run[:_RUN_SHOWN]


def said_of_command(command: Command) -> str:  # noqa: C901 - one line per kind of command
    """Say what a command asks for."""
    match command:
        case WriteRecord():
            return f"write the record: {said_of_record(command.record)}"
        case Promote():
            return f"make {command.instance} MAIN in reign {command.generation}"
        case Demote():
            return f"make {command.instance} REPLICA"
        case CommitNoop():
            proof = "" if command.row is None else f", to prove {command.standby} through {command.row}"
            return f"commit a no-op on {command.instance}{proof}"
        case RegisterReplica():
            return f"register {command.replica} on {command.instance} as {command.row} {command.mode.name}"
        case DropReplica():
            return f"drop row {command.row} on {command.instance}"
        case Quiesce():
            return f"wait until no transaction is open on {command.instance}"
        case RestoreUsers():
            return f"create the accounts on {command.instance}"
        case RestoreTriggers():
            return f"create {len(command.triggers)} triggers on {command.instance}"
        case StopInstance():
            return f"end the process of {command.instance} ({command.incarnation})"
        case RebuildInstance():
            return f"move the data of {command.instance} aside ({command.incarnation})"
    assert_never(command)


def said_of_record(record: Record) -> str:
    """Say what a record holds, as far as it matters in a moment."""
    opened = "" if record.opened else ", not opened"
    if record.standby is not None:
        second = f", standby {record.standby.instance}"
    elif record.unprotected:
        second = ", unprotected"
    else:
        second = "" if record.fallback is None else f", fallback {record.fallback.instance}"
    paused = "" if record.paused is None else f", paused by {record.paused.by}"
    move = "" if record.switchover is None else f", switching over to {record.switchover.target}"
    return f"reign {record.generation} of {record.main}{opened}{second}{paused}{move}"


def said_of_request(request: Request) -> str:
    """Say who asks for what."""
    whom = "" if request.instance is None else f" {request.instance}"
    why = f" ({request.reason})" if request.reason else ""
    return f"{request.by or 'somebody'} asks for {request.ask.value}{whom}{why}"


def said_of_fact(fact: Fact) -> str:  # noqa: C901, PLR0912 - one line per kind of fact
    """Say what a fact tells."""
    match fact:
        case MembersSeen():
            lives = ", ".join(f"{each.name} {_life(each.incarnation)}" for each in fact.members)
            return f"members: {lives or 'none'}"
        case RoleSeen():
            return f"{fact.instance} answers as {fact.role.name} (run {run_of(fact.run)})"
        case ProbeMissed():
            excused = ", which our own command excuses" if fact.excused else ""
            return f"{fact.instance} does not answer: {fact.miss.value}{excused}"
        case RowsSeen():
            return f"{fact.instance} has rows: {', '.join(map(_row, fact.rows)) or 'none'}"
        case StorageSeen():
            return f"{fact.instance} holds {'nothing' if fact.empty else f'{fact.objects} objects'} ({fact.mode.name})"
        case TriggersSeen():
            return f"{fact.instance} has {len(fact.triggers)} triggers"
        case QuietSeen():
            return f"no transaction is open on {fact.instance} ({fact.ended} ended by force)"
        case ServerSeen():
            return f"{fact.instance} runs {fact.version}, WAL {'on' if fact.wal else 'OFF'}, flush {fact.flush_every}"
        case PortSeen():
            return f"the replication port of {fact.instance} is {'open' if fact.open else 'shut'}"
        case RecordSeen():
            if fact.record is not None:
                return f"the record says: {said_of_record(fact.record)}"
            trouble = "" if fact.trouble is None else f" ({fact.trouble.value}: {fact.detail})"
            return f"there is no record{trouble}"
        case LeaseSeen():
            return "it holds the lease" if fact.leading else "it does not hold the lease"
        case GateSeen():
            where = "shut" if fact.permit is None else f"open to {fact.permit.instance} in {fact.permit.generation}"
            return f"its gateway is {where}{', quiet' if fact.quiet else ''}{', settled' if fact.settled else ''}"
        case SentinelBroke():
            return f"the connection to {fact.instance} broke"
        case NoopSeen():
            witness = "nobody" if fact.witness is None else fact.witness.instance
            return f"the no-op on {fact.instance}: {fact.outcome.value}, witnessed by {witness}"
        case CommandEnded():
            detail = f" ({fact.detail})" if fact.detail else ""
            return f"{fact.outcome.value}: {said_of_command(fact.command)}{detail}"
        case GapSeen():
            return f"its own process stood still for {fact.gap_s:.1f} s"
        case RequestSeen():
            return said_of_request(fact.request)
        case RequestEnded():
            return f"request {fact.request_id} is answered"
    assert_never(fact)


def _life(incarnation: str | None) -> str:
    """Name a process as its platform does, shortened; two of one instance differ at the beginning."""
    if incarnation is None:
        return "has no process"
    return incarnation if len(incarnation) <= _LIFE_SHOWN else f"{incarnation[:_LIFE_SHOWN]}…"


def _row(row: Row) -> str:
    mode = "?" if row.mode is None else row.mode.name
    behind = f" {-row.behind} behind" if row.behind is not None and row.behind < 0 else ""
    return f"{row.name} {mode} {row.status.value}{behind}"


def said_of_ghost(line: GhostLine) -> str:
    """Say what only the simulator can know."""
    match line.what:
        case Ghost.INSTANCE:
            role, run = word_of(line, "role"), word_of(line, "run")
            of_run = f" (run {run_of(run)})" if run else ""
            return f"{line.who} is {word_of(line, 'state')}{f' as {role}' if role else ''}{of_run}"
        case Ghost.FAULT | Ghost.REPAIR:
            return said_of_blow(line)
        case Ghost.WRITES:
            where, count = word_of(line, "instance"), word_of(line, "count") or "1"
            said = f"{count} write{'' if count == '1' else 's'}{f' at {where}' if where else ''}"
            return f"{said}: {word_of(line, 'outcome')}"
        case Ghost.GATE:
            state, instance = word_of(line, "state"), word_of(line, "instance")
            to = f" to {instance} in reign {word_of(line, 'generation')}" if instance else ""
            return f"its gateway is {state}{to}"
        case Ghost.LANDED:
            instance = word_of(line, "instance")
            return f"{word_of(line, 'command')} took effect{f' at {instance}' if instance else ''}"
        case Ghost.VIOLATION:
            return f"{word_of(line, 'check')} is broken: {said_of_violation(line)}"
        case Ghost.NOTE:
            return word_of(line, "text")
    assert_never(line.what)


def said_of_violation(line: GhostLine) -> str:
    """Say how a promise was broken, without the name of the check that often comes first."""
    return word_of(line, "text").removeprefix(f"{word_of(line, 'check')}: ")


def said_of_blow(line: GhostLine) -> str:
    """Say what somebody broke or mended: the verb, whom it hit, and what it was given."""
    given = [
        f"{value}" if name in ("target", "how") else f"{name} {value}"
        for name, value in line.data
        if name not in ("verb", "instance") and value not in (None, "", line.who)
    ]
    return " ".join([word_of(line, "verb"), line.who, *given]).strip()

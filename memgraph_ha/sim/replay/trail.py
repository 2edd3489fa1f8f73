"""From a fact back to the command that made it so: of this controller, or of another one in the same trace."""

from collections.abc import Iterable
from typing import assert_never

from memgraph_ha.core.commands import (
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
from memgraph_ha.core.facts import MembersSeen, NoopSeen, QuietSeen, RecordSeen, RoleSeen, RowsSeen, TriggersSeen
from memgraph_ha.core.topology import Role
from memgraph_ha.trace.schema import CommandLine, FactLine

_ToARun = Promote | Demote | CommitNoop | RegisterReplica | DropReplica | Quiesce | RestoreTriggers
"""Commands that are for one life of one process."""


def made_by(line: FactLine, sent: Iterable[CommandLine]) -> CommandLine | None:
    """Find the command that a fact shows the effect of.

    A command's own end names it. Otherwise it is the newest command whose effect the fact shows: the record that was
    written, the role that was asked for in that run, the row that was registered or dropped, the process that was
    ended.

    Args:
        line: The fact.
        sent: Every command of the trace, of any controller, in order.

    Returns:
        None if nobody asked for it: it came from outside.
    """
    if line.of is not None:
        return next((each for each in sent if each.seq == line.of), None)
    shown = [each for each in sent if each.seq < line.seq and _shows(line, each)]
    return shown[-1] if shown else None


def _shows(line: FactLine, sent: CommandLine) -> bool:
    """Whether a fact is what a command would make of the world."""
    fact, command = line.fact, sent.command
    match command:
        case WriteRecord():
            return isinstance(fact, RecordSeen) and fact.record == command.record
        case Promote() | Demote():
            role = Role.MAIN if isinstance(command, Promote) else Role.REPLICA
            return isinstance(fact, RoleSeen) and fact.role is role and _same_life(fact, command)
        case RegisterReplica() | DropReplica():
            if not isinstance(fact, RowsSeen) or not _same_life(fact, command):
                return False
            there = any(row.name == command.row for row in fact.rows)
            return there is isinstance(command, RegisterReplica)
        case CommitNoop():
            return isinstance(fact, NoopSeen) and _same_life(fact, command) and fact.generation == command.generation
        case Quiesce():
            return isinstance(fact, QuietSeen) and _same_life(fact, command) and fact.generation == command.generation
        case RestoreTriggers():
            return isinstance(fact, TriggersSeen) and _same_life(fact, command)
        case StopInstance() | RebuildInstance():
            ended = isinstance(fact, MembersSeen)
            lives = fact.members if isinstance(fact, MembersSeen) else ()
            return ended and all(each.incarnation != command.incarnation for each in lives)
        case RestoreUsers():
            return False  # no fact shows accounts, only the command's own end
        case _:  # pragma: no cover - the type checker proves that nothing is left
            assert_never(command)


def _same_life(fact: RoleSeen | RowsSeen | NoopSeen | QuietSeen | TriggersSeen, command: _ToARun) -> bool:
    return (fact.instance, fact.run) == (command.instance, command.run)

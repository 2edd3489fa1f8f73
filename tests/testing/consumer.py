"""A program of somebody else's, typed strictly: it is checked against our types as they are installed."""

from collections.abc import Iterable
from typing import assert_type

from memgraph_ha.core import (
    Command,
    Decision,
    Explanation,
    Fact,
    Observed,
    Permit,
    Policy,
    Record,
    Route,
    Unmet,
    View,
    decide,
    dump_record,
    explain,
    observe,
    parse_record,
    route,
)
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


def filed(facts: Iterable[Fact]) -> Observed:
    """File facts."""
    observed = Observed()
    for fact in facts:
        observed = observe(observed, fact)
    return observed


def asked(view: View) -> tuple[str, ...]:
    """Say what is asked for."""
    decision = decide(view)
    assert_type(decision, Decision)
    assert_type(decision.route, Route)
    assert_type(decision.route.permit, Permit | None)
    assert_type(route(view), Route)
    return tuple(where(command) for command in decision.commands)


def where(command: Command) -> str:
    """Name the instance a command is for: the union is closed, so this is total."""
    match command:
        case WriteRecord():
            return "the record"
        case StopInstance() | RebuildInstance():
            return f"{command.instance} in {command.incarnation}"
        case Promote() | Demote() | CommitNoop() | RegisterReplica() | DropReplica():
            return f"{command.instance} in {command.run}"
        case Quiesce() | RestoreUsers() | RestoreTriggers():
            return str(command.instance)


def why_not(view: View, rule: str) -> str:
    """Say what a rule lacks."""
    line = next(line for line in explain(view) if line.rule == rule)
    assert_type(line, Explanation)
    return str(line.answer) if isinstance(line.answer, Unmet) else line.answer.reason


def kept(text: str) -> str:
    """Read and write a record."""
    record = parse_record(text)
    assert_type(record, Record)
    return dump_record(record)


def policy() -> Policy:
    """Make the default policy."""
    return Policy()

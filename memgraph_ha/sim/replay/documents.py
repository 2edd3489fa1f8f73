"""What `sim replay`, `sim diff` and `sim explain` print with ``--json``."""

from typing import Any

from memgraph_ha.core import Decision, Fact
from memgraph_ha.core.commands import Command
from memgraph_ha.sim.replay.comparing import Comparison, Difference
from memgraph_ha.sim.replay.explaining import Cause, Explained, Origin
from memgraph_ha.sim.replay.statements import Statement
from memgraph_ha.trace.converter import to_raw
from memgraph_ha.trace.reading import TraceFile
from memgraph_ha.trace.schema import FactLine, HeaderLine

Document = dict[str, Any]

COMPARISON: str = "memgraph-ha/trace-comparison/1"
EXPLANATION: str = "memgraph-ha/trace-explanation/1"


def _decision(decision: Decision | None) -> Document | None:
    return None if decision is None else to_raw(decision, Decision)


def _difference(found: Difference | None) -> Document | None:
    if found is None:
        return None
    line = found.step.line
    return {
        "seq": line.seq,
        "t": line.t,
        "who": line.who,
        "alike": found.alike.name.lower(),
        "fields": list(found.fields),
        "then": _decision(line.decision),
        "then_error": line.error,
        "today": _decision(found.step.decision),
        "today_error": found.step.error,
    }


def comparison_document(file: TraceFile, header: HeaderLine, found: Comparison, without: tuple[str, ...]) -> Document:
    """Write a comparison as plain JSON values.

    Args:
        file: The trace, read to where the comparison ended.
        header: Its first line.
        found: What was found.
        without: The rules that were taken out.
    """
    return {
        "schema": COMPARISON,
        "trace": str(file.path),
        "truncated": file.truncated,
        "intact": file.intact,
        "rules_then": list(header.rules),
        "without": list(without),
        "ticks": found.ticks,
        "same": found.same,
        "reasons": [{"then": was, "today": now, "ticks": count} for (was, now), count in found.reasons.most_common()],
        "first": _difference(found.first),
        "act": _difference(found.act),
    }


def _fact(line: FactLine) -> Document:
    return {"seq": line.seq, "t": line.t, "who": line.who, "fact": to_raw(line.fact, Fact)}


def _statement(said: Statement) -> Document:
    return {"first": _fact(said.first), "last": _fact(said.last), "count": said.count}


def _origin(origin: Origin | None) -> Document | None:
    if origin is None:
        return None
    command = origin.command
    return {
        "command": None
        if command is None
        else {"seq": command.seq, "t": command.t, "command": to_raw(command.command, Command)},
        "tick": {"seq": origin.tick.seq, "who": origin.tick.who, "decision": _decision(origin.tick.decision)},
        "facts": [{**_fact(fact), "origin": _origin(inner)} for fact, inner in origin.facts],
    }


def _cause(cause: Cause) -> Document:
    return {
        "statement": _statement(cause.statement),
        "otherwise": _decision(cause.otherwise),
        "origin": _origin(cause.origin),
    }


def explanation_document(found: Explained) -> Document:
    """Write an explanation as plain JSON values."""
    line = found.line
    return {
        "schema": EXPLANATION,
        "seq": line.seq,
        "t": line.t,
        "since_begin_s": line.t - found.begin_s,
        "who": line.who,
        "now_s": line.now_s,
        "wall_s": line.wall_s,
        "decision": _decision(line.decision),
        "error": line.error,
        "today": _decision(found.now),
        "in_time": _decision(found.in_time),
        "causes": [_cause(cause) for cause in found.causes],
        "near": [
            {
                "rule": near.rule,
                "name": near.name,
                "guard": near.unmet.guard,
                "evidence": None if near.unmet.evidence is None else str(near.unmet.evidence),
                "but_for": None if near.but_for is None else _statement(near.but_for),
            }
            for near in found.near
        ],
        "following": [{"rule": each.rule, "name": each.name} for each in found.following],
        "sent": [
            {
                "seq": sent.line.seq,
                "t": sent.line.t,
                "command": to_raw(sent.line.command, Command),
                "end": None if sent.end is None else _fact(sent.end),
            }
            for sent in found.sent
        ],
    }

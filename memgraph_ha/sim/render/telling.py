"""Which lines of a trace are events worth a line for people, and what is said of each."""

from typing import Final

from attrs import define, field

from memgraph_ha.core.decision import Decision
from memgraph_ha.core.facts import CommandEnded, GapSeen, NoopSeen, Outcome, ProbeMissed, RequestSeen, SentinelBroke
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import RunId
from memgraph_ha.sim.render.model import Event, Tone
from memgraph_ha.sim.render.routine import routine_of
from memgraph_ha.sim.render.story import Entry, Story, causes_of, word_of
from memgraph_ha.sim.render.words import said_of_command, said_of_fact, said_of_ghost
from memgraph_ha.trace.schema import (
    CommandLine,
    EndLine,
    FactLine,
    Ghost,
    GhostLine,
    LostLine,
    MemoryLine,
    PolicyLine,
    StartLine,
    TickLine,
)

OUTCOMES: Final = {
    Outcome.DONE: Tone.OK,
    Outcome.REFUSED: Tone.BAD,
    Outcome.UNKNOWN: Tone.WARN,
    Outcome.NOT_SENT: Tone.SOFT,
}
"""How the end of a command is meant."""

_GHOSTS: Final = {
    Ghost.FAULT: Tone.BAD,
    Ghost.REPAIR: Tone.OK,
    Ghost.VIOLATION: Tone.BAD,
    Ghost.LANDED: Tone.INFO,
}

_ALWAYS: Final = (CommandEnded, GapSeen, RequestSeen, SentinelBroke)
"""Facts that are told whether or not they led to anything."""

Sameness = tuple[object, ...]


def tone_of(decision: Decision) -> Tone:
    """Say how a decision is meant: it acts, it waits, it stands by, or all is well."""
    if decision.hold is Hold.NOT_LEADING:
        return Tone.SOFT
    if decision.hold is not None:
        return Tone.WARN
    return Tone.INFO if decision.commands else Tone.SOFT


def sameness_of(decision: Decision | None) -> Sameness:
    """Give what makes a decision another one: the rule, what it waits for, what it asks for, and the gateway."""
    if decision is None:
        return ("broke",)
    permit, run = decision.route.permit, RunId("")
    place = (None, run, 0) if permit is None else (permit.instance, permit.run, permit.generation)
    return (decision.rule, decision.hold, decision.commands, place, decision.route.quiet, decision.route.hold)


def events_of(story: Story) -> tuple[Event, ...]:
    """Tell what happened: every change of mind, every command with its end, every fault, and what led to them.

    Facts that changed nothing are not told, nor what is done again and again, nor writes that were acknowledged.
    """
    causes = causes_of(story)
    told = _worth_telling(story)
    wanted = list(told)
    while wanted:
        for cause in causes.get(wanted.pop(), ()):
            if cause not in told:
                told.add(cause)
                wanted.append(cause)
    return tuple(_event(entry, causes.get(entry.number, ())) for entry in story.entries if entry.number in told)


def _worth_telling(story: Story) -> set[int]:
    memory, routine = _Memory(), routine_of(story)
    return {entry.number for entry in story.entries if entry.number not in routine and memory.is_news(entry)}


@define
class _Memory:
    decided: dict[str, Sameness] = field(factory=dict)

    def is_news(self, entry: Entry) -> bool:
        line = entry.line
        match line:
            case TickLine():
                same = sameness_of(line.decision)
                before, self.decided[line.who] = self.decided.get(line.who), same
                return same != before
            case FactLine():
                return isinstance(line.fact, _ALWAYS)
            case GhostLine(what=Ghost.WRITES):
                return word_of(line, "outcome") != "acknowledged"
            case _:
                return True


def _event(entry: Entry, causes: tuple[int, ...]) -> Event:
    what, text, tone = _told(entry)
    return Event(
        number=entry.number,
        seq=entry.seq,
        at_s=entry.at_s,
        who=entry.line.who,
        what=what,
        text=text,
        tone=tone,
        causes=causes,
    )


def _told(entry: Entry) -> tuple[str, str, Tone]:  # noqa: C901, PLR0912 - one line per kind of line
    line = entry.line
    match line:
        case TickLine(decision=None):
            return "broke", line.error, Tone.BAD
        case TickLine(decision=decision) if decision is not None:
            hold = "" if decision.hold is None else f" [{decision.hold.word}]"
            return decision.rule, f"{decision.name}: {decision.reason}{hold}", tone_of(decision)
        case FactLine(fact=CommandEnded() as fact):
            return "ended", said_of_fact(fact), OUTCOMES[fact.outcome]
        case FactLine(fact=ProbeMissed() | SentinelBroke() | GapSeen() as fact):
            return "fact", said_of_fact(fact), Tone.WARN
        case FactLine(fact=NoopSeen() as fact):
            return "fact", said_of_fact(fact), OUTCOMES[fact.outcome]
        case FactLine():
            return "fact", said_of_fact(line.fact), Tone.SOFT
        case CommandLine():
            return "command", said_of_command(line.command), Tone.INFO
        case GhostLine():
            return line.what.name.lower(), said_of_ghost(line), _GHOSTS.get(line.what, Tone.SOFT)
        case StartLine():
            return "starts", "its process begins and remembers nothing", Tone.INFO
        case EndLine():
            return "ends", f"its process ended: {line.why}", Tone.WARN
        case MemoryLine():
            return "resumes", "the recording goes on with everything that it knew", Tone.SOFT
        case PolicyLine():
            return "policy", "the operator's choices changed", Tone.INFO
        case LostLine():
            return "lost", f"{line.lines} lines of it are missing: the disk was too slow", Tone.WARN
        case _:
            raise AssertionError(line)

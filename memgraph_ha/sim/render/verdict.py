"""The first thing that is read: what a trace shows, in one sentence, and what else matters at once."""

from collections.abc import Iterator, Sequence
from typing import Final

from attrs import frozen

from memgraph_ha.core.decision import Decision
from memgraph_ha.core.holds import Hold
from memgraph_ha.sim.render.lanes_cluster import records_of
from memgraph_ha.sim.render.lanes_outside import writes_of
from memgraph_ha.sim.render.model import Told, Tone, Write
from memgraph_ha.sim.render.story import Story, word_of
from memgraph_ha.sim.render.turns import Felt, Reign, felt_of, passage_of, reigns_of, violations_of
from memgraph_ha.sim.render.words import said_of_violation
from memgraph_ha.trace.schema import EndLine, TickLine

LAST_S: Final = 2.0
"""A controller that ended so shortly before the trace did ended with it: a recording that was stopped."""

_TOLD: Final = 3
"""So many broken promises are told in full."""


@frozen
class Verdict:
    """What is read first.

    Attributes:
        tone: How it is meant.
        head: One short sentence.
        lines: What else matters at once.
    """

    tone: Tone
    head: str
    lines: tuple[str, ...]


def verdict_of(story: Story) -> Verdict:
    """Say what a trace shows, worst first."""
    writes, reigns, broken = writes_of(story), reigns_of(story), violations_of(story)
    waits = _waits(story)
    tail = (*waits, *_counted(writes), *_end(story))
    if broken:
        checks = ", ".join(dict.fromkeys(word_of(line, "check") for _at_s, line in broken))
        lines = tuple(said_of_violation(line) for _at_s, line in broken[:_TOLD])
        return Verdict(Tone.BAD, f"Promises were broken: {checks}", (*lines, *tail))
    tone, head = _changes(story, reigns, felt_of(writes))
    return Verdict(Tone.WARN, f"{head}; writes wait at the end", tail) if waits else Verdict(tone, head, tail)


def _changes(story: Story, reigns: Sequence[Reign], felt: Felt) -> tuple[Tone, str]:
    longest_s = max((end_s - start_s for start_s, end_s in felt.pauses), default=0.0)
    waited = f": no write was acknowledged for {longest_s:.2f} s" if felt.pauses else ""
    if not reigns:
        record = next((written.record for written in records_of(story) if written.record is not None), None)
        head = "No reign began" if record is None else f"{record.main} reigned throughout"
        return Tone.WARN if felt.pauses else Tone.OK, f"{head}{waited}"
    if len(reigns) == 1:
        said = passage_of(story, reigns[0], felt).said
        return Tone.OK, f"{_named(reigns[0])}{f': {said}' if said else waited}"
    return Tone.OK, f"{len(reigns)} reigns began{f', the longest pause of writes {longest_s:.2f} s' if waited else ''}"


def _named(reign: Reign) -> str:
    if reign.previous == reign.record.main:
        return f"{reign.kind}: {reign.record.main}"
    return f"{reign.kind} from {reign.previous} to {reign.record.main}"


def _waits(story: Story) -> tuple[str, ...]:
    """Say why no gateway is open at the end, by the word of who leads; nothing if one is, or nobody decided."""
    last: dict[str, Decision] = {}
    for entry in story.entries:
        if isinstance(entry.line, TickLine) and entry.line.decision is not None:
            last[entry.line.who] = entry.line.decision
        elif isinstance(entry.line, EndLine) and entry.at_s < story.end_s - LAST_S:
            last.pop(entry.line.who, None)
    if not last or any(decision.route.permit is not None for decision in last.values()):
        return ()
    decision = next((each for each in last.values() if each.hold is not Hold.NOT_LEADING), None)
    if decision is None:
        return ("At the end nobody leads.",)
    hold = "" if decision.hold is None else f" [{decision.hold.word}]"
    return (f"At the end {decision.rule}: {decision.reason}{hold}.",)


def _counted(writes: Sequence[Write]) -> Iterator[str]:
    if not writes:
        return
    counts = {told: sum(each.count for each in writes if each.told is told) for told in Told}
    yield f"Writes: {', '.join(f'{count} {told.value}' for told, count in counts.items() if count)}."


def _end(story: Story) -> Iterator[str]:
    record = next((written.record for written in reversed(tuple(records_of(story)))), None)
    if record is None:
        return
    if record.standby is not None:
        second = f"{record.standby.instance} is its proven standby"
    elif record.unprotected:
        second = "it is unprotected"
    else:
        second = "no standby is named"
    opened = "" if record.opened else ", which has not opened"
    yield f"At the end: reign {record.generation} of {record.main}{opened}; {second}."

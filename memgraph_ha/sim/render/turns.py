"""The stretches worth a closer look: changes of MAIN, and broken promises."""

from collections.abc import Iterator, Sequence
from typing import Final

from attrs import frozen

from memgraph_ha.core.record import Change, ChangeKind, Record
from memgraph_ha.sim.render.lanes_cluster import records_of
from memgraph_ha.sim.render.lanes_outside import pauses_of, writes_of
from memgraph_ha.sim.render.model import Told, Tone, Turn, Write
from memgraph_ha.sim.render.story import Story, word_of
from memgraph_ha.sim.render.words import said_of_violation
from memgraph_ha.trace.schema import CommandLine, Ghost, GhostLine, Numbered, TickLine

BEFORE_S: Final = 20.0
"""What happened longer before a reign began did not lead to it."""

AFTER_S: Final = 30.0
"""A close-up is not longer than that after the reign began, opened or not."""

LEAST_S: Final = 0.4
"""A close-up is not shorter."""

SOON_S: Final = 0.5
"""What is done so soon after something else belongs to it."""

ALONE_S: Final = 2.0
"""A promise that was broken longer after anything was done is shown with so much before it."""

_MARGIN: Final = 0.12
_CALM: Final = (ChangeKind.SWITCHOVER, ChangeKind.BOOTSTRAP, ChangeKind.ADOPT)

_KINDS: Final = {
    ChangeKind.BOOTSTRAP: "First reign",
    ChangeKind.ADOPT: "Adoption",
    ChangeKind.FAILOVER: "Failover",
    ChangeKind.SWITCHOVER: "Switchover",
    ChangeKind.REPROMOTE: "Promoted again",
    ChangeKind.FALLBACK: "Back to the fallback",
    ChangeKind.FORCED: "Forced failover",
}
"""How a reign began, in words."""


@frozen
class Reign:
    """The beginning of a reign, as the record says it.

    Attributes:
        at_s: When it was first read.
        change: What the history says of it; None if it says nothing.
        previous: Whose was before; empty if that is not known.
    """

    at_s: float
    record: Record
    change: Change | None
    previous: str

    @property
    def kind(self) -> str:
        """How it began, in words."""
        return "A reign" if self.change is None else _KINDS[self.change.kind]

    @property
    def calm(self) -> bool:
        """Whether somebody wanted it."""
        return self.change is not None and self.change.kind in _CALM


def reigns_of(story: Story) -> tuple[Reign, ...]:
    """List the reigns that began within the trace; whatever was so when it began is none."""
    found: list[Reign] = []
    last: Record | None = None
    for written in records_of(story):
        record = written.record
        if record is None:
            continue
        if last is not None and record.generation > last.generation:
            change = record.history[-1] if record.history else None
            found.append(Reign(written.entry.at_s, record, change, last.main))
        last = record
    return tuple(found)


def turns_of(story: Story) -> tuple[Turn, ...]:
    """List the changes of MAIN and the broken promises, in order, each with the window that shows it whole."""
    felt = felt_of(writes_of(story))
    turns = [_turn(story, reign, felt) for reign in reigns_of(story)]
    turns += [_broken(story, at_s, line) for at_s, line in violations_of(story)]
    return tuple(sorted(turns, key=lambda turn: turn.start_s))


def violations_of(story: Story) -> tuple[tuple[float, GhostLine], ...]:
    """List the broken promises, with when."""
    return tuple(
        (entry.at_s, entry.line)
        for entry in story.entries
        if isinstance(entry.line, GhostLine) and entry.line.what is Ghost.VIOLATION
    )


@frozen(kw_only=True)
class Passage:
    """How long a change of MAIN took.

    Attributes:
        shut_s: When the gateway shut before it; None if it was not seen.
        served_s: When one was first let to open after it; None if none was.
        pause: Between which two moments no write was acknowledged; None if that is not known, or hardly noticed.
        through: Whether writes were acknowledged before it and after it.
    """

    shut_s: float | None
    served_s: float | None
    pause: tuple[float, float] | None
    through: bool

    @property
    def said(self) -> str:
        """What users felt, in a few words; empty if nothing is known."""
        if self.pause is not None:
            return f"no write was acknowledged for {self.pause[1] - self.pause[0]:.2f} s"
        if self.through and self.served_s is not None:
            return "writes hardly noticed"
        if self.shut_s is not None and self.served_s is not None:
            return f"the gateways were shut for {self.served_s - self.shut_s:.2f} s"
        return ""


@frozen
class Felt:
    """What clients felt in all: when anything was acknowledged, and when nothing was between two of them."""

    acked: tuple[float, ...]
    pauses: tuple[tuple[float, float], ...]

    def through(self, start_s: float, end_s: float) -> bool:
        """Say whether writes were acknowledged before and after: only then is it known that they hardly noticed."""
        return bool(self.acked) and self.acked[0] < start_s and self.acked[-1] > end_s


def felt_of(writes: Sequence[Write]) -> Felt:
    """Say what clients felt."""
    return Felt(tuple(each.at_s for each in writes if each.told is Told.ACKNOWLEDGED), pauses_of(writes))


def passage_of(story: Story, reign: Reign, felt: Felt) -> Passage:
    """Measure a change of MAIN."""
    served_s = _served(story, reign)
    last_s = reign.at_s if served_s is None else served_s
    pauses = (pause for pause in felt.pauses if pause[0] <= last_s and pause[1] >= reign.at_s)
    shut_s = _shut_before(story, reign.at_s)
    return Passage(shut_s=shut_s, served_s=served_s, pause=next(pauses, None), through=felt.through(reign.at_s, last_s))


def _turn(story: Story, reign: Reign, felt: Felt) -> Turn:
    began_s, passage = reign.at_s, passage_of(story, reign, felt)
    moments = (_fault_before(story, began_s), passage.shut_s, passage.served_s, *(passage.pause or ()))
    known = [began_s, *(moment for moment in moments if moment is not None)]
    start_s, end_s = min(known), min(max(known), began_s + AFTER_S)
    margin_s = max(LEAST_S / 2, (end_s - start_s) * _MARGIN)
    again = reign.previous == reign.record.main
    whose = reign.record.main if again else f"{reign.previous} to {reign.record.main}"
    return Turn(
        title=f"{reign.kind}: {whose}",
        text=" ".join(_said(story, reign, passage)),
        tone=Tone.INFO if reign.calm else Tone.WARN,
        start_s=max(story.start_s, start_s - margin_s),
        end_s=min(story.end_s, end_s + 2 * margin_s),
    )


def _fault_before(story: Story, began_s: float) -> float | None:
    """Find the last fault that may have led to a reign."""
    return next(
        (
            entry.at_s
            for entry in reversed(story.between(began_s - BEFORE_S, began_s))
            if isinstance(entry.line, GhostLine) and entry.line.what is Ghost.FAULT
        ),
        None,
    )


def _shut_before(story: Story, began_s: float) -> float | None:
    """Find when a controller last decided to shut its gateway, which had been open, before a reign began."""
    open_at: set[str] = set()
    shut_s = None
    for entry in story.between(began_s - BEFORE_S, began_s):
        line = entry.line
        if not isinstance(line, TickLine) or line.decision is None:
            continue
        if line.decision.route.permit is not None:
            open_at.add(line.who)
        elif line.who in open_at:
            open_at.discard(line.who)
            shut_s = entry.at_s
    return shut_s


def _served(story: Story, reign: Reign) -> float | None:
    """Find when a gateway was first let to open in this reign or a later one."""
    for entry in story.between(reign.at_s, story.end_s):
        line = entry.line
        if isinstance(line, TickLine) and line.decision is not None:
            permit = line.decision.route.permit
            if permit is not None and permit.generation >= reign.record.generation:
                return entry.at_s
    return None


def _said(story: Story, reign: Reign, passage: Passage) -> Iterator[str]:
    if reign.change is not None:
        by = f", asked by {reign.change.by}" if reign.change.by else ""
        yield f"{reign.change.rule}: {reign.change.reason}{by}."
    if passage.said:
        yield f"{passage.said.capitalize()}."
    if passage.served_s is None:
        yield f"Reign {reign.record.generation} did not open until {story.end_s:.1f} s, when the trace ends."


def _broken(story: Story, at_s: float, line: GhostLine) -> Turn:
    start_s = _burst_before(story, at_s)
    margin_s = max(LEAST_S / 10, at_s - start_s) * _MARGIN
    return Turn(
        title=f"Broken: {word_of(line, 'check')}",
        text=said_of_violation(line),
        tone=Tone.BAD,
        start_s=min(start_s, at_s - LEAST_S / 10) - margin_s,
        end_s=at_s + margin_s,
    )


def _burst_before(story: Story, at_s: float) -> float:
    """Find where the deeds began that came one soon after another until a promise was broken, however fast it went."""
    deeds = [entry.at_s for entry in story.between(at_s - BEFORE_S, at_s) if _is_deed(entry.line)]
    if not deeds or at_s - deeds[-1] > ALONE_S:
        return at_s - ALONE_S
    start_s = deeds.pop()
    while deeds and start_s - deeds[-1] <= SOON_S:
        start_s = deeds.pop()
    return start_s


def _is_deed(line: Numbered | GhostLine) -> bool:
    """Say whether somebody did something: sent a command, or broke something."""
    return isinstance(line, CommandLine) or (isinstance(line, GhostLine) and line.what is Ghost.FAULT)

"""The lines of a trace with their places and times, and what led to what."""

import bisect
from collections.abc import Iterator, Sequence
from typing import Final

from attrs import define, field, frozen

from memgraph_ha.core.commands import Command, WriteRecord
from memgraph_ha.core.facts import CommandEnded, MembersSeen, ProbeMissed, RoleSeen
from memgraph_ha.trace.schema import (
    CommandLine,
    FactLine,
    FooterLine,
    Ghost,
    GhostLine,
    HeaderLine,
    Line,
    Numbered,
    Plain,
    Source,
    TickLine,
)

RECORD: Final = "record"
"""The id of the lane of the record."""


@frozen
class Entry:
    """One line that says that something happened.

    Attributes:
        number: Its place in the trace, from 1.
        at_s: When, on the clock of the timeline.
        line: What.
    """

    number: int
    at_s: float
    line: Numbered | GhostLine

    @property
    def seq(self) -> int | None:
        """Its own number, if it is a controller's."""
        return None if isinstance(self.line, GhostLine) else self.line.seq


def value_of(line: GhostLine, name: str) -> Plain:
    """Give what a ghost line says under a name; None if it says nothing."""
    return next((value for key, value in line.data if key == name), None)


def word_of(line: GhostLine, name: str) -> str:
    """Give what a ghost line says under a name as text; empty if it says nothing."""
    value = value_of(line, name)
    return "" if value is None else f"{value}"


def count_of(line: GhostLine, name: str, missing: int) -> int:
    """Give a whole number that a ghost line says."""
    value = value_of(line, name)
    return value if isinstance(value, int) else missing


def instance_lane(name: str) -> str:
    """Give the id of an instance's lane."""
    return f"instance {name}"


def target_of(command: Command) -> str:
    """Give the id of the lane where a command takes effect."""
    return RECORD if isinstance(command, WriteRecord) else instance_lane(command.instance)


@frozen
class Story:
    """A trace, ready to be looked at from several sides.

    Attributes:
        header: Its first line.
        entries: What happened, in order.
        footer: Its last line, if it was ended in order.
        zero_s: What the recorder's clock said at 0 of the timeline.
    """

    header: HeaderLine
    entries: tuple[Entry, ...]
    footer: FooterLine | None
    zero_s: float
    _by_seq: dict[int, Entry] = field(init=False, repr=False, eq=False)
    _landed: dict[int, Entry] = field(init=False, repr=False, eq=False)
    _command: dict[int, Entry] = field(init=False, repr=False, eq=False)
    _end: dict[int, Entry] = field(init=False, repr=False, eq=False)

    def __attrs_post_init__(self) -> None:
        """Note where every number is, and which lines say that commands took effect."""
        numbered = {entry.seq: entry for entry in self.entries if entry.seq is not None}
        object.__setattr__(self, "_by_seq", numbered)
        ends = {
            entry.line.of: entry
            for entry in self.entries
            if isinstance(entry.line, FactLine) and entry.line.of is not None
        }
        object.__setattr__(self, "_end", ends)
        pairs = list(_landings(self.entries))
        object.__setattr__(self, "_landed", {command.number: effect for command, effect in pairs})
        object.__setattr__(self, "_command", {effect.number: command for command, effect in pairs})

    @property
    def start_s(self) -> float:
        """When the first thing happened."""
        return self.entries[0].at_s if self.entries else 0.0

    @property
    def end_s(self) -> float:
        """When the last thing happened, or the trace was ended."""
        last = self.entries[-1].at_s if self.entries else 0.0
        return last if self.footer is None else max(last, self.footer.t - self.zero_s)

    def of_seq(self, seq: int) -> Entry | None:
        """Find the line with that ``seq``."""
        return self._by_seq.get(seq)

    def end_of(self, seq: int) -> Entry | None:
        """Find the fact with which the command of that ``seq`` ended."""
        return self._end.get(seq)

    def landing(self, command: Entry) -> Entry | None:
        """Find the ghost line that says that this command took effect."""
        return self._landed.get(command.number)

    def command_of(self, landing: Entry) -> Entry | None:
        """Find the command whose effect a ghost line tells."""
        return self._command.get(landing.number)

    def between(self, start_s: float, end_s: float) -> tuple[Entry, ...]:
        """List what happened from one moment to another, both included."""
        first = bisect.bisect_left(self.entries, start_s, key=lambda entry: entry.at_s)
        last = bisect.bisect_right(self.entries, end_s, key=lambda entry: entry.at_s)
        return self.entries[first:last]


def read_story(lines: Sequence[Line]) -> Story:
    """Order the lines of a trace.

    Args:
        lines: As `memgraph_ha.trace.reading.read_trace` gives them, the header first.

    Raises:
        ValueError: There is no header.
    """
    header = next((line for line in lines if isinstance(line, HeaderLine)), None)
    if header is None:
        raise ValueError("the trace has no header line: it is not one, or its beginning was cut off")
    told = [(number, line) for number, line in enumerate(lines, 1) if not isinstance(line, HeaderLine | FooterLine)]
    virtual = header.source is Source.SIMULATOR
    zero_s = 0.0 if virtual or not told else min(line.t for _number, line in told)
    entries = sorted((Entry(number, line.t - zero_s, line) for number, line in told), key=lambda entry: entry.at_s)
    footer = next((line for line in reversed(lines) if isinstance(line, FooterLine)), None)
    return Story(header, tuple(entries), footer, zero_s)


# --- what led to what -----------------------------------------------------------------------------------------------


def _landings(entries: Sequence[Entry]) -> Iterator[tuple[Entry, Entry]]:
    """Pair each command with the ghost line of its effect: the first of its kind, sender and target after it."""
    waiting: dict[tuple[str, str, str], list[Entry]] = {}
    for entry in entries:
        line = entry.line
        if isinstance(line, CommandLine):
            key = (line.who, type(line.command).__name__, target_of(line.command))
            waiting.setdefault(key, []).append(entry)
        elif isinstance(line, GhostLine) and line.what is Ghost.LANDED:
            name = word_of(line, "command")
            target = RECORD if name == WriteRecord.__name__ else instance_lane(word_of(line, "instance"))
            found = waiting.get((line.who, name, target))
            if found:
                yield found.pop(0), entry


def causes_of(story: Story) -> dict[int, tuple[int, ...]]:
    """Say for each line which lines led to it, by their numbers.

    A decision comes from the facts that said something new, or, if only time passed, from the decision before it
    that acted or waited; a command from its decision; its end and its effect from the command. What became of an
    instance comes from the fault, and is what the first fact that each controller hears of it comes from.
    """
    found: dict[int, tuple[int, ...]] = {}
    memory = _Memory(story)
    for entry in story.entries:
        numbers = {cause.number for cause in memory.causes(entry) if cause is not None}
        if numbers:
            found[entry.number] = tuple(sorted(numbers))
    return found


@define
class _Memory:
    """What may have led to the next line.

    Attributes:
        state: What became of each instance last.
        blow: The last fault of each instance that has not shown yet.
        tick: The last tick of each controller.
        active: The last decision of each controller that acted or waited, since it was last steady.
        heard: Which state of which instance each controller knows of.
    """

    story: Story
    state: dict[str, Entry] = field(factory=dict)
    blow: dict[str, Entry] = field(factory=dict)
    tick: dict[str, Entry] = field(factory=dict)
    active: dict[str, tuple[str, Entry]] = field(factory=dict)
    heard: dict[tuple[str, str], int] = field(factory=dict)

    def causes(self, entry: Entry) -> Sequence[Entry | None]:
        line = entry.line
        match line:
            case TickLine():
                return self._tick(entry, line)
            case CommandLine():
                return [self.story.of_seq(line.by)]
            case FactLine(fact=CommandEnded()):
                return [None if line.of is None else self.story.of_seq(line.of)]
            case FactLine(fact=ProbeMissed() as fact):
                return [self.state.get(fact.instance)]
            case FactLine(fact=MembersSeen() as fact):
                return [self._news(line.who, member.name) for member in fact.members]
            case FactLine(fact=RoleSeen() as fact):
                return [self._news(line.who, fact.instance)]
            case GhostLine():
                return self._ghost(entry, line)
            case _:
                return []

    def _tick(self, entry: Entry, line: TickLine) -> Sequence[Entry | None]:
        """Remember a decision by its rule: the first tick of several that decided the same is the one that counts."""
        before = self.active.get(line.who)
        self.tick[line.who] = entry
        decision = line.decision
        if decision is None or (decision.hold is None and not decision.commands):
            self.active.pop(line.who, None)
        elif before is None or before[0] != decision.rule:
            self.active[line.who] = (decision.rule, entry)
        if line.causes:
            return [self.story.of_seq(seq) for seq in line.causes]
        return [before[1] if before is not None else None]

    def _news(self, who: str, instance: str) -> Entry | None:
        state = self.state.get(instance)
        if state is None or self.heard.get((who, instance)) == state.number:
            return None
        self.heard[who, instance] = state.number
        return state

    def _ghost(self, entry: Entry, line: GhostLine) -> Sequence[Entry | None]:
        match line.what:
            case Ghost.FAULT:
                self.blow[line.who] = entry
                return []
            case Ghost.INSTANCE:
                self.state[line.who] = entry
                return [self.blow.pop(line.who, None)]
            case Ghost.GATE:
                return [self.tick.get(line.who)]
            case Ghost.LANDED:
                return [self.story.command_of(entry)]
            case _:
                return []

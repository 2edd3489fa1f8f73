"""The lanes of what is inside of memgraph-ha: controllers with their lease and decisions, and gateways."""

from collections.abc import Iterator
from typing import Final

from attrs import define, field

from memgraph_ha.core.decision import Decision
from memgraph_ha.core.facts import CommandEnded, GapSeen, LeaseSeen, Outcome
from memgraph_ha.core.permit import Route
from memgraph_ha.sim.render.model import Arrow, Kind, Lane, Mark, Shape, Tone, Weave
from memgraph_ha.sim.render.routine import routine_of
from memgraph_ha.sim.render.spans import Look, Row
from memgraph_ha.sim.render.story import Entry, Story, target_of, word_of
from memgraph_ha.sim.render.telling import OUTCOMES, tone_of
from memgraph_ha.sim.render.words import said_of_command
from memgraph_ha.trace.schema import CommandLine, EndLine, FactLine, Ghost, GhostLine, StartLine, TickLine

_LEADS: Final = Look(tone=Tone.INFO, weave=Weave.THIN, text="it holds the lease")
_FOLLOWS: Final = Look(tone=Tone.SOFT, weave=Weave.THIN, text="it does not hold the lease")
_DOWN: Final = Look(tone=Tone.BAD, weave=Weave.HATCHED, label="down", text="its process does not run")
_FROZEN: Final = Look(tone=Tone.INFO, weave=Weave.HATCHED, label="frozen", text="its process stands still")

_SHAPES: Final = {
    Outcome.DONE: Shape.DOT,
    Outcome.REFUSED: Shape.CROSS,
    Outcome.UNKNOWN: Shape.RING,
    Outcome.NOT_SENT: Shape.RING,
}

LEASE, DECISIONS, COMMANDS = 0, 1, 2
"""The rows of a controller's lane."""


def controller_lane(name: str) -> str:
    """Give the id of a controller's lane."""
    return f"controller {name}"


def controllers_of(story: Story) -> tuple[str, ...]:
    """Name the controllers that recorded anything, in alphabetical order."""
    return tuple(sorted({entry.line.who for entry in story.entries if not isinstance(entry.line, GhostLine)}))


def controller_lanes(story: Story) -> Iterator[Lane]:
    """Draw a lane per controller: whether it leads, what it decides, and which commands it sends."""
    routine = routine_of(story)
    for name in controllers_of(story):
        desk = _Desk(story, routine)
        for entry in story.entries:
            if entry.line.who == name:
                desk.take(entry)
        spans = (*desk.lease.end(story.end_s), *desk.decisions.end(story.end_s))
        yield Lane(
            id=controller_lane(name),
            kind=Kind.CONTROLLER,
            title=name,
            note="controller",
            rows=(6, 22, 8),
            spans=spans,
            marks=tuple(desk.marks),
        )


@define
class _Desk:
    story: Story
    routine: frozenset[int]
    lease: Row = field(factory=lambda: Row(LEASE))
    decisions: Row = field(factory=lambda: Row(DECISIONS))
    marks: list[Mark] = field(factory=list)

    def take(self, entry: Entry) -> None:
        line, at_s, number = entry.line, entry.at_s, entry.number
        again = number in self.routine
        match line:
            case StartLine():
                self.lease.become(at_s, "start", _FOLLOWS, number)
                self.decisions.become(at_s, "start", None)
            case EndLine():
                self.lease.become(at_s, "down", None)
                self.decisions.become(at_s, "down", _DOWN, number)
            case FactLine(fact=LeaseSeen() as fact):
                self.lease.become(at_s, fact.leading, _LEADS if fact.leading else _FOLLOWS)
            case FactLine(fact=GapSeen()):
                self.marks.append(
                    Mark(row=DECISIONS, at_s=at_s, shape=Shape.TICK, tone=Tone.WARN, text="it stood still before")
                )
            case TickLine() if not again:
                key, look = _decided(line.decision)
                self.decisions.become(at_s, key, look, number)
            case GhostLine(what=Ghost.INSTANCE) if word_of(line, "state") == "frozen":
                self.decisions.become(at_s, "frozen", _FROZEN)
            case CommandLine():
                self.marks.append(_sent(entry, line, ended_of(self.story, entry), again=again))
            case _:
                pass


def _decided(decision: Decision | None) -> tuple[object, Look]:
    if decision is None:
        return "broke", Look(tone=Tone.BAD, label="BROKE", text="the decision would have broken a promise")
    hold = "" if decision.hold is None else f" [{decision.hold.word}]"
    words = decision.name.replace("_", " ")
    look = Look(
        tone=tone_of(decision),
        label=f"{decision.rule} {words}",
        brief=decision.rule,
        text=f"{decision.rule} {words}: {decision.reason}{hold}",
    )
    return (decision.rule, decision.hold), look


def _sent(entry: Entry, line: CommandLine, end: Entry | None, *, again: bool) -> Mark:
    outcome = outcome_of(end)
    said = "its end is not known" if end is None or outcome is None else f"{outcome.value} at {end.at_s:.3f} s"
    text = f"{said_of_command(line.command)}: {said}"
    if again and outcome is Outcome.DONE:
        return Mark(row=COMMANDS, at_s=entry.at_s, shape=Shape.SPECK, tone=Tone.SOFT, text=f"again: {text}")
    return Mark(
        row=COMMANDS,
        at_s=entry.at_s,
        shape=Shape.RING if outcome is None else _SHAPES[outcome],
        tone=Tone.WARN if outcome is None else OUTCOMES[outcome],
        text=text,
        event=entry.number,
    )


def ended_of(story: Story, command: Entry) -> Entry | None:
    """Find the fact with which a command ended."""
    return None if command.seq is None else story.end_of(command.seq)


def outcome_of(end: Entry | None) -> Outcome | None:
    """Say how a command ended, by that fact."""
    if end is not None and isinstance(end.line, FactLine) and isinstance(end.line.fact, CommandEnded):
        return end.line.fact.outcome
    return None


def arrows_of(story: Story) -> Iterator[Arrow]:
    """Draw an arrow per command: to where it took effect, or else to when its end was learnt; none for routine."""
    routine = routine_of(story)
    for entry in story.entries:
        line = entry.line
        if not isinstance(line, CommandLine) or entry.number in routine:
            continue
        end = ended_of(story, entry)
        outcome = outcome_of(end)
        effect = story.landing(entry) or end or entry
        yield Arrow(
            start_s=entry.at_s,
            source=controller_lane(line.who),
            end_s=effect.at_s,
            target=target_of(line.command),
            tone=Tone.WARN if outcome is None else OUTCOMES[outcome],
            text=said_of_command(line.command),
            event=entry.number,
        )


# --- gateways -------------------------------------------------------------------------------------------------------

_LOOKS: Final = {
    "open": (Tone.OK, Weave.PLAIN),
    "quiet": (Tone.INFO, Weave.HATCHED),
    "held": (Tone.WARN, Weave.PLAIN),
    "shut": (Tone.SOFT, Weave.THIN),
}

_MEANT: Final = {
    "open": "writes pass",
    "quiet": "a quiet moment: new transactions wait",
    "held": "shut: new connections wait",
    "shut": "shut: connections are refused",
}


def gateway_lanes(story: Story) -> Iterator[Lane]:
    """Draw a lane per gateway: as the simulator saw it, or else as its controller decided."""
    told = {
        entry.line.who for entry in story.entries if isinstance(entry.line, GhostLine) and entry.line.what is Ghost.GATE
    }
    for name in controllers_of(story):
        row = Row(0)
        for entry in story.entries:
            line = entry.line
            if line.who != name:
                continue
            if isinstance(line, EndLine):
                _gate(row, entry, "shut", "", 0)
            elif isinstance(line, GhostLine) and line.what is Ghost.GATE:
                _gate(row, entry, word_of(line, "state"), word_of(line, "instance"), word_of(line, "generation"))
            elif isinstance(line, TickLine) and line.decision is not None and name not in told:
                _gate(row, entry, *_routed(line.decision.route))
        yield Lane(
            id=f"gateway {name}",
            kind=Kind.GATEWAY,
            title="gateway",
            note=f"of {name}",
            rows=(20,),
            spans=row.end(story.end_s),
        )


def _routed(route: Route) -> tuple[str, str, int]:
    if route.permit is None:
        return ("held" if route.hold else "shut"), "", 0
    return ("quiet" if route.quiet else "open"), route.permit.instance, route.permit.generation


def _gate(row: Row, entry: Entry, state: str, instance: str, generation: str | int) -> None:
    tone, weave = _LOOKS.get(state, (Tone.BAD, Weave.PLAIN))
    to = f" to {instance}" if instance else ""
    look = Look(
        tone=tone,
        weave=weave,
        label="" if weave is Weave.THIN else f"{state}{to}{f', reign {generation}' if instance else ''}",
        brief="" if weave is Weave.THIN else instance or state,
        text=f"{state}{to}{f' in reign {generation}' if instance else ''}: {_MEANT.get(state, state)}",
    )
    row.become(entry.at_s, (state, instance, f"{generation}"), look)

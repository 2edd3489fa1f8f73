"""The lanes of the cluster itself: the record with its reigns, and the instances.

Where the simulator says what was so, that is drawn; elsewhere what the controllers were told, the leader first.
"""

from collections.abc import Iterator
from typing import Final

from attrs import define, field

from memgraph_ha.core.facts import (
    LeaseSeen,
    MembersSeen,
    Miss,
    ProbeMissed,
    RecordSeen,
    RecordTrouble,
    RoleSeen,
    RowsSeen,
)
from memgraph_ha.core.record import Record
from memgraph_ha.core.topology import Mode, Role, RowStatus
from memgraph_ha.core.topology import Row as Replica
from memgraph_ha.sim.render.lanes_inside import controllers_of
from memgraph_ha.sim.render.model import Kind, Lane, Mark, Shape, Tone, Weave
from memgraph_ha.sim.render.spans import Look, Row
from memgraph_ha.sim.render.story import RECORD, Entry, Story, instance_lane, word_of
from memgraph_ha.sim.render.words import run_of, said_of_record
from memgraph_ha.trace.schema import EndLine, FactLine, Ghost, GhostLine, StartLine


@define(frozen=True)
class Written:
    """A record, and the line in which it was first seen.

    Attributes:
        record: None: there was none any more.
        trouble: Why it could not be used; empty if it could.
    """

    entry: Entry
    record: Record | None
    trouble: str = ""


def records_of(story: Story) -> Iterator[Written]:
    """List what the record held, each time it was another; what a stale read served again is left out.

    That one controller could not read it says nothing of the record: its own lane tells that it waits.
    """
    seen: set[str] = set()
    newest: str | None = None
    last: tuple[str | None, str] | None = None
    for entry in story.entries:
        line = entry.line
        if not isinstance(line, FactLine) or not isinstance(line.fact, RecordSeen):
            continue
        fact = line.fact
        if fact.trouble in (RecordTrouble.UNREADABLE, RecordTrouble.UNANSWERED):
            continue
        trouble = "" if fact.trouble is None else fact.trouble.value
        stale = not trouble and fact.token in seen and fact.token != newest
        if stale or (fact.token, trouble) == last:
            continue
        last = (fact.token, trouble)
        if fact.token is not None and not trouble:
            seen.add(fact.token)
            newest = fact.token
        yield Written(entry, fact.record, trouble)


def record_lane(story: Story) -> Lane | None:
    """Draw whose reign it was, and who was its standby; None if nobody ever read the record."""
    reigns, seconds, marks = Row(0), Row(1), []
    found = list(records_of(story))
    for written in found:
        entry, record = written.entry, written.record
        if record is None:
            said = f"the record cannot be used: {written.trouble}" if written.trouble else "there is no record"
            look = Look(tone=Tone.BAD, weave=Weave.HATCHED, label=said, brief="no record", text=said)
            reigns.become(entry.at_s, None, look)
            seconds.become(entry.at_s, None, None)
            continue
        reigns.become(entry.at_s, (record.generation, record.opened), _reign(record))
        seconds.become(entry.at_s, _second_key(record), _second(record))
        if record.paused is not None or record.switchover is not None:
            marks.append(Mark(row=0, at_s=entry.at_s, shape=Shape.DIAMOND, tone=Tone.WARN, text=said_of_record(record)))
    if not found:
        return None
    spans = (*reigns.end(story.end_s), *seconds.end(story.end_s))
    return Lane(
        id=RECORD, kind=Kind.RECORD, title="record", note="reigns", rows=(22, 16), spans=spans, marks=tuple(marks)
    )


def _reign(record: Record) -> Look:
    kind = record.history[-1].kind.value if record.history else ""
    opened = "" if record.opened else ", not opened yet"
    return Look(
        tone=Tone.OK if record.opened else Tone.WARN,
        label=f"reign {record.generation}: {record.main}{f', {kind}' if kind else ''}{opened}",
        brief=f"{record.generation}: {record.main}",
        text=said_of_record(record),
    )


def _second_key(record: Record) -> tuple[object, ...]:
    return (record.standby, record.unprotected, record.fallback and record.fallback.instance)


def _second(record: Record) -> Look:
    if record.standby is not None:
        name = record.standby.instance
        return Look(tone=Tone.OK, label=f"standby {name}", brief=name, text=f"{name} is proven as {record.standby.row}")
    if record.unprotected:
        return Look(
            tone=Tone.WARN, weave=Weave.STRONG, label="unprotected", brief="!", text="writes may flow without a standby"
        )
    if record.fallback is not None:
        name = record.fallback.instance
        return Look(tone=Tone.INFO, label=f"fallback {name}", brief=name, text=f"{name} held every write as it began")
    return Look(tone=Tone.SOFT, label="no standby", text="no standby is named")


# --- instances ------------------------------------------------------------------------------------------------------

_MAIN: Final = (Tone.OK, Weave.STRONG)
_REPLICA: Final = (Tone.INFO, Weave.PLAIN)

_STATES: Final = {
    "down": Look(tone=Tone.BAD, weave=Weave.HATCHED, label="down", text="no process runs"),
    "starting": Look(tone=Tone.WARN, weave=Weave.HATCHED, label="starting", brief="…", text="it does not answer yet"),
}

_MISSES: Final = {
    Miss.REFUSED: Look(tone=Tone.BAD, weave=Weave.HATCHED, label="refuses", text="connections are refused"),
    Miss.TIMED_OUT: Look(tone=Tone.BAD, weave=Weave.HATCHED, label="silent", text="no answer in time"),
    Miss.UNAUTHORISED: Look(tone=Tone.WARN, weave=Weave.HATCHED, label="refuses our password", brief="password"),
    Miss.UNREADABLE: Look(tone=Tone.WARN, weave=Weave.HATCHED, label="unreadable answers", brief="?"),
}

_ROLES: Final = frozenset(role.name for role in Role)


def instance_lanes(story: Story) -> Iterator[Lane]:
    """Draw a lane per instance: its role and runs, and how MAIN sees it as a replica."""
    eyes = _Eyes(frozenset(controllers_of(story)))
    for entry in story.entries:
        eyes.take(entry)
    for name in sorted(eyes.places):
        place = eyes.places[name]
        yield Lane(
            id=instance_lane(name),
            kind=Kind.INSTANCE,
            title=name,
            note="instance" if place.certain else "as it was seen",
            rows=(24, 5),
            spans=(*place.role.end(story.end_s), *place.row.end(story.end_s)),
            marks=tuple(place.marks),
        )


@define
class _Place:
    """What is known of one instance.

    Attributes:
        certain: The simulator said something of it: what controllers believe counts only where it did not.
        state: ``up``, ``starting``, ``frozen``, ``down``, or empty.
        known: Its role and run, by name; empty if they are not known.
        run: The last run that was seen.
    """

    name: str
    role: Row = field(factory=lambda: Row(0))
    row: Row = field(factory=lambda: Row(1))
    marks: list[Mark] = field(factory=list)
    certain: bool = False
    state: str = ""
    known: tuple[str, str] = ("", "")
    run: str = ""

    def draw(self, entry: Entry, event: int | None = None) -> None:
        """Draw what is known now; a new run gets a tick."""
        role, run = self.known
        look = _frozen(role) if self.state == "frozen" else _STATES.get(self.state) or _living(self.name, role, run)
        self.role.become(entry.at_s, (self.state, role, run), look, event)
        if run and run != self.run:
            if self.run:
                said = f"another process: run {run_of(run)}"
                self.marks.append(Mark(row=0, at_s=entry.at_s, shape=Shape.TICK, tone=Tone.SOFT, text=said))
            self.run = run


@define
class _Eyes:
    """What is known of every instance; of what was seen only the leader's eyes count, while there is one.

    Attributes:
        controllers: Who is none.
        leader: Who leads, as far as is known.
        addresses: Who has which replication address.
        main: Whose rows are drawn.
    """

    controllers: frozenset[str]
    places: dict[str, _Place] = field(factory=dict)
    leader: str = ""
    addresses: dict[str, str] = field(factory=dict)
    main: str = ""

    def take(self, entry: Entry) -> None:
        line = entry.line
        match line:
            case GhostLine(what=Ghost.INSTANCE) if line.who not in self.controllers:
                self._was(entry, line)
            case GhostLine(what=Ghost.LANDED) if word_of(line, "outcome") in _ROLES:
                self._landed(entry, word_of(line, "instance"), word_of(line, "outcome"))
            case FactLine():
                self._seen(entry, line)
            case StartLine() | EndLine() if line.who == self.leader:
                self.leader = ""
            case _:
                pass

    def _place(self, name: str) -> _Place:
        return self.places.setdefault(name, _Place(name))

    def _was(self, entry: Entry, line: GhostLine) -> None:
        """Take the simulator's word; what it leaves out is as it was, unless the process is another one."""
        place = self._place(line.who)
        place.certain, place.state = True, word_of(line, "state")
        if place.state in ("down", "starting"):
            place.known = ("", "")
        role, run = place.known
        place.known = (word_of(line, "role") or role, word_of(line, "run") or run)
        place.draw(entry, entry.number)
        self._unless_main(entry, place)

    def _landed(self, entry: Entry, name: str, role: str) -> None:
        place = self._place(name)
        if place.certain and place.state == "up":
            place.known = (role, place.known[1])
            place.draw(entry, entry.number)
            self._unless_main(entry, place)

    def _seen(self, entry: Entry, line: FactLine) -> None:
        fact = line.fact
        if isinstance(fact, LeaseSeen):
            self.leader = line.who if fact.leading else "" if self.leader == line.who else self.leader
        if isinstance(fact, MembersSeen):
            self.addresses |= {member.replication: member.name for member in fact.members}
            for member in fact.members:
                self._place(member.name)
        if self.leader not in ("", line.who):
            return
        match fact:
            case RoleSeen():
                self._answered(entry, fact)
            case ProbeMissed() if not fact.excused and not self._place(fact.instance).certain:
                self._missed(entry, fact)
            case RowsSeen():
                self._rows(entry, fact)
            case _:
                pass

    def _answered(self, entry: Entry, fact: RoleSeen) -> None:
        """Believe an answer; of what the simulator tells it adds only what was left out."""
        place = self._place(fact.instance)
        role, run = place.known if place.certain else ("", "")
        if place.certain and place.state not in ("up", "starting"):
            return
        place.state = "up"
        place.known = (role or fact.role.name, run or fact.run)
        place.draw(entry)
        self._unless_main(entry, place)

    def _missed(self, entry: Entry, fact: ProbeMissed) -> None:
        place = self._place(fact.instance)
        place.role.become(entry.at_s, fact.miss, _MISSES[fact.miss])
        if fact.miss is Miss.REFUSED:
            place.known = ("", "")
            self._unless_main(entry, place)

    def _unless_main(self, entry: Entry, place: _Place) -> None:
        """Forget the rows of a MAIN that is none any more: they were a part of its process."""
        if place.name == self.main and place.known[0] != Role.MAIN.name:
            self.main = ""
            for other in self.places.values():
                other.row.become(entry.at_s, None, None)

    def _rows(self, entry: Entry, fact: RowsSeen) -> None:
        """Draw what MAIN says of its replicas; whoever has no row of its own is none of them."""
        self.main = fact.instance
        there = {self.addresses.get(row.address, ""): row for row in fact.rows}
        for name, place in self.places.items():
            row = there.get(name)
            if row is None:
                place.row.become(entry.at_s, None, None)
            else:
                place.row.become(entry.at_s, (row.name, row.mode, row.status), _attached(row))


def _living(name: str, role: str, run: str) -> Look:
    if not role:
        return Look(tone=Tone.SOFT, label="up", text=f"{name} runs; its role is not known yet")
    tone, weave = _MAIN if role == Role.MAIN.name else _REPLICA
    return Look(
        tone=tone,
        weave=weave,
        label=f"{role}, run {run_of(run)}" if run else role,
        brief=role,
        text=f"{name} is {role} (run {run_of(run)})",
    )


def _frozen(role: str) -> Look:
    """A frozen MAIN is MAIN all the same: it may wake with writes in its buffers (scenarios A3)."""
    label = f"frozen, {role}" if role else "frozen"
    return Look(tone=Tone.INFO, weave=Weave.HATCHED, label=label, brief="frozen", text="its process stands still")


def _attached(row: Replica) -> Look:
    """Draw a row: ``invalid`` of an ASYNC one comes and goes under load (transcripts, "Status words"), no alarm."""
    mode = "?" if row.mode is None else row.mode.name
    strict = row.mode is Mode.STRICT_SYNC
    match row.status:
        case RowStatus.READY | RowStatus.REPLICATING:
            tone = Tone.OK if strict else Tone.INFO
        case RowStatus.RECOVERY:
            tone = Tone.WARN
        case RowStatus.INVALID if not strict:
            tone = Tone.WARN
        case _:
            tone = Tone.BAD
    return Look(tone=tone, weave=Weave.THIN, text=f"MAIN's row {row.name}: {mode} {row.status.value}")

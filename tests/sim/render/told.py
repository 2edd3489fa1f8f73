"""Small traces, written line by line: what happened in each is known without reading it."""

from typing import Final

from attrs import define, evolve, field

from memgraph_ha.core.commands import Command, CommitNoop, Promote, WriteRecord
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.facts import (
    CommandEnded,
    Fact,
    LeaseSeen,
    MembersSeen,
    Miss,
    Outcome,
    ProbeMissed,
    RecordSeen,
    RoleSeen,
    RowsSeen,
)
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import Address, Incarnation, InstanceName, RowName, RunId, Token
from memgraph_ha.core.permit import Permit, Route
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.record import Change, ChangeKind, Fallback, Record, Standby
from memgraph_ha.core.topology import Member, Mode, Role, Row, RowStatus
from memgraph_ha.trace.schema import (
    CommandLine,
    EndLine,
    FactLine,
    FooterLine,
    Ghost,
    GhostLine,
    HeaderLine,
    Line,
    Plain,
    Source,
    StartLine,
    TickLine,
)

M0, M1 = InstanceName("m0"), InstanceName("m1")
RUN0, RUN1, RUN2 = RunId("run-a"), RunId("run-b"), RunId("run-c")

KILLED_S, BEGAN_S, LANDED_S, SERVED_S, BACK_S = 10.0, 11.0, 11.5, 12.0, 20.0
"""The moments of `failover`."""


@define
class Script:
    """Writes the lines of a trace, and numbers them.

    Attributes:
        lines: Those before the footer.
    """

    source: Source = Source.SIMULATOR
    began_at: float | None = None
    lines: list[Line] = field(factory=list)
    seq: int = 0

    def __attrs_post_init__(self) -> None:
        """Begin with a header, unless it goes on with lines that are there."""
        if self.lines:
            return
        header = HeaderLine(
            product="memgraph-ha 0", python="3", source=self.source, began_at=self.began_at, rules=(), digest=""
        )
        self.lines.append(header)

    def _add(self, line: Line) -> int:
        self.lines.append(line)
        return self.seq

    def _next(self) -> int:
        self.seq += 1
        return self.seq

    def start(self, t: float, who: str) -> int:
        """Write that a controller starts."""
        return self._add(StartLine(seq=self._next(), t=t, who=who, policy=Policy()))

    def end(self, t: float, who: str) -> int:
        """Write that a controller ends."""
        return self._add(EndLine(seq=self._next(), t=t, who=who, why="crash"))

    def fact(self, who: str, fact: Fact, of: int | None = None) -> int:
        """Write a fact, at its own time."""
        return self._add(FactLine(seq=self._next(), t=fact.at_s, who=who, fact=fact, of=of))

    def tick(self, t: float, who: str, decision: Decision | None, *causes: int, error: str = "") -> int:
        """Write a decision."""
        line = TickLine(
            seq=self._next(), t=t, who=who, now_s=t, wall_s=t, decision=decision, causes=causes, error=error
        )
        return self._add(line)

    def command(self, t: float, who: str, command: Command, by: int) -> int:
        """Write that a command was sent."""
        return self._add(CommandLine(seq=self._next(), t=t, who=who, by=by, command=command))

    def ended(self, t: float, who: str, command: Command, of: int, outcome: Outcome = Outcome.DONE) -> int:
        """Write how a command ended."""
        return self.fact(who, CommandEnded(at_s=t, command=command, outcome=outcome), of=of)

    def ghost(self, t: float, who: str, what: Ghost, **data: Plain) -> None:
        """Write what only the simulator can know."""
        self._add(GhostLine(t=t, who=who, what=what, data=tuple(sorted(data.items()))))

    def whole(self, t: float) -> tuple[Line, ...]:
        """Give all of it, with a footer."""
        return (*self.lines, FooterLine(t=t, verdict="ended", lines=len(self.lines), digest=""))


def decision(rule: str, *commands: Command, hold: Hold | None = None, open_to: Permit | None = None) -> Decision:
    """Make a decision of a rule."""
    route = Route(permit=open_to, hold=True, why="")
    name = f"name_of_{rule.lower()}"
    return Decision(
        reason=f"why {rule}", wake_at_s=0.0, commands=commands, hold=hold, rule=rule, name=name, route=route
    )


def permit(instance: InstanceName, generation: int) -> Permit:
    """Make leave to relay to an instance."""
    return Permit(
        instance=instance,
        address=Address(f"{instance}:7687"),
        run=RUN0,
        incarnation=Incarnation(instance),
        generation=generation,
        valid_until_s=1e9,
    )


def record(
    generation: int,
    main: InstanceName,
    *,
    opened: bool = True,
    standby: InstanceName | None = None,
    kind: ChangeKind = ChangeKind.FAILOVER,
    reason: str = "the reason of the change",
) -> Record:
    """Make a record whose last change began this reign."""
    change = Change(
        generation=generation, main=main, previous=None, kind=kind, standby=None, rule="L30", reason=reason, at=0.0
    )
    named = None if standby is None else Standby(instance=standby, run=RUN1, row=RowName(f"{standby}_1"))
    return Record(
        cluster="c",
        generation=generation,
        main=main,
        main_run=RUN0,
        opened=opened,
        standby=named,
        fallback=None if opened else Fallback(instance=M0, run=None),
        unprotected=opened and standby is None,
        row_seq=1,
        rebuild=frozenset(),
        database_uuid="uuid",
        level=(),
        history=(change,),
    )


def record_seen(t: float, value: Record, version: int) -> RecordSeen:
    """Make the fact that a record was read."""
    return RecordSeen(at_s=t, record=value, token=Token(f"{version}"))


MEMBERS: Final = tuple(
    Member(name=name, bolt=Address(f"{name}:7687"), replication=Address(f"{name}:10000"), incarnation=Incarnation(name))
    for name in (M0, M1)
)

PROMOTE: Final = Promote(instance=M1, run=RUN1, generation=2)
BEGIN: Final = WriteRecord(expected=Token("1"), record=record(2, M1, opened=False))
OPEN: Final = WriteRecord(expected=Token("2"), record=record(2, M1))
NOOP: Final = CommitNoop(instance=M0, run=RUN0, generation=1, standby=M1, row=RowName("m1_1"), database_uuid="uuid")


def failover(script: Script | None = None, *, ghosts: bool = True) -> tuple[Line, ...]:
    """Tell a failover from m0 to m1 in 30 s: killed at 10, begun at 11, landed at 11.5, open at 12, m0 back at 20.

    Two controllers; C1 leads. Writes every 0.1 s but from 10 to 12.1; one is in doubt at 10.05.
    """
    told = Script() if script is None else script
    for who in ("C1", "C2"):
        told.start(0.0, who)
        told.fact(who, LeaseSeen(at_s=0.0, leading=who == "C1"))
        told.fact(who, MembersSeen(at_s=0.0, cluster="c", members=MEMBERS))
        told.fact(who, record_seen(0.0, record(1, M0, standby=M1, kind=ChangeKind.BOOTSTRAP), 1))
    rows = (Row(name=RowName("m1_1"), address=MEMBERS[1].replication, mode=Mode.STRICT_SYNC, status=RowStatus.READY),)
    for name, run, role in ((M0, RUN0, Role.MAIN), (M1, RUN1, Role.REPLICA)):
        told.fact("C1", RoleSeen(at_s=0.1, asked_at_s=0.1, instance=name, run=run, role=role))
        if ghosts:
            told.ghost(0.0, name, Ghost.INSTANCE, state="up", role=role.name, run=run)
    told.fact("C1", RowsSeen(at_s=0.1, asked_at_s=0.1, instance=M0, run=RUN0, rows=rows))
    told.tick(0.1, "C1", decision("Z99", open_to=permit(M0, 1)))
    told.tick(0.1, "C2", decision("N10", hold=Hold.NOT_LEADING))
    for second in range(1, 10):
        tick = told.tick(second, "C1", decision("P10", NOOP, open_to=permit(M0, 1)))
        sent = told.command(second, "C1", NOOP, tick)
        told.ended(second + 0.01, "C1", NOOP, sent)
        told.tick(second + 0.01, "C1", decision("Z99", open_to=permit(M0, 1)))
    if ghosts:
        _writes(told, 1, 100)
        told.ghost(KILLED_S, "m0", Ghost.FAULT, verb="kill")
        told.ghost(KILLED_S, "m0", Ghost.INSTANCE, state="down")
        told.ghost(KILLED_S + 0.05, "app", Ghost.WRITES, outcome="indeterminate", count=1, instance="m0", generation=1)
    missed = ProbeMissed(at_s=10.2, asked_at_s=10.2, instance=M0, miss=Miss.REFUSED)
    seen = told.fact("C1", missed)
    told.tick(10.2, "C1", decision("L10", hold=Hold.LOOKING), seen)
    tick = told.tick(BEGAN_S, "C1", decision("L30", BEGIN))
    sent = told.command(BEGAN_S, "C1", BEGIN, tick)
    read = told.fact("C1", record_seen(BEGAN_S + 0.01, record(2, M1, opened=False), 2))
    done = told.ended(BEGAN_S + 0.01, "C1", BEGIN, sent)
    tick = told.tick(BEGAN_S + 0.02, "C1", decision("O20", PROMOTE), read, done)
    sent = told.command(BEGAN_S + 0.02, "C1", PROMOTE, tick)
    if ghosts:
        told.ghost(LANDED_S, "C1", Ghost.LANDED, command="Promote", instance="m1", outcome="done")
        told.ghost(LANDED_S, "m1", Ghost.INSTANCE, state="up", role="MAIN", run=RUN1)
    told.fact("C1", RoleSeen(at_s=11.6, asked_at_s=11.6, instance=M1, run=RUN1, role=Role.MAIN))
    told.ended(11.6, "C1", PROMOTE, sent)
    tick = told.tick(11.7, "C1", decision("O50", OPEN))
    sent = told.command(11.7, "C1", OPEN, tick)
    told.fact("C1", record_seen(11.8, record(2, M1), 3))
    told.ended(11.8, "C1", OPEN, sent)
    told.tick(SERVED_S, "C1", decision("Y20", hold=Hold.UNPROTECTED, open_to=permit(M1, 2)))
    if ghosts:
        _writes(told, 121, 300)
        told.ghost(BACK_S, "m0", Ghost.REPAIR, verb="start")
        told.ghost(BACK_S + 0.5, "m0", Ghost.INSTANCE, state="up", role="REPLICA", run=RUN2)
    told.fact("C1", RoleSeen(at_s=21.0, asked_at_s=21.0, instance=M0, run=RUN2, role=Role.REPLICA))
    told.fact("C1", record_seen(22.0, record(2, M1, standby=M0), 4))
    told.tick(22.0, "C1", decision("Z99", open_to=permit(M1, 2)))
    return told.whole(30.0)


def _writes(told: Script, first: int, last: int) -> None:
    for number in range(first, last):
        client = ("app", "batch")[number % 2]
        told.ghost(number / 10, client, Ghost.WRITES, outcome="acknowledged", count=1, first=number, last=number)


def broken() -> tuple[Line, ...]:
    """Tell a failover after which a promise was broken at 13."""
    lines = list(failover()[:-1])
    ghost = GhostLine(t=13.0, who="m1", what=Ghost.VIOLATION, data=(("check", "S1"), ("text", "m1 lacks write 99")))
    return (*lines, ghost, FooterLine(t=30.0, verdict="S1", lines=0, digest=""))


def renamed(lines: tuple[Line, ...], **names: str) -> tuple[Line, ...]:
    """Give controllers and clients other names, as hostile as one likes."""
    return tuple(
        evolve(line, who=names.get(line.who, line.who)) if not isinstance(line, HeaderLine | FooterLine) else line
        for line in lines
    )

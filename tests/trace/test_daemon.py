"""The daemon tells its recorder everything that a replay needs, in the order in which it was so."""

import time
from collections.abc import Callable, Iterable, Sequence
from typing import Final

import pytest
import trio
from attrs import evolve, fields

from memgraph_ha.adapters.ports import Report
from memgraph_ha.core import Decision, Fact, InvariantViolation, Policy, Route, View
from memgraph_ha.core.commands import InstanceCommand, RebuildInstance, StopInstance, WriteRecord
from memgraph_ha.core.facts import (
    CommandEnded,
    GateSeen,
    LeaseSeen,
    MembersSeen,
    Miss,
    Outcome,
    ProbeMissed,
    RecordSeen,
    RoleSeen,
    StorageSeen,
)
from memgraph_ha.core.names import InstanceName, Token
from memgraph_ha.core.topology import Member
from memgraph_ha.daemon import Daemon, World
from memgraph_ha.sim.replay.comparing import compare_all
from memgraph_ha.trace.recorder import LineRecorder, ListSink
from memgraph_ha.trace.schema import CommandLine, EndLine, FactLine, PolicyLine, Source, StartLine, TickLine
from tests.api.rig import until
from tests.core.changes import gate_shut, refuses
from tests.core.places import M0, NOW, WALL
from tests.core.views import HEALTHY

LONG_S: Final = 30.0


class Scripted:
    """The ports of a controller, behind which facts are told from a script."""

    def __init__(self, clock: Callable[[], float]) -> None:
        self.clock = clock
        self.reading = next(fact for fact in HEALTHY.facts() if isinstance(fact, RecordSeen))
        self.report: Report = lambda _fact: None
        self.ready = trio.Event()

    # --- Lease

    @property
    def leader(self) -> str | None:
        """We are."""
        return "us"

    async def campaign(self, report: Report) -> None:
        """Lead for long."""
        report(LeaseSeen(at_s=self.clock(), leading=True, until_s=NOW + 1000, since_s=NOW - 100))
        await trio.sleep_forever()

    def raise_floor(self, generation: int) -> None:
        """Keep nothing."""

    async def release(self) -> None:
        """Give it back."""
        await trio.lowlevel.checkpoint()

    # --- RecordStore

    async def read(self) -> RecordSeen:
        """Read what was written last."""
        await trio.lowlevel.checkpoint()
        self.reading = evolve(self.reading, at_s=self.clock())
        return self.reading

    async def write(self, command: WriteRecord, report: Report) -> CommandEnded:
        """Write, and read back."""
        at_s = self.clock()
        self.reading = RecordSeen(at_s=at_s, record=command.record, token=Token(f"token-{at_s}"))
        report(self.reading)
        return await self._done(command)

    async def _done(self, command: InstanceCommand | StopInstance | RebuildInstance | WriteRecord) -> CommandEnded:
        await trio.lowlevel.checkpoint()
        return CommandEnded(at_s=self.clock(), command=command, outcome=Outcome.DONE)

    # --- Gateway

    async def serve(self, report: Report, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Say that nothing is let through yet."""
        report(GateSeen(at_s=self.clock(), permit=None))
        task_status.started()
        await trio.sleep_forever()

    def apply(self, route: Route) -> None:
        """Do as the route says, and say so."""
        self.report(GateSeen(at_s=self.clock(), permit=route.permit))

    def cut_open(self) -> None:
        """Cut nobody."""

    # --- Platform and Database

    async def watch(self, report: Report) -> None:
        """Hand the way to report to whoever tells the story."""
        self.report = report
        self.ready.set()
        await trio.sleep_forever()

    async def stop(self, command: StopInstance) -> CommandEnded:
        """Do as if."""
        return await self._done(command)

    async def rebuild(self, command: RebuildInstance) -> CommandEnded:
        """Do as if."""
        return await self._done(command)

    async def execute(self, command: InstanceCommand, report: Report) -> CommandEnded:
        """Do as if."""
        del report
        return await self._done(command)

    def follow(self, members: Sequence[Member]) -> None:
        """Follow nobody."""

    def look(self, names: Iterable[InstanceName]) -> None:
        """Whoever lives answers at once, as before; MAIN is lost whenever somebody looks."""
        now_s = self.clock()
        if M0 in names:
            self.report(ProbeMissed(at_s=now_s, asked_at_s=now_s, instance=M0, miss=Miss.REFUSED))
        for fact in HEALTHY.facts():
            if isinstance(fact, RoleSeen | StorageSeen) and fact.instance in names and fact.instance != M0:
                self.report(evolve(fact, at_s=now_s, asked_at_s=now_s))


def tape() -> tuple[ListSink, Daemon, Scripted]:
    """Make a daemon that records into memory."""
    begin_s = time.monotonic()

    def clock() -> float:
        return NOW + time.monotonic() - begin_s

    sink, ports = ListSink(), Scripted(clock)
    recorder = LineRecorder(sink, source=Source.DAEMON, clock=clock, wall=lambda: WALL)
    world = World(record=ports, lease=ports, platform=ports, database=ports, gateway=ports)
    daemon = Daemon(HEALTHY.policy, world, clock=clock, wall=lambda: WALL, recorder=recorder, name="pid 1")
    return sink, daemon, ports


def told(*, lost: bool) -> list[Fact]:
    """What instances say of themselves: of a healthy cluster, or of one whose MAIN refuses."""
    facts = (HEALTHY.but(refuses(M0), gate_shut()) if lost else HEALTHY).facts()
    return [fact for fact in facts if not isinstance(fact, (LeaseSeen, RecordSeen))]


@pytest.mark.trio
async def test_what_the_daemon_records_replays_to_identical_decisions() -> None:
    """A failover by the real loop: facts, decisions, commands and their ends; another policy on the way."""
    sink, daemon, ports = tape()
    with trio.fail_after(LONG_S):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.run)
            await ports.ready.wait()
            for fact in told(lost=False):
                ports.report(fact)
            await until(lambda: "Z99" in decided(sink))
            daemon.policy = evolve(daemon.policy, frozen_count=17)
            for fact in told(lost=True):
                ports.report(fact)
            await until(lambda: "O10" in decided(sink) and any(isinstance(x, CommandLine) for x in sink.lines))
            nursery.cancel_scope.cancel()
    lines = sink.lines
    assert isinstance(lines[1], StartLine)
    assert lines[1].who == "pid 1"
    assert isinstance(lines[-1], EndLine)
    assert [line.policy.frozen_count for line in lines if isinstance(line, PolicyLine)] == [17]
    found = compare_all(lines, strict=True)
    assert found.first is None
    assert found.ticks == len([line for line in lines if isinstance(line, TickLine)])
    sent = [line for line in lines if isinstance(line, CommandLine)]
    by = {line.seq: line for line in lines if isinstance(line, TickLine)}
    assert sent
    for line in sent:
        decision = by[line.by].decision
        assert decision is not None
        assert line.command in decision.commands
    ended = [line.of for line in lines if isinstance(line, FactLine) and isinstance(line.fact, CommandEnded)]
    assert ended[0] == sent[0].seq


@pytest.mark.trio
async def test_a_daemon_whose_rules_break_leaves_what_they_broke_on(monkeypatch: pytest.MonkeyPatch) -> None:
    """Our own bug ends it; its last line but one is the tick that nobody decided."""
    sink, daemon, ports = tape()

    def broken(view: View) -> Decision:
        if view.observed.members is None:
            return Decision(reason="not yet", wake_at_s=view.now_s + 1)
        raise InvariantViolation("rule X99 breaks S1")

    monkeypatch.setattr("memgraph_ha.daemon.decide", broken)
    with trio.fail_after(LONG_S), pytest.RaisesGroup(InvariantViolation, flatten_subgroups=True):
        async with trio.open_nursery() as nursery:
            nursery.start_soon(daemon.run)
            await ports.ready.wait()
            ports.report(next(fact for fact in told(lost=False) if isinstance(fact, MembersSeen)))
    tick, end = sink.lines[-2:]
    assert isinstance(tick, TickLine)
    assert (tick.decision, tick.error) == (None, "rule X99 breaks S1")
    assert isinstance(end, EndLine)


def decided(sink: ListSink) -> set[str]:
    """Which rules have decided."""
    return {line.decision.rule for line in sink.lines if isinstance(line, TickLine) and line.decision is not None}


def test_a_policy_has_no_field_for_a_secret() -> None:
    """It is written as it is."""
    assert not [each.name for each in fields(Policy) if "password" in each.name or "secret" in each.name]

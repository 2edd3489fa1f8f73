"""One nursery: sources report facts, every tick observes and decides, the gateway follows, commands run.

The daemon knows the world only through the ports; it holds no opinion of its own. Three orders matter:
a route is applied before the commands of the same decision; a command is sent only if the lease outlives its
deadline, checked right before; and a decision of an earlier, *urgent* rule preempts commands of a later one, so that
a hanging repair never delays a failover (docs/decisions/0003).
"""

import math
from collections.abc import Callable
from typing import assert_never

import structlog
import trio
from attrs import define, frozen

from memgraph_ha.adapters.ports import Database, Gateway, Lease, Platform, RecordStore
from memgraph_ha.api.accounting import Accounting
from memgraph_ha.core import RULES, Decision, Fact, InvariantViolation, Observed, Policy, View, decide, observe
from memgraph_ha.core.commands import (
    Command,
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
from memgraph_ha.core.facts import (
    CommandEnded,
    GapSeen,
    LeaseSeen,
    MembersSeen,
    Outcome,
    QuietSeen,
    RecordSeen,
    SentinelBroke,
    ServerSeen,
)
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.permit import Route
from memgraph_ha.core.rows import version_tuple
from memgraph_ha.core.rules.reporting import OLDEST_VERSION
from memgraph_ha.desk import Desk
from memgraph_ha.trace.recorder import NO_RECORDER, Recorder

LONGEST_SLEEP_S = 0.25
"""The loop turns at least this often: permits and verdicts of silence need no event."""

RECORD_POLL_S = 1.0
"""How often the record is read again without a reason."""

ADVISED_VERSION = (3, 8, 0)

LOOK_PAUSE_S = 0.05
"""Least time between two looks that one waiting rule asks for."""

_ORDER = {rule.id: index for index, rule in enumerate(RULES)}
_URGENT = frozenset(rule.id for rule in RULES if rule.urgent)

_ROUTINE = "P10"
"""The rule that proves a named standby again: every second under load, for ever; its lines are for debugging."""


@frozen(kw_only=True)
class World:
    """The ports of one controller."""

    record: RecordStore
    lease: Lease
    platform: Platform
    database: Database
    gateway: Gateway


@define
class _Batch:
    """Commands on their way; ``scope`` is that of the one in flight, None while it must not be cut off.

    ``tick`` is the number under which the decision was recorded.
    """

    decision: Decision
    tick: int
    cut: bool = False
    scope: trio.CancelScope | None = None


Watcher = Callable[[View, Decision], None]
"""Called after every tick; returns at once."""


class Daemon:
    """One controller.

    Resource handling:
        Everything it starts lives in the nursery of `run` and ends with it. Leaving `run` in any way shuts the
        gateway first and releases the lease last.

    Error handling:
        What peers do wrong arrives as facts. `InvariantViolation` is our own bug: the gateway is shut and the
        exception leaves `run`.

    Args:
        policy: The operator's choices.
        world: The ports.
        clock: Monotonic seconds that count suspend (CLOCK_BOOTTIME).
        wall: Seconds since 1970.
        watcher: Told of every tick.
        accounting: Counts ticks and commands.
        observe_only: Send no command; decisions say what would be done. The lease and the gateway must be ones that
            only pretend.
        recorder: Told of everything that a replay needs (docs/reference/trace.md).
        name: What the recorder calls this controller.

    Attributes:
        desk: Where requests come in, and what the last tick looked like.
        policy: The operator's choices in force; a new one holds from the next tick on.
    """

    def __init__(
        self,
        policy: Policy,
        world: World,
        *,
        clock: Callable[[], float],
        wall: Callable[[], float],
        watcher: Watcher | None = None,
        accounting: Accounting | None = None,
        observe_only: bool = False,
        recorder: Recorder = NO_RECORDER,
        name: str = "controller",
    ) -> None:
        self.policy, self._world, self._clock, self._wall = policy, world, clock, wall
        self._watcher = watcher
        self._accounting = Accounting() if accounting is None else accounting
        self._observe_only = observe_only
        self._recorder, self._name = recorder, name
        self.desk = Desk(self.report, clock, lambda: world.lease.leader)
        self._log = structlog.get_logger("memgraph_ha.daemon")
        self._observed = Observed()
        self._send, self._inbox = trio.open_memory_channel[Fact](math.inf)
        self._read_record = trio.Event()
        self._batch: _Batch | None = None
        self._route: Route | None = None
        self._said: tuple[str, float] = ("", -math.inf)
        self._looked: tuple[str, tuple[InstanceName, ...], float] = ("", (), -math.inf)
        self._members: MembersSeen | None = None

    def report(self, fact: Fact) -> None:
        """Take a fact from a source; it is filed before the next decision."""
        self._send.send_nowait(fact)

    async def run(self) -> None:
        """Run until cancelled."""
        world = self._world
        self._recorder.start(self._name, self.policy)
        try:
            async with trio.open_nursery() as nursery:
                nursery.start_soon(world.lease.campaign, self.report)
                nursery.start_soon(world.platform.watch, self.report)
                nursery.start_soon(world.database.watch, self.report)
                nursery.start_soon(self._poll_record)
                await nursery.start(world.gateway.serve, self.report)
                await self._turn(nursery)
        finally:
            world.gateway.apply(Route(permit=None, hold=False, why="this controller ends"))
            self._recorder.end(self._name, "this controller ends")
            with trio.CancelScope(shield=True), trio.move_on_after(2):
                await world.lease.release()

    async def _poll_record(self) -> None:
        while True:
            with trio.move_on_after(RECORD_POLL_S):
                await self._read_record.wait()
            self._read_record = trio.Event()
            self.report(await self._world.record.read())

    async def _turn(self, nursery: trio.Nursery) -> None:
        """The loop: wait for facts or for time, file what is there, decide, act."""
        wake_at_s = last_s = self._clock()
        while True:
            facts: list[Fact] = []
            with trio.move_on_after(max(0.0, min(wake_at_s - self._clock(), LONGEST_SLEEP_S))):
                facts.append(await self._inbox.receive())
            facts.extend(self._drain())
            now_s = self._clock()
            if now_s - last_s > self.policy.tilt_gap_s + LONGEST_SLEEP_S:
                self._log.warning(
                    "tilt", gap_s=round(now_s - last_s, 3), hint="this process stood still; it looks again"
                )
                facts.append(GapSeen(at_s=now_s, gap_s=now_s - last_s))
            last_s = now_s
            for fact in facts:
                self._file(fact)
            view = View(observed=self._observed, policy=self.policy, now_s=now_s, wall_s=self._wall())
            decision, tick = self._decide(view)
            self._act(nursery, view, decision, tick)
            self.desk.tick(view, decision)
            self._accounting.note_tick(view, decision, self._clock() - now_s)
            wake_at_s = decision.wake_at_s

    def _decide(self, view: View) -> tuple[Decision, int]:
        """Decide, and give the number under which that is recorded."""
        try:
            decision = decide(view)
        except InvariantViolation as error:
            self._recorder.broke(self._name, view, error)
            raise
        return decision, self._recorder.tick(self._name, view, decision)

    def _drain(self) -> list[Fact]:
        found: list[Fact] = []
        while True:
            try:
                found.append(self._inbox.receive_nowait())
            except trio.WouldBlock:
                return found

    def _file(self, fact: Fact) -> None:
        """File a fact, and do the few things that a fact asks of the adapters, not of the rules."""
        before = self._observed
        self._recorder.fact(self._name, fact)
        self._observed = observe(before, fact)
        match fact:
            case MembersSeen() if self._observed.members is fact:
                self._world.database.follow(fact.members)
            case QuietSeen() if fact.ended:
                self._world.gateway.cut_open()
            case SentinelBroke():
                self._log.info("sentinel broke", instance=fact.instance, run=fact.run)
                self._world.database.look([fact.instance])
            case LeaseSeen() if before.lease is None or before.lease.leading != fact.leading:
                self._log.info("leading" if fact.leading else "not leading", until_s=round(fact.until_s, 2))
                self._read_record.set()
            case ServerSeen():
                self._judge_version(before, fact)
            case RecordSeen() if fact.record is not None:
                self._world.lease.raise_floor(fact.record.generation)
            case CommandEnded():
                self._log_end(fact)
                if isinstance(fact.command, WriteRecord) and fact.outcome is not Outcome.DONE:
                    self._read_record.set()
            case _:
                pass

    def _judge_version(self, before: Observed, fact: ServerSeen) -> None:
        """Say once per run what its version means (README, supported versions)."""
        old = before.of(fact.instance)
        if old is None or (old.server is not None and old.server.run == fact.run):
            return
        version = version_tuple(fact.version)
        if version is None or version < OLDEST_VERSION:
            hint = "3.6.0 or newer is required: older ones call healthy replicas diverged"
            self._log.error("unsupported Memgraph", instance=fact.instance, version=fact.version, hint=hint)
        elif version < ADVISED_VERSION:
            hint = "3.8.0 or newer is advised: below it a promoted replica keeps a prepared transaction open"
            self._log.info("old Memgraph", instance=fact.instance, version=fact.version, hint=hint)
        if not fact.wal:
            hint = "start it with --storage-wal-enabled=true: nothing is replicated without"
            self._log.error("Memgraph runs without WAL", instance=fact.instance, hint=hint)

    def _act(self, nursery: trio.Nursery, view: View, decision: Decision, tick: int) -> None:
        self._say(view, decision)
        if decision.route != self._route:
            if self._route is None or _leads_to(decision.route) != _leads_to(self._route):
                self._log.info("route", open=decision.route.permit is not None, why=decision.route.why)
            self._route = decision.route
            self._world.gateway.apply(decision.route)
        self._look(view, decision)
        if self._batch is not None and self._preempts(decision, self._batch):
            self._log.info("preempted", rule=self._batch.decision.rule, by=decision.rule)
            self._batch.cut = True
            if self._batch.scope is not None:
                self._batch.scope.cancel()
        if self._batch is None and decision.commands and not self._observe_only:
            self._batch = _Batch(decision, tick)
            nursery.start_soon(self._run_batch, self._batch)
        if self._watcher is not None:
            self._watcher(view, decision)

    def _look(self, view: View, decision: Decision) -> None:
        rule, names, at_s = self._looked
        new = (rule, names) != (decision.rule, decision.look)
        if decision.look and (new or view.now_s - at_s >= LOOK_PAUSE_S):
            self._world.database.look(decision.look)
            self._looked = (decision.rule, decision.look, view.now_s)
        elif not decision.look:
            self._looked = ("", (), -math.inf)

    def _preempts(self, decision: Decision, batch: _Batch) -> bool:
        if batch.cut:
            return False
        if decision.hold is Hold.NOT_LEADING:
            return True
        if not decision.commands or decision.rule not in _URGENT:
            return False
        return _ORDER[decision.rule] < _ORDER[batch.decision.rule]

    async def _run_batch(self, batch: _Batch) -> None:
        """Run the commands in order, stopping at the first that is not done."""
        try:
            for command in batch.decision.commands:
                began_s = self._clock()
                ended = await self._run_one(batch, command)
                self._accounting.note_command(ended, self._clock() - began_s, self._wall())
                self.report(ended)
                if ended.outcome is not Outcome.DONE or batch.cut:
                    break
        finally:
            self._batch = None

    async def _run_one(self, batch: _Batch, command: Command) -> CommandEnded:
        lease, now_s, deadline_s = self._observed.lease, self._clock(), self.policy.command_deadline_s
        if lease is None or not lease.leading or lease.until_s - now_s <= deadline_s:
            return CommandEnded(at_s=now_s, command=command, outcome=Outcome.NOT_SENT, detail="our lease is too short")
        self._recorder.command(self._name, command, by=batch.tick)
        log = self._log.debug if batch.decision.rule == _ROUTINE else self._log.info
        log("command", rule=batch.decision.rule, **_words(command))
        ended: CommandEnded | None = None
        with trio.move_on_after(deadline_s + 1.0) as scope:
            batch.scope = None if isinstance(command, WriteRecord) else scope
            ended = await self._dispatch(command)
        batch.scope = None
        if ended is not None:
            return ended
        return CommandEnded(
            at_s=self._clock(), command=command, outcome=Outcome.UNKNOWN, detail="cut off before its answer came"
        )

    async def _dispatch(self, command: Command) -> CommandEnded:
        match command:
            case WriteRecord():
                return await self._world.record.write(command, self.report)
            case StopInstance():
                return await self._world.platform.stop(command)
            case RebuildInstance():
                return await self._world.platform.rebuild(command)
            case (
                Promote()
                | Demote()
                | CommitNoop()
                | RegisterReplica()
                | DropReplica()
                | Quiesce()
                | RestoreUsers()
                | RestoreTriggers()
            ):
                return await self._world.database.execute(command, self.report)
            case _:  # pragma: no cover - the type checker proves that nothing is left
                assert_never(command)

    def _say(self, view: View, decision: Decision) -> None:
        """Log a decision once: when its rule changes, when it acts, and every ten seconds while it holds."""
        rule, at_s = self._said
        again = decision.hold is not None and view.now_s - at_s >= 10.0  # noqa: PLR2004 - said above
        if rule == decision.rule and not again and (not decision.commands or self._batch is not None):
            return
        self._said = (decision.rule, view.now_s)
        hold = {} if decision.hold is None else {"hold": decision.hold.word}
        routine = decision.rule == _ROUTINE or (rule == _ROUTINE and not decision.commands and not hold)
        log = self._log.debug if routine else self._log.info
        log("decision", rule=decision.rule, name=decision.name, reason=decision.reason, **hold)

    def _log_end(self, fact: CommandEnded) -> None:
        log = self._log.debug if isinstance(fact.command, CommitNoop) else self._log.info
        (log if fact.outcome is Outcome.DONE else self._log.warning)(
            "command ended",
            outcome=fact.outcome.value,
            **_words(fact.command),
            **({"detail": fact.detail} if fact.detail else {}),
        )


def _leads_to(route: Route) -> tuple[object, ...] | None:
    """Tell routes apart as a log should: not by why they are shut (it counts on), nor by how long they are valid."""
    permit = route.permit
    return None if permit is None else (permit.instance, permit.run, permit.generation)


def _words(command: Command) -> dict[str, object]:
    """What a log line says of a command: its kind and the few fields that tell it from others."""
    said: dict[str, object] = {"kind": type(command).__name__}
    for name in ("instance", "row", "replica", "mode"):
        value = getattr(command, name, None)
        if value is not None:
            said[name] = getattr(value, "value", value)
    if isinstance(command, WriteRecord):
        record = command.record
        said |= {"generation": record.generation, "main": record.main, "opened": record.opened}
        said["standby"] = None if record.standby is None else record.standby.instance
    return said

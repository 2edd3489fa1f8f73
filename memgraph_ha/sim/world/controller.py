"""One controller: the shipping core, on probes and commands that take time, get lost and come late.

It mirrors the daemon's loop: file the facts that came, decide, apply the route, run one batch of commands at a time,
let a decision of an earlier rule cut off the batch of a later one.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import define, evolve, field

from memgraph_ha.core import (
    RULES,
    Answer,
    Ask,
    Decision,
    Fact,
    Observed,
    Policy,
    Request,
    Route,
    Rule,
    View,
    answer,
    decide,
    observe,
)
from memgraph_ha.core.commands import Command, RebuildInstance, StopInstance, WriteRecord
from memgraph_ha.core.facts import (
    CommandEnded,
    GapSeen,
    GateSeen,
    LeaseSeen,
    MembersSeen,
    Outcome,
    RecordSeen,
    RequestEnded,
    RequestSeen,
)
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import InstanceName
from memgraph_ha.sim.world.cluster import CLUSTER, NAMES, Cluster
from memgraph_ha.sim.world.errand import Errand
from memgraph_ha.sim.world.probe import probe
from memgraph_ha.sim.world.store import ViolationError

TICK_S: Final = 0.1

LIST_S: Final = 0.05
"""How often the platform is asked who there is."""

READ_S: Final = 0.5
"""How often the record is read without a reason."""

TRIGGERS_S: Final = 5.0
"""As the daemon: how often MAIN is asked for its triggers."""

LOOK_PAUSE_S: Final = 0.05
"""As the daemon: a rule that waits does not look again sooner."""

WIRE_S: Final = 0.002
"""How long a command is on its way when nothing delays it."""

Ended = Callable[[CommandEnded], None]


@define(eq=False)
class Batch:
    """Commands on their way; ``abort`` ends the wait for the one in flight, if it may be cut off."""

    decision: Decision
    rest: list[Command]
    cut: bool = False
    abort: Callable[[], None] | None = None


@define(eq=False)
class Controller:
    """A process that runs the core.

    Attributes:
        late: Draws how long a command stays on the wire, seconds.
        lose: Draws whether a command's answer is lost.
        before: Told of each command right before it is sent.
        fired: Ids of the rules that decided at least once.
        holds: What it waited for at least once, by name.
        decision: The last one.
        blind: Cut off from the record and the lease, not from the instances.
        busy: Role and registration commands in flight, per instance.
        answers: What became of the operator's requests.
    """

    name: str
    cluster: Cluster
    policy: Policy
    rules: tuple[Rule, ...] = RULES
    late: Callable[[], float] = lambda: WIRE_S
    lose: Callable[[], bool] = lambda: False
    before: Callable[[Command], None] = lambda _command: None
    fired: set[str] = field(factory=set)
    holds: set[Hold] = field(factory=set)
    observed: Observed = field(factory=Observed)
    decision: Decision | None = None
    alive: bool = True
    paused: bool = False
    blind: bool = False
    busy: dict[InstanceName, int] = field(factory=dict)
    answers: list[Answer] = field(factory=list)
    _batch: Batch | None = None
    _life: int = 0
    _awake: bool = False
    _lease: LeaseSeen = field(factory=lambda: LeaseSeen(at_s=0.0, leading=False))
    _seen_lease: tuple[tuple[str | None, int], float] = ((None, -1), 0.0)
    _last_tick_s: float = 0.0
    _triggers_due_s: float = 0.0
    _looked: dict[InstanceName, float] = field(factory=dict)
    _order: dict[str, int] = field(factory=dict)
    _urgent: frozenset[str] = frozenset()

    @property
    def doing(self) -> str:
        """What it does or waits for, for people."""
        return "dead" if self.decision is None else f"{self.decision.rule} {self.decision.reason}"

    # --- life

    def start(self) -> None:
        """Begin a new life: nothing is remembered."""
        self.alive, self.paused, self._life = True, False, self._life + 1
        self.observed, self._batch, self._awake, self.decision = Observed(), None, False, None
        self._seen_lease = ((None, -1), self.cluster.now)
        self._lease = LeaseSeen(at_s=self.cluster.now, leading=False)
        self._last_tick_s = self.cluster.now
        self._order = {rule.id: place for place, rule in enumerate(self.rules)}
        self._urgent = frozenset(rule.id for rule in self.rules if rule.urgent)
        self._looked.clear()
        self.busy.clear()
        self.cluster.stalled.discard(self.name)
        self._gate(Route(permit=None, hold=False, why="it starts"))
        life = self._life
        self._every(life, self.policy.lease_renew_s / 4, self._campaign)
        self.cluster.world.at(READ_S / 3, lambda: self._every(life, READ_S, self._read))
        self._every(life, TICK_S, self._wake)
        self.cluster.world.at(LIST_S, lambda: self._every(life, LIST_S, self._list))
        for name in NAMES:
            self._every(life, self.policy.probe_interval_s, lambda n=name: probe(self, n))  # type: ignore[misc]

    def crash(self) -> None:
        """SIGKILL: every connection through it ends."""
        self.cluster.say(self.name, "crash")
        self.alive, self.paused, self._life, self.decision = False, False, self._life + 1, None
        self.cluster.gates[self.name] = None
        self.cluster.reads[self.name] = frozenset()
        self.cluster.quiet.discard(self.name)
        self.cluster.stalled.discard(self.name)

    def pause(self) -> None:
        """SIGSTOP: bytes wait in its buffers."""
        if self.alive:
            self.cluster.say(self.name, "pause")
            self.paused = True
            self.cluster.stalled.add(self.name)

    def resume(self) -> None:
        """SIGCONT: its first act is to look at its clock."""
        if self.paused:
            self.cluster.say(self.name, "resume")
            self.paused = False
            self.cluster.stalled.discard(self.name)
            self._tick()

    def _every(self, life: int, seconds: float, work: Callable[[], None]) -> None:
        if life != self._life:
            return
        if not self.paused:
            work()
        self.cluster.world.at(seconds, lambda: self._every(life, seconds, work))

    # --- sources of facts

    def file(self, fact: Fact) -> None:
        """Take a fact, if this controller is there to take it; all that came at this instant are decided on at once."""
        if self.alive and not self.paused:
            self.observed = observe(self.observed, fact)
            self._wake()

    def _wake(self) -> None:
        if not self._awake:
            self._awake, life = True, self._life
            self.cluster.world.at(0.0, lambda: self._tick() if life == self._life else None)

    def _campaign(self) -> None:
        lease, now_s, mine = self.cluster.lease, self.cluster.now, self._lease
        until_s = now_s + self.policy.lease_duration_s
        if self.blind:
            mine = evolve(mine, leading=mine.leading and now_s < mine.until_s)
        elif lease.holder == self.name and now_s < mine.until_s:
            lease.renewals += 1
            mine = evolve(mine, leading=True, until_s=until_s)
        else:
            key = (lease.holder, lease.renewals)
            before = self._seen_lease
            if key != before[0]:
                self._seen_lease = (key, now_s)
            removed = lease.holder is None and before[0][0] is not None
            over = lease.holder is None or now_s - self._seen_lease[1] >= self.policy.lease_duration_s
            mine = evolve(mine, leading=False)
            if over:
                lease.holder, lease.renewals = self.name, lease.renewals + 1
                mine = evolve(mine, leading=True, since_s=now_s, until_s=until_s, clean=not removed)
                self.cluster.say(self.name, "leads" if not removed else "leads; somebody removed the lease")
        if not self.blind and self.observed.record is not None and self.observed.record.record is not None:
            lease.floor = max(lease.floor, self.observed.record.record.generation)
        floor = mine.floor_generation if self.blind else lease.floor
        if mine.leading is not self._lease.leading:
            self.cluster.world.at(WIRE_S, self._read)
        self._lease = evolve(mine, at_s=now_s, floor_generation=floor)
        self.file(self._lease)

    def _read(self) -> None:
        if not self.blind:
            record, token = self.cluster.store.read()
            self.file(RecordSeen(at_s=self.cluster.now, record=record, token=token))

    def _list(self) -> None:
        held, members = self.observed.members, self.cluster.members()
        if held is None or held.members != members:
            self.file(MembersSeen(at_s=self.cluster.now, cluster=CLUSTER, members=members))

    def look(self, name: InstanceName) -> None:
        """Probe soon, out of turn."""
        life, now_s = self._life, self.cluster.now
        if now_s - self._looked.get(name, -1.0) < LOOK_PAUSE_S:
            return
        self._looked[name] = now_s
        self.cluster.world.at(0.005, lambda: probe(self, name) if life == self._life and not self.paused else None)

    def triggers_are_due(self) -> bool:
        """Whether MAIN is to be asked for its triggers now; it counts as asked then."""
        due = self.cluster.now >= self._triggers_due_s
        if due:
            self._triggers_due_s = self.cluster.now + TRIGGERS_S
        return due

    # --- deciding

    def _tick(self) -> None:
        self._awake = False
        if not self.alive or self.paused:
            return
        now_s = self.cluster.now
        if now_s - self._last_tick_s > self.policy.tilt_gap_s:
            self.observed = observe(self.observed, GapSeen(at_s=now_s, gap_s=now_s - self._last_tick_s))
        self._last_tick_s = now_s
        view = View(observed=self.observed, policy=self.policy, now_s=now_s, wall_s=1e9 + now_s)
        decision, old = decide(view, self.rules), self.decision
        self.decision = decision
        self.fired.add(decision.rule)
        if decision.hold is not None:
            self.holds.add(decision.hold)
        self._gate(decision.route)
        for request in self.observed.requests:
            ended = answer(view, request)
            if ended is not None:
                self.answers.append(ended)
                self.cluster.say(self.name, f"answers {request.ask.value}: {ended.ok} {ended.text}")
                self.observed = observe(self.observed, RequestEnded(at_s=now_s, request_id=request.id))
        if old is None or (old.rule, bool(old.commands)) != (decision.rule, bool(decision.commands)):
            self.cluster.say(self.name, self.doing)
        for name in decision.look:
            self.look(name)
        self._run(decision)

    def _gate(self, route: Route) -> None:
        """Apply a route: on narrowing nothing passes any more when this returns."""
        permit, cluster = route.permit, self.cluster
        old, was_quiet = cluster.gates.get(self.name), self.name in cluster.quiet
        cluster.gates[self.name] = permit
        cluster.reads[self.name] = frozenset(read.permit.instance for read in route.reads)
        if route.quiet is not was_quiet:
            (cluster.quiet.add if route.quiet else cluster.quiet.discard)(self.name)
            cluster.say(self.name, "gate quiet" if route.quiet else "gate not quiet any more")
        if permit is not None and not permit.extends(old):
            cluster.say(self.name, f"gate open to {permit.instance} in reign {permit.generation}")
            cluster.check_holds_all(permit.instance, "S1: the gate opens to it")
        if permit is not None and permit.instance in cluster.reads[self.name]:
            raise ViolationError(f"S13: {permit.instance} is MAIN and read-only clients are let in")
        changed = (permit is None) != (old is None) or (permit is not None and not permit.extends(old))
        if changed or route.quiet is not was_quiet or self.observed.gate is None:
            gate = GateSeen(at_s=cluster.now, permit=permit, quiet=route.quiet, settled=route.quiet)
            self.observed = observe(self.observed, gate)
            self._wake()

    def ask(self, ask: Ask, instance: InstanceName | None = None, wait_s: float = 60.0) -> None:
        """What an operator asks of this controller."""
        now_s, number = self.cluster.now, len(self.answers) + len(self.observed.requests)
        request = Request(
            id=f"{self.name}-{number}",
            ask=ask,
            instance=instance,
            by="operator",
            reason="",
            asked_s=now_s,
            until_s=now_s + wait_s,
        )
        self.file(RequestSeen(at_s=now_s, request=request))

    def _run(self, decision: Decision) -> None:
        batch = self._batch
        if batch is not None and not batch.cut and self._preempts(decision, batch):
            batch.cut = True
            if batch.abort is not None:
                batch.abort()
        if self._batch is None and decision.commands:
            self._batch = Batch(decision, list(decision.commands))
            self._next(self._batch)

    def _preempts(self, decision: Decision, batch: Batch) -> bool:
        if decision.hold is Hold.NOT_LEADING:
            return True
        earlier = self._order[decision.rule] < self._order[batch.decision.rule]
        return bool(decision.commands) and earlier and decision.rule in self._urgent

    # --- commands

    def _next(self, batch: Batch) -> None:
        command, life = batch.rest.pop(0), self._life

        def ended(fact: CommandEnded) -> None:
            if life != self._life:
                return
            if self.paused:
                self.cluster.world.at(TICK_S, lambda: ended(fact))
                return
            batch.abort = None
            if fact.outcome is not Outcome.DONE:
                self.cluster.say(self.name, f"{type(command).__name__}: {fact.outcome.value} ({fact.detail})")
            self.file(fact)
            if fact.outcome is Outcome.DONE and batch.rest and not batch.cut:
                self._next(batch)
            else:
                self._batch = None

        if not self._lease.leading or self._lease.until_s - self.cluster.now <= self.policy.command_deadline_s:
            detail = "our lease is too short"
            ended(CommandEnded(at_s=self.cluster.now, command=command, outcome=Outcome.NOT_SENT, detail=detail))
            return
        self.before(command)
        if life == self._life:
            self._send(batch, command, ended)

    def _send(self, batch: Batch, command: Command, ended: Ended) -> None:
        """Put a command on the wire; without an answer by its deadline its outcome is unknown."""
        over = False

        def once(outcome: Outcome, detail: str = "", error: ErrorClass | None = None) -> None:
            nonlocal over
            if not over:
                over = True
                at_s = self.cluster.now
                ended(CommandEnded(at_s=at_s, command=command, outcome=outcome, detail=detail, error=error))

        if not isinstance(command, WriteRecord):
            batch.abort = lambda: once(Outcome.UNKNOWN, "cut off before its answer came")
        self.cluster.world.at(self.policy.command_deadline_s, lambda: once(Outcome.UNKNOWN, "no answer in time"))
        answer = (lambda _outcome, _detail="", _error=None: None) if self.lose() else once
        match command:
            case WriteRecord():
                self.cluster.world.at(self.late(), lambda: self._write(command, answer))
            case StopInstance():
                self.cluster.world.at(self.late(), lambda: self._stop(command, answer))
            case RebuildInstance():
                self.cluster.world.at(self.late(), lambda: self._rebuild(command, answer))
            case _:
                Errand(self, command, answer).send()

    def _write(self, command: WriteRecord, answer: Callable[[Outcome], None]) -> None:
        if self.blind:
            return
        done = self.cluster.store.swap(command.expected, command.record)
        if done:
            self.cluster.note(command.record)
        self._read()
        answer(Outcome.DONE if done else Outcome.REFUSED)

    def _rebuild(self, command: RebuildInstance, answer: Callable[[Outcome], None]) -> None:
        same = self.cluster.incarnation(command.instance) == command.incarnation
        if same:
            self.cluster.rebuild(command.instance)
        answer(Outcome.DONE if same else Outcome.REFUSED)

    def _stop(self, command: StopInstance, answer: Callable[[Outcome], None]) -> None:
        if self.cluster.incarnation(command.instance) == command.incarnation:
            self.cluster.kill(command.instance)
        answer(Outcome.DONE)

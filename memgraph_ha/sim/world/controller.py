"""One controller: the shipping core, on facts that take time, get lost and come late.

It mirrors the daemon's loop: file the facts that came, decide, apply the route, run one batch of commands at a time.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import Final, Literal

from attrs import define, field

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
from memgraph_ha.core.commands import Command
from memgraph_ha.core.errors import InvariantViolation
from memgraph_ha.core.facts import GapSeen, GateSeen, QuietSeen, RequestEnded, RequestSeen
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import InstanceName
from memgraph_ha.sim.checks import safety
from memgraph_ha.sim.world.clock import Clock
from memgraph_ha.sim.world.commanding import Runner
from memgraph_ha.sim.world.election import Elector
from memgraph_ha.sim.world.failsafe import Pact
from memgraph_ha.sim.world.gateway import Gateway
from memgraph_ha.sim.world.news import News
from memgraph_ha.sim.world.process import Process
from memgraph_ha.sim.world.reading import RecordReader
from memgraph_ha.sim.world.trap import Trap
from memgraph_ha.sim.world.watching import Watcher
from memgraph_ha.trace.recorder import NO_RECORDER, Recorder
from memgraph_ha.trace.schema import Ghost, Plain

LONGEST_SLEEP_S: Final = 0.25
"""As the daemon: it decides at least this often."""

IDLE_S: Final = 1.0
"""Who does not lead, or leads a cluster that lacks nothing, sleeps until a fact says something new, or its decision is
due again: that saves half of the work, and finds out where a decision is due later than it should be."""

WIRE_S: Final = 0.002
"""How long a command is on its way, besides its link, when nothing delays it."""

PURE_EVERY: Final = 16
"""Every so many decisions one is made again, to see that the same comes of it (S13)."""


@define(eq=False)
class Controller(Process):
    """A process that runs the core.

    Args:
        name: Its name, as an endpoint of links too.
        cluster: Where it is.
        policy: The operator's choices.
        rules: What it decides by.
        recorder: Told of facts, decisions and commands.

    Attributes:
        late: Draws how long a command stays on the wire besides its link, seconds.
        lose: Draws whether a command's answer is lost.
        before: Told of each command right before it is sent.
        fired: Ids of the rules that decided at least once.
        holds: What it waited for at least once, by name.
        observed: What it knows.
        decision: The last one.
        answers: What became of the operator's requests.
        order: The place of each rule.
        urgent: The rules whose commands cut off those of later ones.
        landed_s: When the last of the commands that it sent so far has left the wire.
    """

    policy: Policy
    rules: tuple[Rule, ...] = RULES
    recorder: Recorder = NO_RECORDER
    late: Callable[[], float] = lambda: WIRE_S
    lose: Callable[[], bool] = lambda: False
    before: Callable[[Command], None] = lambda _command: None
    fired: set[str] = field(factory=set, init=False)
    holds: set[Hold] = field(factory=set, init=False)
    observed: Observed = field(factory=Observed, init=False)
    decision: Decision | None = field(default=None, init=False)
    answers: list[Answer] = field(factory=list, init=False)
    order: dict[str, int] = field(init=False)
    urgent: frozenset[str] = field(init=False)
    landed_s: float = field(default=0.0, init=False)
    gateway: Gateway = field(init=False)
    elector: Elector = field(init=False)
    pact: Pact = field(init=False)
    reader: RecordReader = field(init=False)
    watcher: Watcher = field(init=False)
    runner: Runner = field(init=False)
    _traps: list[Trap] = field(factory=list, init=False)
    _news: News = field(factory=News, init=False)
    _route: Route | None = field(default=None, init=False)
    _awake: bool = field(default=False, init=False)
    _turn: int = field(default=0, init=False)
    _asked: int = field(default=0, init=False)
    _last_s: float = field(default=0.0, init=False)
    _longest_s: float = field(default=LONGEST_SLEEP_S, init=False)
    _told: dict[str, Callable[[Answer], None]] = field(factory=dict, init=False)

    def __attrs_post_init__(self) -> None:
        """Give it a clock, a gateway and its other parts."""
        self.clock, self.gateway = Clock(self.cluster.world), Gateway(self)
        self.elector, self.pact, self.reader = Elector(self), Pact(self), RecordReader(self)
        self.watcher, self.runner = Watcher(self), Runner(self)
        self.order = {rule.id: place for place, rule in enumerate(self.rules)}
        self.urgent = frozenset(rule.id for rule in self.rules if rule.urgent)
        self.cluster.controllers[self.name] = self
        self.cluster.gates[self.name], self.cluster.reads[self.name] = None, frozenset()

    @property
    def doing(self) -> str:
        """What it does or waits for, for people."""
        return "dead" if self.decision is None else f"{self.decision.rule} {self.decision.reason}"

    @property
    def patience_s(self) -> float:
        """How long it waits for an answer of the API, seconds by its own clock."""
        return self.policy.command_deadline_s

    # --- life

    def start(self) -> None:
        """Begin a new life: nothing is remembered."""
        self.born()
        self.observed, self.decision, self._route = Observed(), None, None
        self._news.forget()
        self._told.clear()
        self._awake, self._last_s, self._longest_s = False, self.now_s, LONGEST_SLEEP_S
        self.recorder.start(self.name, self.policy)
        self.runner.begin()
        self.gateway.apply(Route(permit=None, hold=False, why="it starts"))
        self.gate_changed()
        self.elector.begin()
        self.reader.begin()
        self.watcher.begin()
        self._sleep(0.0)

    def crash(self) -> None:
        """SIGKILL: every connection through it ends."""
        self._end("crash")

    def stop(self) -> None:
        """SIGTERM: it shuts its gateways, gives the lease back, and ends."""
        if self.alive and not self.paused:
            self.gateway.apply(Route(permit=None, hold=False, why="this controller ends"))
            self.elector.release()
        self._end("stop")

    def _end(self, why: str) -> None:
        if self.alive:
            self.cluster.say(self.name, why)
            self.recorder.end(self.name, why)
            self.died()
            self.decision = None
            self.gateway.shut()

    def pause(self) -> None:
        """SIGSTOP: bytes and facts wait in its buffers."""
        if self.alive and not self.paused:
            self.cluster.say(self.name, "pause")
            self.paused = True

    def resume(self) -> None:
        """SIGCONT: its first act is to look at its clock."""
        if self.paused:
            self.cluster.say(self.name, "resume")
            self.paused = False
            self._tick()
            self.unpark()

    # --- facts

    def file(self, fact: Fact) -> None:
        """Take a fact; all that came at this instant are decided on at once, unless none says anything new."""
        if not self.alive:
            return
        self.recorder.fact(self.name, fact)
        self.observed = observe(self.observed, fact)
        if isinstance(fact, QuietSeen) and fact.ended:
            self.gateway.cut_open()
        if self._news.is_new(fact) or self._waits():
            self._wake()

    def _waits(self) -> bool:
        """Whether writes wait for the next answer: then even a fact that says nothing new may matter at once."""
        decision = self.decision
        if decision is None or decision.commands or decision.look or self.runner.batch is not None:
            return True
        return decision.route.permit is None and decision.hold is not Hold.NOT_LEADING

    def _wake(self) -> None:
        if not self._awake:
            self._awake, life = True, self.life
            self.cluster.world.at(0.0, lambda: self.read(self._tick) if life == self.life else None)

    def _sleep(self, seconds: float) -> None:
        """Decide again after so long, unless it was woken before."""
        self._turn += 1
        turn = self._turn
        self.after(seconds, lambda: self._tick() if turn == self._turn else None)

    def ask(
        self,
        ask: Ask,
        instance: InstanceName | None = None,
        wait_s: float = 60.0,
        told: Callable[[Answer], None] = lambda _answer: None,
    ) -> None:
        """What an operator or a hook asks of this controller.

        Args:
            ask: What for.
            instance: Of whom.
            wait_s: For how long whoever asks waits.
            told: Takes the answer; never called if this process ends before.
        """
        now_s, self._asked = self.now_s, self._asked + 1
        request = Request(
            id=f"{self.name}-{self.life}-{self._asked}",
            ask=ask,
            instance=instance,
            by="operator",
            reason="",
            asked_s=now_s,
            until_s=now_s + wait_s,
        )
        self._told[request.id] = told
        self.read(lambda: self.file(RequestSeen(at_s=now_s, request=request)))

    def trap(self, trap: Trap) -> None:
        """Let something happen at one of its next commands."""
        self._traps.append(trap)

    def spring(self, command: Command, when: Literal["before", "after"]) -> None:
        """A command is about to be sent, or has ended."""
        for trap in list(self._traps):
            trap.meet(command, when)

    def wire_s(self) -> float:
        """Draw how long the command that is being sent stays on the wire, seconds."""
        late_s = self.late()
        self.landed_s = max(self.landed_s, self.cluster.now + late_s)
        return late_s

    # --- deciding

    def _tick(self) -> None:
        self._awake = False
        now_s, gap_s = self.now_s, self.now_s - self._last_s
        if gap_s > self.policy.tilt_gap_s + self._longest_s:
            gap = GapSeen(at_s=now_s, gap_s=gap_s)
            self.recorder.fact(self.name, gap)
            self.observed = observe(self.observed, gap)
        self._last_s = now_s
        view = View(observed=self.observed, policy=self.policy, now_s=now_s, wall_s=self.clock.wall_s)
        decision, tick = self._decide(view)
        old, self.decision = self.decision, decision
        self.fired.add(decision.rule)
        if decision.hold is not None:
            self.holds.add(decision.hold)
        self._apply(decision.route)
        self._answer(view)
        if old is None or (old.rule, bool(old.commands)) != (decision.rule, bool(decision.commands)):
            self.cluster.say(self.name, self.doing)
        for name in decision.look:
            self.watcher.look(name)
        self._longest_s = IDLE_S if _idle(decision) else LONGEST_SLEEP_S
        self._sleep(max(0.001, min(decision.wake_at_s - now_s, self._longest_s)))
        self.runner.run(decision, tick)

    def _decide(self, view: View) -> tuple[Decision, int]:
        try:
            decision = decide(view, self.rules)
        except InvariantViolation as error:
            self.recorder.broke(self.name, view, error)
            raise
        if self._turn % PURE_EVERY == 0:
            safety.check_pure(view, decision, self.rules, self.name)
        return decision, self.recorder.tick(self.name, view, decision)

    def _answer(self, view: View) -> None:
        for request in self.observed.requests:
            ended = answer(view, request)
            if ended is None:
                continue
            self.answers.append(ended)
            self.cluster.say(self.name, f"answers {request.ask.value}: {ended.ok} {ended.text}")
            self.file(RequestEnded(at_s=view.now_s, request_id=request.id))
            told = self._told.pop(request.id, None)
            if told is not None:
                told(ended)

    # --- the gateway

    def _apply(self, route: Route) -> None:
        """Apply a route: on narrowing nothing passes any more when this returns."""
        gateway, before = self.gateway, self._route
        if route == before and route.permit == gateway.permit:
            return
        old, was_quiet, self._route = gateway.permit, gateway.quiet, route
        permit = route.permit
        if permit is not None and not permit.extends(old):
            self.cluster.say(self.name, f"gate open to {permit.instance} in reign {permit.generation}")
            safety.check_opening(self.cluster, permit, self.name)
        if route.quiet is not was_quiet:
            self.cluster.say(self.name, "gate quiet" if route.quiet else "gate not quiet any more")
        safety.check_route(self.cluster, route, self.name)
        in_flight = gateway.in_flight
        gateway.apply(route)
        changed = (permit is None) != (old is None) or (permit is not None and not permit.extends(old))
        if changed or route.quiet is not was_quiet or self.observed.gate is None:
            self.gate_changed(in_flight)

    def gate_changed(self, in_flight: int = 0) -> None:
        """Note what the read/write gateway allows now, and decide again.

        Args:
            in_flight: How many requests had been sent through it and not answered.
        """
        gateway = self.gateway
        gate = GateSeen(at_s=self.now_s, permit=gateway.permit, quiet=gateway.quiet, settled=gateway.quiet)
        self.file(gate)
        permit = gateway.permit
        if not self.cluster.recorded:
            return
        shut = "held" if gateway.hold else "shut"
        state = shut if permit is None else "quiet" if gateway.quiet else "open"
        where: dict[str, Plain] = {}
        if permit is not None:
            where = {"instance": permit.instance, "generation": permit.generation}
        self.cluster.ghost(Ghost.GATE, self.name, state=state, in_flight=in_flight, **where)


def _idle(decision: Decision) -> bool:
    """Whether only a new fact, or the time that the decision names, can change anything."""
    if decision.hold is not None:
        return decision.hold is Hold.NOT_LEADING
    return decision.route.permit is not None and not decision.commands and not decision.look

"""Where a scenario is played: the cluster, its controllers, and what has to be remembered of a run."""

from __future__ import annotations

import itertools
import re
from collections import Counter
from collections.abc import Callable
from typing import Final

from attrs import define, field, frozen

from memgraph_ha.core import Decision, Record, Rule
from memgraph_ha.core.commands import Command, WriteRecord
from memgraph_ha.core.names import InstanceName
from memgraph_ha.fakes.memgraph.disk import Disk
from memgraph_ha.fakes.memgraph.instance import Row
from memgraph_ha.sim.scenario.expressions import Meaning, parse_expression
from memgraph_ha.sim.scenario.model import Client, Scenario
from memgraph_ha.sim.scenario.questions import QUESTIONS
from memgraph_ha.sim.scenario.triggers import Step, command_word
from memgraph_ha.sim.world.cluster import Cluster
from memgraph_ha.sim.world.controller import WIRE_S, Controller
from memgraph_ha.sim.world.trap import Trap
from memgraph_ha.trace.recorder import NO_RECORDER, Recorder

NOBODY: Final = InstanceName("nobody")
"""Who plays a part that nobody plays, such as the ASYNC replica of two instances."""

INSTANCE: Final = re.compile(r"m\d+")

LATE: Final = 0.03
LATEST_S: Final = 8.0
LOST: Final = 0.02
"""In a lossy cluster: how often a command lands late and by how much at most, and how often its answer is lost."""


@frozen(kw_only=True)
class Mark:
    """What had happened at an instant, to count from.

    Attributes:
        at_s: When, virtual seconds.
        acks: How many writes were acknowledged.
        reigns: How many had begun.
        rebuilds: How many instances were rebuilt.
        lives: How often each process was started.
        quiets: How many quiet moments began.
    """

    at_s: float = 0.0
    acks: int = 0
    reigns: int = 0
    rebuilds: int = 0
    lives: tuple[tuple[InstanceName, int], ...] = ()
    quiets: int = 0


@define(eq=False)
class Stage:
    """A run that is being played.

    Attributes:
        scenario: What is played.
        seed: Of the dice.
        cluster: The world.
        controllers: Its controllers, ``C1`` first.
        origin_s: When it began, virtual seconds.
        marked: What had happened when a scenario last said that it counts anew.
        sent: How often each command was sent since the origin.
        images: Volumes that were kept, by name.
        texts: Records that were kept, by name.
        written: What was last written by hand.
    """

    scenario: Scenario
    seed: int
    cluster: Cluster
    controllers: list[Controller]
    origin_s: float = 0.0
    marked: Mark = field(factory=Mark)
    sent: Counter[str] = field(factory=Counter)
    images: dict[str, Disk] = field(factory=dict)
    texts: dict[str, str] = field(factory=dict)
    written: frozenset[int] = frozenset()
    meanings: dict[str, Meaning] = field(factory=dict)

    @property
    def record(self) -> Record | None:
        """The newest record that a controller wrote; None before there is one."""
        history = self.cluster.store.history
        return history[-1] if history else None

    @property
    def leader(self) -> Controller | None:
        """Who holds the lease, if it is one of ours and lives."""
        return next((c for c in self.controllers if c.name == self.cluster.lease.holder and c.alive), None)

    @property
    def decision(self) -> Decision | None:
        """What the leader decided last."""
        return None if self.leader is None else self.leader.decision

    def begin(self) -> None:
        """This is the origin: everything counts from now on."""
        self.origin_s = self.cluster.now
        self.mark()
        for controller in self.controllers:
            controller.before = self._before
        for client in self.scenario.clients:
            self.use(client)

    def use(self, client: Client) -> None:
        """Let people begin to use the cluster."""
        clients = self.cluster.clients
        if client.kind == "reader":
            clients.readers(client.count, client.every_s)
        else:
            clients.writers(client.count, client.every_s)

    def trap(self, step: Step, act: Callable[[], None]) -> None:
        """Do something when a command of any controller is on its way, once."""
        over = False

        def spring(_command: Command) -> None:
            nonlocal over
            if not over:
                over = True
                act()

        seen = itertools.count(1)

        def is_it(command: Command) -> bool:
            if step.number is not None:
                return next(seen) == step.number
            on = None if isinstance(command, WriteRecord) else command.instance
            word = command_word(type(command).__name__)
            return word == step.word and (step.on is None or self.instance(step.on) == on)

        for controller in self.controllers:
            controller.trap(Trap(act=spring, when="after" if step.after else "before", where=is_it))

    def _before(self, command: Command) -> None:
        self.sent[command_word(type(command).__name__)] += 1

    def controller(self, name: str) -> Controller:
        """One controller by its name; ``leader`` is who holds the lease, ``other`` one that does not."""
        holder = self.cluster.lease.holder
        if name in ("leader", "other"):
            fitting = [c for c in self.controllers if (c.name == holder) is (name == "leader")]
            return fitting[0] if fitting else self.controllers[-1]
        return next(controller for controller in self.controllers if controller.name == name)

    def instance(self, name: str) -> InstanceName:
        """One instance by its name, or by its part: ``main``, ``standby`` (the pair's other one), ``async``."""
        record, names = self.record, self.cluster.names
        main = names[0] if record is None else record.main
        pair = self.scenario.policy.eligible or names[:2]
        if name == "main":
            return main
        if name == "standby":
            return next((other for other in pair if other != main), main)
        if name == "async":
            return next((other for other in names if other not in pair), NOBODY)
        return InstanceName(name)

    @property
    def reigns(self) -> int:
        """How many reigns began, by the record's own history."""
        return 0 if self.record is None else len(self.record.history)

    @property
    def quiets(self) -> int:
        """How many quiet moments began."""
        return sum(line.endswith("gate quiet") for line in self.cluster.trace)

    def row(self, name: InstanceName) -> Row | None:
        """The row of an instance on the recorded MAIN, by its address; None if there is none, or no MAIN."""
        main = None if self.record is None else self.record.main
        if main is None or not self.cluster.up(main):
            return None
        rows, hosts = self.cluster.world[main].rows.values(), self.cluster.world.addresses
        return next((row for row in rows if hosts.get(row.host, row.host) == name), None)

    def mark(self) -> None:
        """Count from now on."""
        cluster = self.cluster
        self.marked = Mark(
            at_s=cluster.now,
            acks=len(cluster.acks),
            reigns=self.reigns,
            rebuilds=len(cluster.rebuilds),
            lives=tuple(cluster.lives.items()),
            quiets=self.quiets,
        )

    def asking(self, expression: str) -> Meaning:
        """What tells an expression's value; read once."""
        if expression not in self.meanings:
            self.meanings[expression] = parse_expression(expression, QUESTIONS)
        return self.meanings[expression]

    def is_gone(self, name: str) -> bool:
        """Whether it is an instance that the cluster has not, or not any more."""
        return name == NOBODY or (INSTANCE.fullmatch(name) is not None and name not in self.cluster.names)

    def pause_s(self, since_s: float) -> float:
        """The longest time in which nothing was acknowledged since then, seconds."""
        acks = self.cluster.acks
        times = [since_s, *(ack.at_s for ack in acks if ack.at_s >= since_s), self.cluster.now]
        return max(later - earlier for earlier, later in itertools.pairwise(times))


def build(scenario: Scenario, seed: int, rules: tuple[Rule, ...], recorder: Recorder = NO_RECORDER) -> Stage:
    """Make the cluster of a scenario, and its controllers, which are not started yet."""
    cluster = Cluster(seed, scenario.setting.instances, recorder, kubernetes=scenario.setting.kubernetes)
    cluster.weight = scenario.setting.weight
    names = [f"C{number}" for number in range(1, scenario.setting.controllers + 1)]
    controllers = [Controller(name, cluster, scenario.policy, rules, recorder=recorder) for name in names]
    if scenario.setting.lossy:
        dice = cluster.dice("lossy")
        for controller in controllers:
            controller.late = lambda: WIRE_S + (dice.random() * LATEST_S if dice.random() < LATE else 0)
            controller.lose = lambda: dice.random() < LOST
    return Stage(scenario=scenario, seed=seed, cluster=cluster, controllers=controllers)

"""What a simulated cluster consists of, and what only the simulator may know of it.

Instances are the fake's own model (`memgraph_ha.fakes.memgraph.virtual`). Everything left to chance is drawn from one
source per purpose, each made from the seed and the purpose's name: taking out one fault never shifts the dice of
another.
"""

from __future__ import annotations

import math
import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Any, Final

from memgraph_ha.core.names import Incarnation, InstanceName
from memgraph_ha.core.permit import Permit
from memgraph_ha.core.record import ChangeKind, Record
from memgraph_ha.core.topology import Member
from memgraph_ha.fakes.memgraph.disk import Disk
from memgraph_ha.fakes.memgraph.graph import Graph
from memgraph_ha.fakes.memgraph.virtual import Refused, Ticket, World
from memgraph_ha.fakes.memgraph.virtual_host import Host, State
from memgraph_ha.fakes.memgraph.virtual_net import Network, Reach
from memgraph_ha.sim.checks import safety
from memgraph_ha.sim.world.api import API, Api
from memgraph_ha.sim.world.clients import Clients
from memgraph_ha.sim.world.hands import Hands
from memgraph_ha.sim.world.ledger import Ack, Ledger
from memgraph_ha.sim.world.passage import CLIENTS
from memgraph_ha.sim.world.platform import Platform
from memgraph_ha.sim.world.store import LeaseObject, Store
from memgraph_ha.sim.world.witness import Witness
from memgraph_ha.trace.recorder import NO_RECORDER, Recorder
from memgraph_ha.trace.schema import Ghost, Plain

if TYPE_CHECKING:
    from memgraph_ha.sim.world.controller import Controller

NAMES: Final = (InstanceName("m0"), InstanceName("m1"), InstanceName("m2"))
"""The instances of the usual cluster."""


class Ground:
    """What a cluster consists of; `memgraph_ha.sim.world.cluster.Cluster` adds what may happen to it.

    Args:
        seed: Of everything left to chance.
        instances: How many, 2 to 5.
        recorder: Told of what only the simulator can know.
        kubernetes: See `Platform`.

    Attributes:
        weight: How many vertices each simulated one stands for, where it matters how much there is to be copied.
        slow: Extra seconds until an instance answers SHOW STORAGE INFO (long reads, transcripts Q14).
        late: Extra seconds until an instance answers any probe, while its commits go on (an overload).
        rebuilds: When whose data was moved aside by order of a controller.
        older: Whose volume is older than what was acknowledged, until it is emptied.
        cut_short: Whose machine lost power, until it is emptied: what it had not forced to the platter is gone.
        crowned: Every process that a controller promoted, or recorded as MAIN, by name and run.
        calm: Clients write nothing.
        locked: Who refuses the controllers' password.
        claims: What an instance says of its configuration, where that is not as usual.
        controllers: By name, in the order in which they came.
        gates: What each read/write gateway relays to; ``reads``, each read-only one; ``quiet``, which hold back new
            transactions.
        deleting: Until when each pod that is being deleted may live on at most: its hook waits for an answer.
        scaled_s: When the number of instances was last changed.
        unneeded: How many failovers began while MAIN could still acknowledge a write (a figure, not a promise: S12).
    """

    def __init__(
        self, seed: int, instances: int = len(NAMES), recorder: Recorder = NO_RECORDER, *, kubernetes: bool = False
    ) -> None:
        self.seed, self.recorder = seed, recorder
        self.world = World(seed)
        self.random = self.dice("faults")
        self.ledger = Ledger()
        self.trace: list[str] = []
        self.controllers: dict[str, Controller] = {}
        self.gates: dict[str, Permit | None] = {}
        self.quiet: set[str] = set()
        self.reads: dict[str, frozenset[InstanceName]] = {}
        self.weight = 1
        self.slow: dict[InstanceName, float] = {}
        self.late: dict[InstanceName, float] = {}
        self.rebuilds: list[tuple[float, InstanceName]] = []
        self.older: set[InstanceName] = set()
        self.cut_short: set[InstanceName] = set()
        self.crowned: set[tuple[str, str]] = set()
        self.calm = False
        self.locked: set[InstanceName] = set()
        self.claims: dict[InstanceName, dict[str, Any]] = {}
        self.unneeded = 0
        self.deleting: list[float] = []
        self.scaled_s = -math.inf
        self.on_ack: Callable[[], None] = lambda: None
        self._ids: dict[str, tuple[Graph, int, frozenset[int]]] = {}
        self.api = Api(self, self.dice("api"))
        self.clients = Clients(self, self.dice("clients"))
        self.hands = Hands(self)
        self.platform = Platform(self, instances, self.dice("platform"), kubernetes=kubernetes)
        self.world.run_until(lambda: all(self.world.hosts[name].state is State.OPEN for name in self.names))
        self.platform.care()
        Witness(self).begin()

    # -- what it consists of ---------------------------------------------------------------------

    def dice(self, purpose: str) -> random.Random:
        """Make the source of chance for one purpose."""
        return random.Random(f"{self.seed}/{purpose}")

    @property
    def now(self) -> float:
        """Virtual seconds."""
        return self.world.now

    @property
    def net(self) -> Network:
        """The links between every two of instances, controllers, `API` and `CLIENTS`."""
        return self.world.net

    @property
    def names(self) -> tuple[InstanceName, ...]:
        """Every instance that has a pod, in ordinal order."""
        return self.platform.names

    @property
    def store(self) -> Store:
        """The record."""
        return self.api.store

    @property
    def lease(self) -> LeaseObject:
        """The lease."""
        return self.api.lease

    @property
    def acks(self) -> list[Ack]:
        """What clients were told is saved."""
        return self.ledger.acks

    def say(self, who: str, text: str) -> None:
        """One line of trace."""
        self.trace.append(f"{self.now:9.3f} {who:>4} {text}")

    @property
    def recorded(self) -> bool:
        """Whether anybody records."""
        return self.recorder is not NO_RECORDER

    def ghost(self, what: Ghost, who: str, /, **data: Plain) -> None:
        """Tell the recorder, if there is one, what only the simulator can know."""
        if self.recorder is not NO_RECORDER:
            self.recorder.ghost(what, who, **data)

    def served(self) -> None:
        """A write was acknowledged."""
        self.on_ack()

    def endpoints(self) -> tuple[str, ...]:
        """Everybody who has links."""
        return (*self.names, *self.controllers, API, CLIENTS)

    def isolate(self, name: str, how: Reach = Reach.BLACK_HOLE) -> None:
        """Cut one endpoint off from everybody."""
        for other in self.endpoints():
            if other != name:
                self.net.cut(name, other, how)

    def reconnect(self, name: str) -> None:
        """Let everybody reach it again."""
        self.net.heal(name)

    def up(self, name: InstanceName) -> bool:
        """Whether a process lives there."""
        return self.platform.up(name)

    def answers(self, name: InstanceName) -> bool:
        """Whether a new connection there would be answered now."""
        return self.platform.open(name)

    @property
    def lives(self) -> dict[InstanceName, int]:
        """How often each instance's process was started."""
        return {name: pod.starts for name, pod in self.platform.pods.items()}

    def incarnation(self, name: InstanceName) -> Incarnation | None:
        """The platform's name for the process there."""
        return self.platform.incarnation(name)

    def members(self) -> tuple[Member, ...]:
        """What the platform lists."""
        return self.platform.members()

    def image(self, name: InstanceName) -> Disk:
        """What its volume holds now, as a snapshot of the machine would keep it."""
        return self.platform.image(name)

    def written(self, before: Record | None, record: Record, author: Controller) -> None:
        """A controller wrote the record: judge it, and note what a human gave up by ordering a reign."""
        policy, who = author.policy, author.name
        if before is None:
            self.ledger.new_record()
        if record.main_run is not None:
            self.crowned.add((record.main, record.main_run))
        safety.check_naming(self, before, record, who)
        if before is not None and before.generation == record.generation:
            return
        safety.check_flapping(record, policy.failover_limit, policy.failover_window_s, self.now, who)
        change = record.history[-1]
        if safety.could_acknowledge(self, change):
            safety.check_reason(self, change, who)
            self.unneeded += 1
            self.ghost(Ghost.NOTE, who, text=f"reign {change.generation} was not needed: {change.previous} could serve")
        ordered = change.kind in (ChangeKind.FORCED, ChangeKind.ADOPT) and bool(change.by)
        if ordered and not record.opened and self.up(record.main):
            count = self.ledger.give_up(self.ids(record.main))
            self.say("", f"{change.by} gives up {count} writes")

    # -- queries ---------------------------------------------------------------------------------

    def send(
        self, name: str, query: str, done: Callable[[Ticket], None], parameters: dict[str, Any] | None = None
    ) -> None:
        """Send a query past every link; ``done`` is called when it has an outcome, also if the process went away."""
        try:
            self.world.send(name, query, parameters, lambda ticket: self.world.at(0.0, lambda: done(ticket)))
        except Refused as refused:
            ticket = Ticket(self.now, done=True, error=refused)
            self.world.at(0.001, lambda: done(ticket))

    def start_clients(self, count: int, every_s: float) -> None:
        """Let that many clients write unique numbers for ever; see `Clients.writers`."""
        self.clients.writers(count, every_s)

    def listens(self, name: InstanceName) -> bool:
        """Whether its replication port is open."""
        return self.world.hosts[name].server is not None

    def objects(self, name: InstanceName) -> int:
        """How many vertices and edges an instance says it holds."""
        graph = self.world[name].graph
        return (graph.vertex_count + graph.edge_count) * self.weight

    def ids(self, name: InstanceName) -> frozenset[int]:
        """Which writes a living instance holds, committed: what only the simulator may see."""
        graph = self.world[name].graph
        known = self._ids.get(name)
        if known is None or known[0] is not graph or known[1] != graph.changes:
            known = self._ids[name] = (graph, graph.changes, ids_of(graph))
        return known[2]

    def stored(self, name: InstanceName) -> frozenset[int]:
        """Which writes an instance holds or, if no process lives there, would hold after a start from its volume."""
        if self.up(name) and self.world.hosts[name].state is State.OPEN:
            return self.ids(name)
        scratch = World(0)
        host = scratch.hosts[name] = Host(name, scratch, disk=self.image(name))
        scratch.start(name, self.platform.settings)
        return ids_of(host.live().graph)


def ids_of(graph: Graph) -> frozenset[int]:
    """Which writes a graph holds, committed."""
    states = (node.latest() for node in graph.nodes.values())
    return frozenset(int(str(state.properties["id"])) for state in states if state is not None and "W" in state.labels)

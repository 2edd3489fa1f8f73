"""The world that controllers act on: instances, the record, the lease, gateways and clients, all in virtual time.

Instances are the fake's own model (`memgraph_ha.fakes.memgraph.virtual`). What is simulated here is what lies around
them: processes that are started again by a platform, a record and a lease with compare-and-set, clients that write
through whichever gateway is open and note what they were told.
"""

from __future__ import annotations

import copy
import random
from collections.abc import Callable
from functools import partial
from typing import Any, Final

from attrs import evolve, frozen

from memgraph_ha.core.commands import Promote
from memgraph_ha.core.names import Address, Incarnation, InstanceName, RunId
from memgraph_ha.core.permit import Permit
from memgraph_ha.core.record import ChangeKind, Record
from memgraph_ha.core.topology import Member
from memgraph_ha.fakes.memgraph.disk import Disk
from memgraph_ha.fakes.memgraph.rpc import LogChunk, SnapshotChunk, SnapshotFinish
from memgraph_ha.fakes.memgraph.settings import Settings
from memgraph_ha.fakes.memgraph.virtual import Refused, Ticket, World
from memgraph_ha.fakes.memgraph.virtual_host import State
from memgraph_ha.fakes.memgraph.virtual_net import Reach
from memgraph_ha.sim.world.store import LeaseObject, Store, ViolationError

NAMES: Final = (InstanceName("m0"), InstanceName("m1"), InstanceName("m2"))
PORT: Final = 10000
CLUSTER: Final = "sim"

CARE_S: Final = 0.4
"""How often the platform looks for processes that ended by themselves."""


@frozen(kw_only=True)
class Ack:
    """A write that a client was told is saved."""

    write: int
    at_s: float
    permit: Permit


class Cluster:
    """Three instances, their platform, the record, the lease, and clients.

    Args:
        seed: Of everything left to chance.

    Attributes:
        weight: How many vertices each simulated one stands for, where it matters how much there is to be copied.
        slow: Extra seconds until an instance answers SHOW STORAGE INFO (long reads, transcripts Q14).
        rebuilds: When whose data was moved aside by order of a controller.
        forgiven: Writes that a human gave up by name.
        by_hand: Writes that a human made directly at an instance, and does not give up.
        older: Whose volume is older than what was acknowledged, until it is emptied.
        empties: Whether a rebuild empties anything: a platform may fail to.
        calm: Clients write nothing.
        locked: Who refuses the controllers' password.
        claims: What an instance says of its configuration, where that is not as usual.
        gone: Who left the platform's list.
    """

    def __init__(self, seed: int) -> None:
        self.world = World(seed)
        self.random = random.Random(seed)
        self.store = Store()
        self.lease = LeaseObject()
        self.acks: list[Ack] = []
        self.writers: dict[int, tuple[InstanceName, RunId]] = {}
        self.prompt = True
        self.trace: list[str] = []
        self.down: set[InstanceName] = set()
        self.lives: dict[InstanceName, int] = dict.fromkeys(NAMES, 0)
        self.gates: dict[str, Permit | None] = {}
        self.quiet: set[str] = set()
        self.reads: dict[str, frozenset[InstanceName]] = {}
        self.open: dict[InstanceName, set[int]] = {name: set() for name in NAMES}
        self.weight = 1
        self.slow: dict[InstanceName, float] = {}
        self.rebuilds: list[tuple[float, InstanceName]] = []
        self.forgiven: set[int] = set()
        self.by_hand: set[int] = set()
        self.older: set[InstanceName] = set()
        self.empties = True
        self.calm = False
        self.locked: set[InstanceName] = set()
        self.claims: dict[InstanceName, dict[str, Any]] = {}
        self.gone: set[InstanceName] = set()
        self.stalled: set[str] = set()
        self.writes = 0
        settings = evolve(Settings(), flush_every=1, snapshot_on_exit=False)
        for name in NAMES:
            self._boot(name, settings)
        self.world.run_until(lambda: all(self.world.hosts[name].state is State.OPEN for name in NAMES))
        self._care()

    @property
    def now(self) -> float:
        """Virtual seconds."""
        return self.world.now

    def say(self, who: str, text: str) -> None:
        """One line of trace."""
        self.trace.append(f"{self.now:9.3f} {who:>4} {text}")

    # --- processes

    def _boot(self, name: InstanceName, settings: Settings | None = None) -> None:
        self.lives[name] += 1
        self.world.start(name, settings, (f"SET REPLICATION ROLE TO REPLICA WITH PORT {PORT};",), wait=False)

    def up(self, name: InstanceName) -> bool:
        """Whether a process lives there."""
        return self.world.hosts[name].instance is not None

    def _care(self) -> None:
        """Start what ended by itself, as a DROP REPLICA can end MAIN (transcripts Q5, Q7)."""
        self.world.at(CARE_S, self._care)
        for name in NAMES:
            self.restart(name)

    def answers(self, name: InstanceName) -> bool:
        """Whether a new connection there would be answered now."""
        host = self.world.hosts[name]
        return host.state is State.OPEN and not host.frozen

    def _end(self, name: InstanceName) -> None:
        """End its process; who waits for an answer of it learns that from the kernel, unless nothing gets through."""
        self.world.kill(name)
        for other in NAMES:
            if other != name and self.world.reach(name, other) is Reach.OPEN:
                self.world.hosts[other].break_links_to(name)

    def kill(self, name: InstanceName) -> None:
        """SIGKILL; the platform starts it again unless it is kept down."""
        if self.up(name):
            self.say("", f"kill {name}")
            self._end(name)
            self.world.at(0.05 + self.random.random() * 0.3, lambda: self.restart(name))

    def restart(self, name: InstanceName) -> None:
        """What the platform does with a place where nothing runs."""
        if not self.up(name) and name not in self.down:
            self.say("", f"start {name}")
            self._boot(name)

    def keep_down(self, name: InstanceName) -> None:
        """Kill it and let it lie."""
        self.down.add(name)
        self.kill(name)

    def let_up(self, name: InstanceName) -> None:
        """Let the platform start it again."""
        self.down.discard(name)
        self.restart(name)

    def freeze(self, name: InstanceName) -> None:
        """SIGSTOP."""
        if self.up(name):
            self.say("", f"freeze {name}")
            self.world.freeze(name)

    def thaw(self, name: InstanceName) -> None:
        """SIGCONT."""
        if self.up(name) and self.world.hosts[name].frozen:
            self.say("", f"thaw {name}")
            self.world.thaw(name)

    def wipe(self, name: InstanceName) -> None:
        """Kill it and empty its data directory."""
        self.say("", f"wipe {name}")
        if self.up(name):
            self._end(name)
        self.world.hosts[name].disk.wipe()
        self.world.at(0.2, lambda: self.restart(name))

    def image(self, name: InstanceName) -> Disk:
        """What its volume holds now, as a snapshot of the machine would keep it."""
        return copy.deepcopy(self.world.hosts[name].disk)

    def roll_back(self, name: InstanceName, image: Disk) -> None:
        """Kill it, and put an older volume in the place of its own."""
        self.say("", f"roll {name} back")
        if self.up(name):
            self._end(name)
        self.world.hosts[name].disk = copy.deepcopy(image)
        self.older.add(name)
        self.world.at(0.2, lambda: self.restart(name))

    def heal(self) -> None:
        """Let everybody reach everybody, and answer as fast as ever."""
        self.world.heal()
        self.world.lose = lambda _source, _target, _request: False
        self.slow.clear()
        self.locked.clear()
        self.claims.clear()
        self.gone.clear()
        self.empties, self.calm = True, False
        for name in NAMES:
            self.world.hosts[name].disk_full = False

    def stall_copies_to(self, name: InstanceName) -> None:
        """Swallow what it answers to a recovery: its row stays in recovery until MAIN gives the call up (30-60 s)."""

        def stall(source: str, target: str, request: object) -> bool:
            if target == name and isinstance(request, LogChunk | SnapshotChunk | SnapshotFinish):
                self.world.cut(source, target)
                self.world.at(0.05, lambda: self.world.cut(source, target, Reach.OPEN))
            return False

        self.world.lose = stall

    def rebuild(self, name: InstanceName) -> None:
        """Kill it and move what it stored aside."""
        self.say("", f"rebuild {name}")
        self.rebuilds.append((self.now, name))
        if self.up(name):
            self._end(name)
        if self.empties:
            self.world.hosts[name].disk.wipe()
            self.older.discard(name)
        self.world.at(0.3, lambda: self.restart(name))

    def incarnation(self, name: InstanceName) -> Incarnation | None:
        """The platform's name for the process there."""
        return Incarnation(f"{name}/{self.lives[name]}") if self.up(name) else None

    def members(self) -> tuple[Member, ...]:
        """What the platform lists."""
        return tuple(
            Member(
                name=name,
                bolt=Address(f"{name}:7687"),
                replication=Address(f"{name}:{PORT}"),
                incarnation=self.incarnation(name),
            )
            for name in NAMES
            if name not in self.gone
        )

    def send(
        self, name: str, query: str, done: Callable[[Ticket], None], parameters: dict[str, Any] | None = None
    ) -> None:
        """Send a query; ``done`` is called when it has an outcome, also if the process went away."""
        try:
            ticket = self.world.send(name, query, parameters)
        except Refused as refused:
            ticket = Ticket(self.now, done=True, error=refused)
        self._watch(ticket, done, 0.001)

    def _watch(self, ticket: Ticket, done: Callable[[Ticket], None], pause_s: float) -> None:
        def look() -> None:
            if ticket.done:
                done(ticket)
            else:
                self._watch(ticket, done, min(0.05, pause_s * 1.5))

        self.world.at(pause_s, look)

    # --- clients

    def write_by_hand(self, name: InstanceName, count: int = 1) -> int:
        """A human writes directly to an instance, and relies on it; returns the last write's number."""
        first = self.writes + 1
        self.writes += count
        numbers = {"first": first, "last": self.writes}
        self.world.ask(name, "UNWIND range($first, $last) AS i CREATE (:W {id: i})", numbers)
        self.by_hand.update(range(first, self.writes + 1))
        return self.writes

    def replace_data(self, name: InstanceName) -> None:
        """Recover a snapshot of another data set there, by hand (RECOVER SNAPSHOT)."""
        self.world.ask(name, "CREATE SNAPSHOT")
        snapshot = self.world.hosts[name].disk.snapshots[-1]
        snapshot.header = {**snapshot.header, "uuid": "00000000-0000-4000-8000-00000000f0e1"}
        self.recover_snapshot(name)

    def recover_snapshot(self, name: InstanceName) -> None:
        """Recover the newest snapshot there, by hand."""
        path = self.world.ask(name, "SHOW SNAPSHOTS")[-1][0]
        self.world.ask(name, f"RECOVER SNAPSHOT '{path}' FORCE")

    def start_clients(self, count: int, every_s: float) -> None:
        """Let that many clients write unique ids for ever, each through whichever gateway is open."""
        for client in range(count):
            self.world.at(every_s * client / count, lambda: self._write(every_s))

    def _write(self, every_s: float) -> None:
        self.world.at(every_s, lambda: self._write(every_s))
        if self.calm:
            return
        for controller, permit in self.gates.items():
            if permit is None or controller in self.stalled or self.now >= permit.valid_until_s:
                continue
            if not self.up(permit.instance) or self.world[permit.instance].run_id != permit.run:
                continue
            if controller in self.quiet:
                return  # held: it goes on when the quiet moment is over
            self.writes += 1
            number = self.writes
            self.open[permit.instance].add(number)
            told = partial(self._told, controller, permit, number)
            self.send(permit.instance, "CREATE (:W {id: $id})", told, {"id": number})
            return

    def _told(self, controller: str, permit: Permit, number: int, ticket: Ticket) -> None:
        """An answer of MAIN reached the gateway: relay it only under the permit that it came through (design 7)."""
        self.open[permit.instance].discard(number)
        if controller in self.stalled:
            self.world.at(0.05, lambda: self._told(controller, permit, number, ticket))
            return
        now_permit = self.gates.get(controller)
        if now_permit is None or not now_permit.extends(permit) or self.now >= now_permit.valid_until_s:
            return
        if ticket.error is None:
            self._check_writer(number, permit)
            self.acks.append(Ack(write=number, at_s=self.now, permit=permit))

    def _check_writer(self, number: int, permit: Permit) -> None:
        """S2: generations of acknowledgements never fall, and each has one writer."""
        writer = (permit.instance, permit.run)
        last = self.acks[-1].permit.generation if self.acks else 0
        if permit.generation < last or self.writers.setdefault(permit.generation, writer) != writer:
            raise ViolationError(f"S2: write {number} was acknowledged by {permit.instance} in {permit.generation}")

    def note(self, record: Record) -> None:
        """A human who orders a reign by name gives up what its MAIN lacks; a controller never may."""
        change = record.history[-1] if record.history else None
        ordered = change is not None and change.kind in (ChangeKind.FORCED, ChangeKind.ADOPT) and change.by
        if change is None or not ordered or record.opened or not self.up(record.main):
            return
        kept = self.ids(record.main)
        given_up = {ack.write for ack in self.acks} - kept
        self.forgiven |= given_up
        self.acks = [ack for ack in self.acks if ack.write in kept]
        self.say("", f"{change.by} gives up {len(given_up)} writes")

    def check_holds_all(self, name: InstanceName, occasion: str) -> None:
        """Whatever was acknowledged up to now must be there, unless nothing lives there at all."""
        must = {ack.write for ack in self.acks} | self.by_hand
        lost = must - self.ids(name) if self.up(name) else set()
        if lost and name not in self.older:
            raise ViolationError(f"{occasion}: {name} lacks {sorted(lost)[:5]}")

    def check_promotion(self, command: Promote) -> None:
        """S4: at the instant a promotion takes effect, everything acknowledged is there, and nobody else is MAIN."""
        name, record = command.instance, self.store.read()[0]
        if record is None or record.generation != command.generation or record.main != name:
            return  # a late one of a deposed leader: harmless, the reign's own steps follow
        self.check_holds_all(name, "S4: it is promoted")
        mains = [other for other in NAMES if self.world.hosts[other].state is State.OPEN and self.world[other].is_main]
        readers = [who for who, read in self.reads.items() if name in read and who not in self.stalled]
        if readers and self.prompt:
            raise ViolationError(f"S13: {name} is promoted while {readers[0]} lets readers in")
        others = [other for other in mains if other != name]  # one that starts becomes REPLICA before Bolt opens
        if others and self.prompt:
            raise ViolationError(f"S2: {name} is promoted while {others[0]} lives as MAIN")

    def objects(self, name: InstanceName) -> int:
        """How many vertices and edges an instance says it holds."""
        graph = self.world[name].graph
        return (graph.vertex_count + graph.edge_count) * self.weight

    def ids(self, name: InstanceName) -> set[int]:
        """Which writes an instance holds, committed: what only the simulator may see."""
        found = self.world[name].graph.begin()
        try:
            states = (found.state(record) for record in found.candidates(["W"], {}))
            return {int(str(state.properties["id"])) for state in states if state is not None}
        finally:
            found.abort()

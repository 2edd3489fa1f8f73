"""The gateways of one controller: who may pass, who waits, and who is cut (design 7, 8)."""

from __future__ import annotations

from typing import TYPE_CHECKING

from attrs import define, field

from memgraph_ha.core.facts import SentinelBroke
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.permit import Permit, ReadPermit, Route
from memgraph_ha.sim.world.dialling import Dial
from memgraph_ha.sim.world.passage import Client, Passage

if TYPE_CHECKING:
    from memgraph_ha.sim.world.cluster import Cluster
    from memgraph_ha.sim.world.controller import Controller


@define(eq=False)
class Gateway:
    """The read/write and the read-only gateway of one controller's process.

    Attributes:
        permit: Whom the read/write gateway relays to.
        hold: New clients are held while it is shut.
        quiet: No new transaction passes.
        reads: Whom the read-only gateway relays to.
        passages: The connections through both, oldest first.
        dials: Those that are being made.
        held: Clients that wait for the read/write gateway to open.
    """

    controller: Controller
    permit: Permit | None = None
    hold: bool = False
    quiet: bool = False
    reads: dict[InstanceName, ReadPermit] = field(factory=dict)
    passages: list[Passage] = field(factory=list)
    dials: list[Dial] = field(factory=list)
    held: list[Client] = field(factory=list)

    @property
    def name(self) -> str:
        """The controller's."""
        return self.controller.name

    @property
    def cluster(self) -> Cluster:
        """Where it is."""
        return self.controller.cluster

    # -- what the controller does with it --------------------------------------------------------

    def apply(self, route: Route) -> None:
        """Take over a route: on narrowing, whatever it forbids is cut when this returns."""
        was_quiet = self.quiet
        self.permit, self.hold, self.quiet = route.permit, route.hold, route.quiet
        self.reads = {read.permit.instance: read for read in route.reads}
        cluster = self.cluster
        cluster.gates[self.name] = route.permit
        cluster.reads[self.name] = frozenset(self.reads)
        (cluster.quiet.add if route.quiet else cluster.quiet.discard)(self.name)
        for passage in list(self.passages):
            if not passage.allowed:
                passage.cut()
        for dial in list(self.dials):
            if not self.permits(dial.permit, reads=dial.reads):
                dial.give_up()
        if was_quiet and not route.quiet:
            for passage in list(self.passages):
                passage.resume()
        if self.held and (route.permit is not None or not route.hold):
            waiting, self.held = self.held, []
            for client in waiting:
                self.admit(client)

    def shut(self) -> None:
        """The process ended: the kernel closes every connection."""
        self.apply(Route(permit=None, hold=False, why="it ended"))

    def cut_open(self) -> None:
        """Cut whoever is inside a transaction that was ended by force."""
        for passage in list(self.passages):
            if passage.inside:
                passage.cut()

    @property
    def in_flight(self) -> int:
        """How many requests of writers were sent through it and not answered yet."""
        return sum(passage.busy and not passage.reads for passage in self.passages)

    # -- clients ---------------------------------------------------------------------------------

    def admit(self, client: Client) -> None:
        """A client connects to the read/write gateway."""
        permit = self.permit
        if permit is not None and self.controller.clock.now_s < permit.valid_until_s:
            self._dial(client, permit, reads=False)
        elif self.hold:
            self.held.append(client)
            self.controller.after(self.controller.policy.hold_max_s, lambda: self._give_up(client))
        else:
            client.turned_away()

    def _give_up(self, client: Client) -> None:
        if client in self.held:
            self.held.remove(client)
            client.turned_away()

    def admit_reader(self, client: Client) -> None:
        """A client connects to the read-only gateway; it is led to the first replica that takes new readers."""
        now_s = self.controller.clock.now_s
        for read in self.reads.values():
            if read.takes_new and now_s < read.permit.valid_until_s:
                self._dial(client, read.permit, reads=True)
                return
        client.turned_away()

    def _dial(self, client: Client, permit: Permit, *, reads: bool) -> None:
        dial = Dial(self, client, permit, reads)
        self.dials.append(dial)
        dial.begin()

    def permits(self, permit: Permit, *, reads: bool) -> bool:
        """Whether bytes may pass now on a connection that was let in, or is being made, under that permit."""
        if reads:
            read = self.reads.get(permit.instance)
            now = None if read is None else read.permit
        else:
            now = self.permit
        return now is not None and now.extends(permit) and self.controller.clock.now_s < now.valid_until_s

    def left(self, passage: Passage) -> None:
        """A connection ended."""
        if passage in self.passages:
            self.passages.remove(passage)

    # -- the sentinel ----------------------------------------------------------------------------

    def process_ended(self, name: InstanceName, run: str) -> None:
        """The kernel of a process that ended reset its connections: the sentinel's too."""
        permit = self.permit
        if permit is None or (permit.instance, permit.run) != (name, run):
            return

        def broke() -> None:
            now_s = self.controller.clock.now_s
            if self.permit is not None and self.permit.extends(permit):
                hold = self.hold
                self.apply(Route(permit=None, hold=hold, why="the connection to MAIN broke"))
                self.controller.gate_changed()
            self.controller.file(SentinelBroke(at_s=now_s, instance=permit.instance, run=permit.run))
            self.controller.watcher.look(permit.instance)

        self.cluster.net.carry(name, self.name, lambda: self.controller.read(broke))

"""The gateways of one controller: who may pass, and the bytes that are on their way through them (design 7, 8).

What a client sent and MAIN has not read is on the link to MAIN or, while the controller stands still, in its buffers;
what MAIN answered and the client has not read likewise. The permit is checked after reading from MAIN and before
writing to the client, as the real gateway does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from attrs import define, field

from memgraph_ha.core.facts import SentinelBroke
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.permit import Permit, ReadPermit, Route
from memgraph_ha.fakes.memgraph.effects import Procedure
from memgraph_ha.fakes.memgraph.session import Session
from memgraph_ha.fakes.memgraph.virtual import Refused, Ticket
from memgraph_ha.fakes.memgraph.virtual_host import Host, State
from memgraph_ha.fakes.memgraph.virtual_net import Reach
from memgraph_ha.sim.checks import safety

if TYPE_CHECKING:
    from memgraph_ha.sim.world.cluster import Cluster
    from memgraph_ha.sim.world.controller import Controller

CLIENTS: Final = "clients"
"""Their name as an endpoint of links."""

DIAL_S: Final = 5.0
"""How long the gateway tries to reach MAIN for one client (`connect_timeout_s`)."""

Work = Callable[[Session], Procedure[list[list[object]]]]
"""What a client wants done in its session."""


class Client(Protocol):
    """Who uses a gateway."""

    def entered(self, passage: Passage) -> None:
        """It has a connection to an instance now."""

    def turned_away(self) -> None:
        """It has none: the gateway refused it, or could not reach anybody."""

    def answered(self, ticket: Ticket) -> None:
        """What it asked for came to an end, and it was told so."""

    def cut_off(self, passage: Passage) -> None:
        """That connection ended; what it had asked for may be done or not."""


@define(eq=False)
class Passage:
    """One client's connection through a gateway to one process.

    Attributes:
        permit: What it was let in under.
        host: Where it leads.
        session: In the process that it leads to.
        reads: It is a read-only one.
        busy: Something was asked for and not answered yet.
        inside: It is inside an explicit transaction.
        over: It ended.
        waiting: What the client sent in a quiet moment.
    """

    gateway: Gateway
    client: Client
    permit: Permit
    host: Host
    session: Session
    reads: bool
    busy: bool = False
    inside: bool = False
    over: bool = False
    waiting: Work | None = None

    def send(self, work: Work, *, begins: bool = True) -> None:
        """Ask for something.

        Args:
            work: What.
            begins: It begins a transaction, so that a quiet moment holds it back.
        """
        self.busy = True
        gateway = self.gateway
        gateway.cluster.net.carry(
            CLIENTS, gateway.name, lambda: gateway.controller.read(lambda: self._forward(work, begins))
        )

    def _forward(self, work: Work, begins: bool) -> None:
        """The gateway read what the client sent."""
        if self.over:
            return
        if not self.gateway.allows(self):
            self.cut()
        elif begins and not self.inside and not self.reads and self.gateway.quiet:
            self.waiting = work
        else:
            net, name = self.gateway.cluster.net, self.host.name
            net.carry(self.gateway.name, name, lambda: self._arrive(work))

    def resume(self) -> None:
        """The quiet moment is over: go on with what was held back."""
        work, self.waiting = self.waiting, None
        if work is not None:
            self._forward(work, begins=True)

    def _arrive(self, work: Work) -> None:
        """MAIN's kernel has it; a process that is another one by now resets the connection."""
        cluster, host = self.gateway.cluster, self.host
        if host.instance is not self.session.instance:
            cluster.net.carry(host.name, self.gateway.name, lambda: self.gateway.controller.read(self.cut))
            return
        safety.check_chunk(cluster, self)
        cluster.world.perform(host.name, work(self.session), self._executed)

    def _executed(self, ticket: Ticket) -> None:
        net, gateway = self.gateway.cluster.net, self.gateway
        net.answer(self.host.name, gateway.name, lambda: gateway.controller.read(lambda: self._relay(ticket)))

    def _relay(self, ticket: Ticket) -> None:
        """The gateway read an answer of MAIN: it is passed on only under the permit that it came through."""
        if self.over:
            return
        if isinstance(ticket.error, Refused) or not self.gateway.allows(self):
            self.cut()
            return
        if ticket.error is None and not self.reads:
            safety.check_relay(self.gateway.cluster, self)
        self.busy = False
        self.gateway.cluster.net.carry(self.gateway.name, CLIENTS, lambda: self.client.answered(ticket))

    def cut(self) -> None:
        """End it; the client learns that as soon as the link allows, and the instance rolls back what was open."""
        if not self.over:
            self.over = True
            self.gateway.left(self)
            if self.inside and self.host.instance is self.session.instance:
                net, session = self.gateway.cluster.net, self.session
                net.carry(self.gateway.name, self.host.name, self.host.alive(session.abort))
            self.gateway.cluster.net.carry(self.gateway.name, CLIENTS, lambda: self.client.cut_off(self))


@define(eq=False)
class Gateway:
    """The read/write and the read-only gateway of one controller's process.

    Attributes:
        permit: Whom the read/write gateway relays to.
        hold: New clients are held while it is shut.
        quiet: No new transaction passes.
        reads: Whom the read-only gateway relays to.
        passages: The connections through both, oldest first.
        held: Clients that wait for the read/write gateway to open.
    """

    controller: Controller
    permit: Permit | None = None
    hold: bool = False
    quiet: bool = False
    reads: dict[InstanceName, ReadPermit] = field(factory=dict)
    passages: list[Passage] = field(factory=list)
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
            if not self.allows(passage):
                passage.cut()
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
        """Connect to the permit's address, whoever answers there."""
        host, net, over = self.cluster.platform.at_address(permit.address), self.cluster.net, [False]

        def end(passage: Passage | None) -> None:
            if over[0]:
                return
            over[0] = True
            if passage is None or not self.allows(passage):
                client.turned_away()
            else:
                self.passages.append(passage)
                client.entered(passage)

        def arrive(host: Host) -> None:
            if host.state is not State.OPEN:
                net.carry(host.name, self.name, lambda: self.controller.read(lambda: end(None)))
                return
            session = self.cluster.world.session(host.name)
            passage = Passage(self, client, permit, host, session, reads)
            net.carry(host.name, self.name, lambda: self.controller.read(lambda: end(passage)))

        if host is None or net.path(self.name, host.name) is Reach.REFUSED:
            self.cluster.world.at(0.001, lambda: end(None))
            return
        net.carry(self.name, host.name, lambda: arrive(host), DIAL_S)
        self.controller.after(DIAL_S, lambda: end(None))

    def allows(self, passage: Passage) -> bool:
        """Whether bytes may pass on that connection now."""
        if passage.reads:
            read = self.reads.get(passage.permit.instance)
            now = None if read is None else read.permit
        else:
            now = self.permit
        return now is not None and now.extends(passage.permit) and self.controller.clock.now_s < now.valid_until_s

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

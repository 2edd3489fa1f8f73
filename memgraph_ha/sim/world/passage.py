"""A client's connection through a gateway: what it asked for and was not answered is on its way (design 7).

What a client sent and MAIN has not read is on the link to MAIN or, while the controller stands still, in its buffers;
what MAIN answered and the client has not read likewise. The permit is checked after reading from MAIN and before
writing to the client, as the real gateway does.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final, Protocol

from attrs import define

from memgraph_ha.core.permit import Permit
from memgraph_ha.fakes.memgraph.effects import Procedure
from memgraph_ha.fakes.memgraph.session import Session
from memgraph_ha.fakes.memgraph.virtual import Refused, Ticket
from memgraph_ha.fakes.memgraph.virtual_host import Host
from memgraph_ha.sim.checks import safety

if TYPE_CHECKING:
    from memgraph_ha.sim.world.gateway import Gateway

CLIENTS: Final = "clients"
"""Their name as an endpoint of links."""

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

    @property
    def allowed(self) -> bool:
        """Whether bytes may pass on it now."""
        return self.gateway.permits(self.permit, reads=self.reads)

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
        if not self.allowed:
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
        if isinstance(ticket.error, Refused) or not self.allowed:
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

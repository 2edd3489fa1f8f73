"""A gateway's attempt to reach an instance for one client."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define

from memgraph_ha.core.permit import Permit
from memgraph_ha.fakes.memgraph.virtual_host import Host, State
from memgraph_ha.fakes.memgraph.virtual_net import Reach
from memgraph_ha.sim.world.passage import Client, Passage

if TYPE_CHECKING:
    from memgraph_ha.sim.world.gateway import Gateway

DIAL_S: Final = 5.0
"""How long the gateway tries (`connect_timeout_s`)."""

REFUSED_S: Final = 0.001


@define(eq=False)
class Dial:
    """On its way from the gateway to the permit's address, whoever answers there.

    Attributes:
        over: It came to something, or was given up.
    """

    gateway: Gateway
    client: Client
    permit: Permit
    reads: bool
    over: bool = False

    def begin(self) -> None:
        """Connect."""
        gateway, cluster = self.gateway, self.gateway.cluster
        host = cluster.platform.at_address(self.permit.address)
        if host is None or cluster.net.path(gateway.name, host.name) is Reach.REFUSED:
            cluster.world.at(REFUSED_S, self._failed)
            return
        cluster.net.carry(gateway.name, host.name, lambda: self._arrive(host), DIAL_S)
        gateway.controller.after(DIAL_S, self._failed)

    def _arrive(self, host: Host) -> None:
        """The instance's kernel was asked."""
        gateway, cluster = self.gateway, self.gateway.cluster
        if host.state is State.OPEN:
            session = cluster.world.session(host.name)
            passage = Passage(gateway, self.client, self.permit, host, session, self.reads)
            cluster.net.carry(host.name, gateway.name, lambda: gateway.controller.read(lambda: self._done(passage)))
        else:
            cluster.net.carry(host.name, gateway.name, lambda: gateway.controller.read(self._failed))

    def _done(self, passage: Passage) -> None:
        if not self.over and self.gateway.permits(self.permit, reads=self.reads):
            self._end()
            self.gateway.passages.append(passage)
            self.client.entered(passage)
        else:
            self._failed()

    def _failed(self) -> None:
        if not self.over:
            self._end()
            self.client.turned_away()

    def give_up(self) -> None:
        """The permit is not valid any more: the client waits for another one, or is turned away."""
        if not self.over:
            self._end()
            if self.reads:
                self.client.turned_away()
            else:
                self.gateway.admit(self.client)

    def _end(self) -> None:
        self.over = True
        self.gateway.dials.remove(self)

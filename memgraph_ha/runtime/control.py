"""The part of the HTTP API's `Control` that is the same wherever the daemon runs."""

import time

from attrs import field, frozen

from memgraph_ha.adapters.ports import Lease
from memgraph_ha.api.accounting import Accounting
from memgraph_ha.api.control import Gate, Gateway, Snapshot
from memgraph_ha.core import Answer, Ask, at_stake, refusal
from memgraph_ha.core.names import InstanceName
from memgraph_ha.desk import Desk
from memgraph_ha.runtime.gateway import LeaderGateway


@frozen(kw_only=True)
class DeskControl:
    """What a controller's desk, lease and gateways answer; the rest of `Control` knows the platform.

    Attributes:
        identity: Ours, as the lease names us.
        desk: The daemon's.
        lease: Who leads.
        gateway: The clients; None where nobody is served (``--observe-only``).
        rw_port: Where the read/write gateway listens.
        ro_port: Where the read-only gateway listens; 0: there is none.
        accounting: What the daemon counts.
        started_at: When this process started, wall clock, seconds since 1970.
    """

    identity: str
    desk: Desk
    lease: Lease
    gateway: LeaderGateway | None
    rw_port: int
    ro_port: int
    accounting: Accounting
    started_at: float = field(factory=time.time)

    def snapshot(self, *, cluster: str, namespace: str, lease_name: str, observe_only: bool = False) -> Snapshot:
        """Say how things stand.

        Args:
            cluster: A name of the cluster for people.
            namespace: Where the lease lives.
            lease_name: Its name there.
            observe_only: Whether no command is sent.
        """
        return Snapshot(
            view=self.desk.view,
            decision=self.desk.decision,
            holds=self.desk.holds(),
            leader=self.lease.leader,
            identity=self.identity,
            cluster=cluster,
            namespace=namespace,
            lease_name=lease_name,
            started_at=self.started_at,
            now=time.time(),
            observe_only=observe_only,
            last_tick_age_s=self.desk.age_s,
            gateways=self._gateways(),
        )

    def _gateways(self) -> dict[Gate, Gateway]:
        serving = None if self.gateway is None else self.gateway.serving
        if serving is None:
            return {}
        found = {Gate.RW: Gateway(port=self.rw_port, counters=serving.rw.counters())}
        if serving.ro is not None:
            found[Gate.RO] = Gateway(port=self.ro_port, counters=serving.ro.counters())
        return found

    async def ask(self, ask: Ask, instance: InstanceName | None, *, by: str, reason: str, wait_s: float) -> Answer:
        """Ask for something and wait for its end; see `Control.ask`."""
        return await self.desk.ask(ask, instance, by=by, reason=reason, wait_s=wait_s)

    def refusal(self, ask: Ask, instance: InstanceName | None) -> str | None:
        """Say why it would be refused now; see `Control.refusal`."""
        return refusal(self.desk.leading_view(), ask, self.desk.whom(ask, instance))

    def at_stake(self, instance: InstanceName) -> str:
        """Say what a forced failover to that instance could lose."""
        return "unknown: nothing was seen yet" if self.desk.view is None else at_stake(self.desk.view, instance)

    def reset_connections(self) -> int:
        """Cut every client of both gateways."""
        return 0 if self.gateway is None else self.gateway.reset()

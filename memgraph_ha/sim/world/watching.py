"""Which instances a controller probes, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define, field

from memgraph_ha.core.facts import MembersSeen
from memgraph_ha.core.names import Incarnation, InstanceName
from memgraph_ha.core.topology import Member
from memgraph_ha.fakes.memgraph.virtual_host import Host
from memgraph_ha.sim.world.probe import Prober

if TYPE_CHECKING:
    from memgraph_ha.sim.world.controller import Controller

CLUSTER: Final = "sim"
"""The id of every simulated cluster."""

LOOK_PAUSE_S: Final = 0.05
"""As the daemon: a rule that waits does not look again sooner."""


@define(eq=False)
class Watcher:
    """Follows the members of the cluster for one controller."""

    controller: Controller
    _followed: dict[InstanceName, tuple[Incarnation | None, Prober]] = field(factory=dict)
    _looked: dict[InstanceName, float] = field(factory=dict)

    def begin(self) -> None:
        """A process starts."""
        for _, prober in self._followed.values():
            prober.over = True
        self._followed.clear()
        self._looked.clear()
        controller = self.controller
        controller.cluster.api.watch(controller.name, lambda members: controller.read(lambda: self._listed(members)))

    def _listed(self, members: tuple[Member, ...]) -> None:
        """Probe exactly these from now on, each incarnation anew."""
        controller = self.controller
        controller.file(MembersSeen(at_s=controller.now_s, cluster=CLUSTER, members=members))
        now = {member.name: member.incarnation for member in members}
        for name, (incarnation, prober) in list(self._followed.items()):
            if name not in now or now[name] != incarnation:
                prober.over = True
                del self._followed[name]
        for name, incarnation in now.items():
            if name not in self._followed:
                self._followed[name] = (incarnation, Prober(controller, name))
                self._followed[name][1].begin()

    def look(self, name: InstanceName) -> None:
        """Probe soon, out of turn."""
        now_s = self.controller.now_s
        if name in self._followed and now_s - self._looked.get(name, -1.0) >= LOOK_PAUSE_S:
            self._looked[name] = now_s
            self._followed[name][1].look()

    def process_ended(self, name: InstanceName) -> None:
        """The kernel of a process that ended closed the connection of its probe."""
        controller = self.controller

        def heard() -> None:
            if name in self._followed:
                self._followed[name][1].process_ended()

        controller.cluster.net.carry(name, controller.name, lambda: controller.read(heard))

    def host_of(self, name: InstanceName) -> Host | None:
        """Who answers at the address that the controller knows of an instance."""
        seen = self.controller.observed.of(name)
        return None if seen is None else self.controller.cluster.platform.at_address(seen.member.bolt)

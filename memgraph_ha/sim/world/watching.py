"""Which instances a controller probes, and how often."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define, field

from memgraph_ha.core.facts import MembersSeen
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.topology import Member
from memgraph_ha.fakes.memgraph.virtual_host import Host
from memgraph_ha.sim.world.probe import Probe

if TYPE_CHECKING:
    from memgraph_ha.sim.world.controller import Controller

CLUSTER: Final = "sim"
"""The id of every simulated cluster."""

TRIGGERS_S: Final = 5.0
"""As the daemon: how often MAIN is asked for its triggers."""

LOOK_PAUSE_S: Final = 0.05
"""As the daemon: a rule that waits does not look again sooner."""

LOOK_S: Final = 0.005
"""How soon a look out of turn begins."""


@define(eq=False)
class Watcher:
    """Follows the members of the cluster for one controller."""

    controller: Controller
    _followed: dict[InstanceName, object] = field(factory=dict)
    _looked: dict[InstanceName, float] = field(factory=dict)
    _triggers_due_s: float = 0.0

    def begin(self) -> None:
        """A process starts."""
        self._followed.clear()
        self._looked.clear()
        self._triggers_due_s = 0.0
        controller = self.controller
        controller.cluster.api.watch(controller.name, lambda members: controller.read(lambda: self._listed(members)))

    def _listed(self, members: tuple[Member, ...]) -> None:
        controller = self.controller
        controller.file(MembersSeen(at_s=controller.now_s, cluster=CLUSTER, members=members))
        names = [member.name for member in members]
        for gone in [name for name in self._followed if name not in names]:
            del self._followed[gone]
        for name in names:
            if name not in self._followed:
                mark = self._followed[name] = object()
                self._follow(name, mark)

    def _follow(self, name: InstanceName, mark: object) -> None:
        """Probe it again and again, until it leaves the list."""
        if self._followed.get(name) is mark:
            Probe(self.controller, name).begin()
            self.controller.after(self.controller.policy.probe_interval_s, lambda: self._follow(name, mark))

    def look(self, name: InstanceName) -> None:
        """Probe soon, out of turn."""
        now_s = self.controller.now_s
        if now_s - self._looked.get(name, -1.0) >= LOOK_PAUSE_S:
            self._looked[name] = now_s
            self.controller.after(LOOK_S, Probe(self.controller, name).begin)

    def host_of(self, name: InstanceName) -> Host | None:
        """Who answers at the address that the controller knows of an instance."""
        seen = self.controller.observed.of(name)
        return None if seen is None else self.controller.cluster.platform.at_address(seen.member.bolt)

    def triggers_are_due(self) -> bool:
        """Whether MAIN is to be asked for its triggers now; it counts as asked then."""
        now_s = self.controller.now_s
        due = now_s >= self._triggers_due_s
        if due:
            self._triggers_due_s = now_s + TRIGGERS_S
        return due

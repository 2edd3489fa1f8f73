"""Looks at the cluster again and again: at states that no command explains, and for whoever records."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define, field

from memgraph_ha.fakes.memgraph.virtual_host import State
from memgraph_ha.sim.checks import safety
from memgraph_ha.trace.schema import Ghost, Plain

if TYPE_CHECKING:
    from memgraph_ha.sim.world.ground import Ground

LINEAGE_S: Final = 2.0
"""How often it is looked whether a level replica holds what its MAIN lacks (S6)."""

LOOK_S: Final = 0.05
"""How often the state and the role of instances are looked at, if anybody records."""

STATES: Final = {State.STOPPED: "down", State.STARTING: "starting", State.OPEN: "up"}


@define(eq=False)
class Witness:
    """Sees everything, and changes nothing."""

    cluster: Ground
    _seen: dict[str, tuple[State, bool, str, bool]] = field(factory=dict)

    def begin(self) -> None:
        """Look for ever."""
        self._lineage()
        if self.cluster.recorded:
            self._look()

    def _lineage(self) -> None:
        self.cluster.world.at(LINEAGE_S, self._lineage)
        safety.check_lineage(self.cluster)

    def _look(self) -> None:
        self.cluster.world.at(LOOK_S, self._look)
        for name, host in self.cluster.world.hosts.items():
            instance = host.instance
            run, is_main = ("", False) if instance is None else (instance.run_id, instance.is_main)
            seen = (host.state, host.frozen, run, is_main and host.state is State.OPEN)
            if self._seen.get(name) != seen:
                self._seen[name] = seen
                self.cluster.ghost(Ghost.INSTANCE, name, **_told(*seen))


def _told(state: State, frozen: bool, run: str, is_main: bool) -> dict[str, Plain]:
    told: dict[str, Plain] = {"state": "frozen" if frozen else STATES[state]}
    if run:
        told["run"] = run
        if state is State.OPEN:
            told["role"] = "MAIN" if is_main else "REPLICA"
    return told

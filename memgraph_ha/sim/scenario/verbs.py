"""Every verb that a scenario can use; the modules imported here enter theirs."""

from typing import Final

from memgraph_ha.sim.scenario import verbs_control, verbs_instances, verbs_network, verbs_people
from memgraph_ha.sim.scenario.registry import VERBS, Verb

MENDING: Final = frozenset(verb.undo for verb in VERBS.values() if verb.undo) | {"heal"}
"""Verbs that break nothing: they end what another one did."""

__all__ = ["MENDING", "VERBS", "Verb", "verbs_control", "verbs_instances", "verbs_network", "verbs_people"]

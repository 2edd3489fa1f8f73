"""Every verb that a scenario can use; the modules imported here enter theirs."""

from memgraph_ha.sim.scenario import verbs_control, verbs_instances, verbs_network, verbs_people
from memgraph_ha.sim.scenario.registry import VERBS, Verb

__all__ = ["VERBS", "Verb", "verbs_control", "verbs_instances", "verbs_network", "verbs_people"]

"""The form of every verb's help."""

from memgraph_ha.helping import ExampledCommand
from memgraph_ha.sim.exits import MEANINGS


class SimCommand(ExampledCommand):
    """A verb of the simulator."""

    meanings = MEANINGS

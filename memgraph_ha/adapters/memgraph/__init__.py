"""The instances over Bolt: probes, and commands with their guards (design 5, 7)."""

from memgraph_ha.adapters.memgraph.database import MemgraphDatabase

__all__ = ["MemgraphDatabase"]

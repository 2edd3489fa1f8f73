"""``python -m memgraph_ha.drill.soak``: what `memgraph-ha soak` becomes in name spaces of its own."""

from memgraph_ha.drill.soak.command import soak

soak(prog_name="memgraph-ha soak")

"""`memgraph-ha local`: a whole cluster on one machine, by the same daemon that runs anywhere else."""

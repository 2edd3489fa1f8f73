"""`python -m memgraph_ha` is `memgraph-ha`."""

from memgraph_ha.cli import main

main()

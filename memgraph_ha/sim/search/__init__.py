"""`memgraph-ha sim check`: every history of a small world, under the production rules, with a budget of faults."""

"""`memgraph-ha run` without a cluster."""

"""The verbs of `memgraph-ha sim`, one thin module each."""

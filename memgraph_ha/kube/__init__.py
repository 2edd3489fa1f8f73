"""`memgraph-ha run`: one controller of a Memgraph StatefulSet on Kubernetes."""

"""What every way of running the daemon shares: `memgraph-ha local` on one machine, `memgraph-ha run` on Kubernetes."""

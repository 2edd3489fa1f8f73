"""Tests of `memgraph-ha local`: its options, its data directory, and how it ends."""

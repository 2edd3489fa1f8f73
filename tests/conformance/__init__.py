"""What a real Memgraph 3.6.1 was seen to do, asked of the server that `MEMGRAPH_BINARY` names."""

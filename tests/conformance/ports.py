"""Ports for servers that must be told which: free, and kept so."""

from __future__ import annotations

import socket


def held_port() -> socket.socket:
    """Return a socket that keeps a port from everybody who does not ask for that very one.

    It is bound and does not listen: connections are refused, and a server that sets SO_REUSEADDR, as Memgraph
    (src/io/network/socket.cpp) and the fake do, may listen there; nobody else is given the port meanwhile.
    """
    holder = socket.socket()
    # On every address, as replication listens there.
    holder.bind(("0.0.0.0", 0))  # noqa: S104 - it never listens
    holder.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
    return holder


def number_of(holder: socket.socket) -> int:
    """Return the port that a socket keeps."""
    port: int = holder.getsockname()[1]
    return port


def free_port() -> int:
    """Return a port that nobody listens on now."""
    with held_port() as holder:
        return number_of(holder)

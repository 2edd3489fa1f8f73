"""A port that nobody listens on, for who must be told one."""

import socket


def free_port() -> int:
    """Give a TCP port of 127.0.0.1 that nobody listens on now; somebody may a moment later."""
    with socket.socket() as probe:
        probe.bind(("127.0.0.1", 0))
        return int(probe.getsockname()[1])

"""Addresses, and sockets with the options that the gateway wants on them."""

import errno
import os
import socket
from typing import Final

from attrs import frozen

KEEPALIVE_IDLE_S: Final = 30
KEEPALIVE_INTERVAL_S: Final = 10
KEEPALIVE_COUNT: Final = 3
SENTINEL_KEEPALIVE_IDLE_S: Final = 5
BACKLOG: Final = 4096

NO_ROOM: Final = frozenset({errno.EMFILE, errno.ENFILE, errno.ENOBUFS, errno.ENOMEM, errno.EADDRNOTAVAIL})
"""Errors that are about us, not about the peer: try again a little later."""

V4_MAPPED: Final = bytes(10) + b"\xff\xff"
"""What an IPv4 address wears as an IPv6 one (``::ffff:192.0.2.1``)."""

_GOING_ON: Final = frozenset({errno.EINPROGRESS, errno.EALREADY, errno.EAGAIN, errno.EINTR})


@frozen
class Target:
    """A resolved TCP address.

    Attributes:
        family: ``AF_INET`` or ``AF_INET6``.
        host: The numeric address.
        port: 1 to 65535.
    """

    family: int
    host: str
    port: int


def split_address(address: str) -> tuple[str, int]:
    """Take ``host:port`` or ``[v6]:port`` apart.

    Raises:
        ValueError: It is neither; the message names it.
    """
    host, colon, port = address.rpartition(":")
    host = host.removeprefix("[").removesuffix("]")
    if not colon or not host or not port.isascii() or not port.isdigit() or not 0 < int(port) < 2**16:
        raise ValueError(f"address: {address!r} is not host:port with a port from 1 to 65535")
    return host, int(port)


def numeric_target(host: str, port: int) -> Target | None:
    """The target of a numeric host, without asking anyone; None if it is a name that must be resolved."""
    for family in (socket.AF_INET, socket.AF_INET6):
        try:
            socket.inet_pton(family, host)
        except OSError:
            continue
        return Target(family, host, port)
    return None


def packed_host(host: str) -> bytes:
    """The bytes of a numeric address; a client of a dual-stack listener counts as what it is, IPv4.

    Args:
        host: An IPv4 address, possibly in IPv6 clothes, or an IPv6 address, possibly with a zone (``%eth0``).

    Returns:
        4 or 16 bytes.

    Raises:
        OSError: It is not a numeric address.
    """
    if ":" not in host:
        return socket.inet_pton(socket.AF_INET, host)
    return socket.inet_pton(socket.AF_INET6, host.partition("%")[0]).removeprefix(V4_MAPPED)


def listen(host: str, port: int) -> socket.socket:
    """Open a non-blocking listening socket.

    Accepted sockets inherit its options on Linux (no Nagle delay, keep-alive), which saves each new client
    five system calls.

    Args:
        host: Numeric address or name; ``""`` for all IPv4 addresses.
        port: 0 to 65535; 0 lets the kernel choose.

    Raises:
        OSError: The address is busy or not ours; ``errno`` tells.
    """
    found = socket.getaddrinfo(host or None, port, type=socket.SOCK_STREAM, flags=socket.AI_PASSIVE)
    family, _, _, _, sockaddr = found[0]
    sock = socket.create_server(sockaddr, family=family, backlog=BACKLOG)
    sock.setblocking(False)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    keep_alive(sock, KEEPALIVE_IDLE_S)
    return sock


def keep_alive(sock: socket.socket, idle_s: int) -> None:
    """Let the kernel find out whether an idle peer is still there, after ``idle_s`` seconds of silence."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_KEEPALIVE, 1)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPIDLE, idle_s)
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPINTVL, min(idle_s, KEEPALIVE_INTERVAL_S))
    sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_KEEPCNT, KEEPALIVE_COUNT)


def dial(target: Target, user_timeout_ms: int) -> socket.socket:
    """Begin to connect, without blocking.

    Args:
        target: Whom.
        user_timeout_ms: After which unacknowledged bytes end the connection (``TCP_USER_TIMEOUT``).

    Returns:
        The socket; ask `connected` how far it is.

    Raises:
        OSError: There is no socket to be had, see `NO_ROOM`, or the peer refused within the call.
    """
    sock = socket.socket(target.family, socket.SOCK_STREAM | socket.SOCK_NONBLOCK)
    try:
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT, user_timeout_ms)
        connected(sock, target)
    except BaseException:
        sock.close()
        raise
    return sock


def connected(sock: socket.socket, target: Target) -> bool:
    """Whether a connection is established by now.

    The first call begins the attempt. Asking connect again answers from the socket's own state, never from an
    epoll mask that may be stale; on loopback it says yes right after `dial`, which saves a round through epoll.

    Raises:
        OSError: It failed; ``errno`` tells why.
    """
    code = sock.connect_ex((target.host, target.port))
    if code in _GOING_ON:
        return False
    if code and code != errno.EISCONN:
        raise OSError(code, os.strerror(code))
    return True

"""A Bolt client of raw sockets: what is on the wire, byte for byte."""

from __future__ import annotations

import contextlib
import socket
import struct
from collections.abc import Iterator
from typing import Final

from tests.conformance.servers import HOST, PATIENCE_S, Server

MAGIC: Final = bytes.fromhex("6060b017")
HELLO: Final = b"\xb1\x01\xa1\x8auser_agent\x81x"
LOGON: Final = b"\xb1\x6a\xa1\x86scheme\x84none"
ROUTE: Final = b"\xb3\x66\xa0\x90\xa0"
Offer = tuple[int, int, int]
"""Major, minor, and how many minors below it are offered too."""


@contextlib.contextmanager
def connected(server: Server) -> Iterator[socket.socket]:
    """Open a TCP connection to the Bolt port."""
    with socket.create_connection((HOST, server.bolt), timeout=PATIENCE_S) as connection:
        yield connection


def receive(connection: socket.socket, size: int) -> bytes:
    """Return exactly `size` bytes, fewer only at the end of the connection."""
    data = b""
    while len(data) < size and (more := connection.recv(size - len(data))):
        data += more
    return data


def handshake(connection: socket.socket, *offers: Offer) -> bytes:
    """Offer versions; returns the first four bytes of the answer."""
    padded = [*offers, *[(0, 0, 0)] * (4 - len(offers))]
    connection.sendall(MAGIC + b"".join(bytes([0, below, minor, major]) for major, minor, below in padded))
    return receive(connection, 4)


def message(connection: socket.socket, content: bytes) -> bytes:
    """Send one message and return the content of the one that answers."""
    connection.sendall(struct.pack(">H", len(content)) + content + b"\0\0")
    return answer(connection)


def answer(connection: socket.socket) -> bytes:
    """Return the content of the next message."""
    content = b""
    while size := int.from_bytes(receive(connection, 2), "big"):
        content += receive(connection, size)
    return content

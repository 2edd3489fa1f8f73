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
PULL: Final = b"\xb1\x3f\xa1\x81n\xff"
SUCCESS: Final = b"\xb1\x70"
FAILURE: Final = b"\xb1\x7f"
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


def logged_in(connection: socket.socket) -> None:
    """Go through handshake, HELLO and LOGON without credentials."""
    assert handshake(connection, (5, 2, 0)).hex() == "00000205"
    for content in (HELLO, LOGON):
        assert message(connection, content).startswith(SUCCESS)


def run(connection: socket.socket, query: str) -> list[bytes]:
    """Send RUN and PULL; returns the answer of the first and, unless it failed, all of the second, last first."""
    text = query.encode()
    head = message(connection, b"\xb3\x10\xd0" + bytes([len(text)]) + text + b"\xa0\xa0")
    if head.startswith(FAILURE):
        return [head]
    answers = [message(connection, PULL)]
    while not answers[0].startswith((SUCCESS, FAILURE)):
        answers.insert(0, answer(connection))
    return [head, *answers]


def answer(connection: socket.socket) -> bytes:
    """Return the content of the next message; empty at the end of the connection."""
    content = b""
    while size := int.from_bytes(receive(connection, 2), "big"):
        content += receive(connection, size)
    return content

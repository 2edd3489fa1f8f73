"""Raw sockets that begin as a Bolt client does."""

from typing import Final

import trio

HANDSHAKE: Final = bytes.fromhex("6060b017 00000005 00000404 00000304 00000003")
"""Bolt's magic and four proposals (Bolt protocol documentation, handshake)."""

HELLO: Final = bytes.fromhex("0003 b101 a0 0000")
"""A HELLO without fields in one chunk (Bolt protocol documentation, messages): it is answered in any case."""


async def dial(port: int) -> trio.SocketStream:
    """Open a connection to a port of this machine."""
    return await trio.open_tcp_stream("127.0.0.1", port)

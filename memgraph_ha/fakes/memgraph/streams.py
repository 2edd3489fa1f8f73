"""Receiving a known number of bytes."""

from __future__ import annotations

from typing import Final

import trio

_MOST_AT_ONCE: Final = 1 << 20


async def receive_exactly(stream: trio.SocketStream, size: int) -> bytes | None:
    """Receive `size` bytes, or None if the peer closes the connection before.

    Raises:
        trio.BrokenResourceError: The connection was reset.
        trio.ClosedResourceError: It was closed on this side.
    """
    content = bytearray()
    while len(content) < size:
        some = await stream.receive_some(min(size - len(content), _MOST_AT_ONCE))
        if not some:
            return None
        content += some
    return bytes(content)

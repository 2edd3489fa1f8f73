"""Bolt's framing: a message is a run of chunks, each with a size before it, ended by a size of zero."""

from __future__ import annotations

from typing import Final

_HEADER: Final = 2
MAX_CHUNK: Final = 0xFFFF


class ChunkError(ValueError):
    """A message that is longer than the server takes."""


class Dechunker:
    """Puts received bytes together to messages.

    Args:
        max_message_bytes: The longest message it takes; may be changed between two calls.
    """

    def __init__(self, max_message_bytes: int) -> None:
        self.max_message_bytes = max_message_bytes
        self._buffer = bytearray()
        self._message = bytearray()

    def feed(self, data: bytes | bytearray) -> list[bytes]:
        """Take bytes in and return the messages that are complete now.

        Empty messages, which are NOOPs that keep a connection alive, are left out.

        Raises:
            ChunkError: A message grows beyond the limit; the stream cannot be read any further.
        """
        buffer = self._buffer
        buffer += data
        messages = []
        start = 0
        while len(buffer) - start >= _HEADER:
            size = buffer[start] << 8 | buffer[start + 1]
            if len(buffer) - start - _HEADER < size:
                self._check(len(self._message) + size)
                break
            if size:
                self._check(len(self._message) + size)
                self._message += buffer[start + _HEADER : start + _HEADER + size]
            elif self._message:
                messages.append(bytes(self._message))
                self._message.clear()
            start += _HEADER + size
        del buffer[:start]
        return messages

    def _check(self, size: int) -> None:
        if size > self.max_message_bytes:
            raise ChunkError(f"a message of at least {size} bytes, at most {self.max_message_bytes} are taken")


def begin_chunk(out: bytearray) -> int:
    """Reserve the header of a chunk; returns where the message begins, for `end_chunk`."""
    out += b"\x00\x00"
    return len(out)


def end_chunk(out: bytearray, start: int) -> None:
    """Complete the message that was appended to `out` from `start` on.

    A message of up to 65535 bytes is one chunk in place; a longer one is split.
    """
    size = len(out) - start
    if size <= MAX_CHUNK:
        out[start - _HEADER : start] = size.to_bytes(_HEADER, "big")
    else:
        message = bytes(out[start:])
        del out[start - _HEADER :]
        for offset in range(0, size, MAX_CHUNK):
            chunk = message[offset : offset + MAX_CHUNK]
            out += len(chunk).to_bytes(_HEADER, "big") + chunk
    out += b"\x00\x00"


def cancel_chunk(out: bytearray, start: int) -> None:
    """Take back what was appended for the message that begins at `start`, and its header."""
    del out[start - _HEADER :]

"""The first twenty bytes: which version of Bolt the two sides speak."""

from __future__ import annotations

from typing import Final, TypeAlias

# Major and minor.
Version: TypeAlias = tuple[int, int]

MAGIC: Final = bytes.fromhex("6060b017")
HANDSHAKE_BYTES: Final = 20

SUPPORTED: Final[frozenset[Version]] = frozenset({(1, 0), (4, 0), (4, 1), (4, 3), (5, 2)})
"""The versions of Memgraph 3.5 to 3.11 (transcripts "Bolt", semantics 0.1)."""


def negotiate(handshake: bytes, supported: frozenset[Version] = SUPPORTED) -> Version | None:
    """Return the version that a client's handshake leads to, None if there is none.

    The four offers are taken in order.  One may be a range: its second byte says how many minor
    versions below are offered too.  An offer of zero ends the list; offers of unknown meaning, such
    as the manifest of newer drivers, match nothing (semantics 9.1; transcripts, official.md,
    "Bolt handshake").

    Args:
        handshake: The 20 bytes.
        supported: What the server speaks.
    """
    if handshake[: len(MAGIC)] != MAGIC:
        return None
    for start in range(len(MAGIC), HANDSHAKE_BYTES, 4):
        _, span, minor, major = handshake[start : start + 4]
        if (minor, major) == (0, 0):
            return None
        for offered in range(minor, max(-1, minor - span - 1), -1):
            if (major, offered) in supported:
                return major, offered
    return None


def answer(version: Version) -> bytes:
    """Return the four bytes that accept a version."""
    major, minor = version
    return bytes((0, 0, minor, major))

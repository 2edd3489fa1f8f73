"""How fast one client address may open connections: a token bucket per source, in bounded memory."""

from collections import OrderedDict
from typing import Final

from memgraph_ha.proxy.sockets import packed_host

MAX_SOURCES: Final = 16_384
"""Buckets kept at most, about 200 bytes each. One more source, and the bucket that was used longest ago is forgotten:
that source has its whole burst again."""

_V6_NETWORK_BYTES: Final = 8


def source_key(host: str) -> bytes:
    """Whom an address belongs to: an IPv4 address itself, of IPv6 its /64 network, which one host may own whole.

    Args:
        host: A numeric address.

    Returns:
        4 or 8 bytes.

    Raises:
        OSError: It is not a numeric address.
    """
    return packed_host(host)[:_V6_NETWORK_BYTES]


class SourceLimit:
    """A token bucket per source, each kept as one number: the time at which it will be full again.

    Nothing refills buckets, and nothing scans them: a full one equals none, so each call also drops up to two that
    have filled up, oldest first, and the table shrinks as it grew.

    Args:
        rate_per_s: Connections a second that a source may open for ever, > 0.
        burst: How many it may open at once after a pause, >= 1.
        max_sources: Buckets kept at most, >= 1.
    """

    def __init__(self, rate_per_s: float, burst: int, max_sources: int = MAX_SOURCES) -> None:
        self._token_s = 1 / rate_per_s
        self._depth_s = burst / rate_per_s
        self._max_sources = max_sources
        self._full_at: OrderedDict[bytes, float] = OrderedDict()

    @property
    def sources(self) -> int:
        """Buckets kept now."""
        return len(self._full_at)

    def take(self, host: str, now: float) -> bool:
        """Take a token of this source.

        Args:
            host: The client's numeric address.
            now: Seconds on a clock that never goes back.

        Returns:
            Whether there was one; a refused attempt costs nothing.
        """
        self._shrink(now)
        key = source_key(host)
        full_at = max(self._full_at.get(key, now), now) + self._token_s
        # An empty bucket is full again after exactly ``_depth_s``. The sum of many tokens is not exact: a millionth
        # of a token decides nothing.
        if full_at - now > self._depth_s + self._token_s * 1e-6:
            return False
        self._full_at[key] = full_at
        self._full_at.move_to_end(key)
        if len(self._full_at) > self._max_sources:
            self._full_at.popitem(last=False)
        return True

    def _shrink(self, now: float) -> None:
        """Drop up to two buckets that are full again."""
        for _ in range(2):
            oldest = next(iter(self._full_at), None)
            if oldest is None or self._full_at[oldest] > now:
                return
            del self._full_at[oldest]

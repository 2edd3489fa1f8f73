"""Silent connections: found by looking at byte counts now and then, so that no message pays for it."""

from collections.abc import Iterable
from typing import Final

from memgraph_ha.proxy.link import Link

LOOKS: Final = 4
"""Looks per timeout, at least: a connection is found silent at most a quarter of the timeout late."""
LOOK_AT_LEAST_S: Final = 60.0


class IdleWatch:
    """Which links have been silent for too long: not a byte was written to either end.

    Args:
        timeout_s: How long is too long, > 0; 0 watches nothing.

    Attributes:
        wake_at: When the next look is due, on the gateway's clock.
    """

    def __init__(self, timeout_s: float) -> None:
        self._timeout_s = timeout_s
        self._pause_s = min(timeout_s / LOOKS, LOOK_AT_LEAST_S)
        self._seen: dict[Link, tuple[int, float]] = {}
        self.wake_at = float("-inf") if timeout_s else float("inf")

    def forgive(self) -> None:
        """Count from the next look on: silence so far was, in part, the gateway's own doing."""
        self._seen.clear()

    def silent(self, links: Iterable[Link], now: float, *, excused: bool) -> list[Link]:
        """Look, if that is due, and return those that are to be closed.

        Args:
            links: All there are.
            now: On the gateway's clock, seconds.
            excused: The gateway itself keeps them from speaking now.
        """
        if now < self.wake_at:
            return []
        self.wake_at = now + self._pause_s
        if excused:
            self.forgive()
            return []
        before, self._seen = self._seen, {}
        over = []
        for link in links:
            written = link.client.written + link.main.written
            last, since = before.get(link, (-1, now))
            if written != last:
                since = now
            self._seen[link] = written, since
            if now - since >= self._timeout_s:
                over.append(link)
        return over

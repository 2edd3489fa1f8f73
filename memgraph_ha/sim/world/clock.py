"""Clocks of single processes: they jump, run fast or slow, and stand still while nobody notices."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from memgraph_ha.fakes.memgraph.virtual import World

WALL_EPOCH_S: Final = 1e9
"""What the wall clock says when the world begins."""

SLOWEST: Final = 0.1
FASTEST: Final = 10.0


class Clock:
    """One process's CLOCK_BOOTTIME and wall clock.

    Args:
        world: Whose time is the true one.

    Attributes:
        rate: Seconds that it counts per true second.
        wall_offset_s: What somebody added to the wall clock.
    """

    def __init__(self, world: World) -> None:
        self._world = world
        self._then_s = self._read_s = world.now
        self.rate = 1.0
        self.wall_offset_s = 0.0

    @property
    def now_s(self) -> float:
        """What it says; never less than before."""
        return self._read_s + (self._world.now - self._then_s) * self.rate

    @property
    def wall_s(self) -> float:
        """What the wall clock says, seconds since 1970."""
        return WALL_EPOCH_S + self._world.now + self.wall_offset_s

    def after(self, seconds: float, action: Callable[[], None]) -> None:
        """Let something happen when this clock has counted so many seconds at its present rate."""
        self._world.at(max(0.0, seconds) / self.rate, action)

    def jump(self, seconds: float) -> None:
        """Add to it at once, as a suspended and resumed machine does; what was to happen later still waits as long.

        Args:
            seconds: >= 0; CLOCK_BOOTTIME never goes back.
        """
        self._read_s, self._then_s = self.now_s + max(0.0, seconds), self._world.now

    def run_at(self, rate: float) -> None:
        """Run at another speed from now on; 1.0 is true, and what is out of 0.1 to 10 is brought there."""
        self._read_s, self._then_s = self.now_s, self._world.now
        self.rate = min(FASTEST, max(SLOWEST, rate))

    def heal(self) -> None:
        """Run as fast as true time again, with a right wall clock; what it has counted too much stays."""
        self.run_at(1.0)
        self.wall_offset_s = 0.0

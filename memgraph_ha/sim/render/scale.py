"""From seconds to pixels, and where to put the ticks."""

import math
from typing import Final

from attrs import frozen

_STEPS: Final = (1.0, 2.0, 5.0, 10.0)
_MINUTE: Final = 60.0
_MINUTES: Final = (0.5, 1, 2, 5, 10, 15, 30, 60, 120, 240, 480, 720)
_DAY: Final = 86400.0

TICK_PX: Final = 90
"""Ticks are at least so far apart."""

LETTER_PX: Final = 7.6
"""About how wide a letter is; what does not fit is not written."""


@frozen
class Scale:
    """A window of time and the pixels it gets.

    Attributes:
        start_s: What is at the left edge.
        end_s: What is at the right edge; more than ``start_s``.
        width: Pixels between them.
    """

    start_s: float
    end_s: float
    width: int

    def x(self, at_s: float) -> float:
        """Say where a moment is, rounded to a tenth of a pixel; also outside of the window."""
        return round((at_s - self.start_s) / (self.end_s - self.start_s) * self.width, 1)

    def shows(self, start_s: float, end_s: float) -> bool:
        """Say whether any part of a stretch is in the window."""
        return end_s >= self.start_s and start_s <= self.end_s

    def ticks(self) -> tuple[tuple[float, str], ...]:
        """List the moments that get a tick, with what is written at each."""
        step = _step(self.end_s - self.start_s, max(1, self.width // TICK_PX))
        first, last = math.ceil(self.start_s / step - 1e-9), math.floor(self.end_s / step + 1e-9)
        return tuple((number * step, _moment(number * step, step)) for number in range(first, last + 1))


def _step(span_s: float, most: int) -> float:
    """Choose 1, 2 or 5 times a power of ten, or a whole part of an hour, so that there are at most ``most`` steps."""
    least = span_s / most
    if least > _MINUTE / 4:
        whole = next((step for step in _MINUTES if step * _MINUTE >= least), None)
        return math.ceil(least / _DAY) * _DAY if whole is None else whole * _MINUTE
    power: float = 10.0 ** math.floor(math.log10(least))
    return next(power * step for step in _STEPS if power * step >= least * (1 - 1e-9))


def _moment(at_s: float, step: float) -> str:
    if step >= _MINUTE / 2:
        minutes, seconds = divmod(round(at_s), 60)
        return f"{minutes}:{seconds:02d}"
    decimals = max(0, -math.floor(math.log10(step) + 1e-9))
    return f"{at_s:.{decimals}f} s"


def width_of(text: str) -> float:
    """Say about how many pixels a text takes, with a little air."""
    return len(text) * LETTER_PX + 8


def fits(text: str, width: float) -> bool:
    """Say whether a text has room on so many pixels."""
    return width_of(text) <= width

"""Times as people write them: ``1.5s``, ``200ms``, ``2min``, ``1h``."""

from __future__ import annotations

import re
from typing import Final

UNITS: Final[dict[str, float]] = {"ms": 0.001, "s": 1.0, "min": 60.0, "h": 3600.0}
"""Unit to seconds."""

DURATION: Final = re.compile(r"(\d+(?:\.\d+)?)(ms|s|min|h)")
"""A number and a unit, without a space; as in expressions."""


def parse_duration(text: str) -> float:
    """Read a time.

    Args:
        text: E.g. ``1.5s``.

    Returns:
        Seconds.

    Raises:
        ValueError: It is no number with one of the units; the text says which there are.
    """
    found = DURATION.fullmatch(text)
    if found is None:
        raise ValueError(f"is not a time; write a number and one of {', '.join(UNITS)}, e.g. '1.5s'")
    return float(found[1]) * UNITS[found[2]]


def show_duration(seconds: float) -> str:
    """Write a time so that `parse_duration` reads the same; shorter where that is exact."""
    if seconds and seconds < 1 and round(seconds * 1000, 6) == int(seconds * 1000):
        return f"{int(seconds * 1000)}ms"
    return f"{seconds:.6f}".rstrip("0").rstrip(".") + "s"

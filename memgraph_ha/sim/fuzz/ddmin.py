"""The smallest part of a list that still shows something (Zeller and Hildebrandt, "Simplifying and isolating")."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import TypeVar

Item = TypeVar("Item")


def ddmin(items: Sequence[Item], shows: Callable[[tuple[Item, ...]], bool]) -> tuple[Item, ...]:
    """Take items away as long as what is left still shows it: halves first, then ever smaller parts.

    Args:
        items: They show it as they are.
        shows: Whether a part of them, in their order, shows it too. It is asked about each part once.

    Returns:
        A part of which no single item can be missed.
    """
    left, parts = tuple(items), 2
    if left and shows(()):
        return ()
    while len(left) > 1:
        size = -(-len(left) // parts)
        for start in range(0, len(left), size):
            rest = (*left[:start], *left[start + size :])
            if rest and shows(rest):
                left, parts = rest, max(2, parts - 1)
                break
        else:
            if parts >= len(left):
                return left
            parts = min(len(left), parts * 2)
    return left

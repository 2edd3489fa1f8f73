"""Renaming: what a controller knows, and what is on the wire, told anew after a life, a reign or a row has passed."""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import Any, Final

import attrs
from attrs import field, fields, frozen

from memgraph_ha.sim.search.words import CURRENT, NAMES, OLDEST, OUTDATED, ROW

TIMES: Final = frozenset(
    {
        "asked_at_s",
        "at_s",
        "born_s",
        "gap_at_s",
        "gate_since_s",
        "given_up_s",
        "quiet_ended_s",
        "quiet_since_s",
        "refused_first_s",
        "refused_last_s",
        "rows_doubtful_s",
        "since_s",
        "stop_asked_s",
        "switchover_since_s",
        "timeouts_first_s",
        "timeouts_last_s",
        "unnamed_since_s",
    }
)
"""The fields of facts and of `Observed` that say when something was; 0 in some of them stands for never."""

ENDS: Final = frozenset({"until_s", "valid_until_s"})
"""Those that say when something will end."""

_REIGNS: Final = frozenset({"generation", "floor_generation"})
_TEXTS: Final = frozenset({"detail", "reason"})
_SINCE: Final = frozenset({"bad_rows", "recovering"})


@frozen
class Shift:
    """By how much the world's tokens have moved.

    Attributes:
        lives: How many lives each instance has begun.
        reigns: By how much the record's generation rose.
        rows: By how much its ``row_seq`` rose.
        written: Whether the record was written at all.
    """

    lives: tuple[int, int, int] = (0, 0, 0)
    reigns: int = 0
    rows: int = 0
    written: bool = field(default=False)

    def text(self, word: str) -> str:
        """A token after it."""
        return _text(self, word)


@lru_cache(maxsize=None)
def _text(shift: Shift, word: str) -> str:
    if word == CURRENT:
        return str(OUTDATED) if shift.written else word
    for mark in "~/":
        name, found, ago = word.partition(mark)
        if found and name in NAMES:
            return f"{name}{mark}{min(OLDEST, int(ago) + shift.lives[NAMES.index(name)])}"  # type: ignore[arg-type]
    name, found, number = word.partition("_")
    if found and name in NAMES:
        return f"{name}_{max(ROW - OLDEST, int(number) - shift.rows)}"
    return word


Clock = Callable[[float], float]
"""What becomes of a time."""


def rename(thing: Any, shift: Shift | None, past: Clock | None = None, future: Clock | None = None) -> Any:
    """Rewrite every token and every time in a value of the core; what does not change is the same object.

    Args:
        thing: A fact, command, record or `Observed`, or a part of one.
        shift: What moved; None: nothing did.
        past: What becomes of a time at which something was; None: nothing does.
        future: What becomes of a time at which something ends.
    """
    if isinstance(thing, str):
        return thing if shift is None else type(thing)(shift.text(thing))
    if isinstance(thing, tuple):
        made = tuple(rename(part, shift, past, future) for part in thing)
        return thing if all(new is old for new, old in zip(made, thing, strict=True)) else made
    if isinstance(thing, frozenset) or not attrs.has(type(thing)):
        return thing
    changed: dict[str, Any] = {}
    for name in _names(type(thing)):
        old = getattr(thing, name)
        new = _part(name, old, shift, past, future)
        if new is not old and new != old:
            changed[name] = new
    return attrs.evolve(thing, **changed) if changed else thing


@lru_cache(maxsize=None)
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(attribute.name for attribute in fields(kind))


def _part(name: str, old: Any, shift: Shift | None, past: Clock | None, future: Clock | None) -> Any:
    if old is None or isinstance(old, bool):
        return old
    if name in TIMES:
        return old if past is None or not old else past(old)
    if name in ENDS:
        return old if future is None or not old else future(old)
    if name in _SINCE:
        told = past or _same
        return tuple((rename(row, shift), told(since_s)) for row, since_s in old)
    if isinstance(old, (int, float)):
        return old if shift is None else _number(name, old, shift)
    if name in _TEXTS:
        return ""
    if name == "level":
        return old if shift is None or not shift.reigns else tuple((who, was - shift.reigns) for who, was in old)
    return rename(old, shift, past, future)


def _number(name: str, old: float, shift: Shift) -> float:
    if name in _REIGNS:
        return max(0, old - shift.reigns)
    return old - shift.rows if name == "row_seq" else old


def _same(at_s: float) -> float:
    return at_s

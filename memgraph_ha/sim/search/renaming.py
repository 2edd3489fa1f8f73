"""Renaming: what a controller knows, and what is on the wire, told anew after a life, a reign or a row has passed."""

from __future__ import annotations

import re
from functools import cache
from typing import Any, Final

import attrs
from attrs import field, fields, frozen

from memgraph_ha.core.names import Incarnation
from memgraph_ha.core.record import Change, Record
from memgraph_ha.core.topology import Member
from memgraph_ha.sim.search.words import CURRENT, GENERATION, NAMES, OLDEST, OUTDATED, ROW

_REIGNS: Final = frozenset({"generation", "floor_generation"})
_TEXTS: Final = frozenset({"detail", "reason"})
_PAIRS: Final = frozenset({"bad_rows", "recovering"})
_PAIR: Final = re.compile(rf"\b(?:{NAMES[0]}|{NAMES[1]})(?![0-9])")
"""The names of the pair, wherever a token is made from them."""


@frozen
class Shift:
    """By how much the world's tokens have moved.

    Attributes:
        lives: How many lives each instance has begun.
        reigns: By how much the record's generation rose.
        rows: By how much its ``row_seq`` rose.
        written: Whether the record was written at all.
        mirrored: Whether m0 and m1 have changed names.
    """

    lives: tuple[int, int, int] = (0, 0, 0)
    reigns: int = 0
    rows: int = 0
    written: bool = field(default=False)
    mirrored: bool = field(default=False)

    def text(self, word: str) -> str:
        """A token after it."""
        return _text(self, word)


@cache
def _text(shift: Shift, word: str) -> str:
    if shift.mirrored:
        return _PAIR.sub(lambda found: NAMES[1] if found[0] == NAMES[0] else NAMES[0], word)
    if word == CURRENT:
        return str(OUTDATED) if shift.written else word
    for mark in "~/":
        name, found, ago = word.partition(mark)
        if found and name in NAMES:
            return f"{name}{mark}{min(OLDEST, int(ago) + shift.lives[NAMES.index(name)])}"
    name, found, number = word.partition("_")
    if found and name in NAMES:
        return f"{name}_{max(ROW - OLDEST, int(number) - shift.rows)}"
    return word


def rename(thing: Any, shift: Shift) -> Any:
    """Rewrite every token in a value of the core, and leave out what only people read.

    What does not change is the same object. Times stay: nothing on the wire is judged by them, and `clock` tells
    them anew.

    Args:
        thing: A command, a record or an `Observed`, or a part of one.
        shift: What moved.
    """
    if isinstance(thing, str):
        return type(thing)(shift.text(thing))
    if isinstance(thing, tuple):
        made = tuple(rename(part, shift) for part in thing)
        return thing if all(new is old for new, old in zip(made, thing, strict=True)) else made
    if isinstance(thing, frozenset):
        return frozenset(rename(part, shift) for part in thing) if shift.mirrored else thing
    if isinstance(thing, Member) or not attrs.has(type(thing)):
        return _member(thing, shift) if isinstance(thing, Member) else thing
    changed: dict[str, Any] = {}
    oldest = 0 if isinstance(thing, (Record, Change)) else GENERATION - OLDEST
    for name in _names(thing.__class__):
        old = getattr(thing, name)
        new = _part(name, old, shift, oldest)
        if new is not old and new != old:
            changed[name] = new
    return attrs.evolve(thing, **changed) if changed else thing


@cache
def _member(member: Member, shift: Shift) -> Member:
    if shift.mirrored:
        parts: dict[str, Any] = {part.name: getattr(member, part.name) for part in fields(Member)}
        texts = {name: shift.text(part) for name, part in parts.items() if isinstance(part, str)}
        return Member(**{**parts, **texts})
    if member.incarnation is None:
        return member
    return attrs.evolve(member, incarnation=Incarnation(shift.text(member.incarnation)))


@cache
def _names(kind: type[Any]) -> tuple[str, ...]:
    return tuple(attribute.name for attribute in fields(kind))


def _part(name: str, old: Any, shift: Shift, oldest: int) -> Any:
    if old is None or isinstance(old, (bool, float)):
        return old
    if isinstance(old, int):
        if name in _REIGNS:
            return max(oldest, old - shift.reigns)
        return max(ROW - OLDEST, old - shift.rows) if name == "row_seq" else old
    if name in _TEXTS:
        return ""
    if name in _PAIRS:
        return tuple((rename(token, shift), value) for token, value in old)
    if name == "level":
        return tuple(sorted((shift.text(who), was - shift.reigns) for who, was in old))
    return rename(old, shift)

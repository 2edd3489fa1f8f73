"""Another name for every instance, in everything that a view or a decision says."""

import re
from collections.abc import Mapping
from enum import Enum
from typing import Any, TypeVar

import attrs

Thing = TypeVar("Thing")


def renamed(thing: Thing, to: Mapping[str, str]) -> Thing:
    """Rename instances throughout: their names, and runs, rows and reasons that are made from them.

    Args:
        thing: A value made of attrs classes, tuples, frozen sets and texts.
        to: The new name of each instance that gets one.
    """
    made: Thing = _renamed(thing, to, re.compile(rf"(?:{'|'.join(map(re.escape, to))})(?![0-9])"))
    return made


def _renamed(thing: Any, to: Mapping[str, str], names: re.Pattern[str]) -> Any:
    if isinstance(thing, Enum) or thing is None:
        return thing
    if isinstance(thing, str):
        return names.sub(lambda found: to[found[0]], thing)
    if isinstance(thing, frozenset):
        return frozenset(_renamed(one, to, names) for one in thing)
    if isinstance(thing, tuple):
        return tuple(_renamed(one, to, names) for one in thing)
    if attrs.has(type(thing)):
        changed = {
            field.alias: _renamed(getattr(thing, field.name), to, names)
            for field in attrs.fields(type(thing))
            if field.init
        }
        level = changed.get("level")
        if isinstance(level, tuple):
            changed["level"] = tuple(sorted(level))  # a record lists them by name
        return type(thing)(**changed)
    return thing

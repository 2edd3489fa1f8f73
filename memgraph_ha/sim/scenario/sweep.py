"""Files that sweep: a list where one value is meant is several runs, one for each combination."""

from __future__ import annotations

import itertools
from collections.abc import Iterator, Mapping
from typing import Any, Final

from attrs import frozen

SWEPT: Final = ("cluster", "policy", "timing", "client", "before", "fault")
"""Parts of a file in which values may be swept."""

LISTS: Final = ("eligible",)
"""Fields whose value is a list by nature."""


@frozen
class Axis:
    """One swept value.

    Attributes:
        path: Where it stands, as keys and places.
        choices: What it may be.
    """

    path: tuple[str | int, ...]
    choices: tuple[Any, ...]


def expand(document: Mapping[str, Any]) -> list[tuple[str, dict[str, Any]]]:
    """Make every run of a file.

    Args:
        document: As it was read.

    Returns:
        For each run its name (empty if there is only one) and the document with one value in each swept place.
    """
    axes = [axis for part in SWEPT if part in document for axis in _axes(document[part], (part,))]
    labels = _labels(axes)
    runs: list[tuple[str, dict[str, Any]]] = []
    for choice in itertools.product(*(axis.choices for axis in axes)):
        copy = _copied(dict(document))
        for axis, value in zip(axes, choice, strict=True):
            _put(copy, axis.path, value)
        name = ",".join(f"{label}={_shown(value)}" for label, value in zip(labels, choice, strict=True))
        runs.append((name, copy))
    return runs


def _axes(value: Any, path: tuple[str | int, ...]) -> Iterator[Axis]:
    if isinstance(value, dict):
        for key, inner in value.items():
            if key not in LISTS:
                yield from _axes(inner, (*path, key))
    elif isinstance(value, list) and value and all(isinstance(inner, dict) for inner in value):
        for place, inner in enumerate(value):
            yield from _axes(inner, (*path, place))
    elif isinstance(value, list):
        yield Axis(path, tuple(value))


def _labels(axes: list[Axis]) -> list[str]:
    """The last key of each; with the place of its table in the file where that would be the same twice."""
    keys = [str(axis.path[-1]) for axis in axes]
    places = [next((str(step + 1) for step in axis.path if isinstance(step, int)), "") for axis in axes]
    return [f"{key}{place}" if keys.count(key) > 1 else key for key, place in zip(keys, places, strict=True)]


def _shown(value: Any) -> str:
    return str(value).replace(" ", "-")


def _copied(value: Any) -> Any:
    if isinstance(value, dict):
        return {key: _copied(inner) for key, inner in value.items()}
    return [_copied(inner) for inner in value] if isinstance(value, list) else value


def _put(document: Any, path: tuple[str | int, ...], value: Any) -> None:
    for step in path[:-1]:
        document = document[step]
    document[path[-1]] = value

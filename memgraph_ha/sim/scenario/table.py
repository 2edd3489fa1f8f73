"""Reads one table of a file strictly: every key is known, every value is of its kind, and what is wrong says where."""

from __future__ import annotations

from collections.abc import Callable, Iterable
from typing import Any, TypeVar

from attrs import define, field

from memgraph_ha.sim.scenario.errors import ScenarioError
from memgraph_ha.sim.scenario.words import parse_duration

T = TypeVar("T")


@define(eq=False)
class Table:
    """A table of a scenario file.

    Args:
        file: For messages.
        place: Where in the file, e.g. ``fault 2``; empty for its top.
        given: What it holds.
    """

    file: str
    place: str
    given: dict[str, Any]
    _asked: set[str] = field(init=False, factory=set)

    def wrong(self, key: str, why: str) -> ScenarioError:
        """What to raise about the value of a key."""
        where = f"{self.place}: " if self.place else ""
        value = f" {self.given[key]!r}" if key in self.given else ""
        return ScenarioError(f"{self.file}: {where}{key}{value} {why}")

    def has(self, key: str) -> bool:
        """Whether a key is given; it is known then."""
        self._asked.add(key)
        return key in self.given

    def read(self, key: str, reader: Callable[[Any], T]) -> T:
        """Read a value that is there.

        Raises:
            ScenarioError: The reader raised ValueError; the text says which value, where, and what is allowed.
        """
        self._asked.add(key)
        try:
            return reader(self.given[key])
        except ValueError as error:
            raise self.wrong(key, str(error)) from error

    def text(self, key: str, default: str = "") -> str:
        """Read a text."""
        return self.read(key, _text) if self.has(key) else default

    def whole(self, key: str, default: int, low: int, high: int) -> int:
        """Read a whole number of a range."""
        return self.read(key, lambda value: _whole(value, low, high)) if self.has(key) else default

    def yes(self, key: str, default: bool) -> bool:
        """Read true or false."""
        return self.read(key, _yes) if self.has(key) else default

    def time(self, key: str, default: float | None = None) -> float | None:
        """Read a time, in seconds."""
        return self.read(key, lambda value: parse_duration(_text(value))) if self.has(key) else default

    def seconds(self, key: str, default: float) -> float:
        """Read a time that has a default, in seconds."""
        found = self.time(key)
        return default if found is None else found

    def texts(self, key: str) -> tuple[str, ...]:
        """Read a list of texts; none if it is not given."""
        return self.read(key, _texts) if self.has(key) else ()

    def choice(self, key: str, default: str, choices: Iterable[str]) -> str:
        """Read one of some words."""
        words = tuple(choices)
        return self.read(key, lambda value: _one_of(value, words)) if self.has(key) else default

    def table(self, key: str) -> Table:
        """Read a table within; empty if it is not given."""
        given = self.read(key, _table) if self.has(key) else {}
        return Table(self.file, f"{self.place}.{key}".lstrip("."), given)

    def tables(self, key: str) -> list[Table]:
        """Read an array of tables (``[[key]]``); none if it is not given."""
        given = self.read(key, _tables) if self.has(key) else []
        return [Table(self.file, f"{key} {number}", inner) for number, inner in enumerate(given, 1)]

    def end(self) -> None:
        """Say that everything was asked for.

        Raises:
            ScenarioError: A key is given that nobody asked for.
        """
        for key in self.given:
            if key not in self._asked:
                raise self.wrong(key, f"is unknown; known here are {', '.join(sorted(self._asked))}")


def _text(value: Any) -> str:
    if not isinstance(value, str):
        raise ValueError("is not a text; put it into quotes")  # noqa: TRY004 - every wrong value is a ValueError
    return value


def _whole(value: Any, low: int, high: int) -> int:
    if not isinstance(value, int) or isinstance(value, bool) or not low <= value <= high:
        raise ValueError(f"is not allowed; give a whole number from {low} to {high}")
    return value


def _yes(value: Any) -> bool:
    if not isinstance(value, bool):
        raise ValueError("is not allowed; give true or false")  # noqa: TRY004 - every wrong value is a ValueError
    return value


def _texts(value: Any) -> tuple[str, ...]:
    if not isinstance(value, list) or not all(isinstance(one, str) for one in value):
        raise ValueError("is not a list of texts")
    return tuple(value)


def _one_of(value: Any, words: tuple[str, ...]) -> str:
    if value not in words:
        raise ValueError(f"is not allowed; give one of {', '.join(words)}")
    return str(value)


def _table(value: Any) -> dict[str, Any]:
    if not isinstance(value, dict):
        raise ValueError("is not a table")  # noqa: TRY004 - every wrong value is a ValueError
    return value


def _tables(value: Any) -> list[dict[str, Any]]:
    if not isinstance(value, list) or not all(isinstance(one, dict) for one in value):
        raise ValueError("is not an array of tables; write [[...]]")
    return value

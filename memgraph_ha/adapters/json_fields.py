"""Strict reading of the small JSON files that the local adapters keep: every complaint names file, field and value."""

import json
from collections.abc import Mapping


class FieldError(ValueError):
    """A file of ours holds something that cannot be: names the file, the field and what is allowed."""


class Fields:
    """Takes typed fields out of one JSON object.

    Args:
        raw: The object.
        where: What it is, for complaints, e.g. ``/data/lease.json``.
    """

    def __init__(self, raw: Mapping[str, object], where: str) -> None:
        self.raw, self._where = raw, where

    def text(self, name: str) -> str:
        """Take a text that is not empty.

        Raises:
            FieldError: It is missing or something else.
        """
        value = self._get(name)
        if not isinstance(value, str) or not value:
            raise self.wrong(name, "a text")
        return value

    def texts(self, name: str) -> tuple[str, ...]:
        """Take a list of texts.

        Raises:
            FieldError: It is missing or something else.
        """
        value = self._get(name)
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise self.wrong(name, "a list of texts")
        return tuple(value)

    def integer(self, name: str, low: int, high: int | None = None) -> int:
        """Take a whole number from ``low`` to ``high`` (None: without end), both included.

        Raises:
            FieldError: It is missing, something else or out of range.
        """
        value = self._get(name)
        good = isinstance(value, int) and not isinstance(value, bool)
        if not good or not isinstance(value, int) or value < low or (high is not None and value > high):
            raise self.wrong(
                name, f"a whole number {f'of at least {low}' if high is None else f'from {low} to {high}'}"
            )
        return value

    def number(self, name: str, low: float, high: float) -> float:
        """Take a number from ``low`` to ``high``, both included.

        Raises:
            FieldError: It is missing, something else or out of range.
        """
        value = self._get(name)
        if not isinstance(value, (int, float)) or isinstance(value, bool) or not low <= value <= high:
            raise self.wrong(name, f"a number from {low:g} to {high:g}")
        return float(value)

    def flag(self, name: str) -> bool:
        """Take true or false.

        Raises:
            FieldError: It is missing or something else.
        """
        value = self._get(name)
        if not isinstance(value, bool):
            raise self.wrong(name, "true or false")
        return value

    def inner(self, name: str) -> dict[str, object]:
        """Take an object.

        Raises:
            FieldError: It is missing or something else.
        """
        value = self._get(name)
        if not isinstance(value, dict):
            raise self.wrong(name, "an object")
        return value

    def objects(self, name: str) -> "tuple[Fields, ...]":
        """Take a list of objects.

        Raises:
            FieldError: It is missing or something else.
        """
        value = self._get(name)
        if not isinstance(value, list) or not all(isinstance(item, dict) for item in value):
            raise self.wrong(name, "a list of objects")
        return tuple(Fields(item, f"{self._where}: {name}[{index}]") for index, item in enumerate(value))

    def wrong(self, name: str, wanted: str) -> FieldError:
        """Make the complaint that a field is not what was wanted."""
        return FieldError(f"{self._where}: field {name}: {self.raw[name]!r} is not {wanted}")

    def _get(self, name: str) -> object:
        if name not in self.raw:
            raise FieldError(f"{self._where}: field {name}: is missing")
        return self.raw[name]


def read_object(data: bytes, where: str) -> Fields:
    """Read bytes as one JSON object.

    Args:
        data: The bytes of a file.
        where: Its path, for complaints.

    Raises:
        FieldError: It is not UTF-8, not JSON, or JSON but no object.
    """
    try:
        raw: object = json.loads(data.decode())
    except (ValueError, RecursionError) as error:
        raise FieldError(f"{where}: is not JSON ({error}); it begins {data[:40]!r}") from None
    if not isinstance(raw, dict):
        raise FieldError(f"{where}: is not a JSON object; it begins {data[:40]!r}")
    return Fields(raw, where)

"""Memgraph's command line as gflags reads it (semantics 5, 9.4; raw recording a: SHOW CONFIG)."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from .flag_table import FLAGS, Flag

_TRUE: Final = {"true", "t", "yes", "y", "1"}
_FALSE: Final = {"false", "f", "no", "n", "0"}


class FlagError(Exception):
    """A command line that gflags refuses; the text is what it prints."""


@frozen
class Flags:
    """Parsed flags.

    Attributes:
        values: Text by name, for every flag of the table.
        given: Names of those that the command line or a flag file sets.
    """

    values: Mapping[str, str]
    given: frozenset[str] = frozenset()

    def text(self, name: str) -> str:
        """Return a string flag."""
        return self.values[name]

    def number(self, name: str) -> int:
        """Return an integer flag."""
        return int(self.values[name])

    def real(self, name: str) -> float:
        """Return a floating-point flag."""
        return float(self.values[name])

    def truth(self, name: str) -> bool:
        """Return a boolean flag."""
        return self.values[name] == "true"

    def config(self) -> tuple[tuple[str, str, str, str], ...]:
        """Return the rows of SHOW CONFIG; the fake's own flags are not among them."""
        missing = _HIDDEN if self.text("fake_edition") == "official" else _HIDDEN | ENTERPRISE_FLAGS
        return tuple(
            (flag.name, flag.default, self.values[flag.name], flag.description)
            for flag in sorted(FLAGS.values(), key=lambda flag: flag.name)
            if not flag.name.startswith("fake_") and flag.name not in missing
        )


ENTERPRISE_FLAGS: Final = frozenset(
    {
        "coordinator_hostname",
        "coordinator_id",
        "coordinator_port",
        "instance_down_timeout_sec",
        "instance_health_check_frequency_sec",
        "management_port",
    }
)
"""Flags that the community build does not have (raw recording a: SHOW CONFIG of both builds)."""

# Of gflags itself, or without a row in SHOW CONFIG.
_HIDDEN: Final = {"flag_file", "flagfile", "version", "help"}


def parse_flags(arguments: Sequence[str]) -> Flags:
    """Parse a command line; later flags win.

    Args:
        arguments: Without the program's name.

    Raises:
        FlagError: An unknown flag, a missing or bad value, or a flag file that cannot be read.
    """
    given: dict[str, str] = {}
    _parse_into(given, list(arguments))
    return Flags({name: flag.default for name, flag in FLAGS.items()} | given, frozenset(given))


def _parse_into(values: dict[str, str], arguments: list[str]) -> None:
    while arguments:
        argument = arguments.pop(0)
        if argument == "--":
            return
        if not argument.startswith("-") or argument == "-":
            continue  # gflags leaves other words to the program, and Memgraph ignores them
        name, flag, value = _split(argument)
        if value is None:
            if not arguments:
                raise FlagError(f"ERROR: flag '--{name}' is missing its argument")
            value = arguments.pop(0)
        values[flag.name] = _checked(flag, value)
        if flag.name in {"flag_file", "flagfile"} and value:
            _parse_into(values, _lines(value))


def _split(argument: str) -> tuple[str, Flag, str | None]:
    """Return the name as written, the flag, and the value if it stands in the same word."""
    name, equals, value = argument.lstrip("-").partition("=")
    flag = FLAGS.get(name.replace("-", "_"))
    if flag is None and name.startswith("no") and not equals:
        negated = FLAGS.get(name[2:].replace("-", "_"))
        if negated is not None and negated.boolean:
            return name, negated, "false"
    if flag is None:
        raise FlagError(f"ERROR: unknown command line flag '{name}'")
    if equals:
        return name, flag, value
    return name, flag, "true" if flag.boolean else None


def _checked(flag: Flag, value: str) -> str:
    if flag.boolean:
        lowered = value.lower()
        if lowered not in _TRUE | _FALSE:
            raise _illegal(flag, value)
        return "true" if lowered in _TRUE else "false"
    try:
        if flag.kind is not str:
            flag.kind(value)
    except ValueError:
        raise _illegal(flag, value) from None
    if flag.choices and value not in flag.choices:
        raise _illegal(flag, value)
    if flag.name == "fake_time_scale" and float(value) <= 0:
        raise _illegal(flag, value)
    return value


def _illegal(flag: Flag, value: str) -> FlagError:
    kind = "bool" if flag.boolean else {int: "int64", float: "double"}.get(flag.kind, "string")
    expected = f"; expected one of {', '.join(flag.choices)}" if flag.choices else ""
    return FlagError(f"ERROR: illegal value '{value}' specified for {kind} flag '{flag.name}'{expected}")


def _lines(path: str) -> list[str]:
    try:
        lines = Path(path).read_text().splitlines()
    except OSError as error:
        raise FlagError(f"ERROR: cannot read flag file '{path}': {error.strerror}") from error
    return [line.strip() for line in lines if line.strip().startswith("-")]

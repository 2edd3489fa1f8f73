"""Plain JSON values to the core's classes and back: strict, exact, and in a fixed order.

Enums go by their names (holds by their words), unions carry ``kind``, sets are sorted lists, and a number comes back as
what it was: a replay compares texts that numbers were printed into.
"""

import enum
import functools
import math
from collections.abc import Callable
from typing import Any, Final, TypeVar, cast, get_args, get_origin

import cattrs
from attrs import fields, frozen, has
from cattrs.errors import IterableValidationError, IterableValidationNote

from memgraph_ha.core import Fact, Hold
from memgraph_ha.core.commands import Command, InstanceCommand
from memgraph_ha.trace.schema import Plain

Raw = dict[str, Any]
"""One JSON object."""

T = TypeVar("T")

_INFINITE: Final = {"Infinity": math.inf, "-Infinity": -math.inf}
"""JSON has no word for them."""

_WORDS: Final = {value: word for word, value in _INFINITE.items()}


class FieldError(ValueError):
    """A value that a line cannot have.

    Attributes:
        field: Where in the line, e.g. ``fact.rows[0].mode``; empty for the line itself.
        trouble: What is wrong with it, and what would be right.
    """

    def __init__(self, where: str, trouble: str) -> None:
        super().__init__(f"field {where}: {trouble}" if where else trouble)
        self.field = where
        self.trouble = trouble


@frozen
class _Union:
    """A closed union, told apart by the field ``kind``."""

    kinds: dict[str, type[Any]]

    def read(self, converter: cattrs.Converter, value: object, _kind: object) -> object:
        if not isinstance(value, dict):
            raise TypeError(f"{value!r} is not an object")
        kind = value.get("kind")
        chosen = self.kinds.get(kind) if isinstance(kind, str) else None
        if chosen is None:
            raise ValueError(f"kind {kind!r} is unknown; known are {', '.join(self.kinds)}")
        return converter.structure({name: each for name, each in value.items() if name != "kind"}, chosen)

    @staticmethod
    def write(converter: cattrs.Converter, value: Any) -> Raw:
        kind = type(value)
        return {"kind": kind.__name__, **converter.unstructure(value, unstructure_as=kind)}


def _named(union: Any) -> dict[str, type[Any]]:
    return {kind.__name__: kind for kind in get_args(union)}


COMMANDS: Final = _named(Command)
FACTS: Final = _named(Fact)


def _text(value: object, _kind: object) -> str:
    if not isinstance(value, str):
        raise TypeError(f"{value!r} is not a text")
    return value


def _whole(value: object, _kind: object) -> int:
    if not isinstance(value, int) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not a whole number")
    return value


def _number(value: object, _kind: object) -> float:
    if isinstance(value, str) and value in _INFINITE:
        return _INFINITE[value]
    if not isinstance(value, (int, float)) or isinstance(value, bool):
        raise TypeError(f"{value!r} is not a number")
    return value


def _flag(value: object, _kind: object) -> bool:
    if not isinstance(value, bool):
        raise TypeError(f"{value!r} is neither true nor false")
    return value


def _write_number(value: float) -> float | str:
    return _WORDS.get(value, value)


def _word_of(member: enum.Enum) -> str:
    return member.word if isinstance(member, Hold) else member.name


def words_of(kind: type[enum.Enum]) -> dict[str, enum.Enum]:
    """Give every member of an enum by the word that stands for it in a trace."""
    return {_word_of(member): member for member in kind}


def _enum_reader(kind: type[enum.Enum]) -> Callable[[object, object], enum.Enum]:
    words = words_of(kind)

    def read(value: object, _kind: object) -> enum.Enum:
        found = words.get(value) if isinstance(value, str) else None
        if found is None:
            raise ValueError(f"{value!r} is unknown; known are {', '.join(words)}")
        return found

    return read


def _elements(converter: cattrs.Converter, value: object, kinds: Callable[[int], Any]) -> list[Any]:
    """Read the elements of a list, complaining of each by its place."""
    if not isinstance(value, list):
        raise TypeError(f"{value!r} is not a list")
    found: list[Any] = []
    for index, each in enumerate(value):
        try:
            found.append(converter.structure(each, kinds(index)))
        except Exception as error:  # noqa: BLE001 - whatever it is, it happened in this place
            error.add_note(IterableValidationNote("", index, kinds(index)))
            raise IterableValidationError("", [error], list) from None
    return found


def _tuple_reader(converter: cattrs.Converter, kind: Any) -> Callable[[object, object], tuple[Any, ...]]:
    inner = get_args(kind)
    if len(inner) == 2 and inner[1] is ...:  # noqa: PLR2004 - tuple[X, ...]
        return lambda value, _kind: tuple(_elements(converter, value, lambda _index: inner[0]))

    def fixed(value: object, _kind: object) -> tuple[Any, ...]:
        if not isinstance(value, list) or len(value) != len(inner):
            raise TypeError(f"{value!r} is not a list of {len(inner)}")
        return tuple(_elements(converter, value, lambda index: inner[index]))

    return fixed


def _set_reader(converter: cattrs.Converter, kind: Any) -> Callable[[object, object], frozenset[Any]]:
    (inner,) = get_args(kind)
    return lambda value, _kind: frozenset(_elements(converter, value, lambda _index: inner))


def _is(generic: object) -> Callable[[Any], bool]:
    return lambda kind: get_origin(kind) == generic


def _plain(value: object, _kind: object) -> Plain:
    if isinstance(value, list):
        return tuple(_text(each, str) for each in value)
    if value is None or isinstance(value, (str, int, float)):
        return value
    raise TypeError(f"{value!r} is not a plain value")


def _make() -> cattrs.Converter:
    made = cattrs.Converter(detailed_validation=True, forbid_extra_keys=True)
    readers = ((str, _text), (int, _whole), (float, _number), (bool, _flag))
    for kind, reader in readers:
        made.register_structure_hook(kind, cast("Callable[[Any, Any], Any]", reader))
    made.register_unstructure_hook(float, _write_number)
    made.register_structure_hook_factory(_is(tuple), lambda kind: _tuple_reader(made, kind))
    made.register_structure_hook_factory(_is(frozenset), lambda kind: _set_reader(made, kind))
    made.register_unstructure_hook_func(_is(frozenset), lambda value: sorted(made.unstructure(each) for each in value))
    made.register_structure_hook_factory(
        lambda kind: isinstance(kind, type) and issubclass(kind, enum.Enum), _enum_reader
    )
    made.register_unstructure_hook_func(lambda kind: isinstance(kind, type) and issubclass(kind, enum.Enum), _word_of)
    for union in (Fact, Command, InstanceCommand):
        kinds = _Union(_named(union))
        made.register_structure_hook(union, functools.partial(kinds.read, made))
        made.register_unstructure_hook(union, functools.partial(kinds.write, made))
    made.register_structure_hook_func(lambda kind: kind == type[Command], lambda value, _kind: _command_kind(value))
    made.register_unstructure_hook_func(lambda kind: kind == type[Command], lambda value: value.__name__)
    made.register_structure_hook_func(lambda kind: kind == Plain, _plain)
    made.register_unstructure_hook_func(lambda kind: kind == Plain, lambda value: value)
    return made


def _command_kind(value: object) -> type[Any]:
    found = COMMANDS.get(value) if isinstance(value, str) else None
    if found is None:
        raise ValueError(f"{value!r} is no kind of command; known are {', '.join(COMMANDS)}")
    return found


_CONVERTER: Final = _make()


def to_raw(value: object, kind: Any) -> Raw:
    """Write a value as plain JSON values.

    Args:
        value: Of one of the trace's or the core's classes.
        kind: Its class, or the union that it belongs to: members of a union carry ``kind``.
    """
    return cast("Raw", _CONVERTER.unstructure(value, unstructure_as=kind))


def from_raw(raw: object, kind: type[T]) -> T:
    """Read a value strictly.

    Args:
        raw: Plain JSON values.
        kind: The class, or the union, that it should be.

    Raises:
        FieldError: It is something else; the first field that is wrong is named.
    """
    try:
        return _CONVERTER.structure(raw, kind)
    except cattrs.BaseValidationError as error:
        where, trouble = _first(error)
        raise FieldError(where, trouble) from None
    except (TypeError, ValueError) as error:
        raise FieldError("", str(error)) from None


def _first(error: BaseException, where: str = "") -> tuple[str, str]:
    """Walk down to the first thing that is wrong."""
    if isinstance(error, IterableValidationError):
        for inner, note in error.group_exceptions()[0]:
            return _first(inner, f"{where}[{note.index}]")
    if isinstance(error, cattrs.ClassValidationError):
        named, others = error.group_exceptions()
        for inner, named_note in named:
            return _first(inner, f"{where}.{named_note.name}" if where else named_note.name)
        for other in others:
            return _first(other, where)
    if isinstance(error, cattrs.ForbiddenExtraKeysError):
        known = ", ".join(attribute.name for attribute in fields(error.cl)) if has(error.cl) else ""
        return where, f"has unknown fields {', '.join(sorted(error.extra_fields))}; known are {known}"
    if isinstance(error, KeyError):
        return where, "is missing"
    return where, str(error)

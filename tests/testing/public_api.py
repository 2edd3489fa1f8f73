"""What the library promises to keep, as text: names, signatures, fields, rule ids, hold names, exit codes.

`python -m tests.testing.public_api` writes it anew. A line that changes or goes is a new major version; one that comes
is a new minor one.
"""

import enum
import inspect
import types
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Final

import attrs

import memgraph_ha.core
import memgraph_ha.testing
from memgraph_ha.adapters import ports
from memgraph_ha.core import INVARIANTS, RULES, commands, facts, names, record, topology
from memgraph_ha.core.holds import Hold

SNAPSHOT: Final = Path(__file__).parent / "public_api.txt"

MODULES: Final[tuple[types.ModuleType, ...]] = (
    memgraph_ha.core,
    facts,
    commands,
    names,
    record,
    topology,
    ports,
    memgraph_ha.testing,
)


def lines() -> Iterator[str]:
    """Everything that is public, one promise a line."""
    for module in MODULES:
        for name in sorted(exported(module)):
            yield from described(f"{module.__name__}.{name}", getattr(module, name))
    yield from (f"rule {rule.id} {rule.name}" for rule in RULES)
    yield from (f"hold {hold.word}" for hold in Hold)
    yield from (f"invariant {invariant.name}" for invariant in INVARIANTS)


def exported(module: types.ModuleType) -> list[str]:
    """The names that a module offers: ``__all__``, or whatever it defines itself without an underscore."""
    given = getattr(module, "__all__", None)
    if given is not None:
        return list(given)
    own = [name for name, value in vars(module).items() if getattr(value, "__module__", "") == module.__name__]
    return [name for name in own if not name.startswith("_")]


def described(name: str, value: Any) -> Iterator[str]:
    """One name's promises."""
    if isinstance(value, type) and issubclass(value, enum.Enum):
        yield f"{name} = {', '.join(member.name for member in value)}"
    elif isinstance(value, type) and attrs.has(value):
        yield f"{name}({', '.join(_field(field) for field in attrs.fields(value) if field.init)})"
    elif isinstance(value, type) and issubclass(value, Exception):
        yield f"{name}: exception, a {', a '.join(base.__name__ for base in value.__mro__[1:-3])}"
    elif isinstance(value, type) and getattr(value, "_is_protocol", False):
        for method, function in sorted(inspect.getmembers(value, inspect.isfunction)):
            if not method.startswith("_"):
                yield f"{name}.{method}{inspect.signature(function)}"
    elif inspect.isfunction(value):
        yield f"{name}{inspect.signature(value)}" if len(str(inspect.signature(value))) < 400 else name
    else:
        yield name


def _field(field: "attrs.Attribute[Any]") -> str:
    optional = "" if field.default is attrs.NOTHING else "?"
    return field.name.removeprefix("_") + optional


def text() -> str:
    """The whole snapshot."""
    return "\n".join(lines()) + "\n"


if __name__ == "__main__":
    SNAPSHOT.write_text(text(), encoding="utf-8")

"""Walking and rebuilding expressions."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from typing import Any, Final, get_args

import attrs

from memgraph_ha.fakes.memgraph.cypher.ast import Aggregate, Binary, Expression, Parameter, Variable

_EXPRESSIONS: Final = get_args(Expression)


_FIELDS: Final[dict[type, tuple[str, ...]]] = {
    kind: tuple(field.name for field in attrs.fields(kind)) for kind in _EXPRESSIONS
}


def children(expression: Expression) -> Iterator[Expression]:
    """Yield the direct subexpressions, in the order they are written."""
    for name in _FIELDS[type(expression)]:
        yield from _inside(getattr(expression, name))


def _inside(value: object) -> Iterator[Expression]:
    if isinstance(value, _EXPRESSIONS):
        yield value
    elif isinstance(value, tuple):
        for item in value:
            yield from _inside(item)


def walk(expression: Expression) -> Iterator[Expression]:
    """Yield the expression and everything inside it."""
    yield expression
    for child in children(expression):
        yield from walk(child)


def rebuild(expression: Expression, change: Callable[[Expression], Expression]) -> Expression:
    """Return the expression with `change` applied to each direct subexpression."""
    changed = {name: _change_inside(getattr(expression, name), change) for name in _FIELDS[type(expression)]}
    return attrs.evolve(expression, **changed)


def _change_inside(value: Any, change: Callable[[Expression], Expression]) -> Any:
    if isinstance(value, _EXPRESSIONS):
        return change(value)
    if isinstance(value, tuple):
        return tuple(_change_inside(item, change) for item in value)
    return value


def variables(expression: Expression) -> frozenset[str]:
    """Return the variables that the value of an expression depends on."""
    return frozenset(one.name for one in walk(expression) if isinstance(one, Variable))


def parameters(expression: Expression) -> frozenset[str]:
    """Return the parameters that the value of an expression depends on."""
    return frozenset(one.name for one in walk(expression) if isinstance(one, Parameter))


def has_aggregate(expression: Expression) -> bool:
    """Return whether there is an aggregate anywhere inside."""
    return any(isinstance(one, Aggregate) for one in walk(expression))


def conjuncts(condition: Expression | None) -> list[Expression]:
    """Return the conditions that AND joins; none if there is no condition."""
    if condition is None:
        return []
    if isinstance(condition, Binary) and condition.operator == "and":
        return [*conjuncts(condition.left), *conjuncts(condition.right)]
    return [condition]

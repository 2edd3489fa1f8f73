"""Operators on values, with Cypher's three-valued logic: None is null, and means "unknown"."""

from __future__ import annotations

import math
import operator
from collections.abc import Callable
from typing import Any, Final

from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph_values import Value, check_int64, type_name


def invalid_types(operator_text: str, *values: Value) -> MemgraphError:
    """Return the error of an operator that does not take values of these types."""
    names = " and ".join(type_name(value) for value in values)
    return MemgraphError.client(f"Invalid types: {names} for '{operator_text}'")


def is_number(value: Value) -> bool:
    """Return whether `value` is an int or float; a bool is neither in Cypher."""
    return isinstance(value, int | float) and not isinstance(value, bool)


def equals(left: Value, right: Value) -> bool | None:
    """Return `left = right`: null if either is null, or if it hangs on a null inside."""
    if left is None or right is None:
        return None
    if is_number(left) and is_number(right):
        return bool(left == right)
    if type(left) is not type(right):
        return False
    if isinstance(left, list):
        if len(left) != len(right):
            return False
        return _all_true([equals(one, other) for one, other in zip(left, right, strict=True)])
    if isinstance(left, dict):
        if left.keys() != right.keys():
            return False
        return _all_true([equals(value, right[key]) for key, value in left.items()])
    return bool(left == right)


def _all_true(parts: list[bool | None]) -> bool | None:
    if False in parts:
        return False
    return None if None in parts else True


def logical_and(left: Value, right: Value) -> bool | None:
    """Return `left AND right`."""
    _check_logical("AND", left, right)
    return _all_true([left, right])


def logical_or(left: Value, right: Value) -> bool | None:
    """Return `left OR right`."""
    _check_logical("OR", left, right)
    if left is True or right is True:
        return True
    return None if left is None or right is None else False


def _xor(left: Value, right: Value) -> bool | None:
    _check_logical("XOR", left, right)
    return None if left is None or right is None else left is not right


def logical_not(value: Value) -> bool | None:
    """Return `NOT value`."""
    _check_logical("NOT", value)
    return None if value is None else not value


def _check_logical(name: str, *values: Value) -> None:
    if any(value is not None and not isinstance(value, bool) for value in values):
        raise invalid_types(name, *values)


def _unequal(left: Value, right: Value) -> bool | None:
    equal = equals(left, right)
    return None if equal is None else not equal


def _ordering(symbol: str, compare: Callable[[Any, Any], bool]) -> Callable[[Value, Value], bool | None]:
    def apply(left: Value, right: Value) -> bool | None:
        if left is None or right is None:
            return None
        if (is_number(left) and is_number(right)) or (isinstance(left, str) and isinstance(right, str)):
            return compare(left, right)
        raise invalid_types(symbol, left, right)

    return apply


def _contains(left: Value, right: Value) -> bool | None:
    """Return `left IN right`."""
    if right is None:
        return None
    if not isinstance(right, list):
        raise invalid_types("IN", left, right)
    found = [equals(left, item) for item in right]
    if True in found:
        return True
    return None if None in found else False


def _text(name: str, test: Callable[[str, str], bool]) -> Callable[[Value, Value], bool | None]:
    def apply(left: Value, right: Value) -> bool | None:
        if left is None or right is None:
            return None
        if isinstance(left, str) and isinstance(right, str):
            return test(left, right)
        raise invalid_types(name, left, right)

    return apply


def _add(left: Value, right: Value) -> Value:
    if isinstance(left, list):
        return [*left, *right] if isinstance(right, list) else [*left, right]
    if isinstance(right, list):
        return [left, *right]
    if left is None or right is None:
        return None
    if is_number(left) and is_number(right):
        return _number(left + right)
    if isinstance(left, str) and (isinstance(right, str) or is_number(right)):
        return left + _plain(right)
    if isinstance(right, str) and is_number(left):
        return _plain(left) + right
    raise invalid_types("+", left, right)


def _plain(value: str | float) -> str:
    return value if isinstance(value, str) else repr(value)


def _number(value: float) -> int | float:
    return check_int64(value) if isinstance(value, int) else value


def _arithmetic(
    symbol: str, compute: Callable[[Any, Any], int | float]
) -> Callable[[Value, Value], int | float | None]:
    def apply(left: Value, right: Value) -> int | float | None:
        if left is None or right is None:
            return None
        if not (is_number(left) and is_number(right)):
            raise invalid_types(symbol, left, right)
        return _number(compute(left, right))

    return apply


def _divide(left: float, right: float) -> int | float:
    if isinstance(left, int) and isinstance(right, int):
        if right == 0:
            raise MemgraphError.client("Division by zero.")
        quotient = abs(left) // abs(right)  # towards zero, as in C++
        return quotient if (left < 0) == (right < 0) else -quotient
    if right == 0:
        return math.nan if left == 0 or math.isnan(left) else math.copysign(math.inf, left) * math.copysign(1, right)
    return left / right


def _modulo(left: float, right: float) -> int | float:
    if isinstance(left, int) and isinstance(right, int):
        if right == 0:
            raise MemgraphError.client("Mod with zero.")
        remainder = abs(left) % abs(right)  # the sign of the dividend, as in C++
        return -remainder if left < 0 else remainder
    return math.nan if right == 0 or math.isinf(left) else math.fmod(left, right)


def _power(left: float, right: float) -> float:
    try:
        return math.pow(left, right)
    except OverflowError:
        return math.inf
    except ValueError:  # a negative number to a fraction, or 0 to a negative power
        return math.inf if left == 0 else math.nan


def negate(value: Value) -> Value:
    """Return `-value`."""
    if value is None:
        return None
    if not is_number(value):
        raise invalid_types("-", value)
    return _number(-value)


def keep_sign(value: Value) -> Value:
    """Return `+value`."""
    if value is not None and not is_number(value):
        raise invalid_types("+", value)
    return value


BINARY: Final[dict[str, Callable[[Value, Value], Value]]] = {
    "and": logical_and,
    "or": logical_or,
    "xor": _xor,
    "=": equals,
    "<>": _unequal,
    "<": _ordering("<", operator.lt),
    "<=": _ordering("<=", operator.le),
    ">": _ordering(">", operator.gt),
    ">=": _ordering(">=", operator.ge),
    "in": _contains,
    "starts with": _text("STARTS WITH", str.startswith),
    "ends with": _text("ENDS WITH", str.endswith),
    "contains": _text("CONTAINS", str.__contains__),
    "+": _add,
    "-": _arithmetic("-", operator.sub),
    "*": _arithmetic("*", operator.mul),
    "/": _arithmetic("/", _divide),
    "%": _arithmetic("%", _modulo),
    "^": _arithmetic("^", _power),
}

UNARY: Final[dict[str, Callable[[Value], Value]]] = {"not": logical_not, "-": negate, "+": keep_sign}


def sort_key(value: Value) -> tuple[bool, Any]:
    """Return a key for ORDER BY: nulls last; values that cannot be compared raise when they meet.

    Args:
        value: A number, string, bool, list or null.

    Raises:
        MemgraphError: Values of this type have no order.
    """
    if value is None:
        return (True, 0)
    if not isinstance(value, int | float | str | list):
        raise _no_order(value, value)
    return (False, _Ordered(value))


class _Ordered:
    """A value that compares as ORDER BY does."""

    __slots__ = ("value",)

    def __init__(self, value: Value) -> None:
        self.value = value

    def __lt__(self, other: _Ordered) -> bool:
        return _is_before(self.value, other.value)

    def __eq__(self, other: object) -> bool:
        return isinstance(other, _Ordered) and equals(self.value, other.value) is True

    __hash__ = None  # type: ignore[assignment]  # a sort key is never hashed


def _is_before(left: Value, right: Value) -> bool:
    if is_number(left) and is_number(right):
        return bool(left < right)
    if type(left) is type(right) and isinstance(left, str | bool):
        return bool(left < right)
    if isinstance(left, list) and isinstance(right, list):
        return [sort_key(item) for item in left] < [sort_key(item) for item in right]
    raise _no_order(left, right)


def _no_order(left: Value, right: Value) -> MemgraphError:
    names = f"value of type {type_name(left)} to value of type {type_name(right)}"
    return MemgraphError.client(f"Can't compare {names}.")

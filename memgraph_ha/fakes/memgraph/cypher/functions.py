"""The functions of the Cypher subset."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from attrs import frozen

from memgraph_ha.fakes.memgraph.cypher.context import Context
from memgraph_ha.fakes.memgraph.cypher.operators import is_number
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph_records import EdgeRecord, NodeRecord, State
from memgraph_ha.fakes.memgraph.graph_values import Value, check_int64, type_name

_INTEGER: Final = re.compile(r"\s*[-+]?\d{1,25}")
# One list of a client's query, not a way to fill the memory of the machine.
MAX_RANGE: Final = 2_000_000


@frozen
class Function:
    """A function: how many arguments it takes, and what it does with them."""

    fewest: int
    most: int
    call: Callable[[Context, list[Value]], Value]


def state_of(context: Context, record: NodeRecord | EdgeRecord) -> State:
    """Return what the query sees of a node or relationship.

    Raises:
        MemgraphError: It was deleted by this very transaction.
    """
    state = context.transaction.state(record)
    if state is None:
        raise MemgraphError.client("Trying to get a property from a deleted object.")
    return state


def _wrong_argument(name: str, expected: str, value: Value) -> MemgraphError:
    return MemgraphError.client(f"'{name}' argument must be {expected}, but '{type_name(value)}' was given.")


def _id(_: Context, arguments: list[Value]) -> Value:
    (value,) = arguments
    if isinstance(value, NodeRecord | EdgeRecord) or value is None:
        return None if value is None else value.id
    raise _wrong_argument("id", "a node or relationship", value)


def _labels(context: Context, arguments: list[Value]) -> Value:
    (value,) = arguments
    if isinstance(value, NodeRecord):
        return list(state_of(context, value).labels)
    if value is None:
        return None
    raise _wrong_argument("labels", "a node", value)


def _type(_: Context, arguments: list[Value]) -> Value:
    (value,) = arguments
    if isinstance(value, EdgeRecord):
        return value.type
    if value is None:
        return None
    raise _wrong_argument("type", "a relationship", value)


def _end(name: str, side: str) -> Callable[[Context, list[Value]], Value]:
    def call(_: Context, arguments: list[Value]) -> Value:
        (value,) = arguments
        if value is None:
            return None
        if isinstance(value, EdgeRecord):
            return getattr(value, side)
        raise _wrong_argument(name, "a relationship", value)

    return call


def properties_of(context: Context, value: Value, name: str) -> dict[str, Value]:
    """Return the properties of a node or relationship, or a map as it is.

    Args:
        context: The running query.
        value: What has the properties.
        name: Who asks, for the error text.

    Raises:
        MemgraphError: It is none of these.
    """
    if isinstance(value, NodeRecord | EdgeRecord):
        return dict(state_of(context, value).properties)
    if isinstance(value, dict):
        return dict(value)
    raise _wrong_argument(name, "a node, relationship or map", value)


def _properties(context: Context, arguments: list[Value]) -> Value:
    (value,) = arguments
    return None if value is None else properties_of(context, value, "properties")


def _keys(context: Context, arguments: list[Value]) -> Value:
    (value,) = arguments
    return None if value is None else list(properties_of(context, value, "keys"))


def _size(_: Context, arguments: list[Value]) -> Value:
    (value,) = arguments
    if value is None:
        return None
    if isinstance(value, str | list | dict):
        return len(value)
    raise _wrong_argument("size", "a list, string or map", value)


def _to_string(_: Context, arguments: list[Value]) -> Value:
    (value,) = arguments
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return "true" if value else "false"
    if is_number(value):
        return repr(value)
    raise _wrong_argument("toString", "a string, number or boolean", value)


def _to_integer(_: Context, arguments: list[Value]) -> Value:
    (value,) = arguments
    if value is None or (isinstance(value, int) and not isinstance(value, bool)):
        return value
    if isinstance(value, bool):
        return int(value)
    if isinstance(value, float):
        if value != value or value in (float("inf"), float("-inf")):  # noqa: PLR0124 - the test for NaN
            return None
        return check_int64(int(value))
    if isinstance(value, str):
        if _INTEGER.fullmatch(value):
            return check_int64(int(value))
        number = _parse_float(value)
        return _to_integer(_, [number])
    raise _wrong_argument("toInteger", "a string, number or boolean", value)


def _to_float(_: Context, arguments: list[Value]) -> Value:
    (value,) = arguments
    if value is None or is_number(value):
        return None if value is None else float(value)
    if isinstance(value, str):
        return _parse_float(value)
    raise _wrong_argument("toFloat", "a string or number", value)


def _parse_float(text: str) -> float | None:
    try:
        return float(text)
    except ValueError:
        return None


def _to_boolean(_: Context, arguments: list[Value]) -> Value:
    (value,) = arguments
    if value is None or isinstance(value, bool):
        return value
    if isinstance(value, int):
        return value != 0
    if isinstance(value, str):
        return {"true": True, "false": False}.get(value.strip().lower())
    raise _wrong_argument("toBoolean", "a string, integer or boolean", value)


def _coalesce(_: Context, arguments: list[Value]) -> Value:
    return next((value for value in arguments if value is not None), None)


def _range(_: Context, arguments: list[Value]) -> Value:
    for value in arguments:
        if isinstance(value, bool) or not isinstance(value, int):
            raise _wrong_argument("range", "an integer", value)
    first, last, *rest = arguments
    step = rest[0] if rest else 1
    if step == 0:
        raise MemgraphError.client("'range' step must not be zero.")
    numbers = range(first, last + (1 if step > 0 else -1), step)
    if len(numbers) > MAX_RANGE:
        raise MemgraphError.client(f"'range' of {len(numbers)} numbers, at most {MAX_RANGE} are supported.")
    return list(numbers)


def _timestamp(context: Context, _: list[Value]) -> Value:
    return context.now_us


def _list_end(name: str, position: int) -> Callable[[Context, list[Value]], Value]:
    def call(_: Context, arguments: list[Value]) -> Value:
        (value,) = arguments
        if value is None:
            return None
        if not isinstance(value, list):
            raise _wrong_argument(name, "a list", value)
        return value[position] if value else None

    return call


def _abs(_: Context, arguments: list[Value]) -> Value:
    (value,) = arguments
    if value is None:
        return None
    if not is_number(value):
        raise _wrong_argument("abs", "a number", value)
    return check_int64(abs(value)) if isinstance(value, int) else abs(value)


def _change_case(name: str, change: Callable[[str], str]) -> Callable[[Context, list[Value]], Value]:
    def call(_: Context, arguments: list[Value]) -> Value:
        (value,) = arguments
        if value is None or isinstance(value, str):
            return None if value is None else change(value)
        raise _wrong_argument(name, "a string", value)

    return call


# Names are compared in lower case; aggregates are not functions of this kind.
FUNCTIONS: Final[dict[str, Function]] = {
    "abs": Function(1, 1, _abs),
    "coalesce": Function(1, 1000, _coalesce),
    "endnode": Function(1, 1, _end("endNode", "end")),
    "head": Function(1, 1, _list_end("head", 0)),
    "id": Function(1, 1, _id),
    "keys": Function(1, 1, _keys),
    "labels": Function(1, 1, _labels),
    "last": Function(1, 1, _list_end("last", -1)),
    "properties": Function(1, 1, _properties),
    "range": Function(2, 3, _range),
    "size": Function(1, 1, _size),
    "startnode": Function(1, 1, _end("startNode", "start")),
    "timestamp": Function(0, 0, _timestamp),
    "toboolean": Function(1, 1, _to_boolean),
    "tofloat": Function(1, 1, _to_float),
    "tointeger": Function(1, 1, _to_integer),
    "tolower": Function(1, 1, _change_case("toLower", str.lower)),
    "tostring": Function(1, 1, _to_string),
    "toupper": Function(1, 1, _change_case("toUpper", str.upper)),
    "type": Function(1, 1, _type),
}

"""The values that live in the graph and travel over Bolt, and the key that compares them.

A value is None, a bool, a 64-bit int, a float, a str, bytes, a list, a map with str keys, or one of
the two graph values below.  Only the JSON-able ones can be stored as a property.
"""

from __future__ import annotations

from collections.abc import Hashable
from typing import Any, Final, TypeAlias

from attrs import field, frozen

from memgraph_ha.fakes.memgraph.errors import MemgraphError

# Lists and maps nest, and `Any` keeps the recursion out of every signature.
Value: TypeAlias = Any

INT64_MIN: Final = -(2**63)
INT64_MAX: Final = 2**63 - 1


@frozen
class Node:
    """A node as a client receives it: a copy, cut loose from the transaction that read it."""

    id: int
    labels: tuple[str, ...] = ()
    properties: dict[str, Value] = field(factory=dict)


@frozen
class Relationship:
    """A relationship as a client receives it, with the ids of the nodes it joins."""

    id: int
    start: int
    end: int
    type: str
    properties: dict[str, Value] = field(factory=dict)


_TYPE_NAMES: Final = {
    type(None): "null",
    bool: "bool",
    int: "int",
    float: "double",
    str: "string",
    bytes: "bytes",
    list: "list",
    dict: "map",
    Node: "vertex",
    Relationship: "edge",
}


def type_name(value: Value) -> str:
    """Return the word that Memgraph's error texts use for the type of `value`."""
    return getattr(value, "type_word", None) or _TYPE_NAMES.get(type(value), type(value).__name__)


def comparison_key(value: Value) -> Hashable:
    """Return a hashable stand-in: two values have equal keys exactly when Cypher calls them the same.

    1 and 1.0 are the same, 1 and true are not, null is the same as null (which is what DISTINCT,
    grouping and lookup tables want, unlike the operator `=`).

    Args:
        value: Anything a row can hold, nested or not.
    """
    if value is None or isinstance(value, str):
        return value
    if isinstance(value, bool):
        return (bool, value)
    if isinstance(value, int | float):
        # NaN differs from itself; tagging it keeps NaN one group and away from every number.
        return value if value == value else (float, "nan")  # noqa: PLR0124 - the test for NaN
    if isinstance(value, list):
        return (list, tuple(comparison_key(item) for item in value))
    if isinstance(value, dict):
        return (dict, frozenset((key, comparison_key(item)) for key, item in value.items()))
    return (type(value), value)


def check_storable(value: Value) -> Value:
    """Return `value` if a property can hold it.

    Args:
        value: The candidate; nested lists and maps are checked too.

    Raises:
        MemgraphError: It is bytes or a graph value, or an int beyond 64 bits.
    """
    if value is None or isinstance(value, bool | float | str):
        return value
    if isinstance(value, int):
        return check_int64(value)
    if isinstance(value, list):
        return [check_storable(item) for item in value]
    if isinstance(value, dict):
        return {key: check_storable(item) for key, item in value.items()}
    raise MemgraphError.client(f"'{type_name(value)}' cannot be used as a property value.")


def check_int64(value: int) -> int:
    """Return `value` if it fits into 64 bits, the only integers Memgraph and Bolt have.

    Raises:
        MemgraphError: It does not fit.
    """
    if INT64_MIN <= value <= INT64_MAX:
        return value
    raise MemgraphError.client(f"Integer overflow: {value} does not fit into 64 bits.")

"""The value of an expression in a row."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any, Final

from memgraph_ha.fakes.memgraph.cypher.ast import (
    Binary,
    Call,
    Case,
    Expression,
    HasLabels,
    IsNull,
    ListLiteral,
    Literal,
    MapLiteral,
    Parameter,
    Property,
    Subscript,
    Unary,
    Variable,
)
from memgraph_ha.fakes.memgraph.cypher.context import Context, Row
from memgraph_ha.fakes.memgraph.cypher.functions import FUNCTIONS, state_of
from memgraph_ha.fakes.memgraph.cypher.operators import BINARY, UNARY, equals, invalid_types
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.graph_records import EdgeRecord, NodeRecord
from memgraph_ha.fakes.memgraph.graph_values import Value, type_name


def evaluate(expression: Expression, row: Row, context: Context) -> Value:
    """Return the value of `expression` with the variables of `row`.

    Aggregates have no value in a row; the projection replaces them before it comes here.

    Raises:
        MemgraphError: The values at hand do not allow it, for example an int is compared to a string.
    """
    return _EVALUATORS[type(expression)](expression, row, context)


def is_true(condition: Expression, row: Row, context: Context) -> bool:
    """Return whether a condition is true, rather than false or null.

    Raises:
        MemgraphError: It is not a condition, or from its evaluation.
    """
    value = evaluate(condition, row, context)
    if value is None or isinstance(value, bool):
        return value is True
    raise MemgraphError.client(f"Filter expression must evaluate to bool or null, got {type_name(value)}.")


def _literal(expression: Literal, _row: Row, _context: Context) -> Value:
    return expression.value


def _parameter(expression: Parameter, _row: Row, context: Context) -> Value:
    return context.parameters[expression.name]


def _variable(expression: Variable, row: Row, _context: Context) -> Value:
    return row[expression.name]


def _property(expression: Property, row: Row, context: Context) -> Value:
    base = evaluate(expression.base, row, context)
    if isinstance(base, NodeRecord | EdgeRecord):
        return state_of(context, base).properties.get(expression.name)
    if isinstance(base, dict):
        return base.get(expression.name)
    if base is None:
        return None
    raise MemgraphError.client(
        f"Only nodes, relationships and maps have properties to be looked up, not {type_name(base)}."
    )


def _subscript(expression: Subscript, row: Row, context: Context) -> Value:
    base = evaluate(expression.base, row, context)
    index = evaluate(expression.index, row, context)
    if base is None or index is None:
        return None
    if isinstance(base, list) and isinstance(index, int) and not isinstance(index, bool):
        return base[index] if -len(base) <= index < len(base) else None
    if isinstance(index, str):
        if isinstance(base, dict):
            return base.get(index)
        if isinstance(base, NodeRecord | EdgeRecord):
            return state_of(context, base).properties.get(index)
    raise invalid_types("[]", base, index)


def _list(expression: ListLiteral, row: Row, context: Context) -> Value:
    return [evaluate(item, row, context) for item in expression.items]


def _map(expression: MapLiteral, row: Row, context: Context) -> Value:
    return {name: evaluate(item, row, context) for name, item in expression.items}


def _unary(expression: Unary, row: Row, context: Context) -> Value:
    return UNARY[expression.operator](evaluate(expression.operand, row, context))


def _binary(expression: Binary, row: Row, context: Context) -> Value:
    left = evaluate(expression.left, row, context)
    # AND and OR stop at the first operand that decides, so that `n.x IS NOT NULL AND n.x > 1` is safe.
    if (left is False and expression.operator == "and") or (left is True and expression.operator == "or"):
        return left
    return BINARY[expression.operator](left, evaluate(expression.right, row, context))


def _is_null(expression: IsNull, row: Row, context: Context) -> Value:
    return (evaluate(expression.operand, row, context) is None) is not expression.negated


def _has_labels(expression: HasLabels, row: Row, context: Context) -> Value:
    node = evaluate(expression.operand, row, context)
    if node is None:
        return None
    if not isinstance(node, NodeRecord):
        raise invalid_types(":label", node)
    return set(expression.labels).issubset(state_of(context, node).labels)


def _case(expression: Case, row: Row, context: Context) -> Value:
    for condition, result in expression.branches:
        if expression.subject is None:
            holds = is_true(condition, row, context)
        else:
            subject = evaluate(expression.subject, row, context)
            holds = equals(subject, evaluate(condition, row, context)) is True
        if holds:
            return evaluate(result, row, context)
    return None if expression.otherwise is None else evaluate(expression.otherwise, row, context)


def _call(expression: Call, row: Row, context: Context) -> Value:
    arguments = [evaluate(argument, row, context) for argument in expression.arguments]
    return FUNCTIONS[expression.name].call(context, arguments)


# Each takes the type of expression it stands under; a dict cannot say so.
_EVALUATORS: Final[dict[type, Callable[[Any, Row, Context], Value]]] = {
    Literal: _literal,
    Parameter: _parameter,
    Variable: _variable,
    Property: _property,
    Subscript: _subscript,
    ListLiteral: _list,
    MapLiteral: _map,
    Unary: _unary,
    Binary: _binary,
    IsNull: _is_null,
    HasLabels: _has_labels,
    Case: _case,
    Call: _call,
}

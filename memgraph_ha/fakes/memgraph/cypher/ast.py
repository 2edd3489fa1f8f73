"""The syntax tree of the Cypher subset: frozen values, without behaviour.

Positions are offsets into the query text.  They take no part in equality, so that `ORDER BY n.x` can be
recognised as the returned `n.x`.
"""

from __future__ import annotations

from typing import Final, TypeAlias

from attrs import field, frozen

from memgraph_ha.fakes.memgraph.graph_schema import Constraint, Index
from memgraph_ha.fakes.memgraph.graph_values import Value

# Variables the client did not name begin with this; no name in a query can.
HIDDEN: Final = " "


@frozen
class Literal:
    """A number, string, boolean or null; 1, 1.0 and true are three different literals."""

    value: Value = field(eq=lambda value: (type(value), value))


@frozen
class Parameter:
    """`$name`."""

    name: str


@frozen
class Variable:
    """A name bound by a pattern, UNWIND, WITH or RETURN."""

    name: str


@frozen
class Property:
    """`base.name`."""

    base: Expression
    name: str


@frozen
class Subscript:
    """`base[index]`."""

    base: Expression
    index: Expression


@frozen
class ListLiteral:
    """`[a, b]`."""

    items: tuple[Expression, ...]


@frozen
class MapLiteral:
    """`{a: 1}`."""

    items: tuple[tuple[str, Expression], ...]


@frozen
class Unary:
    """NOT, unary + and -; the operator is `not`, `+` or `-`."""

    operator: str
    operand: Expression


@frozen
class Binary:
    """Any operator with two operands, in lower case: `and`, `+`, `in`, `starts with`, ..."""

    operator: str
    left: Expression
    right: Expression


@frozen
class IsNull:
    """`operand IS NULL`, or IS NOT NULL if `negated`."""

    operand: Expression
    negated: bool


@frozen
class HasLabels:
    """`operand:A:B` as a condition."""

    operand: Expression
    labels: tuple[str, ...]


@frozen
class Case:
    """CASE; each branch is a condition and a result, a subject is compared with each condition."""

    subject: Expression | None
    branches: tuple[tuple[Expression, Expression], ...]
    otherwise: Expression | None


@frozen
class Call:
    """A function; the name is in lower case."""

    name: str
    arguments: tuple[Expression, ...]
    position: int = field(eq=False)


@frozen
class Aggregate:
    """count, sum, min, max, avg or collect; `count(*)` has no argument."""

    name: str
    argument: Expression | None
    distinct: bool


Expression: TypeAlias = (
    Literal
    | Parameter
    | Variable
    | Property
    | Subscript
    | ListLiteral
    | MapLiteral
    | Unary
    | Binary
    | IsNull
    | HasLabels
    | Case
    | Call
    | Aggregate
)


@frozen
class NodePattern:
    """`(variable:Label {name: value})`."""

    variable: str
    labels: tuple[str, ...]
    properties: MapLiteral | Parameter | None


@frozen
class EdgePattern:
    """`-[variable:TYPE {name: value}]->`; the direction is `out`, `in` or `both`."""

    variable: str
    types: tuple[str, ...]
    direction: str
    properties: MapLiteral | Parameter | None


@frozen
class PathPattern:
    """Nodes joined by edges: `edges[i]` lies between `nodes[i]` and `nodes[i + 1]`."""

    nodes: tuple[NodePattern, ...]
    edges: tuple[EdgePattern, ...]


@frozen
class Match:
    """MATCH or OPTIONAL MATCH with its WHERE."""

    paths: tuple[PathPattern, ...]
    where: Expression | None
    optional: bool


@frozen
class Create:
    """CREATE of patterns."""

    paths: tuple[PathPattern, ...]


@frozen
class SetProperty:
    """`SET n.x = value`; REMOVE sets the literal null."""

    variable: str
    name: str
    value: Expression


@frozen
class SetProperties:
    """`SET n = map`, or `SET n += map` if `keep`."""

    variable: str
    value: Expression
    keep: bool


@frozen
class SetLabels:
    """`SET n:A:B`, or `REMOVE n:A:B` if `remove`."""

    variable: str
    labels: tuple[str, ...]
    remove: bool


SetItem: TypeAlias = SetProperty | SetProperties | SetLabels


@frozen
class Set:
    """SET or REMOVE."""

    items: tuple[SetItem, ...]


@frozen
class Merge:
    """MERGE with what to SET on the found or the created pattern."""

    path: PathPattern
    on_match: tuple[SetItem, ...]
    on_create: tuple[SetItem, ...]


@frozen
class Delete:
    """DELETE or DETACH DELETE."""

    targets: tuple[Expression, ...]
    detach: bool


@frozen
class Unwind:
    """UNWIND of a list into rows."""

    source: Expression
    variable: str


@frozen
class Item:
    """One column of RETURN or WITH."""

    expression: Expression
    name: str


@frozen
class SortItem:
    """One key of ORDER BY."""

    expression: Expression
    descending: bool


@frozen
class Projection:
    """RETURN, or WITH if `is_with`; `star` stands for every variable in scope, before `items`."""

    is_with: bool
    star: bool
    distinct: bool
    items: tuple[Item, ...]
    order: tuple[SortItem, ...]
    skip: Expression | None
    limit: Expression | None
    where: Expression | None


Clause: TypeAlias = Match | Create | Merge | Set | Delete | Unwind | Projection


@frozen
class SchemaChange:
    """CREATE or DROP of an index or constraint; the word is that of the delta, `+index` and so on."""

    word: str
    item: Index | Constraint


@frozen
class ShowSchema:
    """SHOW INDEX INFO (`indexes`) or SHOW CONSTRAINT INFO."""

    indexes: bool

"""The variables that a trigger's statement finds: what its transaction created, updated and deleted.

Which there are for which event: GetPredefinedIdentifiers in Memgraph's trigger.cpp; what they hold: its documentation,
"Predefined variables". A deleted object is given as the map of its properties, since nothing else is left of it here.
"""

from __future__ import annotations

import re
from collections.abc import Iterable, Iterator, Mapping
from typing import Any, Final, TypeAlias

from attrs import frozen

from .graph import Graph, Transaction
from .graph_records import State
from .graph_values import Value

_CREATED: Final = ("createdVertices", "createdEdges", "createdObjects")
_DELETED: Final = ("deletedVertices", "deletedEdges", "deletedObjects")
_VERTEX: Final = (
    "setVertexProperties",
    "removedVertexProperties",
    "setVertexLabels",
    "removedVertexLabels",
    "updatedVertices",
)
_EDGE: Final = ("setEdgeProperties", "removedEdgeProperties", "updatedEdges")
VARIABLES: Final[Mapping[str, tuple[str, ...]]] = {
    "ANY": (*_CREATED, *_DELETED, *_VERTEX, *_EDGE, "updatedObjects"),
    "CREATE": _CREATED,
    "() CREATE": _CREATED[:1],
    "--> CREATE": _CREATED[1:2],
    "DELETE": _DELETED,
    "() DELETE": _DELETED[:1],
    "--> DELETE": _DELETED[1:2],
    "UPDATE": (*_VERTEX, *_EDGE, "updatedObjects"),
    "() UPDATE": _VERTEX,
    "--> UPDATE": _EDGE,
}
"""By event as SHOW TRIGGERS prints it."""

_NODE_WORDS: Final = ("+node", "-node", "node.set")
_Map: TypeAlias = dict[str, Value]


@frozen
class Change:
    """What became of one object, or of one of its properties or labels, over a whole transaction.

    Attributes:
        event: As in ``event_type``, for example ``set_vertex_property``.
        id: Of the object.
        details: The rest of its map: ``key``, ``old`` and ``new``, or ``label``; of a deleted object its properties.
    """

    event: str
    id: int
    details: Mapping[str, Value]


def spelt(statement: str, event: str) -> str:
    """Return a trigger's statement as a query that takes the variables which it names as parameters."""
    used = [name for name in VARIABLES[event] if re.search(rf"\b{name}\b", statement)]
    return f"WITH {', '.join(f'${name} AS {name}' for name in used)} {statement}" if used else statement


def changes(transaction: Transaction, graph: Graph) -> tuple[Change, ...]:
    """Sum up what an open transaction wrote so far.

    Args:
        transaction: Which.
        graph: Where.

    Returns:
        One change for each object created or deleted, in the order of the first delta, and for each property or
        label of another one that was written; what was created and deleted again left nothing.
    """

    def before(kind: str, number: int) -> State | None:
        record = graph.nodes.get(number) if kind == "vertex" else graph.edges.get(number)
        return None if record is None else record.at(transaction.snapshot)

    found: dict[tuple[object, ...], Change | None] = {}
    for delta in transaction.deltas():
        word, number = str(delta[0]), delta[1]
        kind = "vertex" if word in _NODE_WORDS or word.endswith("label") else "edge"
        born, gone = (f"created_{kind}", number), (f"deleted_{kind}", number)
        if word in {"+node", "+edge"}:
            found[born] = Change(f"created_{kind}", number, {})
        elif word in {"-node", "-edge"}:
            found = {key: each for key, each in found.items() if key[:2] != (kind, number)}
            if found.pop(born, None) is None:
                state = before(kind, number)
                found[gone] = Change(f"deleted_{kind}", number, {} if state is None else state.properties)
        elif word in {"node.set", "edge.set", "+label", "-label"} and born not in found:
            found[kind, number, word[1:], delta[2]] = _update(kind, delta, before(kind, number))
    return tuple(each for each in found.values() if each is not None)


def _update(kind: str, delta: list[Any], before: State | None) -> Change | None:
    """What a written property or label is, compared with what was there first; None: the same."""
    word, number, name = delta[:3]
    if word in {"+label", "-label"}:
        if before is not None and (name in before.labels) is (word == "+label"):
            return None
        return Change(f"{'set' if word == '+label' else 'removed'}_{kind}_label", number, {"label": name})
    old, new = None if before is None else before.properties.get(name), delta[3]
    if new is not None:
        return Change(f"set_{kind}_property", number, {"key": name, "old": old, "new": new})
    return None if old is None else Change(f"removed_{kind}_property", number, {"key": name, "old": old})


def values(summed_up: Iterable[Change], transaction: Transaction) -> Mapping[str, Value]:
    """Return every variable as the transaction that runs the statement sees it; who is gone by then is left out.

    Args:
        summed_up: What fired the trigger.
        transaction: Where the statement runs.
    """
    seen = [(change, item) for change in summed_up if (item := _item(change, transaction)) is not None]

    def maps(*events: str, typed: bool) -> list[Value]:
        return [_map(change, item, typed=typed) for change, item in seen if change.event in events]

    def items(event: str) -> list[Value]:
        return [item for change, item in seen if change.event == event]

    vertex = ("set_vertex_property", "removed_vertex_property", "set_vertex_label", "removed_vertex_label")
    edge = ("set_edge_property", "removed_edge_property")
    return {
        "createdVertices": items("created_vertex"),
        "createdEdges": items("created_edge"),
        "createdObjects": maps("created_vertex", "created_edge", typed=True),
        "deletedVertices": items("deleted_vertex"),
        "deletedEdges": items("deleted_edge"),
        "deletedObjects": maps("deleted_vertex", "deleted_edge", typed=True),
        "setVertexProperties": maps("set_vertex_property", typed=False),
        "removedVertexProperties": maps("removed_vertex_property", typed=False),
        "setVertexLabels": list(_by_label(seen, "set_vertex_label")),
        "removedVertexLabels": list(_by_label(seen, "removed_vertex_label")),
        "updatedVertices": maps(*vertex, typed=True),
        "setEdgeProperties": maps("set_edge_property", typed=False),
        "removedEdgeProperties": maps("removed_edge_property", typed=False),
        "updatedEdges": maps(*edge, typed=True),
        "updatedObjects": maps(*vertex, *edge, typed=True),
    }


def _item(change: Change, transaction: Transaction) -> Value:
    if change.event.startswith("deleted"):
        return dict(change.details)
    return transaction.node(change.id) if "vertex" in change.event else transaction.edge(change.id)


def _map(change: Change, item: Value, *, typed: bool) -> _Map:
    kind = "vertex" if "vertex" in change.event else "edge"
    details = {} if change.event.startswith("deleted") else dict(change.details)
    return {**({"event_type": change.event} if typed else {}), kind: item, **details}


def _by_label(seen: Iterable[tuple[Change, Value]], event: str) -> Iterator[_Map]:
    labelled: dict[str, list[Value]] = {}
    for change, item in seen:
        if change.event == event:
            labelled.setdefault(str(change.details["label"]), []).append(item)
    return ({"label": label, "vertices": vertices} for label, vertices in labelled.items())

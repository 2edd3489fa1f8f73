"""An honest subset of Cypher: what it does not understand is an error that says where.

`parse` turns text into a `Query`, `execute` runs it in a transaction of the graph.

They are imported when first asked for: a server opens its ports sooner without.
"""

from __future__ import annotations

from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from memgraph_ha.fakes.memgraph.cypher.execution import Execution, execute
    from memgraph_ha.fakes.memgraph.cypher.query import Query, parse

__all__ = ["Execution", "Query", "execute", "parse"]

_HOMES = {"Execution": "execution", "execute": "execution", "Query": "query", "parse": "query"}


def __getattr__(name: str) -> object:
    """Import the module that defines `name`.

    Raises:
        AttributeError: This package has no such name.
    """
    if name not in _HOMES:
        raise AttributeError(f"module {__name__!r} has no attribute {name!r}")
    found: object = getattr(import_module(f"{__name__}.{_HOMES[name]}"), name)
    globals()[name] = found
    return found

"""What a running query works with, and what it counted."""

from __future__ import annotations

from collections.abc import Mapping
from typing import TypeAlias

from attrs import define, field, frozen

from memgraph_ha.fakes.memgraph.graph_transaction import Transaction
from memgraph_ha.fakes.memgraph.graph_values import Value

# The variables of one row; hidden ones included.
Row: TypeAlias = dict[str, Value]


@define
class Statistics:
    """What the writing clauses of one query did."""

    nodes_created: int = 0
    nodes_deleted: int = 0
    relationships_created: int = 0
    relationships_deleted: int = 0
    properties_set: int = 0
    labels_added: int = 0
    labels_removed: int = 0

    def summary(self) -> dict[str, int]:
        """Return the counters that are not zero, under the names that drivers read."""
        return {
            name.replace("_", "-"): count
            for name in self.__slots__
            if name != "__weakref__" and (count := getattr(self, name))
        }


@frozen
class Context:
    """One running query.

    Args:
        transaction: Where it reads and writes.
        parameters: The values of `$name`.
        now_us: What `timestamp()` answers, in microseconds since 1970.
        statistics: Where it counts.
        notifications: Where it leaves notes for the summary.
    """

    transaction: Transaction
    parameters: Mapping[str, Value]
    now_us: int
    statistics: Statistics = field(factory=Statistics)
    notifications: list[dict[str, str]] = field(factory=list)

"""Which facts say something new: the others are filed, and decided on at the next turn of the loop at the latest.

The daemon decides whenever a fact came. While a gate is open nine of ten facts repeat the one before them with a later
time; to decide on those a quarter of a second later is what a slow machine does, and saves most of the work.
"""

from __future__ import annotations

from attrs import define, field

from memgraph_ha.core import Fact
from memgraph_ha.core.facts import (
    LeaseSeen,
    MembersSeen,
    PortSeen,
    RecordSeen,
    RoleSeen,
    RowsSeen,
    ServerSeen,
    StorageSeen,
    TriggersSeen,
)

_NO_NEWS = object()


@define(eq=False)
class News:
    """What one controller was told last, of each kind and each subject."""

    _said: dict[tuple[type[Fact], object], object] = field(factory=dict)

    def forget(self) -> None:
        """Everything is new again."""
        self._said.clear()

    def is_new(self, fact: Fact) -> bool:
        """Whether it says something else than the last of its kind about its subject."""
        says = _says(fact)
        if says is None:
            return True
        key = (type(fact), getattr(fact, "instance", None))
        if self._said.get(key, _NO_NEWS) == says:
            return False
        self._said[key] = says
        return True


def _says(fact: Fact) -> object:
    """What it says apart from times and what every write changes; None: it is always new."""
    match fact:
        case RoleSeen():
            return fact.run, fact.role
        case RowsSeen():
            return fact.run, tuple((row.name, row.address, row.mode, row.status) for row in fact.rows)
        case StorageSeen():
            return fact.run, fact.uuid, fact.empty, fact.mode
        case ServerSeen():
            return fact.run, fact.version, fact.wal, fact.flush_every, fact.init_file
        case PortSeen():
            return (fact.open,)
        case RecordSeen():
            return fact.token, fact.trouble
        case LeaseSeen():
            return fact.leading, fact.since_s, fact.clean, fact.floor_generation
        case MembersSeen():
            return (fact.members,)
        case TriggersSeen():
            return fact.run, fact.triggers
        case _:
            return None

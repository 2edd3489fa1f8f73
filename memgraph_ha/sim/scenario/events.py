"""What `after` can wait for: events, each told from the state before by a key that changes with it."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from attrs import frozen

from memgraph_ha.core.names import InstanceName

if TYPE_CHECKING:
    from memgraph_ha.sim.scenario.stage import Stage


@frozen(kw_only=True)
class Event:
    """One kind of event.

    Attributes:
        of: What the word after it names: ``instance``, ``controller``, ``hold``, or empty if there is none.
        text: What it is, one sentence.
        key: Something that differs from what it was before exactly when the event came; None while it is not so.
    """

    of: str
    text: str
    key: Callable[[Stage, str], object]


def _promoted(stage: Stage, name: str) -> object:
    cluster, place = stage.cluster, InstanceName(name)
    return cluster.lives[place] if cluster.up(place) and cluster.world[place].is_main else None


def _named(stage: Stage, name: str) -> object:
    named = None if stage.record is None else stage.record.standby
    return named if named is not None and named.instance == name else None


def _un_named(stage: Stage, _name: str) -> object:
    record = stage.record
    return (record.generation, record.row_seq) if record is not None and record.standby is None else None


def _reigns(stage: Stage, name: str) -> object:
    return stage.record.generation if stage.record is not None and stage.record.main == name else None


def _opened(stage: Stage, _name: str) -> object:
    return stage.record.generation if stage.record is not None and stage.record.opened else None


def _leads(stage: Stage, name: str) -> object:
    return name if stage.cluster.lease.holder == name else None


def _attached(stage: Stage, name: str) -> object:
    row = stage.row(InstanceName(name))
    return (row.name, stage.record and stage.record.generation) if row is not None and not row.half else None


def _holding(stage: Stage, word: str) -> object:
    decision = stage.decision
    return word if decision is not None and decision.hold is not None and decision.hold.word == word else None


EVENTS: Final[dict[str, Event]] = {
    "promoted": Event(of="instance", text="the instance became MAIN", key=_promoted),
    "reigns": Event(of="instance", text="a reign of the instance was written into the record", key=_reigns),
    "opened": Event(of="", text="the record says that the reign opened", key=_opened),
    "named": Event(of="instance", text="the instance was named as the standby", key=_named),
    "un-named": Event(of="", text="nobody is named any more", key=_un_named),
    "attached": Event(of="instance", text="MAIN has a whole row of the instance", key=_attached),
    "acked": Event(of="", text="a write was acknowledged", key=lambda stage, _: len(stage.cluster.acks) or None),
    "quiet": Event(
        of="", text="a quiet moment began: clients are held", key=lambda stage, _: bool(stage.cluster.quiet) or None
    ),
    "started": Event(
        of="instance", text="its process was started", key=lambda stage, name: stage.cluster.lives[InstanceName(name)]
    ),
    "answers": Event(
        of="instance",
        text="it answers again",
        key=lambda stage, name: stage.cluster.answers(InstanceName(name)) or None,
    ),
    "down": Event(
        of="instance",
        text="its process ended",
        key=lambda stage, name: not stage.cluster.up(InstanceName(name)) or None,
    ),
    "leads": Event(of="controller", text="the controller took the lease", key=_leads),
    "lost-lease": Event(of="", text="somebody else holds the lease", key=lambda stage, _: stage.cluster.lease.holder),
    "holding": Event(of="hold", text="the leader waits for that, by name", key=_holding),
}
"""Every event by its word."""

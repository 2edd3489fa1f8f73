"""Scenes as operators meet them, for tests of the page and for looking at it."""

from typing import Final

from attrs import evolve

from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import Change, ChangeKind, Pause, Switchover
from memgraph_ha.core.topology import RowStatus
from tests.core.changes import gate_shut, gone, place, recorded, refuses, restarted, rows
from tests.core.scenes import ALONE, BEGUN, EMPTY
from tests.core.views import HEALTHY, M0, M1, M2, WALL, Place, Scene, async_row, incarnation_of, run_of, strict_row


def _history(scene: Scene) -> tuple[Change, ...]:
    kinds = [(1, M0, ChangeKind.BOOTSTRAP), (2, M1, ChangeKind.FAILOVER), (3, M0, ChangeKind.SWITCHOVER)]
    older = tuple(
        Change(
            generation=number,
            main=main,
            previous=None if number == 1 else (M1 if main == M0 else M0),
            kind=kind,
            standby=None,
            rule="L30",
            reason="MAIN m0 is lost: 2 connections refused within 0.061 s; m1 has every acknowledged write",
            at=WALL - 400_000 + number * 40_000,
            by="alice" if kind is ChangeKind.SWITCHOVER else "",
        )
        for number, main, kind in kinds
    )
    return (*older, *scene.recorded.history)


def _with_history(scene: Scene) -> Scene:
    return scene.but(recorded(history=_history(scene)))


def _more(scene: Scene) -> Scene:
    """Two more replicas: one recovers, one is not attached and has a very long name."""
    added = tuple(
        Place(name=InstanceName(name), incarnation=incarnation_of(InstanceName(name)), run=run_of(InstanceName(name)))
        for name in ("m3", "m4")
    )
    lagging = evolve(async_row(), behind=-1234, status=RowStatus.REPLICATING)
    recovering = async_row("m3", InstanceName("m3"), RowStatus.RECOVERY)
    return evolve(scene, places=(*scene.places, *added)).but(rows(strict_row(), lagging, recovering))


PICTURES: Final[dict[str, Scene]] = {
    "healthy": _with_history(HEALTHY),
    "lost": _with_history(HEALTHY).but(refuses(M0), gate_shut()),
    "begun": BEGUN,
    "unprotected": ALONE,
    "nobody": _with_history(HEALTHY).but(gone(M0), restarted(M1), gate_shut(), recorded(standby=None)),
    "paused": _with_history(HEALTHY).but(
        recorded(paused=Pause(by="alice", reason="moving the rack to the other room", at=WALL - 754))
    ),
    "switching": _with_history(HEALTHY).but(
        recorded(switchover=Switchover(target=M1, by="bob", reason="kernel update"))
    ),
    "five": _more(_with_history(HEALTHY)),
    "empty": EMPTY,
    "silent": _with_history(HEALTHY).but(gone(M2), place(M1, flush_every=100_000)),
}
"""Named scenes."""

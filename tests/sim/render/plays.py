"""Failovers played in the simulated world, with everything recorded; `python -m tests.sim.render.plays` draws them.

The pictures of the documentation are made so: docs/pictures/sim-*.svg.
"""

from pathlib import Path
from typing import Final

from attrs import define, frozen

from memgraph_ha.core import Policy
from memgraph_ha.sim.render.build import Window, timeline_of
from memgraph_ha.sim.render.draw import PLOT
from memgraph_ha.sim.render.model import Lane, Timeline
from memgraph_ha.sim.render.page import picture
from memgraph_ha.sim.render.scale import Scale
from memgraph_ha.sim.world.cluster import Cluster
from memgraph_ha.sim.world.controller import Controller
from memgraph_ha.trace.recorder import LineRecorder, ListSink
from memgraph_ha.trace.schema import Ghost, Line, Source

PICTURES: Final = Path(__file__).parents[3] / "docs" / "pictures"

KILLED_S: Final = 8.0
CALM_S: Final = 2.0
"""How long before the kill the pictures begin."""


@frozen
class Played:
    """What was played, and what was recorded of it."""

    cluster: Cluster
    controllers: tuple[Controller, ...]
    lines: tuple[Line, ...]
    timeline: Timeline

    def lane(self, name: str) -> Lane:
        """Find a lane by its id."""
        return next(lane for lane in self.timeline.lanes if lane.id == name)


@define
class _Clock:
    """The world's clock, which says 0 until there is a world."""

    cluster: Cluster | None = None

    def __call__(self) -> float:
        """Say the time."""
        return 0.0 if self.cluster is None else self.cluster.now


def play(*, down_s: float, after_s: float = 0.0, seed: int = 3) -> Played:
    """Kill MAIN of a whole cluster under three writers, and let it lie for a while.

    Args:
        down_s: How long it is kept down.
        after_s: How long the play goes on after that; 0: it stays down.
        seed: Of the world.
    """
    sink, clock = ListSink(), _Clock()
    recorder = LineRecorder(sink, source=Source.SIMULATOR, clock=clock, seed=seed, scenario="MAIN is killed")
    cluster = clock.cluster = Cluster(seed, recorder=recorder)
    controllers = tuple(Controller(name, cluster, Policy(), recorder=recorder) for name in ("C1", "C2"))
    for controller in controllers:
        controller.start()
    cluster.world.run(KILLED_S / 2)
    cluster.start_clients(3, 0.15)
    cluster.world.run(KILLED_S / 2)
    main = cluster.store.history[-1].main
    recorder.ghost(Ghost.FAULT, main, verb="kill")
    cluster.keep_down(main)
    cluster.world.run(down_s)
    if after_s:
        recorder.ghost(Ghost.REPAIR, main, verb="start")
        cluster.let_up(main)
        cluster.world.run(after_s)
    lines = tuple(sink.lines)
    return Played(cluster, controllers, lines, timeline_of(lines, title="MAIN is killed"))


def draw_pictures(where: Path) -> None:
    """Draw a failover of half a minute, and its second that matters."""
    played = play(down_s=12.0, after_s=14.0)
    (turn,) = played.timeline.turns[-1:]
    windows = {
        "sim-failover.svg": (KILLED_S - CALM_S, played.timeline.end_s),
        "sim-failover-close.svg": (turn.start_s, turn.end_s),
    }
    for name, (start_s, end_s) in windows.items():
        shown = timeline_of(played.lines, title="MAIN is killed", window=Window(start_s=start_s, end_s=end_s))
        scale = Scale(shown.start_s, shown.end_s, PLOT)
        (where / name).write_text(picture(shown, scale), encoding="utf-8")


if __name__ == "__main__":
    draw_pictures(PICTURES)

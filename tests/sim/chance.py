"""What goes wrong: faults drawn at random, from a run's own seed."""

from __future__ import annotations

from collections.abc import Callable

from tests.sim.cluster import NAMES, Cluster
from tests.sim.controller import Controller
from tests.sim.faults import M2, Faults


def random_faults(steps: int) -> Faults:
    """Faults drawn from the run's own seed, with pauses between them."""

    def happen(cluster: Cluster, controllers: list[Controller]) -> None:
        dice = cluster.random
        for _ in range(steps):
            _one_fault(cluster, dice.choice(controllers))
            cluster.world.run(dice.choice((0.01, 0.05, 0.2, 0.5, 1.0, 3.0, 8.0)))

    return happen


def _one_fault(cluster: Cluster, controller: Controller) -> None:
    dice = cluster.random
    name, other = dice.sample(NAMES, 2)
    events: tuple[Callable[[], None], ...] = (
        lambda: cluster.kill(name),
        lambda: cluster.kill(name),
        lambda: cluster.freeze(name),
        lambda: cluster.thaw(name),
        lambda: cluster.keep_down(name),
        lambda: cluster.let_up(name),
        lambda: cluster.wipe(M2),
        lambda: cluster.world.cut(name, other),
        cluster.world.heal,
        controller.crash,
        controller.pause if controller.alive else controller.start,
        controller.resume,
        lambda: setattr(controller, "blind", not controller.blind),
    )
    dice.choice(events)()

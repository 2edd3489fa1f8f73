"""What goes wrong and what is asked for, drawn at random from a run's own seed."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from memgraph_ha.core import Ask
from memgraph_ha.sim.world.cluster import Cluster
from memgraph_ha.sim.world.controller import Controller
from memgraph_ha.sim.world.ground import NAMES
from tests.sim.faults import M2, Faults

ORDERS: Final = (
    Ask.SWITCHOVER,
    Ask.SWITCHOVER,
    Ask.SWITCHOVER,
    Ask.RESTART,
    Ask.STOP,
    Ask.REINIT,
    Ask.PAUSE,
    Ask.RESUME,
    Ask.RESUME,
)
"""What operators and hooks ask for, as often as they do."""

PAUSES_S: Final = (0.01, 0.05, 0.2, 0.5, 1.0, 3.0, 8.0)


def random_faults(steps: int) -> Faults:
    """Faults drawn from the run's own seed, with pauses between them."""
    return random_life(steps, orders=0.0)


def random_life(steps: int, orders: float = 0.45) -> Faults:
    """Faults and operators' orders, with pauses between them.

    Args:
        steps: How many.
        orders: Which part of them are orders.
    """

    def happen(cluster: Cluster, controllers: list[Controller]) -> None:
        dice = cluster.random
        for _ in range(steps):
            if orders and dice.random() < orders:
                _one_order(cluster, dice.choice(controllers))
            else:
                _one_fault(cluster, dice.choice(controllers))
            cluster.world.run(dice.choice(PAUSES_S))

    return happen


def _one_order(cluster: Cluster, controller: Controller) -> None:
    dice = cluster.random
    ask, name, wait_s = dice.choice(ORDERS), dice.choice(NAMES), dice.choice((2.0, 10.0, 30.0))
    if controller.alive:
        cluster.say("", f"ask {controller.name} {ask.value} {name}")
        controller.ask(ask, None if ask in (Ask.PAUSE, Ask.RESUME) else name, wait_s)


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

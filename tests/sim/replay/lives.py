"""Recorded lives of simulated clusters: two controllers, clients, and a few faults drawn from a seed."""

from collections.abc import Callable
from typing import Final

from memgraph_ha.core import Ask, Policy
from memgraph_ha.core.names import InstanceName
from memgraph_ha.sim.world.cluster import Cluster
from memgraph_ha.sim.world.controller import Controller
from memgraph_ha.trace.recorder import LineRecorder, ListSink
from memgraph_ha.trace.schema import Line, Source

POLICY: Final = Policy(standby_grace_s=1.0, restart_frozen_main_s=10.0, failover_limit=100)


def _main(cluster: Cluster) -> InstanceName:
    record = cluster.store.read()[0]
    return cluster.names[0] if record is None else record.main


def _leader(cluster: Cluster) -> Controller:
    controllers = list(cluster.controllers.values())
    return next((each for each in controllers if each.name == cluster.lease.holder), controllers[0])


FAULTS: Final[tuple[Callable[[Cluster], None], ...]] = (
    lambda cluster: cluster.kill(_main(cluster)),
    lambda cluster: cluster.freeze(_main(cluster)),
    lambda cluster: cluster.kill(cluster.names[1]),
    lambda cluster: cluster.wipe(cluster.names[2]),
    lambda cluster: cluster.isolate(_main(cluster)),
    lambda cluster: _leader(cluster).crash(),
    lambda cluster: _leader(cluster).pause(),
    lambda cluster: _leader(cluster).ask(Ask.SWITCHOVER),
)
"""What may happen."""


def life(seed: int, faults: int = 3) -> list[Line]:
    """Record a life.

    Args:
        seed: Of everything.
        faults: How many, each followed by a few seconds and then mended.

    Returns:
        Every line but a footer.
    """
    sink, clock = ListSink(), list[Cluster]()
    recorder = LineRecorder(sink, source=Source.SIMULATOR, clock=lambda: clock[0].now, seed=seed, scenario="a life")
    cluster = Cluster(seed)
    clock.append(cluster)
    cluster.recorder = recorder
    controllers = [Controller(f"C{number}", cluster, POLICY, recorder=recorder) for number in (1, 2)]
    for controller in controllers:
        controller.start()
    cluster.world.run(6)
    cluster.clients.writers(2, 0.15)
    dice = cluster.dice("life")
    for _ in range(faults):
        dice.choice(FAULTS)(cluster)
        cluster.world.run(3 + dice.random() * 3)
        cluster.heal()
        for name in cluster.names:
            cluster.thaw(name)
        for controller in controllers:
            controller.resume()
            if not controller.alive:
                controller.start()
        cluster.world.run(2)
    return sink.lines

"""A whole cluster, for tests of what may happen to it."""

from __future__ import annotations

from attrs import evolve

from memgraph_ha.core import RULES, Policy, Rule
from memgraph_ha.core.names import InstanceName
from memgraph_ha.sim.checks.liveness import check_convergence
from memgraph_ha.sim.world.cluster import Cluster
from memgraph_ha.sim.world.controller import Controller
from memgraph_ha.trace.recorder import NO_RECORDER, Recorder

M0, M1, M2 = (InstanceName(f"m{number}") for number in range(3))
POLICY = evolve(Policy(), failover_limit=1000, main_restart_limit=1000)


def whole(
    seed: int = 1,
    *,
    instances: int = 3,
    writers: int = 0,
    policy: Policy = POLICY,
    rules: tuple[Rule, ...] = RULES,
    recorder: Recorder = NO_RECORDER,
) -> tuple[Cluster, Controller, Controller]:
    """A cluster that is whole, who leads it, and who does not."""
    cluster = Cluster(seed, instances, recorder)
    controllers = [Controller(name, cluster, policy, rules, recorder) for name in ("C1", "C2")]
    for controller in controllers:
        controller.start()
    check_convergence(cluster, 60)
    if writers:
        cluster.start_clients(writers, 0.1)
    cluster.world.run(1)
    leader, other = sorted(controllers, key=lambda controller: not controller.leads)
    return cluster, leader, other

"""One seeded run: faults, then heal, then demand that everything comes back by itself."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import frozen

from memgraph_ha.core import RULES, Policy, Rule
from tests.sim.cluster import NAMES, Cluster, ViolationError
from tests.sim.controller import WIRE_S, Controller
from tests.sim.faults import POLICY, Faults, Scenario, nothing

CONVERGE_S: Final = 60.0
SHOWN: Final = 60


@frozen(kw_only=True)
class Result:
    """What a run came to.

    Attributes:
        fired: Ids of the rules that decided at least once.
        acked: How many writes were acknowledged.
        trace: One line per event.
    """

    fired: frozenset[str]
    acked: int
    trace: tuple[str, ...]


@frozen(kw_only=True)
class Setup:
    """What a run starts from; ``late``: some commands land late, some answers are lost."""

    seed: int
    controllers: int = 2
    policy: Policy = POLICY
    rules: tuple[Rule, ...] = RULES
    clients: int = 3
    late: bool = False
    before: Callable[[Cluster], None] = nothing


def start(setup: Setup) -> tuple[Cluster, list[Controller]]:
    """Make a cluster with its controllers, and wait until it is whole.

    Raises:
        ViolationError: It never is.
    """
    cluster = Cluster(setup.seed)
    setup.before(cluster)
    cluster.prompt = not setup.late
    controllers = [
        Controller(f"C{number}", cluster, setup.policy, setup.rules) for number in range(1, setup.controllers + 1)
    ]
    for controller in controllers:
        if setup.late:
            controller.late = lambda: WIRE_S + (cluster.random.random() * 8 if cluster.random.random() < 0.03 else 0)
            controller.lose = lambda: cluster.random.random() < 0.02
        controller.start()
    converge(cluster, controllers)
    cluster.start_clients(setup.clients, 0.15)
    return cluster, controllers


def converge(cluster: Cluster, controllers: list[Controller], within_s: float = CONVERGE_S) -> None:
    """L1: let time pass until one MAIN serves, its standby is named and every replica is attached.

    Raises:
        ViolationError: It does not come to that; the text shows the last decisions.
    """
    try:
        cluster.world.run_until(lambda: whole(cluster), within_s)
    except TimeoutError:
        now = "; ".join(f"{c.name}: {c.doing}" for c in controllers)
        raise ViolationError(f"L1: not whole after {within_s:g} s ({now})") from None


def whole(cluster: Cluster) -> bool:
    """Whether the cluster is as it should be."""
    record = cluster.store.read()[0]
    if record is None or not record.opened or record.standby is None or not all(cluster.up(n) for n in NAMES):
        return False
    if not any(permit is not None and permit.generation == record.generation for permit in cluster.gates.values()):
        return False
    rows = cluster.world[record.main].rows.values()
    healthy = [row for row in rows if not row.half and row.state.value in ("ready", "replicating")]
    return cluster.world[record.main].is_main and len(healthy) == len(NAMES) - 1 == len(rows)


def finish(cluster: Cluster, controllers: list[Controller]) -> Result:
    """Heal everything, demand convergence, and check the ledger on every instance.

    Raises:
        ViolationError: A promise was broken.
    """
    for controller in controllers:
        controller.blind, controller.before = False, lambda _command: None
        controller.late, controller.lose = (lambda: WIRE_S), (lambda: False)
        if not controller.alive:
            controller.start()
        controller.resume()
    for name in NAMES:
        cluster.thaw(name)
        cluster.let_up(name)
    cluster.world.heal()
    cluster.world.run(12)
    converge(cluster, controllers)
    before = len(cluster.store.history)
    cluster.world.run(3)
    _check_acks(cluster)
    if len(cluster.store.history) > before + 1:
        raise ViolationError(
            f"L3: the record was written {len(cluster.store.history) - before} times in a healthy cluster"
        )
    fired = frozenset(rule for controller in controllers for rule in controller.fired)
    return Result(fired=fired, acked=len(cluster.acks), trace=tuple(cluster.trace))


def _check_acks(cluster: Cluster) -> None:
    """S1: MAIN and its standby hold whatever was acknowledged (but for what is on its way)."""
    record = cluster.store.read()[0]
    if record is None or record.standby is None:
        raise ViolationError("L1: no standby is named")
    settled = {ack.write for ack in cluster.acks if ack.at_s < cluster.now - 1}
    for name in (record.main, record.standby.instance):
        lost = settled - cluster.ids(name)
        if lost:
            raise ViolationError(f"S1: {name} lacks {sorted(lost)[:5]} at the end")


def play(setup: Setup, faults: Faults) -> Result:
    """Run one scenario from a whole cluster to a whole cluster.

    Args:
        setup: What it starts from.
        faults: Lets things happen, and time pass.

    Raises:
        ViolationError: A promise was broken; the text ends with the trace.
    """
    cluster: Cluster | None = None
    try:
        cluster, controllers = start(setup)
        faults(cluster, controllers)
        return finish(cluster, controllers)
    except AssertionError as error:
        trace = () if cluster is None else cluster.trace[-SHOWN:]
        raise ViolationError(f"seed {setup.seed}: {error}\n" + "\n".join(trace)) from error


def play_scenario(scenario: Scenario, seed: int, rules: tuple[Rule, ...] = RULES) -> Result:
    """Run a named scenario; see `play`."""
    setup = Setup(seed=seed, policy=scenario.policy, rules=rules, before=scenario.before)
    return play(setup, scenario.faults)

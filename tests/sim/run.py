"""One seeded run: faults, then heal, then demand that everything comes back by itself."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Final

from attrs import frozen

from memgraph_ha.core import RULES, Ask, Policy, Rule
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.known import STOP_MEMORY_S
from memgraph_ha.core.names import InstanceName
from memgraph_ha.sim.checks.violation import ViolationError
from memgraph_ha.sim.world.cluster import Cluster
from memgraph_ha.sim.world.controller import WIRE_S, Controller
from memgraph_ha.sim.world.ground import NAMES
from tests.sim.faults import POLICY, Faults, Scenario, nothing

CONVERGE_S: Final = 90.0
SHOWN: Final = 60

OPERATOR_TRIES: Final = 4

REINIT: Final = re.compile(r"memgraph-ha reinit (\w+)")
"""The command by which a hold says that a person may give up what an instance holds."""

SERVED_S: Final = 2.0
"""Who serves has acknowledged something within so long."""


@frozen(kw_only=True)
class Result:
    """What a run came to.

    Attributes:
        fired: Ids of the rules that decided at least once.
        holds: What they waited for, by name.
        acked: How many writes were acknowledged.
        trace: One line per event.
    """

    fired: frozenset[str]
    holds: frozenset[Hold]
    acked: int
    trace: tuple[str, ...]


@frozen(kw_only=True)
class Setup:
    """What a run starts from.

    Attributes:
        late: Some commands land late, some answers are lost.
        operator: At the end a person does what a hold asks for.
        before: What is there before the controllers are.
    """

    seed: int
    controllers: int = 2
    policy: Policy = POLICY
    rules: tuple[Rule, ...] = RULES
    clients: int = 3
    late: bool = False
    operator: bool = False
    before: Callable[[Cluster], None] = nothing


def start(setup: Setup) -> tuple[Cluster, list[Controller]]:
    """Make a cluster with its controllers, and wait until it is whole.

    Raises:
        ViolationError: It never is.
    """
    cluster = Cluster(setup.seed)
    setup.before(cluster)
    controllers = [
        Controller(f"C{number}", cluster, setup.policy, setup.rules) for number in range(1, setup.controllers + 1)
    ]
    for controller in controllers:
        if setup.late:
            controller.late = lambda: WIRE_S + (cluster.random.random() * 8 if cluster.random.random() < 0.03 else 0)
            controller.lose = lambda: cluster.random.random() < 0.02
        controller.start()
    converge(cluster, controllers)
    cluster.world.run(0.5)  # until every controller has heard of it
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
    standby = cluster.world[record.standby.instance]
    rows = cluster.world[record.main].rows.values()
    if standby.run_id != record.standby.run or record.standby.row not in [row.name for row in rows]:
        return False  # a name that nobody bears is worse than none
    if any(dict(record.level).get(name) != record.generation for name in NAMES):
        return False  # a later rebuild relies on it
    healthy = [row for row in rows if not row.half and row.state.value in ("ready", "replicating")]
    return cluster.world[record.main].is_main and len(healthy) == len(NAMES) - 1 == len(rows)


def finish(cluster: Cluster, controllers: list[Controller], *, operator: bool = False) -> Result:
    """Heal everything, demand convergence, and check the ledger on MAIN and standby.

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
    cluster.heal()
    cluster.world.run(12)
    if operator:
        for _ in range(OPERATOR_TRIES):
            cluster.world.run(8)
            _tend(cluster, controllers)
        _forget_stops(cluster, controllers)
    converge(cluster, controllers)
    before = len(cluster.store.history)
    cluster.world.run(3)
    _check_acks(cluster)
    if len(cluster.store.history) > before + 1:
        raise ViolationError(
            f"L3: the record was written {len(cluster.store.history) - before} times in a healthy cluster"
        )
    fired = frozenset(rule for controller in controllers for rule in controller.fired)
    holds = frozenset(hold for controller in controllers for hold in controller.holds)
    return Result(fired=fired, holds=holds, acked=len(cluster.acks), trace=tuple(cluster.trace))


def _forget_stops(cluster: Cluster, controllers: list[Controller]) -> None:
    """Let time pass until no stop is expected any more that was announced and never came."""
    asked = [seen.stop_asked_s for c in controllers for seen in c.observed.seen if seen.stop_asked_s is not None]
    if asked:
        cluster.world.run(max(0.0, max(asked) + STOP_MEMORY_S + 1 - cluster.now))


def _tend(cluster: Cluster, controllers: list[Controller]) -> None:
    """Do what only a person may, as the leader's own words name it: end a pause, or give up what a replica holds."""
    record = cluster.store.read()[0]
    leader = next((controller for controller in controllers if controller.name == cluster.lease.holder), None)
    if whole(cluster) or record is None or leader is None or leader.decision is None:
        return
    named = REINIT.search(leader.decision.reason)
    if record.paused is not None:
        leader.ask(Ask.RESUME)
    elif named is not None:
        cluster.say("", f"the operator reads: {leader.decision.reason}")
        leader.ask(Ask.REINIT, InstanceName(named[1]))


def _check_acks(cluster: Cluster) -> None:
    """S1: MAIN and its standby hold whatever was acknowledged (but for what is on its way)."""
    record = cluster.store.read()[0]
    if record is None or record.standby is None:
        raise ViolationError("L1: no standby is named")
    settled = {ack.write for ack in cluster.acks if ack.at_s < cluster.now - 1} | cluster.ledger.by_hand
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
        return finish(cluster, controllers, operator=setup.operator)
    except AssertionError as error:
        trace = () if cluster is None else cluster.trace[-SHOWN:]
        raise ViolationError(f"seed {setup.seed}: {error}\n" + "\n".join(trace)) from error


def play_scenario(scenario: Scenario, seed: int, rules: tuple[Rule, ...] = RULES) -> Result:
    """Run a named scenario; see `play`.

    Raises:
        ViolationError: A promise was broken, writes did not come back under the fault, or a wait had no name.
    """

    def faults(cluster: Cluster, controllers: list[Controller]) -> None:
        scenario.faults(cluster, controllers)
        last_s = cluster.acks[-1].at_s if cluster.acks else 0.0
        if scenario.serves and cluster.now - last_s > SERVED_S:
            raise ViolationError(f"L2: nothing was acknowledged for {cluster.now - last_s:.1f} s ({cluster.gates})")

    setup = Setup(seed=seed, policy=scenario.policy, rules=rules, before=scenario.before, clients=scenario.clients)
    result = play(setup, faults)
    unsaid = [hold.word for hold in scenario.says if hold not in result.holds]
    if unsaid:
        raise ViolationError(f"seed {seed}: L4: nobody said {', '.join(unsaid)}")
    return result

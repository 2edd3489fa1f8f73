"""Named scenarios of the catalogue, each from a whole cluster to a whole cluster, on pinned seeds."""

from collections.abc import Callable

import pytest
from attrs import evolve

from memgraph_ha.core import DataDurability
from tests.sim.cluster import NAMES, Cluster
from tests.sim.controller import Controller
from tests.sim.run import POLICY, Setup, play

Faults = Callable[[Cluster, list[Controller]], None]
M0, M1, M2 = NAMES


def _leader(controllers: list[Controller]) -> Controller:
    return next(c for c in controllers if c.cluster.lease.holder == c.name)


def _crash_main(cluster: Cluster, _controllers: list[Controller]) -> None:
    cluster.keep_down(M0)
    cluster.world.run(10)


def _hang_main(cluster: Cluster, _controllers: list[Controller]) -> None:
    cluster.freeze(M0)
    cluster.world.run(60)


def _restart_standby(cluster: Cluster, _controllers: list[Controller]) -> None:
    cluster.keep_down(M1)
    cluster.world.run(40)


def _standby_then_main(cluster: Cluster, _controllers: list[Controller]) -> None:
    cluster.keep_down(M1)
    cluster.world.run(1)
    cluster.keep_down(M0)
    cluster.world.run(10)
    cluster.let_up(M1)
    cluster.world.run(30)


def _async_down(cluster: Cluster, _controllers: list[Controller]) -> None:
    cluster.keep_down(M2)
    cluster.world.run(5)
    cluster.keep_down(M0)
    cluster.world.run(10)


def _cut_pair(cluster: Cluster, _controllers: list[Controller]) -> None:
    cluster.world.cut(M0, M1)
    cluster.world.run(40)


def _paused_leader(cluster: Cluster, controllers: list[Controller]) -> None:
    leader = _leader(controllers)
    leader.pause()
    cluster.world.run(1)
    cluster.kill(M0)
    cluster.world.run(30)
    leader.resume()
    cluster.world.run(5)


def _old_main_returns(cluster: Cluster, _controllers: list[Controller]) -> None:
    cluster.freeze(M0)
    cluster.world.run(1)
    cluster.thaw(M0)
    cluster.kill(M0)
    cluster.world.run(30)


def _wiped_main(cluster: Cluster, _controllers: list[Controller]) -> None:
    cluster.wipe(M0)
    cluster.world.run(20)


def _wiped_standby_then_main(cluster: Cluster, _controllers: list[Controller]) -> None:
    cluster.wipe(M1)
    cluster.world.run(0.3)
    cluster.keep_down(M0)
    cluster.world.run(10)


def _promoted_by_hand(cluster: Cluster, _controllers: list[Controller]) -> None:
    cluster.world.ask(M1, "SET REPLICATION ROLE TO MAIN")
    cluster.world.run(20)


def _demoted_by_hand(cluster: Cluster, _controllers: list[Controller]) -> None:
    cluster.world.send(M0, "SET REPLICATION ROLE TO REPLICA WITH PORT 10000")
    cluster.world.run(10)


SCENARIOS: dict[str, Faults] = {
    "A1 MAIN crashes": _crash_main,
    "A3 MAIN hangs": _hang_main,
    "B1 standby away": _restart_standby,
    "B2 standby crashes, then MAIN": _standby_then_main,
    "B5 ASYNC down at failover": _async_down,
    "C2 MAIN and standby cut off": _cut_pair,
    "D3 leader paused through a failover": _paused_leader,
    "F1 old MAIN returns": _old_main_returns,
    "G1 MAIN's volume lost": _wiped_main,
    "G2 standby's volume lost, then MAIN": _wiped_standby_then_main,
    "H6 standby promoted by hand": _promoted_by_hand,
    "H6 MAIN demoted by hand": _demoted_by_hand,
}


@pytest.mark.parametrize("name", SCENARIOS)
def test_every_named_scenario_keeps_its_promises(name: str) -> None:
    """From a whole cluster to a whole cluster, with every acknowledged write on MAIN and standby."""
    result = play(Setup(seed=len(name)), SCENARIOS[name])
    assert result.acked > 0


@pytest.mark.parametrize("step", range(1, 9))
def test_a_controller_may_die_between_any_two_steps_of_a_reign(step: int) -> None:
    """D1: whoever follows derives the rest from the record and the facts."""

    def die_at_step(cluster: Cluster, controllers: list[Controller]) -> None:
        leader = _leader(controllers)
        sent = [0]
        send = leader._send

        def counted(*args: object) -> None:
            sent[0] += 1
            if sent[0] == step:
                leader.crash()
            else:
                send(*args)  # type: ignore[arg-type]  # passed through as it came

        cluster.keep_down(M0)
        leader._send = counted  # type: ignore[method-assign]  # the one step that must not happen
        cluster.world.run(25)

    assert play(Setup(seed=step), die_at_step).acked > 0


def test_required_never_acknowledges_alone() -> None:
    """While the standby is away under `required`, nothing is acknowledged; when it is back, writes are."""
    policy = evolve(POLICY, data_durability=DataDurability.REQUIRED)
    seen: list[int] = []

    def faults(cluster: Cluster, _controllers: list[Controller]) -> None:
        cluster.keep_down(M1)
        cluster.world.run(1)
        before = len(cluster.acks)
        cluster.world.run(20)
        seen.append(len(cluster.acks) - before)

    assert play(Setup(seed=3, policy=policy), faults).acked > 0
    assert seen == [0]

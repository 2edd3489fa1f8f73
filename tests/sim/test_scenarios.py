"""Named scenarios of the catalogue, each from a whole cluster to a whole cluster, on pinned seeds."""

from functools import cache

import pytest

from memgraph_ha.core import RULES
from memgraph_ha.core.commands import Command
from memgraph_ha.core.holds import Hold
from memgraph_ha.sim.checks.violation import ViolationError
from memgraph_ha.sim.world.cluster import Cluster
from memgraph_ha.sim.world.controller import Controller
from tests.sim.catalogue import CATALOGUE, LONG
from tests.sim.faults import M0, M1, REQUIRED, leader_of
from tests.sim.run import Result, Setup, play, play_scenario, start


@cache
def result_of(name: str) -> Result:
    """Run a scenario once, for all tests that look at it."""
    return play_scenario(CATALOGUE[name], len(name))


SHORT = [name for name in CATALOGUE if name not in LONG]


@pytest.mark.parametrize(
    "name",
    [
        *SHORT,
        *(pytest.param(name, marks=pytest.mark.slow) for name in sorted(LONG)),
    ],
)
def test_every_named_scenario_keeps_its_promises(name: str) -> None:
    """From a whole cluster to a whole cluster, with every acknowledged write on MAIN and standby."""
    assert result_of(name).acked > 0


def test_every_rule_decides_in_some_scenario() -> None:
    """A rule that no scenario reaches is not tested here: there is none."""
    fired = frozenset[str]().union(*(result_of(name).fired for name in SHORT))
    assert [rule.id for rule in RULES if rule.id not in fired] == []


@pytest.mark.parametrize("step", range(1, 9))
def test_a_controller_may_die_between_any_two_steps_of_a_reign(step: int) -> None:
    """D1: whoever follows derives the rest from the record and the facts."""
    sent: list[Command] = []

    def die_at_step(cluster: Cluster, controllers: list[Controller]) -> None:
        leader = leader_of(controllers)

        def count(command: Command) -> None:
            sent.append(command)
            if len(sent) == step:
                leader.crash()

        cluster.keep_down(M0)
        leader.before = count
        cluster.world.run(6)
        cluster.let_up(M0)
        cluster.world.run(15)

    assert play(Setup(seed=step), die_at_step).acked > 0
    assert len(sent) == step


def test_required_never_acknowledges_alone() -> None:
    """While the standby is away under `required`, nothing is acknowledged; when it is back, writes are."""
    seen: list[int] = []

    def faults(cluster: Cluster, _controllers: list[Controller]) -> None:
        cluster.keep_down(M1)
        cluster.world.run(1)
        before = len(cluster.acks)
        cluster.world.run(20)
        seen.append(len(cluster.acks) - before)

    assert play(Setup(seed=3, policy=REQUIRED), faults).acked > 0
    assert seen == [0]


def test_nobody_follows_a_main_that_lost_its_volume_while_unprotected() -> None:
    """G3: the only certain copy is gone; the standby that came back is older, so the controllers wait and say so."""
    cluster, controllers = start(Setup(seed=4))
    cluster.keep_down(M1)
    cluster.world.run(10)
    record = cluster.store.history[-1]
    assert record.unprotected
    cluster.wipe(M0)
    cluster.world.run(0.05)
    cluster.let_up(M1)
    acked = len(cluster.acks)
    cluster.world.run(30)
    decision = leader_of(controllers).decision
    assert decision is not None
    assert decision.hold is Hold.NO_SAFE_CANDIDATE
    assert cluster.store.history[-1] == record
    assert len(cluster.acks) == acked


def test_a_lost_write_would_be_seen() -> None:
    """The checks themselves: an acknowledged write that vanishes from MAIN is a violation."""

    def lose_one(cluster: Cluster, _controllers: list[Controller]) -> None:
        cluster.world.run(2)
        number = cluster.acks[-1].write
        cluster.world.ask(M0, "MATCH (w:W {id: $id}) DELETE w", {"id": number})
        cluster.world.run(2)

    with pytest.raises(ViolationError, match="S1"):
        play(Setup(seed=1), lose_one)

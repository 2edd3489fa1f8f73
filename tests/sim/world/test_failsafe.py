"""Leaders that go on while nobody reaches the API, by what ships, and those that must not (decision 0011)."""

import random

import pytest

from memgraph_ha.fakes.memgraph.virtual_net import Reach
from memgraph_ha.sim.world.cluster import Cluster
from memgraph_ha.sim.world.controller import Controller
from tests.sim.world.setting import whole


def _leading(cluster: Cluster) -> list[str]:
    """Who leads by its own belief, and would relay."""
    found = []
    for controller in cluster.controllers.values():
        alive = controller.alive and not controller.paused
        if alive and controller.elector.mine.leading and controller.elector.left_s > 0:
            found.append(controller.name)
    return found


def _lease_s(controller: Controller) -> float:
    return controller.policy.lease_duration_s


@pytest.mark.parametrize("how", [Reach.BLACK_HOLE, Reach.REFUSED])
def test_the_leader_goes_on_while_nobody_reaches_the_api(how: Reach) -> None:
    """In the same term, and the gateway never shuts."""
    cluster, leader, _ = whole()
    since_s = leader.elector.mine.since_s
    cluster.api.down(how=how)
    for _ in range(60):
        cluster.world.run(1)
        assert _leading(cluster) == [leader.name]
        assert leader.gateway.permit is not None
    cluster.api.up()
    cluster.world.run(20)
    assert _leading(cluster) == [leader.name]
    assert leader.elector.mine.since_s == since_s


def test_a_leader_whose_peer_is_out_of_reach_closes_in_time() -> None:
    """Its term ends with its lease, and nobody leads before the API is back."""
    cluster, leader, other = whole()
    cluster.net.cut(leader.name, other.name)
    cluster.api.down()
    cluster.world.run(_lease_s(leader) + 0.1)
    assert _leading(cluster) == []
    assert leader.gateway.permit is None
    cluster.world.run(30)
    assert _leading(cluster) == []
    cluster.api.up()
    cluster.world.run(2 * _lease_s(leader))
    assert len(_leading(cluster)) == 1


def test_a_leader_that_alone_lost_the_api_is_followed() -> None:
    """Whoever can reach it promises nothing: it leads instead, and can act."""
    cluster, leader, other = whole()
    cluster.api.down(leader.name)
    cluster.world.run(2 * _lease_s(leader) + 3)
    assert _leading(cluster) == [other.name]


@pytest.mark.slow
def test_no_term_goes_on_for_ever() -> None:
    """After a quarter of an hour it ends: whoever is in no list counts on that."""
    cluster, leader, _ = whole()
    cluster.api.down()
    cluster.world.run_until(lambda: not _leading(cluster), 1000)
    assert 895 < cluster.now < 930
    assert leader.gateway.permit is None


def _befall(cluster: Cluster, controllers: list[Controller], dice: random.Random) -> None:
    """Let something happen to the API, the link between the two, or one of them."""
    who, (one, other) = dice.choice(controllers), [controller.name for controller in controllers]
    match dice.randrange(6):
        case 0:
            cluster.api.down(dice.choice([None, one, other]), how=dice.choice([Reach.BLACK_HOLE, Reach.REFUSED]))
        case 1:
            cluster.api.up()
        case 2:
            cluster.net.cut(one, other, both=dice.random() < 0.5)
        case 3:
            cluster.net.heal(one, other)
        case 4:
            (who.resume if who.paused else who.pause)()
        case _:
            (who.crash if who.alive else who.start)()


@pytest.mark.parametrize("seed", range(6))
def test_never_two_lead(seed: int) -> None:
    """Whatever becomes of the API, of the links and of the controllers; and afterwards one leads."""
    dice = random.Random(seed)
    cluster, *controllers = whole()
    for _ in range(40):
        _befall(cluster, controllers, dice)
        for _ in range(dice.randrange(1, 30)):
            cluster.world.run(0.2)
            assert len(_leading(cluster)) <= 1
    cluster.api.up()
    cluster.net.heal()
    for controller in controllers:
        (controller.resume if controller.alive else controller.start)()
    cluster.world.run(4 * _lease_s(controllers[0]))
    assert len(_leading(cluster)) == 1

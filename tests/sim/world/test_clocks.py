"""Clocks of their own, TILT, the election, and what happens at the n-th command."""

import pytest

from memgraph_ha.core.commands import Command
from memgraph_ha.core.holds import Hold
from memgraph_ha.fakes.memgraph.virtual import World
from memgraph_ha.sim.world.clock import WALL_EPOCH_S, Clock
from memgraph_ha.sim.world.trap import Trap
from tests.sim.world.setting import M0, M1, whole


def test_a_clock_jumps_drifts_and_never_goes_back() -> None:
    """Timers count its own seconds; a jump moves none of them."""
    world, came = World(1), list[float]()
    clock = Clock(world)
    clock.run_at(2.0)
    clock.after(4.0, lambda: came.append(world.now))
    world.run(3)
    assert (clock.now_s, came) == (6.0, [2.0])
    clock.jump(10)
    clock.jump(-100)
    assert clock.now_s == 16.0
    clock.heal()
    world.run(1)
    assert clock.now_s == 17.0


def test_the_wall_clock_is_another_one() -> None:
    """Somebody sets it; the monotonic one does not care."""
    world = World(1)
    clock = Clock(world)
    clock.wall_offset_s -= 600
    world.run(1)
    assert (clock.now_s, clock.wall_s) == (1.0, WALL_EPOCH_S + 1 - 600)


def test_a_jump_of_a_leaders_clock_makes_it_only_look() -> None:
    """TILT: a gap in its own time; it acts again after a round."""
    cluster, leader, _ = whole()
    leader.clock.jump(3)
    cluster.world.run(2)
    assert Hold.TILT in leader.holds
    assert leader.decision is not None
    assert leader.decision.hold is None


def test_a_leader_whose_clock_runs_ahead_lets_its_term_end_early() -> None:
    """Its own deadline, on its own clock: never later than the others believe."""
    cluster, leader, other = whole()
    leader.blind = True
    leader.clock.run_at(1.5)
    began_s = cluster.now
    cluster.world.run_until(lambda: leader.elector.left_s == 0, 20)
    ended_s = cluster.now - began_s
    cluster.world.run_until(lambda: other.leads, 20)
    assert ended_s < cluster.now - began_s
    assert cluster.gates[leader.name] is None


def test_a_dead_leaders_lease_is_waited_for_and_a_released_one_is_not() -> None:
    """SIGKILL: a whole lease; SIGTERM: at once."""
    cluster, leader, other = whole()
    leader.stop()
    began_s = cluster.now
    cluster.world.run_until(lambda: other.leads, 20)
    assert cluster.now - began_s < 1
    leader.start()
    other.crash()
    began_s = cluster.now
    cluster.world.run_until(lambda: leader.leads, 30)
    assert cluster.now - began_s > other.policy.lease_duration_s - other.policy.lease_renew_s - 0.5


def test_a_removed_lease_is_an_unclean_term_and_a_stolen_one_ends_the_holders() -> None:
    """Whoever takes a lease that somebody removed waits before it begins a reign."""
    cluster, leader, other = whole()
    cluster.hands.steal_lease()
    cluster.world.run_until(lambda: not leader.elector.mine.leading, 5)
    cluster.world.run(0.01)
    assert cluster.gates[leader.name] is None
    cluster.world.run_until(lambda: leader.leads or other.leads, 20)
    new = leader if leader.leads else other
    cluster.world.run(1)
    old = other if new is leader else leader
    new.blind = True
    cluster.hands.delete_lease()
    cluster.world.run_until(lambda: old.elector.mine.leading, 5)
    assert not old.elector.mine.clean


def test_a_paused_controller_keeps_what_comes_and_tilts_when_it_goes_on() -> None:
    """Facts wait in its buffers; its first act is to look at its clock."""
    cluster, leader, _ = whole()
    leader.pause()
    asked_s = leader.observed.seen[0].role
    cluster.world.run(3)
    assert leader.observed.seen[0].role == asked_s
    leader.resume()
    assert leader.observed.gap_at_s == leader.now_s
    cluster.world.run(0.5)
    assert leader.observed.seen[0].role != asked_s


@pytest.mark.parametrize(
    ("kind", "nth", "when"), [("Promote", 1, "before"), ("Promote", 1, "after"), (None, 3, "before")]
)
def test_a_trap_springs_once_at_its_command(kind: str | None, nth: int, when: str) -> None:
    """Before it is sent, or after its end was filed."""
    cluster, leader, _ = whole()
    met: list[Command] = []

    def act(command: Command) -> None:
        met.append(command)
        leader.crash()

    leader.trap(Trap(act=act, kind=kind, nth=nth, when="before" if when == "before" else "after"))
    cluster.keep_down(M0)
    cluster.world.run(5)
    assert not leader.alive
    assert len(met) == 1
    assert kind in (None, type(met[0]).__name__)
    assert kind is None or cluster.world[M1].is_main is (when == "after")


def test_a_new_generation_is_in_the_lease_at_once() -> None:
    """Whoever leads next knows that there was a record, though it is deleted before the next renewal."""
    cluster, leader, _ = whole()
    assert cluster.lease.floor == cluster.store.history[-1].generation
    assert leader.elector.mine.floor_generation == cluster.lease.floor

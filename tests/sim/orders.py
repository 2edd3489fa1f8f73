"""What people ask for, and what is repaired without them: scenarios of the whole life of a cluster."""

from __future__ import annotations

import itertools
from typing import Final

from attrs import evolve

from memgraph_ha.core import Ask
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.policy import AutoReinit
from memgraph_ha.core.record import ChangeKind
from memgraph_ha.fakes.memgraph.rpc import FinalizeCommit
from memgraph_ha.sim.checks.violation import ViolationError
from memgraph_ha.sim.world.cluster import Cluster
from memgraph_ha.sim.world.controller import Controller
from tests.sim.faults import M0, M1, M2, POLICY, REQUIRED, Scenario, leader_of, main_of


def expect(what: bool, text: str) -> None:
    """Demand that something came about.

    Raises:
        ViolationError: It did not.
    """
    if not what:
        raise ViolationError(f"L5: {text}")


def ordered(controllers: list[Controller], ask: Ask, instance: InstanceName | None, within_s: float = 10.0) -> str:
    """Ask the leader, and wait for a good end.

    Raises:
        ViolationError: It was refused, or did not end in time.
    """
    leader = leader_of(controllers)
    leader.ask(ask, instance, within_s)
    count = len(leader.answers)
    leader.cluster.world.run_until(lambda: len(leader.answers) > count, within_s + 1)
    expect(leader.answers[-1].ok, f"{ask.value} {instance}: {leader.answers[-1].text}")
    return leader.answers[-1].text


def refused(controllers: list[Controller], ask: Ask, instance: InstanceName | None) -> str:
    """Ask the leader, and expect that it says no at once.

    Raises:
        ViolationError: It took it up.
    """
    leader = leader_of(controllers)
    count = len(leader.answers)
    leader.ask(ask, instance, 10.0)
    leader.cluster.world.run(1)
    said = len(leader.answers) > count and not leader.answers[-1].ok
    expect(said, f"{ask.value} {instance} is refused")
    return leader.answers[-1].text


def says(controllers: list[Controller], hold: Hold, within_s: float = 4.0) -> None:
    """Wait until the leader waits for that, by name.

    Raises:
        ViolationError: It does not.
    """
    leader = leader_of(controllers)
    try:
        leader.cluster.world.run_until(lambda: leader.decision is not None and leader.decision.hold is hold, within_s)
    except TimeoutError:
        raise ViolationError(f"L4: nobody says {hold.word}: {leader.doing}") from None


def kinds(cluster: Cluster) -> list[ChangeKind]:
    """How the reigns began, oldest first."""
    return [change.kind for change in cluster.store.history[-1].history]


def switched(cluster: Cluster, controllers: list[Controller]) -> None:
    """C2: there and back, under writers."""
    for target in (M1, M0, M1):
        began_s = cluster.now
        ordered(controllers, Ask.SWITCHOVER, target)
        expect(main_of(cluster) == target, f"{target} reigns")
        pause_s = max(gaps(cluster, began_s))
        expect(pause_s < 1.5, f"the pause was {pause_s:.2f} s")
        cluster.world.run(6)
    expect(kinds(cluster)[-3:] == [ChangeKind.SWITCHOVER] * 3, "three switchovers, nothing else")


def gaps(cluster: Cluster, since_s: float) -> list[float]:
    """How long nothing was acknowledged, again and again, seconds."""
    times = [since_s, *(ack.at_s for ack in cluster.acks if ack.at_s >= since_s), cluster.now]
    return [later - earlier for earlier, later in itertools.pairwise(times)]


def switchover_given_up(cluster: Cluster, controllers: list[Controller]) -> None:
    """C2: the target dies in the middle: MAIN goes on."""
    leader = leader_of(controllers)
    leader.ask(Ask.SWITCHOVER, M1, 20)
    cluster.world.run_until(lambda: bool(cluster.quiet), 5)
    cluster.keep_down(M1)
    cluster.world.run(15)
    expect(not leader.answers[-1].ok, "the switchover is given up")
    cluster.let_up(M1)
    cluster.world.run(10)
    expect(main_of(cluster) == M0, "m0 goes on, also when m1 is back")


def switchover_loses_its_leader(cluster: Cluster, controllers: list[Controller]) -> None:
    """D1: the leader dies in the middle of a switchover; the next one ends it or gives it up."""
    leader = leader_of(controllers)
    leader.ask(Ask.SWITCHOVER, M1, 20)
    cluster.world.run_until(lambda: bool(cluster.quiet), 5)
    leader.crash()
    cluster.world.run(40)


def main_stops(cluster: Cluster, controllers: list[Controller]) -> None:
    """C3: MAIN's stop is announced: the reign moves first, then it may stop."""
    ordered(controllers, Ask.STOP, M0, 30)
    expect(main_of(cluster) == M1, "m1 reigns before m0 stops")
    cluster.kill(M0)
    cluster.world.run(5)
    expect(kinds(cluster)[-1] is ChangeKind.SWITCHOVER, "no failover followed")


def standby_stops(cluster: Cluster, controllers: list[Controller]) -> None:
    """C3: the standby's stop is announced: its name and row go first, and no write waits for it."""
    ordered(controllers, Ask.STOP, M1, 30)
    began_s = cluster.now
    cluster.keep_down(M1)
    cluster.world.run(4)
    expect(max(gaps(cluster, began_s)) < 1, "writes go on")


def restarted(cluster: Cluster, controllers: list[Controller]) -> None:
    """C4: each instance is restarted by order."""
    for name in (M2, M1, M0):
        ordered(controllers, Ask.RESTART, name, 60)
        cluster.world.run(15)
    expect(not any(kind.unplanned for kind in kinds(cluster)), "no failover")


def paused(cluster: Cluster, controllers: list[Controller]) -> None:
    """Nobody takes over while an operator paused the cluster; afterwards somebody does."""
    ordered(controllers, Ask.PAUSE, None)
    began = cluster.store.history[-1].generation
    cluster.keep_down(M0)
    cluster.world.run(20)
    expect(cluster.store.history[-1].generation == began, "nothing is done while paused")
    ordered(controllers, Ask.RESUME, None)
    cluster.let_up(M0)
    cluster.world.run(10)


def paused_leader_changes(cluster: Cluster, controllers: list[Controller]) -> None:
    """A new leader opens the gateways of a paused cluster, and does nothing else."""
    ordered(controllers, Ask.PAUSE, None)
    leader_of(controllers).crash()
    cluster.world.run(25)
    began_s = cluster.now
    cluster.world.run(5)
    expect(max(gaps(cluster, began_s)) < 1, "writes go on")
    ordered(controllers, Ask.RESUME, None)
    cluster.world.run(5)


def wiped_async(cluster: Cluster, _controllers: list[Controller]) -> None:
    """G4: an ASYNC replica loses its volume: its row is dropped in a quiet moment, and it is filled anew."""
    cluster.wipe(M2)
    cluster.world.run(60)
    expect(cluster.world[M2].database_uuid == cluster.store.history[-1].database_uuid, "m2 is filled again")


def diverged(cluster: Cluster, _controllers: list[Controller]) -> None:
    """F2: the old MAIN comes back with a commit that nobody acknowledged: it is rebuilt by itself."""
    diverge(cluster)
    cluster.world.run(50)


def diverge(cluster: Cluster) -> None:
    """Let MAIN die right after it decided a commit and before it told anybody (1 of 120, transcripts Q9)."""

    def die(_source: str, target: str, request: object) -> bool:
        decided = target == M1 and isinstance(request, FinalizeCommit)
        if decided:
            cluster.world.at(0.0, lambda: cluster.keep_down(M0))
        return decided

    cluster.world.lose = die
    cluster.world.run_until(lambda: not cluster.up(M0), 5)
    cluster.world.lose = lambda _source, _target, _request: False
    cluster.world.run(8)
    expect(main_of(cluster) == M1, "m1 follows")
    cluster.let_up(M0)
    cluster.world.run(2)


def diverged_and_waits(cluster: Cluster, controllers: list[Controller]) -> None:
    """F2: policy `auto_reinit = never`: it waits for `reinit`."""
    diverge(cluster)
    cluster.world.run(30)
    expect(cluster.store.history[-1].standby is None, "nobody rebuilt it")
    ordered(controllers, Ask.REINIT, M0)
    cluster.world.run(40)


def reinit_standby(cluster: Cluster, controllers: list[Controller]) -> None:
    """An operator gives up what the healthy standby holds."""
    cluster.slow[M1] = 0.6
    ordered(controllers, Ask.REINIT, M1)
    cluster.world.run(3)
    expect(bool(cluster.rebuilds), "it is rebuilt at once")
    cluster.world.run(30)
    expect(len(cluster.rebuilds) == 1, "it is rebuilt once")


def forced(cluster: Cluster, controllers: list[Controller]) -> None:
    """B6: MAIN is gone for good, its standby may lack the last write, and a human accepts that."""
    cluster.world.run(2)
    cluster.keep_down(M1)
    cluster.world.run(10)
    cluster.keep_down(M0)
    cluster.let_up(M1)
    cluster.world.run(5)
    ordered(controllers, Ask.FAILOVER, M1, 20)
    expect(kinds(cluster)[-1] is ChangeKind.FORCED, "a forced reign")
    expect(bool(cluster.ledger.forgiven), "something was given up")
    cluster.world.run(5)
    cluster.let_up(M0)
    expect(kinds(cluster).count(ChangeKind.FORCED) == 1, "one forced reign")
    for name in (M0, M2):  # both may hold what m1 lacks: a human gives that up
        cluster.world.run(10)
        expect(not cluster.rebuilds or cluster.rebuilds[-1][1] != name, f"{name} is not rebuilt by itself")
        ordered(controllers, Ask.REINIT, name)
        cluster.world.run(15)


def break_glass(cluster: Cluster, controllers: list[Controller]) -> None:
    """J5: no controller is there, MAIN dies, a human promotes the standby, writes to it, and the controllers return."""
    for controller in controllers:
        controller.crash()
    cluster.world.run(1)
    cluster.keep_down(M0)
    cluster.world.run(2)
    cluster.world.ask(M1, "SET REPLICATION ROLE TO MAIN")
    cluster.world.ask(M1, "CREATE (:ByHand)")
    for controller in controllers:
        controller.start()
    cluster.world.run(25)
    expect(main_of(cluster) == M1, "the human's choice stands")
    expect(kinds(cluster)[-1] is ChangeKind.ADOPT, "it is recorded as adopted")
    cluster.let_up(M0)
    cluster.world.run(40)


def adopted_by_order(cluster: Cluster, controllers: list[Controller]) -> None:
    """J5: the standby restarted before the human promoted it: the controllers ask whose data counts."""
    for controller in controllers:
        controller.crash()
    cluster.keep_down(M0)
    cluster.world.run(1)
    cluster.kill(M1)
    cluster.world.run(3)
    cluster.world.ask(M1, "SET REPLICATION ROLE TO MAIN")
    for controller in controllers:
        controller.start()
    cluster.world.run(25)
    expect(cluster.world[M1].is_main, "nobody demoted it")
    ordered(controllers, Ask.ADOPT, M1, 20)
    cluster.let_up(M0)
    cluster.world.run(30)


def frozen_main_alone(cluster: Cluster, _controllers: list[Controller]) -> None:
    """A3: MAIN hangs for good with nobody to follow it: it is restarted."""
    cluster.keep_down(M1)
    cluster.world.run(10)
    cluster.freeze(M0)
    cluster.world.run(90)


def far_behind(cluster: Cluster, _controllers: list[Controller]) -> None:
    """B7: the standby that returns is far behind: it catches up as ASYNC while writes go on."""
    cluster.world.run(4)
    cluster.weight = 10_000
    began_s = cluster.now
    cluster.wipe(M1)
    cluster.platform.stall_copies_to(M1)
    cluster.world.run(12)
    cluster.world.lose = lambda _source, _target, _request: False
    cluster.world.run(60)
    expect(max(gaps(cluster, began_s)) < 7, f"writes go on ({max(gaps(cluster, began_s)):.1f} s)")


LIFE: Final[dict[str, Scenario]] = {
    "C2 switchover": Scenario(faults=switched, says=(Hold.SWITCHING_OVER,)),
    "C2 switchover, required": Scenario(faults=switched, policy=REQUIRED),
    "C2 switchover given up": Scenario(faults=switchover_given_up),
    "D1 leader dies in a switchover": Scenario(faults=switchover_loses_its_leader),
    "C3 MAIN is about to be stopped": Scenario(faults=main_stops),
    "C3 standby is about to be stopped": Scenario(faults=standby_stops),
    "C4 restarts by order": Scenario(faults=restarted),
    "P1 paused": Scenario(faults=paused, says=(Hold.PAUSED,)),
    "P2 paused, the leader changes": Scenario(faults=paused_leader_changes),
    "G4 ASYNC replica's volume lost": Scenario(faults=wiped_async, says=(Hold.STALE_ROW,)),
    "F2 old MAIN diverged": Scenario(faults=diverged, says=(Hold.REBUILDING,)),
    "F2 old MAIN diverged, never rebuilt by itself": Scenario(
        faults=diverged_and_waits, says=(Hold.DIVERGED_REPLICA,), policy=evolve(POLICY, auto_reinit=AutoReinit.NEVER)
    ),
    "F4 standby given up": Scenario(faults=reinit_standby),
    "B6 forced failover": Scenario(faults=forced, says=(Hold.NO_SAFE_CANDIDATE, Hold.DIVERGED_REPLICA)),
    "J5 break-glass": Scenario(faults=break_glass),
    "J5 adopted by order": Scenario(faults=adopted_by_order, says=(Hold.RECORD_REGRESSED,)),
    "A3 MAIN hangs for good": Scenario(faults=frozen_main_alone),
    "B7 standby far behind": Scenario(faults=far_behind, says=(Hold.CATCHING_UP,)),
}

"""What goes wrong: the named scenarios of the catalogue."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from attrs import evolve, frozen

from memgraph_ha.core import DataDurability, Policy
from memgraph_ha.core.commands import Command, CommitNoop, Promote
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.known import BLOCKED_PAUSE_S
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record_json import dump_record
from memgraph_ha.fakes.memgraph.virtual_net import Reach
from memgraph_ha.sim.checks.violation import ViolationError
from memgraph_ha.sim.world.cluster import Cluster
from memgraph_ha.sim.world.controller import WIRE_S, Controller
from memgraph_ha.sim.world.ground import NAMES

Faults = Callable[[Cluster, list[Controller]], None]
M0, M1, M2 = NAMES

POLICY: Final = evolve(Policy(), failover_limit=1000, main_restart_limit=1000)
"""Without limits on reigns: random faults are many. The limits have scenarios of their own."""

REQUIRED: Final = evolve(POLICY, data_durability=DataDurability.REQUIRED)


def leader_of(controllers: list[Controller]) -> Controller:
    """Who holds the lease."""
    return next(controller for controller in controllers if controller.cluster.lease.holder == controller.name)


def main_of(cluster: Cluster) -> InstanceName:
    """Who reigns by the record."""
    return cluster.store.history[-1].main


# --- MAIN


def crash_main(cluster: Cluster, _controllers: list[Controller]) -> None:
    """A1, A5b: MAIN dies and stays dead."""
    cluster.keep_down(M0)
    cluster.world.run(10)


def restart_main(cluster: Cluster, _controllers: list[Controller]) -> None:
    """A1, J1: another process answers at MAIN's address before anybody looked."""
    cluster.kill(M0)
    cluster.restart(M0)
    cluster.world.run(10)


def hang_main(cluster: Cluster, _controllers: list[Controller]) -> None:
    """A3: MAIN hangs for a minute."""
    cluster.freeze(M0)
    cluster.world.run(60)


def hang_main_shortly(cluster: Cluster, _controllers: list[Controller]) -> None:
    """A3: MAIN goes on just when its successor begins."""
    for wait_s in (2.2, 2.5, 2.8, 3.1):
        name = main_of(cluster)
        cluster.freeze(name)
        cluster.world.run(wait_s)
        cluster.thaw(name)
        cluster.world.run(15)


def old_main_returns(cluster: Cluster, _controllers: list[Controller]) -> None:
    """F1: the old MAIN hangs, is killed and comes back."""
    cluster.freeze(M0)
    cluster.world.run(1)
    cluster.thaw(M0)
    cluster.kill(M0)
    cluster.world.run(30)


def old_main_finds_async(cluster: Cluster, _controllers: list[Controller]) -> None:
    """F3: an ASYNC replica that could not be fenced, and the old MAIN it still obeys."""
    cluster.freeze(M2)
    cluster.world.run(0.5)
    cluster.freeze(M0)
    cluster.world.run(8)
    cluster.thaw(M2)
    cluster.world.run(5)


# --- replicas


def standby_away(cluster: Cluster, _controllers: list[Controller]) -> None:
    """B1: the standby is away for a while."""
    cluster.keep_down(M1)
    cluster.world.run(20)


def standby_then_main(cluster: Cluster, _controllers: list[Controller]) -> None:
    """B2: the standby dies, MAIN dies, the standby returns alone: it may lack the last write."""
    cluster.keep_down(M1)
    cluster.world.run(1)
    cluster.keep_down(M0)
    cluster.world.run(10)
    cluster.let_up(M1)
    cluster.world.run(20)


def standby_restarts_then_main(cluster: Cluster, _controllers: list[Controller]) -> None:
    """B2: the standby restarts at once and MAIN dies before it is proven again."""
    cluster.kill(M1)
    cluster.restart(M1)
    cluster.world.run(0.45)
    cluster.keep_down(M0)
    cluster.world.run(10)


def standby_hangs(cluster: Cluster, _controllers: list[Controller]) -> None:
    """B4: the standby hangs, which stalls every commit."""
    cluster.freeze(M1)
    cluster.world.run(20)


def async_down(cluster: Cluster, _controllers: list[Controller]) -> None:
    """B5: the ASYNC replica is down when MAIN dies."""
    cluster.keep_down(M2)
    cluster.world.run(5)
    cluster.keep_down(M0)
    cluster.world.run(10)


def successor_dies(cluster: Cluster, controllers: list[Controller]) -> None:
    """B3: the chosen one dies before its reign opens; only the old MAIN comes back."""

    def die(command: Command) -> None:
        if isinstance(command, Promote) and command.instance == M1:
            cluster.keep_down(M1)

    for controller in controllers:
        controller.before = die
    cluster.keep_down(M0)
    cluster.world.run(5)
    cluster.let_up(M0)
    cluster.world.run(15)


def standby_dies_in_proof(cluster: Cluster, controllers: list[Controller]) -> None:
    """B1: a standby that comes back dies again between its registration and its name."""

    def die(command: Command) -> None:
        record = cluster.store.read()[0]
        if isinstance(command, CommitNoop) and command.standby and record is not None and record.unprotected:
            cluster.keep_down(M1)

    cluster.keep_down(M1)
    cluster.world.run(8)
    for controller in controllers:
        controller.before = die
    cluster.let_up(M1)
    cluster.world.run(15)


def cut_pair(cluster: Cluster, _controllers: list[Controller]) -> None:
    """C2: MAIN and standby cannot reach each other, the controllers both: a Prepare is given up after 30 s (Q4)."""
    cluster.world.cut(M0, M1)
    cluster.world.run(75)


def refused_pair(cluster: Cluster, _controllers: list[Controller]) -> None:
    """H7: the standby refuses MAIN's connections, so each REGISTER leaves a half row."""
    cluster.world.run(BLOCKED_PAUSE_S)  # or it is not registered again so soon
    cluster.world.cut(M0, M1, Reach.REFUSED)
    cluster.world.run(25)


# --- controllers


def briefly_paused_leader(cluster: Cluster, controllers: list[Controller]) -> None:
    """D4: the leader stands still for less than its lease; MAIN dies meanwhile."""
    leader = leader_of(controllers)
    leader.pause()
    cluster.world.run(0.5)
    cluster.kill(M0)
    cluster.world.run(1.5)
    leader.resume()
    cluster.world.run(10)


def paused_leader(cluster: Cluster, controllers: list[Controller]) -> None:
    """D3: the leader stands still through a failover."""
    leader = leader_of(controllers)
    leader.pause()
    cluster.world.run(1)
    cluster.kill(M0)
    cluster.world.run(30)
    leader.resume()
    cluster.world.run(5)


def late_commands(cluster: Cluster, controllers: list[Controller]) -> None:
    """D2: what a leader sent lands after others have led, each command seconds late."""
    leader = leader_of(controllers)
    leader.late = lambda: 0.2 + cluster.random.random() * 14
    cluster.kill(M1)
    cluster.world.run(3)
    cluster.kill(M0)
    cluster.world.run(6)
    leader.pause()
    cluster.world.run(14)
    leader.resume()
    cluster.world.run(10)
    leader.late = lambda: WIRE_S


def blind_leader(cluster: Cluster, controllers: list[Controller]) -> None:
    """D4: the leader loses the store, and MAIN dies meanwhile."""
    leader = leader_of(controllers)
    leader.blind = True
    cluster.world.run(3)
    cluster.keep_down(M0)
    cluster.world.run(20)
    leader.blind = False


def two_leaders(cluster: Cluster, controllers: list[Controller]) -> None:
    """E4: the lease is removed by hand while its holder cannot see that, and MAIN hangs."""
    leader = leader_of(controllers)
    leader.blind = True
    cluster.lease.holder = None
    cluster.world.run(2)
    cluster.freeze(M0)
    cluster.world.run(20)
    leader.blind = False


# --- the record


def restored_record(cluster: Cluster, _controllers: list[Controller]) -> None:
    """E2: the record of an earlier reign is restored; nobody acts on it, and the newest helps."""
    old = dump_record(cluster.store.history[-1])
    cluster.keep_down(M0)
    cluster.world.run(8)
    newest, written = cluster.store.text, len(cluster.store.history)
    cluster.let_up(M0)
    cluster.world.run(0.05)
    cluster.store.put(old)
    cluster.world.run(5)
    if len(cluster.store.history) == written:
        cluster.store.put(str(newest))
    cluster.world.run(3)


def foreign_record(cluster: Cluster, _controllers: list[Controller]) -> None:
    """E3: somebody puts another cluster's record there, and MAIN dies."""
    ours, written = cluster.store.history[-1], len(cluster.store.history)
    cluster.store.put(dump_record(evolve(ours, cluster="other")))
    cluster.keep_down(M0)
    cluster.world.run(5)
    if len(cluster.store.history) == written:
        cluster.store.put(dump_record(ours))
    cluster.world.run(3)


# --- volumes and hands


def wiped_main(cluster: Cluster, _controllers: list[Controller]) -> None:
    """G1: MAIN's volume is lost."""
    cluster.wipe(M0)
    cluster.world.run(20)


def wiped_standby_then_main(cluster: Cluster, _controllers: list[Controller]) -> None:
    """G2: the standby's volume is lost, then MAIN dies."""
    cluster.wipe(M1)
    cluster.world.run(0.5)
    cluster.keep_down(M0)
    cluster.world.run(10)


def promoted_by_hand(cluster: Cluster, _controllers: list[Controller]) -> None:
    """H6: a human promotes the standby."""
    cluster.world.ask(M1, "SET REPLICATION ROLE TO MAIN")
    cluster.world.run(20)


def demoted_by_hand(cluster: Cluster, _controllers: list[Controller]) -> None:
    """H6: a human demotes MAIN."""
    cluster.world.send(M0, "SET REPLICATION ROLE TO REPLICA WITH PORT 10000")
    cluster.world.run(10)


def flapping(cluster: Cluster, _controllers: list[Controller]) -> None:
    """A7: MAIN dies again within the window: it is not worn down by endless promotions."""
    cluster.kill(M0)
    cluster.world.run(12)
    began = cluster.store.history[-1].generation
    cluster.keep_down(main_of(cluster))
    cluster.world.run(5)
    if cluster.store.history[-1].generation != began:
        raise ViolationError(f"S12: reign {began + 1} began although failover_limit is 1")
    cluster.world.run(20)


def adopted(cluster: Cluster) -> None:
    """G6: there is data before there is a record, on an instance that is MAIN."""
    cluster.world.ask(M0, "SET REPLICATION ROLE TO MAIN")
    cluster.world.ask(M0, "CREATE (:Old)")


def nothing(_cluster: Cluster) -> None:
    """A new cluster."""


@frozen(kw_only=True)
class Scenario:
    """A named history: what is there before, what goes wrong, under which policy, and what is expected meanwhile.

    Attributes:
        serves: Writes are acknowledged again while the fault lasts.
        says: What the controllers wait for at some time, by name.
        policy: The operator's choices.
        before: What is there before the controllers are.
        clients: How many write from the beginning.
    """

    faults: Faults
    serves: bool = True
    says: tuple[Hold, ...] = ()
    policy: Policy = POLICY
    before: Callable[[Cluster], None] = nothing
    clients: int = 3


SCENARIOS: Final[dict[str, Scenario]] = {
    "A1 MAIN crashes": Scenario(
        faults=crash_main, says=(Hold.RECORD_UNKNOWN, Hold.LOOKING, Hold.NOT_LEADING, Hold.UNPROTECTED)
    ),
    "A1 MAIN crashes, required": Scenario(
        faults=crash_main, serves=False, says=(Hold.WAITING_FOR_STANDBY,), policy=REQUIRED
    ),
    "A1 J1 MAIN is another process at once": Scenario(faults=restart_main),
    "A3 MAIN hangs": Scenario(faults=hang_main),
    "A3 MAIN hangs shortly": Scenario(faults=hang_main_shortly),
    "A7 flapping": Scenario(
        faults=flapping,
        serves=False,
        says=(Hold.FLAPPING,),
        policy=evolve(Policy(), failover_limit=1, failover_window_s=30),
    ),
    "B1 standby away": Scenario(faults=standby_away),
    "B1 standby away, required": Scenario(
        faults=standby_away, serves=False, says=(Hold.WAITING_FOR_STANDBY,), policy=REQUIRED
    ),
    "B1 standby dies while it is proven": Scenario(faults=standby_dies_in_proof),
    "B2 standby crashes, then MAIN": Scenario(faults=standby_then_main, serves=False, says=(Hold.NO_SAFE_CANDIDATE,)),
    "B2 standby restarts, then MAIN crashes": Scenario(faults=standby_restarts_then_main, serves=False),
    "B3 the successor dies before it reigns": Scenario(faults=successor_dies, says=(Hold.BACKING_OFF,)),
    "B4 standby hangs": Scenario(faults=standby_hangs),
    "B5 ASYNC down at failover": Scenario(faults=async_down, says=(Hold.REPLICA_MISSING,)),
    "C2 MAIN and standby cut off": Scenario(faults=cut_pair),
    "H7 standby refuses MAIN": Scenario(faults=refused_pair),
    "D2 late commands": Scenario(faults=late_commands),
    "D3 leader paused through a failover": Scenario(faults=paused_leader),
    "D4 leader stands still for a moment": Scenario(faults=briefly_paused_leader, says=(Hold.TILT,)),
    "D4 leader cannot reach the store": Scenario(faults=blind_leader, says=(Hold.LEASE_ENDING,)),
    "E2 record restored": Scenario(faults=restored_record, serves=False, says=(Hold.RECORD_REGRESSED,)),
    "E3 another cluster's record": Scenario(faults=foreign_record, serves=False, says=(Hold.RECORD_FOREIGN,)),
    "E4 two leaders": Scenario(faults=two_leaders, says=(Hold.UNCLEAN_LEASE,)),
    "F1 old MAIN returns": Scenario(faults=old_main_returns),
    "F3 old MAIN finds its ASYNC replica": Scenario(faults=old_main_finds_async),
    "G1 MAIN's volume lost": Scenario(faults=wiped_main),
    "G2 standby's volume lost, then MAIN": Scenario(faults=wiped_standby_then_main, serves=False),
    "G6 adopted": Scenario(faults=crash_main, says=(Hold.AMBIGUOUS_BOOTSTRAP,), before=adopted),
    "H6 standby promoted by hand": Scenario(faults=promoted_by_hand),
    "H6 MAIN demoted by hand": Scenario(faults=demoted_by_hand),
}

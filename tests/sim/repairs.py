"""What breaks an instance's data or a row for good, and how it is repaired or left to a human."""

from __future__ import annotations

from typing import Final

from memgraph_ha.core import Ask
from memgraph_ha.core.holds import Hold
from memgraph_ha.sim.checks.safety import check_holds_all
from memgraph_ha.sim.world.cluster import Cluster
from memgraph_ha.sim.world.controller import Controller
from tests.sim.faults import M0, M1, M2, POLICY, REQUIRED, Scenario, leader_of, main_of
from tests.sim.hands import TO_MAIN, TO_REPLICA
from tests.sim.orders import diverge, expect, gaps, ordered, says

IMPORTED: Final = 100
"""How many vertices an import in analytical mode creates."""


# --- analytical mode


def _import(cluster: Cluster, controllers: list[Controller]) -> None:
    """Import in analytical mode, which writes no log and replicates nothing (transcripts Q21)."""
    main = main_of(cluster)
    cluster.world.ask(main, "STORAGE MODE IN_MEMORY_ANALYTICAL")
    cluster.hands.write(main, IMPORTED)
    says(controllers, Hold.ANALYTICAL_MODE)
    cluster.world.run(3)
    cluster.world.ask(main, "STORAGE MODE IN_MEMORY_TRANSACTIONAL")


def _reset_replicas(cluster: Cluster, controllers: list[Controller]) -> None:
    """The runbook: without writers, make a snapshot of MAIN and recover it, which resets the attached replicas."""
    cluster.calm = True
    cluster.world.run(1)
    cluster.world.ask(main_of(cluster), "CREATE SNAPSHOT")
    cluster.hands.recover_snapshot(main_of(cluster))
    cluster.world.run(3)
    cluster.calm = False
    for _ in range(3):  # who was detached then is rebuilt by order
        cluster.world.run(15)
        record = cluster.store.history[-1]
        for name in sorted(record.rebuild):
            ordered(controllers, Ask.REINIT, name)


def imported_fresh(cluster: Cluster, controllers: list[Controller]) -> None:
    """H2: the first thing done with a new cluster is an import in analytical mode: every replica is empty."""
    _import(cluster, controllers)
    cluster.start_clients(3, 0.15)
    cluster.world.run(20)
    _is_safe(cluster)
    _reset_replicas(cluster, controllers)


def imported_later(cluster: Cluster, controllers: list[Controller]) -> None:
    """H2: an import in analytical mode while MAIN's log reaches back: to replay it is not enough."""
    cluster.world.run(3)
    _import(cluster, controllers)
    cluster.world.ask(main_of(cluster), "CREATE SNAPSHOT")
    cluster.world.run(40)
    _is_safe(cluster)
    _reset_replicas(cluster, controllers)


def _is_safe(cluster: Cluster) -> None:
    """Whoever is named holds the import."""
    record = cluster.store.history[-1]
    named = record.standby
    whole = named is None or cluster.ledger.by_hand <= cluster.ids(named.instance)
    expect(whole, f"{named} is named and lacks the import")
    check_holds_all(cluster, record.main, "S1: after an import")


def imported_serving(cluster: Cluster, controllers: list[Controller]) -> None:
    """H2: writes go on at once while MAIN is in analytical mode, and the hold says which mode it is."""
    began_s = cluster.now
    cluster.world.ask(M0, "STORAGE MODE IN_MEMORY_ANALYTICAL")
    says(controllers, Hold.ANALYTICAL_MODE, 1.5)
    cluster.world.run(10)
    expect(max(gaps(cluster, began_s)) < 2.5, f"writes go on ({max(gaps(cluster, began_s)):.1f} s)")
    cluster.world.ask(M0, "STORAGE MODE IN_MEMORY_TRANSACTIONAL")
    cluster.world.run(2)
    _reset_replicas(cluster, controllers)


# --- volumes that are older than they should be


def rolled_back(cluster: Cluster, controllers: list[Controller]) -> None:
    """G8: both restart, and MAIN's volume is yesterday's: its standby is the last to hold what was acknowledged."""
    image = cluster.image(M0)
    cluster.world.run(5)
    cluster.roll_back(M0, image)
    cluster.kill(M1)
    cluster.world.run(3)
    acked = len(cluster.acks)
    cluster.world.run(20)
    says(controllers, Hold.MAIN_LOST_DATA)
    expect(not cluster.rebuilds, "nobody was rebuilt")
    expect(len(cluster.acks) == acked, "nothing is acknowledged meanwhile")
    _follow_m1(cluster, controllers)


def rolled_back_alone(cluster: Cluster, controllers: list[Controller]) -> None:
    """G8: MAIN's volume is yesterday's, its standby is down: the ASYNC replica shows it."""
    image = cluster.image(M0)
    cluster.world.run(5)
    cluster.keep_down(M1)
    cluster.roll_back(M0, image)
    cluster.world.run(20)
    says(controllers, Hold.MAIN_LOST_DATA)
    expect(not cluster.rebuilds, "nobody was rebuilt")
    cluster.let_up(M1)
    cluster.world.run(3)
    _follow_m1(cluster, controllers)


def _follow_m1(cluster: Cluster, controllers: list[Controller]) -> None:
    given_up = len(cluster.ledger.forgiven)
    ordered(controllers, Ask.FAILOVER, M1, 20)
    expect(len(cluster.ledger.forgiven) == given_up, "m1 holds everything")
    cluster.world.run(5)
    for name in (M0, M2):
        ordered(controllers, Ask.REINIT, name)
        cluster.world.run(20)


def full_disk(cluster: Cluster, _controllers: list[Controller]) -> None:
    """H3: MAIN's disk takes nothing any more: its proven standby takes over."""
    cluster.world.hosts[M0].disk_full = True
    cluster.world.run(60)
    expect(main_of(cluster) == M1, "m1 reigns")


# --- rows that never get healthy


def emptied_elsewhere(cluster: Cluster, _controllers: list[Controller]) -> None:
    """The standby's volume comes from another cluster: it is empty, but not new: REGISTER leaves it `invalid`."""
    cluster.keep_down(M1)
    cluster.world.run(3)
    cluster.world.hosts[M1].disk.wipe()
    cluster.let_up(M1)
    cluster.world.run_until(lambda: cluster.answers(M1), 5)
    for query in (TO_MAIN, "CREATE (:X)", "MATCH (x:X) DELETE x", TO_REPLICA):
        cluster.world.ask(M1, query)
    began_s = cluster.now
    cluster.world.run(60)
    expect(max(gaps(cluster, began_s)) < 8, f"writes go on ({max(gaps(cluster, began_s)):.1f} s)")


def endless_recovery(cluster: Cluster, _controllers: list[Controller]) -> None:
    """B7: the standby comes back with nothing, and copying everything to it does not end."""
    cluster.world.run(2)
    cluster.platform.stall_copies_to(M1)
    cluster.wipe(M1)
    cluster.world.run(20)


def endless_recovery_cut(cluster: Cluster, _controllers: list[Controller]) -> None:
    """B7: the same, and MAIN cannot be told that the standby's process ended: it is not killed again and again."""
    cluster.world.run(2)
    cluster.platform.stall_copies_to(M1)
    cluster.wipe(M1)
    cluster.world.run_until(lambda: any(r.state.value == "recovery" for r in cluster.world[M0].rows.values()), 20)
    cluster.world.run(0.1)
    cluster.world.cut(M0, M1)
    lives = cluster.lives[M1]
    cluster.world.run(25)
    expect(cluster.lives[M1] - lives <= 4, f"m1 was killed {cluster.lives[M1] - lives} times")


def rebuilt_in_vain(cluster: Cluster, controllers: list[Controller]) -> None:
    """F2: the platform says that it rebuilt a diverged instance and did not: there is no second copy aside."""
    cluster.platform.empties = False
    diverge(cluster)
    cluster.world.run(90)
    expect(1 <= len(cluster.rebuilds) <= 2, f"rebuilt {len(cluster.rebuilds)} times")
    says(controllers, Hold.REBUILD_NEEDED, 10)
    cluster.platform.empties = True
    ordered(controllers, Ask.REINIT, M0)
    cluster.world.run(90)


def diverged_required(cluster: Cluster, _controllers: list[Controller]) -> None:
    """F2: the old MAIN diverged, and writes wait for it: it is rebuilt."""
    diverge(cluster)
    cluster.world.run(50)


def reinit_required(cluster: Cluster, controllers: list[Controller]) -> None:
    """An operator gives up what the standby holds, and writes wait for it."""
    ordered(controllers, Ask.REINIT, M1)
    cluster.world.run(40)


def quiet_in_vain(cluster: Cluster, controllers: list[Controller]) -> None:
    """A row waits for a quiet moment while the standby hangs: clients are not held again and again."""
    cluster.wipe(M2)
    cluster.world.run(8)
    moments = [line for line in cluster.trace if line.endswith("gate quiet")]
    cluster.kill(M1)
    cluster.restart(M1)
    cluster.freeze(M1)
    cluster.world.run(40)
    held = len([line for line in cluster.trace if line.endswith("gate quiet")]) - len(moments)
    expect(held <= 3, f"clients were held {held} times within 40 s")
    expect(leader_of(controllers).alive, "the leader lives")


REPAIRS: Final[dict[str, Scenario]] = {
    "H2 import into a new cluster": Scenario(faults=imported_fresh, says=(Hold.ANALYTICAL_MODE,), clients=0),
    "H2 import while the log reaches back": Scenario(faults=imported_later, says=(Hold.ANALYTICAL_MODE,)),
    "H2 analytical mode, writes go on": Scenario(faults=imported_serving, says=(Hold.ANALYTICAL_MODE,)),
    "G8 MAIN rolled back": Scenario(faults=rolled_back, says=(Hold.MAIN_LOST_DATA,)),
    "G8 MAIN rolled back, standby down": Scenario(faults=rolled_back_alone, says=(Hold.MAIN_LOST_DATA,)),
    "H3 MAIN's disk is full": Scenario(faults=full_disk),
    "B7 standby of another cluster": Scenario(faults=emptied_elsewhere),
    "B7 recovery does not end": Scenario(faults=endless_recovery),
    "B7 recovery does not end, cut off": Scenario(faults=endless_recovery_cut, serves=False),
    "F2 rebuilt in vain": Scenario(faults=rebuilt_in_vain, says=(Hold.REBUILD_NEEDED,)),
    "F2 old MAIN diverged, required": Scenario(
        faults=diverged_required, says=(Hold.WAITING_FOR_STANDBY,), policy=REQUIRED
    ),
    "F4 standby given up, required": Scenario(faults=reinit_required, policy=REQUIRED),
    "Q1 a quiet moment in vain": Scenario(faults=quiet_in_vain, policy=POLICY),
}

"""What is restored after a promotion, and what an operator should know although writes do not wait for it."""

from __future__ import annotations

from typing import Final

from attrs import evolve

from memgraph_ha.core import Ask
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.policy import Triggers, Users
from memgraph_ha.core.quiet import QUIET_PAUSE_S
from memgraph_ha.sim.world.cluster import Cluster
from memgraph_ha.sim.world.controller import Controller
from memgraph_ha.sim.world.platform import PORT
from tests.sim.faults import M0, M1, M2, POLICY, Scenario, leader_of, main_of
from tests.sim.orders import expect, ordered, says

TRIGGER: Final = "CREATE TRIGGER seen ON () UPDATE BEFORE COMMIT EXECUTE CREATE (:Seen)"
RESTORES: Final = evolve(POLICY, users=Users.RESTORE, triggers=Triggers.RESTORE)
ELSEWHERE: Final = "backup"
"""A Memgraph that is no member."""


def restored(cluster: Cluster, _controllers: list[Controller]) -> None:
    """H8: the accounts and triggers that a promotion loses are there before writes come back."""
    cluster.world.ask(M0, TRIGGER)
    cluster.world.run(8)
    cluster.keep_down(M0)
    cluster.world.run(10)
    expect(main_of(cluster) == M1, "m1 reigns")
    expect([row[0] for row in cluster.world.ask(M1, "SHOW TRIGGERS")] == ["seen"], "the trigger is there")
    expect(["app"] in [row[:1] for row in cluster.world.ask(M1, "SHOW USERS")], "the account is there")


def triggers_missing(cluster: Cluster, controllers: list[Controller]) -> None:
    """H8: policy `triggers = report`: it is said which are missing, until somebody creates them."""
    cluster.world.ask(M0, TRIGGER)
    cluster.world.run(8)
    cluster.kill(M0)
    cluster.world.run(10)
    expect(main_of(cluster) == M1, "m1 reigns")
    says(controllers, Hold.TRIGGERS_MISSING, 10)
    cluster.world.ask(M1, TRIGGER)
    cluster.world.run(8)


def full_disk_alone(cluster: Cluster, controllers: list[Controller]) -> None:
    """H3: MAIN's disk takes nothing, and nobody may follow it: it is asked again, and serves when there is room."""
    cluster.keep_down(M1)
    cluster.world.run(10)
    cluster.world.hosts[M0].disk_full = True
    leader_of(controllers).crash()
    cluster.world.run(25)
    says(controllers, Hold.NOT_WRITABLE, 10)
    cluster.world.hosts[M0].disk_full = False
    cluster.world.run(10)


def deaf_replica(cluster: Cluster, controllers: list[Controller]) -> None:
    """F6: a replica answers but does not listen for replication any more: who never attached it restarts it."""
    lives, host = cluster.lives[M2], cluster.world.hosts[M2]
    host.server = None
    host.break_servers()
    leader_of(controllers).crash()
    cluster.world.run(65)
    expect(cluster.lives[M2] > lives, "it was restarted")


def member_left(cluster: Cluster, controllers: list[Controller]) -> None:
    """G6: an instance that was to be rebuilt leaves the cluster, and comes back with its old data."""
    cluster.keep_down(M2)
    ordered(controllers, Ask.REINIT, M2)
    cluster.leave(M2)
    cluster.world.run(3)
    expect(not cluster.store.history[-1].rebuild, "nobody waits for it")
    cluster.join(M2)
    cluster.let_up(M2)
    cluster.world.run(20)


def wrong_password(cluster: Cluster, controllers: list[Controller]) -> None:
    """H7: an instance refuses our password: it is not taken for dead."""
    cluster.locked.add(M0)
    cluster.locked.add(M2)
    cluster.world.run(5)
    says(controllers, Hold.UNAUTHORISED)
    expect(len(cluster.store.history[-1].history) == 1, "nobody took over")
    cluster.locked.clear()
    cluster.world.run(2)


def foreign_rows(cluster: Cluster, controllers: list[Controller]) -> None:
    """A human registers somebody who is no member: under a foreign name it stays, under one of ours it goes."""
    cluster.world.run(QUIET_PAUSE_S)  # clients were held when the standby was attached
    init = (f"SET REPLICATION ROLE TO REPLICA WITH PORT {PORT};",)
    cluster.world.start(ELSEWHERE, cluster.world.hosts[M0].settings, init)
    for _ in range(2):  # the second one has to wait until clients had some rest
        _by_hand(cluster, f'REGISTER REPLICA m2_9 ASYNC TO "{ELSEWHERE}:{PORT}"')
        cluster.world.run(5)
    says(controllers, Hold.STALE_ROW)
    cluster.world.run(35)
    _by_hand(cluster, f'REGISTER REPLICA theirs ASYNC TO "{ELSEWHERE}:{PORT}"')
    cluster.world.run(3)
    says(controllers, Hold.FOREIGN_ROW)
    _by_hand(cluster, "DROP REPLICA theirs")
    cluster.world.run(3)


def _by_hand(cluster: Cluster, query: str) -> None:
    """Ask MAIN while no client writes: it registers and drops rows by hand only then (transcripts Q7)."""
    cluster.calm = True
    cluster.world.run(1)
    cluster.world.ask(M0, query)
    cluster.calm = False


def badly_configured(cluster: Cluster, controllers: list[Controller]) -> None:
    """Instances of the wrong version, without WAL or without an init file are named."""
    for claim, hold in (
        ({"version": "3.5.0"}, Hold.UNSUPPORTED),
        ({"wal": False}, Hold.UNSUPPORTED),
        ({"init_file": ""}, Hold.INIT_FILE_MISSING),
    ):
        cluster.claims[M2] = claim
        cluster.world.run(1)
        says(controllers, hold)
        cluster.claims.clear()
        cluster.world.run(1)


NOTES: Final[dict[str, Scenario]] = {
    "H8 accounts and triggers": Scenario(faults=restored, policy=RESTORES),
    "H8 triggers missing": Scenario(faults=triggers_missing, says=(Hold.TRIGGERS_MISSING,)),
    "H3 MAIN's disk is full, nobody may follow": Scenario(faults=full_disk_alone, says=(Hold.NOT_WRITABLE,)),
    "F6 deaf replica": Scenario(faults=deaf_replica, says=(Hold.REPLICA_MISSING,)),
    "G6 a member leaves": Scenario(faults=member_left),
    "H7 wrong password": Scenario(faults=wrong_password, says=(Hold.UNAUTHORISED,), serves=False),
    "H7 foreign rows": Scenario(faults=foreign_rows, says=(Hold.STALE_ROW, Hold.FOREIGN_ROW)),
    "H7 badly configured": Scenario(faults=badly_configured, says=(Hold.UNSUPPORTED, Hold.INIT_FILE_MISSING)),
}

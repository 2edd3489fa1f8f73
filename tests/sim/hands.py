"""What people do by hand: break-glass, strays, restored records, pauses; and what is asked for in the middle of it."""

from __future__ import annotations

from collections.abc import Callable
from typing import Final

from memgraph_ha.core import Ask
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.record import ChangeKind
from memgraph_ha.sim.world.cluster import Cluster
from memgraph_ha.sim.world.controller import Controller
from memgraph_ha.sim.world.ground import NAMES
from tests.sim.faults import M0, M1, M2, Scenario, leader_of, main_of
from tests.sim.orders import expect, gaps, kinds, ordered, refused, says

TO_MAIN: Final = "SET REPLICATION ROLE TO MAIN"
SERVED_AGAIN_S: Final = 2.5
"""How long after taking the lease a leader may need until writes are acknowledged."""

TO_REPLICA: Final = "SET REPLICATION ROLE TO REPLICA WITH PORT 10000"


def _nobody_controls(cluster: Cluster, controllers: list[Controller]) -> None:
    for controller in controllers:
        controller.crash()
    cluster.world.run(1)


def _control_again(cluster: Cluster, controllers: list[Controller], seconds: float) -> None:
    for controller in controllers:
        controller.start()
    cluster.world.run(seconds)


# --- break-glass


def by_hand_data_known_late(cluster: Cluster, controllers: list[Controller]) -> None:
    """J5: the human's MAIN is busy and says late which data it holds; the old MAIN is back as REPLICA before."""
    _nobody_controls(cluster, controllers)
    cluster.kill(M0)
    cluster.world.ask(M1, TO_MAIN)
    cluster.hands.write(M1)
    cluster.slow[M1] = 1.5
    _control_again(cluster, controllers, 25)
    expect(main_of(cluster) == M1, "the human's choice stands")
    expect(kinds(cluster)[-1] is ChangeKind.ADOPT, "it is recorded as adopted")


def by_hand_old_main_unheard(cluster: Cluster, controllers: list[Controller]) -> None:
    """J5: the old MAIN has a process that has not answered yet when the controllers return."""
    _nobody_controls(cluster, controllers)
    cluster.keep_down(M0)
    cluster.world.ask(M1, TO_MAIN)
    cluster.hands.write(M1)
    cluster.world.run(1)
    cluster.let_up(M0)
    cluster.freeze(M0)
    _control_again(cluster, controllers, 20)
    expect(main_of(cluster) == M1, "the human's choice stands")
    cluster.thaw(M0)
    cluster.world.run(15)


def by_hand_standby_unheard(cluster: Cluster, controllers: list[Controller]) -> None:
    """J5: the human's MAIN, still named, answers its first probes late; the old MAIN is back as REPLICA and quick."""
    _nobody_controls(cluster, controllers)
    cluster.keep_down(M0)
    cluster.world.ask(M1, TO_MAIN)
    cluster.hands.write(M1)
    cluster.let_up(M0)
    cluster.world.run(1)
    cluster.lease.holder = None  # released long ago: the first one that comes leads at once
    cluster.freeze(M1)
    _control_again(cluster, controllers, 1)  # one or two probes of m1 are missed, too few for a verdict
    cluster.thaw(M1)
    cluster.world.run(15)
    expect(main_of(cluster) == M1, "the human's choice stands")


def by_hand_nobody_named(cluster: Cluster, controllers: list[Controller]) -> None:
    """J5: the standby restarted before it was promoted, and says late which data it holds; the old MAIN is back."""
    _nobody_controls(cluster, controllers)
    cluster.keep_down(M0)
    cluster.kill(M1)
    cluster.world.run(2)
    cluster.world.ask(M1, TO_MAIN)
    cluster.hands.write(M1)
    cluster.let_up(M0)
    cluster.slow[M1] = 1.5
    _control_again(cluster, controllers, 25)
    expect(cluster.world[M1].is_main, "nobody demoted it")
    cluster.slow.clear()
    cluster.world.run(3)
    ordered(controllers, Ask.ADOPT, M1, 20)
    cluster.world.run(5)


def stray_reboots(cluster: Cluster, controllers: list[Controller]) -> None:
    """J5: before anybody says `adopt`, the machine of the human's MAIN reboots: what it took is not thrown away."""
    _nobody_controls(cluster, controllers)
    cluster.keep_down(M0)
    cluster.kill(M1)
    cluster.world.run(2)
    cluster.world.ask(M1, TO_MAIN)
    number = cluster.hands.write(M1)
    cluster.ledger.by_hand.clear()  # on m1 only, until a human gives it up
    _control_again(cluster, controllers, 20)
    cluster.kill(M1)
    cluster.world.run(3)
    cluster.let_up(M0)
    cluster.world.run(40)
    expect(number in cluster.ids(M1), "what the human wrote is still there")
    expect(not cluster.rebuilds, "nobody was rebuilt")
    ordered(controllers, Ask.REINIT, M1)
    cluster.world.run(20)


def stray_took_a_write(cluster: Cluster, controllers: list[Controller]) -> None:
    """H6: a human promotes the standby beside MAIN and writes to it: it is demoted, and not rebuilt by itself."""
    cluster.world.cut(M0, M1)
    cluster.world.ask(M1, TO_MAIN)
    number = cluster.hands.write(M1)
    cluster.ledger.by_hand.clear()
    cluster.world.heal()
    cluster.world.run(80)
    expect(number in cluster.ids(M1), "what the human wrote is still there")
    expect(not cluster.rebuilds, "nobody was rebuilt")
    ordered(controllers, Ask.REINIT, M1)
    cluster.world.run(20)


# --- the record


def old_record_same_main(cluster: Cluster, controllers: list[Controller]) -> None:
    """E2: the record from before two switchovers is restored, and only that is left: `adopt` is the way out."""
    old = str(cluster.store.text)
    for target in (M1, M0):
        ordered(controllers, Ask.SWITCHOVER, target)
        cluster.world.run(5)
    cluster.store.put(old)
    cluster.world.run(5)
    ordered(controllers, Ask.ADOPT, M0, 20)
    cluster.world.run(10)


def old_record_no_main(cluster: Cluster, controllers: list[Controller]) -> None:
    """E2: everything restarted, and the record that is left is older than what the lease has seen."""
    old = str(cluster.store.text)
    ordered(controllers, Ask.SWITCHOVER, M1)
    cluster.world.run(5)
    _nobody_controls(cluster, controllers)
    for name in NAMES:
        cluster.kill(name)
    cluster.store.put(old)
    cluster.world.run(2)
    _control_again(cluster, controllers, 20)
    ordered(controllers, Ask.ADOPT, M1, 20)
    cluster.world.run(10)


def adopted_without_record(cluster: Cluster, controllers: list[Controller]) -> None:
    """G6: no record, two data sets: `adopt` chooses one, and `reinit` gives up the other."""
    cluster.world.run(2)
    _nobody_controls(cluster, controllers)
    cluster.keep_down(M1)
    cluster.world.hosts[M1].disk.wipe()
    cluster.store.forget()
    cluster.lease.floor = 0
    cluster.let_up(M1)
    cluster.world.run(1)
    cluster.world.ask(M1, TO_MAIN)
    cluster.world.ask(M1, "CREATE (:Other)")
    _control_again(cluster, controllers, 20)
    ordered(controllers, Ask.ADOPT, M0, 20)
    cluster.world.run(10)
    says(controllers, Hold.REBUILD_NEEDED)
    expect(not cluster.rebuilds, "nobody was rebuilt")
    ordered(controllers, Ask.REINIT, M1)
    cluster.world.run(20)


def replaced_and_left(cluster: Cluster, controllers: list[Controller]) -> None:
    """H5: a snapshot of something else was recovered by mistake; the standby that was away still has the cluster's."""
    cluster.keep_down(M1)
    cluster.world.run(10)
    cluster.hands.replace_data(M0)
    cluster.world.run(3)
    says(controllers, Hold.DATA_SET_REPLACED)
    cluster.let_up(M1)
    cluster.world.run(4)
    ordered(controllers, Ask.FAILOVER, M1, 20)
    cluster.world.run(5)
    for name in (M0, M2):
        ordered(controllers, Ask.REINIT, name)
        cluster.world.run(20)


def emptied_main_is_refused(cluster: Cluster, controllers: list[Controller]) -> None:
    """B6: MAIN comes back empty, its standby is older: nobody forces the empty one while another one has data."""
    cluster.world.run(2)
    cluster.keep_down(M1)
    cluster.world.run(10)
    cluster.wipe(M0)
    cluster.world.run(5)
    cluster.let_up(M1)
    cluster.world.run(5)
    refused(controllers, Ask.FAILOVER, M0)
    ordered(controllers, Ask.FAILOVER, M1, 20)
    expect(kinds(cluster).count(ChangeKind.FORCED) == 1, "one forced reign")
    cluster.world.run(10)
    for name in (M0, M2):
        if name not in cluster.store.history[-1].reinit:
            ordered(controllers, Ask.REINIT, name)
        cluster.world.run(20)


# --- paused


def paused_and_main_dies(cluster: Cluster, controllers: list[Controller]) -> None:
    """The operator resumes because MAIN died: the standby, proven all along, takes over."""
    ordered(controllers, Ask.PAUSE, None)
    cluster.world.run(5)
    cluster.keep_down(M0)
    cluster.world.run(10)
    ordered(controllers, Ask.RESUME, None)
    cluster.world.run(8)
    expect(main_of(cluster) == M1, "m1 takes over")


def paused_and_standby_dies(cluster: Cluster, controllers: list[Controller]) -> None:
    """Writes go on while the cluster is paused and its standby is dead; afterwards it is repaired."""
    ordered(controllers, Ask.PAUSE, None)
    began_s = cluster.now
    cluster.keep_down(M1)
    cluster.world.run(20)
    expect(max(gaps(cluster, began_s)) < 8, "writes went on")
    ordered(controllers, Ask.RESUME, None)


def paused_and_restarted(cluster: Cluster, controllers: list[Controller]) -> None:
    """The standby's machine is maintained while the cluster is paused."""
    ordered(controllers, Ask.PAUSE, None)
    ordered(controllers, Ask.RESTART, M1, 60)
    cluster.world.run(5)
    ordered(controllers, Ask.STOP, M1, 30)
    cluster.kill(M1)
    cluster.world.run(3)
    ordered(controllers, Ask.RESUME, None)
    cluster.world.run(5)


# --- the middle of a switchover


def leader_dies_switching(cluster: Cluster, controllers: list[Controller]) -> None:
    """D1: the leader dies in the middle of a switchover: the next one serves as soon as it leads."""
    leader = leader_of(controllers)
    leader.ask(Ask.SWITCHOVER, M1, 20)
    cluster.world.run_until(lambda: bool(cluster.quiet), 5)
    leader.crash()
    cluster.world.run_until(lambda: cluster.lease.holder != leader.name, 15)
    led_s = cluster.now
    cluster.world.run(8)
    expect(max(gaps(cluster, led_s)) < SERVED_AGAIN_S, f"writes came back within {SERVED_AGAIN_S} s")


def readers_of_a_late_replica(cluster: Cluster, controllers: list[Controller]) -> None:
    """An ASYNC replica that was far behind when MAIN died is not read from."""
    cluster.world.cut(M0, M2)
    cluster.world.run(15)
    cluster.keep_down(M1)
    cluster.keep_down(M0)
    cluster.world.run(3)
    expect(M2 not in cluster.reads[leader_of(controllers).name], "nobody reads from m2")
    cluster.let_up(M0)
    cluster.world.run(20)  # the row to m2, which nobody answers at, holds its start for ten


def _named(faults: Callable[[Cluster, list[Controller]], None], *holds: Hold) -> Scenario:
    return Scenario(faults=faults, says=holds)


HANDS: Final[dict[str, Scenario]] = {
    "J5 break-glass, data set known late": _named(by_hand_data_known_late),
    "J5 break-glass, the old MAIN hangs": _named(by_hand_old_main_unheard),
    "J5 break-glass, unheard at first": _named(by_hand_standby_unheard),
    "J5 break-glass, nobody is named": _named(by_hand_nobody_named, Hold.RECORD_REGRESSED),
    "J5 break-glass, then a reboot": _named(stray_reboots, Hold.RECORD_REGRESSED),
    "H6 a stray took a write": _named(stray_took_a_write, Hold.DIVERGED_REPLICA),
    "E2 old record, MAIN reigns": _named(old_record_same_main, Hold.RECORD_REGRESSED),
    "E2 old record, nobody reigns": _named(old_record_no_main, Hold.RECORD_REGRESSED),
    "G6 adopted without a record": _named(adopted_without_record, Hold.AMBIGUOUS_BOOTSTRAP),
    "H5 data set replaced by mistake": _named(replaced_and_left, Hold.DATA_SET_REPLACED),
    "B6 MAIN is empty": _named(emptied_main_is_refused, Hold.NO_SAFE_CANDIDATE),
    "P3 paused, MAIN dies": _named(paused_and_main_dies, Hold.PAUSED),
    "P4 paused, the standby dies": _named(paused_and_standby_dies, Hold.PAUSED),
    "P5 paused, the standby restarts": _named(paused_and_restarted, Hold.PAUSED),
    "D1 leader dies in a switchover, at once": _named(leader_dies_switching),
    "R1 readers and a late replica": _named(readers_of_a_late_replica),
}

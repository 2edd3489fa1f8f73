"""What starts, stops and lists instances: pods with names, uids, container starts, addresses and volumes.

A container whose process ended is started again in the same pod, with the same address; a pod that was deleted is
replaced by another of the same name, with another uid and address, on the same volume (a StatefulSet). A node that is
lost takes nobody off the list: its pods stay as they were until somebody deletes them.
"""

from __future__ import annotations

import copy
import random
from typing import TYPE_CHECKING, Final

from attrs import define, evolve

from memgraph_ha.core.names import Address, Incarnation, InstanceName
from memgraph_ha.core.topology import Member
from memgraph_ha.fakes.memgraph.disk import Disk
from memgraph_ha.fakes.memgraph.rpc import FinalizeCommit, LogChunk, Request, SnapshotChunk, SnapshotFinish
from memgraph_ha.fakes.memgraph.settings import Settings
from memgraph_ha.fakes.memgraph.virtual_host import Host, State

if TYPE_CHECKING:
    from memgraph_ha.sim.world.ground import Ground

PORT: Final = 10000
"""Where instances listen for replication."""

BOLT_PORT: Final = 7687

CARE_S: Final = 0.4
"""How often the platform looks for processes that ended by themselves."""

RESTART_S: Final = (0.05, 0.35)
"""How long after its end a container is started again, at once and at the latest."""

MOST: Final = 5
"""The largest cluster."""


@define(eq=False)
class Pod:
    """A place where an instance lives.

    Attributes:
        uid: Of the pod; another one after it was deleted.
        starts: How often its container was started.
        address: Its IP address.
        ready: What its readiness probe says.
        start_s: How long the platform takes to start it.
        lost: Its node is: nobody reaches it, nobody starts it again, and its process may live.
        deleted: The API has accepted its deletion, but its kubelet does not hear of it (a node that is lost): it is
            listed as it was, and its process may live (docs/decisions/0013).
        forgotten: It was deleted by force: the API lists it no more, though its process may live.
        down: The platform is not to start it.
    """

    uid: int
    address: str
    starts: int = 0
    ready: bool = True
    start_s: float = 0.0
    lost: bool = False
    deleted: bool = False
    forgotten: bool = False
    down: bool = False


class Platform:
    """The pods of one StatefulSet.

    Args:
        cluster: Whose.
        count: How many there are, 1 to 5.
        dice: What the time of a restart is drawn from.
        kubernetes: Rows lead to a pod's own address, which is nobody's after it, and whoever is stopped by order gets
            another pod; otherwise rows lead to the host name of the instance, whatever pod it has.

    Attributes:
        pods: By name, in ordinal order.
        empties: Whether a rebuild empties anything: a platform may fail to.
        gone: Who left the list by somebody's hand.
    """

    def __init__(self, cluster: Ground, count: int, dice: random.Random, *, kubernetes: bool) -> None:
        self._cluster = cluster
        self._dice = dice
        self._uids = self._addresses = 0
        self.pods: dict[InstanceName, Pod] = {}
        self.kubernetes = kubernetes
        self.empties = True
        self.gone: set[InstanceName] = set()
        self.settings = evolve(Settings(), flush_every=1, snapshot_on_exit=False, hashing_rounds=1)
        cluster.world.on_end = self._ended
        for _ in range(count):
            self._place()

    @property
    def names(self) -> tuple[InstanceName, ...]:
        """Every instance that has a pod, in ordinal order."""
        return tuple(self.pods)

    def _place(self) -> None:
        name = InstanceName(f"m{len(self.pods)}")
        pod = self.pods[name] = Pod(uid=self._new_uid(), address=self._new_address())
        self._cluster.world.addresses[pod.address] = name
        self._boot(name)

    def _new_uid(self) -> int:
        self._uids += 1
        return self._uids

    def _new_address(self) -> str:
        self._addresses += 1
        return f"10.0.0.{self._addresses}"

    # -- what is listed --------------------------------------------------------------------------

    def up(self, name: InstanceName) -> bool:
        """Whether a process lives there."""
        host = self._cluster.world.hosts.get(name)
        return host is not None and host.instance is not None

    def incarnation(self, name: InstanceName) -> Incarnation | None:
        """The platform's name for the process there; None if it knows of none."""
        pod = self.pods[name]
        if pod.forgotten or not (self.up(name) or pod.lost):
            return None
        return Incarnation(f"{name}-{pod.uid}/{pod.starts}")

    def members(self) -> tuple[Member, ...]:
        """What the API lists."""
        return tuple(
            Member(
                name=name,
                bolt=Address(f"{pod.address}:{BOLT_PORT}"),
                replication=Address(f"{pod.address if self.kubernetes else name}:{PORT}"),
                incarnation=self.incarnation(name),
                keeps_address=not self.kubernetes,
            )
            for name, pod in self.pods.items()
            if name not in self.gone
        )

    def publish(self) -> None:
        """Tell the API what is so now."""
        self._cluster.api.publish(self.members())

    def at_address(self, address: Address) -> Host | None:
        """Who answers at that address now; None: nobody has it."""
        ip = address.rpartition(":")[0]
        for name, pod in self.pods.items():
            if pod.address == ip:
                return self._cluster.world.hosts[name]
        return None

    # -- lives -----------------------------------------------------------------------------------

    def care(self) -> None:
        """Start what ended by itself, as a DROP REPLICA can end MAIN (transcripts Q5, Q7); for ever."""
        self._cluster.world.at(CARE_S, self.care)
        for name in self.names:
            self.restart(name)
        self.publish()

    def _boot(self, name: InstanceName) -> None:
        pod, cluster = self.pods[name], self._cluster
        pod.starts += 1
        settings = None if name in cluster.world.hosts else self.settings
        cluster.world.start(name, settings, (f"SET REPLICATION ROLE TO REPLICA WITH PORT {PORT};",), wait=False)
        self.publish()

    def _ended(self, host: Host, run: str) -> None:
        """A process ended, in whatever way."""
        name = InstanceName(host.name)
        if name not in self.pods:
            return
        for controller in self._cluster.controllers.values():
            controller.gateway.process_ended(name, run)
            controller.watcher.process_ended(name)
        for other in self._cluster.world.hosts.values():
            if other is not host:
                reset = other.alive(lambda other=other: other.drop_stale_links_to(host))  # type: ignore[misc]
                self._cluster.net.carry(name, other.name, reset)
        self.publish()

    def end(self, name: InstanceName, *, power_cut: bool = False) -> None:
        """End its process."""
        if self.up(name):
            self._cluster.world.kill(name, power_cut=power_cut)

    def crash(self, name: InstanceName) -> None:
        """End its process, and start it again after the usual time."""
        if self.up(name):
            self._cluster.say("", f"kill {name}")
            self.end(name)
            self.soon(name)

    def restart(self, name: InstanceName) -> None:
        """Start it, if nothing runs there and nobody keeps it from being started."""
        pod = self.pods.get(name)
        if pod is None or self.up(name) or pod.down or pod.lost or name not in self.pods:
            return
        if pod.start_s:
            wait_s, pod.start_s = pod.start_s, 0.0
            pod.down = True
            self._cluster.world.at(wait_s, lambda: self._let_start(name, pod))
            return
        pod.deleted = pod.forgotten = False
        self._cluster.say("", f"start {name}")
        self._boot(name)

    def _let_start(self, name: InstanceName, pod: Pod) -> None:
        pod.down = False
        self.restart(name)

    def soon(self, name: InstanceName) -> None:
        """Start it again after the usual time."""
        first_s, last_s = RESTART_S
        wait_s = first_s + (last_s - first_s) * self._dice.random()
        self._cluster.world.at(wait_s, lambda: self.restart(name))

    def replace(self, name: InstanceName, address: str | None = None) -> None:
        """Its pod is deleted: another one takes its place, with another uid and address, on the same volume."""
        self.end(name)
        self.renew(name, address)
        self.soon(name)

    def renew(self, name: InstanceName, address: str | None = None) -> None:
        """Give it another pod, without a process yet: what is sent to the address of the one before is swallowed."""
        pod, addresses = self.pods[name], self._cluster.world.addresses
        if addresses[pod.address] == name:
            addresses[pod.address] = None
        pod.uid, pod.address, pod.ready = self._new_uid(), address or self._new_address(), True
        addresses[pod.address] = name
        self.publish()

    def delete(self, name: InstanceName, *, force: bool = False) -> bool:
        """Delete its pod: the kubelet ends its process, if it hears of that; by force the API does not wait for it."""
        pod = self.pods[name]
        if pod.lost:
            pod.deleted, pod.forgotten = True, pod.forgotten or force
            self.publish()
            return True
        self.replace(name)
        return True

    def lose_node(self, name: InstanceName) -> None:
        """Nobody reaches it and nobody starts it; its pod is listed as it was."""
        self.pods[name].lost = True
        self._cluster.isolate(name)
        self.publish()

    def return_node(self, name: InstanceName) -> None:
        """Its node is back: a process whose pod was deleted meanwhile is ended by the kubelet."""
        pod = self.pods[name]
        if pod.lost:
            pod.lost = False
            self._cluster.reconnect(name)
            if pod.deleted:
                pod.deleted = pod.forgotten = False
                self.replace(name)
            else:
                self.restart(name)
            self.publish()

    def scale(self, count: int) -> None:
        """Have that many pods, 1 to 5: the last ones go first, and their volumes are kept."""
        count = max(1, min(MOST, count))
        while len(self.pods) < count:
            self._place()
        for name in self.names[count:]:
            self.end(name)
            self._cluster.world.addresses[self.pods.pop(name).address] = None
        self.publish()

    def image(self, name: InstanceName) -> Disk:
        """What its volume holds now, as a snapshot of the machine would keep it."""
        return copy.deepcopy(self._cluster.world.hosts[name].disk)

    def put_back(self, name: InstanceName, image: Disk) -> None:
        """End its process, and put an older volume in the place of its own."""
        self.end(name)
        self._cluster.world.hosts[name].disk = copy.deepcopy(image)

    # -- hazards of its network ------------------------------------------------------------------

    def stall_copies_to(self, name: InstanceName) -> None:
        """Lose its answers to a recovery: its row stays in recovery until MAIN gives the call up (30-60 s)."""
        net = self._cluster.net

        def stall(source: str, target: str, request: Request) -> bool:
            if target == name and isinstance(request, LogChunk | SnapshotChunk | SnapshotFinish):
                net.drop_answers(source, target)
            return False

        self._cluster.world.lose = stall

    def die_in_commit(self, name: InstanceName) -> None:
        """End it right after it decided its next commit, before it tells any replica (1 of 120, transcripts Q9)."""
        world, before = self._cluster.world, self._cluster.world.lose

        def die(source: str, target: str, request: Request) -> bool:
            if source == name and isinstance(request, FinalizeCommit):
                world.lose = before
                world.at(0.0, lambda: self.crash(name))
                return True
            return before(source, target, request)

        world.lose = die

    def open(self, name: InstanceName) -> bool:
        """Whether a new connection there would be answered now."""
        host = self._cluster.world.hosts.get(name)
        return host is not None and host.state is State.OPEN and not host.frozen

"""What may happen to a simulated cluster: one method each, all of it in virtual time.

A fault whose target is gone, or that changes nothing now, does nothing: whoever makes histories need not know.
"""

from __future__ import annotations

from functools import partial
from typing import Final

from attrs import evolve

from memgraph_ha.core import Ask
from memgraph_ha.core.names import InstanceName
from memgraph_ha.fakes.memgraph.disk import Disk
from memgraph_ha.sim.checks import safety
from memgraph_ha.sim.world.ground import Ground

KUBELET_S: Final = 0.2
"""How long after its volume was changed an instance is started again."""


class Cluster(Ground):
    """Some instances, their platform, the record, the lease, and clients; see `Ground` for what it consists of."""

    def kill(self, name: InstanceName) -> None:
        """SIGKILL; the platform starts it again unless it is kept down."""
        self.platform.crash(name)

    def power_cut(self, name: InstanceName) -> None:
        """Its machine loses power, and comes back: what was not forced to the platter is gone (transcripts Q19)."""
        if self.up(name):
            self.say("", f"power cut {name}")
            self.platform.end(name, power_cut=True)
            self.cut_short.add(name)
            self.platform.soon(name)

    def flush_every(self, count: int) -> None:
        """Let instances force only every so manyth write to the platter (`--storage-wal-file-flush-every-n-tx`)."""
        self.platform.settings = evolve(self.platform.settings, flush_every=count)
        for name in self.names:
            host = self.world.hosts[name]
            host.settings = evolve(host.settings, flush_every=count)
            if host.instance is not None:
                host.instance.settings = host.settings
            self.claims[name] = {**self.claims.get(name, {}), "flush_every": count}

    def restart(self, name: InstanceName) -> None:
        """What the platform does with a place where nothing runs."""
        self.platform.restart(name)

    def keep_down(self, name: InstanceName) -> None:
        """Kill it and let it lie."""
        if name in self.platform.pods:
            self.platform.pods[name].down = True
            self.kill(name)

    def let_up(self, name: InstanceName) -> None:
        """Let the platform start it again."""
        if name in self.platform.pods:
            self.platform.pods[name].down = False
            self.platform.restart(name)

    def start_after(self, name: InstanceName, seconds: float) -> None:
        """Its next start takes the platform so long (an image to be pulled, a volume to be attached)."""
        if name in self.platform.pods:
            self.platform.pods[name].start_s = seconds

    def freeze(self, name: InstanceName) -> None:
        """SIGSTOP."""
        if self.up(name) and not self.world.hosts[name].frozen:
            self.say("", f"freeze {name}")
            self.world.freeze(name)

    def thaw(self, name: InstanceName) -> None:
        """SIGCONT."""
        if self.up(name) and self.world.hosts[name].frozen:
            self.say("", f"thaw {name}")
            self.world.thaw(name)

    def crash_in_commit(self, name: InstanceName) -> None:
        """SIGKILL it right after it decided its next commit, before it tells anybody (transcripts Q9)."""
        self.platform.die_in_commit(name)

    def delete_pod(self, name: InstanceName, *, grace_s: float = 30.0, force: bool = False, hook: bool = True) -> None:
        """Delete its pod; another one takes its place, with another uid and address, on the same volume.

        Args:
            name: Whose.
            grace_s: ``terminationGracePeriodSeconds``: how long the preStop hook may take.
            force: ``--grace-period=0 --force``: it is ended at once, and nobody is asked.
            hook: The preStop hook asks the leader first, and waits for its answer.
        """
        if name not in self.platform.pods:
            return
        if force or not hook or not self.up(name):
            self.say("", f"delete pod {name}")
            self.platform.delete(name, force=force)
            return
        self.say("", f"delete pod {name}, {grace_s:g} s of grace")
        leader = self.controllers.get(self.lease.holder or "")
        over, until_s = [False], self.now + grace_s
        self.deleting.append(until_s)

        def go() -> None:
            if not over[0]:
                over[0] = True
                self.deleting.remove(until_s)
                if name in self.platform.pods:
                    self.platform.delete(name)

        self.world.at(grace_s, go)
        if leader is not None and leader.alive:
            leader.ask(Ask.STOP, name, grace_s, lambda _answer: go())

    def lose_node(self, name: InstanceName) -> None:
        """Its node is lost: nobody reaches it, its pod is listed as it was, and its process may live (A5)."""
        if name in self.platform.pods:
            self.say("", f"lose the node of {name}")
            self.platform.lose_node(name)

    def return_node(self, name: InstanceName) -> None:
        """Its node is back."""
        if name in self.platform.pods:
            self.platform.return_node(name)

    def reuse_ip(self, name: InstanceName, other: InstanceName) -> None:
        """The pod of `name` is replaced, and then that of `other`, which gets the address that `name` had (H5)."""
        if name in self.platform.pods and other in self.platform.pods and name != other:
            address = self.platform.pods[name].address
            self.platform.replace(name)
            self.platform.replace(other, address)

    def flap(self, name: InstanceName, times: int, every_s: float) -> None:
        """Let its readiness change to and fro so often: the list comes again, and nothing in it that matters."""
        pod = self.platform.pods.get(name)
        if pod is not None and times > 0:
            pod.ready = not pod.ready
            self.api.repeat()
            self.world.at(every_s, partial(self.flap, name, times - 1, every_s))

    def scale(self, count: int) -> None:
        """Have that many instances, 1 to 5."""
        self.say("", f"scale to {count}")
        self.scaled_s = self.now
        self.platform.scale(count)

    def leave(self, name: InstanceName) -> None:
        """Its pod is not listed any more."""
        self.platform.gone.add(name)
        self.platform.publish()

    def join(self, name: InstanceName) -> None:
        """Its pod is listed again."""
        self.platform.gone.discard(name)
        self.platform.publish()

    def dns(self, name: str, leads_to: str | None) -> None:
        """Let a host name lead to another instance (a stale record) or to nobody (None); to itself: mend it."""
        if leads_to == name:
            self.world.aliases.pop(name, None)
        else:
            self.world.aliases[name] = leads_to

    def deafen(self, name: InstanceName) -> None:
        """It does not listen for replication any more, until its process is started again (transcripts Q10)."""
        if self.up(name):
            host = self.world.hosts[name]
            host.server = None
            host.break_servers()

    # -- volumes ---------------------------------------------------------------------------------

    def wipe(self, name: InstanceName) -> None:
        """Kill it and empty its data directory."""
        if name not in self.platform.pods:
            return
        self.say("", f"wipe {name}")
        self.platform.end(name)
        self.world.hosts[name].disk.wipe()
        self.world.at(KUBELET_S, lambda: self.restart(name))

    def roll_back(self, name: InstanceName, image: Disk) -> None:
        """Kill it, and put an older volume in the place of its own."""
        if name not in self.platform.pods:
            return
        self.say("", f"roll {name} back")
        self.platform.put_back(name, image)
        self.older.add(name)
        self.world.at(KUBELET_S, lambda: self.restart(name))

    def stop(self, name: InstanceName) -> None:
        """End its process, by order of a controller: on Kubernetes, and on a node that is lost, that of its pod."""
        if self.platform.kubernetes or self.platform.pods[name].lost:
            self.platform.delete(name)
        else:
            self.kill(name)

    def rebuild(self, name: InstanceName) -> None:
        """Kill it and move what it stored aside, by order of a controller."""
        self.say("", f"rebuild {name}")
        safety.check_rebuild(self, name)
        self.rebuilds.append((self.now, name))
        self.platform.end(name)
        if self.platform.empties:
            self.world.hosts[name].disk.wipe()
            self.older.discard(name)
            self.cut_short.discard(name)
        if self.platform.kubernetes:
            self.platform.renew(name)
        self.world.at(KUBELET_S + 0.1, lambda: self.restart(name))

    # -- mending ---------------------------------------------------------------------------------

    def heal(self) -> None:
        """End every fault of links, API, platform, disks and clocks: everybody reaches everybody, as fast as ever."""
        self.world.heal()
        self.world.lose = lambda _source, _target, _request: False
        self.world.aliases.clear()
        self.api.heal()
        self.slow.clear()
        self.late.clear()
        self.locked.clear()
        self.claims.clear()
        self.platform.gone.clear()
        self.platform.empties, self.calm = True, False
        for name in self.names:
            self.platform.return_node(name)
            self.world.hosts[name].disk_full = False
        for controller in self.controllers.values():
            controller.clock.heal()
        self.platform.publish()

"""Verbs of processes, volumes and what instances say."""

from __future__ import annotations

from typing import Final

from memgraph_ha.core.names import InstanceName
from memgraph_ha.fakes.memgraph.rpc import FinalizeCommit, Request
from memgraph_ha.sim.scenario.registry import INSTANCE, NAME, TIME, Arg, ArgKind, Waits, verb
from memgraph_ha.sim.scenario.stage import Stage

PROCESS: Final = "Processes"
POD: Final = "Pods and nodes"
VOLUME: Final = "Volumes"
SAID: Final = "What instances say"

COMMITS_S: Final = 10.0
"""Who commits nothing within so long is no MAIN, or nobody writes."""

CLAIMS: Final[dict[str, dict[str, str | bool]]] = {
    "old-version": {"version": "3.5.0"},
    "no-wal": {"wal": False},
    "no-init-file": {"init_file": ""},
}
"""What `memgraph_ha.core.facts.ServerSeen` says then."""


@verb("kill", PROCESS, {"on": INSTANCE})
def kill(stage: Stage, on: InstanceName) -> None:
    """SIGKILL a process; the platform starts it again within 0.35 s."""
    stage.cluster.kill(on)


@verb("restart", PROCESS, {"on": INSTANCE})
def restart(stage: Stage, on: InstanceName) -> None:
    """SIGKILL a process and start it at once, before anybody looks."""
    stage.cluster.kill(on)
    stage.cluster.restart(on)


@verb("keep-down", PROCESS, {"on": INSTANCE}, undo="let-up")
def keep_down(stage: Stage, on: InstanceName) -> None:
    """SIGKILL a process that the platform does not start again."""
    stage.cluster.keep_down(on)


@verb("let-up", PROCESS, {"on": INSTANCE})
def let_up(stage: Stage, on: InstanceName) -> None:
    """Let the platform start it again."""
    stage.cluster.let_up(on)


@verb("freeze", PROCESS, {"on": INSTANCE}, undo="thaw")
def freeze(stage: Stage, on: InstanceName) -> None:
    """SIGSTOP a process: its kernel still takes connections, nothing is answered."""
    stage.cluster.freeze(on)


@verb("thaw", PROCESS, {"on": INSTANCE})
def thaw(stage: Stage, on: InstanceName) -> None:
    """SIGCONT."""
    stage.cluster.thaw(on)


@verb("crash-in-commit", PROCESS, {"on": INSTANCE})
def crash_in_commit(stage: Stage, on: InstanceName) -> Waits:
    """SIGKILL it after it committed its next write and before it told anybody; it stays down (transcripts Q9).

    If it commits nothing within `COMMITS_S`, it just goes on, and dies at whatever it commits later.
    """
    if stage.cluster.up(on):
        until_s = stage.cluster.now + COMMITS_S
        stage.cluster.crash_in_commit(on)
        yield lambda: not stage.cluster.up(on) or stage.cluster.now > until_s
        if not stage.cluster.up(on):
            stage.cluster.keep_down(on)


@verb("lose-finalize", PROCESS, {"on": INSTANCE})
def lose_finalize(stage: Stage, on: InstanceName) -> Waits:
    """MAIN's next Finalize never arrives: it acknowledges all the same (transcripts Q17); waits until that came."""
    world, before, lost = stage.cluster.world, stage.cluster.world.lose, [False]

    def lose(source: str, target: str, request: Request) -> bool:
        if source == on and isinstance(request, FinalizeCommit) and not lost[0]:
            lost[0], world.lose = True, before
            return True
        return before(source, target, request)

    world.lose, until_s = lose, stage.cluster.now + COMMITS_S
    yield lambda: lost[0] or stage.cluster.now >= until_s


@verb("power-cut", PROCESS, {"on": INSTANCE})
def power_cut(stage: Stage, on: InstanceName) -> None:
    """Its machine loses power and comes back: what was not forced to the platter is gone (transcripts Q19)."""
    stage.cluster.power_cut(on)


@verb("delay-start", PROCESS, {"on": INSTANCE, "by": TIME})
def delay_start(stage: Stage, on: InstanceName, by: float) -> None:
    """Its next start takes the platform so long."""
    stage.cluster.start_after(on, by)


@verb("overload", PROCESS, {"on": INSTANCE, "by": TIME}, undo="relieve")
def overload(stage: Stage, on: InstanceName, by: float) -> None:
    """It answers every probe so much later, while its commits go on."""
    stage.cluster.late[on] = by


@verb("relieve", PROCESS, {"on": INSTANCE})
def relieve(stage: Stage, on: InstanceName) -> None:
    """It answers probes at once again."""
    stage.cluster.late.pop(on, None)


# --- pods and nodes


@verb(
    "delete-pod",
    POD,
    {
        "on": INSTANCE,
        "grace": Arg(kind=ArgKind.TIME, default=30.0),
        "force": Arg(kind=ArgKind.YES_NO, default=False),
        "hook": Arg(kind=ArgKind.YES_NO, default=True),
    },
)
def delete_pod(stage: Stage, on: InstanceName, grace: float, *, force: bool, hook: bool) -> None:
    """Delete its pod: the preStop hook asks the leader first (unless ``force``), then another pod takes its place."""
    stage.cluster.delete_pod(on, grace_s=grace, force=force, hook=hook)


@verb("lose-node", POD, {"on": INSTANCE}, undo="return-node")
def lose_node(stage: Stage, on: InstanceName) -> None:
    """Its node is lost: nobody reaches it, its pod is listed as it was, and its process may live."""
    stage.cluster.lose_node(on)


@verb("return-node", POD, {"on": INSTANCE})
def return_node(stage: Stage, on: InstanceName) -> None:
    """Its node is back; a pod that was deleted meanwhile is replaced."""
    stage.cluster.return_node(on)


@verb("reuse-ip", POD, {"of": INSTANCE, "by": INSTANCE})
def reuse_ip(stage: Stage, of: InstanceName, by: InstanceName) -> None:
    """Both pods are replaced, and the second gets the address that the first had."""
    stage.cluster.reuse_ip(of, by)


@verb("flap", POD, {"on": INSTANCE, "times": Arg(kind=ArgKind.COUNT), "every": TIME})
def flap(stage: Stage, on: InstanceName, times: int, every: float) -> Waits:
    """Its readiness changes so many times; nothing else about it does."""
    until_s = stage.cluster.now + times * every
    stage.cluster.flap(on, times, every)
    yield lambda: stage.cluster.now >= until_s


@verb("scale", POD, {"to": Arg(kind=ArgKind.COUNT)})
def scale(stage: Stage, to: int) -> None:
    """Have that many instances, 1 to 5."""
    stage.cluster.scale(to)


@verb("lose-volume", VOLUME, {"on": INSTANCE})
def lose_volume(stage: Stage, on: InstanceName) -> None:
    """SIGKILL a process and empty its data directory; it comes back new."""
    stage.cluster.wipe(on)


@verb("empty-volume", VOLUME, {"on": INSTANCE})
def empty_volume(stage: Stage, on: InstanceName) -> None:
    """Empty the data directory of one that is down."""
    if not stage.cluster.up(on):
        stage.cluster.world.hosts[on].disk.wipe()


@verb("keep-volume", VOLUME, {"on": INSTANCE, "image": NAME})
def keep_volume(stage: Stage, on: InstanceName, image: str) -> None:
    """Keep a copy of what its volume holds now, under a name."""
    stage.images[image] = stage.cluster.image(on)


@verb("restore-volume", VOLUME, {"on": INSTANCE, "image": NAME})
def restore_volume(stage: Stage, on: InstanceName, image: str) -> None:
    """SIGKILL a process and put a kept copy in the place of its volume."""
    if image in stage.images:
        stage.cluster.roll_back(on, stage.images[image])


@verb("fill-disk", VOLUME, {"on": INSTANCE}, undo="free-disk")
def fill_disk(stage: Stage, on: InstanceName) -> None:
    """Its disk takes nothing any more: reads are answered, commits fail."""
    stage.cluster.world.hosts[on].disk_full = True


@verb("free-disk", VOLUME, {"on": INSTANCE})
def free_disk(stage: Stage, on: InstanceName) -> None:
    """Its disk takes writes again."""
    stage.cluster.world.hosts[on].disk_full = False


@verb("fail-rebuilds", VOLUME, {}, undo="mend-rebuilds")
def fail_rebuilds(stage: Stage) -> None:
    """A rebuild that a controller orders empties nothing from now on."""
    stage.cluster.platform.empties = False


@verb("mend-rebuilds", VOLUME, {})
def mend_rebuilds(stage: Stage) -> None:
    """Rebuilds empty what they should again."""
    stage.cluster.platform.empties = True


@verb("slow-storage", SAID, {"on": INSTANCE, "by": TIME}, undo="quick-storage")
def slow_storage(stage: Stage, on: InstanceName, by: float) -> None:
    """SHOW STORAGE INFO is answered so much later (it waits behind a stalled commit, transcripts Q14)."""
    stage.cluster.slow[on] = by


@verb("quick-storage", SAID, {"on": INSTANCE})
def quick_storage(stage: Stage, on: InstanceName) -> None:
    """SHOW STORAGE INFO is answered at once again."""
    stage.cluster.slow.pop(on, None)


@verb("lock-out", SAID, {"on": INSTANCE}, undo="let-in")
def lock_out(stage: Stage, on: InstanceName) -> None:
    """It refuses the controllers' password."""
    stage.cluster.locked.add(on)


@verb("let-in", SAID, {"on": INSTANCE})
def let_in(stage: Stage, on: InstanceName) -> None:
    """It takes the controllers' password again."""
    stage.cluster.locked.discard(on)


@verb("misconfigure", SAID, {"on": INSTANCE, "what": Arg(kind=ArgKind.WORD, choices=tuple(CLAIMS))}, undo="configure")
def misconfigure(stage: Stage, on: InstanceName, what: str) -> None:
    """It runs an unsupported version, without WAL, or without an init file."""
    stage.cluster.claims[on] = CLAIMS[what]


@verb("configure", SAID, {"on": INSTANCE})
def configure(stage: Stage, on: InstanceName) -> None:
    """It is configured as it should be again."""
    stage.cluster.claims.pop(on, None)


@verb("deafen", SAID, {"on": INSTANCE})
def deafen(stage: Stage, on: InstanceName) -> None:
    """It does not listen for replication any more, until its process is started again (transcripts Q10)."""
    stage.cluster.deafen(on)


@verb("leave", SAID, {"on": INSTANCE}, undo="join")
def leave(stage: Stage, on: InstanceName) -> None:
    """The platform does not list it any more."""
    stage.cluster.leave(on)


@verb("join", SAID, {"on": INSTANCE})
def join(stage: Stage, on: InstanceName) -> None:
    """The platform lists it again."""
    stage.cluster.join(on)

"""Verbs of processes, volumes and what instances say."""

from __future__ import annotations

from typing import Final

from memgraph_ha.core.names import InstanceName
from memgraph_ha.fakes.memgraph.rpc import FinalizeCommit
from memgraph_ha.sim.scenario.registry import INSTANCE, NAME, TIME, Arg, ArgKind, Waits, verb
from memgraph_ha.sim.scenario.stage import Stage

PROCESS: Final = "Processes"
VOLUME: Final = "Volumes"
SAID: Final = "What instances say"

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
    """SIGKILL MAIN after it committed a write and before it told anybody; it stays down (transcripts Q9)."""
    world, before = stage.cluster.world, stage.cluster.world.lose

    def die(_source: str, _target: str, request: object) -> bool:
        decided = _source == on and isinstance(request, FinalizeCommit)
        if decided:
            world.lose = before
            world.at(0.0, lambda: stage.cluster.keep_down(on))
        return decided

    if stage.cluster.up(on):
        world.lose = die
        yield lambda: not stage.cluster.up(on)


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
    stage.cluster.empties = False


@verb("mend-rebuilds", VOLUME, {})
def mend_rebuilds(stage: Stage) -> None:
    """Rebuilds empty what they should again."""
    stage.cluster.empties = True


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
    host = stage.cluster.world.hosts[on]
    host.server = None
    host.break_servers()


@verb("leave", SAID, {"on": INSTANCE}, undo="join")
def leave(stage: Stage, on: InstanceName) -> None:
    """The platform does not list it any more."""
    stage.cluster.gone.add(on)


@verb("join", SAID, {"on": INSTANCE})
def join(stage: Stage, on: InstanceName) -> None:
    """The platform lists it again."""
    stage.cluster.gone.discard(on)

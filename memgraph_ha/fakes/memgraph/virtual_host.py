"""One process in virtual time: its tasks, its connections, its disk."""

from __future__ import annotations

import enum
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from attrs import define, field

from . import virtual_effects
from .disk import Disk, StorageError
from .effects import Effect, Hang, Link, Procedure
from .errors import MemgraphError
from .instance import Instance
from .settings import Settings
from .virtual_net import Connection
from .workers import Workers

if TYPE_CHECKING:
    from .virtual import World


class State(enum.Enum):
    """What a process is doing."""

    STOPPED = "stopped"
    STARTING = "starting"  # Bolt is not open yet
    OPEN = "open"


class _Alive:
    """Something that happens only in this life of a process; no closure: one that parks itself is freed late."""

    __slots__ = ("_action", "_host", "_life")

    def __init__(self, host: Host, action: Callable[[], None]) -> None:
        self._host, self._life, self._action = host, host.life, action

    def __call__(self) -> None:
        host = self._host
        if host.life is not self._life:
            return
        if host.frozen:
            host.parked.append(self)
        else:
            self._action()


@define(eq=False)
class Host:
    """A place where an instance runs, or does not.

    Attributes:
        disk: What survives.
        frozen: Stopped by SIGSTOP: nothing steps, the kernel still accepts connections.
        server: The open replication server, as a mere token; None if there is none.
        died_of: Signal of the last crash of its own making.
        disk_full: The disk takes nothing.
        refuses_to_listen: Somebody else is on the replication port.
        life: Another one for each life of the process.
        parked: What waits until it is thawed.
    """

    name: str
    world: World
    settings: Settings = field(factory=Settings)
    init_lines: tuple[str, ...] = ()
    disk: Disk = field(factory=Disk)
    state: State = State.STOPPED
    instance: Instance | None = None
    workers: Workers = field(factory=lambda: Workers(2))
    frozen: bool = False
    server: object = None
    port: int | None = None
    died_of: int | None = None
    disk_full: bool = False
    refuses_to_listen: bool = False
    links: dict[Link, Connection] = field(factory=dict)
    pending: dict[Link, Callable[[Any], None]] = field(factory=dict)
    serving: list[Callable[[], None]] = field(factory=list)
    life: object = field(factory=object)
    _hung: list[Procedure[Any]] = field(factory=list)
    parked: list[Callable[[], None]] = field(factory=list)
    _lost: list[Callable[[], None]] = field(factory=list)

    def live(self) -> Instance:
        """Return the running instance.

        Raises:
            LookupError: There is none.
        """
        if self.instance is None:
            raise LookupError(f"{self.name} is not running")
        return self.instance

    # -- tasks -----------------------------------------------------------------------------------

    def spawn(self, procedure: Procedure[None], lost: Callable[[], None] | None = None) -> None:
        """Run a procedure, from the next event on.

        Args:
            procedure: What.
            lost: Called if the process ends before it.
        """
        if lost is None:
            self.spawn_after(0.0, procedure)
            return
        self._lost.append(lost)
        self.later(0.0, lambda: self.advance(procedure, None, lambda _: self._lost.remove(lost)))

    def take(self, procedure: Procedure[None], lost: Callable[[], None]) -> None:
        """Run a procedure from now on, in the event in which what asked for it arrived; see `spawn`."""
        if self.frozen:
            self.spawn(procedure, lost)
            return
        self._lost.append(lost)
        self.advance(procedure, None, lambda _: self._lost.remove(lost))

    def spawn_after(self, seconds: float, procedure: Procedure[None]) -> None:
        """Run a procedure `seconds` from now."""
        self.later(seconds, lambda: self.advance(procedure, None))

    def later(self, seconds: float, action: Callable[[], None]) -> None:
        """Let something happen in this life of the process; while it is frozen it waits."""
        self.world.at(seconds, self.alive(action))

    def alive(self, action: Callable[[], None]) -> Callable[[], None]:
        """Return what does the same, but only in this life of the process, and while it is frozen waits."""
        return _Alive(self, action)

    def advance(self, procedure: Procedure[Any], outcome: object, done: Callable[[Any], None] | None = None) -> None:
        """Resume a procedure and perform effects until one has to be waited for.

        Args:
            procedure: What.
            outcome: Of the effect that it waits for; a `StorageError` or `MemgraphError` is thrown.
            done: Called with its result.
        """
        life = self.life

        def resume(value: object) -> None:
            if self.life is life:  # the end of a process ends its procedures
                self.advance(procedure, value, done)

        while True:
            try:
                if isinstance(outcome, StorageError | MemgraphError):
                    effect: Effect = procedure.throw(outcome)
                else:
                    effect = procedure.send(outcome)
            except StopIteration as stop:
                if done is not None:
                    done(stop.value)
                return
            if isinstance(effect, Hang):
                self._hung.append(procedure)  # it keeps its locks
                return
            outcome = virtual_effects.perform(self, effect, resume)
            if outcome is virtual_effects.LATER or self.life is not life:
                return

    # -- life and death --------------------------------------------------------------------------

    def kill(self, *, power_cut: bool = False) -> None:
        """End the process at once; what waits for it learns of it now."""
        run = None if self.instance is None else self.instance.run_id
        self.life = object()
        self.state, self.instance, self.server, self.frozen = State.STOPPED, None, None, False
        self.workers = Workers(self.settings.workers)
        self.disk.crash(power_cut=power_cut)
        self.parked.clear()
        self._hung.clear()
        self.links.clear()
        self.pending.clear()
        self.break_servers()
        lost, self._lost = self._lost, []
        for tell in lost:
            tell()
        if run is not None:
            self.world.on_end(self, run)

    def break_servers(self) -> None:
        """End the connections that peers have to this process."""
        serving, self.serving = self.serving, []
        for tell in serving:
            tell()

    def thaw(self) -> None:
        """Let a frozen process go on."""
        self.frozen = False
        parked, self.parked = self.parked, []
        for action in parked:
            self.world.at(0.0, action)

    def break_links_to(self, peer: str) -> None:
        """Reset the connections that lead to `peer`."""
        for link, connection in list(self.links.items()):
            if connection.peer == peer:
                virtual_effects.hang_up(self, link)

    def drop_stale_links_to(self, peer: Host) -> None:
        """Take notice that the process which connections to `peer` led to is gone: its kernel reset them."""
        for link, connection in list(self.links.items()):
            if connection.peer == peer.name and connection.server is not peer.server:
                virtual_effects.hang_up(self, link)

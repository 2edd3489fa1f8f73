"""One controller's process: it lives, stands still, ends; it has a clock of its own, and asks the API for things."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeVar

from attrs import define, field

from memgraph_ha.fakes.memgraph.virtual_net import Reach
from memgraph_ha.sim.world.api import API
from memgraph_ha.sim.world.clock import Clock
from memgraph_ha.sim.world.cluster import Cluster

_Made = TypeVar("_Made")
Action = Callable[[], None]


@define(eq=False)
class Process:
    """A process in the cluster that is no instance.

    Args:
        name: Its name, as an endpoint of links too.
        cluster: Where it is.

    Attributes:
        alive: Whether it runs, or at least stands still.
        paused: It stands still.
        life: Changes with each start and each end.
        clock: Its own.
    """

    name: str
    cluster: Cluster
    alive: bool = field(default=False, init=False)
    paused: bool = field(default=False, init=False)
    life: int = field(default=0, init=False)
    clock: Clock = field(init=False)
    _parked: list[Action] = field(factory=list, init=False)

    @property
    def now_s(self) -> float:
        """What its clock says."""
        return self.clock.now_s

    @property
    def leads(self) -> bool:
        """Whether the lease is in truth its own."""
        return self.cluster.lease.held_by(self.name, self.life)

    @property
    def blind(self) -> bool:
        """Whether it is cut off from the API, and so from the record and the lease; instances it may reach."""
        return self.cluster.net.path(self.name, API) is not Reach.OPEN

    @blind.setter
    def blind(self, blind: bool) -> None:
        if blind:
            self.cluster.api.down(self.name)
        else:
            self.cluster.api.up(self.name)

    def born(self) -> None:
        """Begin a new life."""
        self.alive, self.paused, self.life = True, False, self.life + 1
        self._parked.clear()

    def died(self) -> None:
        """End this life."""
        self.alive, self.paused, self.life = False, False, self.life + 1
        self._parked.clear()

    def after(self, seconds: float, action: Action) -> None:
        """Let something happen in this life when its own clock has counted so long; standing still, it waits."""
        life = self.life

        def happen() -> None:
            if life == self.life:
                self.read(action)

        self.clock.after(seconds, happen)

    def read(self, action: Action) -> None:
        """Let it take what came; while it stands still that waits, and nothing reaches a process that ended."""
        if not self.alive:
            return
        if self.paused:
            self._parked.append(action)
        else:
            action()

    def unpark(self) -> None:
        """Let it take, in order, what came while it stood still."""
        waiting, self._parked = self._parked, []
        life = self.life
        for action in waiting:
            self.cluster.world.at(0.0, lambda action=action: self.read(action) if life == self.life else None)  # type: ignore[misc]

    def request(
        self,
        serve: Callable[[], _Made],
        done: Callable[[_Made | None], None],
        *,
        writes: bool = False,
        life: int | None = None,
    ) -> None:
        """Ask the API for something.

        Args:
            serve: What it does, see `memgraph_ha.sim.world.api.Api.call`.
            done: Takes what came of it; None: no answer.
            writes: Whether it changes something.
            life: In which life that was sent which reaches the API now, and which alone hears of it; None: this one.
        """
        patience_s = self.patience_s / self.clock.rate
        life = self.life if life is None else life

        def answered(made: _Made | None) -> None:
            if life == self.life:
                self.read(lambda: done(made))

        self.cluster.api.call(self.name, serve, answered, patience_s, writes=writes)

    @property
    def patience_s(self) -> float:
        """How long it waits for an answer of the API, seconds by its own clock."""
        raise NotImplementedError

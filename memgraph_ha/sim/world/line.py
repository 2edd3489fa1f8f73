"""A controller's connection to one process: what it asks travels there and back over links."""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, TypeVar

from attrs import define, field

from memgraph_ha.core.names import InstanceName
from memgraph_ha.fakes.memgraph.instance import Instance
from memgraph_ha.fakes.memgraph.virtual import Refused, Ticket
from memgraph_ha.fakes.memgraph.virtual_host import Host, State
from memgraph_ha.fakes.memgraph.virtual_net import Reach

if TYPE_CHECKING:
    from memgraph_ha.sim.world.controller import Controller

_Seen = TypeVar("_Seen")

REFUSED_S = 0.001
"""How soon a refused connection is known where nobody lives at an address."""


@define(eq=False)
class Line:
    """One conversation, bound to the process that answered first (design 5), and to the controller's present life.

    Attributes:
        name: The instance, as the controller knows it.
        run: The run id of the process that it is bound to; None before the first answer.
    """

    controller: Controller
    name: InstanceName
    run: str | None = None
    _life: int = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Whoever asks now is told; a process that starts later under the same name has other connections."""
        self._life = self.controller.life

    def look(self, at: Callable[[Instance], _Seen], done: Callable[[_Seen | None], None]) -> None:
        """Ask what takes no transaction: `at` is what the process answers; None if there is none, or another one."""
        self._go(lambda host: self._glance(host, at, done), lambda: done(None))

    def knock(self, at: Callable[[InstanceName], _Seen], done: Callable[[_Seen | None], None]) -> None:
        """Connect without a word: the kernel answers, whatever its processes do; None if nobody has the address."""

        def come(host: Host) -> None:
            seen = at(InstanceName(host.name))
            self._back(host.name, lambda: done(seen))

        controller, net = self.controller, self.controller.cluster.net
        host = controller.watcher.host_of(self.name)
        if host is None or net.path(controller.name, host.name) is Reach.REFUSED:
            controller.cluster.world.at(REFUSED_S, lambda: self._hear(lambda: done(None)))
        else:
            net.carry(controller.name, host.name, lambda: come(host), controller.policy.command_deadline_s)

    def ask(
        self,
        query: str,
        done: Callable[[Ticket], None],
        *,
        late_s: float = 0.0,
        landing: Callable[[Instance], None] = lambda _instance: None,
    ) -> None:
        """Send a query.

        Args:
            query: What.
            done: Takes the outcome; its error is `Refused` if the process is gone or another one.
            late_s: How much longer the query is on the wire.
            landing: Told when it reaches the process, before anything comes of it.
        """

        def land(host: Host) -> None:
            landing(host.live())
            world = self.controller.cluster.world
            world.send(host.name, query, then=lambda ticket: self._back(host.name, lambda: done(ticket)))

        def arrive(host: Host) -> None:
            if host.frozen:
                host.later(0.0, lambda: land(host))  # its kernel has it, and keeps it
            else:
                land(host)

        self._go(arrive, lambda: done(Ticket(0.0, done=True, error=Refused(self.name))), late_s)

    def _glance(self, host: Host, at: Callable[[Instance], _Seen], done: Callable[[_Seen | None], None]) -> None:
        def answer() -> None:
            seen = at(host.live())
            self._back(host.name, lambda: done(seen))

        if host.frozen:
            host.later(0.0, answer)
        else:
            answer()

    def _go(self, arrive: Callable[[Host], None], refused: Callable[[], None], late_s: float = 0.0) -> None:
        """Bring something to the process, if it is the right one when that arrives."""
        controller, net = self.controller, self.controller.cluster.net
        host = controller.watcher.host_of(self.name)
        if host is None or net.path(controller.name, host.name) is Reach.REFUSED:
            controller.cluster.world.at(REFUSED_S, lambda: self._hear(refused))
            return

        def come() -> None:
            if host.state is not State.OPEN or (self.run is not None and host.live().run_id != self.run):
                self._back(host.name, refused)
                return
            self.run = host.live().run_id
            arrive(host)

        def leave() -> None:
            net.carry(controller.name, host.name, come, controller.policy.command_deadline_s)

        if late_s:
            controller.cluster.world.at(late_s, leave)
        else:
            leave()

    def _back(self, name: str, done: Callable[[], None]) -> None:
        controller = self.controller
        controller.cluster.net.answer(name, controller.name, lambda: self._hear(done))

    def _hear(self, done: Callable[[], None]) -> None:
        if self.controller.life == self._life:
            self.controller.read(done)

"""One controller's part in the failsafe: the code that ships, on messages that take time (docs/decisions/0011)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from attrs import define, field

from memgraph_ha.failsafe.promiser import Lease, Promiser, Question, Reply
from memgraph_ha.failsafe.roster import Peer, Roster
from memgraph_ha.failsafe.state import State

if TYPE_CHECKING:
    from memgraph_ha.sim.world.controller import Controller

ASK_S: Final = 1.0
"""As the adapter: a peer that has not answered by then has not promised."""


@define(eq=False)
class Pact:
    """What a controller has promised, and what it was promised.

    A controller's pod is always the same here, whatever becomes of its process: its name is its UID.
    """

    controller: Controller
    state: State = field(init=False)

    def begin(self) -> None:
        """A process starts: it remembers nothing."""
        policy, name = self.controller.policy, self.controller.name
        self.state = State(
            promiser=Promiser(uid=name, duration_s=policy.lease_duration_s, fresh_s=policy.lease_renew_s)
        )

    def roster(self) -> str:
        """Who may lead, as the API lists the controllers."""
        name = self.controller.name
        others = sorted(other for other in self.controller.cluster.controllers if other != name)
        peers = tuple(Peer(pod=other, uid=other, address=other) for other in others)
        return Roster(pod=name, holder=name, peers=peers).to_text()

    def sight(self) -> Lease:
        """What a look at the lease shows, at the instant at which the API serves it."""
        lease = self.controller.cluster.lease
        if lease.holder is None:
            return Lease(token=str(lease.renewals))
        return Lease(
            token=str(lease.renewals),
            session=f"{lease.holder}/{lease.life}",
            term=lease.term,
            duration_s=self.controller.policy.lease_duration_s,
            released=not lease.holder,
            controllers=lease.controllers,
        )

    def saw(self, seen: Lease) -> None:
        """A look was answered."""
        self.state = self.state.saw(seen, self.controller.now_s)

    def forbids(self, unchanged_s: float) -> bool:
        """Whether the lease must not be taken now."""
        return self.state.forbids(unchanged_s, self.controller.now_s) is not None

    def kept(self, seen: Lease, sent_s: float) -> None:
        """A take or a renewal was acknowledged, and the lease was this after it."""
        self.saw(seen)
        self.state = self.state.kept(seen.session, seen.term, seen.duration_s, seen.controllers, sent_s)

    def turn(self) -> None:
        """Ask everybody, if it is time."""
        controller, policy = self.controller, self.controller.policy
        first_s = min(2 * policy.lease_renew_s, policy.lease_duration_s / 2)
        if not self.state.due(controller.now_s, first_s=first_s, every_s=policy.lease_renew_s):
            return
        self.state, questions = self.state.ask(controller.now_s)
        for peer, question in questions:
            self._ask(peer.uid, question)

    def _ask(self, name: str, question: Question) -> None:
        controller, other, life = self.controller, self.controller.cluster.controllers[name], self.controller.life
        net, ends_s = controller.cluster.net, controller.cluster.now + ASK_S

        def hear() -> None:
            other.pact.state, reply = other.pact.state.asked(question, other.now_s)
            net.answer(name, controller.name, lambda: arrive(reply), ASK_S)

        def arrive(reply: Reply) -> None:
            if life == controller.life and controller.cluster.now <= ends_s:
                controller.read(lambda: self._take(reply))

        net.carry(controller.name, name, lambda: other.read(hear), ASK_S)

    def _take(self, reply: Reply) -> None:
        self.state = self.state.answered(reply, self.controller.now_s)
        self.controller.elector.prolong()

"""One controller's part in the election, by the Kubernetes rule (design 7).

Expiry is judged by when *this* process last saw the lease change, on its own clock; its own term counts from when a
renewal was *sent*.
"""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from attrs import define, evolve, field

from memgraph_ha.core.facts import LeaseSeen
from memgraph_ha.failsafe.promiser import Lease

if TYPE_CHECKING:
    from memgraph_ha.sim.world.controller import Controller

LOOKS_PER_RENEWAL = 4
"""How often somebody who does not lead looks at the lease in the time between two renewals."""


@define(eq=False)
class Elector:
    """Gains, renews, loses and regains the lease for ever.

    Attributes:
        mine: What this process holds, as it reports it.
        seen: What the lease was when last looked at, and since when it has been just that, on its own clock.
    """

    controller: Controller
    mine: LeaseSeen = field(factory=lambda: LeaseSeen(at_s=0.0, leading=False))
    seen: tuple[tuple[str | None, int], float] = ((None, -1), 0.0)
    _floor: int = 0
    _renewed_s: float = 0.0
    _asking: bool = False

    def begin(self) -> None:
        """A process starts: it holds nothing and has seen nothing."""
        now_s = self.controller.now_s
        self.mine, self.seen = LeaseSeen(at_s=now_s, leading=False), ((None, -1), now_s)
        self._asking, self._floor = False, 0
        self.controller.pact.begin()
        self._turn()

    @property
    def left_s(self) -> float:
        """What is left of its own term, by its own clock; 0 if it does not lead."""
        return max(0.0, self.mine.until_s - self.controller.now_s) if self.mine.leading else 0.0

    def release(self) -> None:
        """Give the lease back, as a process does that ends in order, after its gateways are shut."""
        if self.mine.leading:
            controller, lease = self.controller, self.controller.cluster.lease
            name, life = controller.name, controller.life
            controller.request(lambda: lease.release(name, life), lambda _none: None, writes=True)

    def raise_floor(self, generation: int) -> None:
        """Carry the highest generation seen into the lease; if it is ours, by a renewal now."""
        if generation > self._floor:
            self._floor, self._renewed_s = generation, -math.inf
            if self.mine.leading and not self._asking:
                self._asking = True
                self._renew(self.controller.now_s)

    def _turn(self) -> None:
        policy = self.controller.policy
        self.controller.after(policy.lease_renew_s / LOOKS_PER_RENEWAL, self._turn)
        if self.mine.leading and self.left_s <= 0:
            self._lose()
        self.controller.pact.turn()
        if self._asking:
            return
        now_s = self.controller.now_s
        if not self.mine.leading:
            self._asking = True
            self._look(now_s)
        elif now_s >= self._renewed_s + policy.lease_renew_s:
            self._asking = True
            self._renew(now_s)

    def prolong(self) -> None:
        """Promises may have moved the end of its term."""
        if self.mine.leading and self.left_s > 0:
            self._report(evolve(self.mine, until_s=self.controller.pact.state.until_s(self.mine.until_s)))

    def _lose(self) -> None:
        self.controller.pact.state = self.controller.pact.state.lost()
        self._report(evolve(self.mine, leading=False))

    def _renew(self, sent_s: float) -> None:
        controller, lease, floor = self.controller, self.controller.cluster.lease, self._floor
        name, life, pact = controller.name, controller.life, self.controller.pact
        controllers = pact.roster()
        pact.state = pact.state.writes(controllers)

        def answered(done: tuple[bool, int, Lease] | None) -> None:
            self._asking = False
            if done is None or not self.mine.leading:
                return  # no answer: tried again at the next turn
            held, known, seen = done
            if held and controller.now_s < max(self.mine.until_s, sent_s + controller.policy.lease_duration_s):
                self._renewed_s = sent_s
                pact.kept(seen, sent_s)
                until_s = pact.state.until_s(sent_s + controller.policy.lease_duration_s)
                self._report(evolve(self.mine, until_s=until_s, floor_generation=known))
            else:
                self._lose()

        def serve() -> tuple[bool, int, Lease]:
            return lease.renew(name, life, floor, controllers), lease.floor, pact.sight()

        controller.request(serve, answered, writes=True)

    def _look(self, asked_s: float) -> None:
        controller, lease = self.controller, self.controller.cluster.lease

        def answered(found: tuple[tuple[str | None, int], int, Lease] | None) -> None:
            if found is None:
                self._asking = False
                return
            key, floor, sight = found
            controller.pact.saw(sight)
            before = self.seen
            if key != before[0]:
                self.seen = (key, asked_s)
            holder = key[0]
            removed = holder is None and bool(before[0][0])
            waited_s = controller.now_s - self.seen[1]
            free = not holder or waited_s >= controller.policy.lease_duration_s
            if free and not controller.pact.forbids(waited_s):
                self._take(key, floor, clean=not removed)
            else:
                self._asking = False
                self._report(evolve(self.mine, floor_generation=floor))

        controller.request(lambda: (lease.key, lease.floor, controller.pact.sight()), answered)

    def _take(self, key: tuple[str | None, int], floor: int, *, clean: bool) -> None:
        controller, lease, sent_s = self.controller, self.controller.cluster.lease, self.controller.now_s
        name, life, pact = controller.name, controller.life, self.controller.pact
        until_s = sent_s + controller.policy.lease_duration_s
        pact.state = pact.state.taking(str(key[1]))

        def answered(done: tuple[bool, Lease] | None) -> None:
            self._asking = False
            now_s = controller.now_s
            taken, seen = (None, None) if done is None else done
            pact.state = pact.state.took(done=taken)
            if seen is not None and taken and now_s < until_s:
                controller.cluster.say(controller.name, "leads" if clean else "leads; somebody removed the lease")
                self._renewed_s = sent_s
                pact.kept(seen, sent_s)
                mine = LeaseSeen(
                    at_s=now_s, leading=True, until_s=until_s, since_s=now_s, clean=clean, floor_generation=floor
                )
                self._report(mine)

        controller.request(lambda: (lease.take(name, life, key), pact.sight()), answered, writes=True)

    def _report(self, mine: LeaseSeen) -> None:
        """Say what it holds now, if that is something else than before."""
        changed = mine.leading is not self.mine.leading
        if not changed and mine == self.mine:
            return
        self.mine = evolve(mine, at_s=self.controller.now_s)
        self.controller.file(self.mine)
        if changed:
            self.controller.reader.soon()

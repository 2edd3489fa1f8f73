"""The Kubernetes API as controllers meet it: record, lease and the list of members, over links that fail.

Reads of the record and all writes are linearizable (a quorum read, a compare-and-set on ``resourceVersion``); the list
of members comes by a watch, which may be late, may lose events, and may end with 410 Gone, after which it is listed
anew (Kubernetes API concepts, "Efficient detection of changes"). Faults may break each of these.
"""

from __future__ import annotations

import random
from collections.abc import Callable
from typing import TYPE_CHECKING, Final, TypeVar

from attrs import define

from memgraph_ha.core.topology import Member
from memgraph_ha.fakes.memgraph.virtual_net import Reach
from memgraph_ha.sim.world.store import LeaseObject, Store

if TYPE_CHECKING:
    from memgraph_ha.sim.world.ground import Ground

API: Final = "api"
"""Its name as an endpoint of links."""

WATCH_S: Final = 0.05
"""How late an event of the watch is as a rule."""

RELIST_S: Final = 0.5
"""After how long a watch that ended is begun anew."""

REFUSED_S: Final = 0.002
"""How soon it is known that a connection was refused, or a request turned away with 429."""

Members = tuple[Member, ...]
_Made = TypeVar("_Made")


@define(eq=False)
class Manners:
    """How the API treats one controller, or all of them.

    Attributes:
        slow: Between which two durations an answer takes longer, seconds; None: it does not.
        refuse: How often a request is turned away (429 Too Many Requests), 0 to 1.
        back: By how many changes a new list of the members is stale; 0: not at all.
        record_back: By how many changes reads of the record are stale.
        lag_s: How much later events of the watch are.
        gap: Events are lost.
        lose_writes: To so many of the next writes no answer comes, though they are done.
    """

    slow: tuple[float, float] | None = None
    refuse: float = 0.0
    back: int = 0
    record_back: int = 0
    lag_s: float = 0.0
    gap: bool = False
    lose_writes: int = 0


@define(eq=False)
class Watch:
    """One controller's watch of the list of members.

    Attributes:
        deliver: Takes a list.
        seen: The version of the newest list that it took: an older one that comes late says nothing.
        broken: Its connection was refused or reset, and it is about to be begun anew.
    """

    who: str
    deliver: Callable[[Members], None]
    seen: int = -1
    broken: bool = False


class Api:
    """One API server, and what it keeps.

    Args:
        cluster: Whose.
        dice: What slowness and refusals are drawn from.

    Attributes:
        store: The record.
        lease: The lease.
        conflicts: Before so many of the next writes somebody touches the record.
    """

    def __init__(self, cluster: Ground, dice: random.Random) -> None:
        self._cluster = cluster
        self._dice = dice
        self.store = Store()
        self.lease = LeaseObject()
        self.conflicts = 0
        self._manners: dict[str | None, Manners] = {}
        self._watches: dict[str, Watch] = {}
        self._lists: list[Members] = [()]

    # -- requests --------------------------------------------------------------------------------

    def call(
        self,
        who: str,
        serve: Callable[[], _Made],
        done: Callable[[_Made | None], None],
        patience_s: float,
        *,
        writes: bool = False,
    ) -> None:
        """Ask for something.

        Args:
            who: The controller.
            serve: What the API does when the request arrives there.
            done: Takes its result, or None: refused, turned away, or no answer within `patience_s`.
            patience_s: How long the controller waits, seconds of true time.
            writes: It changes something: its answer may be lost by `lose_write_answer`, and it may come twice.
        """
        world, net, over = self._cluster.world, self._cluster.net, [False]

        def end(result: _Made | None) -> None:
            if not over[0]:
                over[0] = True
                done(result)

        if net.path(who, API) is Reach.REFUSED:
            world.at(REFUSED_S, lambda: end(None))
            return
        slow_s, turned_away = self._mood(who)

        def arrive() -> None:
            if turned_away:
                net.carry(API, who, lambda: end(None), patience_s)
            else:
                self._after(slow_s / 2, work)

        def work() -> None:
            result = serve()
            if not (writes and self._loses_answer(who)):
                self._after(slow_s / 2, lambda: net.answer(API, who, lambda: end(result), patience_s))

        world.at(patience_s, lambda: end(None))
        carry = net.carry_once_or_twice if writes else net.carry
        carry(who, API, arrive, patience_s)

    def _after(self, seconds: float, action: Callable[[], None]) -> None:
        if seconds:
            self._cluster.world.at(seconds, action)
        else:
            action()

    def before_a_write(self) -> None:
        """Let somebody touch the record first, if a conflict was ordered."""
        if self.conflicts:
            self.conflicts -= 1
            self.store.touch()

    def record_back(self, who: str) -> int:
        """By how many changes that controller's reads of the record are stale."""
        return max((manners.record_back for manners in self._of(who)), default=0)

    def _of(self, who: str) -> list[Manners]:
        return [self._manners[key] for key in (who, None) if key in self._manners] if self._manners else []

    def _mood(self, who: str) -> tuple[float, bool]:
        """Draw how much longer a request takes, and whether it is turned away."""
        slow_s, turned_away = 0.0, False
        for manners in self._of(who):
            if manners.slow is not None:
                slow_s = max(slow_s, self._dice.uniform(*manners.slow))
            if manners.refuse:
                turned_away = self._dice.random() < manners.refuse or turned_away
        return slow_s, turned_away

    def _loses_answer(self, who: str) -> bool:
        for manners in self._of(who):
            if manners.lose_writes:
                manners.lose_writes -= 1
                return True
        return False

    # -- the watch -------------------------------------------------------------------------------

    def watch(self, who: str, deliver: Callable[[Members], None]) -> None:
        """List the members and tell of every change; a second call of the same controller ends its first watch."""
        self._watches[who] = Watch(who, deliver)
        self._list(self._watches[who])

    def publish(self, members: Members) -> None:
        """The list has changed: tell whoever watches."""
        if members == self._lists[-1]:
            return
        self._lists.append(members)
        for watch in list(self._watches.values()):
            if not any(manners.gap for manners in self._of(watch.who)):
                self._send(watch, len(self._lists) - 1)

    def repeat(self) -> None:
        """Send everybody the newest list again: something else in it changed, such as a readiness."""
        for watch in list(self._watches.values()):
            self._send(watch, len(self._lists) - 1)

    def _send(self, watch: Watch, version: int) -> None:
        """Let a list reach a watcher: in order, for a watch is one connection."""
        lag_s = WATCH_S + max((manners.lag_s for manners in self._of(watch.who)), default=0.0)

        def arrive() -> None:
            if self._watches.get(watch.who) is watch and version >= watch.seen:
                watch.seen = version
                watch.deliver(self._lists[version])

        def leave() -> None:
            net = self._cluster.net  # reset in either direction it ends, and both sides learn of it
            if Reach.REFUSED in (net.reach(watch.who, API), net.reach(API, watch.who)):
                self._reopen(watch)
            else:
                self._cluster.net.carry_once_or_twice(API, watch.who, arrive)

        self._cluster.world.at(lag_s, leave)

    def _reopen(self, watch: Watch) -> None:
        """Begin a watch anew a little later, again and again until the API takes it."""

        def again() -> None:
            watch.broken = False
            self._list(watch)

        if not watch.broken:
            watch.broken = True
            self._cluster.world.at(RELIST_S, again)

    def _list(self, watch: Watch) -> None:
        """List anew, on a new connection: it may reach a server that is behind, and the watch goes on from there."""
        watch.seen = -1
        back = max((manners.back for manners in self._of(watch.who)), default=0)
        self._send(watch, max(0, len(self._lists) - 1 - back))

    # -- faults ----------------------------------------------------------------------------------

    def manners(self, who: str | None) -> Manners:
        """Return how it treats one controller (None: all of them), to change it."""
        return self._manners.setdefault(who, Manners())

    def down(self, who: str | None = None, how: Reach = Reach.BLACK_HOLE) -> None:
        """Let nobody, or not that controller, reach it: nothing is answered, or everything is refused."""
        for name in self._whom(who):
            self._cluster.net.cut(name, API, how)

    def up(self, who: str | None = None) -> None:
        """Let everybody, or that controller, reach it again."""
        for name in self._whom(who):
            self._cluster.net.heal(name, API)

    def _whom(self, who: str | None) -> list[str]:
        return list(self._cluster.controllers) if who is None else [who]

    def throttle(self, low_s: float = 5.0, high_s: float = 10.0, refuse: float = 0.0, who: str | None = None) -> None:
        """Answer `low_s` to `high_s` seconds late, and turn away the part `refuse` (0 to 1) of all requests (429)."""
        manners = self.manners(who)
        manners.slow, manners.refuse = (low_s, high_s), refuse

    def unthrottle(self, who: str | None = None) -> None:
        """Answer at once again."""
        manners = self.manners(who)
        manners.slow, manners.refuse = None, 0.0

    def stale(self, versions: int = 1, who: str | None = None, *, record: bool = False) -> None:
        """End the watch, and serve new lists of the members as of so many changes ago: an API server that is behind.

        Args:
            versions: How many changes.
            who: Which controller's; None: all of them.
            record: Reads of the record too, which the contract of `memgraph_ha.core.facts.RecordSeen` excludes (a
                quorum read): for the search of what depends on it. Writes always meet the truth.
        """
        manners = self.manners(who)
        manners.back = versions
        manners.record_back = versions if record else 0
        self.expire(who)

    def fresh(self, who: str | None = None) -> None:
        """Serve the newest again, and let the watch begin anew."""
        manners = self.manners(who)
        manners.back = manners.record_back = 0
        self.expire(who)

    def lag(self, seconds: float, who: str | None = None) -> None:
        """Let events of the watch come so much later; if that is less than before, what is so now comes first."""
        manners = self.manners(who)
        less, manners.lag_s = seconds < manners.lag_s, seconds
        if less:
            self.repeat()

    def gap(self, who: str | None = None) -> None:
        """Lose every event of the watch until `expire` or `end_gap`."""
        self.manners(who).gap = True

    def end_gap(self, who: str | None = None) -> None:
        """Lose no more events, and say nothing of those that were lost."""
        self.manners(who).gap = False

    def expire(self, who: str | None = None) -> None:
        """End the watch with 410 Gone: it is begun anew with a list."""
        self.manners(who).gap = False
        for name in self._whom(who):
            watch = self._watches.get(name)
            if watch is not None:
                self._reopen(watch)

    def lose_write_answer(self, count: int = 1, who: str | None = None) -> None:
        """Do the next `count` writes and never answer them."""
        self.manners(who).lose_writes += count

    def conflict(self, count: int = 1) -> None:
        """Let somebody touch the record right before each of the next `count` writes of it."""
        self.conflicts += count

    def heal(self) -> None:
        """Treat everybody well, and let every watch begin anew if it may have missed something."""
        missed = any(manners.gap or manners.back or manners.lag_s for manners in self._manners.values())
        self._manners.clear()
        self.conflicts = 0
        if missed:
            self.expire()

"""The network between the hosts of a `World`, and whoever else speaks with them: one `Link` per direction.

Everything is TCP: bytes arrive once and in order, or not at all. What is lost is sent again by the kernel (first after
0.2 s, then after twice as long each time: Linux, TCP_RTO_MIN), so loss is lateness, and what a cut swallowed arrives
after it is mended, if the connection still lives by then.
"""

from __future__ import annotations

import enum
import random
from collections.abc import Callable
from typing import Final, Protocol

from attrs import define, field

LATENCY_S: Final = 0.0005  # one way

RETRANSMIT_S: Final = 0.2
"""When the kernel first sends again what was not acknowledged (Linux: TCP_RTO_MIN)."""

RETRANSMISSIONS: Final = 6
"""A message is late by at most so many of them here: 12.6 s; whoever waits has given up before."""


class Reach(enum.Enum):
    """What becomes of bytes from one instance to another."""

    OPEN = "open"
    REFUSED = "refused"  # a connection is refused, an open one is reset
    BLACK_HOLE = "black hole"  # nothing arrives, nothing is answered


_WORSE: Final = {Reach.OPEN: 0, Reach.REFUSED: 1, Reach.BLACK_HOLE: 2}

Deliver = Callable[[], None]


@define(eq=False)
class Connection:
    """A connection to a peer's replication server.

    Attributes:
        peer: Host name.
        server: Which opening of which process's server it leads to.
    """

    peer: str
    server: object


@define(eq=False)
class Link:
    """One direction between two endpoints.

    Attributes:
        reach: What becomes of bytes.
        latency_s: One way.
        jitter_s: Up to so much is added, drawn for each message.
        loss: How often a message has to be sent again, 0 to 1.
        twice: How often a message comes a second time, 0 to 1; only what the receiver may get twice is so carried.
        held: Nothing arrives until it is released.
        mute: The answers to so many of the next requests are lost.
        waiting: What a cut or a hold keeps, with the time at which its sender gives it up.
    """

    reach: Reach = Reach.OPEN
    latency_s: float = LATENCY_S
    jitter_s: float = 0.0
    loss: float = 0.0
    twice: float = 0.0
    held: bool = False
    mute: int = 0
    waiting: list[tuple[float, Deliver]] = field(factory=list)

    def delay_s(self, dice: random.Random) -> float:
        """Draw how long the next message takes, seconds."""
        delay_s = self.latency_s
        if self.jitter_s:
            delay_s += self.jitter_s * dice.random()
        again_s = RETRANSMIT_S
        for _ in range(RETRANSMISSIONS if self.loss else 0):
            if dice.random() >= self.loss:
                break
            delay_s, again_s = delay_s + again_s, again_s * 2
        return delay_s


class Time(Protocol):
    """Who knows the time, and lets things happen later."""

    now: float

    def at(self, seconds: float, action: Deliver) -> None:
        """Let `action` happen `seconds` from now."""


class Network:
    """Links between every two endpoints, in both directions; those never spoken of are open and quick.

    Args:
        time: When messages arrive.
        dice: What jitter, loss and repetition are drawn from.
    """

    def __init__(self, time: Time, dice: random.Random) -> None:
        self._time = time
        self._dice = dice
        self._links: dict[tuple[str, str], Link] = {}
        self.on_refusal: Callable[[str, str], None] = lambda _source, _target: None

    def link(self, source: str, target: str) -> Link:
        """Return the link from `source` to `target`, to change it."""
        return self._links.setdefault((source, target), Link())

    def reach(self, source: str, target: str) -> Reach:
        """Return what becomes of bytes from `source` to `target`."""
        link = self._links.get((source, target))
        return Reach.OPEN if link is None else link.reach

    def path(self, source: str, target: str) -> Reach:
        """Return what becomes of a new connection from `source` to `target`: it needs both directions."""
        if not self._links:
            return Reach.OPEN
        there, back = self.reach(source, target), self.reach(target, source)
        if back is Reach.BLACK_HOLE:
            return back  # the answer to the first packet never comes
        return there

    # -- faults ----------------------------------------------------------------------------------

    def cut(self, source: str, target: str, how: Reach = Reach.BLACK_HOLE, *, both: bool = True) -> None:
        """Let nothing through from `source` to `target` any more.

        Args:
            source: Who sends.
            target: Who receives.
            how: `BLACK_HOLE` swallows; `REFUSED` refuses new connections and resets those that are open; `OPEN` mends.
            both: In the other direction too; else the cut is asymmetric.
        """
        for one, other in ((source, target), (target, source))[: 2 if both else 1]:
            link = self.link(one, other)
            link.reach = how
            if how is Reach.REFUSED:
                link.waiting.clear()
                self.on_refusal(one, other)
            elif how is Reach.OPEN and not link.held:
                self._deliver_waiting(link, RETRANSMIT_S)

    def slow(self, source: str, target: str, seconds: float, jitter_s: float = 0.0, *, both: bool = True) -> None:
        """Let everything take `seconds`, and up to `jitter_s` more, one way."""
        for one, other in ((source, target), (target, source))[: 2 if both else 1]:
            link = self.link(one, other)
            link.latency_s, link.jitter_s = max(LATENCY_S, seconds), jitter_s

    def lossy(self, source: str, target: str, probability: float, *, both: bool = True) -> None:
        """Lose that part of all packets, 0 to 1: messages come late by the kernel's retransmissions."""
        for one, other in ((source, target), (target, source))[: 2 if both else 1]:
            self.link(one, other).loss = probability

    def duplicate(self, source: str, target: str, probability: float) -> None:
        """Let that part of the requests and events from `source` reach `target` twice, as a client's retry does."""
        self.link(source, target).twice = probability

    def hold(self, source: str, target: str, *, both: bool = False) -> None:
        """Keep whatever is sent from `source` to `target`, in order, until it is released."""
        for one, other in ((source, target), (target, source))[: 2 if both else 1]:
            self.link(one, other).held = True

    def release(self, source: str, target: str) -> None:
        """Deliver what was held between the two, in both directions, and hold nothing more."""
        for one, other in ((source, target), (target, source)):
            link = self._links.get((one, other))
            if link is not None and link.held:
                link.held = False
                if link.reach is Reach.OPEN:
                    self._deliver_waiting(link, 0.0)

    def drop_answers(self, source: str, target: str, count: int = 1) -> None:
        """Let `target` do what `source` asks for next, `count` times, and lose its answers."""
        self.link(target, source).mute += count

    def heal(self, source: str | None = None, target: str | None = None) -> None:
        """Make links as good as new: between the two, or all of one endpoint, or all there are."""
        for (one, other), link in list(self._links.items()):
            ends = {one, other}
            if (source is None or source in ends) and (target is None or target in ends):
                del self._links[one, other]
                late_s = RETRANSMIT_S if link.reach is Reach.BLACK_HOLE else 0.0
                self._deliver_waiting(link, late_s)

    # -- messages --------------------------------------------------------------------------------

    def carry(self, source: str, target: str, deliver: Deliver, patience_s: float = 3600.0) -> None:
        """Bring a message of an open connection to `target`.

        Args:
            source: Who sends it.
            target: Who gets it.
            deliver: Called when it arrives, which is never later than `patience_s` from now if a link keeps it.
            patience_s: When the sender's kernel or program gives up (TCP_USER_TIMEOUT, a deadline).
        """
        link = self._links.get((source, target))
        if link is None:
            self._time.at(LATENCY_S, deliver)
        elif link.held or link.reach is Reach.BLACK_HOLE:
            link.waiting.append((self._time.now + patience_s, deliver))
        elif link.reach is Reach.OPEN:
            self._time.at(link.delay_s(self._dice), deliver)

    def answer(self, source: str, target: str, deliver: Deliver, patience_s: float = 3600.0) -> None:
        """Like `carry`, for the answer to a request: `drop_answers` may lose it."""
        link = self._links.get((source, target))
        if link is not None and link.mute:
            link.mute -= 1
            return
        self.carry(source, target, deliver, patience_s)

    def carry_once_or_twice(self, source: str, target: str, deliver: Deliver, patience_s: float = 3600.0) -> None:
        """Like `carry`, for what its receiver must bear to get twice: an event, a request that a client repeats."""
        link = self._links.get((source, target))
        if link is not None and link.twice and self._dice.random() < link.twice:
            self.carry(source, target, deliver, patience_s)
        self.carry(source, target, deliver, patience_s)

    def _deliver_waiting(self, link: Link, late_s: float) -> None:
        kept, link.waiting = link.waiting, []
        for until_s, deliver in kept:
            if self._time.now <= until_s:
                self._time.at(late_s + LATENCY_S, deliver)

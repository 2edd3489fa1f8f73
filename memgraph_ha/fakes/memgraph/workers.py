"""The Bolt worker threads: some for everything, one only for cheap SHOW queries (semantics 9.4)."""

from __future__ import annotations

import enum
from collections import deque

from attrs import define, field

from .effects import Procedure, Wait
from .locks import Waiter


class Seat(enum.Enum):
    """Which kind of worker runs something."""

    COMMON = "common"
    EXPRESS = "express"


@define(eq=False)
class Workers:
    """Who may run a query now, and who waits.

    A blocked query keeps its worker, so with as many of them as workers only the express one still
    answers, until it is blocked too (transcripts Q4, Q7j).

    Attributes:
        free: Idle common workers.
        express_free: Whether the express worker is idle.
    """

    free: int
    express_free: bool = True
    waiting: deque[Waiter] = field(factory=deque)
    express_waiting: deque[Waiter] = field(factory=deque)

    def take(self, *, express: bool) -> Seat | None:
        """Take a worker now, or return None."""
        if self.free:
            self.free -= 1
            return Seat.COMMON
        if express and self.express_free:
            self.express_free = False
            return Seat.EXPRESS
        return None

    def give_back(self, seat: Seat) -> None:
        """Return a worker; the next one that waits for such a worker gets it."""
        queues = (self.express_waiting, self.waiting) if seat is Seat.COMMON else (self.express_waiting,)
        for queue in queues:
            if queue:
                waiter = queue.popleft()
                waiter.granted = seat
                waiter.wake()
                return
        if seat is Seat.COMMON:
            self.free += 1
        else:
            self.express_free = True

    def enqueue(self, waiter: Waiter) -> None:
        """Let `waiter`, `exclusive` meaning express here, be served by a later `give_back`."""
        (self.express_waiting if waiter.exclusive else self.waiting).append(waiter)

    def forget(self, waiter: Waiter) -> None:
        """Take `waiter` out; a worker that it was given meanwhile goes to the next."""
        if isinstance(waiter.granted, Seat):
            self.give_back(waiter.granted)
            return
        for queue in (self.express_waiting, self.waiting):
            if waiter in queue:
                queue.remove(waiter)


def enter(workers: Workers, *, express: bool) -> Procedure[Seat]:
    """Wait for a worker and return it; give it back with `Workers.give_back`."""
    seat: object = workers.take(express=express)
    if seat is None:
        seat = yield Wait(workers, exclusive=express, timeout_s=None)
    assert isinstance(seat, Seat)  # noqa: S101 - without a timeout Wait is resumed with what was granted
    return seat

"""The locks of a Memgraph process as plain values: who holds them and who waits.

A driver (trio or virtual time) waits on behalf of a procedure; everything else, trying and
releasing included, is an ordinary method call, so a procedure may release in `finally`.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Generator

from attrs import define, field

from .effects import Effect, Wait


@define(eq=False)
class Waiter:
    """One procedure that waits for a lock.

    Attributes:
        exclusive: What it waits for.
        wake: Called by the lock when trying again may succeed, or when it was granted.
        granted: What was handed over, if anything; it is what `Wait` is resumed with.
    """

    exclusive: bool
    wake: Callable[[], None]
    granted: object = None


@define(eq=False)
class Lock:
    """A readers-writer lock; only ever taken exclusively it is a mutex.

    Attributes:
        name: What it guards, for error messages and debugging.
        barging: A released lock is free for all instead of being handed to the first waiter, as the
            RPC mutex of a replication client is: its heartbeat thread takes it again before a waiting
            commit wakes up (which is why a write to a frozen replica was seen to take 8 s longer:
            transcripts, table "Writes with a bad replica").
    """

    name: str
    barging: bool = False
    readers: int = 0
    writer: bool = False
    waiters: deque[Waiter] = field(factory=deque)

    @property
    def busy(self) -> bool:
        """Whether anybody holds it."""
        return self.writer or self.readers > 0

    def try_acquire(self, *, exclusive: bool = True) -> bool:
        """Take the lock now, or return False.

        Args:
            exclusive: False for shared access.
        """
        if self.writer or (exclusive and self.readers):
            return False
        if exclusive:
            self.writer = True
        else:
            self.readers += 1
        return True

    def release(self, *, exclusive: bool = True, hand_over: bool = False) -> None:
        """Give the lock back and wake or serve whoever waits.

        Args:
            exclusive: As it was taken.
            hand_over: Let nobody barge in this time: the first that waits has it.
        """
        if exclusive:
            self.writer = False
        else:
            self.readers -= 1
        if self.waiters:
            self._serve(hand_over=hand_over)

    def enqueue(self, waiter: Waiter) -> None:
        """Let `waiter` be served by a later release."""
        self.waiters.append(waiter)

    def forget(self, waiter: Waiter) -> None:
        """Take `waiter` out of the queue; if it had been granted meanwhile, give the lock back."""
        if waiter.granted:
            self.release(exclusive=waiter.exclusive)
        elif waiter in self.waiters:
            self.waiters.remove(waiter)

    def _serve(self, *, hand_over: bool) -> None:
        if self.barging and not hand_over:
            if not self.busy:
                self.waiters.popleft().wake()
            return
        while self.waiters and self.try_acquire(exclusive=self.waiters[0].exclusive):
            waiter = self.waiters.popleft()
            waiter.granted = True
            waiter.wake()


def acquire(lock: Lock, *, exclusive: bool = True, timeout_s: float | None = None) -> Generator[Effect, object, bool]:
    """Take `lock`, waiting if need be.

    Args:
        lock: The lock.
        exclusive: False for shared access.
        timeout_s: Seconds to wait at most; None waits without end.

    Returns:
        Whether it was taken.
    """
    if not lock.waiters and lock.try_acquire(exclusive=exclusive):
        return True
    granted = yield Wait(
        lock,
        exclusive=exclusive,
        timeout_s=timeout_s,
        retry=lambda: lock.try_acquire(exclusive=exclusive) or None,
    )
    return bool(granted)


def wait_until_free(lock: Lock) -> Generator[Effect, object, None]:
    """Wait until nobody holds `lock` exclusively: take it and give it back at once."""
    if lock.writer:
        yield from acquire(lock, exclusive=False)
        lock.release(exclusive=False)

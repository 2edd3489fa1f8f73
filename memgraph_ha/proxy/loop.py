"""The loop under each gateway: one thread, one epoll, one lock, one listening socket.

The lock is held by the loop while it works through a batch of events, and by whoever applies a route. So what
`Loop.locked` changes is complete when it ends: no other thread is between a check and a write.
"""

import contextlib
import logging
import os
import socket
import threading
from abc import ABC, abstractmethod
from collections.abc import Callable, Collection, Iterator
from typing import Final

from memgraph_ha.core.names import InstanceName
from memgraph_ha.proxy.counters import Counters, Refusal, Tally
from memgraph_ha.proxy.dialogue import Standing
from memgraph_ha.proxy.link import Link
from memgraph_ha.proxy.lobby import Limits, turn_away
from memgraph_ha.proxy.options import Options
from memgraph_ha.proxy.poller import IN, Poller
from memgraph_ha.proxy.reception import Reception
from memgraph_ha.proxy.sockets import NO_ROOM

ACCEPTS_AT_ONCE: Final = 64
"""New clients taken in one round, so that those being relayed are not kept waiting."""
ACCEPT_PAUSE_S: Final = 0.1
"""Without descriptors or memory, accepting is tried again after this."""
EVENTS_AT_ONCE: Final = 256
LOOK_S: Final = 0.25
"""Longest sleep: the kernel's timers do not count a suspend, the permit's clock does."""
NEVER: Final = float("-inf")

log = logging.getLogger(__name__)


class Loop(ABC):
    """Accepts clients and polls their sockets; what is done with them is its heirs' business.

    Args:
        listener: A non-blocking listening socket; closed by `run`, or by `close` if that never ran.
        limits: What to take on.
        clock: The permits' clock, seconds. Called for each chunk: it should be cheap.
        options: How to receive clients.
    """

    def __init__(self, listener: socket.socket, limits: Limits, clock: Callable[[], float], options: Options) -> None:
        self._listener = listener
        self._limits = limits
        self._clock = clock
        self._lock = threading.Lock()
        # Python's locks are not fair: a busy loop would take its lock back before a waiter wakes. The loop passes
        # this one first, which whoever applies a route holds while it waits.
        self._turnstile = threading.Lock()
        self._tally = Tally()
        self._poller = Poller()
        self._reception = Reception(self._poller, options, self._tally, clock, admit=self._admit, stir=self.stir)
        self._accept_at = float("inf")
        self._accepting = True
        self._welcoming = True
        self._chores = True
        self._wake_at = NEVER
        self._stopping = False
        self._closed = False
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    # -- what an heir says -----------------------------------------------------------------------------------

    @abstractmethod
    def _crowd(self) -> int:
        """How many clients there are in all."""

    @abstractmethod
    def _objection(self) -> Refusal | None:
        """Why a client that comes now would be refused; None if it would not."""

    @abstractmethod
    def _admit(self, sock: socket.socket, preface: bytes, now: float) -> None:
        """Take in a new client, or refuse it; its upstream is to be told ``preface`` first."""

    @abstractmethod
    def _due(self, now: float) -> None:
        """Do what is due, before new clients are accepted."""

    @abstractmethod
    def _follow_up(self) -> float:
        """Do what new clients or news brought; returns when there is something to do next, on the clock."""

    @abstractmethod
    def _end(self) -> None:
        """Reset every connection and give everything back; the last call."""

    @abstractmethod
    def counters(self) -> Counters:
        """A consistent snapshot, on any thread."""

    def _snapshot(
        self, name: str, links: Collection[Link], relayed_to: dict[InstanceName, int], *, held: int, dialling: int
    ) -> Counters:
        """What an heir returns from `counters`, under the lock."""
        tally = self._tally
        standings = [link.standing for link in links]
        unknown = standings.count(Standing.UNKNOWN)
        return Counters(
            name=name,
            accepted=tally.accepted,
            refused=dict(tally.refused),
            held=tally.held,
            hung_up=tally.hung_up,
            released=tally.released,
            relayed=tally.relayed,
            cut=tally.cut,
            cut_open=tally.cut_open,
            dial_failures=tally.dial_failures,
            sentinel_breaks=tally.sentinel_breaks,
            accept_pauses=tally.accept_pauses,
            idled=tally.idled,
            bytes_to_main=tally.bytes_to_main + sum(link.main.written for link in links),
            bytes_to_clients=tally.bytes_to_clients + sum(link.client.written for link in links),
            received_now=self._reception.callers,
            held_now=held,
            dialling_now=dialling,
            active_now=len(links),
            relayed_to_now=relayed_to,
            inside_now=len(links) - standings.count(Standing.BETWEEN) - unknown,
            unknown_now=unknown,
            holding_now=sum(link.holds for link in links),
        )

    # -- called from any thread ------------------------------------------------------------------------------

    @contextlib.contextmanager
    def locked(self) -> Iterator[bool]:
        """Keep the loop between two batches of events, and wake it afterwards; False if it is closed."""
        with self._turnstile, self._lock:
            yield not self._closed
            self._chores = True
            if not self._closed:
                os.eventfd_write(self._bell, 1)

    def stop(self) -> None:
        """Make `run` end soon."""
        self._stopping = True
        with self.locked():
            pass

    def close(self) -> None:
        """Reset every connection and close every descriptor; harmless if `run` has done so."""
        with self._turnstile, self._lock:
            if self._closed:
                return
            self._closed = True
            self._reception.end()
            self._end()
            self._listener.close()
            self._poller.end()
            os.close(self._bell)

    # -- the loop --------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until `stop`; whatever ends it, everything is closed afterwards."""
        try:
            with self._lock:
                self._poller.watch(self._bell, IN, self._bell_rang)
                if self._welcoming:
                    self._poller.watch(self._listener.fileno(), IN, self._knocked)
            self._loop()
        finally:
            self.close()

    def _loop(self) -> None:
        poll, find, clock = self._poller.poll, self._poller.handlers.get, self._clock
        turnstile, lock = self._turnstile, self._lock
        now = clock()
        while not self._stopping:
            # One look at the clock per batch serves what is due and how long to sleep. Never below zero: epoll takes
            # that for "without end".
            pause = 0.0 if self._chores or self._wake_at <= now else self._wake_at - now
            events = poll(min(pause, LOOK_S), EVENTS_AT_ONCE)
            if turnstile.locked():
                with turnstile:
                    pass
            with lock:
                for fd, mask in events:
                    ready = find(fd)
                    if ready is not None:
                        ready(mask)
                now = clock()
                if self._chores or now >= self._wake_at:
                    self._tidy()
                    now = clock()

    def _bell_rang(self, _mask: int) -> None:
        os.eventfd_read(self._bell)
        self._chores = True

    def _knocked(self, _mask: int) -> None:
        self._chores = True

    def _tidy(self) -> None:
        """Everything that is not a byte in flight: time limits, new clients, dialling."""
        self._chores = False
        now = self._clock()
        self._due(now)
        self._reception.tick(now)
        self._accept(now)
        self._wake_at = min(
            self._follow_up(), self._reception.wake_at, float("inf") if self._accepting else self._accept_at
        )

    def _stop_accepting(self) -> None:
        """Take no more clients: whoever connects from now on is refused by the kernel; under the lock."""
        self._welcoming = False
        self._accepting = True  # nothing is to be tried again
        self._poller.close(self._listener)

    def _accept(self, now: float) -> None:
        if not self._welcoming:
            return
        if not self._accepting:
            if now < self._accept_at:
                return
            self._accepting = True
            self._poller.change(self._listener.fileno(), IN)
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                sock, address = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in NO_ROOM:
                    self._pause_accepting(now, error)
                    return
                continue  # that client is gone already
            sock.setblocking(False)
            self._tally.accepted += 1
            full = self._crowd() + self._reception.callers >= self._limits.max_connections
            why = Refusal.LIMIT if full else self._objection()
            if why is not None:
                turn_away(sock, self._tally, why)
            else:
                self._reception.receive(sock, address[0], now)
        self._chores = True  # there may be more

    def _pause_accepting(self, now: float, error: OSError) -> None:
        self._tally.accept_pauses += 1
        self._accepting = False
        self._accept_at = now + ACCEPT_PAUSE_S
        self._poller.change(self._listener.fileno(), 0)
        log.error("cannot accept clients, trying again in %s s (raise ulimit -n?): %s", ACCEPT_PAUSE_S, error)

    def stir(self) -> None:
        """See to everything before sleeping again; called on the loop's thread."""
        self._chores = True

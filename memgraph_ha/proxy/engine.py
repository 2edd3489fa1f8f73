"""The loop that moves the bytes: one thread, one epoll, one lock.

The lock is held by the loop while it works through a batch of events, and by whoever applies a route. So a cut is
complete when `Engine.apply` returns: no other thread is between a check and a write. To narrow, the gate's time
is lowered *before* the lock is asked for; the batch that is still running then finds it passed at its next check.
"""

import logging
import os
import socket
import threading
from collections.abc import Callable
from typing import Final

from memgraph_ha.core.permit import Permit
from memgraph_ha.proxy.counters import Counters, Tally
from memgraph_ha.proxy.lobby import Limits, Lobby, turn_away
from memgraph_ha.proxy.poller import IN, Poller
from memgraph_ha.proxy.relay import Gate, Link, Shared
from memgraph_ha.proxy.sentinel import Sentinel
from memgraph_ha.proxy.sockets import NO_ROOM, Target

ACCEPTS_AT_ONCE: Final = 64
"""New clients taken in one round, so that those being relayed are not kept waiting."""
ACCEPT_PAUSE_S: Final = 0.1
"""Without descriptors or memory, accepting is tried again after this."""
EVENTS_AT_ONCE: Final = 256
LOOK_S: Final = 0.25
"""Longest sleep: the kernel's timers do not count a suspend, the permit's clock does."""
REVIVE_AFTER_S: Final = 5.0
"""Whoever extends a permit so long after its sentinel broke has probed MAIN since: a process that died or was replaced
is found within about 2 s (policy ``refused_count``, ``frozen_count``)."""
NEVER: Final = float("-inf")

Notify = Callable[[float, Permit | None], None]
"""Told, on the engine's thread, when it shut by itself: the time, and the permit whose sentinel broke, if any."""

log = logging.getLogger(__name__)


class Engine:
    """Accepts, holds, dials, relays and cuts.

    Args:
        listener: A non-blocking listening socket; closed by `run`, or by `close` if that never ran.
        limits: What to take on.
        clock: The permit's clock, seconds. Called for each chunk: it should be cheap.
        notify: See `Notify`; must not block.
    """

    def __init__(self, listener: socket.socket, limits: Limits, clock: Callable[[], float], notify: Notify) -> None:
        self._listener = listener
        self._limits = limits
        self._clock = clock
        self._notify = notify
        self._lock = threading.Lock()
        # Python's locks are not fair: a busy loop would take its lock back before a waiter wakes. The loop passes
        # this one first, which whoever applies a route holds while it waits.
        self._turnstile = threading.Lock()
        self._gate = Gate(self._lapse)
        self._tally = Tally()
        self._poller = Poller()
        self._shared = Shared(self._poller, self._gate, clock)
        self._lobby = Lobby(self._poller, limits, self._tally, clock, self)
        self._sentinel = Sentinel(self._poller, clock, limits.connect_timeout_s, self._broke, self.stir)
        self._links: set[Link] = set()
        self._permit: Permit | None = None
        self._target: Target | None = None
        self._dead: Permit | None = None
        self._broke_at = NEVER
        self._accept_at = float("inf")
        self._accepting = True
        self._chores = True
        self._wake_at = NEVER
        self._stopping = False
        self._closed = False
        self._bell = os.eventfd(0, os.EFD_NONBLOCK | os.EFD_CLOEXEC)

    # -- called from any thread ------------------------------------------------------------------------------

    @property
    def permit(self) -> Permit | None:
        """Under which permit bytes may pass now; None: none do."""
        return self._permit

    def needs_target(self, permit: Permit) -> bool:
        """Whether `apply` has not dialled under this permit before."""
        return not permit.extends(self._permit) and not permit.extends(self._dead)

    def apply(self, permit: Permit | None, target: Target | None, *, hold: bool) -> None:
        """Work under this permit from now on.

        One that extends the present one moves its end. Any other change resets every relayed connection and
        every attempt before this returns. A permit whose sentinel broke is dead: whoever issues it again right
        away has not learnt yet that MAIN went. It may open again after another permit, or none, was applied, or
        when its end is moved `REVIVE_AFTER_S` or more after the break, and then only if MAIN answers.

        Args:
            permit: None shuts.
            target: Its resolved address; may be None if `needs_target` says so, otherwise the gate stays shut.
            hold: Whether clients may wait while it is shut.
        """
        present = self._permit
        extends = permit is not None and permit.extends(present)
        if not extends:
            self._gate.until = NEVER
        with self._turnstile, self._lock:
            if self._closed:
                return
            if permit is not None and self._permit is not None and permit.extends(self._permit):
                self._extend(permit)
            else:
                self._shut()
                self._open(permit, target)
            self._lobby.rule(hold=hold)
            self._ring()

    def counters(self) -> Counters:
        """A consistent snapshot."""
        with self._turnstile, self._lock:
            tally = self._tally
            return Counters(
                accepted=tally.accepted,
                refused=dict(tally.refused),
                held=tally.held,
                hung_up=tally.hung_up,
                released=tally.released,
                relayed=tally.relayed,
                cut=tally.cut,
                dial_failures=tally.dial_failures,
                sentinel_breaks=tally.sentinel_breaks,
                accept_pauses=tally.accept_pauses,
                bytes_to_main=tally.bytes_to_main + sum(link.main.written for link in self._links),
                bytes_to_clients=tally.bytes_to_clients + sum(link.client.written for link in self._links),
                held_now=self._lobby.waiting,
                dialling_now=self._lobby.dialling,
                active_now=len(self._links),
            )

    def stop(self) -> None:
        """Make `run` end soon; nothing passes from now on."""
        self._gate.until = NEVER
        self._stopping = True
        with self._turnstile, self._lock:
            self._ring()

    def close(self) -> None:
        """Reset every connection and close every descriptor; harmless if `run` has done so."""
        with self._turnstile, self._lock:
            if self._closed:
                return
            self._shut()
            self._closed = True
            self._lobby.end()
            self._shared.pipes.end()
            self._listener.close()
            self._poller.end()
            os.close(self._bell)

    def _ring(self) -> None:
        """Wake the loop; under the lock."""
        self._chores = True
        if not self._closed:
            os.eventfd_write(self._bell, 1)

    # -- the loop --------------------------------------------------------------------------------------------

    def run(self) -> None:
        """Work until `stop`; whatever ends it, everything is closed afterwards."""
        try:
            with self._lock:
                self._poller.watch(self._bell, IN, self._bell_rang)
                self._poller.watch(self._listener.fileno(), IN, self._knocked)
            self._loop()
        finally:
            self.close()

    def _loop(self) -> None:
        poll, find, clock = self._poller.poll, self._poller.handlers.get, self._clock
        turnstile, lock = self._turnstile, self._lock
        while not self._stopping:
            pause = 0.0 if self._chores else min(max(self._wake_at - clock(), 0.0), LOOK_S)
            events = poll(pause, EVENTS_AT_ONCE)
            with turnstile:
                pass
            with lock:
                for fd, mask in events:
                    ready = find(fd)
                    if ready is not None:
                        ready(mask)
                if self._chores or clock() >= self._wake_at:
                    self._tidy()

    def _bell_rang(self, _mask: int) -> None:
        os.eventfd_read(self._bell)
        self._chores = True

    def _knocked(self, _mask: int) -> None:
        self._chores = True

    def _tidy(self) -> None:
        """Everything that is not a byte in flight: time limits, new clients, dialling."""
        self._chores = False
        now = self._clock()
        if self._permit is not None and now >= self._gate.until:
            self._lapse()
        self._lobby.expire(now)
        self._sentinel.tick()
        self._accept(now)
        self._lobby.release()
        self._wake_at = min(
            self._sentinel.wake_at,
            self._lobby.wake_at(),
            float("inf") if self._accepting else self._accept_at,
            self._gate.until if self._permit is not None else float("inf"),
        )

    def _accept(self, now: float) -> None:
        if not self._accepting:
            if now < self._accept_at:
                return
            self._accepting = True
            self._poller.change(self._listener.fileno(), IN)
        for _ in range(ACCEPTS_AT_ONCE):
            try:
                sock, _ = self._listener.accept()
            except BlockingIOError:
                return
            except OSError as error:
                if error.errno in NO_ROOM:
                    self._pause_accepting(now, error)
                    return
                continue  # that client is gone already
            sock.setblocking(False)
            self._tally.accepted += 1
            if len(self._links) + self._lobby.waiting + self._lobby.dialling >= self._limits.max_connections:
                turn_away(sock, self._tally)
            else:
                self._lobby.admit(sock, now)
        self._chores = True  # there may be more

    def _pause_accepting(self, now: float, error: OSError) -> None:
        self._tally.accept_pauses += 1
        self._accepting = False
        self._accept_at = now + ACCEPT_PAUSE_S
        self._poller.change(self._listener.fileno(), 0)
        log.error("cannot accept clients, trying again in %s s (raise ulimit -n?): %s", ACCEPT_PAUSE_S, error)

    # -- the permit; always under the lock -------------------------------------------------------------------

    def _extend(self, permit: Permit) -> None:
        self._permit = permit
        self._gate.until = permit.valid_until_s
        if self._clock() >= permit.valid_until_s:
            self._shut()

    def _open(self, permit: Permit | None, target: Target | None) -> None:
        now = self._clock()
        dead, self._dead = self._dead, None
        if permit is None or now >= permit.valid_until_s:
            return
        revived = permit.extends(dead)
        if dead is not None and revived:
            target = self._target
            if permit.valid_until_s == dead.valid_until_s or now < self._broke_at + REVIVE_AFTER_S:
                self._dead = dead
                return
        if target is None:
            return
        self._permit = permit
        self._target = target
        self._gate.until = permit.valid_until_s
        self._lobby.opening = True
        self._sentinel.start(target, doubted=revived)

    def _shut(self) -> None:
        """Let nothing pass any more, and cut whatever could."""
        self._gate.until = NEVER
        self._permit = None
        self._sentinel.stop()
        self._tally.cut += len(self._links)
        for link in tuple(self._links):
            link.reset()
        self._lobby.withdraw()
        self._chores = True

    def _lapse(self) -> None:
        """Time passed, or another thread is about to narrow: cut now, ask nobody."""
        if self._permit is not None:
            self._shut()
            self._lobby.rule(hold=self._lobby.hold)
            self._notify(self._clock(), None)

    def _broke(self) -> None:
        """The sentinel found MAIN gone."""
        self._dead, self._broke_at = self._permit, self._clock()
        self._tally.sentinel_breaks += 1
        self._shut()
        self._lobby.rule(hold=self._lobby.hold)
        self._notify(self._broke_at, self._dead)

    # -- what the lobby asks ---------------------------------------------------------------------------------

    def open_to(self) -> Target | None:
        """Whom clients may be dialled to right now; None until the sentinel stands."""
        return self._target if self._sentinel.up and self._clock() < self._gate.until else None

    def link(self, client: socket.socket, main: socket.socket) -> bool:
        """Relay between the two, if the permit and the sentinel hold at this moment."""
        if self._clock() >= self._gate.until:
            self._lapse()
            return False
        if not self._sentinel.alive():
            self._chores = True
            return False
        link = Link(client, main, self._shared, self._over)
        self._links.add(link)
        link.begin()
        return True

    def refused(self) -> None:
        """MAIN's port refused a client: the sentinel looks again, and decides."""
        self._sentinel.doubt()
        self._chores = True

    def stir(self) -> None:
        """See to the lobby and the sentinel before sleeping."""
        self._chores = True

    def _over(self, link: Link) -> None:
        self._links.discard(link)
        self._tally.bytes_to_main += link.main.written
        self._tally.bytes_to_clients += link.client.written

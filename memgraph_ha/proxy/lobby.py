"""Clients that are not relayed yet: held in order of arrival, then dialled a few at a time."""

import errno
import logging
import socket
from collections import OrderedDict
from collections.abc import Callable
from typing import Final, Protocol

from attrs import frozen

from memgraph_ha.proxy.counters import Refusal, Tally
from memgraph_ha.proxy.poller import GONE, OUT, Poller, abort
from memgraph_ha.proxy.sockets import Target, connected, dial

DIALS_AT_ONCE: Final = 64
"""Attempts under way at once: a storm of reconnecting clients reaches MAIN at MAIN's own pace."""
DIAL_PAUSE_S: Final = 0.05
"""After a failed attempt, before the next client is tried."""
USER_TIMEOUT_MS: Final = 60_000
"""Bytes unacknowledged, or not taken, for so long end a connection to MAIN. A frozen STRICT_SYNC replica stalls a
healthy MAIN for about 38 s (design 5, transcripts Q8): that must pass."""

log = logging.getLogger(__name__)


@frozen(kw_only=True)
class Limits:
    """What the gateway takes on.

    Attributes:
        hold_max_s: Longest wait of a client, seconds.
        hold_max_connections: Most clients waiting while there is no permit.
        max_connections: Most clients altogether.
        connect_timeout_s: Longest attempt to reach MAIN, seconds.
    """

    hold_max_s: float
    hold_max_connections: int
    max_connections: int
    connect_timeout_s: float


class Door(Protocol):
    """What the lobby asks of the engine."""

    def open_to(self) -> Target | None:
        """Whom clients may be dialled to right now, if anybody."""
        ...

    def link(self, client: socket.socket, main: socket.socket) -> bool:
        """Relay between the two from now on; False if that has just become forbidden."""
        ...

    def refused(self) -> None:
        """MAIN's port refused a client: look at once."""
        ...

    def stir(self) -> None:
        """Somebody came, went or got through: `Lobby.release` and `Lobby.wake_at` have news."""
        ...


class Guest:
    """A client that has reached us but not MAIN.

    Attributes:
        sock: Its socket; nothing that MAIN should see has been read from it.
        since: When it came, on the gateway's clock.
        waited: It was held at some time.
        main: The attempt to reach MAIN, while there is one.
        dialled_at: When that began.
        preface: What MAIN is to be told of it before its own bytes.
    """

    __slots__ = ("dialled_at", "fd", "main", "preface", "since", "sock", "waited")

    def __init__(self, sock: socket.socket, preface: bytes, since: float) -> None:
        self.sock = sock
        self.fd = sock.fileno()
        self.preface = preface
        self.since = since
        self.waited = False
        self.main: socket.socket | None = None
        self.dialled_at = 0.0


class Lobby:
    """Holds, dials, and gives up, all under the engine's lock.

    Attributes:
        hold: Whether clients may wait while there is no permit.
        opening: There is a permit, so whoever waits will be dialled soon: only max_connections bounds them.
    """

    def __init__(self, poller: Poller, limits: Limits, tally: Tally, clock: Callable[[], float], door: Door) -> None:
        self._poller = poller
        self._limits = limits
        self._tally = tally
        self._clock = clock
        self._door = door
        self._waiting: OrderedDict[int, Guest] = OrderedDict()
        self._dialling: OrderedDict[int, Guest] = OrderedDict()
        self._pause_until = float("-inf")
        self.hold = False
        self.opening = False

    @property
    def waiting(self) -> int:
        """Clients held now."""
        return len(self._waiting)

    @property
    def dialling(self) -> int:
        """Clients being dialled now."""
        return len(self._dialling)

    def objection(self) -> Refusal | None:
        """Why a client that comes now would be refused; None if it would not."""
        if self.opening:
            return None
        if not self.hold:
            return Refusal.SHUT
        return Refusal.HOLD_FULL if len(self._waiting) >= self._limits.hold_max_connections else None

    def admit(self, sock: socket.socket, preface: bytes, now: float) -> None:
        """Take a new client in, or refuse it.

        Args:
            sock: Its connection.
            preface: What MAIN is to be told of it before its own bytes.
            now: The time.
        """
        why = self.objection()
        if why is not None:
            self._refuse(sock, why)
            return
        guest = Guest(sock, preface, now)
        target = self._door.open_to() if self._may_dial(now) and not self._waiting else None
        if target is not None:
            self._dial(guest, target)
        else:
            self._wait(guest)

    def release(self) -> None:
        """Dial those who have waited longest, as far as the door is open and places are free."""
        while self._waiting and self._may_dial(self._clock()):
            target = self._door.open_to()
            if target is None:
                return
            _, guest = self._waiting.popitem(last=False)
            self._dial(guest, target)

    def expire(self, now: float) -> None:
        """Refuse who has waited too long; end attempts that take too long."""
        while self._waiting and now >= self._first(self._waiting).since + self._limits.hold_max_s:
            _, guest = self._waiting.popitem(last=False)
            self._refuse(guest.sock, Refusal.HOLD_EXPIRED)
        while self._dialling and now >= self._first(self._dialling).dialled_at + self._limits.connect_timeout_s:
            self._dial_failed(self._first(self._dialling), TimeoutError("connect_timeout_s passed"))

    def wake_at(self) -> float:
        """When `expire` or `release` next has something to do, at the latest."""
        due = float("inf")
        if self._waiting:
            due = self._first(self._waiting).since + self._limits.hold_max_s
            if self.opening and self._pause_until > self._clock():
                due = min(due, self._pause_until)
        if self._dialling:
            due = min(due, self._first(self._dialling).dialled_at + self._limits.connect_timeout_s)
        return due

    def withdraw(self) -> None:
        """The permit ended: no attempt goes on, those being dialled wait again, in their old places."""
        self.opening = False
        for guest in reversed(tuple(self._dialling.values())):
            self._back_to_waiting(guest)

    def rule(self, *, hold: bool) -> None:
        """Set whether clients may wait without a permit, and refuse those who wait and may not, newest first."""
        self.hold = hold
        if self.opening:
            return
        room = self._limits.hold_max_connections if hold else 0
        why = Refusal.HOLD_FULL if hold else Refusal.SHUT
        while len(self._waiting) > room:
            _, guest = self._waiting.popitem()
            self._refuse(guest.sock, why)

    def end(self) -> None:
        """Close everything, by RST."""
        for guest in (*self._dialling.values(), *self._waiting.values()):
            if guest.main is not None:
                self._poller.abort(guest.main)
            self._poller.abort(guest.sock)
        self._dialling.clear()
        self._waiting.clear()

    @staticmethod
    def _first(guests: OrderedDict[int, Guest]) -> Guest:
        return next(iter(guests.values()))

    def _may_dial(self, now: float) -> bool:
        return self.opening and len(self._dialling) < DIALS_AT_ONCE and now >= self._pause_until

    def _refuse(self, sock: socket.socket, why: Refusal) -> None:
        self._tally.refused[why] += 1
        self._poller.abort(sock)

    def _wait(self, guest: Guest, *, first: bool = False) -> None:
        if not guest.waited:
            guest.waited = True
            self._tally.held += 1
        self._waiting[guest.fd] = guest
        if first:
            self._waiting.move_to_end(guest.fd, last=False)
        # Its bytes stay in the kernel; only its leaving is of interest. A half-close counts as leaving, for a
        # FIN is all that can be seen of a client that was closed.
        self._poller.watch(guest.fd, GONE, lambda _mask: self._hung_up(guest))

    def _hung_up(self, guest: Guest) -> None:
        self._door.stir()
        self._tally.hung_up += 1
        self._waiting.pop(guest.fd, None)
        if guest.main is not None:
            self._end_dial(guest)
        self._poller.close(guest.sock)

    def _dial(self, guest: Guest, target: Target) -> None:
        guest.dialled_at = self._clock()
        self._dialling[guest.fd] = guest
        try:
            guest.main = dial(target, USER_TIMEOUT_MS)
        except OSError as error:
            self._dial_failed(guest, error)
            return
        self._progress(guest, target)

    def _progress(self, guest: Guest, target: Target) -> None:
        """See how far an attempt is; link the two when it has succeeded."""
        self._door.stir()
        main = guest.main
        if main is None:
            return
        try:
            if not connected(main, target):
                self._poller.watch(main.fileno(), OUT, lambda _mask: self._progress(guest, target))
                return
            if not self._introduce(guest, main):
                return
        except OSError as error:
            self._dial_failed(guest, error)
            return
        if not self._door.link(guest.sock, main):
            if guest.fd in self._dialling:
                self._back_to_waiting(guest)
            return
        del self._dialling[guest.fd]
        self._tally.relayed += 1
        self._tally.released += guest.waited

    def _introduce(self, guest: Guest, main: socket.socket) -> bool:
        """Tell MAIN the guest's preface, if it has one; False if it may not be dialled any more.

        Raises:
            OSError: The connection is broken.
        """
        if not guest.preface:
            return True
        if self._door.open_to() is None:
            self._back_to_waiting(guest)
            return False
        if main.send(guest.preface) != len(guest.preface):
            raise ConnectionAbortedError(errno.ECONNABORTED, "a new connection did not take its first bytes")
        return True

    def _dial_failed(self, guest: Guest, error: OSError) -> None:
        """MAIN was not reached: the client waits again, in its old place; nothing of it has been read."""
        self._tally.dial_failures += 1
        self._pause_until = self._clock() + DIAL_PAUSE_S
        log.debug("MAIN was not reached for a client, which waits again: %s", error)
        self._back_to_waiting(guest)
        if isinstance(error, ConnectionError):
            self._door.refused()

    def _back_to_waiting(self, guest: Guest) -> None:
        self._end_dial(guest)
        self._wait(guest, first=True)

    def _end_dial(self, guest: Guest) -> None:
        self._dialling.pop(guest.fd, None)
        if guest.main is not None:
            self._poller.abort(guest.main)
            guest.main = None


def turn_away(sock: socket.socket, tally: Tally, why: Refusal) -> None:
    """Refuse a client that has only just come."""
    tally.refused[why] += 1
    abort(sock)

"""The gateway's own connection to MAIN: when the process dies, the kernel tells us before anybody else."""

import socket
from collections.abc import Callable
from typing import Final

from memgraph_ha.proxy.poller import IN, OUT, Poller
from memgraph_ha.proxy.sockets import (
    NO_ROOM,
    SENTINEL_KEEPALIVE_IDLE_S,
    Target,
    connected,
    dial,
    keep_alive,
)

GREETING: Final = bytes.fromhex("6060b017 00000205 00000304 00000104 00000004")
"""The Bolt handshake, offering 5.2, 4.3, 4.1 and 4.0 (semantics 9.1): a server may drop a client that says
nothing; after the four bytes of its answer it has no idle limit (semantics 9.4)."""

RETRY_S: Final = 0.05
"""Pause between two attempts, so that a server that takes and drops connections does not keep us busy."""


class Sentinel:
    """One idle connection to MAIN, for as long as a permit lasts.

    It *breaks* when it is closed or reset and MAIN's port then refuses, or drops a new one before it answered.
    Closed while MAIN lives (an idle limit, a reset in the network), it is just dialled again, but then MAIN must
    *answer* the greeting before new clients are let in: a dying process's port may still take a connection.
    No answer at all is not a break: a frozen MAIN is for the prober to judge.

    Attributes:
        up: New clients may be dialled.
        wake_at: When `tick` wants to be called, on the gateway's clock.
    """

    def __init__(
        self,
        poller: Poller,
        clock: Callable[[], float],
        connect_timeout_s: float,
        on_broken: Callable[[], None],
        stir: Callable[[], None],
        *,
        greeting: bytes = GREETING,
    ) -> None:
        self._poller = poller
        self._clock = clock
        self._connect_timeout_s = connect_timeout_s
        self._on_broken = on_broken
        self._stir = stir
        self._greeting = greeting
        self._target: Target | None = None
        self._sock: socket.socket | None = None
        self._established = False
        self._doubted = False
        self._dialled_at = float("-inf")
        self.up = False
        self.wake_at = float("inf")

    def start(self, target: Target, *, doubted: bool) -> None:
        """Watch this MAIN from now on, in doubt until it has answered or not; the next `tick` dials."""
        self.stop()
        self._target = target
        self._doubted = doubted
        self._dialled_at = float("-inf")
        self.wake_at = float("-inf")

    def stop(self) -> None:
        """Watch nobody."""
        self._hang_up()
        self._target = None
        self._doubted = False
        self.wake_at = float("inf")

    def doubt(self) -> None:
        """Somebody else was refused, or we were dropped: look again, and let nobody in until it answers."""
        if self._target is not None and not (self._doubted and self._sock is not None):
            self._hang_up()
            self._doubted = True
            self.wake_at = max(self._dialled_at + RETRY_S, self._clock())

    def alive(self) -> bool:
        """Whether the connection stands at this very moment; a loss is acted on before this returns."""
        sock = self._sock
        if sock is None or not self.up:
            return False
        try:
            if sock.recv(1, socket.MSG_PEEK):
                return True
        except BlockingIOError:
            return True
        except OSError:
            pass
        self.doubt()
        return False

    def tick(self) -> None:
        """Do what is due: dial, or give up an attempt that takes too long."""
        if self._clock() < self.wake_at or self._target is None:
            return
        if self._sock is None:
            self._dial(self._target)
        elif not self._established:
            self._failed(TimeoutError("connect_timeout_s passed"))
        else:
            self.wake_at = float("inf")

    def _dial(self, target: Target) -> None:
        now = self._clock()
        self._dialled_at = now
        self._established = False
        self.wake_at = now + self._connect_timeout_s
        try:
            self._sock = dial(target, int(self._connect_timeout_s * 1000))
            keep_alive(self._sock, SENTINEL_KEEPALIVE_IDLE_S)
            if not connected(self._sock, target):
                self._poller.watch(self._sock.fileno(), OUT, self._ready)
                return
        except OSError as error:
            self._failed(error)
            return
        self._connected(self._sock)

    def _ready(self, _mask: int) -> None:
        self._stir()  # `up` or `wake_at` may have changed
        sock, target = self._sock, self._target
        if sock is None or target is None:
            return
        try:
            if self._established:
                self._listen(sock)
            elif connected(sock, target):
                self._connected(sock)
        except BlockingIOError:
            return
        except OSError as error:
            self._failed(error)

    def _connected(self, sock: socket.socket) -> None:
        self._established = True
        self.wake_at = float("inf")
        try:
            sock.send(self._greeting)
        except OSError as error:
            self._failed(error)
            return
        self._poller.watch(sock.fileno(), IN, self._ready)
        self.up = not self._doubted

    def _listen(self, sock: socket.socket) -> None:
        """Take whatever MAIN says; it need only live."""
        if sock.recv(64):
            self._doubted = False
            self.up = True
        elif self._doubted:
            self._on_broken()
        else:
            self.doubt()

    def _failed(self, error: OSError) -> None:
        """The connection, or the attempt, ended with an error."""
        if error.errno in NO_ROOM:
            self._again()  # our own want of descriptors says nothing about MAIN
        elif self._established and not self._doubted:
            self.doubt()
        elif self._doubted or isinstance(error, ConnectionError):
            self._on_broken()
        else:
            self._again()  # it has never been up: a full backlog or a slow network is not a death

    def _again(self) -> None:
        self._hang_up()
        self.wake_at = self._clock() + RETRY_S

    def _hang_up(self) -> None:
        self.up = False
        self._established = False
        if self._sock is not None:
            self._poller.abort(self._sock)
            self._sock = None

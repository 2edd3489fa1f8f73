"""The two-way copy of one connection: byte-exact, bounded, and never past the permit.

Small messages take ``recv_into`` a buffer that all connections share and one ``send``; a stream that fills that
buffer several times running goes through a pipe by ``splice`` and never becomes Python data. What a slow peer
does not take is owed to it, and its source is not read until the debt is paid: per direction at most one buffer
or one pipe. The permit is checked after each read and before each write, in both directions.
"""

import select
import socket
from collections.abc import Callable
from typing import Final

from memgraph_ha.proxy.pipes import Pipe, Pipes
from memgraph_ha.proxy.poller import ERROR, IN, OUT, Poller

BUFFER_SIZE: Final = 1 << 16
"""Bytes of one copied chunk."""
BULK_AFTER: Final = 3
"""Full buffers in a row after which a stream is spliced."""
SMALL_SPLICE: Final = 1 << 14
"""A splice that moves less than this ends the bulk mode: for small chunks copying is cheaper."""

_HUNG_UP: Final = select.EPOLLHUP | ERROR


class Gate:
    """What every write asks first.

    Attributes:
        until: On the gateway's clock; from then on nothing is written. Minus infinity while shut. Lowering it
            takes effect at once, on any thread, without the engine's lock.
        lapse: Called by the engine's thread when it finds the time passed.
    """

    __slots__ = ("lapse", "until")

    def __init__(self, lapse: Callable[[], None]) -> None:
        self.until = float("-inf")
        self.lapse = lapse


class Shared:
    """What all connections of one engine share: the clock, the gate, the buffer, the pipes."""

    __slots__ = ("buffer", "clock", "gate", "pipes", "poller", "view")

    def __init__(self, poller: Poller, gate: Gate, clock: Callable[[], float]) -> None:
        self.poller = poller
        self.gate = gate
        self.clock = clock
        self.buffer = bytearray(BUFFER_SIZE)
        self.view = memoryview(self.buffer)
        self.pipes = Pipes()


class End:
    """One socket of a link: reads from it go to its peer, and it may be owed bytes from there.

    Attributes:
        peer: The other end.
        owed: Read from the peer, not yet written here: bytes, or what is left in a pipe.
        finished: It has sent its end of stream, or is not to be read any more.
        broken: Writing to it failed: when all it sent has been passed on, the link is reset.
        written: Bytes written to it.
    """

    __slots__ = (
        "_buffer",
        "_clock",
        "_fd",
        "_gate",
        "_link",
        "_mask",
        "_recv_into",
        "_streak",
        "_view",
        "broken",
        "finished",
        "owed",
        "peer",
        "send",
        "sock",
        "written",
    )

    peer: "End"

    def __init__(self, sock: socket.socket, link: "Link", shared: Shared) -> None:
        self.sock = sock
        self._fd = sock.fileno()
        self._link = link
        # Bound once: an attribute look-up per message is a measurable part of its cost.
        self._recv_into = sock.recv_into
        self.send = sock.send
        self._buffer = shared.buffer
        self._view = shared.view
        self._clock = shared.clock
        self._gate = shared.gate
        self._mask = IN
        self._streak = 0
        self.owed: memoryview | Pipe | None = None
        self.finished = False
        self.broken = False
        self.written = 0

    def begin(self) -> None:
        """Begin to read."""
        self._link.shared.poller.watch(self._fd, IN, self.ready)

    def ready(self, mask: int) -> None:
        """Something can be read or written here, perhaps."""
        if mask & OUT and self.owed is not None:
            self._pay()
        if self._mask & IN:
            if mask & ~OUT and not self._link.over:
                self._pump()
        elif mask & _HUNG_UP and not self._link.over:
            self._hung_up()

    def _pump(self) -> None:
        """Read once and write it to the peer."""
        if self._streak >= BULK_AFTER and self._splice():
            return
        try:
            count = self._recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError:
            self._link.reset()
            return
        if self._clock() >= self._gate.until:
            self._gate.lapse()
            return
        if not count:
            self._end_of_stream()
            return
        self._streak = self._streak + 1 if count == BUFFER_SIZE else 0
        peer = self.peer
        try:
            sent = peer.send(self._view[:count])
        except BlockingIOError:
            sent = 0
        except OSError:
            self._peer_lost()
            return
        peer.written += sent
        if sent != count:
            self._owe(memoryview(bytes(self._view[sent:count])))

    def _splice(self) -> bool:
        """Move a large chunk through a pipe; False if there is no pipe to be had."""
        pipes = self._link.shared.pipes
        pipe = pipes.take()
        if pipe is None:
            return False
        try:
            count = pipe.fill(self._fd)
        except BlockingIOError:
            pipes.give_back(pipe)
            return True
        except OSError:
            # The kernel tells a reset once: read again, it would look like a clean end of the stream.
            pipes.give_back(pipe)
            self._link.reset()
            return True
        if count < SMALL_SPLICE:
            self._streak = 0
        if self._clock() >= self._gate.until:
            pipes.give_back(pipe)
            self._gate.lapse()
            return True
        if not count:
            pipes.give_back(pipe)
            self._end_of_stream()
            return True
        peer = self.peer
        try:
            while pipe.left:
                peer.written += pipe.drain(peer.sock.fileno())
        except BlockingIOError:
            self._owe(pipe)
            return True
        except OSError:
            pipes.give_back(pipe)
            self._peer_lost()
            return True
        pipes.give_back(pipe)
        return True

    def _owe(self, debt: memoryview | Pipe) -> None:
        """The peer is slow: read no more from here until it has taken this."""
        self.peer.owed = debt
        self.peer._listen(self.peer._mask | OUT)  # noqa: SLF001 - its own class
        self._listen(self._mask & ~IN)

    def _pay(self) -> None:
        """Write what is owed here; once it is all written, read from the peer again."""
        if self._clock() >= self._gate.until:
            self._gate.lapse()
            return
        owed = self.owed
        try:
            if isinstance(owed, Pipe):
                while owed.left:
                    self.written += owed.drain(self._fd)
                self._link.shared.pipes.give_back(owed)
            elif owed is not None:
                sent = self.send(owed)
                self.written += sent
                if sent != len(owed):
                    self.owed = owed[sent:]
                    return
        except BlockingIOError:
            return
        except OSError:
            self._forgive()
            self.peer._peer_lost()  # noqa: SLF001 - its own class
            return
        self.owed = None
        self._listen(self._mask & ~OUT)
        if not self.peer.finished:
            self.peer._listen(self.peer._mask | IN)  # noqa: SLF001 - its own class

    def _end_of_stream(self) -> None:
        """This end sends no more: tell the peer, once it has all that came before."""
        if self.broken:
            self._link.reset()
            return
        self.finished = True
        self._listen(self._mask & ~IN)
        # Nothing can be owed to the peer here: while something is, this end is not read.
        try:
            self.peer.sock.shutdown(socket.SHUT_WR)
        except OSError:
            self._peer_lost()
            return
        if self.peer.finished:
            self._link.finish()

    def _peer_lost(self) -> None:
        """The peer takes no more; what it sent before it went still belongs to this end, then both are reset."""
        peer = self.peer
        if peer.finished:
            self._link.reset()
            return
        peer.broken = True
        self.finished = True
        self._listen(self._mask & ~IN)

    def _hung_up(self) -> None:
        """A socket that is not being read reports an error or a hang-up, and would do so for ever."""
        if self.sock.getsockopt(socket.SOL_SOCKET, socket.SO_ERROR):
            self.broken = True
            if self.finished:
                self._link.reset()
                return
        # Only paused: what it sent before it went is still to be read, when its peer has caught up.
        self._link.shared.poller.forget(self._fd)

    def _listen(self, mask: int) -> None:
        """Wait for these from now on, also if a hang-up had ended the watch."""
        self._mask = mask
        self._link.shared.poller.watch(self._fd, mask, self.ready)

    def _forgive(self) -> None:
        if isinstance(self.owed, Pipe):
            self._link.shared.pipes.give_back(self.owed)
        self.owed = None

    def close(self, *, abort: bool) -> None:
        """Close the socket, by RST if it is to lose what is unsent; called by the link."""
        self._forgive()
        poller = self._link.shared.poller
        if abort:
            poller.abort(self.sock)
        else:
            poller.close(self.sock)


class Link:
    """A client and its connection to MAIN.

    Attributes:
        shared: What it shares with the others.
        client: The client's end.
        main: MAIN's end.
        over: Both sockets are closed.
    """

    __slots__ = ("_on_over", "client", "main", "over", "shared")

    def __init__(
        self, client: socket.socket, main: socket.socket, shared: Shared, on_over: Callable[["Link"], None]
    ) -> None:
        self.shared = shared
        self.over = False
        self._on_over = on_over
        self.client = End(client, self, shared)
        self.main = End(main, self, shared)
        self.client.peer = self.main
        self.main.peer = self.client

    def begin(self) -> None:
        """Begin to relay."""
        self.client.begin()
        self.main.begin()

    def reset(self) -> None:
        """One side was reset: so is the other. Also the cut: not a byte passes after this returns."""
        self._close(abort=True)

    def finish(self) -> None:
        """Both sides have said all they had to say."""
        self._close(abort=False)

    def _close(self, *, abort: bool) -> None:
        if not self.over:
            self.over = True
            self.client.close(abort=abort)
            self.main.close(abort=abort)
            self._on_over(self)

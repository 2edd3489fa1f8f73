"""The two-way copy of one connection: byte-exact, bounded, and never past the permit.

Small messages take ``recv_into`` a buffer that all connections share and one ``send``; a stream that fills that
buffer several times running goes through a pipe by ``splice`` and never becomes Python data. What a slow peer
does not take is owed to it, and its source is not read until the debt is paid: per direction at most one buffer
or one pipe. The permit is checked after each read and before each write, in both directions.

What is read may have a follower (`link`), which says how much of it may pass now; the rest is held.
"""

import select
import socket
from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from memgraph_ha.proxy.dialogue import TAIL, Quiet
from memgraph_ha.proxy.pipes import Pipe, Pipes
from memgraph_ha.proxy.poller import ERROR, IN, IN_ONCE, OUT, Poller
from memgraph_ha.proxy.tls import TlsSocket

if TYPE_CHECKING:
    from memgraph_ha.proxy.link import Link

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
    """What all connections under one permit share: the clock, the gate, the buffer, the pipes, the quiet moment."""

    __slots__ = ("buffer", "clock", "gate", "pipes", "poller", "quiet", "view")

    def __init__(self, poller: Poller, gate: Gate, clock: Callable[[], float], quiet: Quiet | None = None) -> None:
        self.quiet = quiet
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
        follow: Told of what was read here; returns how many of these bytes may pass now.
        bulk_after: Full buffers in a row after which what is read here is spliced.
        held: Read here, and may not pass before the quiet moment ends.
        hushed: Not read, and none of it passes, before the quiet moment ends.
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
        "_reading",
        "_recv_into",
        "_streak",
        "_view",
        "broken",
        "bulk_after",
        "finished",
        "follow",
        "held",
        "hushed",
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
        # TLS keeps bytes that the kernel no longer knows of: there, only asking for as long as it takes is enough.
        self._reading = IN if isinstance(sock, TlsSocket) else IN_ONCE
        self._streak = 0
        self.follow: Callable[[bytearray, int], int] | None = None
        self.bulk_after: float = BULK_AFTER
        self.held = b""
        self.hushed = False
        self.owed: memoryview | Pipe | None = None
        self.finished = False
        self.broken = False
        self.written = 0

    def begin(self) -> None:
        """Begin to read."""
        self._listen(IN)

    def ready(self, mask: int) -> None:
        """Something can be read or written here, perhaps: read once and write it to the peer."""
        if mask != IN or self._mask != IN or self._streak:
            self._see_to(mask)
        else:
            self._copy()
            if self._streak:
                self._look_again(streamed=False)

    def _see_to(self, mask: int) -> None:
        """Do what an event asks for that is not just a message."""
        if mask & self._mask & OUT and self.owed is not None:
            self._pay()
        if self._mask & IN:
            if mask & ~OUT and not self._link.over:
                streamed = self._streak > 0
                if self._streak < self.bulk_after or not self._splice():
                    self._copy()
                self._look_again(streamed=streamed)
        elif mask & _HUNG_UP and not self._link.over:
            self._hung_up()

    def _look_again(self, *, streamed: bool) -> None:
        """There may be more to read: of a stream the kernel is to tell each time, else once more."""
        if self._mask == IN and not self._link.over and not (streamed and self._streak):
            self._link.shared.poller.change(self._fd, IN if self._streak else self._reading)

    def _copy(self) -> None:
        """Read once into the shared buffer, and write it to the peer."""
        # What is called for each message is taken out of its slot first: CPython 3.11 looks a slot that is called
        # like a method up by its name each time, and one that is read by its offset.
        recv_into = self._recv_into
        try:
            count = recv_into(self._buffer)
        except BlockingIOError:
            return
        except OSError:
            self._link.reset()
            return
        clock = self._clock
        if clock() >= self._gate.until:
            self._gate.lapse()
            return
        if not count:
            self._end_of_stream()
            return
        if count == BUFFER_SIZE:
            self._streak += 1
        elif self._streak:
            self._streak = 0
        self._pass(count)

    def _pass(self, count: int) -> None:
        """Write to the peer what is in the buffer, but for what must be held."""
        follow = self.follow
        if follow is not None:
            passing = follow(self._buffer, count)
            if passing != count:
                self._hold(passing, count)
                if not passing:
                    return
                count = passing
        peer = self.peer
        send = peer.send
        try:
            sent = send(self._view[:count])
        except BlockingIOError:
            sent = 0
        except OSError:
            self._peer_lost()
            return
        peer.written += sent
        if sent != count:
            self._owe(memoryview(bytes(self._view[sent:count])))
            self._link.note_debt(self, sent)

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
        try:
            debt = self.peer._take(pipe)  # noqa: SLF001 - its own class
        except OSError:
            self._peer_lost()
            return True
        if debt is not None:
            self._owe(debt)
        return True

    def _take(self, pipe: Pipe) -> memoryview | Pipe | None:
        """Write what is in a pipe, and give the pipe back; what cannot be written now is returned.

        The last bytes are not spliced if the sender has a follower, who gets to see them.

        Raises:
            OSError: The connection is broken.
        """
        pipes, follow = self._link.shared.pipes, self.peer.follow
        keep = TAIL if follow is not None else 0
        try:
            while pipe.left > keep:
                self.written += pipe.drain(self._fd, pipe.left - keep)
        except BlockingIOError:
            return pipe
        except OSError:
            pipes.give_back(pipe)
            raise
        rest = bytearray(pipe.read())
        pipes.give_back(pipe)
        if follow is None or not rest:
            return None
        follow(rest, len(rest))
        try:
            sent = self.send(rest)
        except BlockingIOError:
            sent = 0
        self.written += sent
        return memoryview(rest)[sent:] if sent != len(rest) else None

    def _hold(self, begin: int, end: int) -> None:
        """Keep a part of the buffer, and read no more, until the quiet moment ends."""
        self.held = bytes(self._view[begin:end])
        self.hushed = True
        self._listen(self._mask & ~IN)

    def hush(self) -> None:
        """Read no more and pass on nothing, not even what is owed already, until `resume`."""
        self.hushed = True
        self._listen(self._mask & ~IN)
        if self.peer.owed is not None:
            self.peer._listen(self.peer._mask & ~OUT)  # noqa: SLF001 - its own class

    def resume(self) -> None:
        """The quiet moment is over: pass on what was held, and read again."""
        self.hushed = False
        if self.peer.owed is not None:
            self.peer._listen(self.peer._mask | OUT)  # noqa: SLF001 - its own class
        else:
            self.go_on()

    def go_on(self) -> None:
        """Read again, unless something is owed to the peer or a quiet moment forbids it; what was held comes first."""
        if self.held and not self._must_wait():
            if self._clock() >= self._gate.until:
                self._gate.lapse()
                return
            held, self.held = self.held, b""
            self._buffer[: len(held)] = held
            self._pass(len(held))
        if not self.finished and not self._must_wait():
            self._listen(self._mask | IN)

    def _must_wait(self) -> bool:
        return self.hushed or self.peer.owed is not None or self._link.over

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
                self.owed = None
                self.owed = self._take(owed)
                if self.owed is not None:
                    return
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
        self.peer.go_on()

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
            if self.finished or self.held:  # what it asked for and MAIN has not seen is of no use to anybody
                self._link.reset()
                return
        # Only paused: what it sent before it went is still to be read, when its peer has caught up.
        self._link.shared.poller.forget(self._fd)

    def _listen(self, mask: int) -> None:
        """Wait for these from now on, also if a hang-up had ended the watch."""
        self._mask = mask
        once = mask == IN and not self._streak
        self._link.shared.poller.watch(self._fd, self._reading if once else mask, self.ready)

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

"""One link between real TCP sockets, stepped by hand: every interleaving a test wants, without a thread."""

import contextlib
import socket
from collections.abc import Iterator

from memgraph_ha.proxy.dialogue import Quiet
from memgraph_ha.proxy.link import Link
from memgraph_ha.proxy.poller import Poller, abort
from memgraph_ha.proxy.relay import Gate, Shared


def tcp_pair(buffer: int | None = None) -> tuple[socket.socket, socket.socket]:
    """Two connected non-blocking sockets, with small kernel buffers if a size is given."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        near = socket.socket()
        if buffer is not None:
            for sock in (listener, near):
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, buffer)
                sock.setsockopt(socket.SOL_SOCKET, socket.SO_SNDBUF, buffer)
        near.connect(listener.getsockname())
        far, _ = listener.accept()
    for sock in (near, far):
        sock.setblocking(False)
        sock.setsockopt(socket.IPPROTO_TCP, socket.TCP_NODELAY, 1)
    return near, far


class Rig:
    """A link, the outer ends of its two connections, and a clock that only a test moves.

    Attributes:
        client: What a client would hold.
        main: What MAIN would hold.
        now: The gate's clock.
        lapsed: How often the gate was found passed.
        quiet: The quiet moment that the link obeys, if it follows its dialogue.
    """

    def __init__(self, buffer: int | None, *, follows: bool) -> None:
        self.poller = Poller()
        self.now = 0.0
        self.lapsed = 0
        self.gate = Gate(self._lapse)
        self.gate.until = 100.0
        self.quiet = Quiet(lambda: None)
        self.shared = Shared(self.poller, self.gate, lambda: self.now, self.quiet if follows else None)
        self.client, client_inside = tcp_pair(buffer)
        self.main, main_inside = tcp_pair(buffer)
        self.overs = 0
        self.link = Link(client_inside, main_inside, self.shared, self._over)
        self.link.begin()

    def _lapse(self) -> None:
        self.lapsed += 1
        self.link.reset()

    def _over(self, _link: Link) -> None:
        self.overs += 1

    def hush(self) -> None:
        """Begin a quiet moment, as the engine does."""
        self.quiet.on = True
        self.link.hush()

    def resume(self) -> None:
        """End the quiet moment, as the engine does."""
        self.quiet.on = False
        self.link.resume()

    def step(self) -> int:
        """Handle what is ready now; returns how many sockets were."""
        events = self.poller.poll(0)
        for fd, mask in events:
            ready = self.poller.handlers.get(fd)
            if ready is not None:
                ready(mask)
        return len(events)

    def settle(self) -> None:
        """Step until nothing is ready any more; a link that is never quiet spins."""
        for _ in range(10_000):
            if not self.step():
                return
        raise AssertionError("the link spins")

    def close(self) -> None:
        """Close everything."""
        self.link.reset()
        for sock in (self.client, self.main):
            if sock.fileno() >= 0:
                abort(sock)
        self.shared.pipes.end()
        self.poller.end()


@contextlib.contextmanager
def rig(buffer: int | None = None, *, follows: bool = False) -> Iterator[Rig]:
    """A rig for one test."""
    made = Rig(buffer, follows=follows)
    try:
        yield made
    finally:
        made.close()


def send_some(sock: socket.socket, data: bytes) -> int:
    """Send what fits, perhaps nothing."""
    try:
        return sock.send(data)
    except BlockingIOError:
        return 0


def read_all(sock: socket.socket) -> tuple[bytes, str]:
    """Read what is there; then ``"more"`` may come, or the ``"end"``, or it was a ``"reset"``."""
    got = bytearray()
    while True:
        try:
            chunk = sock.recv(1 << 16)
        except BlockingIOError:
            return bytes(got), "more"
        except ConnectionResetError:
            return bytes(got), "reset"
        if not chunk:
            return bytes(got), "end"
        got += chunk

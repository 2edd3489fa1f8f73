"""epoll with a handler per socket: the smallest reactor that the relay needs."""

import select
import socket
from collections.abc import Callable
from typing import Final

IN: Final = select.EPOLLIN
OUT: Final = select.EPOLLOUT
GONE: Final = select.EPOLLRDHUP
"""The peer has sent its FIN; hang-ups and errors are reported without being asked for."""
ERROR: Final = select.EPOLLERR
IN_ONCE: Final = IN | GONE | select.EPOLLET
"""Report what arrives once, not again for as long as it has not been read, which spares the kernel a look per message.
Whoever asks for it reads until a read brings less than there was room for, and if anything but `IN` alone was reported
(an end of the stream that came with the last bytes) asks again by `Poller.change`."""

Ready = Callable[[int], None]
"""Called with the epoll mask. It must bear being called for nothing: a mask is a hint, the next call tells."""


class Poller:
    """Epoll, level-triggered but for who asks for `IN_ONCE`.

    Sockets are added only from the thread that polls, after it has gone through one batch of events, so a
    descriptor closed during a batch cannot come back in it as another socket. Sockets may be *closed* by
    another thread that holds the engine's lock: their handlers are gone before the next event is looked at.
    """

    def __init__(self) -> None:
        self._epoll = select.epoll()
        self.handlers: dict[int, Ready] = {}
        self.poll = self._epoll.poll

    def watch(self, fd: int, mask: int, ready: Ready) -> None:
        """Report ``mask`` of this descriptor to ``ready``, whoever had it before."""
        if fd in self.handlers:
            self._epoll.modify(fd, mask)
        else:
            self._epoll.register(fd, mask)
        self.handlers[fd] = ready

    def change(self, fd: int, mask: int) -> None:
        """Report another mask of a watched descriptor."""
        self._epoll.modify(fd, mask)

    def forget(self, fd: int) -> None:
        """Report nothing any more, not even errors; harmless if it was not watched."""
        if self.handlers.pop(fd, None) is not None:
            self._epoll.unregister(fd)

    def close(self, sock: socket.socket) -> None:
        """Forget and close a socket; the kernel takes a closed descriptor out of epoll by itself."""
        self.handlers.pop(sock.fileno(), None)
        sock.close()

    def abort(self, sock: socket.socket) -> None:
        """Forget a socket and close it by RST: what is still unsent is thrown away, never delivered later."""
        self.handlers.pop(sock.fileno(), None)
        abort(sock)

    def end(self) -> None:
        """Close the epoll descriptor."""
        self._epoll.close()


_RST_ON_CLOSE: Final = b"\x01\x00\x00\x00\x00\x00\x00\x00"
"""``struct linger {1, 0}``."""


def abort(sock: socket.socket) -> None:
    """Close a socket by RST, discarding what the kernel has not sent yet."""
    sock.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _RST_ON_CLOSE)
    sock.close()

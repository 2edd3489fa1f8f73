"""Pipes for ``splice``: bulk bytes move from socket to socket inside the kernel."""

import contextlib
import fcntl
import os
from typing import Final

PIPE_SIZE: Final = 1 << 20
"""Wanted capacity in bytes; what an unprivileged process may ask for by default. Less still works."""
MAX_PIPES: Final = 32
"""More streams than this stalled at once are copied instead: bounds descriptors and kernel memory."""
SPARE_PIPES: Final = 2
"""Empty pipes kept for the next stream."""
SPLICE: Final = os.SPLICE_F_NONBLOCK | os.SPLICE_F_MOVE


class Pipe:
    """A pipe and how much is in it.

    Attributes:
        left: Bytes in it.
    """

    __slots__ = ("_read", "_write", "left")

    def __init__(self) -> None:
        self._read, self._write = os.pipe2(os.O_NONBLOCK | os.O_CLOEXEC)
        self.left = 0
        with contextlib.suppress(OSError):  # over the user's quota: the default size serves, only slower
            fcntl.fcntl(self._write, fcntl.F_SETPIPE_SZ, PIPE_SIZE)

    def fill(self, fd: int) -> int:
        """Move what a socket has into the pipe.

        Returns:
            The bytes moved; 0 at the end of the stream.

        Raises:
            BlockingIOError: Nothing is there.
            OSError: The connection is broken.
        """
        self.left = os.splice(fd, self._write, PIPE_SIZE, flags=SPLICE)
        return self.left

    def drain(self, fd: int, most: int) -> int:
        """Move as much as a socket takes at once out of the pipe, and return how much that was.

        Args:
            fd: The socket.
            most: Not more than so many bytes.

        Raises:
            BlockingIOError: It takes nothing now.
            OSError: The connection is broken.
        """
        count = os.splice(self._read, fd, most, flags=SPLICE)
        self.left -= count
        return count

    def read(self) -> bytes:
        """Take out all that is in the pipe."""
        data = os.read(self._read, self.left) if self.left else b""
        self.left -= len(data)
        return data

    def close(self) -> None:
        """Close it, with whatever is in it."""
        os.close(self._read)
        os.close(self._write)


class Pipes:
    """A bounded pool: a stream holds a pipe only during one step, or while its reader is slow."""

    def __init__(self) -> None:
        self._spare: list[Pipe] = []
        self._out = 0

    def take(self) -> Pipe | None:
        """An empty pipe, or None if there is none to be had: copy instead."""
        if self._out >= MAX_PIPES:
            return None
        if self._spare:
            pipe = self._spare.pop()
        else:
            try:
                pipe = Pipe()
            except OSError:
                return None
        self._out += 1
        return pipe

    def give_back(self, pipe: Pipe) -> None:
        """Return a pipe; one with bytes of a dead connection in it is closed."""
        self._out -= 1
        if pipe.left or len(self._spare) >= SPARE_PIPES:
            pipe.close()
        else:
            self._spare.append(pipe)

    def end(self) -> None:
        """Close the spare ones; those lent out were given back when their links were cut."""
        while self._spare:
            self._spare.pop().close()

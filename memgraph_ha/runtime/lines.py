"""Lines to a pipe or a terminal by a thread: whoever reads them, or no longer does, keeps no controller waiting.

Standard output and error of a container are pipes to the container runtime. One that stands still would otherwise
stop the loop at the first line that does not fit into the pipe, and with it the lease.
"""

import os
import select
import threading
from collections import deque
from collections.abc import Callable
from typing import Final, Generic, TypeVar

T = TypeVar("T")

_RETRY_MS: Final = 100


class LineWriter(Generic[T]):
    """Writes lines to a descriptor, in order, by a thread of its own.

    Resource handling: the thread lives until `close`, or until the process ends if the reader stands still.

    Error handling: `put` refuses what does not fit into memory. A reader that is gone loses its lines; nobody is told,
    for there is nobody left to tell.

    Args:
        descriptor: Somebody else's; it is not closed here.
        render: Makes a line of what was put, without its end; called by the thread.
        most: How many may wait.
        name: Of the thread.
    """

    def __init__(self, descriptor: int, render: Callable[[T], str], *, most: int, name: str) -> None:
        self._descriptor, self._render, self._most = descriptor, render, most
        self._waiting: deque[T] = deque()
        self._news, self._closing = threading.Event(), threading.Event()
        self._thread = threading.Thread(target=self._run, name=name, daemon=True)
        self._thread.start()

    def put(self, item: T) -> bool:
        """Take a line, from any thread, at once; False if too many wait."""
        if len(self._waiting) >= self._most:
            return False
        self._waiting.append(item)
        self._news.set()
        return True

    def close(self, within_s: float) -> None:
        """Write what waits, and end the thread.

        Args:
            within_s: Longest wait for the reader, seconds; what it has not taken by then is lost.
        """
        self._closing.set()
        self._news.set()
        self._thread.join(within_s)

    def _run(self) -> None:
        while True:
            self._news.wait()
            self._news.clear()
            while self._waiting:
                self._write(self._render(self._waiting.popleft()))
            if self._closing.is_set() and not self._waiting:
                return

    def _write(self, line: str) -> None:
        rest = memoryview(f"{line}\n".encode(errors="replace"))
        while rest:
            try:
                rest = rest[os.write(self._descriptor, rest) :]
            except BlockingIOError:  # somebody who shares it made it non-blocking
                poll = select.poll()
                poll.register(self._descriptor, select.POLLOUT)
                poll.poll(_RETRY_MS)
            except OSError:
                return

"""Writing a trace to a file: from memory at once, or as it happens by a thread of its own."""

import contextlib
import fcntl
import os
import stat
import threading
from collections import deque
from collections.abc import Callable, Iterable
from pathlib import Path
from typing import Final, TextIO

from memgraph_ha.trace.codec import Encoder
from memgraph_ha.trace.schema import FooterLine, HeaderLine, Line

PARTS: Final = 4
"""How many files of a recording are kept: FILE is the newest, FILE.1 the one before, up to FILE.3."""

MOST_WAITING: Final = 20_000
"""Lines that may wait for the disk; more are dropped, and the trace says how many. About a minute of a busy cluster."""

PAUSE_S: Final = 0.05
"""How often the thread writes what came: a controller that is killed loses the last 50 ms of its trace."""

CONTINUED: Final = "continued"
"""The verdict of a part that another one follows."""

RETRY_S: Final = 10.0
"""After an error of the disk nothing is written for so long; then a new part is begun."""

_CLOSE_S: Final = 5.0

_BEGIN: Final = b'{"kind":"header",'
"""How every trace begins."""


def footer(encoder: Encoder, *, t: float, verdict: str) -> FooterLine:
    """Make the footer of what an encoder has written.

    Args:
        encoder: Which has written everything else.
        t: The recorder's clock, seconds.
        verdict: See `FooterLine`.
    """
    return FooterLine(t=t, verdict=verdict, lines=encoder.lines, digest=encoder.digest)


def write_trace(path: Path, lines: Iterable[Line], *, t: float, verdict: str) -> str:
    """Write a whole trace, as the simulator does it. A file that is there is replaced.

    Args:
        path: Where to.
        lines: All of it but the footer, the header first.
        t: The recorder's clock at the end, seconds.
        verdict: See `FooterLine`.

    Returns:
        The digest: equal for the same seed, whatever the order in which Python hashes.

    Raises:
        OSError: The file cannot be written.
    """
    encoder = Encoder()
    with contextlib.suppress(FileNotFoundError):
        path.unlink()
    with _create(path) as file:
        for line in lines:
            file.write(encoder.encode(line) + "\n")
        file.write(encoder.encode(footer(encoder, t=t, verdict=verdict)) + "\n")
    return encoder.digest


def _create(path: Path) -> TextIO:
    """Create a file that only its owner reads and writes: a trace holds addresses, names and triggers' statements."""
    handle = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC | os.O_NOFOLLOW, 0o600)
    fcntl.flock(handle, fcntl.LOCK_EX | fcntl.LOCK_NB)  # it is new: nobody else can have it
    return os.fdopen(handle, "w", encoding="utf-8", newline="\n")


def _aged(path: Path, age: int) -> Path:
    return path if age == 0 else path.with_name(f"{path.name}.{age}")


class NotOursError(Exception):
    """There is a file in the way that must not be touched; the text says which and the way out."""


def make_room(path: Path) -> None:
    """Move FILE to FILE.1, that to FILE.2 and so on; the oldest of `PARTS` is removed.

    Raises:
        NotOursError: One of them is no trace, or somebody writes it.
        OSError: A file cannot be read or moved.
    """
    for age in range(PARTS):
        _check_ours(_aged(path, age))
    _aged(path, PARTS - 1).unlink(missing_ok=True)
    for age in range(PARTS - 2, -1, -1):
        with contextlib.suppress(FileNotFoundError):
            _aged(path, age).rename(_aged(path, age + 1))


def _check_ours(path: Path) -> None:
    """Refuse to move or remove what is no trace, and what another process writes."""
    try:
        handle = os.open(path, os.O_RDONLY | os.O_CLOEXEC | os.O_NONBLOCK | os.O_NOFOLLOW)
    except FileNotFoundError:
        return
    with os.fdopen(handle, "rb") as file:
        if not stat.S_ISREG(os.fstat(handle).st_mode):
            raise NotOursError(f"{path} is no regular file; give another path")
        begin = file.read(len(_BEGIN))
        if begin and begin != _BEGIN:
            raise NotOursError(f"{path} exists and is no trace; give another path, or move it away")
        try:
            fcntl.flock(handle, fcntl.LOCK_SH | fcntl.LOCK_NB)
        except BlockingIOError:
            raise NotOursError(f"{path} is being written by another process; give another path") from None


class FileSink:
    """Implements `Sink` on a file, by a thread: `put` costs a microsecond and never waits.

    Resource handling: the thread and the file live until `close`. Files that are there are kept as older parts.

    Error handling: a disk that takes no lines is told to ``complain`` once; the lines are refused, so that the trace
    says how many are missing, and a new part is tried every `RETRY_S`.

    Args:
        path: The file; parts before it get ``.1`` to ``.3`` appended.
        most_bytes: How large all parts may become together.
        clock: Monotonic seconds.
        complain: Told what is wrong, by the thread.

    Raises:
        NotOursError: A file in the way is no trace, or somebody writes it.
        OSError: The file cannot be created.
    """

    def __init__(
        self, path: Path, *, most_bytes: int, clock: Callable[[], float], complain: Callable[[str], None]
    ) -> None:
        self._path, self._part_bytes, self._clock, self._complain = path, most_bytes // PARTS, clock, complain
        self._waiting: deque[Line] = deque()
        self._encoder = Encoder()
        self._bytes = 0
        self._turning = False
        self._broken_s: float | None = None
        make_room(path)
        self._file: TextIO | None = _create(path)
        self._fresh = True
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._run, name=f"trace {path.name}", daemon=True)
        self._thread.start()

    @property
    def full(self) -> bool:
        """Whether a new part should begin: this one is large enough, or the disk may work again."""
        if self._turning:
            return False
        if self._broken_s is not None:
            return self._clock() - self._broken_s >= RETRY_S
        return self._bytes >= self._part_bytes

    def put(self, line: Line) -> bool:
        """Take a line; refuse it while the disk does not keep up, or does not work."""
        if isinstance(line, HeaderLine):
            self._turning = True
        elif len(self._waiting) >= MOST_WAITING or (self._broken_s is not None and not self._turning):
            return False
        self._waiting.append(line)
        return True

    def close(self, verdict: str = "ended") -> None:
        """Write what waits, and the footer. Waits up to 5 s for the disk."""
        self.put(FooterLine(t=self._clock(), verdict=verdict, lines=0, digest=""))
        self._closing.set()
        self._thread.join(_CLOSE_S)

    def _run(self) -> None:
        while not self._closing.wait(PAUSE_S):
            self._write()
        self._write()
        with contextlib.suppress(OSError):
            self._end_file()

    def _write(self) -> None:
        """Write what waits, as far as the disk takes it."""
        try:
            while self._waiting:
                self._write_line(self._waiting.popleft())
            if self._file is not None:
                self._file.flush()
        except Exception as error:  # noqa: BLE001 - whatever it is, it costs the trace and nothing else
            self._broken_s, self._turning = self._clock(), False
            with contextlib.suppress(OSError):
                self._end_file()
            what = (error.strerror if isinstance(error, OSError) else None) or str(error)
            self._complain(f"{self._path}: {what}; the trace has a gap until the disk takes it again")

    def _write_line(self, line: Line) -> None:
        if isinstance(line, HeaderLine):
            self._begin_part()
        if self._file is None:
            return  # what still waited when the disk broke
        if isinstance(line, FooterLine):
            line = footer(self._encoder, t=line.t, verdict=line.verdict)
        data = self._encoder.encode(line) + "\n"
        self._file.write(data)
        self._bytes += len(data)

    def _begin_part(self) -> None:
        if not self._fresh:
            if self._file is not None:
                last = footer(self._encoder, t=self._clock(), verdict=CONTINUED)
                self._file.write(self._encoder.encode(last) + "\n")
            self._end_file()
            make_room(self._path)
            self._file = _create(self._path)
        self._fresh, self._bytes, self._broken_s, self._turning = False, 0, None, False

    def _end_file(self) -> None:
        file, self._file = self._file, None
        if file is not None:
            file.close()

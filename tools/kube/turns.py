"""What takes long is done by one process at a time, and behind everything else as long as nobody waits for it.

Linux knows two things for the latter. SCHED_IDLE runs a process when nobody else wants the core, and its reads and
writes likewise (sched(7)). But where processes are grouped by session (autogroup, sched(7)), cores are shared out among
the sessions first, so it also needs a session of its own, with a small share.
"""

import fcntl
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from typing import Final

from memgraph_ha.adapters.process_os import pids
from tools.kube.say import say

_POLL_S: Final = 0.5
_PASSES: Final = 20
_LAST: Final = 19
"""The nice value of the smallest share."""


@contextmanager
def alone(lock: Path, what: str) -> Iterator[None]:
    """Let only one process do something: another waits, and finds it done.

    Whoever does it may have stood back; it comes forward as soon as somebody waits who has not.

    Args:
        lock: The file that says who does it; made if it is not there.
        what: What it does, for the message to who waits: "building the programs".
    """
    lock.parent.mkdir(parents=True, exist_ok=True)
    with lock.open("a+b") as file:
        if not _taken(file.fileno()):
            say(f"waiting for another process, which is {what} ...")
            while not _taken(file.fileno()):
                if not stands_back(os.getpid()):
                    _call_forward(lock)
                time.sleep(_POLL_S)
        file.truncate(0)
        file.write(str(os.getpid()).encode("ascii"))
        file.flush()
        try:
            yield
        finally:
            file.truncate(0)


def stand_back() -> None:
    """Take, with everything that is started from here, only what others leave of the machine."""
    with suppress(PermissionError):  # it leads its group already: started by hand, from a terminal
        os.setsid()
        _share_out(os.getpid(), _LAST)
    os.sched_setscheduler(0, os.SCHED_IDLE, os.sched_param(0))


def _come_forward(pid: int) -> None:
    """Let a process that stood back, and all of its session, have what everybody has; needs root."""
    session = os.getsid(pid)
    _share_out(session, 0)
    for _ in range(_PASSES):  # what is started during one pass has inherited, and is found by the next
        behind = [task for task in _tasks(session) if stands_back(task)]
        if not behind:
            return
        for task in behind:
            with suppress(ProcessLookupError):
                os.sched_setscheduler(task, os.SCHED_OTHER, os.sched_param(0))


def stands_back(pid: int) -> bool:
    """Whether a process, or a thread by its number, takes only what others leave; not if it has ended."""
    try:
        return os.sched_getscheduler(pid) == os.SCHED_IDLE
    except ProcessLookupError:
        return False


def _taken(lock: int) -> bool:
    try:
        fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    return True


def _call_forward(lock: Path) -> None:
    # No number: between two processes; or it is done, and the lock will be free in a moment.
    with suppress(ValueError, ProcessLookupError, PermissionError):
        holder = int(lock.read_text(encoding="ascii"))
        if stands_back(holder):
            _come_forward(holder)


def _share_out(session: int, nice: int) -> None:
    """Give a session its share of the cores; there may be no such thing, where sessions are not groups."""
    with suppress(OSError):
        Path(f"/proc/{session}/autogroup").write_text(str(nice), encoding="ascii")


def _tasks(session: int) -> Iterator[int]:
    """List the threads of all processes of a session."""
    for pid in pids():
        with suppress(OSError):
            if os.getsid(pid) == session:
                yield from (int(task.name) for task in Path(f"/proc/{pid}/task").iterdir())

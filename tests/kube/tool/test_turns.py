"""What takes long is done once at a time, and behind everything else as long as nobody waits for it."""

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tools.kube.turns import alone, stands_back

_HOLDER: Final = """
import subprocess, sys, threading, time
from pathlib import Path
from tools.kube.turns import alone, stand_back

lock, ready, release = map(Path, sys.argv[1:4])
if sys.argv[4] == "behind":
    stand_back()
with alone(lock, "being held"):
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(60)"])
    threading.Thread(target=time.sleep, args=(60,), daemon=True).start()
    ready.with_suffix(".draft").write_text(str(child.pid))
    ready.with_suffix(".draft").rename(ready)
    while not release.exists():
        time.sleep(0.05)
    child.kill()
    child.wait()
"""
_WAITER: Final = """
import sys
from pathlib import Path
from tools.kube.turns import alone

with alone(Path(sys.argv[1]), "being held"):
    print("mine")
"""
_ROOT: Final = Path(__file__).parents[3]
_TASKS: Final = 3
"""The holder's two threads, and its child."""

_WITHIN_S: Final = 20.0


class Holder:
    """A process that holds the lock, with a child and a second thread, until it is released."""

    def __init__(self, folder: Path, how: str) -> None:
        self.lock, self._ready, self._release = folder / "lock", folder / "ready", folder / "release"
        argv: list[str | Path] = [sys.executable, "-c", _HOLDER, self.lock, self._ready, self._release, how]
        self.process = subprocess.Popen(argv, cwd=_ROOT)
        _until(self._ready.exists)
        self.child = int(self._ready.read_text(encoding="ascii"))

    @property
    def tasks(self) -> list[int]:
        """The threads of both."""
        return [
            int(each.name) for pid in (self.process.pid, self.child) for each in Path(f"/proc/{pid}/task").iterdir()
        ]

    @property
    def share(self) -> str | None:
        """The nice value of its session as a whole; None if this kernel has no such thing."""
        path = Path(f"/proc/{self.process.pid}/autogroup")
        return path.read_text(encoding="ascii").split()[-1] if path.exists() else None

    def release(self) -> None:
        """Let it end, by itself."""
        self._release.touch()
        assert self.process.wait(_WITHIN_S) == 0

    def kill(self) -> None:
        """End it before it can tidy up."""
        self.process.kill()
        self.process.wait(_WITHIN_S)
        os.kill(self.child, signal.SIGKILL)


@pytest.fixture
def holder(tmp_path: Path, request: pytest.FixtureRequest) -> Iterator[Holder]:
    """A holder that has taken the lock."""
    found = Holder(tmp_path, request.param)
    try:
        yield found
    finally:
        if found.process.poll() is None:
            found.release()


def _until(question: Callable[[], bool]) -> None:
    end_s = time.monotonic() + _WITHIN_S
    while not question():
        assert time.monotonic() < end_s
        time.sleep(0.05)


def _waiter(lock: Path) -> "subprocess.Popen[str]":
    return subprocess.Popen(
        [sys.executable, "-c", _WAITER, lock], cwd=_ROOT, stdout=subprocess.PIPE, stderr=subprocess.PIPE, text=True
    )


@pytest.mark.parametrize("holder", ["beside"], indirect=True)
def test_the_second_waits_and_says_so(holder: Holder) -> None:
    """It has the lock only when the first has ended, and nobody wonders why nothing happens."""
    with _waiter(holder.lock) as second:
        assert second.stderr is not None
        assert second.stderr.readline() == "waiting for another process, which is being held ...\n"
        assert second.poll() is None
        holder.release()
        assert second.communicate(timeout=_WITHIN_S)[0] == "mine\n"


@pytest.mark.parametrize("holder", ["beside"], indirect=True)
def test_a_holder_that_was_killed_holds_nothing(holder: Holder, tmp_path: Path) -> None:
    """The kernel lets the lock go; what it left in the file does not matter."""
    holder.kill()
    with alone(tmp_path / "lock", "being held"):
        assert (tmp_path / "lock").read_text(encoding="ascii") == str(os.getpid())


@pytest.mark.parametrize("holder", ["behind"], indirect=True)
def test_who_stands_back_does_so_with_all_that_it_starts(holder: Holder) -> None:
    """The compiler's processes are its children's children."""
    assert len(holder.tasks) == _TASKS
    assert all(stands_back(task) for task in holder.tasks)
    assert os.getsid(holder.child) == holder.process.pid
    assert holder.share in {"19", None}


@pytest.mark.skipif(os.geteuid() != 0, reason="only root may give a process more than it took")
@pytest.mark.parametrize("holder", ["behind"], indirect=True)
def test_who_waits_calls_the_holder_forward(holder: Holder) -> None:
    """Every thread and every child of it: what is waited for is behind nobody any more."""
    with _waiter(holder.lock) as second:
        _until(lambda: not any(stands_back(task) for task in holder.tasks))
        assert len(holder.tasks) == _TASKS
        assert holder.share in {"0", None}
        holder.release()
        assert second.communicate(timeout=_WITHIN_S)[0] == "mine\n"

"""One small file that several processes replace by compare-and-set, and never see half-written.

How: the new content is written and synced beside the file, and only then, under a lock that is held for the moment of
one comparison and one rename, it takes the file's place. So a process that is frozen almost never holds the lock, and
one that is killed at any instant leaves either the old content or the new.
"""

import contextlib
import datetime as dt
import errno
import fcntl
import hashlib
import itertools
import os
import secrets
import stat
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final, TypeVar

import trio
from attrs import frozen

Clock = Callable[[], float]
"""Seconds of CLOCK_BOOTTIME, which neither jumps nor stops while the machine sleeps."""

MOST_BYTES: Final = 4 * 1024 * 1024
"""No file of ours comes near; a bigger one is foreign and is not read."""

_LOCK_RETRY_S: Final = 0.002

T = TypeVar("T")


class ForeignFileError(Exception):
    """What stands at the path cannot be a file of ours: a directory, a pipe, or far too big."""


class NothingChangedError(Exception):
    """The change was given up in time: the lock was held by somebody else, or the deadline passed first."""


@frozen(kw_only=True)
class Swap:
    """How a compare-and-set ended.

    Attributes:
        done: Whether the new content took the file's place.
        durable: Whether the directory was synced too; if not, a power cut may bring the old content back.
    """

    done: bool
    durable: bool = True


def token_of(content: bytes) -> str:
    """Name a content for a later comparison."""
    return hashlib.sha256(content).hexdigest()


@frozen
class AtomicFile:
    """A file that is read whole and replaced whole.

    Beside it stands ``<name>.lock``, made by the first swap and never removed.

    Args:
        path: The file; its directory must exist.
        clock: Seconds on CLOCK_BOOTTIME; deadlines are given on it.
    """

    path: Path
    clock: Clock

    def read(self) -> bytes | None:
        """Read one whole content, never half of two; None if there is no file. Needs no lock: a rename is atomic.

        Raises:
            ForeignFileError: It is not a regular file, or bigger than `MOST_BYTES`.
            OSError: It cannot be read.
        """
        try:
            # O_NONBLOCK: opening a pipe that somebody put there must not wait for a writer.
            descriptor = os.open(self.path, os.O_RDONLY | os.O_NONBLOCK)
        except FileNotFoundError:
            if not self.path.parent.is_dir():
                raise  # the directory is gone or not mounted: that says nothing about the file
            return None
        if not stat.S_ISREG(os.fstat(descriptor).st_mode):
            os.close(descriptor)
            raise ForeignFileError(f"{self.path} is not a regular file; move it away")
        with os.fdopen(descriptor, "rb") as file:
            content = file.read(MOST_BYTES + 1)
        if len(content) > MOST_BYTES:
            raise ForeignFileError(f"{self.path} is bigger than {MOST_BYTES} bytes, so not ours; move it away")
        return content

    def ever_written(self) -> bool:
        """Whether any swap was ever done here, even if the file was removed since.

        Raises:
            OSError: The lock file cannot be looked at.
        """
        try:
            return self._lock_path.stat().st_size > 0
        except FileNotFoundError:
            return False

    def swap(self, content: bytes, *, expected: str | None, until_s: float) -> Swap:
        """Put new content in place if the present one is the expected one.

        Args:
            content: All of the new content.
            expected: `token_of` what must be there now; None: there must be no file.
            until_s: After this moment the file is not changed any more, however long this process stood still.

        Returns:
            ``done`` False if something else was there.

        Raises:
            NothingChangedError: ``until_s`` came first.
            ForeignFileError: What is there is no file of ours.
            OSError: It could not be written (``ENOSPC``: the disk is full); the old content is untouched.
        """
        temporary = self._write_beside(content)
        try:
            done = self._replace(temporary, expected, until_s)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        if not done:
            temporary.unlink(missing_ok=True)
            return Swap(done=False)
        return Swap(done=True, durable=sync_directory(self.path.parent))

    def put(self, content: bytes, *, until_s: float) -> bool:
        """Put new content in place, whatever is there now.

        Args:
            content: All of the new content.
            until_s: After this moment the file is not changed any more.

        Returns:
            Whether it is durable; if not, a power cut may bring the old content back.

        Raises:
            NothingChangedError: ``until_s`` came first.
            ForeignFileError: What is there is no file of ours.
            OSError: It could not be written; the old content is untouched.
        """
        while True:
            present = self.read()
            swap = self.swap(content, expected=None if present is None else token_of(present), until_s=until_s)
            if swap.done:
                return swap.durable

    def _replace(self, temporary: Path, expected: str | None, until_s: float) -> bool:
        with locked(self._lock_path, clock=self.clock, until_s=until_s) as lock:
            present = self.read()
            if (None if present is None else token_of(present)) != expected:
                return False
            if os.fstat(lock).st_size == 0:
                os.write(lock, b"used\n")
            if self.clock() >= until_s:
                raise NothingChangedError(f"{self.path} was not replaced: it was too late")
            temporary.replace(self.path)
        return True

    @property
    def _lock_path(self) -> Path:
        return self.path.with_name(self.path.name + ".lock")

    def _write_beside(self, content: bytes) -> Path:
        self._sweep()
        path = self.path.with_name(f".{self.path.name}.{os.getpid()}-{secrets.token_hex(4)}.tmp")
        try:
            descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
            with os.fdopen(descriptor, "wb") as file:
                file.write(content)
                file.flush()
                os.fsync(descriptor)
        except OSError:
            path.unlink(missing_ok=True)
            raise
        return path

    def _sweep(self) -> None:
        """Remove what processes that were killed in the middle of a swap left beside the file."""
        for path in self.path.parent.glob(f".{self.path.name}.*.tmp"):
            owner = path.name.removesuffix(".tmp").rpartition(".")[2].partition("-")[0]
            if not Path("/proc", owner).exists():
                path.unlink(missing_ok=True)


@contextlib.contextmanager
def locked(path: Path, *, clock: Clock, until_s: float) -> Iterator[int]:
    """Hold a lock among processes and threads, by a file that is made if need be and never removed.

    Args:
        path: The lock file.
        clock: Seconds on CLOCK_BOOTTIME.
        until_s: Give up waiting at this moment of it.

    Yields:
        The descriptor of the lock file.

    Raises:
        NothingChangedError: Somebody else held it until then.
        OSError: The lock file cannot be opened.
    """
    descriptor = _take_lock(path, clock, until_s)
    try:
        yield descriptor
    finally:
        os.close(descriptor)


def _take_lock(path: Path, clock: Clock, until_s: float) -> int:
    while True:
        descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o600)
        # Polling, since flock cannot wait with a deadline; the lock is held for well under a millisecond.
        while not _try_lock(descriptor):
            if clock() >= until_s:
                os.close(descriptor)
                raise NothingChangedError(f"the lock {path} is held by somebody else")
            time.sleep(_LOCK_RETRY_S)
        # Removed by hand meanwhile: others lock another file of that name, and we would exclude nobody.
        if _still_at(path, descriptor):
            return descriptor
        os.close(descriptor)


def _try_lock(descriptor: int) -> bool:
    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        os.close(descriptor)
        raise
    return True


def _still_at(path: Path, descriptor: int) -> bool:
    try:
        return path.stat().st_ino == os.fstat(descriptor).st_ino
    except FileNotFoundError:
        return False


def sync_directory(path: Path) -> bool:
    """Sync a directory, so that renames in it survive a power cut; False if that failed.

    Nothing is raised: the rename before it is already done.

    Args:
        path: The directory.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | os.O_DIRECTORY)
    except OSError:
        return False
    try:
        os.fsync(descriptor)
    except OSError as error:
        # Some file systems have no such thing for directories (EINVAL), and lose nothing by it.
        return error.errno == errno.EINVAL
    finally:
        os.close(descriptor)
    return True


def utc_stamp() -> str:
    """Give this moment as it is used in names: ``20260131T235959Z``."""
    return dt.datetime.now(dt.UTC).strftime("%Y%m%dT%H%M%SZ")


def free_name(place: Path, name: str) -> Path:
    """Give the first of ``name``, ``name-2`` and so on that nothing has in this directory."""
    names = itertools.chain([name], (f"{name}-{number}" for number in itertools.count(2)))
    return next(place / each for each in names if not os.path.lexists(place / each))


async def in_thread(work: Callable[[], T], *, timeout_s: float, limiter: trio.CapacityLimiter) -> T:
    """Do blocking file work in a worker thread, and wait for it no longer than this.

    Error handling: a file system that hangs keeps the thread, which ends when the system call does; ``limiter``
    bounds how many can pile up.

    Raises:
        trio.TooSlowError: It took longer; it may still be done.
    """
    with trio.fail_after(max(0.0, timeout_s)):
        return await trio.to_thread.run_sync(work, abandon_on_cancel=True, limiter=limiter)

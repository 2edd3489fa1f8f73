"""Processes as Linux knows them: who lives, who it is, signals that can never reach a stranger.

A pid alone names nothing for long: it is used again. So a process is named by its pid *and* its start time *and* the
boot *and* the pid name space it was seen in (`ProcessIdentity`), and signals travel through a pidfd, which stays bound
to the one process it was opened for (`ProcessHandle`).
"""

import os
import select
import signal
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import trio
from attrs import frozen

from memgraph_ha.adapters.json_fields import Fields
from memgraph_ha.core.names import Incarnation

_STATE, _SESSION, _START = 0, 3, 19
"""Positions in /proc/<pid>/stat after the command's name (proc(5): fields 3, 6 and 22)."""

_PID_MAX: Final = 2**22


@frozen(kw_only=True)
class ProcessIdentity:
    """One process, never its successor under the same pid.

    Attributes:
        pid: Its pid.
        start: When it started, in clock ticks since boot (/proc/<pid>/stat, field 22).
        boot: The boot it lives in (/proc/sys/kernel/random/boot_id).
        namespace: The pid name space in which ``pid`` means it; two containers may share files, but not pids.
    """

    pid: int
    start: int
    boot: str
    namespace: str

    def to_json(self) -> dict[str, object]:
        """Give it as JSON fields, to be read back by `read_identity`."""
        return {"pid": self.pid, "start": self.start, "boot": self.boot, "namespace": self.namespace}


def read_identity(fields: Fields) -> ProcessIdentity:
    """Read what `ProcessIdentity.to_json` wrote.

    Raises:
        FieldError: A field is missing or cannot be.
    """
    return ProcessIdentity(
        pid=fields.integer("pid", 1, _PID_MAX),
        start=fields.integer("start", 0),
        boot=fields.text("boot"),
        namespace=fields.text("namespace"),
    )


def incarnation_of(identity: ProcessIdentity) -> Incarnation:
    """Name a process for the core: pid, start time and boot.

    The boot is part of it: after a power cut nothing is the incarnation that it was, however soon the same pid
    returns at the same tick. Acknowledged commits that were not flushed are then gone (transcripts Q19, design 5).
    """
    return Incarnation(f"{identity.pid}:{identity.start}:{identity.boot}")


def identify(pid: int) -> ProcessIdentity | None:
    """Name the process that has this pid now; None if there is none."""
    stat = _stat(pid)
    if stat is None:
        return None
    boot = Path("/proc/sys/kernel/random/boot_id").read_text(encoding="ascii").strip()
    return ProcessIdentity(pid=pid, start=int(stat[_START]), boot=boot, namespace=_own_namespace())


def own_identity() -> ProcessIdentity:
    """Name this process."""
    found = identify(os.getpid())
    if found is None:  # pragma: no cover - only without /proc
        raise OSError("cannot read /proc/self/stat; mount /proc")
    return found


def seen_from_here(identity: ProcessIdentity) -> bool:
    """Whether this process could see that one at all: the same boot and the same pid name space.

    Only then does "not found" mean "dead". Another boot id may be this machine before it restarted, or another
    machine that shares the file.
    """
    return (identity.boot, identity.namespace) == (own_identity().boot, _own_namespace())


def command_line(pid: int) -> tuple[str, ...]:
    """Give a process's arguments; empty if it is gone, a zombie or not ours to see."""
    try:
        raw = Path(f"/proc/{pid}/cmdline").read_bytes()
    except OSError:
        return ()
    return tuple(os.fsdecode(part) for part in raw.split(b"\0")[:-1])


def pids() -> Iterator[int]:
    """List the pids that exist now."""
    return (int(entry.name) for entry in Path("/proc").iterdir() if entry.name.isdigit())


def find_by_argument(argument: str) -> tuple[ProcessIdentity, ...]:
    """Find the living processes that were started with this argument, oldest first.

    Args:
        argument: A distinctive one, e.g. one that holds the path of a private directory.
    """
    found = (identify(pid) for pid in pids() if argument in command_line(pid)[1:])
    return tuple(sorted((one for one in found if one is not None), key=lambda one: one.start))


class ProcessHandle:
    """A hold on one living process.

    Resource handling: owns one file descriptor (a pidfd) until `close`.

    Attributes:
        identity: Who it is.
    """

    def __init__(self, identity: ProcessIdentity, pidfd: int) -> None:
        self.identity = identity
        self._pidfd = pidfd
        stat = _stat(identity.pid)
        self._session = int(stat[_SESSION]) if stat is not None else identity.pid

    @classmethod
    def open(cls, identity: ProcessIdentity) -> "ProcessHandle | None":
        """Take hold of a process; None if it has ended, or its pid now belongs to somebody else."""
        try:
            pidfd = os.pidfd_open(identity.pid)
        except OSError:
            return None
        # Only now is the answer of /proc about the process that the pidfd holds.
        if identify(identity.pid) != identity:
            os.close(pidfd)
            return None
        handle = cls(identity, pidfd)
        if handle.ended:
            handle.close()
            return None
        return handle

    @classmethod
    def of_child(cls, pid: int) -> "ProcessHandle":
        """Take hold of a child that was not waited for yet, even if it has ended already.

        Raises:
            OSError: It was waited for, or the system has no descriptor left.
        """
        pidfd = os.pidfd_open(pid)
        identity = identify(pid)
        if identity is None:
            os.close(pidfd)
            raise ProcessLookupError(f"process {pid} is gone")
        return cls(identity, pidfd)

    @property
    def ended(self) -> bool:
        """Whether every thread of it is gone, so that its sockets are closed; a zombie has ended."""
        return self.ended_within(0)

    def ended_within(self, timeout_s: float) -> bool:
        """Wait for its end, at most so long; blocks."""
        return _is_readable(self._pidfd, timeout_s)

    async def wait_ended(self) -> None:
        """Wait until it has ended; any number of tasks may."""
        if self.ended:
            return
        # Not a duplicate of the descriptor: trio lets only one task wait for one, and epoll goes on reporting a
        # closed duplicate under its number, to whoever has that number by then.
        try:
            watched = os.pidfd_open(self.identity.pid)
        except ProcessLookupError:
            return
        try:
            if self.ended:  # its pid may have been somebody else's when it was opened
                return
            while not _is_readable(watched, 0):
                await trio.lowlevel.wait_readable(watched)
        finally:
            os.close(watched)

    def send(self, signum: signal.Signals) -> None:
        """Send a signal to exactly this process; does nothing if it has ended.

        Raises:
            PermissionError: It runs as somebody else.
        """
        try:
            signal.pidfd_send_signal(self._pidfd, signum)
        except ProcessLookupError:
            return

    def session_mates(self) -> "tuple[ProcessHandle, ...]":
        """Take hold of the other processes of the session that it leads or led: what a wrapper script started.

        Every instance is started as the leader of a session of its own, so these are nobody else's. One that does
        not lead its session was started by other means, and its session (a user's shell, say) is not touched.
        """
        found: list[ProcessHandle] = []
        if self._session != self.identity.pid:
            return ()
        for pid in pids():
            stat = _stat(pid)
            if stat is None or pid == self.identity.pid or int(stat[_SESSION]) != self._session:
                continue
            identity = identify(pid)
            handle = None if identity is None or int(stat[_START]) != identity.start else ProcessHandle.open(identity)
            if handle is not None:
                found.append(handle)
        return tuple(found)

    def kill_session_mates(self, within_s: float) -> bool:
        """End what `session_mates` finds by SIGKILL; blocks.

        Args:
            within_s: Longest time to wait for their end.

        Returns:
            Whether all of them ended.

        Raises:
            PermissionError: One runs as somebody else.
        """
        mates = self.session_mates()
        try:
            for mate in mates:
                mate.send(signal.SIGKILL)
            end_s = time.monotonic() + within_s
            return all(mate.ended_within(end_s - time.monotonic()) for mate in mates)
        finally:
            for mate in mates:
                mate.close()

    def kill_and_wait(self, within_s: float) -> bool:
        """End it and what it started by SIGKILL; blocks.

        Args:
            within_s: Longest time to wait for their end.

        Returns:
            Whether all of it ended.

        Raises:
            PermissionError: One runs as somebody else.
        """
        end_s = time.monotonic() + within_s
        self.send(signal.SIGKILL)
        mates_ended = self.kill_session_mates(within_s)
        return self.ended_within(end_s - time.monotonic()) and mates_ended

    def close(self) -> None:
        """Let go of it; the process is not touched."""
        os.close(self._pidfd)


def alive(identity: ProcessIdentity) -> bool:
    """Whether this very process has a living thread. Asked from elsewhere (`seen_from_here`): False, and no proof."""
    handle = ProcessHandle.open(identity)
    if handle is None:
        return False
    handle.close()
    return True


def _is_readable(descriptor: int, timeout_s: float) -> bool:
    poll = select.poll()
    poll.register(descriptor, select.POLLIN)
    return bool(poll.poll(max(0.0, timeout_s) * 1000))


def _stat(pid: int) -> list[str] | None:
    """Read /proc/<pid>/stat from field 3 on; the command's name before it may hold anything but a newline."""
    try:
        raw = Path(f"/proc/{pid}/stat").read_text(encoding="utf-8", errors="replace")
    except OSError:
        return None
    return raw.rpartition(")")[2].split()


def _own_namespace() -> str:
    return str(Path("/proc/self/ns/pid").readlink())

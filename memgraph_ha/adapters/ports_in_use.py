"""Busy ports and locked files, and who holds them, as far as /proc lets this user see."""

import errno
import os
import socket
from collections.abc import Iterator
from pathlib import Path
from typing import Final

from attrs import frozen

from memgraph_ha.adapters.process_os import command_line, pids

_LISTEN: Final = "0A"
"""The state of a listening socket in /proc/net/tcp (include/net/tcp_states.h)."""

_LOCAL, _STATE, _INODE = 1, 3, 9
"""Columns of /proc/net/tcp."""

_LOCKER, _LOCKED = 4, 5
"""Columns of /proc/locks: the pid, and device and inode (proc(5))."""

_SHOWN: Final = 120
"""So much of a command line is enough to know it by."""


@frozen(kw_only=True)
class Holder:
    """A process that holds something.

    Attributes:
        pid: Its pid.
        command: Its command line, cut short.
    """

    pid: int
    command: str

    def __str__(self) -> str:
        """Give both, for messages."""
        return f"pid {self.pid} ({self.command})"


def port_is_busy(port: int, host: str = "127.0.0.1") -> bool:
    """Whether nobody could listen on this port now, because somebody does.

    Raises:
        OSError: It cannot be told, e.g. ports below 1024 for an ordinary user (``EACCES``).
    """
    with socket.socket(socket.AF_INET, socket.SOCK_STREAM) as probe:
        # As servers do: connections of an earlier server that still linger are no hindrance.
        probe.setsockopt(socket.SOL_SOCKET, socket.SO_REUSEADDR, 1)
        try:
            probe.bind((host, port))
        except OSError as error:
            if error.errno == errno.EADDRINUSE:
                return True
            raise
    return False


def port_holder(port: int) -> Holder | None:
    """Name a process that listens on this TCP port; None if nobody does, or if it belongs to another user."""
    wanted = {f"socket:[{inode}]" for inode in _listening_inodes(port)}
    if not wanted:
        return None
    for pid in pids():
        if any(target in wanted for target in _open_files(pid)):
            return _holder(pid)
    return None


def lock_holder(path: Path) -> Holder | None:
    """Name a process that holds a lock (flock or fcntl) on this file; None if nobody seems to."""
    try:
        status = path.stat()
        lines = Path("/proc/locks").read_text(encoding="ascii").splitlines()
    except OSError:
        return None
    wanted = f"{os.major(status.st_dev):02x}:{os.minor(status.st_dev):02x}:{status.st_ino}"
    for line in lines:
        # "1: FLOCK  ADVISORY  WRITE 4242 fe:00:1835020 0 EOF"; who waits has "->" in the second column.
        columns = line.split()
        if len(columns) > _LOCKED and columns[_LOCKED] == wanted and columns[1] != "->" and int(columns[_LOCKER]) > 0:
            return _holder(int(columns[_LOCKER]))
    return None


def _listening_inodes(port: int) -> Iterator[str]:
    for table in ("/proc/net/tcp", "/proc/net/tcp6"):
        try:
            lines = Path(table).read_text(encoding="ascii").splitlines()[1:]
        except OSError:
            continue
        for line in lines:
            columns = line.split()
            if columns[_STATE] == _LISTEN and int(columns[_LOCAL].rpartition(":")[2], 16) == port:
                yield columns[_INODE]


def _open_files(pid: int) -> Iterator[str]:
    try:
        descriptors = list(Path(f"/proc/{pid}/fd").iterdir())
    except OSError:
        return
    for descriptor in descriptors:
        try:
            yield os.fspath(descriptor.readlink())
        except OSError:
            continue


def _holder(pid: int) -> Holder:
    command = " ".join(" ".join(command_line(pid)).split()) or "command not visible"
    return Holder(pid=pid, command=command if len(command) <= _SHOWN else command[:_SHOWN] + "...")

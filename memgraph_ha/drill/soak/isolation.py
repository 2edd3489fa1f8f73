"""Name spaces of the soak's own, where links are cut and disks are small without touching anybody else's.

The kernel's routing rules can tell connections by port, so one rule cuts exactly one direction of one port. Needed are
``unshare``, ``ip``, ``mount`` and ``umount``, and root or the leave to make a user name space.
"""

import contextlib
import errno
import os
import shutil
import subprocess
from collections.abc import Sequence
from pathlib import Path
from typing import Final

import trio

from memgraph_ha.drill.errors import DrillError
from memgraph_ha.drill.soak.plan import Way

_TOOLS: Final = ("unshare", "ip", "mount", "umount", "sh")

_SETUP: Final = """
set -e
ip link set lo up
ip rule add pref 100 table local
ip rule del pref 0
exec "$@"
"""
"""The rule for local addresses comes first of all by default; now others can come before it."""

_PREF: Final = "10"
_SELECTORS: Final = {Way.THERE: ("dport",), Way.BACK: ("sport",), Way.BOTH: ("dport", "sport")}


def why_not_isolated() -> str | None:
    """Say why no name spaces can be had here; None if they can."""
    missing = [tool for tool in _TOOLS if shutil.which(tool) is None]
    if missing:
        return f"there is no {' and no '.join(missing)}"
    tried = subprocess.run(_inside(["true"]), capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"no name spaces can be made: {tried.stderr.strip()}"


def enter(command: Sequence[str]) -> None:
    """Become that command, in name spaces of our own, with the same pid, output and signals; does not return."""
    inside = _inside(command)
    os.execvp(inside[0], inside)  # noqa: S606 - a list, no shell


def _inside(command: Sequence[str]) -> list[str]:
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--net", "--mount", "sh", "-c", _SETUP, "sh", *command]


async def cut(port: int, way: Way) -> None:
    """Let nothing more through to, or from, a TCP port; only in a name space of ours.

    Raises:
        DrillError: The rule was not taken.
    """
    for selector in _SELECTORS[way]:
        await _rule("add", selector, port)


async def heal(port: int, way: Way) -> None:
    """Let everything through again.

    Raises:
        DrillError: There was no such rule.
    """
    for selector in _SELECTORS[way]:
        await _rule("del", selector, port)


async def mount_small_disk(path: Path, megabytes: int) -> None:
    """Have a file system of that size in an empty directory; only in a name space of ours, and it goes with it.

    Raises:
        DrillError: It could not be mounted.
    """
    options = f"size={megabytes}m,mode=700"
    await _run("mount", "-t", "tmpfs", "-o", options, "none", str(path))


async def unmount(path: Path) -> None:
    """Give the directory back.

    Raises:
        DrillError: Nothing is mounted there.
    """
    await _run("umount", "--lazy", str(path))


def fill(path: Path) -> None:
    """Leave no byte free on a disk, in a file of that path; blocks."""
    with path.open("ab", buffering=0) as file:
        for size in (1 << 20, 1 << 12, 1):
            with contextlib.suppress(_DiskFullError):
                while True:
                    _write(file.fileno(), size)


class _DiskFullError(Exception):
    """Nothing more goes in."""


def _write(descriptor: int, size: int) -> None:
    try:
        os.write(descriptor, bytes(size))
    except OSError as error:
        if error.errno == errno.ENOSPC:
            raise _DiskFullError from None
        raise


async def _rule(verb: str, selector: str, port: int) -> None:
    await _run("ip", "rule", verb, "pref", _PREF, "ipproto", "tcp", selector, str(port), "type", "unreachable")


async def _run(*command: str) -> None:
    done = await trio.run_process(list(command), capture_stdout=True, capture_stderr=True, check=False)
    if done.returncode:
        raise DrillError(f"`{' '.join(command)}` failed: {done.stderr.decode(errors='replace').strip()}")

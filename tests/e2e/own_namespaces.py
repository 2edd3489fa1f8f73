"""Tests in name spaces of their own, where links are cut and disks are small without touching anybody else's.

The kernel's routing rules can tell connections by port, so one rule cuts exactly one of them: what is sent to that
port is not sent, and new connections are refused as unreachable. It needs ``unshare``, ``ip`` and ``mount``, and root
or the leave to make a user name space.
"""

import contextlib
import errno
import functools
import os
import shutil
import subprocess
import sys
from collections.abc import Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Final

_SETUP: Final = """
set -e
ip link set lo up
ip rule add pref 100 table local
ip rule del pref 0
exec "$@"
"""
"""The rule for local addresses comes first of all by default; now others can come before it."""

_PREF: Final = "10"
_REPOSITORY: Final = Path(__file__).parents[2]
_WITHIN_S: Final = 280.0


@functools.cache
def why_not() -> str | None:
    """Say why no name spaces can be had here; None if they can."""
    missing = [tool for tool in ("unshare", "ip", "mount", "sh") if shutil.which(tool) is None]
    if missing:
        return f"there is no {' and no '.join(missing)}"
    tried = subprocess.run(_inside("true"), capture_output=True, text=True, check=False)
    return None if tried.returncode == 0 else f"no name spaces of its own: {tried.stderr.strip()}"


def run_tests(*nodes: str) -> None:
    """Run tests of this repository there, one after the other, and fail if they fail.

    Args:
        nodes: As pytest names them.
    """
    complaint = _complaint(nodes)
    assert complaint is None, complaint


def run_tests_at_once(*nodes: str) -> None:
    """Run tests at the same time, each in name spaces of its own, and fail if any fails; for those that mostly wait.

    Args:
        nodes: As pytest names them.
    """
    with ThreadPoolExecutor(len(nodes)) as pool:
        complaints = [each for each in pool.map(_complaint, [(node,) for node in nodes]) if each is not None]
    assert not complaints, "\n".join(complaints)


def _complaint(nodes: Sequence[str]) -> str | None:
    """Run tests there; gives what pytest printed if they fail."""
    pytest = [sys.executable, "-m", "pytest", "-q", "-m", "", "-p", "no:cacheprovider", *nodes]
    done = subprocess.run(
        _inside(*pytest), cwd=_REPOSITORY, capture_output=True, text=True, check=False, timeout=_WITHIN_S
    )
    return None if done.returncode == 0 else f"{done.stdout}\n{done.stderr}"


def cut(port: int) -> None:
    """Let nothing more through to a TCP port; only in a name space of ours."""
    _rule("add", port)


def heal(port: int) -> None:
    """Let everything through again."""
    _rule("del", port)


@contextlib.contextmanager
def small_disk(path: Path, size: str) -> Iterator[None]:
    """Have a file system of that size in an empty directory; only in a name space of ours."""
    subprocess.run(["mount", "-t", "tmpfs", "-o", f"size={size}", "none", str(path)], check=True)  # noqa: S607
    try:
        yield
    finally:
        subprocess.run(["umount", "--lazy", str(path)], check=True)  # noqa: S607


def fill(path: Path) -> None:
    """Leave no byte free on a disk, in a file of that path."""
    with path.open("ab", buffering=0) as file, contextlib.suppress(OSError):
        while True:
            try:
                file.write(bytes(1 << 16))
            except OSError as error:
                if error.errno != errno.ENOSPC:
                    raise
                break
        while True:  # until nothing at all goes in any more
            file.write(b"x")


def _rule(verb: str, port: int) -> None:
    rule = ["pref", _PREF, "ipproto", "tcp", "dport", str(port), "type", "unreachable"]
    subprocess.run(["ip", "rule", verb, *rule], check=True)  # noqa: S607 - whichever ip the machine has


def _inside(*command: str) -> list[str]:
    user = [] if os.geteuid() == 0 else ["--user", "--map-root-user"]
    return ["unshare", *user, "--net", "--mount", "sh", "-c", _SETUP, "sh", *command]

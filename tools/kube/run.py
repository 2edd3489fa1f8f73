"""Running the small programs of the system (ip, nft, ctr, ...): with a deadline, and with what they said on failure."""

import os
import shutil
import subprocess
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Final

from tools.kube.errors import ClusterError

_WITHIN_S: Final = 60.0


def find(program: str) -> str | None:
    """Find a program by name, in PATH or where only root looks, or any file by its path; None if it is not there."""
    return shutil.which(program, path=f"{os.environ.get('PATH', os.defpath)}:/usr/sbin:/sbin") or (
        program if program.startswith("/") and Path(program).exists() else None
    )


def run(
    argv: Sequence[str | Path],
    *,
    given: str | None = None,
    timeout_s: float = _WITHIN_S,
    may_fail: bool = False,
    cwd: Path | None = None,
    environment: Mapping[str, str] | None = None,
) -> str:
    """Run a program to its end.

    Args:
        argv: The program, by name or path, and its arguments.
        given: What it reads from standard input; None: nothing.
        timeout_s: Longest time it may take, seconds; then it is killed.
        may_fail: Whether another exit code than 0 is no error.
        cwd: Where it runs; None: where we are.
        environment: Its whole environment; None: ours.

    Returns:
        What it wrote to standard output.

    Raises:
        ClusterError: It is not installed, failed, or took too long.
    """
    words = [str(part) for part in argv]
    program = find(words[0])
    shown = " ".join(words)
    if program is None:
        raise ClusterError(f"{words[0]} is not installed")
    try:
        done = subprocess.run(
            [program, *words[1:]],
            input=given if given is not None else "",
            capture_output=True,
            text=True,
            check=False,
            timeout=timeout_s,
            cwd=cwd,
            env=environment,
        )
    except subprocess.TimeoutExpired as error:
        raise ClusterError(f"`{shown}` did not end within {timeout_s:g} s") from error
    if done.returncode != 0 and not may_fail:
        told = (done.stderr or done.stdout).strip() or "and said nothing"
        raise ClusterError(f"`{shown}` failed (exit code {done.returncode}): {told}")
    return done.stdout

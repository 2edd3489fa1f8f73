"""Building the programs: once, into the user's cache, with what is going on shown all the while."""

import fcntl
import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable, Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final

from tools.kube.errors import ClusterError
from tools.kube.place import default_cache
from tools.kube.programs import APISERVER, Program
from tools.kube.say import say

_GO_AT_LEAST: Final = (1, 24)
"""What the go.mod of Kubernetes 1.34 asks for."""

_GO_ELSEWHERE: Final = Path("/usr/local/go/bin/go")
"""Where Go's own installer puts it; not in everybody's PATH."""

_BUILT_WITHIN_S: Final = 3600.0
_ASKED_WITHIN_S: Final = 60.0
_NEWS_EVERY_S: Final = 20.0
_TAIL_LINES: Final = 25


def directory() -> Path:
    """Give the directory of the programs, by the version of Kubernetes."""
    return default_cache() / APISERVER.version / "bin"


def path_of(program: Program) -> Path:
    """Give the path of a built program, whether or not it is there."""
    return directory() / program.name


def missing(programs: Iterable[Program]) -> tuple[Program, ...]:
    """List those that are not built, or were built from other sources."""
    return tuple(program for program in programs if not _is_built(program))


def build(programs: Iterable[Program]) -> None:
    """Build what is not built yet. The first time takes long (see the package's README), later seconds.

    Raises:
        ClusterError: Go is missing or too old, or a build failed; says how.
    """
    wanted = tuple(programs)
    if not missing(wanted):
        return
    go = _find_go()
    directory().mkdir(parents=True, exist_ok=True)
    with _alone():
        for program in missing(wanted):
            _build(go, program)


def _build(go: str, program: Program) -> None:
    say(f"building {program.name} {program.version} from Go modules (the first time takes minutes) ...")
    begun_s = time.monotonic()
    target = path_of(program)
    draft = target.with_name(f"{target.name}.draft")
    argv = [go, "build", "-v", "-trimpath", "-ldflags", _link_flags(program), "-o", os.fspath(draft), program.package]
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -mod=readonly"}
    # -v names each package when its compilation begins: the only sign of life that Go gives.
    with subprocess.Popen(
        argv, cwd=program.module, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        watchdog = threading.Timer(_BUILT_WITHIN_S, process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            lines = _follow(process, program, begun_s)
        except BaseException:
            process.kill()
            raise
        finally:
            watchdog.cancel()
        code = process.wait()
    if code != 0:
        told = "\n  ".join(lines[-_TAIL_LINES:])
        waited_s = time.monotonic() - begun_s
        raise ClusterError(f"building {program.name} failed after {waited_s:.0f} s (exit code {code}):\n  {told}")
    draft.replace(target)
    _stamp(program).write_text(program.fingerprint, encoding="ascii")
    say(f"building {program.name}: done in {time.monotonic() - begun_s:.0f} s")


def _follow(process: "subprocess.Popen[str]", program: Program, begun_s: float) -> list[str]:
    lines: list[str] = []
    told_s = begun_s
    assert process.stderr is not None  # noqa: S101 - it was asked for
    for line in process.stderr:
        lines.append(line.rstrip())
        now_s = time.monotonic()
        if now_s - told_s >= _NEWS_EVERY_S:
            told_s = now_s
            say(f"building {program.name}: {len(lines)} packages, {now_s - begun_s:.0f} s, now {lines[-1]}")
    return lines


def _link_flags(program: Program) -> str:
    flags = ["-s", "-w"]
    if program.stamp is not None:
        major, minor, _patch = program.version.split(".")
        values = {
            "gitVersion": f"v{program.version}",
            "gitMajor": major,
            "gitMinor": minor,
            "gitCommit": "unknown",
            "gitTreeState": "clean",
        }
        flags += [f"-X {program.stamp}.{name}={value}" for name, value in values.items()]
    return " ".join(flags)


def _find_go() -> str:
    found = shutil.which("go") or (os.fspath(_GO_ELSEWHERE) if _GO_ELSEWHERE.exists() else None)
    at_least = ".".join(map(str, _GO_AT_LEAST))
    if found is None:
        raise ClusterError(f"go is not in PATH; Kubernetes is built with Go {at_least} or newer: https://go.dev/dl/")
    told = subprocess.run(
        [found, "env", "GOVERSION"], capture_output=True, text=True, check=True, timeout=_ASKED_WITHIN_S
    )
    version = re.match(r"go(\d+)\.(\d+)", told.stdout)
    if version is None or (int(version[1]), int(version[2])) < _GO_AT_LEAST:
        raise ClusterError(
            f"{found} is {told.stdout.strip() or 'of an unknown version'}; Kubernetes is built with Go {at_least} or"
            " newer: https://go.dev/dl/"
        )
    return found


def _is_built(program: Program) -> bool:
    try:
        return _stamp(program).read_text(encoding="ascii") == program.fingerprint and path_of(program).exists()
    except OSError:
        return False


def _stamp(program: Program) -> Path:
    return directory() / f"{program.name}.built"


@contextmanager
def _alone() -> Iterator[None]:
    """Let only one process build: another waits, and finds everything built."""
    with (directory() / "lock").open("ab") as lock:
        try:
            fcntl.flock(lock, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            say("waiting for another process that builds the same programs ...")
            fcntl.flock(lock, fcntl.LOCK_EX)
        yield

"""Building the programs: once, into the user's cache, with what is going on shown all the while."""

import os
import re
import shutil
import subprocess
import threading
import time
from collections.abc import Iterable
from pathlib import Path
from typing import Final

from tools.kube.errors import ClusterError
from tools.kube.place import default_cache
from tools.kube.programs import APISERVER, MODULE, Program
from tools.kube.say import say
from tools.kube.turns import alone

_GO_AT_LEAST: Final = (1, 24)
"""What the go.mod of Kubernetes 1.34 asks for."""

_GO_ELSEWHERE: Final = Path("/usr/local/go/bin/go")
"""Where Go's own installer puts it; not in everybody's PATH."""

_BUILT_WITHIN_S: Final = 7200.0
"""Long enough for a build that gets only what others leave of the machine."""

_ASKED_WITHIN_S: Final = 60.0
_NEWS_EVERY_S: Final = 20.0
_TAIL_LINES: Final = 25

_COMPILED: Final = "all=-dwarf=false"
"""For all packages: the linker drops what debuggers read anyway (-w); not to write it saves a tenth of the time."""

_COLLECTED_AT: Final = "400"
"""GOGC of the compiler, which lives for seconds: it may let its heap grow to five times what lives, not only twice."""

_STAMPED: Final = "k8s.io/component-base/version"
"""The package whose variables say the version of Kubernetes. Without them the API server's `/version` says v0.0.0, and
clients that compare versions stumble."""


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
    go = find_go()
    directory().mkdir(parents=True, exist_ok=True)
    with alone(directory() / "lock", "building programs"):
        if left := missing(wanted):
            _build(go, left)


def _build(go: str, programs: tuple[Program, ...]) -> None:
    """Build them in one run of Go: while one program is linked, which uses one core, it compiles for the others."""
    names = ", ".join(f"{program.name} {program.version}" for program in programs)
    say(f"building from Go modules (the first time takes minutes): {names} ...")
    begun_s = time.monotonic()
    fingerprints = {program: program.fingerprint for program in programs}  # of what Go is about to read
    drafts = directory() / "drafts"
    shutil.rmtree(drafts, ignore_errors=True)
    drafts.mkdir()
    flags = ["-v", "-trimpath", f"-gcflags={_COMPILED}", f"-ldflags={_link_flags()}"]
    argv = [go, "build", *flags, "-o", f"{drafts}/", *(program.package for program in programs)]
    _run(argv, names)
    for program, fingerprint in fingerprints.items():
        (drafts / program.name).replace(path_of(program))
        _stamp(program).write_text(fingerprint, encoding="ascii")
    drafts.rmdir()
    say(f"building: done in {time.monotonic() - begun_s:.0f} s")


def _run(argv: list[str], names: str) -> None:
    begun_s = time.monotonic()
    environment = {**os.environ, "CGO_ENABLED": "0", "GOFLAGS": "-buildvcs=false -mod=readonly", "GOGC": _COLLECTED_AT}
    # -v names each package when its compilation begins: the only sign of life that Go gives.
    with subprocess.Popen(
        argv, cwd=MODULE, env=environment, stdout=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True
    ) as process:
        watchdog = threading.Timer(_BUILT_WITHIN_S, process.kill)
        watchdog.daemon = True
        watchdog.start()
        try:
            lines = _follow(process, begun_s)
        except BaseException:
            process.kill()
            raise
        finally:
            watchdog.cancel()
        code = process.wait()
    if code != 0:
        told = "\n  ".join(lines[-_TAIL_LINES:])
        waited_s = time.monotonic() - begun_s
        raise ClusterError(f"building {names} failed after {waited_s:.0f} s (exit code {code}):\n  {told}")


def _follow(process: "subprocess.Popen[str]", begun_s: float) -> list[str]:
    lines: list[str] = []
    told_s = begun_s
    assert process.stderr is not None  # noqa: S101 - it was asked for
    for line in process.stderr:
        lines.append(line.rstrip())
        now_s = time.monotonic()
        if now_s - told_s >= _NEWS_EVERY_S:
            told_s = now_s
            say(f"building: {len(lines)} packages, {now_s - begun_s:.0f} s, now {lines[-1]}")
    return lines


def _link_flags() -> str:
    version = APISERVER.version
    major, minor, _patch = version.split(".")
    values = {
        "gitVersion": f"v{version}",
        "gitMajor": major,
        "gitMinor": minor,
        "gitCommit": "unknown",
        "gitTreeState": "clean",
    }
    return " ".join(["-s", "-w", *(f"-X {_STAMPED}.{name}={value}" for name, value in values.items())])


def find_go() -> str:
    """Find Go.

    Raises:
        ClusterError: It is missing, or too old.
    """
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

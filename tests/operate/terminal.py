"""Running the operator's commands as a person does: as real processes, on a real pseudo-terminal, or in a pipe."""

import contextlib
import fcntl
import io
import os
import pty
import re
import select
import struct
import subprocess
import sys
import termios
import time
from collections.abc import Iterator, Sequence
from pathlib import Path
from typing import Final
from unittest import mock

import pytest
from attrs import define, field, frozen

from memgraph_ha.cli import main
from tests.operate.recorded import TOKEN
from tests.operate.server import Api

ROOT: Final = Path(__file__).parents[2]
PATIENCE_S: Final = 30.0
_ESCAPE: Final = re.compile(r"\x1b(?:\[[0-?]*[ -/]*[@-~]|[@-_])")


def argv(*arguments: str) -> list[str]:
    """Give the command line that runs the operator's commands."""
    return [sys.executable, "-m", "memgraph_ha", *arguments]


def environment(api: Api | None = None, **more: str) -> dict[str, str]:
    """Give an environment that points at a server, and nothing of the tester's own that colours the output."""
    kept = {name: value for name, value in os.environ.items() if name not in ("NO_COLOR", "FORCE_COLOR", "COLUMNS")}
    if api is not None:
        kept |= {"MEMGRAPH_HA_SERVER": api.url, "MEMGRAPH_HA_TOKEN": TOKEN}
    return kept | {"TERM": "xterm-256color"} | more


@frozen(kw_only=True)
class Ended:
    """How a command in a pipe ended."""

    code: int
    out: str
    err: str


def run(api: Api | None, *arguments: str, **more: str) -> Ended:
    """Run a command in this process, with its output in buffers and nobody at the keyboard."""
    out, err = io.StringIO(), io.StringIO()
    with (
        mock.patch.dict(os.environ, environment(api, **more), clear=True),
        contextlib.redirect_stdout(out),
        contextlib.redirect_stderr(err),
        mock.patch.object(sys, "stdin", io.StringIO("y\n" * 9)),
        pytest.raises(SystemExit) as end,
    ):
        main(list(arguments), prog_name="memgraph-ha")
    code = end.value.code
    assert isinstance(code, int), code
    return Ended(code=int(code), out=out.getvalue(), err=err.getvalue())


def piped(api: Api | None, *arguments: str, **more: str) -> Ended:
    """Run a command as a process of its own, with its output in pipes and nobody at the keyboard."""
    done = subprocess.run(
        argv(*arguments),
        cwd=ROOT,
        env=environment(api, **more),
        stdin=subprocess.DEVNULL,
        capture_output=True,
        timeout=PATIENCE_S,
        check=False,
        text=True,
    )
    return Ended(code=done.returncode, out=done.stdout, err=done.stderr)


@define
class Terminal:
    """A command on a pseudo-terminal, and what it has shown so far."""

    process: int
    descriptor: int
    shown: bytes = field(default=b"")

    @property
    def text(self) -> str:
        """What was shown, without the escape sequences."""
        return _ESCAPE.sub("", self.shown.decode("utf-8", "replace")).replace("\r\n", "\n")

    def until(self, text: str, *, times: int = 1) -> None:
        """Read until that was shown so often."""
        deadline_s = time.monotonic() + PATIENCE_S
        while self.text.count(text) < times:
            assert time.monotonic() < deadline_s, f"{text!r} did not come; shown: {self.text}"
            assert self.read(), f"it ended before {text!r}; shown: {self.text}"

    def type(self, text: str) -> None:
        """Type on the keyboard."""
        os.write(self.descriptor, text.encode())

    def send(self, signal: int) -> None:
        """Send it a signal."""
        os.kill(self.process, signal)

    def end(self) -> int:
        """Read until it ends, and give its exit code (negative: the signal)."""
        deadline_s = time.monotonic() + PATIENCE_S
        while self.read():
            assert time.monotonic() < deadline_s, f"it does not end; shown: {self.text}"
        _, status = os.waitpid(self.process, 0)
        self.process = 0
        return os.waitstatus_to_exitcode(status)

    def read(self) -> bool:
        """Read what is there; false at the end."""
        ready, _, _ = select.select([self.descriptor], [], [], 0.1)
        if not ready:
            return True
        try:
            more = os.read(self.descriptor, 65536)
        except OSError:  # the other side was closed: how a pseudo-terminal says so
            return False
        self.shown += more
        return bool(more)


@contextlib.contextmanager
def terminal(api: Api | None, *arguments: str, columns: int = 100, rows: int = 50, **more: str) -> Iterator[Terminal]:
    """Run a command on a pseudo-terminal for the length of a block."""
    line: Sequence[str] = ["setsid", "--ctty", *argv(*arguments)]  # so that ctrl-c is a signal to it
    inside = environment(api, **more)
    outer, inner = pty.openpty()
    fcntl.ioctl(inner, termios.TIOCSWINSZ, struct.pack("HHHH", rows, columns, 0, 0))
    process = subprocess.Popen(line, cwd=ROOT, env=inside, stdin=inner, stdout=inner, stderr=inner)
    process.returncode = 0  # we wait for it ourselves
    os.close(inner)
    screen = Terminal(process.pid, outer)
    try:
        yield screen
    finally:
        if screen.process:
            os.kill(screen.process, 9)
            os.waitpid(screen.process, 0)
        os.close(outer)

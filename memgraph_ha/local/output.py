"""Printing to what may fail: a file on a full disk, a pipe that nobody reads any more. A cluster outlives both."""

import io
import os
import sys
from pathlib import Path
from typing import TextIO

from rich.console import Console


class _Patient(io.RawIOBase):
    """A descriptor to write to; what it does not take is left out, and nothing is kept back for later.

    Args:
        descriptor: Somebody else's; it is not closed here.
    """

    def __init__(self, descriptor: int) -> None:
        super().__init__()
        self._descriptor = descriptor

    def fileno(self) -> int:
        """Give the descriptor: a terminal's size is asked through it."""
        return self._descriptor

    def isatty(self) -> bool:
        """Whether it is a terminal."""
        return os.isatty(self._descriptor)

    def writable(self) -> bool:
        """Whether it may be written to: always."""
        return True

    def write(self, data: bytes) -> int:  # type: ignore[override]  # the base class takes any buffer
        """Write what can be written; gives the number of all bytes, so that nobody tries again."""
        rest = memoryview(data)
        try:
            while rest:
                rest = rest[os.write(self._descriptor, rest) :]
        except OSError:  # nobody is left to be told
            pass
        return len(data)


def main_console() -> Console:
    """Make a console of standard output, terminal or not, that never fails."""
    for name in ("stdout", "stderr"):
        if getattr(sys, name) is None:  # its descriptor was closed before we began (`>&-`); libraries trip over that
            setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - for as long as we live
    return Console(file=_patient(sys.stdout))


def _patient(stream: TextIO) -> TextIO:
    try:
        descriptor = stream.fileno()
    except OSError:  # io.UnsupportedOperation is one: somebody put a buffer in its place, which cannot fail
        return stream
    stream.flush()
    raw = _Patient(descriptor)
    return io.TextIOWrapper(raw, encoding=stream.encoding, errors="replace", write_through=True)  # type: ignore[type-var]  # it takes everything at once, as a buffered one does

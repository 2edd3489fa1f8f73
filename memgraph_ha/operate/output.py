"""Where commands print: tables in colour on a terminal, aligned plain text elsewhere, or JSON and nothing else."""

import json
import os
import sys
from collections.abc import Mapping
from pathlib import Path
from typing import Final, TextIO

import trio
from rich.console import Console, RenderableType

from memgraph_ha.operate.exits import Exit, OperateError

_LONGEST_LINE: Final = 4096
"""Bytes that a terminal gives as one line."""

_ENDLESS: Final = 10_000
"""Columns of a pipe: whoever reads it decides how wide it is."""


class Output:
    """Standard output for results, standard error for everything else.

    A reader that left (``| head -1``) ends no command; any other failure to write does, since a result that nobody
    got was not delivered.

    Args:
        as_json: Print JSON only.

    Attributes:
        read: Whether anybody still reads standard output.
        console: Draws for standard output.
        side: Draws for standard error.
    """

    def __init__(self, *, as_json: bool) -> None:
        for name in ("stdout", "stderr"):
            if getattr(sys, name) is None:  # its descriptor was closed before we began (`>&-`)
                setattr(sys, name, Path(os.devnull).open("w", encoding="utf-8"))  # noqa: SIM115 - as long as we live
        self.as_json = as_json
        self.read = True
        self.console = _console(sys.stdout)
        self.side = _console(sys.stderr)

    @property
    def redraws(self) -> bool:
        """Whether standard output is a terminal on which something can be drawn again in its place."""
        return not self.as_json and _redraws(self.console, sys.stdout)

    @property
    def side_redraws(self) -> bool:
        """Whether standard error is."""
        return not self.as_json and _redraws(self.side, sys.stderr)

    def show(self, *parts: RenderableType) -> None:
        """Print a result for people; nothing if JSON was asked for.

        Raises:
            OperateError: It cannot be written.
        """
        if self.as_json:
            return
        self.text(_drawn(self.console, parts))

    def document(self, raw: Mapping[str, object], *, on_one_line: bool = False) -> None:
        """Print what the API answered, unchanged, if JSON was asked for.

        Args:
            raw: The answer.
            on_one_line: For a stream of them.

        Raises:
            OperateError: It cannot be written.
        """
        if self.as_json:
            self.text(json.dumps(raw, indent=None if on_one_line else 2))

    def text(self, text: str) -> None:
        """Print a text as it is, whatever the output.

        Raises:
            OperateError: It cannot be written.
        """
        self.read = _write(sys.stdout, f"{text.rstrip()}\n") and self.read

    def aside(self, *parts: RenderableType) -> None:
        """Print on standard error what is said on the way."""
        _write(sys.stderr, _drawn(self.side, parts))

    def failed(self, error: OperateError) -> None:
        """Say why the command ends: one line on standard error, and with JSON an object on standard output."""
        if self.as_json:
            self.document(error.document or {"error": str(error)})
        _write(sys.stderr, f"memgraph-ha: {' '.join(str(error).split())}\n")

    async def confirm(self, question: str, *, sure: bool, typed: str | None = None) -> None:
        """Ask before something dangerous.

        Args:
            question: What exactly will be done.
            sure: ``--yes`` was given: do not ask.
            typed: What must be typed to agree; None: ``y``.

        Raises:
            OperateError: The answer was no, or nobody is there to answer.
        """
        if sure:
            return
        if sys.stdin is None or not sys.stdin.isatty():
            raise OperateError(Exit.USAGE, f"{question} This needs a confirmation, and nobody is asked here: add --yes")
        wanted = ("y", "yes") if typed is None else (typed,)
        try:
            _write(sys.stderr, f"{question} {'[y/N]' if typed is None else f'Type {typed} to go on'}: ")
            answer = await _typed_line()
        except KeyboardInterrupt:
            _write(sys.stderr, "\n")
            answer = ""
        if (answer.lower() if typed is None else answer) not in wanted:
            raise OperateError(Exit.USAGE, "nothing was done")


async def _typed_line() -> str:
    """Wait for a line from the terminal, which edits it itself; empty at its end.

    A blocking read would miss a ctrl-c that comes right before it.
    """
    descriptor = sys.stdin.fileno()
    await trio.lowlevel.wait_readable(descriptor)
    return os.read(descriptor, _LONGEST_LINE).decode(errors="replace").strip()


def _console(stream: TextIO) -> Console:
    console = Console(file=stream, highlight=False, emoji=False, markup=False)
    if not stream.isatty():
        # FORCE_COLOR, which rich honours, is left to do its work; the width of a pipe is not the terminal's.
        console.width = _ENDLESS
    return console


def _redraws(console: Console, stream: TextIO) -> bool:
    return stream.isatty() and not console.is_dumb_terminal


def _drawn(console: Console, parts: tuple[RenderableType, ...]) -> str:
    with console.capture() as captured:
        for part in parts:
            console.print(part)
    return "".join(f"{line.rstrip(' ')}\n" for line in captured.get().splitlines())


def _write(stream: TextIO, text: str) -> bool:
    """Write a text; false if nobody reads there any more.

    Raises:
        OperateError: It cannot be written for another reason.
    """
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "replace").decode(encoding))
        stream.flush()
    except BrokenPipeError:
        _silence(stream)
        return False
    except OSError as error:
        _silence(stream)
        raise OperateError(Exit.UNWELL, f"the result cannot be written: {error.strerror}; make room") from None
    return True


def _silence(stream: TextIO) -> None:
    """Let what is still buffered go nowhere: Python would try again, and complain, when it ends."""
    with Path(os.devnull).open("wb") as nowhere:
        os.dup2(nowhere.fileno(), stream.fileno())

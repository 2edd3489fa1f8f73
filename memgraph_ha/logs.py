"""Structured logs: one JSON object a line in a file, and on standard error for who asks."""

import contextlib
import errno
import os
import sys
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_MOST_BYTES: Final = 16 * 1024 * 1024
"""A longer log is put aside when a controller starts; one is kept."""


class _Lines:
    """A file of lines on a disk that may be full: what does not fit is left out, and said once on standard error.

    Nothing is kept back for later, as the standard library's files do: closing one on a full disk raises.

    Args:
        path: The file; appended to.

    Raises:
        OSError: It cannot be opened.
    """

    def __init__(self, path: Path) -> None:
        self._path = path
        self._descriptor = os.open(path, os.O_WRONLY | os.O_APPEND | os.O_CREAT | os.O_CLOEXEC, 0o600)
        self._torn = self._lost = False

    def write(self, line: str) -> None:
        """Write a line, on a line of its own."""
        data = f"{chr(10) if self._torn else ''}{line}\n".encode(errors="replace")
        try:
            written = os.write(self._descriptor, data)
        except OSError as error:
            self._lose(error.strerror or str(error))
            return
        self._torn = written < len(data)
        if self._torn:
            self._lose(os.strerror(errno.ENOSPC))
        else:
            self._lost = False

    def _lose(self, why: str) -> None:
        if not self._lost:
            _print_error(
                f"memgraph-ha: {self._path} cannot be written: {why}; make room, events are left out until then"
            )
        self._lost = True

    def close(self) -> None:
        """Close the file."""
        os.close(self._descriptor)


@contextlib.contextmanager
def log_to(path: Path, *, echo: bool = False) -> Iterator[None]:
    """Send every event to a file while the block runs.

    Args:
        path: The file; appended to.
        echo: Also print each event to standard error, for people.

    Raises:
        OSError: The file cannot be opened.
    """
    if path.exists() and path.stat().st_size > _MOST_BYTES:
        path.replace(path.with_name(path.name + ".1"))
    lines = _Lines(path)
    structlog.configure(
        processors=_processors(lines, echo=echo),
        logger_factory=structlog.ReturnLoggerFactory(),  # never asked to write; the default fails on a closed stdout
        cache_logger_on_first_use=False,
    )
    try:
        yield
    finally:
        structlog.reset_defaults()
        lines.close()


def _processors(lines: _Lines, *, echo: bool) -> list[Processor]:
    render = structlog.processors.JSONRenderer(default=str)
    people = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())

    def write(logger: WrappedLogger, method: str, event: EventDict) -> str:
        line = render(logger, method, dict(event))
        lines.write(line if isinstance(line, str) else line.decode())
        if echo:
            _print_error(people(logger, method, dict(event)))
        raise structlog.DropEvent

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=False),
        structlog.processors.format_exc_info,
        write,
    ]


def _print_error(text: str) -> None:
    with contextlib.suppress(OSError):  # a full disk, a closed pipe: no reason to stop a failover
        print(text, file=sys.stderr)  # noqa: T201 - that is what standard error is for

"""Structured logs: one JSON object a line in a file, and on standard error for who asks."""

import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Final, TextIO

import structlog
from structlog.typing import EventDict, Processor, WrappedLogger

_MOST_BYTES: Final = 16 * 1024 * 1024
"""A longer log is put aside when a controller starts; one is kept."""


@contextmanager
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
    with path.open("a", encoding="utf-8", buffering=1) as file:
        structlog.configure(processors=_processors(file, echo=echo), cache_logger_on_first_use=False)
        try:
            yield
        finally:
            structlog.reset_defaults()


def _processors(file: TextIO, *, echo: bool) -> list[Processor]:
    render = structlog.processors.JSONRenderer(default=str)
    people = structlog.dev.ConsoleRenderer(colors=sys.stderr.isatty())

    def write(logger: WrappedLogger, method: str, event: EventDict) -> str:
        line = render(logger, method, dict(event))
        try:
            file.write(f"{line if isinstance(line, str) else line.decode()}\n")
        except OSError as error:  # a full disk must not stop a failover
            print(f"memgraph-ha: the log cannot be written: {error}", file=sys.stderr)  # noqa: T201 - last resort
        if echo:
            print(people(logger, method, dict(event)), file=sys.stderr)  # noqa: T201 - that is what echo asks for
        raise structlog.DropEvent

    return [
        structlog.contextvars.merge_contextvars,
        structlog.processors.add_log_level,
        structlog.processors.TimeStamper(fmt="iso", utc=False),
        structlog.processors.format_exc_info,
        write,
    ]

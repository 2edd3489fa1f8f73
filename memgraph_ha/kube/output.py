"""What `memgraph-ha run` logs: one event a line on standard error, as text or JSON, and the last lines in memory."""

import contextlib
import logging
import sys
from collections import deque
from collections.abc import Iterator
from typing import Final

import structlog
from structlog.processors import CallsiteParameter
from structlog.typing import EventDict, Processor, WrappedLogger

from memgraph_ha.kube.options import LogOptions
from memgraph_ha.kube.settings import LogFormat
from memgraph_ha.runtime.lines import LineWriter

KEPT_LINES: Final = 2000
"""Lines of the log that stay in memory, for a bug report."""

_LONGEST_KEPT: Final = 2000
_MOST_WAITING: Final = 10_000
_CLOSE_S: Final = 1.0


class Log:
    """Where events go.

    Error handling: lines that the reader of standard error does not take in time are left out; the first that is
    taken again says how many were.

    Args:
        options: What is logged, and how.
        descriptor: Standard error.
    """

    def __init__(self, options: LogOptions, descriptor: int) -> None:
        self._options = options
        self._kept: deque[str] = deque(maxlen=KEPT_LINES)
        self._left_out = 0
        self._writer: LineWriter[str] = LineWriter(descriptor, str, most=_MOST_WAITING, name="log")
        if options.form is LogFormat.JSON:
            self._render: Processor = structlog.processors.JSONRenderer(default=str)
        else:
            plain = structlog.dev.plain_traceback
            self._render = structlog.dev.ConsoleRenderer(colors=False, exception_formatter=plain)

    def tail(self, lines: int) -> tuple[str, ...]:
        """Give the last lines, oldest first; at most `KEPT_LINES`."""
        return tuple(self._kept)[-lines:] if lines > 0 else ()

    def close(self) -> None:
        """Write what waits, for at most a second."""
        self._writer.close(_CLOSE_S)

    def processors(self) -> list[Processor]:
        """What structlog does with each event."""
        source = structlog.processors.CallsiteParameterAdder(
            {CallsiteParameter.MODULE, CallsiteParameter.LINENO}, additional_ignores=["memgraph_ha.kube.output"]
        )
        return [
            structlog.contextvars.merge_contextvars,
            structlog.processors.add_log_level,
            structlog.processors.TimeStamper(fmt="iso", utc=True),
            *([source] if self._options.source else []),
            structlog.processors.format_exc_info,
            self._write,
        ]

    def _write(self, logger: WrappedLogger, method: str, event: EventDict) -> str:
        if self._left_out:
            event = {**event, "lines_left_out_before": self._left_out}
        line = str(self._render(logger, method, event))
        self._kept.append(line[:_LONGEST_KEPT])
        if self._writer.put(line):
            self._left_out = 0
        else:
            self._left_out += 1
        raise structlog.DropEvent


class _Relayed(logging.Handler):
    """Hands what libraries log by the standard library to structlog.

    Not what the Bolt driver logs: each lost connection as an error, which the probes report as the facts they are.
    """

    def filter(self, record: logging.LogRecord) -> bool:
        """Leave the driver out."""
        return not record.name.startswith("neo4j")

    def emit(self, record: logging.LogRecord) -> None:
        """Log it as an event of ours."""
        structlog.get_logger().log(record.levelno, record.getMessage(), logger=record.name)


@contextlib.contextmanager
def logging_as(options: LogOptions) -> Iterator[Log]:
    """Log to standard error while the block runs; libraries' warnings too.

    Args:
        options: What is logged, and how.
    """
    log, root, handler = Log(options, sys.__stderr__.fileno() if sys.__stderr__ else 2), logging.getLogger(), _Relayed()
    ours, old = logging.getLogger("memgraph_ha"), root.level
    structlog.configure(
        processors=log.processors(),
        wrapper_class=structlog.make_filtering_bound_logger(options.level),
        logger_factory=structlog.ReturnLoggerFactory(),  # never asked to write
        cache_logger_on_first_use=False,
    )
    root.addHandler(handler)
    root.setLevel(max(options.level, logging.WARNING))
    ours.setLevel(options.level)
    try:
        yield log
    finally:
        root.removeHandler(handler)
        root.setLevel(old)
        ours.setLevel(logging.NOTSET)
        structlog.reset_defaults()
        log.close()

"""`--trace`: everything that the controller is told and decides, in a form that can be replayed."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

from memgraph_ha.runtime.clock import boottime
from memgraph_ha.runtime.lines import LineWriter
from memgraph_ha.runtime.usage import UsageError
from memgraph_ha.trace.codec import Encoder
from memgraph_ha.trace.recorder import NO_RECORDER, LineRecorder, Recorder
from memgraph_ha.trace.schema import FooterLine, Line, Source
from memgraph_ha.trace.writing import MOST_WAITING, FileSink, NotOursError, footer

MEBIBYTE: Final = 1024 * 1024

_CLOSE_S: Final = 2.0

_log = structlog.get_logger()


@contextlib.contextmanager
def recording(path: Path | None, most_mib: int, source: Source = Source.LOCAL) -> Iterator[Recorder]:
    """Record into a file while the context lives.

    Error handling: a disk that takes no lines costs the trace, never the cluster: it is logged, and tried again.

    Args:
        path: The file; None to record nothing.
        most_mib: How large it and its older parts may become together, MiB.
        source: Who records.

    Raises:
        UsageError: The file cannot be created, is no trace, or another process writes it.
    """
    if path is None:
        yield NO_RECORDER
        return
    try:
        sink = FileSink(path, most_bytes=most_mib * MEBIBYTE, clock=boottime, complain=_complain)
    except NotOursError as error:
        raise UsageError(f"--trace {path}: {error}") from None
    except OSError as error:
        raise UsageError(f"--trace {path}: {error.strerror}; give a path in a directory that can be written") from None
    try:
        yield LineRecorder(sink, source=source, clock=boottime, wall=time.time)
    finally:
        sink.close()


def _complain(what: str) -> None:
    _log.warning("the trace is not written", trouble=what)


class _StreamSink:
    """Implements `Sink` on a descriptor: one part without an end of its own, for a log collector to keep.

    Args:
        descriptor: Somebody else's.
    """

    full = False

    def __init__(self, descriptor: int) -> None:
        self._encoder = Encoder()
        self._writer: LineWriter[Line] = LineWriter(descriptor, self._render, most=MOST_WAITING, name="trace")

    def put(self, line: Line) -> bool:
        """Take a line; refuse it while the reader does not keep up."""
        return self._writer.put(line)

    def close(self) -> None:
        """Write what waits, and the footer."""
        self.put(FooterLine(t=boottime(), verdict="ended", lines=0, digest=""))
        self._writer.close(_CLOSE_S)

    def _render(self, line: Line) -> str:
        if isinstance(line, FooterLine):
            line = footer(self._encoder, t=line.t, verdict=line.verdict)
        return self._encoder.encode(line)


@contextlib.contextmanager
def streaming(descriptor: int, source: Source) -> Iterator[Recorder]:
    """Record to a pipe while the context lives; a reader that does not keep up costs lines of the trace, and is named.

    Args:
        descriptor: Where to; it is not closed.
        source: Who records.
    """
    sink = _StreamSink(descriptor)
    try:
        yield LineRecorder(sink, source=source, clock=boottime, wall=time.time)
    finally:
        sink.close()

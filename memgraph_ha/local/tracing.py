"""`--trace FILE`: everything that the controller is told and decides, in a file that can be replayed."""

import contextlib
import time
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import structlog

from memgraph_ha.local.assembly import boottime
from memgraph_ha.local.options import UsageError
from memgraph_ha.trace.recorder import NO_RECORDER, LineRecorder, Recorder
from memgraph_ha.trace.schema import Source
from memgraph_ha.trace.writing import FileSink, NotOursError

MEBIBYTE: Final = 1024 * 1024

_log = structlog.get_logger()


@contextlib.contextmanager
def recording(path: Path | None, most_mib: int) -> Iterator[Recorder]:
    """Record into a file while the context lives.

    Error handling: a disk that takes no lines costs the trace, never the cluster: it is logged, and tried again.

    Args:
        path: The file; None to record nothing.
        most_mib: How large it and its older parts may become together, MiB.

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
        yield LineRecorder(sink, source=Source.LOCAL, clock=boottime, wall=time.time)
    finally:
        sink.close()


def _complain(what: str) -> None:
    _log.warning("the trace is not written", trouble=what)

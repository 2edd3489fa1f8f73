"""`--init-file` and `--init-data-file`: one query a line (transcripts Q1)."""

from __future__ import annotations

from collections.abc import Sequence

from . import texts
from .effects import Calendar, Procedure
from .errors import MemgraphError
from .session import Session


def run_lines(session: Session, lines: Sequence[str]) -> Procedure[None]:
    """Run each line as its own query; one that fails is logged and the rest runs (Q1e).

    Args:
        session: A session that nobody logged in to.
        lines: Of the file.
    """
    for line in lines:
        query = line.strip()
        if not query or query.startswith("//"):
            continue
        session.instance.log_line("trace", f"Executing line: {query}")
        try:
            nanoseconds = yield Calendar()
            assert isinstance(nanoseconds, int)  # noqa: S101 - what Calendar is resumed with
            answer = yield from session.run(query, {}, nanoseconds // 1000)
            yield from answer.pull(-1)
        except MemgraphError as error:
            session.instance.log_line("warning", texts.INIT_LINE_FAILED.format(error.message))

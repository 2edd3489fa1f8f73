"""Log lines in Memgraph's form: `[2026-11-22 21:36:33.220] [memgraph_log] [trace] ...`."""

from __future__ import annotations

import sys
from datetime import datetime
from pathlib import Path
from typing import IO, Final

_LEVELS: Final = ("trace", "debug", "info", "warning", "error", "critical")


class Log:
    """Where the lines of a process go.

    A log that cannot be written any more (a full disk) is given up silently: it must not stop the server.

    Args:
        level: Lowest level that is written, as `--log-level` names it.
        file: `--log-file`, or None.
        to_stderr: `--also-log-to-stderr`.

    Raises:
        OSError: The file cannot be opened.
    """

    def __init__(self, level: str, file: Path | None, *, to_stderr: bool) -> None:
        self._lowest = _LEVELS.index(level.lower())
        self._outputs: list[IO[str]] = []
        if file is not None:
            file.parent.mkdir(parents=True, exist_ok=True)
            self._outputs.append(file.open("a", buffering=1, encoding="utf-8"))
        if to_stderr:
            self._outputs.append(sys.stderr)

    def line(self, level: str, text: str) -> None:
        """Write a line if its level is not too low.

        Args:
            level: One of trace, debug, info, warning, error, critical.
            text: What happened.
        """
        if not self._outputs or _LEVELS.index(level) < self._lowest:
            return
        now = datetime.now().astimezone()
        stamp = f"{now:%Y-%m-%d %H:%M:%S}.{now.microsecond // 1000:03d}"
        for output in self._outputs:
            try:
                output.write(f"[{stamp}] [memgraph_log] [{level}] {text}\n")
                output.flush()
            except (OSError, ValueError):
                continue

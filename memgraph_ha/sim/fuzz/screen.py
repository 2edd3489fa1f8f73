"""The line that moves while something long is done, on standard error and only on a terminal."""

from __future__ import annotations

from types import TracebackType
from typing import Self

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, Progress, TextColumn, TimeElapsedColumn
from rich.text import Text


class Screen:
    """A progress bar with a few words beside it; nothing at all where nobody looks.

    Resource handling: a context manager.

    Args:
        total: How many steps there are; None: nobody knows.
        title: What is being done.
    """

    def __init__(self, total: int | None, title: str) -> None:
        self.console = Console(stderr=True, highlight=False)
        self._progress = Progress(
            TextColumn(title),
            BarColumn(),
            MofNCompleteColumn(),
            TimeElapsedColumn(),
            TextColumn("{task.fields[words]}"),
            console=self.console,
            transient=True,
            disable=not self.console.is_terminal,
        )
        self._task = self._progress.add_task(title, total=total, words="")

    def __enter__(self) -> Self:
        """Show it."""
        self._progress.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        """Take it away."""
        self._progress.stop()

    def at(self, done: int, words: str) -> None:
        """Say how far it is."""
        self._progress.update(self._task, completed=done, words=words)

    def say(self, text: Text) -> None:
        """Print something that stays, above the bar."""
        self._progress.console.print(text, soft_wrap=True)

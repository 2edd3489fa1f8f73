"""Opening a trace and choosing rules for the verbs of the command line: what is wrong ends them with exit code 2."""

import collections
import contextlib
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import click
from attrs import frozen
from rich.console import Console
from rich.progress import BarColumn, Progress, TaskProgressColumn, TextColumn, TimeRemainingColumn

from memgraph_ha.core import RULES, Rule
from memgraph_ha.sim.replay.comparing import Comparison, compare_all
from memgraph_ha.sim.replay.finding import NotFoundError
from memgraph_ha.trace.errors import TraceError
from memgraph_ha.trace.reading import TraceFile
from memgraph_ha.trace.schema import HeaderLine, Line

_EVERY: Final = 1000
"""Lines between two moves of the bar."""


@contextlib.contextmanager
def usage_errors(ctx: click.Context) -> Iterator[None]:
    """Turn what is wrong with a trace, or with what is asked of it, into a usage error."""
    try:
        yield
    except (TraceError, NotFoundError) as error:
        raise click.UsageError(str(error), ctx) from None


def open_trace(path: Path) -> tuple[TraceFile, HeaderLine]:
    """Open a trace.

    Args:
        path: The file.

    Returns:
        The trace, to be read from its beginning, and its first line.

    Raises:
        TraceError: It is none.
    """
    file = TraceFile(path)
    header = next(iter(file))
    if not isinstance(header, HeaderLine):
        raise TraceError(path, 1, "is not a header")
    return file, header


def rules_without(ids: tuple[str, ...]) -> tuple[Rule, ...]:
    """Give today's rules without some.

    Args:
        ids: Which to leave out, by id.

    Raises:
        click.BadParameter: There is no such rule, or without it nothing is decided.
    """
    known = {rule.id: rule for rule in RULES}
    for each in ids:
        if each not in known:
            raise click.BadParameter(
                f"there is no rule {each!r}; `memgraph-ha rules` lists them", param_hint="--without"
            )
        if each == RULES[-1].id:
            raise click.BadParameter(
                f"{each} is what is decided when no other rule matches: leave it in", param_hint="--without"
            )
    return tuple(rule for rule in RULES if rule.id not in ids)


def compared(file: TraceFile, rules: tuple[Rule, ...] = RULES, *, strict: bool = False) -> Comparison:
    """Compare a trace with rules, and read it to its end: only then is it known whether it is whole.

    Args:
        file: The trace.
        rules: Today's by default.
        strict: See `compare_all`.

    Raises:
        TraceError: A line is wrong, also one after the first difference.
    """
    lines = iter(Watched(file, "deciding again"))
    found = compare_all(lines, rules, strict=strict)
    collections.deque(lines, maxlen=0)
    return found


@frozen
class Watched:
    """A trace that shows on standard error how far it was read, if that is a terminal.

    Attributes:
        file: The trace.
        what: What is done with it.
    """

    file: TraceFile
    what: str

    def __iter__(self) -> Iterator[Line]:
        """Read from the beginning; see `TraceFile`."""
        columns = (TextColumn(self.what), BarColumn(), TaskProgressColumn(), TimeRemainingColumn())
        console = Console(stderr=True)
        with Progress(*columns, console=console, transient=True, disable=not console.is_terminal) as bar:
            task = bar.add_task("", total=self.file.path.stat().st_size)
            for number, line in enumerate(self.file):
                if number % _EVERY == 0:
                    bar.update(task, completed=self.file.done)
                yield line


def notes(file: TraceFile) -> list[str]:
    """Say what a reader of a trace must know of the file, once it was read to its end."""
    said: list[str] = []
    if file.truncated:
        said.append("the last line was cut off in the middle, as a crash does it; it was left out")
    if file.intact is False:
        said.append("the trace was changed after it was recorded: the digest in its footer is another one")
    return said

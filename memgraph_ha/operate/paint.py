"""The words and small tables that every picture is made of. Pure: documents in, something to print out."""

import time
from typing import Final

from rich.console import RenderableType
from rich.table import Table
from rich.text import Text

from memgraph_ha.operate.documents import Held

GOOD: Final = "bold green"
FAIR: Final = "yellow"
BAD: Final = "bold red"
QUIET: Final = "dim"
NOTHING: Final = "-"

_MINUTE_S: Final = 60
_HOUR_S: Final = 3600
_DAY_S: Final = 86400
_EXACT_BELOW_S: Final = 10


def span(seconds: float) -> str:
    """Give a length of time as a person would: ``0.4 s``, ``12 s``, ``3 min``, ``5 h``, ``2 d``."""
    if seconds < _EXACT_BELOW_S:
        return f"{max(0.0, seconds):.1f} s"
    if seconds < 2 * _MINUTE_S:
        return f"{seconds:.0f} s"
    if seconds < 2 * _HOUR_S:
        return f"{seconds / _MINUTE_S:.0f} min"
    if seconds < 2 * _DAY_S:
        return f"{seconds / _HOUR_S:.0f} h"
    return f"{seconds / _DAY_S:.0f} d"


def moment(at: float) -> str:
    """Give a wall clock time in the operator's zone, so that it sorts: ``2026-11-23 07:25:01``."""
    try:
        return time.strftime("%Y-%m-%d %H:%M:%S", time.localtime(at))
    except (OverflowError, ValueError, OSError):  # no calendar knows it
        return f"{at:g} s"


def table(*columns: str, right: tuple[str, ...] = ()) -> Table:
    """Make a table without lines, as every command draws it.

    Args:
        columns: Their headings; what is in the last one may be folded on a narrow terminal.
        right: Those that hold numbers.
    """
    made = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0), header_style=QUIET)
    for number, column in enumerate(columns):
        made.add_column(
            column,
            justify="right" if column in right else "left",
            no_wrap=number + 1 < len(columns),
            overflow="fold" if number + 1 == len(columns) else "ellipsis",
        )
    return made


def pairs(*lines: tuple[str, RenderableType], indent: int = 0) -> Table:
    """Make a list of names and what they stand for, in two columns."""
    made = Table.grid(padding=(0, 3, 0, 0))
    made.add_column(style=QUIET, no_wrap=True)
    made.add_column(overflow="fold")
    for name, what in lines:
        made.add_row(" " * indent + name, what)
    return made


def held(hold: Held, now: float, pages: str) -> list[RenderableType]:
    """Draw something that waits: what, since when, why, what ends it, which command, what is at stake.

    Args:
        hold: The hold.
        now: The wall clock of whoever told of it, seconds since 1970.
        pages: Where the runbook's pages are, before a page's name.
    """
    head = Text.assemble((hold.name, BAD))
    if hold.since is not None:
        head.append(f"  for {span(now - hold.since)}, since {moment(hold.since)}", QUIET)
    lines = [
        ("because", hold.reason),
        ("waits", hold.blocked),
        ("ends when", hold.ends),
        ("at stake", hold.risk),
        ("more", hold.page and f"{pages}{hold.page}"),
    ]
    body: list[tuple[str, RenderableType]] = [(name, Text(text)) for name, text in lines if text]
    if hold.command:
        body.insert(-2, ("run", Text(hold.command, "bold")))
    return [head, pairs(*body, indent=2)]


def plain(value: object) -> str:
    """Give a policy's value as it stands in its file."""
    if isinstance(value, (list, tuple)):
        return ", ".join(map(plain, value)) or NOTHING
    return f"{value:g}" if isinstance(value, float) else str(value)

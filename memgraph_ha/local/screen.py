"""What `memgraph-ha local` shows: a live picture on a terminal, plain lines elsewhere."""

import time
from collections.abc import Callable
from typing import Protocol

from attrs import define, field, frozen
from rich.console import Console, Group
from rich.live import Live
from rich.panel import Panel
from rich.table import Table
from rich.text import Text

from memgraph_ha.core import Decision, View
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.topology import Role, Row
from memgraph_ha.runtime.observing import headline

REFRESH_S = 0.2
"""The picture is drawn at most so often."""

_RUN_SHOWN = 8


class Screen(Protocol):
    """Somewhere to show each tick."""

    def show(self, view: View, decision: Decision) -> None:
        """Take one tick; returns at once."""
        ...

    def close(self) -> None:
        """Leave the terminal as it was found."""
        ...


@frozen(kw_only=True)
class Line:
    """One instance, in words."""

    name: str
    role: str
    run: str
    lag: str
    state: str
    style: str


def describe(view: View, seen: Seen) -> Line:
    """Say of one instance what an operator wants to know: role, run, lag, and how it stands.

    Args:
        view: What is known.
        seen: The instance.
    """
    record, name = view.record, seen.member.name
    row = next(iter(view.rows_of(seen.member)), None)
    role = "-" if seen.role is None else seen.role.role.name
    run = "-" if seen.role is None else seen.role.run[:_RUN_SHOWN]
    if seen.member.incarnation is None:
        return Line(name=name, role="-", run="-", lag="-", state="no process", style="red")
    if seen.timeouts or seen.refused:
        state = "does not answer" if seen.timeouts else "refuses connections"
        return Line(name=name, role=role, run=run, lag="-", state=state, style="red")
    if seen.role is None:
        return Line(name=name, role="-", run="-", lag="-", state="starting", style="yellow")
    if record is not None and record.main == name and seen.role.role is Role.MAIN:
        served = view.unserved is None
        return Line(
            name=name,
            role=role,
            run=run,
            lag="",
            state="serves read/write" if served else "MAIN, not open",
            style="bold green" if served else "yellow",
        )
    named = record is not None and record.standby is not None and record.standby.instance == name
    return Line(name=name, role=role, run=run, lag=_lag(row), state=_state(row, named=named), style=_style(row))


def _lag(row: Row | None) -> str:
    if row is None or row.behind is None:
        return "-"
    return "level" if row.behind >= 0 else f"{-row.behind} behind"


def _state(row: Row | None, *, named: bool) -> str:
    if row is None:
        return "not attached"
    mode = "?" if row.mode is None else row.mode.name
    return f"{'standby, ' if named else ''}{mode} {row.status.value}"


def _style(row: Row | None) -> str:
    return "green" if row is not None and row.takes_commits else "yellow"


def _standing(view: View) -> tuple[object, ...]:
    """Say what makes one line differ from the last. The words for why read/write is shut do not: they count on."""
    record = view.record
    if record is None:
        return ()
    return (record.generation, record.main, record.standby, record.unprotected, view.unserved is None)


@define
class PlainScreen:
    """One line when the headline or the hold changes: for pipes, services and logs.

    Args:
        write: Where lines go.
    """

    write: Callable[[str], None]
    _last: tuple[object, ...] = field(default=(), init=False)

    def show(self, view: View, decision: Decision) -> None:
        """Print a line if something changed that an operator would act on."""
        news = (_standing(view), decision.hold)
        if news != self._last:
            self._last = news
            hold = "" if decision.hold is None else f" [{decision.hold.word}] {decision.reason}"
            self.write(f"{time.strftime('%H:%M:%S')} {decision.rule} {headline(view)}{hold}")

    def close(self) -> None:
        """Nothing to tidy."""


class LiveScreen:
    """A picture that is drawn again at most five times a second.

    Args:
        console: A terminal.
        where: Where clients, readers and browsers find the cluster.
    """

    def __init__(self, console: Console, where: str) -> None:
        self._where = where
        self._drawn_s = 0.0
        self._reigns: list[str] = []
        self._live = Live(console=console, auto_refresh=False, transient=False)
        self._live.start()

    def show(self, view: View, decision: Decision) -> None:
        """Draw this tick, unless the last picture is younger than a blink."""
        now_s = time.monotonic()
        if now_s - self._drawn_s >= REFRESH_S or decision.commands:
            self._drawn_s = now_s
            self._live.update(picture(self._where, view, decision), refresh=True)

    def close(self) -> None:
        """Leave the last picture standing and give the terminal back."""
        self._live.stop()


def picture(where: str, view: View, decision: Decision) -> Panel:
    """Draw one tick: a table of instances, the headline, the permit, the last decision and the last reigns.

    Args:
        where: Where to connect; told whole, however narrow the terminal is.
        view: What was decided on.
        decision: What was decided.
    """
    table = Table(expand=True, box=None, pad_edge=False)
    for column in ("instance", "role", "run", "lag", "state", "bolt"):
        table.add_column(column, no_wrap=True)
    for seen in view.observed.seen:
        line = describe(view, seen)
        table.add_row(line.name, line.role, line.run, line.lag, Text(line.state, line.style), seen.member.bolt)
    permit = decision.route.permit
    until = "none" if permit is None else f"{permit.instance}, {permit.valid_until_s - view.now_s:.1f} s left"
    last = Text(f"{decision.rule} {decision.reason}", "yellow" if decision.hold is not None else "dim")
    reigns = [
        f"{time.strftime('%H:%M:%S', time.localtime(change.at))} reign {change.generation}: "
        f"{change.main} ({change.kind.value}) {change.reason}"
        for change in (() if view.record is None else view.record.history[-5:])
    ]
    style = "bold green" if view.unserved is None else "bold red"
    parts = (
        Text(where),
        Text(),
        table,
        Text(),
        Text(headline(view), style),
        Text(f"permit: {until}"),
        last,
        Text(),
        Text("\n".join(reigns), "dim"),
    )
    return Panel(Group(*parts), title="memgraph-ha local", border_style="blue")

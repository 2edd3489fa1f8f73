"""What a soak shows: a line for each fault, what is waited for meanwhile, and the table."""

import contextlib
import time
from collections.abc import Callable
from typing import Final

import trio
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from memgraph_ha.drill.pauses import Distribution
from memgraph_ha.drill.report import evidence, in_words
from memgraph_ha.drill.soak.results import Felt, Line, SoakResult, lines_of

TOLD_EVERY_S: Final = 2.0
"""Where nothing can be drawn over, what is waited for is told so often."""

_DRAWN_EVERY_S: Final = 0.1

_TABLE_WIDTH: Final = 200
"""Where it is piped: who reads it then decides how wide it is."""

_NARROW: Final = 100
"""A terminal with fewer columns than this cannot hold the table: better a broken line than a column cut off."""

_LABEL_WIDTH: Final = 20
"""Of a kind of fault at least; where the terminal is narrow, its words go on in the next line."""


class Screen:
    """The soak's mouth.

    Args:
        console: Where to.
    """

    def __init__(self, console: Console) -> None:
        self._console = console
        self._begun_s = time.monotonic()
        self._stage: tuple[str, float] = ("", self._begun_s)
        self._counter: Callable[[], int] | None = None

    def said(self, text: str, style: str = "") -> None:
        """Say something."""
        self._console.print(Text(text, style), soft_wrap=True)

    def stage(self, text: str) -> None:
        """Say what is being waited for from now on."""
        self._stage = (text, time.monotonic())

    def count_with(self, counter: Callable[[], int]) -> None:
        """Show the number of acknowledged writes."""
        self._counter = counter

    async def tick(self) -> None:
        """Keep showing what is being waited for, until cancelled: on a terminal in one line that is drawn over."""
        status = Status("", console=self._console) if self._console.is_terminal else None
        with contextlib.nullcontext() if status is None else status:
            while True:
                await trio.sleep(TOLD_EVERY_S if status is None else _DRAWN_EVERY_S)
                text, since_s = self._stage
                now_s = time.monotonic()
                writes = "" if self._counter is None else f", {self._counter():,} writes"
                waits = f"{text} ({now_s - since_s:.0f} s{writes})"
                if status is None:
                    self.said(f"{now_s - self._begun_s:>6.0f} s  ... {waits}", "dim")
                else:
                    status.update(Text(waits, "dim"))

    def fault(self, felt: Felt, total: int, pause_s: float | None) -> None:
        """Add one line to the time-line."""
        at_s = felt.sent_s - self._begun_s
        line = Text(f"{at_s:>6.0f} s  {felt.step.number:>3}/{total}  ", "dim")
        line.append(f"{felt.step}", "red").append(f": pause {in_words(pause_s)}")
        line.append(f", whole after {in_words(felt.whole_s - felt.sent_s)}, {felt.ended}")
        if felt.missed is not None:
            line.append(f" (the second found nobody: {felt.missed.splitlines()[0]})", "dim")
        self._console.print(line, soft_wrap=True)
        for help_ in felt.helped:
            self.said(f"            {help_.hold}: {help_.did}", "yellow")
        for note in felt.notes:
            self.said(f"            {note}", "bold red")

    def closing(self, result: SoakResult) -> None:
        """Draw the table and the verdict."""
        self.said("")
        if result.felt:
            if not self._console.is_terminal or self._console.width < _NARROW:  # nothing is drawn after this
                self._console.width = max(_TABLE_WIDTH, self._console.width)
            self._console.print(kinds_table(lines_of(result.felt, result.costs)))
            self.said("")
        if result.findings is not None:
            found = result.findings
            self.said(
                f"{found.attempts:,} attempts: {found.acknowledged:,} acknowledged, {found.refused:,} refused,"
                f" {found.indeterminate:,} in doubt; {found.failed_connects:,} failed connects",
                "dim",
            )
        took = f"{len(result.felt)} of {result.wanted} faults in {result.duration_s:.0f} s, seed {result.seed}"
        if result.passed and result.findings is not None:
            count = f"{result.findings.acknowledged:,}"
            self.said(f"Nothing lost: all {count} acknowledged writes are on all instances, each once.", "bold green")
            self.said(f"  {took}; no process and no port of ours is left.", "dim")
        else:
            self.said(f"FAILED after {took}:", "bold red")
        for complaint in result.complaints():
            head, *details = complaint.splitlines()
            self.said(f"  - {head}", "red")
            for detail in details:
                self.said(f"    {detail}", "dim")
        if result.kept is not None:
            for line in evidence(result.kept):
                self.said(f"  {line}", "bold")


def kinds_table(lines: tuple[Line, ...]) -> Table:
    """Draw the table of all kinds of faults."""
    table = Table(box=None, pad_edge=False, padding=(0, 2, 0, 0))
    columns = ("pause\np50", "\np99", "silence\np50", "\np99", "whole\np50", "\np99", "in\ndoubt", "\nlost")
    table.add_column("\nfault", header_style="dim", min_width=_LABEL_WIDTH)
    for column in ("\nn", *columns):
        table.add_column(column, justify="right", header_style="dim", no_wrap=True)
    table.add_column("\nended", header_style="dim")
    for line in lines:
        lost = f"{line.lost}" + (f" (+{line.given_up} given up)" if line.given_up else "")
        table.add_row(
            line.label,
            str(line.count),
            *_figures(line.pauses),
            *_figures(line.silences),
            *_figures(line.whole),
            f"{line.indeterminate:,}",
            Text(lost, "bold red" if line.lost else "green"),
            ", ".join(f"{count} {how}" for how, count in line.ended.items()),
            style="bold" if line.label == "all" else "",
        )
    return table


def _figures(values: Distribution) -> tuple[str, str]:
    return in_words(values.p50), in_words(values.p99)

"""What a drill shows: a line for each fault as it happens, and the reckoning at the end.

On a terminal in colour, with a line at the bottom that says what is being waited for. Elsewhere plain lines, and a
word about every wait of more than two seconds. Where the output knows only ASCII, so do we.
"""

import time
from collections.abc import Callable
from pathlib import Path
from typing import Final

import trio
from rich.console import Console
from rich.status import Status
from rich.table import Table
from rich.text import Text

from memgraph_ha.core.names import InstanceName
from memgraph_ha.drill.ledger import Findings
from memgraph_ha.drill.pauses import Distribution, Fault, FaultKind, Pause
from memgraph_ha.drill.results import DrillResult, first_pauses, writer_pauses

TARGETS_S: Final = {FaultKind.KILL: 1.0, FaultKind.STOP: 3.0}
"""The pause that each kind of fault may cost at most (design 10: p99)."""

GOOD_S: Final = {FaultKind.KILL: 0.5, FaultKind.STOP: 2.5}
"""What half of them should stay below (design 10 for kills)."""

TOLD_AFTER_S: Final = 2.0
"""A wait of so long is told even where nothing can be drawn."""

TOLD_AGAIN_S: Final = 10.0

_BARS: Final = (8, 30)
"""Shortest and longest bar; in between it fills the line."""

_EIGHTHS: Final = " ▏▎▍▌▋▊▉█"
_TICK_S: Final = 0.1
_ERRORS_SHOWN: Final = 5
_WORDS: Final = {FaultKind.KILL: "killed", FaultKind.STOP: "stopped"}


class Report:
    """The drill's mouth.

    Args:
        console: Where to.
        clock: Monotonic seconds.
    """

    def __init__(self, console: Console, *, clock: Callable[[], float] = time.monotonic) -> None:
        self.console = console
        self._clock = clock
        self._ascii = console.options.ascii_only
        self._stage: tuple[str, float] = ("", 0.0)
        self._counter: Callable[[], int] | None = None
        self._width = self._bar_cells = 0
        self._longest_s = 1.0

    def opening(self, title: str, lines: list[str]) -> None:
        """Say what will happen."""
        self._print(Text(title, "bold"))
        for line in lines:
            self._print(Text(f"  {line}", "dim"))
        self._print(Text())

    def said(self, text: str) -> None:
        """Say that something was done."""
        self._print(Text(f"  {text}"))

    def stage(self, text: str) -> None:
        """Say what is being waited for from now on."""
        self._stage = (text, self._clock())

    def count_with(self, counter: Callable[[], int]) -> None:
        """Show the number of acknowledged writes while waiting."""
        self._counter = counter

    async def tick(self) -> None:
        """Keep showing what is being waited for, until cancelled."""
        status = Status("", console=self.console) if self.console.is_terminal else None
        told: tuple[str, float] = ("", 0.0)
        try:
            if status is not None:
                status.start()
            while True:
                text, since_s = self._stage
                waited_s = self._clock() - since_s
                again_s = told[1] + TOLD_AGAIN_S if told[0] == text else TOLD_AFTER_S
                if status is not None:
                    status.update(Text(self._progress(text, waited_s), "dim"))
                elif text and waited_s >= again_s:
                    told = (text, waited_s)
                    self.said(f"... {self._progress(text, waited_s)}")
                await trio.sleep(_TICK_S)
        finally:
            if status is not None:
                status.stop()

    def header(self, names: tuple[InstanceName, ...], kinds: tuple[FaultKind, ...]) -> None:
        """Begin the time-line.

        Args:
            names: Of the instances, for the width of the columns.
            kinds: Of the faults to come, for the scale of the bars.
        """
        self._width = max(len("new MAIN"), *(len(name) for name in names))
        self._longest_s = max((TARGETS_S[kind] for kind in kinds), default=1.0)
        width = self._width
        line = f"{'#':>4} {'at':>7}  {'MAIN':<{width}} {'':<7}    {'new MAIN':<{width}} {'by':<10}{'pause':>7}  "
        self._bar_cells = min(max(self.console.width - len(line) - 1, _BARS[0]), _BARS[1])
        end = f" {self._longest_s:g} s"
        scale = "0 " + ("-" if self._ascii else "─") * (self._bar_cells - len(end) - 2) + end
        self._print(Text())
        self._print(Text(line + scale, "dim"))

    def fault(self, fault: Fault, pause: Pause, since_start_s: float) -> None:
        """Add one line to the time-line."""
        arrow = "->" if self._ascii else "→"
        by = fault.changes[-1].value if fault.changes else "?"
        more = f" x{len(fault.changes)}" if len(fault.changes) > 1 else ""
        style = pause_style(fault.kind, pause.first_s)
        line = Text(f"{fault.number:>4} {since_start_s:>5.1f} s  ", "dim")
        line.append(f"{fault.main:<{self._width}} ").append(f"{_WORDS[fault.kind]:<7}", "red")
        line.append(f" {arrow:<2} {fault.new_main:<{self._width}} ").append(f"{by + more:<10}", "dim")
        line.append(f"{in_words(pause.first_s):>7}  ", style).append(self._bar(pause.first_s), style)
        self._print(line)

    def closing(self, result: DrillResult) -> None:
        """Draw the reckoning and the verdict."""
        self._print(Text())
        if result.pauses:
            self._print(Text("Pauses: from the signal to the first acknowledged write begun after it", "bold"))
            self.console.print(self._pauses_table(result))
            self._print(Text())
        if result.findings is not None:
            self._print(Text("Ledger: what the writers were told, against what every instance holds", "bold"))
            self.console.print(_ledger_table(result, result.findings))
            self._print_told(result.findings)
            self._print(Text())
        self._print_verdict(result)

    def _print(self, text: Text) -> None:
        """Print without breaking lines: whoever pipes it decides how wide it is."""
        self.console.print(text, soft_wrap=True)

    def _progress(self, text: str, waited_s: float) -> str:
        count = "" if self._counter is None else f", {self._counter():,} writes"
        return f"{text} ({waited_s:.0f} s{count})" if text else ""

    def _bar(self, pause_s: float | None) -> str:
        share = 1.0 if pause_s is None else min(pause_s / self._longest_s, 1.0)
        cells, rest = divmod(max(1, round(share * self._bar_cells * 8)), 8)
        if self._ascii:
            return "#" * max(1, cells)
        return _EIGHTHS[8] * cells + _EIGHTHS[rest].rstrip()

    def _pauses_table(self, result: DrillResult) -> Table:
        table = _table("", "n", "min", "p50", "p99", "max", "")
        for kind in FaultKind:
            pauses = result.of(kind)
            if pauses:
                first = first_pauses(pauses)
                table.add_row(f"{_WORDS[kind]}: the first writer", *_figures(first))
                if not result.stock:  # the targets are for writers that reconnect at once (design 10)
                    table.add_row(Text("  target", "dim"), *_target_row(kind, first))
                table.add_row("  every writer", *_figures(writer_pauses(pauses)))
        table.add_row("longest other silence", "", "", "", "", in_words(result.other_silence_s))
        return table

    def _print_told(self, findings: Findings) -> None:
        self._print(
            Text(
                f"{findings.attempts:,} attempts: {findings.acknowledged:,} acknowledged,"
                f" {findings.refused:,} refused, {findings.indeterminate:,} in doubt;"
                f" {findings.failed_connects:,} failed connects",
                "dim",
            )
        )
        most = sorted(findings.errors.items(), key=lambda item: -item[1])
        for text, times in most[:_ERRORS_SHOWN]:
            self.console.print(Text(f"{times:>8,} x {text}", "dim"), no_wrap=True, overflow="ellipsis")
        if len(most) > _ERRORS_SHOWN:
            self._print(Text(f"{sum(times for _, times in most[_ERRORS_SHOWN:]):>8,} x other errors", "dim"))

    def _print_verdict(self, result: DrillResult) -> None:
        took = f"{len(result.faults)} of {result.faults_wanted} faults in {result.duration_s:.0f} s"
        if result.passed and result.findings is not None:
            mark = "OK" if self._ascii else "✔"
            all_of_them = f"all {result.findings.acknowledged:,} acknowledged writes are on all {len(result.instances)}"
            self._print(Text(f"{mark} Nothing lost: {all_of_them} instances, each once.", "bold green"))
            self._print(Text(f"  {took}; no process and no port of ours is left.", "dim"))
        else:
            mark = "FAILED" if self._ascii else "✘ Failed"
            self._print(Text(f"{mark} after {took}:", "bold red"))
        for complaint in result.complaints():
            head, *details = complaint.splitlines()
            self._print(Text(f"  - {head}", "red"))
            for detail in details:
                self._print(Text(f"    {detail}", "dim"))
        if result.kept is not None:
            for line in evidence(result.kept):
                self._print(Text(f"  {line}", "bold"))


def evidence(kept: Path) -> tuple[str, str]:
    """Say where the evidence is, and what it is, in two lines."""
    return f"The evidence is kept: {kept}", "(the record, all logs, every instance's data; remove it when done)"


def in_words(seconds: float | None) -> str:
    """Give a time as a person would: ``312 ms``, ``1.25 s``, ``never``."""
    if seconds is None or seconds == float("inf"):
        return "never"
    return f"{seconds * 1000:.0f} ms" if round(seconds * 1000) < 1000 else f"{seconds:.2f} s"  # noqa: PLR2004 - a second


def pause_style(kind: FaultKind, pause_s: float | None) -> str:
    """Choose the colour of a pause: green if good, yellow within the target, else red."""
    if pause_s is None or pause_s >= TARGETS_S[kind]:
        return "bold red"
    return "green" if pause_s < GOOD_S[kind] else "yellow"


def _table(*columns: str) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for number, column in enumerate(columns):
        table.add_column(column, justify="right" if column else "left", header_style="dim", no_wrap=number > 0)
    return table


def _figures(values: Distribution) -> tuple[str, ...]:
    times = (in_words(value) for value in (values.min, values.p50, values.p99, values.max))
    return (f"{values.count:,}", *times)


def _target_row(kind: FaultKind, first: Distribution) -> tuple[Text, ...]:
    """Put the target under the figures that it is for (design 10)."""
    half = kind is FaultKind.KILL
    met = first.p99 < TARGETS_S[kind] and (not half or first.p50 < GOOD_S[kind])
    texts = ("", "", f"< {GOOD_S[kind]:g} s" if half else "", f"< {TARGETS_S[kind]:g} s", "")
    verdict = Text("met", "green") if met else Text("missed", "bold red")
    return (*(Text(text, "dim") for text in texts), verdict)


def _ledger_table(result: DrillResult, findings: Findings) -> Table:
    table = _table("", "writes", "lost", "duplicated", "phantom", "in doubt, there")
    main = result.faults[-1].new_main if result.faults else None
    for found in findings.instances:
        bad = [len(found.lost), len(found.duplicated), len(found.phantom) + len(found.unknown)]
        table.add_row(
            f"{found.instance} (MAIN)" if found.instance == main else found.instance,
            f"{found.rows:,}",
            *(Text(f"{count:,}", "bold red" if count else "green") for count in bad),
            f"{found.indeterminate_present:,} of {findings.indeterminate:,}",
        )
    return table

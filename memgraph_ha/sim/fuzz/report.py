"""What a campaign came to, for people."""

from __future__ import annotations

from collections import Counter
from typing import Final

from rich.console import Group, RenderableType
from rich.table import Table
from rich.text import Text

from memgraph_ha.core import RULES
from memgraph_ha.sim.fuzz.outcome import Outcome
from memgraph_ha.sim.fuzz.sometimes import Mark
from memgraph_ha.sim.fuzz.tally import Tally

SHOWN: Final = 3
"""How many lines of a reason are shown."""


def never_seen(tally: Tally) -> tuple[Mark, ...]:
    """The situations that never came up."""
    return tuple(mark for mark in Mark if not tally.marks[mark.word])


def never_fired(tally: Tally) -> tuple[str, ...]:
    """The rules that never decided."""
    return tuple(rule.id for rule in RULES if not tally.rules[rule.id])


def again(outcome: Outcome) -> str:
    """The command that plays that life again."""
    return f"memgraph-ha sim fuzz --seed {outcome.seed} --runs 1"


def pace(tally: Tally) -> str:
    """How fast it went, e.g. ``12.5 runs/s, 0.31 cluster-hours/s``."""
    return f"{tally.runs_per_s:.2f} runs/s, {tally.cluster_hours_per_s:.3f} cluster-hours/s"


def find(outcome: Outcome) -> Text:
    """One life that somebody has to look at."""
    text = Text()
    text.append(f"{outcome.verdict.value}: seed {outcome.seed}", "bold red")
    for line in outcome.reason.splitlines()[:SHOWN]:
        text.append(f"\n  {line}")
    text.append(f"\n  again: {again(outcome)}", "dim")
    return text


def summary(tally: Tally) -> RenderableType:
    """Everything about a campaign but its finds."""
    faults = sum(tally.faults.values())
    each = faults / max(1, tally.runs)
    lines = [
        f"{tally.runs:,} lives: seeds {tally.first} to {tally.first + tally.runs - 1}",
        f"{faults:,} faults ({each:.1f} each), {tally.acked:,} acknowledged writes",
        f"{tally.cluster_s / 3600:.1f} cluster-hours in {tally.wall_s:.0f} s: {pace(tally)}",
        f"{tally.failovers:,} failovers, {tally.unneeded:,} of them of a MAIN that could have acknowledged a write",
        f"{sum(map(len, tally.stuck.values())):,} ended waiting for a person after a loss: {_listed(tally.stuck)}",
        f"{len(RULES) - len(never_fired(tally))} of {len(RULES)} rules fired; never: {_names(never_fired(tally))}",
        f"{len(tally.finds)} {'find' if len(tally.finds) == 1 else 'finds'}",
    ]
    if tally.interrupted:
        lines.append("it was interrupted")
    return Group(_table("fault", tally.faults), _marks(tally), *(Text(line) for line in lines))


def _marks(tally: Tally) -> Table:
    table = Table("sometimes", "", "times", box=None, header_style="dim")
    table.columns[2].justify = "right"
    for mark in Mark:
        count = tally.marks[mark.word]
        table.add_row(mark.word, mark.value, f"{count:,}", style="" if count else "yellow")
    return table


def _table(name: str, counts: Counter[str]) -> Table:
    table = Table(name, "times", box=None, header_style="dim")
    table.columns[1].justify = "right"
    for word, count in sorted(counts.items()):
        table.add_row(word, f"{count:,}")
    return table


def _listed(stuck: dict[str, list[int]]) -> str:
    return ", ".join(f"{word} {len(seeds)} (seed {seeds[0]})" for word, seeds in sorted(stuck.items())) or "none"


def _names(words: tuple[str, ...]) -> str:
    return " ".join(words) or "none"

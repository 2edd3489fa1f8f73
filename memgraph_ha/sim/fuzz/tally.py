"""The sum of many lives, as it is shown, written to a file and taken up again."""

from __future__ import annotations

import json
from collections import Counter
from pathlib import Path
from typing import Any, Final

import cattrs
from attrs import define, field

from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.fuzz.outcome import Outcome, Verdict

SCHEMA: Final = "memgraph-ha/fuzz/1"
"""Of the JSON object."""

WORST_FIRST: Final = (Exit.INTERNAL, Exit.NOT_DETERMINISTIC, Exit.SAFETY, Exit.LIVENESS)
"""Which exit code wins if there are several finds."""


@define(kw_only=True)
class Tally:
    """The sum of the lives of seeds ``first`` to ``first + runs - 1``.

    Attributes:
        finds: The lives that somebody has to look at, in the order of their seeds.
        stuck: The seeds of those that ended waiting under each documented name.
        faults: How often each verb was done; ``rules``, ``holds`` and ``marks`` likewise, see `Outcome`.
        cluster_s: Virtual seconds of all of them together.
        wall_s: What they took, in real seconds.
        interrupted: Somebody ended it before it was over.
    """

    first: int = 0
    runs: int = 0
    finds: list[Outcome] = field(factory=list)
    stuck: dict[str, list[int]] = field(factory=dict)
    faults: Counter[str] = field(factory=Counter)
    rules: Counter[str] = field(factory=Counter)
    holds: Counter[str] = field(factory=Counter)
    marks: Counter[str] = field(factory=Counter)
    failovers: int = 0
    unneeded: int = 0
    acked: int = 0
    cluster_s: float = 0.0
    wall_s: float = 0.0
    interrupted: bool = False

    def add(self, outcome: Outcome) -> None:
        """Add the next life."""
        self.runs += 1
        if outcome.is_find:
            self.finds.append(outcome)
        if outcome.verdict is Verdict.STUCK:
            self.stuck.setdefault(outcome.reason, []).append(outcome.seed)
        for sums, counts in (
            (self.faults, outcome.faults),
            (self.rules, outcome.rules),
            (self.holds, outcome.holds),
            (self.marks, outcome.marks),
        ):
            sums.update(dict(counts))
        self.failovers += outcome.failovers
        self.unneeded += outcome.unneeded
        self.acked += outcome.acked
        self.cluster_s += outcome.seconds

    @property
    def exit(self) -> Exit:
        """The exit code of the whole."""
        found = {outcome.verdict.exit for outcome in self.finds}
        return next((code for code in WORST_FIRST if code in found), Exit.OK)

    @property
    def runs_per_s(self) -> float:
        """How many lives a real second held."""
        return self.runs / self.wall_s if self.wall_s else 0.0

    @property
    def cluster_hours_per_s(self) -> float:
        """How many virtual hours of a cluster a real second held."""
        return self.cluster_s / 3600 / self.wall_s if self.wall_s else 0.0


def to_json(tally: Tally) -> dict[str, Any]:
    """Write it as plain values; every table is sorted by name."""
    made: dict[str, Any] = {"schema": SCHEMA, **_CONVERTER.unstructure(tally)}
    for name, value in made.items():
        if isinstance(value, dict):
            made[name] = dict(sorted(value.items()))
    return made


def save(tally: Tally, file: Path) -> None:
    """Keep it, so that the campaign can be taken up again; the file is replaced as a whole."""
    beside = file.with_name(file.name + ".new")
    beside.write_text(json.dumps(to_json(tally), indent=1) + "\n")
    beside.replace(file)


def load(file: Path, first: int) -> Tally:
    """Take a campaign up again.

    Args:
        file: What `save` wrote; if it is not there, the campaign begins.
        first: The first seed of the campaign.

    Raises:
        ValueError: It is something else, or of other seeds; the text names the file and the fix.
    """
    try:
        given = json.loads(file.read_text())
    except FileNotFoundError:
        return Tally(first=first)
    except ValueError as error:
        raise ValueError(f"{file}: it is no JSON ({error}): give another file, or remove it") from error
    if not isinstance(given, dict) or given.pop("schema", None) != SCHEMA:
        raise ValueError(f"{file}: it is not of schema {SCHEMA!r}: give another file, or remove it")
    try:
        tally: Tally = _CONVERTER.structure(given, Tally)
    except (cattrs.BaseValidationError, TypeError, ValueError) as error:
        raise ValueError(f"{file}: it cannot be read ({error}): give another file, or remove it") from error
    if tally.first != first:
        raise ValueError(f"{file}: its first seed is {tally.first}, not {first}: give that one, or another file")
    tally.interrupted = False
    return tally


_CONVERTER: Final = cattrs.Converter(forbid_extra_keys=True)

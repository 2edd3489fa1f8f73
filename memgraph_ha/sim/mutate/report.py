"""What came of a hunt: fates, scores per detector and together, and the survivors."""

import enum
from collections.abc import Iterable
from typing import Any

from attrs import frozen

from memgraph_ha.sim.mutate.hunt import Notice
from memgraph_ha.sim.mutate.mutant import Mutant


class Fate(enum.Enum):
    """What became of a mutant."""

    NOTICED = "noticed"
    SURVIVED = "survived"
    REFUSED = "refused"
    EQUIVALENT = "equivalent"


@frozen(kw_only=True)
class Outcome:
    """One mutant's.

    Attributes:
        mutant: Which.
        fate: What became of it. ``REFUSED``: the type checker takes it for no program; neither that nor
            ``EQUIVALENT`` counts in a score.
        notices: What the detectors said, in the order in which they were asked.
        why: Why it is equivalent.
    """

    mutant: Mutant
    fate: Fate
    notices: tuple[Notice, ...] = ()
    why: str = ""


@frozen(kw_only=True)
class Score:
    """How many mistakes were noticed.

    Attributes:
        name: Of the detector; ``together`` for all of them.
        noticed: How many.
        shown: Of how many.
    """

    name: str
    noticed: int
    shown: int

    @property
    def percent(self) -> float:
        """Of those shown; 100 if none was."""
        return 100.0 if self.shown == 0 else 100.0 * self.noticed / self.shown


def judged(mutant: Mutant, notices: tuple[Notice, ...]) -> Outcome:
    """Tell from the detectors' answers what became of a mutant.

    Args:
        mutant: Which.
        notices: Theirs.
    """
    noticed = any(notice.case for notice in notices)
    return Outcome(mutant=mutant, fate=Fate.NOTICED if noticed else Fate.SURVIVED, notices=notices)


def together(outcomes: Iterable[Outcome]) -> Score:
    """The score of all detectors, over the mutants that are mistakes.

    Args:
        outcomes: Of the mutants.
    """
    counted = [outcome.fate for outcome in outcomes if outcome.fate in (Fate.NOTICED, Fate.SURVIVED)]
    return Score(name="together", noticed=counted.count(Fate.NOTICED), shown=len(counted))


def scores(outcomes: Iterable[Outcome]) -> tuple[Score, ...]:
    """The score of each detector over the mutants that it was shown, in the order in which they are asked.

    Args:
        outcomes: Of the mutants. Unless every detector was asked about every mutant, a later one was only shown what
            those before it did not notice.
    """
    shown: dict[str, list[bool]] = {}
    for outcome in outcomes:
        for notice in outcome.notices:
            shown.setdefault(notice.detector, []).append(bool(notice.case))
    return tuple(Score(name=name, noticed=sum(found), shown=len(found)) for name, found in shown.items())


def document(outcomes: tuple[Outcome, ...]) -> dict[str, Any]:
    """What ``--json`` prints: fates, scores, and every mutant.

    Args:
        outcomes: Of the mutants.
    """
    fates = [outcome.fate for outcome in outcomes]
    total = together(outcomes)
    return {
        "schema": "memgraph-ha/mutate/1",
        "fates": {fate.value: fates.count(fate) for fate in Fate},
        "score": {"noticed": total.noticed, "shown": total.shown, "percent": round(total.percent, 2)},
        "detectors": [
            {"name": score.name, "noticed": score.noticed, "shown": score.shown, "percent": round(score.percent, 2)}
            for score in scores(outcomes)
        ],
        "mutants": [_entry(outcome) for outcome in outcomes],
    }


def _entry(outcome: Outcome) -> dict[str, Any]:
    mutant = outcome.mutant
    found = next((notice for notice in outcome.notices if notice.case), None)
    entry: dict[str, Any] = {
        "id": mutant.id,
        "anchor": mutant.anchor,
        "function": mutant.function,
        "operator": mutant.operator,
        "before": mutant.before,
        "after": mutant.after,
        "fate": outcome.fate.value,
    }
    if found is not None:
        entry["by"] = {"detector": found.detector, "case": found.case, "says": found.says}
    if outcome.fate is Fate.SURVIVED:
        entry["looked"] = {notice.detector: {"cases": notice.cases, "left": notice.left} for notice in outcome.notices}
    return entry | ({"why": outcome.why} if outcome.why else {})


def lines(outcomes: tuple[Outcome, ...]) -> tuple[str, ...]:
    """The report for people: the table, then the survivors with how many cases looked at each.

    Args:
        outcomes: Of the mutants.
    """
    fates = [outcome.fate for outcome in outcomes]
    left_out = f"{fates.count(Fate.REFUSED)} refused by the type checker, {fates.count(Fate.EQUIVALENT)} equivalent"
    found = [f"{len(outcomes)} mutants; {left_out}"]
    found += [f"  {s.name:<10} {s.noticed:>5} of {s.shown:<5} {s.percent:6.2f} %" for s in scores(outcomes)]
    total = together(outcomes)
    found.append(f"  {total.name:<10} {total.noticed:>5} of {total.shown:<5} {total.percent:6.2f} %")
    for outcome in outcomes:
        if outcome.fate is Fate.SURVIVED:
            mutant = outcome.mutant
            found.append(f"survived {mutant.id} in {mutant.function}: {mutant.before}  ->  {mutant.after}")
            found += [f"    {n.detector}: {n.cases} cases looked, {n.left} more could" for n in outcome.notices]
    return tuple(found)

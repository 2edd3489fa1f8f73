"""The hunt: each mutant in a process of its own, shown to one detector after the other until one notices it.

Mutants cannot meet each other so; one that runs for ever or eats memory is ended from outside, and noticed by that.
"""

import time
from collections.abc import Callable, Iterable, Iterator
from contextlib import redirect_stderr, redirect_stdout
from functools import partial
from io import StringIO
from typing import Final

from attrs import evolve, frozen

from memgraph_ha.core.rules import RULES, Rule
from memgraph_ha.sim.mutate.detector import Case, Detector, UnfitError, in_order
from memgraph_ha.sim.mutate.forked import Ended, Say, forked
from memgraph_ha.sim.mutate.mutant import Mutant
from memgraph_ha.sim.mutate.plant import planted
from memgraph_ha.sim.mutate.reach import Notes, Reach, watched

CASE_S: Final = 90.0
"""Longest one case may take, seconds: a mutant that makes time stand still, or goes round in circles, is noticed so."""

STOOD_STILL: Final = f"it did not come to an end within {CASE_S:g} s"

CHUNK: Final = 8
"""How many cases are watched in one process."""

SAID: Final = 200
"""Longest message that is kept of what a case says, characters."""


@frozen(kw_only=True)
class Notice:
    """One detector's answer about a mutant.

    Attributes:
        detector: Whose.
        case: Which case noticed it; empty if none did.
        says: What it said.
        cases: How many cases looked.
        left: How many could have noticed it and did not look, because patience was over.
        seconds: How long that took.
    """

    detector: str
    case: str = ""
    says: str = ""
    cases: int = 0
    left: int = 0
    seconds: float = 0.0


@frozen(kw_only=True)
class Hunt:
    """How mutants are shown to detectors.

    Attributes:
        detectors: In this order: cheap ones first.
        reach: What their cases come past, by detector and case; see `watch`.
        patience_s: How long a detector may look at one mutant, seconds.
        thorough: Ask every detector about every mutant, also if one noticed it before.
        jobs: How many processes at a time.
    """

    detectors: tuple[Detector, ...]
    reach: dict[str, dict[str, Reach]]
    patience_s: float = 60.0
    thorough: bool = False
    jobs: int = 1


def show(mutants: Iterable[Mutant], hunt: Hunt) -> Iterator[tuple[Mutant, tuple[Notice, ...]]]:
    """Show mutants to the detectors.

    Args:
        mutants: In this order.
        hunt: How.

    Yields:
        Each mutant with the detectors' answers, as they come.

    Raises:
        RuntimeError: A mutant cannot be planted: a bug of ours.
    """
    tasks = ((mutant, partial(_look, mutant, hunt)) for mutant in mutants)
    for ended in forked(tasks, jobs=hunt.jobs, limit_s=CASE_S):
        yield ended.key, _answers(ended)


def _answers(ended: Ended[Mutant]) -> tuple[Notice, ...]:
    """What the process told, and that it never ended, or died, if that is so."""
    if not ended.said:
        raise RuntimeError(f"{ended.key.id} cannot be planted: its process ended before anybody looked")
    notices = [said for said in ended.said if isinstance(said, Notice)]
    if ended.said and not isinstance(ended.said[-1], Notice):
        detector, case = str(ended.said[-1]).split("\n", 1)
        says = "its process died" if ended.in_time else STOOD_STILL
        notices.append(Notice(detector=detector, case=case, says=says, cases=1, seconds=CASE_S))
    return tuple(notices)


def _look(mutant: Mutant, hunt: Hunt, say: Say) -> None:
    """In the mutant's own process: say which case is on, and what each detector found."""
    with planted(mutant) as rules:
        for detector in hunt.detectors:
            found = _ask(
                detector, in_order(mutant, detector.cases, hunt.reach.get(detector.name, {})), rules, hunt, say
            )
            say(found)
            if found.case and not hunt.thorough:
                return


def _ask(detector: Detector, cases: list[Case], rules: tuple[Rule, ...], hunt: Hunt, say: Say) -> Notice:
    began_s, answer = time.monotonic(), Notice(detector=detector.name, left=len(cases))
    for case in cases:
        if time.monotonic() - began_s > hunt.patience_s:
            break
        say(f"{detector.name}\n{case.name}")
        says = examined(case, rules)
        answer = evolve(answer, cases=answer.cases + 1, left=answer.left - 1, seconds=time.monotonic() - began_s)
        if says is not None:
            return evolve(answer, case=case.name, says=says)
    return answer


def examined(case: Case, rules: tuple[Rule, ...]) -> str | None:
    """Let a case look, quietly.

    Args:
        case: Which.
        rules: The rules that it looks at.

    Returns:
        What is wrong in one line, also if the case could not bear it; None if nothing is.
    """
    try:
        with redirect_stdout(StringIO()), redirect_stderr(StringIO()):
            says = case.examine(rules)
    except Exception as error:  # noqa: BLE001 - a mutant may raise anything anywhere: that is how many show
        says = f"{type(error).__name__}: {error}"
    return None if says is None else " ".join(says.split())[:SAID]


def watch(detectors: Iterable[Detector], jobs: int, told: Callable[[str], None]) -> dict[str, dict[str, Reach]]:
    """Let every case look at the right rules once, and note what it comes past.

    Args:
        detectors: Whose cases.
        jobs: How many processes at a time.
        told: Called with the name of each case that was watched.

    Returns:
        What each case comes past, by detector and case.

    Raises:
        UnfitError: A case finds something wrong with the right rules, or does not end: it cannot judge mutants.
    """
    cases = [(detector.name, case) for detector in detectors for case in detector.cases]
    found: dict[str, dict[str, Reach]] = {detector: {} for detector, _case in cases}
    with watched() as notes:
        chunks = [cases[first : first + CHUNK] for first in range(0, len(cases), CHUNK)]
        tasks = ((place, partial(_watch, chunk, notes)) for place, chunk in enumerate(chunks))
        for ended in forked(tasks, jobs=jobs, limit_s=CASE_S):
            for place, (detector, case) in enumerate(chunks[ended.key]):
                answer = ended.said[place] if place < len(ended.said) else STOOD_STILL
                if not isinstance(answer, Reach):
                    raise UnfitError(
                        f"{detector} {case.name} cannot judge mutants: of the right rules it says: {answer}"
                    )
                found[detector][case.name] = answer
                told(case.name)
    return found


def _watch(cases: list[tuple[str, Case]], notes: Notes, say: Say) -> None:
    for _detector, case in cases:
        notes.clear()
        began_s = time.monotonic()
        says = examined(case, RULES)
        say(notes.reach(time.monotonic() - began_s) if says is None else says)

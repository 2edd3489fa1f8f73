"""A whole hunt: which mutants, which detectors, and what came of it."""

import random
import tempfile
from pathlib import Path

from attrs import frozen

from memgraph_ha.sim.mutate.detector import Detector, UnfitError
from memgraph_ha.sim.mutate.detectors import lives, scenarios, search, views
from memgraph_ha.sim.mutate.equivalent import equivalents, reasons
from memgraph_ha.sim.mutate.held import with_tests
from memgraph_ha.sim.mutate.hunt import Hunt, show, watch
from memgraph_ha.sim.mutate.mutant import Edit, Mutant
from memgraph_ha.sim.mutate.plant import edited_since
from memgraph_ha.sim.mutate.report import Fate, Outcome, judged
from memgraph_ha.sim.mutate.session import Session, fingerprint
from memgraph_ha.sim.mutate.sites import CORE, FILES, mutants_of
from memgraph_ha.sim.mutate.table import table_mutants
from memgraph_ha.sim.mutate.types import checker_is_here, refused
from memgraph_ha.sim.scenario.model import Scenario

CONFIG = CORE.parent.parent / "pyproject.toml"
"""The project's strictness; in an installed wheel there is none, and nothing is checked."""


class UnknownMutantError(Exception):
    """There is no such mutant; the text names it."""


@frozen(kw_only=True)
class Order:
    """What is asked for.

    Attributes:
        scenarios: Runs that the detectors `views` and `scenarios` play.
        faults: The detector `search` looks at every history with up to so many faults; None: it does not look.
        lives: How many random lives the detector `fuzz` plays, seeds from 0 on.
        tests: Paths of tests, as pytest takes them; none: the tests of the checkout are not asked.
        files: Only mutants of these, below ``memgraph_ha/core``; none: of all.
        operators: Only these mistakes; none: all.
        ids: Only these mutants; none: all.
        sample: Only so many, drawn by ``seed``; None: all.
        seed: Of the draw, and of the order.
        thorough: See `Hunt`.
        patience_s: See `Hunt`.
        jobs: See `Hunt`.
        resume: Where what is known so far is kept; None: nowhere.
    """

    scenarios: tuple[Scenario, ...]
    faults: int | None = None
    lives: int = 0
    tests: tuple[str, ...] = ()
    files: tuple[str, ...] = ()
    operators: tuple[str, ...] = ()
    ids: tuple[str, ...] = ()
    sample: int | None = None
    seed: int = 1
    thorough: bool = False
    patience_s: float = 60.0
    jobs: int = 1
    resume: Path | None = None


class Progress:
    """Whom to tell how far it is; this one does not care."""

    def stage(self, what: str, steps: int) -> None:
        """Something begins that has so many steps."""

    def step(self, name: str) -> None:
        """One step is done."""

    def outcome(self, outcome: Outcome) -> None:
        """It is known what became of a mutant."""


def every_mutant() -> tuple[Mutant, ...]:
    """Every mistake that is made, in the order of the files; the table's come last."""
    return (*(mutant for file in FILES for mutant in mutants_of(file)), *table_mutants())


def chosen(order: Order) -> tuple[Mutant, ...]:
    """The mutants that are asked for, in a drawn order: a hunt that is stopped early has seen a bit of everything.

    Args:
        order: What is asked for.

    Raises:
        UnknownMutantError: There is no mutant of an id.
    """
    everyone = every_mutant()
    unknown = sorted(set(order.ids) - {mutant.id for mutant in everyone})
    if unknown:
        raise UnknownMutantError(f"there is no mutant {unknown[0]!r}: `memgraph-ha sim mutate --list` names them")
    wanted = [
        mutant
        for mutant in everyone
        if (not order.files or mutant.file in order.files)
        and (not order.operators or mutant.operator in order.operators)
        and (not order.ids or mutant.id in order.ids)
    ]
    random.Random(order.seed).shuffle(wanted)
    return tuple(wanted[: order.sample])


def hunted(order: Order, progress: Progress) -> tuple[Outcome, ...]:
    """Do it.

    Args:
        order: What is asked for.
        progress: Whom to tell.

    Returns:
        What became of each mutant, in the order in which it was found out.

    Raises:
        UnknownMutantError: There is no mutant of an id.
        StaleTableError: The table of equivalent mutants is not of this text.
        SessionError: The file to go on with is of another hunt.
        UnfitError: The core was edited just now, a detector finds fault with the right rules, or the tests cannot be
            collected.
    """
    edited = edited_since()
    if edited is not None:
        raise UnfitError(f"{edited} was edited while it was loaded: start again")
    mutants = chosen(order)
    why = reasons(every_mutant(), equivalents())
    found = [Outcome(mutant=m, fate=Fate.EQUIVALENT, why=why[m.id]) for m in mutants if m.id in why]
    no_program = _refused(tuple(mutant for mutant in mutants if mutant.id not in why), progress)
    found += [Outcome(mutant=m, fate=Fate.REFUSED) for m in mutants if m.id in no_program]
    left = tuple(m for m in mutants if m.id not in why and m.id not in no_program)

    def lend(*held: Detector) -> None:
        found.extend(_shown(left, held, order, progress))

    if order.tests:
        with_tests(order.tests, lend)
    else:
        lend()
    return tuple(found)


def _refused(mutants: tuple[Mutant, ...], progress: Progress) -> frozenset[str]:
    if not checker_is_here() or not CONFIG.exists():
        return frozenset()
    files = sorted({mutant.file for mutant in mutants if isinstance(mutant.plant, Edit)})
    progress.stage("type-checking the mutants", len(files))
    found: set[str] = set()
    with tempfile.TemporaryDirectory() as cache:
        for file in files:
            found |= refused(file, Path(cache), CONFIG)
            progress.step(file)
    return frozenset(found)


def _shown(left: tuple[Mutant, ...], held: tuple[Detector, ...], order: Order, progress: Progress) -> list[Outcome]:
    """Let the detectors look at what is left."""
    asked = [
        order.faults,
        order.lives,
        order.tests,
        order.files,
        order.operators,
        order.thorough,
        order.patience_s,
        order.scenarios,
    ]
    session = Session(order.resume, fingerprint(repr(asked)))
    try:
        progress.stage("playing the scenarios", len(order.scenarios))
        seen = views(order.scenarios, order.jobs, progress.step)
        small = () if order.faults is None else (search(order.faults),)
        detectors = (seen, *held, scenarios(order.scenarios), *small, lives(range(order.lives)))
        if not session.reach:
            progress.stage("watching what comes past where", sum(len(detector.cases) for detector in detectors))
            session.watched(watch(detectors, order.jobs, progress.step))
        hunt = Hunt(
            detectors=detectors,
            reach=session.reach,
            patience_s=order.patience_s,
            thorough=order.thorough,
            jobs=order.jobs,
        )
        progress.stage("breaking the rules", len(left))
        outcomes = [judged(mutant, session.notices[mutant.id]) for mutant in left if mutant.id in session.notices]
        fresh = [mutant for mutant in left if mutant.id not in session.notices]
        for mutant, notices in show(fresh, hunt):
            session.judged(mutant, notices)
            outcomes.append(judged(mutant, notices))
            progress.outcome(outcomes[-1])
            progress.step(mutant.id)
        return outcomes
    finally:
        session.close()

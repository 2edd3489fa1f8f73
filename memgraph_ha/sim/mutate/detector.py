"""What may notice a mutant: named cases, each of which says what is wrong, or nothing."""

from collections.abc import Callable, Iterable

from attrs import field, frozen

from memgraph_ha.core.rules import RULES, Rule
from memgraph_ha.sim.mutate.mutant import Mutant
from memgraph_ha.sim.mutate.plant import module_name
from memgraph_ha.sim.mutate.reach import Reach

Examine = Callable[[tuple[Rule, ...]], str | None]
"""Look at the rules that are given, and at the functions that they and everybody else call: what is wrong?"""


class UnfitError(Exception):
    """A detector cannot judge mutants; the text says which, and why."""


@frozen(kw_only=True)
class Case:
    """One examination.

    Attributes:
        name: For people; unique within its detector.
        examine: Does it. Whatever it raises counts as noticed too.
        about: Ids of the rules that it was written for: mutants of these are shown to it first.
    """

    name: str
    examine: Examine = field(eq=False)
    about: frozenset[str] = frozenset()


@frozen(kw_only=True)
class Detector:
    """A kind of examination.

    Attributes:
        name: As the columns of the report are headed.
        cases: Cheap ones first.
    """

    name: str
    cases: tuple[Case, ...]


def in_order(mutant: Mutant, cases: Iterable[Case], reach: dict[str, Reach]) -> list[Case]:
    """Choose the cases that can notice a mutant, most promising first.

    Args:
        mutant: Which.
        cases: Of one detector.
        reach: What each comes past, by its name; one without an entry may come past everything.

    Returns:
        Those that come past the mutant: first who was written for its rule, then the quick ones.
    """
    meeting = [case for case in cases if case.name not in reach or reach[case.name].meets(mutant)]
    quick = {case.name: reach[case.name].seconds if case.name in reach else 0.0 for case in meeting}
    own = rules_near(mutant)
    return sorted(meeting, key=lambda case: (not own & case.about, quick[case.name]))


def rules_near(mutant: Mutant) -> frozenset[str]:
    """Name the rules that a mutant is likely to show in: the one whose text it is, else those of its module."""
    module = module_name(mutant.file)
    own = frozenset(rule.id for rule in RULES if mutant.function in (rule.id, rule.name))
    return own or frozenset(rule.id for rule in RULES if rule.decide.__module__ == module)

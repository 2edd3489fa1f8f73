"""What may notice a mutant: named cases, each of which says what is wrong, or nothing."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterable
from types import FrameType
from typing import Any, Final

from attrs import field, frozen

from memgraph_ha.core.decide import decide
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.rules import RULES, Rule
from memgraph_ha.sim.mutate.mutant import Edit, Mutant
from memgraph_ha.sim.mutate.plant import module_name
from memgraph_ha.sim.mutate.sites import CORE, FILES

Examine = Callable[[tuple[Rule, ...]], str | None]
"""Look at the rules that are given, and at the functions that they and everybody else call: what is wrong?"""


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


@frozen
class Reach:
    """What one case comes past: lines of the mutated modules, and the rules that decided.

    Attributes:
        lines: Per file below ``memgraph_ha/core``.
        fired: Ids.
        seconds: How long it took without being watched.
    """

    lines: dict[str, frozenset[int]]
    fired: frozenset[str]
    seconds: float = 0.0

    def meets(self, mutant: Mutant) -> bool:
        """Whether the case can notice that mutant at all: what it never comes past changes nothing for it."""
        if isinstance(mutant.plant, Edit):
            first, last = mutant.lines
            return any(first <= line <= last for line in self.lines.get(mutant.file, ()))
        return mutant.function in self.fired


_WATCHED: Final = {str(CORE / file): file for file in FILES}


class Watch:
    """Notes which lines of the mutated modules run, and which rules decide, as long as the context lasts."""

    def __init__(self) -> None:
        self._lines: dict[str, set[int]] = {}
        self._fired: set[str] = set()

    def __enter__(self) -> Watch:
        sys.settrace(self._call)
        return self

    def __exit__(self, *_exc: object) -> None:
        sys.settrace(None)

    @property
    def found(self) -> Reach:
        """What was come past up to now."""
        lines = {file: frozenset(lines) for file, lines in sorted(self._lines.items())}
        return Reach(lines, frozenset(self._fired))

    def _call(self, frame: FrameType, _event: str, _arg: Any) -> Callable[..., Any] | None:
        if frame.f_code is decide.__code__:
            return self._decided
        file = _WATCHED.get(frame.f_code.co_filename)
        return None if file is None else self._line_of(self._lines.setdefault(file, set()))

    @staticmethod
    def _line_of(lines: set[int]) -> Callable[..., Any]:
        def line(frame: FrameType, _event: str, _arg: Any) -> Callable[..., Any]:
            lines.add(frame.f_lineno)
            return line

        return line

    def _decided(self, _frame: FrameType, event: str, arg: Any) -> Callable[..., Any]:
        if event == "return" and isinstance(arg, Decision):
            self._fired.add(arg.rule)
        return self._decided


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

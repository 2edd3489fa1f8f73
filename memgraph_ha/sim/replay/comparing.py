"""Where rules decide otherwise than a trace says, and whether it matters."""

import enum
from collections import Counter
from collections.abc import Iterable
from typing import Final

from attrs import define, field, fields, frozen

from memgraph_ha.core import RULES, Decision, Rule
from memgraph_ha.sim.replay.playing import Step, play
from memgraph_ha.trace.schema import Line

ACTS: Final = ("commands", "route")
"""The fields of a decision that change the world."""

_FIELDS: Final = tuple(attribute.name for attribute in fields(Decision))


class Alike(enum.Enum):
    """How a decision compares with the recorded one."""

    SAME = "the same in every field"
    REASON = "another rule, reason, hold or time to look again; the same commands and the same route"
    ACT = "other commands or another route: later facts are no consequence of these rules any more"


@frozen(kw_only=True)
class Difference:
    """A tick that is decided otherwise.

    Attributes:
        step: The tick.
        fields: Which fields of the decision differ; ``error`` if one of both broke.
        alike: Whether it matters.
    """

    step: Step
    fields: tuple[str, ...]
    alike: Alike


@define
class Comparison:
    """What came of comparing a trace.

    Attributes:
        ticks: How many were compared.
        same: How many of them are decided the same in every field.
        reasons: How many differ only in reason, by recorded and present rule; each with the first such tick.
        act: The first tick with other commands or another route; nothing after it was compared.
        first: The first tick that differs in anything.
        begin_s: When the first tick was, on the recorder's clock.
    """

    ticks: int = 0
    same: int = 0
    reasons: Counter[tuple[str, str]] = field(factory=Counter)
    act: Difference | None = None
    first: Difference | None = None
    begin_s: float = 0.0


def compare(step: Step) -> Difference | None:
    """Compare one tick; None if it is the same in every field."""
    was, now = step.line.decision, step.decision
    if was is None or now is None:
        same = was is None and now is None and step.line.error == step.error
        return None if same else Difference(step=step, fields=("error",), alike=Alike.ACT)
    differing = tuple(name for name in _FIELDS if getattr(was, name) != getattr(now, name))
    if not differing:
        return None
    acts = any(name in ACTS for name in differing)
    return Difference(step=step, fields=differing, alike=Alike.ACT if acts else Alike.REASON)


def compare_all(lines: Iterable[Line], rules: tuple[Rule, ...] = RULES, *, strict: bool = False) -> Comparison:
    """Compare what a trace says with what rules decide now.

    Args:
        lines: In order, from the header on.
        rules: Today's by default.
        strict: Stop at the first difference of any kind, not only at one that matters.

    Returns:
        What was found up to the first tick that differs in commands or route, or the end.
    """
    found = Comparison()
    for step in play(lines, rules):
        found.begin_s = found.begin_s if found.ticks else step.line.t
        found.ticks += 1
        difference = compare(step)
        if difference is None:
            found.same += 1
            continue
        found.first = found.first or difference
        if difference.alike is Alike.ACT:
            found.act = difference
            break
        was, now = step.line.decision, step.decision
        found.reasons[(was.rule if was else "", now.rule if now else "")] += 1
        if strict:
            break
    return found

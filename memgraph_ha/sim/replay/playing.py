"""Feeding a trace's facts to rules, at the instants at which the controllers decided."""

from collections.abc import Iterable, Iterator

from attrs import define, frozen

from memgraph_ha.core import RULES, Decision, InvariantViolation, Observed, Policy, Rule, View, decide, observe
from memgraph_ha.trace.schema import EndLine, FactLine, Line, MemoryLine, PolicyLine, StartLine, TickLine


@frozen(kw_only=True)
class Step:
    """One tick, as it was and as it is with the rules that were given.

    Attributes:
        line: What was recorded.
        view: What the controller knew.
        decision: What the rules decide now; None if they break.
        error: How they break; empty if they decide.
    """

    line: TickLine
    view: View
    decision: Decision | None
    error: str


@define
class Memory:
    """What one controller knows while its lines are read.

    Attributes:
        policy: The operator's choices in force.
        observed: What was filed.
    """

    policy: Policy
    observed: Observed


def remember(memories: dict[str, Memory], line: Line) -> None:
    """File what a line tells a controller.

    Args:
        memories: By controller; changed.
        line: Any line, in order.
    """
    match line:
        case StartLine():
            memories[line.who] = Memory(line.policy, Observed())
        case MemoryLine():
            memories[line.who] = Memory(line.policy, line.observed)
        case PolicyLine():
            memories[line.who].policy = line.policy
        case FactLine():
            memory = memories[line.who]
            memory.observed = observe(memory.observed, line.fact)
        case EndLine():
            memories.pop(line.who, None)
        case _:
            pass


def view_at(memories: dict[str, Memory], line: TickLine) -> View:
    """Make the view that a controller had at a tick."""
    memory = memories[line.who]
    return View(observed=memory.observed, policy=memory.policy, now_s=line.now_s, wall_s=line.wall_s)


def decided(view: View, rules: tuple[Rule, ...] = RULES) -> tuple[Decision | None, str]:
    """Let rules decide.

    Returns:
        The decision and an empty text, or None and how the rules break.
    """
    try:
        return decide(view, rules), ""
    except InvariantViolation as error:
        return None, str(error)


def play(lines: Iterable[Line], rules: tuple[Rule, ...] = RULES) -> Iterator[Step]:
    """Feed a trace to rules.

    Args:
        lines: In order, from the header on.
        rules: Today's by default.

    Yields:
        Every tick; what is decided differs from what was recorded only if the rules do, or the trace was changed.
    """
    memories: dict[str, Memory] = {}
    for line in lines:
        remember(memories, line)
        if isinstance(line, TickLine):
            view = view_at(memories, line)
            decision, error = decided(view, rules)
            yield Step(line=line, view=view, decision=decision, error=error)

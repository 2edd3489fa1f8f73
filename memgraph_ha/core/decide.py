"""`decide`: the first rule that matches. `explain`: what every rule saw."""

from attrs import evolve, frozen

from memgraph_ha.core.commands import WriteRecord
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.errors import InvariantViolation
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.invariants import broken_by
from memgraph_ha.core.observed import RECORD
from memgraph_ha.core.route import route
from memgraph_ha.core.rules import RULES, Rule
from memgraph_ha.core.view import View


def decide(view: View, rules: tuple[Rule, ...] = RULES) -> Decision:
    """Decide what to do now: total, deterministic, without memory.

    Args:
        view: What is known.
        rules: In order; the default is what ships. Given otherwise by the checker, to find what a rule is for.

    Returns:
        The decision of the first rule that matches, with its id and the route.

    Raises:
        InvariantViolation: Our bug: a command that the decision asks for would break a promise.
    """
    decision = next(
        evolve(found, rule=rule.id, name=rule.name)
        for rule in rules
        if isinstance(found := rule.decide(view), Decision)
    )
    if any(isinstance(command, WriteRecord) for command in decision.commands) and not view.may_try(WriteRecord, RECORD):
        reason = f"{decision.reason}: waiting to write the record{view.last_outcome(WriteRecord, RECORD)}"
        decision = evolve(decision, commands=(), hold=Hold.BACKING_OFF, reason=reason)
    decision = evolve(decision, route=route(view))
    broken = broken_by(view, decision)
    if broken:
        raise InvariantViolation(f"rule {decision.rule} ({decision.reason}) breaks {'; '.join(broken)}")
    return decision


@frozen
class Explanation:
    """One rule's answer."""

    rule: str
    name: str
    answer: Decision | Unmet


def explain(view: View, rules: tuple[Rule, ...] = RULES) -> tuple[Explanation, ...]:
    """List for every rule whether it matched, or the guard that stopped it and what it saw.

    Args:
        view: What is known.
        rules: In order.

    Returns:
        One line per rule, in order; the first `Decision` is what `decide` returns.
    """
    return tuple(Explanation(rule.id, rule.name, rule.decide(view)) for rule in rules)

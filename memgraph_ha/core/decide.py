"""`decide`: the first rule that matches. `explain`: what every rule saw."""

from attrs import frozen

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
    rule, found = _first(view, rules)
    commands, hold, reason = found.commands, found.hold, found.reason
    if any(isinstance(command, WriteRecord) for command in commands) and not view.may_try(WriteRecord, RECORD):
        reason = f"{reason}: waiting to write the record{view.last_outcome(WriteRecord, RECORD)}"
        commands, hold = (), Hold.BACKING_OFF
    decision = Decision(
        rule=rule.id,
        name=rule.name,
        reason=reason,
        commands=commands,
        look=found.look,
        hold=hold,
        wake_at_s=found.wake_at_s,
        route=route(view),
    )
    broken = broken_by(view, decision)
    if broken:
        raise InvariantViolation(f"rule {decision.rule} ({decision.reason}) breaks {'; '.join(broken)}")
    return decision


def _first(view: View, rules: tuple[Rule, ...]) -> tuple[Rule, Decision]:
    for rule in rules:
        found = rule.decide(view)
        if isinstance(found, Decision):
            return rule, found
    raise LookupError("no rule decides: the last one always must")


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

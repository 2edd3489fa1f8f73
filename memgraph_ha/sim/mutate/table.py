"""The kinds of mistakes in the table of rules: a rule forgotten, an order not kept, an act before its record.

Orders are taken from the rules' own words: a rule that says "After: U10" is moved right before U10, one that says
"Before: O20" right behind O20. What a rule does not claim about its place is no mistake.
"""

import re
from collections.abc import Iterator
from typing import Final

from attrs import evolve

from memgraph_ha.core.commands import Promote, WriteRecord
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.names import RunId
from memgraph_ha.core.rules import RULES, Rule
from memgraph_ha.core.view import View
from memgraph_ha.sim.mutate.mutant import Mutant, Table

FILE: Final = "rules/__init__.py"

OPERATORS: Final = ("rule-dropped", "moved-before", "moved-behind", "act-first")

LAST: Final = RULES[-1].id
"""Without the last rule nothing is decided at all: it is moved, never dropped."""

BEGINNERS: Final = ("C30", "L20", "L30", "L40", "M30")
"""The rules that write the record of a reign whose MAIN is still to be promoted."""

PLACES: Final = re.compile(r"(After|Before): (.*?)(?=\b(?:After|Before|Source|Then|Protects): |$)", re.DOTALL)
NAMED: Final = re.compile(r"\b[A-Z]\d\d\b")


def table_mutants() -> tuple[Mutant, ...]:
    """Every mistake in the table, in its order."""
    return tuple(mutant for rule in RULES for mutant in _of(rule))


def _of(rule: Rule) -> Iterator[Mutant]:
    if rule.id != LAST:
        yield _mutant(rule, "rule-dropped", "nothing", Table(lambda rules: _without(rules, rule.id)))
    for word, other in stated_orders(rule):
        yield _moved(rule, word, other)
    if rule.id in BEGINNERS:
        early = Rule(rule.id, ActsFirst(rule))
        put = Table(lambda rules: tuple(early if known.id == rule.id else known for known in rules))
        yield _mutant(rule, "act-first", "the promotion before the record", put)


def stated_orders(rule: Rule) -> list[tuple[str, str]]:
    """What a rule says about its place: ``After`` or ``Before``, and the other rule's id."""
    known = {other.id for other in RULES}
    found = PLACES.findall(" ".join((rule.decide.__doc__ or "").split()))
    return [(word, other) for word, said in found for other in NAMED.findall(said) if other in known]


def _moved(rule: Rule, word: str, other: str) -> Mutant:
    operator = "moved-before" if word == "After" else "moved-behind"

    def change(rules: tuple[Rule, ...]) -> tuple[Rule, ...]:
        order = list(_without(rules, rule.id))
        at = next(index for index, known in enumerate(order) if known.id == other)
        order.insert(at + (word == "Before"), rule)
        return tuple(order)

    return _mutant(rule, operator, f"right {'before' if word == 'After' else 'behind'} {other}", Table(change))


def _mutant(rule: Rule, operator: str, after: str, plant: Table) -> Mutant:
    return Mutant(
        id=f"{FILE}:{rule.id}:{operator}"
        + (f" {after.rsplit(maxsplit=1)[-1]}" if operator.startswith("moved") else ""),
        file=FILE,
        lines=(0, 0),
        function=rule.id,
        operator=operator,
        before=f"{rule.id} {rule.name}",
        after=after,
        plant=plant,
    )


def _without(rules: tuple[Rule, ...], rule_id: str) -> tuple[Rule, ...]:
    return tuple(rule for rule in rules if rule.id != rule_id)


class ActsFirst:
    """A rule that promotes before it writes down whom.

    Args:
        rule: The right one.
    """

    def __init__(self, rule: Rule) -> None:
        self._rule = rule
        self.__name__ = rule.name

    def __call__(self, view: View) -> Decision | Unmet:
        """Decide as the right rule does, with the promotion before its record."""
        found = self._rule.decide(view)
        if not isinstance(found, Decision):
            return found
        writes = [command for command in found.commands if isinstance(command, WriteRecord)]
        if not writes or view.record is None or writes[0].record.generation == view.record.generation:
            return found
        new = writes[0].record
        promote = Promote(instance=new.main, run=RunId(str(new.main_run)), generation=new.generation)
        return evolve(found, commands=(promote, *found.commands))

"""What each rule, and each order of two, is for: without it something else would be done."""

from functools import cache

import pytest

from memgraph_ha.core.rules import RULES, Rule
from memgraph_ha.core.view import View
from tests.core.corpus import BASES, corpus, outcome
from tests.core.occasions import OCCASIONS
from tests.core.overlap import Overlap
from tests.core.overlaps import FIRES, OVERLAPS

INDEX = {rule.id: place for place, rule in enumerate(RULES)}


@cache
def the_views() -> tuple[tuple[View, object], ...]:
    """Hand-made views, with what is done in each; the ones that tell most come first."""
    scenes = [*BASES.values(), *OCCASIONS.values(), *(overlap.scene for overlap in OVERLAPS), *FIRES.values()]
    views = [scene.view for scene in scenes] + [scene.view for _name, scene in corpus()]
    return tuple((view, outcome(view, RULES)) for view in views)


def test_the_outcome_does_not_look_at_ids() -> None:
    """Renaming every rule changes no outcome: what is compared below is what would be done."""
    renamed = tuple(Rule(f"X{place}", rule.decide) for place, rule in enumerate(RULES))
    for view, done in the_views()[:200]:
        assert outcome(view, renamed) == done


@pytest.mark.parametrize("rule", RULES, ids=lambda rule: rule.id)
def test_without_a_rule_something_else_is_done(rule: Rule) -> None:
    """Taking a rule out changes commands, hold or route of some view."""
    others = tuple(other for other in RULES if other is not rule)
    assert any(outcome(view, others) != done for view, done in the_views())


@pytest.mark.parametrize("overlap", OVERLAPS, ids=lambda overlap: f"{overlap.first} and {overlap.second}")
def test_swapped_neighbours_do_something_else(overlap: Overlap) -> None:
    """Swapping two rules that overlap changes what is done in the view of the table, unless it says otherwise."""
    first, second = INDEX[overlap.first], INDEX[overlap.second]
    order = list(RULES)
    order[first], order[second] = order[second], order[first]
    view = overlap.scene.view
    assert (outcome(view, tuple(order)) == outcome(view, RULES)) is overlap.equal

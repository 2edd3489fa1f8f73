"""The order of the rules where it matters: neighbours that both match, what must win, and why."""

import random

import pytest
from hypothesis import given, settings

from memgraph_ha.core.decide import decide
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.rules import RULES
from memgraph_ha.core.view import View
from tests.core.corpus import BASES, CHANGES, applied, corpus
from tests.core.occasions import OCCASIONS
from tests.core.overlap import Overlap
from tests.core.overlaps import OVERLAPS
from tests.core.views import answer
from tests.property.strategies import views

IDS = [rule.id for rule in RULES]
NEIGHBOURS = {
    (first.first, first.second) for first in OVERLAPS if IDS.index(first.second) == IDS.index(first.first) + 1
}
SEED = 20_240_501
SAMPLES = 4000


@pytest.mark.parametrize("overlap", OVERLAPS, ids=lambda overlap: f"{overlap.first} before {overlap.second}")
def test_the_first_of_two_that_match_wins(overlap: Overlap) -> None:
    """In a view in which both match, what the first asks for happens (each with its reason in the table)."""
    for rule in (overlap.first, overlap.second):
        found = answer(overlap.scene, rule)
        assert isinstance(found, Decision), f"{rule} does not match: {found}"
    decision = decide(overlap.scene.view)
    assert tuple(type(command) for command in decision.commands) == overlap.does, overlap.why
    assert decision.hold is overlap.hold, overlap.why
    assert decision.rule == overlap.first, overlap.why


def overlapping(view: View) -> set[tuple[str, str]]:
    """The neighbours that both match in a view."""
    matches = [isinstance(rule.decide(view), Decision) for rule in RULES]
    return {(IDS[i], IDS[i + 1]) for i in range(len(IDS) - 1) if matches[i] and matches[i + 1]}


def test_no_overlap_of_the_hand_made_scenes_is_untested() -> None:
    """Every step, with one change and with two or three at random: whoever overlaps there has a line in the table."""
    found: set[tuple[str, str]] = set()
    for scene in (*OCCASIONS.values(), *(scene for _name, scene in corpus())):
        found |= overlapping(scene.view)
    source = random.Random(SEED)
    bases, names = list(BASES.values()), list(CHANGES)
    for _ in range(SAMPLES):
        changed = applied(source.choice(bases), *source.sample(names, source.choice((2, 2, 3))))
        if changed is not None:
            found |= overlapping(changed.view)
    assert found - NEIGHBOURS == set(), "give each of these pairs a line in tests/core/overlaps.py"


@settings(max_examples=150)
@given(view=views())
def test_no_overlap_of_arbitrary_views_is_untested(view: View) -> None:
    """Arbitrary views find no overlap that has no line in the table."""
    assert overlapping(view) - NEIGHBOURS == set(), "give each of these pairs a line in tests/core/overlaps.py"

"""Forgetting is sound: a controller that keeps only what the search keeps decides as one that keeps everything."""

from collections.abc import Iterator

import pytest

from memgraph_ha.core.decide import decide
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.observe import observe
from memgraph_ha.core.observed import Observed
from memgraph_ha.core.view import View
from memgraph_ha.sim.search.clock import PAUSES, STEP_S, settle
from memgraph_ha.sim.search.explore import Search
from memgraph_ha.sim.search.mind import Mind, Scene, Thought
from memgraph_ha.sim.search.policies import POLICIES
from memgraph_ha.sim.search.verbs import FAULTS
from memgraph_ha.sim.search.words import NOW, WALL

LOOKS = 150
"""About so many looks are compared, spread over all of them; all where there are fewer."""


class Remembering(Mind):
    """A mind that notes every look."""

    looks: list[tuple[int, Scene]]

    def look(self, mind: int, scene: Scene) -> Thought:
        """Note it and look."""
        self.looks.append((mind, scene))
        return super().look(mind, scene)


def seen(mind: Mind, observed: Observed, scene: Scene, now_s: float) -> tuple[Observed, Decision]:
    """What a controller knows after a look, and what it decides."""
    for fact in mind._facts(observed, scene, now_s):
        observed = observe(observed, fact)
    return observed, decide(View(observed=observed, policy=mind.policy, now_s=now_s, wall_s=WALL))


def histories(kinds: frozenset[str]) -> Iterator[tuple[Mind, Observed, Scene]]:
    """What controllers know after a look, nothing forgotten, and what they see next."""
    search = Search(POLICIES["default"], 1, without=frozenset(FAULTS) - kinds)
    search.mind.__class__ = Remembering
    search.mind.looks = []  # type: ignore[attr-defined]  # it is a Remembering from here on
    search.run(limit=1500)
    looks = list(dict.fromkeys(search.mind.looks))  # type: ignore[attr-defined]  # likewise
    for mind, scene in looks[:: max(1, len(looks) // LOOKS)]:
        whole, _decision = seen(search.mind, search.mind.minds.values[mind], scene, NOW + STEP_S)
        yield search.mind, whole, scene


@pytest.mark.parametrize("kind", ["crash", "wipe", "cut", "cut-controller", "steal-lease"])
def test_what_is_forgotten_changes_no_decision(kind: str) -> None:
    """After every look, and after every pause from then on, the same rule decides and asks for the same."""
    compared = 0
    for mind, whole, scene in histories(frozenset({kind})):
        kept = settle(whole, NOW + STEP_S, blind=whole.record is not None and scene.record < 0)
        failed = any(tried.failures for tried in whole.attempts)  # how many steps a back-off lasts is not told
        for pause_s in PAUSES[:7] if failed else (STEP_S, *PAUSES[:7]):
            _known, told = seen(mind, kept, scene, NOW + pause_s)
            _known, full = seen(mind, whole, scene, NOW + STEP_S + pause_s)
            assert (told.rule, told.hold) == (full.rule, full.hold), (pause_s, full.reason)
            assert [type(command) for command in told.commands] == [type(command) for command in full.commands]
            assert (told.route.permit is None) == (full.route.permit is None)
            compared += 1
    assert compared > 200


def test_forgetting_twice_is_forgetting_once() -> None:
    """What was settled stays as it is."""
    for _mind, whole, _scene in histories(frozenset({"crash"})):
        once = settle(whole, NOW + STEP_S)
        assert settle(once, NOW) == once

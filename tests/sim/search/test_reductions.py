"""What the search leaves out because it is the same: mirror images, and orders that a prompt controller never meets."""

from collections.abc import Iterable

import pytest

from memgraph_ha.sim.search.explore import Search
from memgraph_ha.sim.search.ground import settled
from memgraph_ha.sim.search.mirror import mirrored, upright
from memgraph_ha.sim.search.moves import Moves
from memgraph_ha.sim.search.pace import Pace
from memgraph_ha.sim.search.policies import POLICIES
from memgraph_ha.sim.search.state import State
from memgraph_ha.sim.search.verbs import FAULTS

FEW = frozenset({"wipe", "crash-controller"})
"""Faults whose histories are few, of an instance and of a controller."""


def search(faults: int, kinds: Iterable[str], pace: Pace = Pace.PROMPT, *, mirror: bool = True) -> Search:
    """A search with nothing left out but what is asked for."""
    made = Search(POLICIES["default"], faults, without=frozenset(FAULTS) - frozenset(kinds), pace=pace)
    made.moves = Moves(made.mind, made.moves.without, pace, mirror=mirror)
    return made


def states_of(searched: Search) -> set[State]:
    """Every state that it reaches; none may break a promise."""
    graph = searched.run()
    assert graph.broken is None
    return set(graph.states)


def test_a_mirror_shows_what_is_there() -> None:
    """Swapping the pair leads from the states of a world without mirrors to exactly those of one with them."""
    plain = search(1, FEW, mirror=False)
    reached = states_of(plain)
    told = {settled(upright(plain.mind, state)) for state in reached}
    assert len(told) == len(states_of(search(1, FEW)))
    assert all(upright(plain.mind, state) is state or state not in told for state in reached)


def test_the_mirror_of_a_mirror_is_the_thing() -> None:
    """Swapping the pair twice changes nothing, whatever was known, sent or cut."""
    plain = search(1, {"cut", "crash"}, mirror=False)
    reached = plain.run(limit=1500).states
    for state in reached:
        assert settled(mirrored(plain.mind, mirrored(plain.mind, state))) == state


def test_moves_commute_with_the_mirror() -> None:
    """What can happen next in the mirror is the mirror of what can happen next."""
    plain = search(1, {"crash"}, mirror=False)
    mind = plain.mind
    for state in plain.run(limit=400).states:
        image = settled(mirrored(mind, state))
        there = {settled(mirrored(mind, made)) for _move, made in plain.moves.after(state)}
        assert {made for _move, made in plain.moves.after(image)} == there


@pytest.mark.parametrize("kinds", [{"wipe"}, {"crash-controller", "steal-lease"}], ids=["wipe", "controllers"])
def test_a_prompt_controller_meets_nothing_new(kinds: set[str]) -> None:
    """Every state that a prompt controller leads to is also reached where nothing is faster than anything else."""
    slow = search(1, kinds, Pace.ANY)
    everything = states_of(slow)
    prompt = Search(POLICIES["default"], 1, without=slow.moves.without)
    prompt.mind = slow.mind  # the same numbers for what is known
    prompt.moves = Moves(slow.mind, slow.moves.without, Pace.PROMPT)
    reached = states_of(prompt)
    assert reached < everything

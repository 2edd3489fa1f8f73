"""From where can a cluster still come back, once nothing goes wrong any more? Asked backwards.

All edges that are no faults are walked against their direction, from the states in which all is well. Who is not met
can never come back by itself: then it must come to wait, by a name from the list in core/holds.py, for a human.
"""

from __future__ import annotations

from array import array
from collections import Counter
from typing import Final

from attrs import frozen

from memgraph_ha.core.holds import Hold
from memgraph_ha.sim.search.explore import Graph, Search
from memgraph_ha.sim.search.moves import Move, calm
from memgraph_ha.sim.search.state import LEADS, State

STUCK: Final = frozenset(
    {
        Hold.DIVERGED_REPLICA,
        Hold.MAIN_LOST_DATA,
        Hold.NO_SAFE_CANDIDATE,
        Hold.REBUILD_NEEDED,
        Hold.RECORD_REGRESSED,
    }
)
"""What may wait for a human for ever: each has its page in docs/runbook, and says what to do."""


@frozen
class Stuck:
    """A class of states that cannot come back by themselves.

    Attributes:
        hold: What their leader says it waits for.
        states: How many there are.
        example: The shortest way to one.
    """

    hold: Hold
    states: int
    example: tuple[Move, ...]


@frozen
class Liveness:
    """What was found.

    Attributes:
        goals: In how many states all is well.
        back: From how many states such a one can be reached.
        waiting: From how many others only one that waits for a human.
        lost: The shortest way to a state from which neither can be; None if there is none.
        classes: Those that wait for a human, by name.
    """

    goals: int
    back: int
    waiting: int
    lost: tuple[Move, ...] | None
    classes: tuple[Stuck, ...]


def judge(search: Search, graph: Graph) -> Liveness:
    """Say for every state of an exhausted graph whether the cluster can come back.

    Args:
        search: The one that made the graph.
        graph: All states, and the edges that are no faults.
    """
    holds = [_end_of(search, state) for state in graph.states]
    heads, tails = _backwards(graph)
    goals = [number for number, end in enumerate(holds) if end is True]
    reached = bytearray(len(holds))
    _walk(heads, tails, goals, reached, 1)
    back = sum(reached)
    waits = [number for number, end in enumerate(holds) if isinstance(end, Hold) and not reached[number]]
    _walk(heads, tails, waits, reached, 2)
    lost = reached.find(0)
    found: dict[Hold, int] = {}
    counted: Counter[Hold] = Counter()
    for number in waits:
        hold = holds[number]
        if isinstance(hold, Hold):
            found.setdefault(hold, number)
            counted[hold] += 1
    return Liveness(
        goals=len(goals),
        back=back,
        waiting=sum(mark == 2 for mark in reached),  # noqa: PLR2004 - the mark set above
        lost=None if lost < 0 else graph.way_to(lost),
        classes=tuple(Stuck(hold, counted[hold], graph.way_to(number)) for hold, number in found.items()),
    )


def _end_of(search: Search, state: State) -> bool | Hold:
    """True if all is well; the hold if its leader waits for a human and nothing else can happen; else False."""
    if not calm(state):
        return False
    leader = next((i for i, c in enumerate(state.controllers) if c.mode == LEADS and c.flight is None), None)
    if leader is None:
        return False
    looked, thought = search.moves.acts.look(state, leader)
    if thought.commands or looked.controllers[leader].mind != state.controllers[leader].mind:
        return False
    if search.mind.rules[thought.rule].id == "Z99":
        return thought.gate is not None
    return thought.hold if thought.hold in STUCK else False


def _backwards(graph: Graph) -> tuple[array[int], array[int]]:
    """For each state where its incoming edges begin in a list of all, and that list."""
    heads = array("I", bytes(4 * (len(graph.states) + 1)))
    for target in graph.targets:
        heads[target + 1] += 1
    for number in range(len(graph.states)):
        heads[number + 1] += heads[number]
    tails, filled = array("I", bytes(4 * len(graph.sources))), array("I", heads)
    for source, target in zip(graph.sources, graph.targets, strict=True):
        tails[filled[target]] = source
        filled[target] += 1
    return heads, tails


def _walk(heads: array[int], tails: array[int], begin: list[int], reached: bytearray, mark: int) -> None:
    waiting = []
    for number in begin:
        if not reached[number]:
            reached[number] = mark
            waiting.append(number)
    while waiting:
        number = waiting.pop()
        for place in range(heads[number], heads[number + 1]):
            source = tails[place]
            if not reached[source]:
                reached[source] = mark
                waiting.append(source)

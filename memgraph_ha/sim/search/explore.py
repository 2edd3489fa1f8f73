"""Breadth first through every state that can be reached with a budget of faults."""

from __future__ import annotations

import gc
import time
from array import array
from collections.abc import Callable, Iterator

from attrs import define, field, frozen

from memgraph_ha.core.policy import Policy
from memgraph_ha.core.rules import RULES, Rule
from memgraph_ha.sim.search.ground import settled
from memgraph_ha.sim.search.mind import Mind, Watch
from memgraph_ha.sim.search.mirror import upright
from memgraph_ha.sim.search.moves import Move, Moves
from memgraph_ha.sim.search.pace import Pace
from memgraph_ha.sim.search.start import healthy
from memgraph_ha.sim.search.state import State, ViolationError

Progress = Callable[[int, int, int], None]
"""Told of the number of states found, of those looked at, and of the depth."""


@frozen
class Broken:
    """A promise that was broken: which, how, and the moves that lead there."""

    check: str
    text: str
    moves: tuple[Move, ...]


@define
class Graph:
    """All states that were reached, by number, and how.

    Attributes:
        numbers: Each state's number.
        states: The states.
        parents: From which state each was reached first; 0 for the first itself.
        moves: By which move, by number in ``kinds``.
        kinds: Every kind of move.
        sources: Where each edge that is no fault begins; ``targets`` where it ends.
        edges: How many edges there are in all.
        depth: Of the last state.
        broken: The first promise that was broken, on the shortest way to it.
        seconds: How long it took; ``cpu_seconds`` how much of that time a processor worked for it.
    """

    numbers: dict[State, int] = field(factory=dict)
    states: list[State] = field(factory=list)
    parents: array[int] = field(factory=lambda: array("I"))
    moves: array[int] = field(factory=lambda: array("H"))
    kinds: dict[Move, int] = field(factory=dict)
    sources: array[int] = field(factory=lambda: array("I"))
    targets: array[int] = field(factory=lambda: array("I"))
    edges: int = 0
    depth: int = 0
    broken: Broken | None = None
    seconds: float = 0.0
    cpu_seconds: float = 0.0

    def way_to(self, number: int) -> tuple[Move, ...]:
        """The shortest sequence of moves that leads to a state."""
        kinds = list(self.kinds)
        found: list[Move] = []
        while number:
            found.append(kinds[self.moves[number]])
            number = self.parents[number]
        return tuple(reversed(found))


class Search:
    """One search.

    Args:
        policy: The operator's choices.
        faults: How many may happen.
        rules: In order; other than the shipping ones only to see what a rule is for.
        without: Verbs of faults that never happen.
        pace: How fast controllers are.
        watch: Told of each distinct view that was decided on.
    """

    def __init__(
        self,
        policy: Policy,
        faults: int,
        *,
        rules: tuple[Rule, ...] = RULES,
        without: frozenset[str] = frozenset(),
        pace: Pace = Pace.PROMPT,
        watch: Watch | None = None,
    ) -> None:
        self.mind = Mind(policy, rules, watch)
        self.moves = Moves(self.mind, without, pace)
        self.first = healthy(self.mind, faults)

    def run(self, limit: int | None = None, progress: Progress | None = None) -> Graph:
        """Search until everything was seen, or a promise is broken.

        Args:
            limit: Stop after so many states; None: never.
            progress: Told of every few thousand states.
        """
        gc.disable()  # nothing here is ever garbage in a circle, and looking for it takes a third of the time
        try:
            return self._run(limit, progress)
        finally:
            gc.enable()

    def _run(self, limit: int | None, progress: Progress | None) -> Graph:
        graph, begun, worked = Graph(), time.perf_counter(), time.process_time()
        _found(graph, self.first, 0, None)
        layer = 0
        next_layer = 1
        number = 0
        while number < len(graph.states) and (limit is None or len(graph.states) < limit):
            if number == next_layer:
                layer, next_layer = layer + 1, len(graph.states)
            if progress is not None and not number % 2000:
                progress(len(graph.states), number, layer)
            try:
                for move, state in self.moves.after(graph.states[number]):
                    graph.edges += 1
                    reached = _found(graph, state, number, move)
                    if not move.fault:
                        graph.sources.append(number)
                        graph.targets.append(reached)
            except ViolationError as broken:
                way, text = self._told((*graph.way_to(number), self.moves.trying))
                graph.broken = Broken(broken.check, text or broken.text, way)
                break
            number += 1
        graph.depth, graph.seconds = layer, time.perf_counter() - begun
        graph.cpu_seconds = time.process_time() - worked
        return graph

    def unfolded(self, way: tuple[Move, ...]) -> tuple[Move, ...]:
        """Tell the way to a state with the names that the instances began with, in whichever mirror it was found."""
        return self._told(way)[0]

    def _told(self, way: tuple[Move, ...]) -> tuple[tuple[Move, ...], str]:
        """See `unfolded`; and what is said there of the promise that the last move breaks, empty if it breaks none."""
        plain, image, real = self._plain(), self.first, self.first
        told: list[Move] = []
        for wanted in way:
            try:
                image = next(made for move, made in self.moves.after(image) if move == wanted)
                move, real = next(
                    (move, made)
                    for move, made in plain.after(real)
                    if move.verb == wanted.verb and settled(upright(self.mind, made)) == image
                )
            except ViolationError:
                move, text = _breaking(plain, real)
                return (*told, move), text
            told.append(move)
        return tuple(told), ""

    def _plain(self) -> Moves:
        return Moves(self.mind, self.moves.without, self.moves.pace, mirror=False)

    def replay(self, moves: tuple[Move, ...]) -> Iterator[tuple[Move, State]]:
        """Make moves one after another, in a world without mirrors.

        Raises:
            LookupError: A move cannot be made; the message says which can.
            ViolationError: A move breaks a promise.
        """
        state, plain = self.first, self._plain()
        for wanted in moves:
            found = None
            able: list[Move] = []
            for move, made in plain.after(state):
                able.append(move)
                if move[:2] == wanted[:2]:
                    found = made
                    break
            if found is None:
                raise LookupError(f"{wanted.verb} {wanted.who} cannot be done here; {len(able)} other moves can")
            state = found
            yield wanted, state


def _breaking(moves: Moves, state: State) -> tuple[Move, str]:
    """Find the first move from a state that breaks a promise, and what is said of it."""
    try:
        for _step in moves.after(state):
            pass
    except ViolationError as broken:
        return moves.trying, broken.text
    raise AssertionError("a promise is broken in a mirror and kept in the world")


def _found(graph: Graph, state: State, parent: int, move: Move | None) -> int:
    number = graph.numbers.get(state)
    if number is None:
        number = graph.numbers[state] = len(graph.states)
        graph.states.append(state)
        graph.parents.append(parent)
        graph.moves.append(0 if move is None else graph.kinds.setdefault(move, len(graph.kinds)))
    return number

"""Search of `model`: breadth first through everything, or along many drawn paths."""

import random
from collections import deque
from collections.abc import Callable
from typing import Final

from attrs import frozen

from tests.failsafe.canon import canonical
from tests.failsafe.model import World, moves

Bad = Callable[[World], bool]


@frozen(kw_only=True)
class Found:
    """What a search found.

    Attributes:
        states: How many worlds were looked at.
        path: The shortest way to a bad one, by the names of the moves; empty if there is none.
        complete: Nothing was left out.
    """

    states: int
    path: tuple[str, ...] = ()
    complete: bool = True


def search(start: World, bad: Bad, *, most: int, over: Bad = lambda _world: False) -> Found:
    """Look at every world that can be reached, however late.

    Worlds are remembered by their hash alone, 64 bits: among a million the odds that two share one are 1 to 10^7.

    Args:
        start: Where to begin.
        bad: What must not be.
        most: After so many worlds it gives up.
        over: What comes after such a world is not looked at.
    """
    start = canonical(start)
    origins: dict[int, tuple[int, str]] = {hash(start): (0, "")}
    waiting = deque([start])
    while waiting:
        world = waiting.popleft()
        here = hash(world)
        for name, then in moves(world):
            if bad(then):
                return Found(states=len(origins), path=(*_path(origins, here), name), complete=False)
            same = canonical(then)
            key = hash(same)
            if key in origins:
                continue
            origins[key] = (here, name)
            if len(origins) >= most:
                return Found(states=len(origins), complete=False)
            if not over(same):
                waiting.append(same)
    return Found(states=len(origins))


def _path(origins: dict[int, tuple[int, str]], key: int) -> tuple[str, ...]:
    names: list[str] = []
    key, name = origins[key]
    while name:
        names.append(name)
        key, name = origins[key]
    return tuple(reversed(names))


_KINDS: Final = (
    "time",
    "looks",
    "asks",
    "promises",
    "refuses",
    "hears",
    "is done without",
    "is done",
    "gives its write up",
    "crashes",
    "starts",
    "new pod",
    "reach",
)
"""Words of which each move's name has one."""


def walk(start: World, bad: Bad, *, seed: int, steps: int) -> tuple[World, Found]:
    """Follow one drawn path, on which each kind of move, and each process, is drawn to be likely or not.

    Args:
        start: Where to begin.
        bad: What must not be.
        seed: Of everything that is drawn.
        steps: How far.

    Returns:
        Where it ends, and the way there if that is bad.
    """
    dice, world, names = random.Random(seed), start, []
    likely = {kind: dice.choice((0.05, 0.3, 1.0, 3.0)) for kind in _KINDS}
    haste = {str(process.place): dice.choice((0.2, 1.0, 3.0)) for process in start.processes}
    for _ in range(steps):
        found = list(moves(world))
        weights = [_weight(name, likely) * haste.get(name[0], 1.0) for name, _ in found]
        name, then = dice.choices(found, weights)[0]
        names.append(f"{world.now}: {name}")
        world = then
        if bad(world):
            return world, Found(states=len(names), path=tuple(names))
    return world, Found(states=len(names))


def _weight(name: str, likely: dict[str, float]) -> float:
    return next(weight for kind, weight in likely.items() if kind in name)

"""Search of `model`: breadth first through everything, or along many drawn paths."""

import random
from collections import deque
from collections.abc import Callable

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
        complete: Nothing within the bounds was left out.
    """

    states: int
    path: tuple[str, ...] = ()
    complete: bool = True


def search(start: World, bad: Bad, *, most: int, visit: Callable[[World], None] | None = None) -> Found:
    """Look at every world that can be reached, however late.

    Args:
        start: Where to begin.
        bad: What must not be.
        most: After so many worlds it gives up.
        visit: Told of each.
    """
    start = canonical(start)
    origins: dict[World, tuple[World, str] | None] = {start: None}
    waiting = deque([start])
    while waiting:
        world = waiting.popleft()
        if visit is not None:
            visit(world)
        for name, then in moves(world):
            if bad(then):
                return Found(states=len(origins), path=(*_path(origins, world), name), complete=False)
            then = canonical(then)  # noqa: PLW2901 - the same world by its one name
            if then in origins:
                continue
            origins[then] = (world, name)
            if len(origins) >= most:
                return Found(states=len(origins), complete=False)
            waiting.append(then)
    return Found(states=len(origins))


def _path(origins: dict[World, tuple[World, str] | None], world: World) -> tuple[str, ...]:
    names: list[str] = []
    origin = origins[world]
    while origin is not None:
        names.append(origin[1])
        origin = origins[origin[0]]
    return tuple(reversed(names))


def walk(start: World, bad: Bad, *, seed: int, steps: int) -> Found:
    """Follow one drawn path: time goes on in one move of four."""
    dice, world, names = random.Random(seed), start, []
    for _ in range(steps):
        time, *others = moves(world)
        name, then = time if not others or dice.random() < 0.25 else dice.choice(others)
        names.append(f"{world.now}: {name}")
        world = then
        if bad(world):
            return Found(states=len(names), path=tuple(names))
    return Found(states=len(names))

"""Both of the pair are alike: a state and its mirror image, m0 for m1 and m1 for m0, are looked at once.

The rules treat them alike wherever a record exists (`tests/property/test_metamorphic.py`: swapping the pair commutes
with deciding), and nothing else in the small world tells them apart. So each state is told with m0 as the record's
MAIN. A history is told with the names that its instances began with (`Search.unfolded`).
"""

from __future__ import annotations

from functools import cache
from typing import Final

from memgraph_ha.sim.search.memgraph import Places
from memgraph_ha.sim.search.mind import Mind
from memgraph_ha.sim.search.renaming import Shift
from memgraph_ha.sim.search.state import Controller, Instance, State, Write
from memgraph_ha.sim.search.words import EVERYBODY, NAMES

SWAP: Final = Shift(mirrored=True)

_OTHER: Final = (1, 0, 2)
"""The image of each instance."""


def upright(mind: Mind, state: State) -> State:
    """The state or its image: the one in which the record's MAIN is m0."""
    return mirrored(mind, state) if mind.records.values[state.record].main == NAMES[1] else state


def mirrored(mind: Mind, state: State) -> State:
    """The same world with m0 and m1 swapped, in everything that anybody knows or has sent."""
    first, second = state.controllers
    return state._replace(
        instances=_places(state.instances),
        cuts=_cuts(state.cuts),
        record=mind.shifted_record(state.record, SWAP),
        older=state.older if state.older < 0 else mind.shifted_record(state.older, SWAP),
        controllers=(_controller(mind, first), _controller(mind, second)),
        late=tuple(sorted(mind.shifted_command(command, SWAP) for command in state.late)),
        write=None if state.write is None else _write(state.write),
    )


@cache
def _places(places: Places) -> Places:
    first, second, third = (_instance(place) for place in places)
    return second, first, third


def _instance(place: Instance) -> Instance:
    rows = tuple(sorted(row._replace(to=_OTHER[row.to]) for row in place.rows))
    return place._replace(follows=place.follows if place.follows < 0 else _OTHER[place.follows], rows=rows)


@cache
def _cuts(cuts: int) -> int:
    """Each directed link's bit (`state.link`) moves to the image of that link."""
    pairs = [(source, target) for source in EVERYBODY for target in EVERYBODY if cuts >> (source * 3 + target) & 1]
    return sum(1 << (_OTHER[source] * 3 + _OTHER[target]) for source, target in pairs)


def _controller(mind: Mind, controller: Controller) -> Controller:
    flight, gate = controller.flight, controller.gate
    if flight is not None:
        rest = tuple(mind.shifted_command(command, SWAP) for command in flight.rest)
        flight = flight._replace(command=mind.shifted_command(flight.command, SWAP), rest=rest)
    return controller._replace(
        mind=mind.shifted_mind(controller.mind, SWAP),
        gate=None if gate is None else gate._replace(to=_OTHER[gate.to]),
        flight=flight,
        unreached=sum(1 << _OTHER[index] for index in EVERYBODY if controller.unreached >> index & 1),
    )


def _write(write: Write) -> Write:
    return write._replace(main=_OTHER[write.main], held=write.held if write.held < 0 else _OTHER[write.held])

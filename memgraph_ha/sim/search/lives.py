"""The ends and beginnings of processes, and what they take with them."""

from __future__ import annotations

from attrs import evolve

from memgraph_ha.core.commands import CommitNoop
from memgraph_ha.sim.search.ground import shifted
from memgraph_ha.sim.search.memgraph import ended, replace, started, unfollowed
from memgraph_ha.sim.search.mind import Mind
from memgraph_ha.sim.search.renaming import Shift
from memgraph_ha.sim.search.state import Controller, State
from memgraph_ha.sim.search.words import NAMES


def end(state: State, index: int, *, wiped: bool) -> State:
    """Its process ends, and with it every connection, what it had prepared, and the write that it had taken.

    A write that MAIN had prepared but not committed is nowhere any more; one that it committed is in its log.
    """
    places = replace(state.instances, index, ended(state.instances[index], wiped=wiped))
    if wiped:
        places = unfollowed(places, index)
    write = state.write
    if write is not None and write.main == index:
        write = None
    elif write is not None and write.held == index:
        write = write._replace(held=-1)
    return state._replace(instances=places, write=write)


def start(mind: Mind, state: State, index: int) -> State:
    """The platform starts a process there: another life, which every old name of a run now is one further from."""
    lives = [0, 0, 0]
    lives[index] = 1
    shift = Shift(lives=(lives[0], lives[1], lives[2]))
    state = state._replace(instances=started(state.instances, state.cuts, index))
    state = shifted(mind, state, shift)
    first, second = (_unwitnessed(mind, controller, index) for controller in state.controllers)
    state = state._replace(controllers=(first, second))
    return state._replace(record=mind.shifted_record(state.record, shift))


def _unwitnessed(mind: Mind, controller: Controller, index: int) -> Controller:
    """A no-op on its way proves nobody who was another process when it was sent (adapters/memgraph/noop.py)."""
    flight = controller.flight
    command = None if flight is None else mind.commands.values[flight.command]
    if flight is None or not isinstance(command, CommitNoop) or command.standby != NAMES[index]:
        return controller
    blank = mind.commands.of(evolve(command, standby=None, row=None))
    return controller._replace(flight=flight._replace(command=blank))

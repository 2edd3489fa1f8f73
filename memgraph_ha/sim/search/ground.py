"""The ground that moves stand on: renaming a whole state, and bringing it into its one form."""

from __future__ import annotations

from functools import cache

from memgraph_ha.core.commands import Command, RebuildInstance, StopInstance, WriteRecord
from memgraph_ha.sim.search.memgraph import Places, canonical
from memgraph_ha.sim.search.mind import Mind
from memgraph_ha.sim.search.renaming import Shift
from memgraph_ha.sim.search.state import BASE, BLIND, IDLE, LEADS, READY, ROBBED, TOKENS, Controller, Gate, State, Write
from memgraph_ha.sim.search.words import CURRENT, INDEX, OLDEST, incarnation_of, run_of

LEADERS = (LEADS, ROBBED, BLIND)
"""Who looks and decides."""


def with_controller(state: State, index: int, changed: Controller) -> State:
    """The same state with one controller changed."""
    first, second = state.controllers
    return state._replace(controllers=(changed, second) if index == 0 else (first, changed))


def resting(mind: Mind, controller: Controller) -> Controller:
    """A controller that does not lead. It begins anew when it does: the search forgets what it knew."""
    return Controller(mode=IDLE, mind=mind.empty, gate=None, flight=None, unreached=controller.unreached)


def disconnected(write: Write | None, index: int) -> Write | None:
    """A client's write after the connections through that gateway were cut."""
    return write._replace(via=-1) if write is not None and write.via == index else write


def shifted(mind: Mind, state: State, shift: Shift) -> State:
    """Everything that anybody knows or has sent, in the words of after that shift; the record itself apart."""
    return state._replace(
        older=state.older if state.older < 0 else mind.shifted_record(state.older, shift),
        floor=max(0, state.floor - shift.reigns),
        controllers=(_shifted(mind, state.controllers[0], shift), _shifted(mind, state.controllers[1], shift)),
        late=_alive(mind, tuple(mind.shifted_command(command, shift) for command in state.late)),
        instances=_renumbered(state.instances, shift.rows),
    )


def _alive(mind: Mind, late: tuple[int, ...]) -> tuple[int, ...]:
    """Those that can still land: for the record as it is now, or for a process that has not ended since."""
    return tuple(sorted(number for number in late if _can_land(mind.commands.values[number])))


def _can_land(command: Command) -> bool:
    if isinstance(command, WriteRecord):
        return command.expected == CURRENT
    if isinstance(command, (StopInstance, RebuildInstance)):
        return command.incarnation == incarnation_of(INDEX[command.instance])
    return command.run == run_of(INDEX[command.instance])


def _shifted(mind: Mind, controller: Controller, shift: Shift) -> Controller:
    flight, gate = controller.flight, controller.gate
    if flight is not None:
        command = mind.shifted_command(flight.command, shift)
        flight = flight._replace(command=command, rest=tuple(mind.shifted_command(c, shift) for c in flight.rest))
    if gate is not None:
        ago = min(OLDEST, gate.ago + shift.lives[gate.to])
        gate = Gate(to=gate.to, ago=ago, reign=gate.reign - shift.reigns, quiet=gate.quiet)
    return controller._replace(mind=mind.shifted_mind(controller.mind, shift), flight=flight, gate=gate)


def _renumbered(places: Places, by: int) -> Places:
    if not by:
        return places
    made = [
        place._replace(rows=tuple(row._replace(number=row.number - by) if row.strict else row for row in place.rows))
        for place in places
    ]
    return made[0], made[1], made[2]


def settled(state: State) -> State:
    """The one form of a state: logs without their common beginning, tokens by first appearance, controllers sorted."""
    write = state.write
    places, names = _form(state.instances)
    if write is not None:
        write = write._replace(token=names.get(write.token, BASE))
    acked, frail = _bits(state.acked, names), _bits(state.frail, names)
    first, second = state.controllers
    if second < first:
        first, second = second, first
        write = write if write is None or write.via < 0 else write._replace(via=1 - write.via)
    return state._replace(instances=places, write=write, acked=acked, frail=frail & acked, controllers=(first, second))


@cache
def _form(places: Places) -> tuple[Places, dict[int, int]]:
    """The instances in their one form, and what became of the tokens; there are few, and each is met very often."""
    places = canonical(places)
    names = _names(places)
    return _renamed(places, names) if any(name != token for token, name in names.items()) else places, names


def is_known(mind: Mind, state: State) -> bool:
    """Whether a look shows that the standby may lack a write: MAIN serves with nobody named, and no row is ready."""
    record = mind.records.values[state.record]
    main = state.instances[INDEX[record.main]]
    if record.standby is not None or not record.opened or not (main.up and main.main):
        return False
    return not any(row.strict and row.status == READY for row in main.rows)


def _names(places: Places) -> dict[int, int]:
    """New names of the tokens that are still apart; what everybody has bears none any more (`BASE`).

    A write that is acknowledged once everybody has it needs none either: what everybody has is always asked for.
    """
    names: dict[int, int] = {}
    for place in places:
        for _epoch, token in place.log or ():
            if token:
                names.setdefault(token, len(names) + 1)
    return names


def _renamed(places: Places, names: dict[int, int]) -> Places:
    made = [
        place
        if place.log is None
        else place._replace(log=tuple((epoch, names.get(token, token)) for epoch, token in place.log))
        for place in places
    ]
    return made[0], made[1], made[2]


def _bits(mask: int, names: dict[int, int]) -> int:
    return sum(1 << names[token] for token in TOKENS if mask >> token & 1 and token in names)


def free_token(state: State) -> int | None:
    """A token that a new write can bear; None if both are taken."""
    used = {token for place in state.instances for _epoch, token in place.log or ()}
    used |= set() if state.write is None else {state.write.token}
    return next((token for token in TOKENS if token not in used), None)

"""A history of the small world, told step by step."""

from __future__ import annotations

from collections.abc import Iterator

from memgraph_ha.core.commands import Command, WriteRecord
from memgraph_ha.core.record import Record
from memgraph_ha.sim.search.explore import Search
from memgraph_ha.sim.search.moves import Move
from memgraph_ha.sim.search.state import Instance, State, ViolationError
from memgraph_ha.sim.search.verbs import told
from memgraph_ha.sim.search.words import GENERATION, NAMES


def tell(search: Search, moves: tuple[Move, ...]) -> Iterator[str]:
    """Tell a sequence of moves, one line each, and how the world stands at its end.

    Args:
        search: Begins in the state in which the moves do.
        moves: What happens.
    """
    state = search.first
    steps = search.replay(moves)
    for number, move in enumerate(moves, start=1):
        yield f"{number:3}. {'FAULT: ' if move.fault else ''}{told(move)}{_why(search, state, move)}"
        try:
            state = next(steps)[1]
        except ViolationError as broken:
            yield f"     -> {broken}"
            break
    yield from standing(search, state)


def _why(search: Search, state: State, move: Move) -> str:
    """Which rule decided, or which command lands."""
    if move.verb == "land":
        flight = state.controllers[move.who[0]].flight
        return "" if flight is None else f": {describe(search.mind.commands.values[flight.command])}"
    if move.verb in ("land-late", "lose-late"):
        return f": {describe(search.mind.commands.values[state.late[move.who[0]]])}"
    if move.verb not in ("look", "wait", "wait-long"):
        return ""
    acts, index = search.moves.acts, move.who[0]
    try:
        if move.verb == "look":
            thought = acts.look(state, index)[1]
        else:
            thought = list(acts.wait(state, index))[move.verb == "wait-long"][2]
    except ViolationError:
        return ""
    rule = search.mind.rules[thought.rule]
    sent = ", then ".join(describe(search.mind.commands.values[command]) for command in thought.commands)
    held = "" if thought.hold is None else f" ({thought.hold.word})"
    gate = "shut" if thought.gate is None else f"open to {NAMES[thought.gate.to]}"
    return f": {rule.id} {rule.name}{held}; gateway {gate}{f'; sends {sent}' if sent else ''}"


def describe(command: Command) -> str:
    """A command in a few words."""
    if isinstance(command, WriteRecord):
        return f"WriteRecord({record_in_words(command.record)})"
    parts = [str(command.instance)]
    for name in ("row", "replica", "run", "incarnation"):
        value = getattr(command, name, None)
        if value is not None:
            parts.append(f"{name} {value}")
    return f"{type(command).__name__}({', '.join(parts)})"


def record_in_words(record: Record) -> str:
    """What matters of a record."""
    named = "nobody" if record.standby is None else f"{record.standby.instance} in {record.standby.run}"
    words = [f"reign {record.generation - GENERATION:+d} of {record.main} in {record.main_run}", f"standby {named}"]
    if not record.opened:
        words.append("not open")
    if record.fallback is not None:
        words.append(f"fallback {record.fallback.instance} in {record.fallback.run}")
    if record.unprotected:
        words.append("unprotected")
    if record.rebuild:
        words.append(f"rebuild {', '.join(sorted(record.rebuild))}")
    return "; ".join(words)


def standing(search: Search, state: State) -> Iterator[str]:
    """How the world stands: who is what and holds what, and the record."""
    for index, place in enumerate(state.instances):
        yield f"     {NAMES[index]}: {_place(place)}"
    yield f"     record: {record_in_words(search.mind.records.values[state.record])}"
    acked = [f"w{token}" for token in (1, 2) if state.acked >> token & 1]
    if acked:
        yield f"     acknowledged: {', '.join(acked)}"


def _place(place: Instance) -> str:
    role = ("MAIN" if place.main else "REPLICA") if place.up else "down"
    if place.log is None:
        data = "holds nothing"
    else:
        data = f"holds all of before{''.join(f' w{token}' if token else ' .' for _epoch, token in place.log)}"
    rows = ", ".join(f"{NAMES[row.to]} {'STRICT_SYNC' if row.strict else 'ASYNC'} {row.status}" for row in place.rows)
    return f"{role}, {data}{f'; rows: {rows}' if rows else ''}"

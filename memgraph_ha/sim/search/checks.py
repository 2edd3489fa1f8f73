"""The promises, checked on states and on what leads from one to the next (scenarios 5.1). All see ghost state."""

from __future__ import annotations

from memgraph_ha.core.commands import RebuildInstance
from memgraph_ha.core.record import Record
from memgraph_ha.sim.search.mind import Mind
from memgraph_ha.sim.search.state import READY, TOKENS, Gate, Instance, State, ViolationError
from memgraph_ha.sim.search.words import GENERATION, INDEX, NAMES, PAIR, run_of


def lacks(state: State, index: int) -> int:
    """The acknowledged writes that an instance does not hold, as bits; bit 0 stands for all that came before."""
    log = state.instances[index].log
    if log is None:
        return state.acked | 1
    held = sum(1 << token for token in {token for _epoch, token in log} if token in TOKENS)
    return state.acked & ~held


def serves(state: State, gate: Gate | None) -> Instance | None:
    """The MAIN that a gateway's clients write to; None if its permit leads to none."""
    if gate is None or gate.ago:
        return None
    place = state.instances[gate.to]
    return place if place.up and place.main else None


def check_state(state: State) -> None:
    """S1, S2 and S6 on a state.

    Raises:
        ViolationError: One is broken.
    """
    open_gates = [c.gate for c in state.controllers if c.gate is not None and serves(state, c.gate) is not None]
    if len(open_gates) > 1 and open_gates[0]._replace(quiet=False) != open_gates[1]._replace(quiet=False):
        raise ViolationError("S2", f"two gateways are open, {_told(open_gates[0])} and {_told(open_gates[1])}")
    for gate in open_gates:
        lost = lacks(state, gate.to) & ~state.frail
        if lost:
            raise ViolationError("S1", f"a gateway is open to {NAMES[gate.to]}, which lacks {words(lost)}")
        _check_lineage(state, gate.to)


def _check_lineage(state: State, index: int) -> None:
    """S6: what a `ready` STRICT_SYNC replica holds is a beginning of what MAIN holds."""
    main = state.instances[index]
    for row in main.rows:
        other = state.instances[row.to]
        if not row.strict or row.status != READY or other.follows != index or other.log is None or main.log is None:
            continue
        if other.log != main.log[: len(other.log)]:
            raise ViolationError("S6", f"{NAMES[row.to]} is ready under {NAMES[index]}, and is no beginning of it")


def _told(gate: Gate) -> str:
    return f"to {NAMES[gate.to]} in reign {GENERATION + gate.reign}"


def words(lost: int) -> str:
    """Lost writes, for people."""
    named = [f"w{token}" for token in TOKENS if lost >> token & 1]
    return " and ".join([*(["everything"] if lost & 1 else []), *named])


def check_ack(state: State, gate: Gate) -> None:
    """S2: the reigns of acknowledgements never fall.

    Raises:
        ViolationError: They do.
    """
    if state.overtaken and gate.reign <= 0:  # the permit of the later reign itself may still be open for a moment
        raise ViolationError("S2", f"a write is acknowledged {_told(gate)}, after one of a later reign was")


def check_promotion(mind: Mind, state: State, index: int, generation: int) -> State:
    """S4: who is promoted as the record orders holds everything that was acknowledged.

    A late promotion of a deposed leader is not checked: what matters is what follows from it (S8).

    Returns:
        The state without the writes whose loss is the stated residual of design 1.

    Raises:
        ViolationError: It lacks one.
    """
    record = mind.records.values[state.record]
    if record.generation != generation or record.main != NAMES[index]:
        return state
    lost = lacks(state, index)
    if lost & ~state.frail:
        raise ViolationError("S4", f"{NAMES[index]} is promoted and lacks {words(lost & ~state.frail)}")
    return state._replace(acked=state.acked & ~lost, frail=state.frail & ~lost)


def check_rebuild(mind: Mind, state: State, command: RebuildInstance, *, sent: bool) -> None:
    """S5: nobody is told to begin anew who holds what MAIN lacks.

    On its way a rebuild can be overtaken by a fault: MAIN's volume is lost, or an older record is put back. It lands
    all the same, and what it moves aside is kept (design 6); so there it is asked for less.

    Args:
        mind: The production core.
        state: Before it.
        command: Whom, and in which reign that was decided.
        sent: Whether it is being sent, else it lands.

    Raises:
        ViolationError: It is.
    """
    index, main = INDEX[command.instance], INDEX[mind.records.values[state.record].main]
    if not sent and (command.generation > GENERATION or state.instances[main].log is None):
        return
    lost = lacks(state, main) & ~lacks(state, index) & ~state.frail
    if lost or main == index:
        raise ViolationError("S5", f"{NAMES[index]} is emptied, and {NAMES[main]} lacks {words(lost) or 'nothing'}")


def check_record(state: State, old: Record, new: Record) -> None:
    """S9: generations rise by one with each reign, never name two, and row numbers never fall.

    Raises:
        ViolationError: It is broken.
    """
    if new.generation not in (old.generation, old.generation + 1) or new.row_seq < old.row_seq:
        raise ViolationError(
            "S9", f"generation {old.generation} -> {new.generation}, row {old.row_seq} -> {new.row_seq}"
        )
    if new.generation == old.generation and new.main != old.main:
        raise ViolationError("S9", f"generation {new.generation} names {old.main} and {new.main}")
    if new.generation > old.generation and state.overtaken:
        raise ViolationError("S9", f"generation {new.generation} was used before")
    if INDEX[new.main] not in PAIR:
        raise ViolationError("S9", f"{new.main} reigns, and may not be MAIN")
    if new.opened and new.fallback is not None:
        raise ViolationError("S9", "a fallback outlives the opening")


def check_naming(state: State, old: Record, new: Record) -> None:
    """S4, before it matters: who is named holds everything that was acknowledged.

    Raises:
        ViolationError: It lacks one.
    """
    named = new.standby
    if named is None or named == old.standby:
        return
    index = INDEX[named.instance]
    lost = lacks(state, index) & ~state.frail
    if lost and state.instances[index].up and named.run == run_of(index):  # of a run that has ended nothing is said
        raise ViolationError("S4", f"{named.instance} is named standby and lacks {words(lost)}")

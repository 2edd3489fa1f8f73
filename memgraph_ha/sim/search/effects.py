"""What a command does where it lands, who answers, and what the answer says (adapters/memgraph, as facts)."""

from __future__ import annotations

from typing import NamedTuple

from memgraph_ha.core.commands import (
    Command,
    CommitNoop,
    Demote,
    DropReplica,
    InstanceCommand,
    Promote,
    Quiesce,
    RebuildInstance,
    RegisterReplica,
    RestoreTriggers,
    RestoreUsers,
    StopInstance,
    WriteRecord,
)
from memgraph_ha.core.facts import Fact, NoopSeen, Outcome, QuietSeen, RoleSeen, RowsSeen
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.record import Standby
from memgraph_ha.core.topology import Role
from memgraph_ha.sim.search.checks import check_promotion, check_rebuild
from memgraph_ha.sim.search.clock import STEP_S
from memgraph_ha.sim.search.memgraph import (
    Places,
    demoted,
    dropped,
    noop,
    promoted,
    registered,
    replace,
    takes,
    with_row,
)
from memgraph_ha.sim.search.mind import Mind, seen_rows
from memgraph_ha.sim.search.state import READY, Row, State
from memgraph_ha.sim.search.words import INDEX, NAMES, NOW, ROW, incarnation_of, row_name, run_of

AT_S = NOW + STEP_S

ERRORS = {
    1: ErrorClass.NAME_EXISTS,
    2: ErrorClass.ENDPOINT_EXISTS,
    3: ErrorClass.DIVERGED,
    5: ErrorClass.NOT_ACCEPTING,
}
"""The numbers of a failed REGISTER (transcripts, Summary)."""


class Answer(NamedTuple):
    """How a command ended, as its sender is told.

    Attributes:
        outcome: See `Outcome`.
        error: What the server's message means.
        facts: What was read on the way.
    """

    outcome: Outcome
    error: ErrorClass | None = None
    facts: tuple[Fact, ...] = ()


def target_of(command: Command) -> int | None:
    """To whom it goes; None: to the record or the platform, which no cut between instances concerns."""
    if isinstance(command, (WriteRecord, StopInstance, RebuildInstance)):
        return None
    return INDEX[command.instance]


def row_of(command: RegisterReplica | DropReplica) -> tuple[int, bool, int]:
    """Whom a registration leads to, whether it is STRICT_SYNC, and its number."""
    name, found, number = command.row.partition("_")
    return INDEX[name], bool(found), int(number) - ROW if found else 0  # type: ignore[index]  # a member's name


def guard(state: State, command: InstanceCommand, unreached: int) -> Answer | None:
    """Ask, on the connection that it will travel on, whether it is still what it was decided for; None: it is sent.

    Source: adapters/memgraph/commands.py, noop.py; design 5.
    """
    index = INDEX[command.instance]
    place = state.instances[index]
    if not place.up or unreached >> index & 1:
        return Answer(Outcome.NOT_SENT)
    if command.run != run_of(index):
        return Answer(Outcome.NOT_SENT if isinstance(command, CommitNoop) else Outcome.REFUSED)
    match command:
        case Promote() | Demote():
            already = place.main is isinstance(command, Promote)
            return Answer(Outcome.DONE, facts=_read_back(state.instances, index)) if already else None
        case CommitNoop():
            return _noop_guard(state, command, unreached)
        case _ if not place.main:
            return Answer(Outcome.REFUSED)
        case RegisterReplica():
            return _register_guard(state, command, unreached)
        case DropReplica():
            return _drop_guard(state, command, index)
        case _:
            return None


def _noop_guard(state: State, command: CommitNoop, unreached: int) -> Answer | None:
    if not state.instances[INDEX[command.instance]].main:
        return Answer(Outcome.NOT_SENT, facts=(_noop_seen(command, Outcome.NOT_SENT),))
    if command.standby is None:
        return None
    other = INDEX[command.standby]
    if state.instances[other].up and not unreached >> other & 1:
        return None
    return Answer(Outcome.NOT_SENT, facts=(_noop_seen(command, Outcome.NOT_SENT),))


def _register_guard(state: State, command: RegisterReplica, unreached: int) -> Answer | None:
    other = INDEX[command.replica]
    if not state.instances[other].up or unreached >> other & 1:
        return Answer(Outcome.NOT_SENT)
    if command.replica_run != run_of(other) or state.instances[other].main:
        return Answer(Outcome.REFUSED)
    return None


def _drop_guard(state: State, command: DropReplica, index: int) -> Answer | None:
    row = _row_named(state.instances, index, command)
    if row is None:
        return Answer(Outcome.DONE, facts=_read_back(state.instances, index))
    allowed = {status.value if status.value != "{}" else "half" for status in command.statuses}
    return None if row.status in allowed else Answer(Outcome.REFUSED, facts=_read_back(state.instances, index))


def _row_named(places: Places, index: int, command: DropReplica) -> Row | None:
    named = row_of(command)
    return next((row for row in places[index].rows if (row.to, row.strict, row.number) == named), None)


def must_wait(state: State, command: Command) -> bool:
    """Whether a commit in progress holds the locks that it needs (Q6, Q7a, Q8: busy, and tried again)."""
    write = state.write
    return write is not None and not isinstance(command, Promote) and write.main == target_of(command)


def landed(mind: Mind, state: State, command: InstanceCommand) -> tuple[State, Answer]:
    """Let an instance command take effect in the process that it was sent to.

    Raises:
        ViolationError: It does what it never may.
    """
    index = INDEX[command.instance]
    places, cuts = state.instances, state.cuts
    match command:
        case Promote():
            if places[index].main:
                return state, Answer(Outcome.DONE, facts=_read_back(places, index))
            state = check_promotion(mind, state, index, command.generation)
            write = state.write
            write = write._replace(held=-1) if write is not None and write.held == index else write
            places = promoted(places, index)
            return state._replace(instances=places, write=write), Answer(Outcome.DONE, None, _read_back(places, index))
        case Demote():
            places = demoted(places, index) if places[index].main else places
            return state._replace(instances=places), Answer(Outcome.DONE, None, _read_back(places, index))
        case _ if not places[index].main:
            unsent = isinstance(command, CommitNoop)
            facts = (_noop_seen(command, Outcome.NOT_SENT),) if isinstance(command, CommitNoop) else ()
            return state, Answer(Outcome.NOT_SENT if unsent else Outcome.REFUSED, ErrorClass.NOT_MAIN, facts)
        case CommitNoop():
            return _noop_landed(state, command, index)
        case RegisterReplica():
            to, strict, number = row_of(command)
            row = Row(to=to, strict=strict, number=number, status=READY, moved=False)
            places, error = registered(places, cuts, index, row)
            outcome = Outcome.REFUSED if error else Outcome.DONE
            return state._replace(instances=places), Answer(outcome, ERRORS.get(error), _read_back(places, index))
        case DropReplica():
            return _drop_landed(state, command, index)
        case Quiesce():
            quiet = QuietSeen(at_s=AT_S, instance=command.instance, run=command.run, generation=command.generation)
            return state, Answer(Outcome.DONE, facts=(quiet,))
        case RestoreUsers() | RestoreTriggers():
            return state, Answer(Outcome.DONE)


def _drop_landed(state: State, command: DropReplica, index: int) -> tuple[State, Answer]:
    places = state.instances
    row = _row_named(places, index, command)
    if row is None:
        return state, Answer(Outcome.REFUSED, ErrorClass.NO_SUCH_ROW, _read_back(places, index))
    places, survives = dropped(places, index, row)
    changed = state._replace(instances=places)
    if not survives:
        return changed._replace(write=None), Answer(Outcome.UNKNOWN)
    return changed, Answer(Outcome.DONE, facts=_read_back(places, index))


def _noop_landed(state: State, command: CommitNoop, index: int) -> tuple[State, Answer]:
    before = state.instances
    places, acknowledged = noop(before, state.cuts, index)
    if not acknowledged:
        seen = _noop_seen(command, Outcome.REFUSED, error=ErrorClass.ABORTED)
        return state._replace(instances=places), Answer(Outcome.REFUSED, ErrorClass.ABORTED, (seen,))
    witness = None
    if command.standby is not None and command.row is not None:
        other = INDEX[command.standby]
        row = next((r for r in before[index].rows if r.to == other and r.strict), None)
        named = row is not None and command.row == row_name(other, strict=True, number=row.number)
        if row is not None and named and takes(before, state.cuts, index, row):
            witness = Standby(instance=command.standby, run=run_of(other), row=command.row)
            places = replace(places, index, with_row(places[index], row._replace(moved=False)))
    seen = _noop_seen(command, Outcome.DONE, witness=witness)
    return state._replace(instances=places), Answer(Outcome.DONE, facts=(seen,))


def unheard(state: State, command: Command) -> State:
    """What is different if the answer got lost: a no-op moved the rows' ``ts`` without anybody knowing."""
    if not isinstance(command, CommitNoop):
        return state
    index = INDEX[command.instance]
    place = state.instances[index]
    rows = tuple(row._replace(moved=True) if row.strict else row for row in place.rows)
    return state._replace(instances=replace(state.instances, index, place._replace(rows=rows)))


def platform(mind: Mind, state: State, command: StopInstance | RebuildInstance) -> State | None:
    """What the platform does: end that very incarnation, and empty its volume if it is rebuilt.

    Returns:
        The state to end the process in; None if that incarnation is no more, and nothing happens.
    """
    index = INDEX[command.instance]
    if not state.instances[index].up or command.incarnation != incarnation_of(index):
        return None
    if isinstance(command, RebuildInstance):
        check_rebuild(mind, state, command, sent=False)
    return state


def _noop_seen(
    command: CommitNoop, outcome: Outcome, witness: Standby | None = None, error: ErrorClass | None = None
) -> NoopSeen:
    return NoopSeen(
        at_s=AT_S,
        asked_at_s=AT_S,
        instance=command.instance,
        run=command.run,
        generation=command.generation,
        outcome=outcome,
        witness=witness,
        row_ts=0 if witness is not None else None,
        error=error,
    )


def _read_back(places: Places, index: int) -> tuple[Fact, ...]:
    """What every role and registration command reads after itself (adapters/memgraph/commands.py)."""
    place, name, run = places[index], NAMES[index], run_of(index)
    role = Role.MAIN if place.main else Role.REPLICA
    seen = RoleSeen(at_s=AT_S, asked_at_s=AT_S, instance=name, run=run, role=role)
    if not place.main:
        return (seen,)
    return seen, RowsSeen(at_s=AT_S, asked_at_s=AT_S, instance=name, run=run, rows=seen_rows(place.rows))

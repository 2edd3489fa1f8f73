"""The promises as predicates on what is asked for: checked on every decision, in the daemon as in the tests.

States alone would not do: a later guard may mask a wrong command (scenarios S4). Each predicate takes the view and
one command and returns what is wrong, or None.
"""

from collections.abc import Callable
from typing import Final

from attrs import frozen

from memgraph_ha.core.commands import (
    Command,
    Demote,
    DropReplica,
    Promote,
    RebuildInstance,
    RegisterReplica,
    StopInstance,
    WriteRecord,
)
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.quiet import is_quiet
from memgraph_ha.core.record import ChangeKind, Record
from memgraph_ha.core.requests import Ask
from memgraph_ha.core.topology import Mode
from memgraph_ha.core.view import View


@frozen
class Invariant:
    """A promise: its name, one sentence, and the check on one command given the record it will meet."""

    name: str
    says: str
    check: Callable[[View, Record | None, Command], str | None]


def _leader_only(view: View, _record: Record | None, command: Command) -> str | None:
    if view.lease_left_s > view.policy.command_deadline_s:
        return None
    return f"{type(command).__name__} with {view.lease_left_s:.2f} s of the lease left"


def _planned(view: View, record: Record, command: Demote) -> str | None:
    """MAIN is demoted only for a switchover, once it is quiet and its standby was proven since."""
    proof, quiet = view.proof, view.observed.quiet
    ready = record.switchover is not None and is_quiet(view) and proof is not None and quiet is not None
    if ready and proof is not None and quiet is not None and proof.asked_at_s >= quiet.at_s:
        return None if proof.witness == record.standby else f"demotion of {command.instance} before an unproven standby"
    return f"demotion of the recorded MAIN {command.instance}"


def _single_writer(view: View, record: Record | None, command: Command) -> str | None:
    match command:
        case Promote():
            if record is None or record.main != command.instance or record.generation != command.generation:
                return f"promotion of {command.instance} that the record read back does not order"
            if record.opened or (record.main_run is not None and record.main_run != command.run):
                return f"promotion of {command.instance} in run {command.run} that was not chosen"
        case Demote():
            allowed = record is not None and record.main == command.instance
            if allowed and record is not None and record.main_run in (None, command.run):
                return _planned(view, record, command)
        case _:
            pass
    return None


def _no_acked_loss(view: View, record: Record | None, command: Command) -> str | None:
    match command:
        case WriteRecord() if record is not None:
            return _naming(view, record, command.record) or _reign(view, record, command.record)
        case RegisterReplica():
            return _untouched(record, command.replica, "registration")
        case StopInstance():
            standby = None if record is None else record.standby
            if standby is not None and standby.instance == command.instance:
                return f"stop of the named standby {command.instance}"
        case RebuildInstance():
            return _emptying(view, record, command)
        case _:
            pass
    return None


def _naming(view: View, old: Record, new: Record) -> str | None:
    if new.standby is None or new.standby == old.standby:
        return None
    proof = view.proof
    if proof is None or proof.witness != new.standby or new.generation != old.generation:
        return f"naming of {new.standby.instance} without a proof"
    return f"naming of {new.standby.instance}, which must be rebuilt" if new.standby.instance in old.rebuild else None


def _emptying(view: View, record: Record | None, command: RebuildInstance) -> str | None:
    """Only what the record gave up is emptied, and only beside a MAIN that serves."""
    if record is None or command.instance not in record.rebuild or command.instance == record.main:
        return f"rebuild of {command.instance}, which the record does not give up"
    if view.unsound is not None:
        return f"rebuild of {command.instance}: {view.unsound}"
    return _untouched(record, command.instance, "rebuild")


def _by_order(view: View, old: Record, new: Record) -> bool:
    """Whether a human asked for exactly this reign."""
    kind = new.history[-1].kind if new.history else None
    ask = {ChangeKind.FORCED: Ask.FAILOVER, ChangeKind.ADOPT: Ask.ADOPT}.get(kind) if kind is not None else None
    floor = 0 if view.lease is None else view.lease.floor_generation
    asked = ask is not None and any(r.ask is ask and r.instance == new.main for r in view.observed.requests)
    return asked and new.generation == max(old.generation, floor) + 1


def _reign(view: View, old: Record, new: Record) -> str | None:
    if new.generation == old.generation:
        if new.main != old.main:
            return f"generation {new.generation} names two instances"
        return "fallback is set within a reign" if new.fallback not in (None, old.fallback) else None
    if _by_order(view, old, new):
        begins = not new.opened and new.standby is None and new.fallback is None and not new.unprotected
        return None if begins else f"generation {new.generation} does not begin as a reign must"
    if new.generation != old.generation + 1 or new.opened or new.standby is not None or new.unprotected:
        return f"generation {new.generation} after {old.generation} does not begin as a reign must"
    itself = new.main == old.main and (old.opened or old.main_run is None or new.main_run == old.main_run)
    named = old.standby is not None and (new.main, new.main_run) == (old.standby.instance, old.standby.run)
    back = old.fallback is not None and (new.main, new.main_run) == (old.fallback.instance, old.fallback.run)
    return None if itself or named or back else f"{new.main} begins a reign without title to it"


def _untouched(record: Record | None, replica: InstanceName, what: str) -> str | None:
    if record is None:
        return f"{what} without a record"
    if record.standby is not None and record.standby.instance == replica:
        return f"{what} of the named standby {replica}"
    if record.fallback is not None and record.fallback.instance == replica:
        return f"{what} of the fallback {replica}"
    return None


def _row_numbers(_view: View, record: Record | None, command: Command) -> str | None:
    match command:
        case WriteRecord() if record is not None and command.record.row_seq < record.row_seq:
            return f"row_seq falls from {record.row_seq} to {command.record.row_seq}"
        case RegisterReplica(mode=Mode.STRICT_SYNC):
            if record is None or command.row != record.standby_row(command.replica):
                return f"row {command.row} is not numbered row_seq"
        case RegisterReplica(mode=Mode.SYNC):
            return "SYNC is never used"
        case DropReplica():
            pair = None if record is None else record.standby
            if pair is not None and command.row == pair.row:
                return f"drop of the named standby's row {command.row}"
        case _:
            pass
    return None


def _unprotected_is_recorded(_view: View, record: Record | None, command: Command) -> str | None:
    if not isinstance(command, WriteRecord):
        return None
    new = command.record
    if new.opened and new.standby is None and not new.unprotected and (record is None or not record.opened):
        return "a reign opens with neither a standby nor `unprotected`"
    if record is not None and record.unprotected and not new.unprotected and new.opened and new.standby is None:
        return "`unprotected` is cleared without a standby"
    return "fallback outlives the opening" if new.opened and new.fallback is not None else None


def _bootstrap(_view: View, record: Record | None, command: Command) -> str | None:
    if isinstance(command, WriteRecord):
        creates = command.expected is None
        return None if creates == (record is None) else "a record is created over another, or changed without one"
    return f"{type(command).__name__} without a record" if record is None else None


INVARIANTS: Final[tuple[Invariant, ...]] = (
    Invariant("LEADER_ONLY", "no command is sent that could outlive our lease (S7)", _leader_only),
    Invariant(
        "SINGLE_WRITER",
        "only the recorded MAIN of an unopened reign is promoted, in its run (S2)",
        _single_writer,
    ),
    Invariant(
        "NO_ACKED_LOSS",
        "who begins a reign or is named has every acknowledged write (S1, S4, S9)",
        _no_acked_loss,
    ),
    Invariant(
        "ROW_NUMBERS",
        "only the row numbered row_seq is the standby's, and a named one is not touched (S8, S9)",
        _row_numbers,
    ),
    Invariant(
        "UNPROTECTED_IS_RECORDED",
        "MAIN never serves alone unless the record says so",
        _unprotected_is_recorded,
    ),
    Invariant(
        "BOOTSTRAP",
        "no role command without a record, and a record is created only where there is none (S11)",
        _bootstrap,
    ),
)


def broken_by(view: View, decision: Decision) -> tuple[str, ...]:
    """List what the decision's commands and route would break; empty if nothing.

    Args:
        view: What it was made from.
        decision: Its commands are checked in order, each against the record that those before it leave.
    """
    broken: list[str] = []
    record = view.record
    for command in decision.commands:
        for invariant in INVARIANTS:
            wrong = invariant.check(view, record, command)
            if wrong is not None:
                broken.append(f"{invariant.name}: {wrong}")
        if isinstance(command, WriteRecord):
            record = command.record
    permit = decision.route.permit
    held = view.record
    if permit is not None and (held is None or not held.opened or held.generation != permit.generation):
        broken.append("SINGLE_WRITER: a permit without an open reign in the record")
    return tuple(broken)

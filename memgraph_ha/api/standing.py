"""How each instance stands, in words that an operator reads: judged from one view, deciding nothing."""

import enum
from typing import Final

from attrs import frozen

from memgraph_ha.core.candidate import Candidate, Why, choose
from memgraph_ha.core.facts import Miss
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.record import Record
from memgraph_ha.core.topology import Role, Row, RowStatus
from memgraph_ha.core.view import View

_FRESH_S: Final = 2.0
"""An answer may be that old whatever the policy: a probe can wait behind long reads (design 5)."""


class State(enum.Enum):
    """What an instance is to its cluster now; the values are the words of the API."""

    MAIN = "main"
    STANDBY = "standby"
    REPLICA = "replica"
    CATCHING_UP = "catching up"
    DIVERGED = "diverged"
    NOT_ATTACHED = "not attached"
    NOT_MAIN_YET = "not main yet"
    STRAY_MAIN = "stray main"
    NEEDS_REBUILD = "needs rebuild"
    UNAUTHORISED = "unauthorised"
    REFUSES = "refuses connections"
    SILENT = "does not answer"
    STARTING = "starting"
    NO_PROCESS = "no process"


STATES: Final[dict[State, str]] = {
    State.MAIN: "the recorded MAIN, answering as MAIN in the recorded run",
    State.STANDBY: "the named standby: it certainly has every acknowledged write",
    State.REPLICA: "a REPLICA whose row on MAIN takes commits",
    State.CATCHING_UP: "a REPLICA that MAIN sends what it lacks; its row takes no commits yet",
    State.DIVERGED: "a REPLICA that holds what MAIN's history does not cover",
    State.NOT_ATTACHED: "a REPLICA without a row on MAIN, or with one that takes no commits",
    State.NOT_MAIN_YET: "the recorded MAIN, answering as REPLICA: it is promoted next, or it restarted",
    State.STRAY_MAIN: "it answers as MAIN, but the record says otherwise; it is demoted",
    State.NEEDS_REBUILD: "the record says that its data must be rebuilt",
    State.UNAUTHORISED: "it refuses our user or password",
    State.REFUSES: "its last probe was refused or reset",
    State.SILENT: "its last probe was not answered in time, or made no sense",
    State.STARTING: "its process lives and has not answered yet",
    State.NO_PROCESS: "the platform has no process for it",
}
"""What each word means, for the reference."""


@frozen(kw_only=True)
class Standing:
    """One instance.

    Attributes:
        state: See `STATES`.
        healthy: It answers, and it is the verified MAIN or a REPLICA of its data set whose row takes commits.
        row: MAIN's row to it; None for MAIN itself, or if there is none or it is not known.
        lacks: What it lacks to take over if MAIN were lost now, one sentence; None for a MAIN that lives, and for
            whoever could.
    """

    state: State
    healthy: bool
    row: Row | None
    lacks: str | None


def standing_of(view: View, seen: Seen) -> Standing:
    """Say how an instance stands.

    Args:
        view: What is known.
        seen: The instance.
    """
    row = next(iter(view.rows_of(seen.member)), None)
    state = _state(view, seen, row)
    healthy = state in (State.MAIN, State.STANDBY, State.REPLICA) and view.answered_within(seen, _fresh_s(view))
    return Standing(state=state, healthy=healthy, row=row, lacks=_lacks(view, seen))


def _fresh_s(view: View) -> float:
    return max(_FRESH_S, 3 * (view.policy.probe_interval_s + view.policy.probe_timeout_s))


def _state(view: View, seen: Seen, row: Row | None) -> State:
    record, name, role = view.record, seen.member.name, seen.role
    if seen.member.incarnation is None:
        return State.NO_PROCESS
    if seen.miss is not None and (role is None or seen.miss.asked_at_s > role.asked_at_s):
        return _missed(seen.miss.miss)
    if role is None:
        return State.STARTING
    if role.role is Role.MAIN:
        return State.MAIN if record is not None and record.main == name and view.loss is None else State.STRAY_MAIN
    if record is not None and record.main == name:
        return State.NOT_MAIN_YET
    if record is not None and name in record.rebuild:
        return State.NEEDS_REBUILD
    if view.diverged(seen):
        return State.DIVERGED
    if row is None or not row.takes_commits:
        recovers = row is not None and row.status is RowStatus.RECOVERY
        return State.CATCHING_UP if recovers else State.NOT_ATTACHED
    named = record is not None and record.standby is not None and record.standby.instance == name
    return State.STANDBY if named else State.REPLICA


def _missed(miss: Miss) -> State:
    if miss is Miss.UNAUTHORISED:
        return State.UNAUTHORISED
    return State.REFUSES if miss is Miss.REFUSED else State.SILENT


def _lacks(view: View, seen: Seen) -> str | None:
    record, name = view.record, seen.member.name
    if record is None:
        return "there is no record to take over from"
    if view.loss is not None:
        return _rejected(view, seen)
    if name == record.main:
        return None
    if name not in view.pair:
        return Why.NOT_ELIGIBLE.value
    if name in record.rebuild:
        return Why.NEEDS_REBUILD.value
    return _unnamed(view, record, seen)


def _rejected(view: View, seen: Seen) -> str | None:
    """MAIN is lost: what the choice said of it."""
    chosen, name = choose(view), seen.member.name
    if isinstance(chosen, Candidate):
        return None if chosen.instance == name else f"{chosen.instance} takes over"
    said = [rejection.why.value for rejection in chosen if rejection.instance == name]
    if said:
        return "; ".join(dict.fromkeys(said))
    return Why.NOT_NAMED.value if name in view.pair else Why.NOT_ELIGIBLE.value


def _unnamed(view: View, record: Record, seen: Seen) -> str | None:
    """MAIN lives: what keeps that member of the pair from being a proven standby."""
    if seen.member.incarnation is None:
        return Why.DOWN.value
    role, named = seen.role, record.standby
    if role is None or (seen.miss is not None and seen.miss.asked_at_s > role.asked_at_s):
        return Why.SILENT.value
    if role.role is Role.MAIN:
        return Why.IS_MAIN.value
    if seen.storage is not None and seen.storage.run == role.run and seen.storage.uuid != record.database_uuid:
        return Why.OTHER_DATA.value
    if named is None or named.instance != seen.member.name:
        return f"it is not the named standby: {view.unproven or 'it is proven and about to be named'}"
    return None if role.run == named.run else Why.OTHER_RUN.value

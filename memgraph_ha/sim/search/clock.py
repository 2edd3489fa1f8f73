"""Time, abstracted to the order of timers.

Every step of a controller ends at the same instant of its clock, `NOW`; what it remembers grows older instead. It
decides only right after a look at everything, so of all that a look tells anew nothing is kept; of the rest, of each
time only that is kept which a rule can tell: which of the ages it has reached that some rule compares it with. A step
of its own takes `STEP_S`; longer times pass only when nothing else is left to do, and then up to the next instant at
which it would decide otherwise (`PAUSES`).
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from attrs import evolve, frozen

from memgraph_ha.core.commands import (
    Command,
    CommitNoop,
    Demote,
    DropReplica,
    Promote,
    Quiesce,
    RebuildInstance,
    RegisterReplica,
    RestoreTriggers,
    RestoreUsers,
    StopInstance,
    WriteRecord,
)
from memgraph_ha.core.facts import GateSeen, LeaseSeen, MembersSeen, NoopSeen, Outcome, RoleSeen
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import Incarnation, RowName
from memgraph_ha.core.observed import Attempt, Observed, Seen
from memgraph_ha.sim.search.words import CLUSTER, GENERATION, INDEX, MEMBERS, NAMES, NOW, OLDEST, row_name, run_of

STEP_S: Final = 0.06
"""What a look or an answer takes: more than ``refused_gap_s``, less than any pause of a rule."""

PAUSES: Final = (0.55, 1.1, 2.3, 3.7, 5.2, 8.3, 10.2, 15.2, 30.2, 60.2, 600.2)
"""Each is a little more than one of the rules' pauses: the shortest back-offs, ``proof_interval_s``, ``drain_s``,
``frozen_standby_s``, ``standby_grace_s``, the end of a switchover, ``lease_duration_s``, `HEARTBEAT_S`,
`QUIET_PAUSE_S`, `DIVERGED_PAUSE_S` and the pause between two rebuilds."""

TRYING_S: Final = PAUSES[6]
"""For how long what fails is tried again until the pauses are over after which a standby is given up (D10, D20)."""

_ANCIENT: Final = NOW - 2_000.0
"""Where a time goes whose age cannot matter any more."""

_TERM: Final = NOW - 3_000.0
"""When a term of leadership began whose beginning cannot matter any more: before everything that it has seen."""

_JUST_S: Final = 0.01
"""How old what was seen in the last step is: less than a step, more than nothing."""

_NOOP: Final = (0.3, 1.0)
_PROOF: Final = (0.3, 1.0, 15.0)
_SILENCE: Final = (2.0, 3.0, 60.0)
_BAD: Final = (5.0, 10.0)
_RECOVERY: Final = (7.0,)
_CUT: Final = (0.3, 1.0)
_QUIET: Final = (0.3, 2.1, 3.5)
_RESTED: Final = (5.0, 30.0)
_UNNAMED: Final = (5.0,)
_TERM_AGES: Final = (10.0,)
_MOVING: Final = (5.0, 8.0)
"""The ages that rules compare each kind of time with."""

_BACKOFF_S: Final = 0.5
"""After how long a failed try holds nothing up here: back-offs do not grow, only their order matters."""

_TIMEOUTS: Final = 4
"""Failed probes in a row beyond which more make no difference: the default of ``frozen_count``."""

_REMEMBERED_S: Final[dict[type[Command], float]] = {StopInstance: 60.0, RebuildInstance: 600.0, Quiesce: 30.0}
"""For how long rules remember a stop (D15), a rebuild (E20) and a quiet moment (H20)."""

_NUMBERED: Final = frozenset(row_name(instance, strict=True) for instance in (0, 1))
"""The rows that bear the present number."""

_LISTED: Final = MembersSeen(at_s=NOW - _JUST_S, cluster=CLUSTER, members=MEMBERS)


@frozen
class _Dial:
    """What becomes of times, seen from ``now_s``."""

    now_s: float

    def at(self, at_s: float, ages: tuple[float, ...] = ()) -> float:
        """A time, told as far as those ages tell it."""
        reached = bisect_right(ages, self.now_s - at_s)
        return NOW - _JUST_S - (ages[reached - 1] if reached else 0.0)

    def maybe(self, at_s: float | None, ages: tuple[float, ...]) -> float | None:
        """The same for one that may not be known."""
        return None if at_s is None else self.at(at_s, ages)


def settle(observed: Observed, now_s: float, *, blind: bool = False) -> Observed:
    """Make what was seen up to ``now_s`` a value that does not grow with its past, seen from `NOW`.

    How long catch-ups took and what the last MAIN said of its replicas serve far-behind standbys and the read
    gateway, which the small world has not: they are forgotten.

    Args:
        observed: What a controller knows.
        now_s: The instant of its clock that becomes `NOW`.
        blind: Whether it is cut off from the record, so that it goes by the last that it read.
    """
    dial = _Dial(now_s)
    lease, gate, quiet, rested_s = observed.lease, observed.gate, observed.quiet, observed.quiet_ended_s
    if rested_s is not None and now_s - rested_s >= _RESTED[1]:
        rested_s = None
    noop, proof = _noop(dial, _in_memory(observed.noop), _NOOP), _noop(dial, _standing(observed), _PROOF)
    return Observed(
        members=None if observed.members is None else _LISTED,
        seen=tuple(_seen(dial, seen) for seen in sorted(observed.seen, key=lambda seen: INDEX[seen.member.name])),
        record=None if observed.record is None or not blind else evolve(observed.record, at_s=NOW - _JUST_S),
        unnamed_since_s=_unnamed_since(dial, observed, proof),
        lease=None if lease is None else _lease(dial, lease),
        gate=None if gate is None else _gate(gate),
        gate_since_s=_gate_since(dial, observed, rested_s),
        noop=noop if proof is None or observed.noop != observed.proof else proof,
        noop_done=_present(observed.noop_done),
        proof=proof,
        attempts=_attempts(dial, observed) if observed.attempts else (),
        quiet_since_s=dial.maybe(observed.quiet_since_s, _QUIET),
        quiet_ended_s=dial.maybe(rested_s, _RESTED),
        quiet=None
        if quiet is None or observed.quiet_since_s is None
        else evolve(quiet, at_s=dial.at(quiet.at_s, _QUIET[:1])),
        switchover_since_s=dial.maybe(observed.switchover_since_s, _MOVING),
        given_up_s=dial.maybe(observed.given_up_s, _MOVING),
    )


def _unnamed_since(dial: _Dial, observed: Observed, proof: NoopSeen | None) -> float | None:
    """Since when nobody is named; before the proof, if there is one that stands."""
    since_s = dial.maybe(observed.unnamed_since_s, _UNNAMED)
    return since_s if since_s is None or proof is None else min(since_s, proof.asked_at_s)


def _gate(gate: GateSeen) -> GateSeen:
    permit = None if gate.permit is None else evolve(gate.permit, valid_until_s=NOW)
    return GateSeen(at_s=NOW - _JUST_S, permit=permit, quiet=gate.quiet, settled=gate.settled)


def _gate_since(dial: _Dial, observed: Observed, rested_s: float | None) -> float:
    """When it shut; of an open one only whether the last quiet moment ended before it opened (core/quiet.py)."""
    since_s = observed.gate_since_s
    if observed.gate is None or observed.gate.permit is None:
        return dial.at(since_s, _CUT) if since_s else since_s
    if rested_s is not None and rested_s <= since_s:
        return dial.at(rested_s, _RESTED)
    return _ANCIENT


def _lease(dial: _Dial, lease: LeaseSeen) -> LeaseSeen:
    """An unclean lease is waited for; of a clean one only matters that everything was seen after it began."""
    over = lease.clean or dial.now_s - lease.since_s >= _TERM_AGES[0]
    since_s = _TERM if over else dial.at(lease.since_s, _TERM_AGES)
    return LeaseSeen(at_s=NOW - _JUST_S, leading=lease.leading, since_s=since_s, until_s=NOW, clean=over)


def _seen(dial: _Dial, seen: Seen) -> Seen:
    """Of an instance: which process it is, what it last said it is, for how long it is silent, which rows are bad.

    Everything else it says anew when it answers, and if it does not, nobody asks.
    """
    role = seen.role
    ages = _SILENCE if seen.member.name in NAMES[:2] else ()
    silent = seen.timeouts > 0
    since_s = dial.at(seen.timeouts_first_s, ages)
    return Seen(
        member=seen.member,
        born_s=_ANCIENT,
        role=None
        if role is None
        else RoleSeen(at_s=_ANCIENT, asked_at_s=_ANCIENT, instance=role.instance, run=role.run, role=role.role),
        timeouts=_TIMEOUTS if silent else 0,
        timeouts_first_s=since_s if silent else 0.0,
        timeouts_last_s=NOW - _JUST_S if silent else 0.0,
        bad_rows=tuple((row, dial.at(at_s, _row_ages(row, _BAD))) for row, at_s in seen.bad_rows),
        recovering=tuple((row, dial.at(at_s, _row_ages(row, _RECOVERY))) for row, at_s in seen.recovering),
    )


def _row_ages(row: RowName, ages: tuple[float, ...]) -> tuple[float, ...]:
    """A STRICT_SYNC row's age matters while it bears the present number (D10, D20), an ASYNC one's at the end."""
    if row in _NUMBERED:
        return ages
    return () if "_" in row else ages[1:]


# --- no-op commits ---


def _noop(dial: _Dial, noop: NoopSeen | None, ages: tuple[float, ...]) -> NoopSeen | None:
    if noop is None:
        return None
    at_s = dial.at(noop.asked_at_s, ages)
    if noop.outcome is Outcome.DONE and ages is _NOOP:
        return evolve(noop, at_s=at_s, asked_at_s=at_s, witness=None, row_ts=None)
    return evolve(noop, at_s=at_s, asked_at_s=at_s)


def _in_memory(noop: NoopSeen | None) -> NoopSeen | None:
    """One of an earlier run says nothing; of an earlier reign in the same run it may (U10)."""
    if noop is None or noop.generation == GENERATION or noop.run == _now_run(noop.instance):
        return noop
    return None


def _present(noop: NoopSeen | None) -> NoopSeen | None:
    """Of the last acknowledged one only matters that it was, and in which run and reign."""
    if noop is None:
        return None
    told = evolve(noop, at_s=_ANCIENT, asked_at_s=_ANCIENT, witness=None, row_ts=None)
    return told if noop.generation == GENERATION else evolve(told, generation=0, run=run_of(0, OLDEST))


def _standing(observed: Observed) -> NoopSeen | None:
    """The last proof; none that was asked for before its witness was un-named: it names nobody any more."""
    proof, unnamed_s = _valid(observed.proof), observed.unnamed_since_s
    return None if proof is not None and unnamed_s is not None and proof.asked_at_s < unnamed_s else proof


def _valid(noop: NoopSeen | None) -> NoopSeen | None:
    """A proof in an earlier reign, or through a row whose number has passed, proves nothing."""
    if noop is None or noop.generation != GENERATION or noop.witness is None:
        return None
    return noop if noop.witness.row in _NUMBERED else None


# --- tries ---


def _attempts(dial: _Dial, observed: Observed) -> tuple[Attempt, ...]:
    kept = [tried for tried in observed.attempts if _counts(observed, tried, dial.now_s)]
    told = [
        evolve(
            tried,
            failures=min(tried.failures, 1),
            detail="",
            at_s=_placed(dial, observed, tried),
            incarnation=_life(tried),
            replica_run=tried.replica_run if tried.replica_run == _now_run(tried.subject) else None,
        )
        for tried in kept
    ]
    return tuple(sorted(told, key=lambda tried: (tried.kind.__name__, tried.subject)))


def _life(tried: Attempt) -> Incarnation | None:
    """Which life it was aimed at, if that is the present one."""
    return tried.incarnation if tried.incarnation == f"{tried.subject}/0" else None


def _placed(dial: _Dial, observed: Observed, tried: Attempt) -> float:
    """When it was tried; a promotion without an answer stands on its side of the last word of that instance (O10)."""
    if tried.kind is Promote and tried.outcome is Outcome.UNKNOWN:
        seen = observed.of(tried.subject)
        heard_s = None if seen is None or seen.role is None else seen.role.asked_at_s
        if heard_s is not None and tried.at_s <= heard_s:
            return _ANCIENT - 1.0
    return dial.at(tried.at_s, _ages_of(tried))


def _ages_of(tried: Attempt) -> tuple[float, ...]:
    """The pauses after it (core/known.py, retry_at_s), and for how long rules remember it."""
    longest_s = _REMEMBERED_S.get(tried.kind)
    if tried.kind is RegisterReplica:
        if tried.error is ErrorClass.DIVERGED or tried.outcome is Outcome.DONE:
            return (60.0,)
        return (30.0,) if tried.outcome is Outcome.UNKNOWN else (_BACKOFF_S,)
    if longest_s is None:
        return (_BACKOFF_S,)
    return (longest_s,) if tried.outcome is Outcome.DONE else (_BACKOFF_S, longest_s)


def _counts(observed: Observed, tried: Attempt, now_s: float) -> bool:
    """Whether a rule may still ask for this try (core/known.py, retry_at_s; and who calls `attempt`)."""
    kind, old = tried.kind, now_s - tried.at_s > _BACKOFF_S
    done, present = tried.outcome is Outcome.DONE, tried.generation == GENERATION
    if kind in (CommitNoop, DropReplica):
        return not done and not old and present
    if kind is WriteRecord:
        return not done and not old
    if kind is Promote:
        return not done and (not old or tried.outcome is Outcome.UNKNOWN)
    if kind is Demote:
        rivals = [a for a in observed.attempts if a.kind is RegisterReplica and a.subject == tried.subject]
        return (not done and not old) or any(a.at_s < tried.at_s for a in rivals)
    if kind is RegisterReplica:
        return present or (tried.replica_run == _now_run(tried.subject) and not done)
    if kind is StopInstance and tried.incarnation == f"{tried.subject}/0":
        return True
    if kind in (RestoreUsers, RestoreTriggers):
        return present and (done or not old)
    return now_s - tried.at_s <= _REMEMBERED_S[kind]


def _now_run(name: str) -> str:
    return f"{name}~0"

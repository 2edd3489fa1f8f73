"""Time, abstracted to the order of timers.

Every step of a controller ends at the same instant of its clock, `NOW`; what it remembers grows older instead. An
age is kept only as far as a rule can tell: which of `AGES` it has reached, and its order among the others. A step of
its own takes `STEP_S`; longer times pass only when nothing else is left to do, and then up to the next instant at
which it would decide otherwise (`PAUSES`).
"""

from __future__ import annotations

from bisect import bisect_right
from typing import Final

from attrs import evolve

from memgraph_ha.core.commands import (
    CommitNoop,
    Demote,
    DropReplica,
    Promote,
    Quiesce,
    RebuildInstance,
    RegisterReplica,
    StopInstance,
    WriteRecord,
)
from memgraph_ha.core.facts import NoopSeen, Outcome
from memgraph_ha.core.observed import Attempt, Observed, Seen
from memgraph_ha.sim.search.renaming import rename, times_in
from memgraph_ha.sim.search.words import GENERATION, NOW, run_of

STEP_S: Final = 0.06
"""What a look or an answer takes: more than ``refused_gap_s``, less than any pause of a rule."""

PAUSES: Final = (0.35, 1.1, 3.6, 5.2, 7.8, 10.2, 15.2, 30.2, 60.2, 600.2)
"""Each is a little more than one of the rules' pauses: `SHORT_S`, ``proof_interval_s``, ``frozen_standby_s``,
``standby_grace_s``, ``drain_s`` and the rest of a switchover, ``lease_duration_s``, `HEARTBEAT_S`, `QUIET_PAUSE_S`,
`DIVERGED_PAUSE_S`, and the pause between two rebuilds."""

AGES: Final = (0.05, 0.3, 1.0, 2.0, 3.0, 3.5, 5.0, 7.5, 10.0, 15.0, 30.0, 60.0, 600.0)
"""The ages that rules tell apart."""

_RANK_S: Final = 0.001
"""How far apart two times are kept that fell into the same age."""

_FORGOTTEN: Final = NOW - 2_000.0
"""Where a time goes that nothing can depend on any more."""

_TRIES: Final = 3
"""Failures in a row beyond which back-offs grow no more here: only their order matters."""

_MISSES: Final = 4
"""Failed probes in a row beyond which more make no difference: the default ``frozen_count``."""

_GONE_S: Final = 5.0
"""The longest back-off (core/known.py): a failed try that is older holds nothing up."""

_STOPPED_S, _REBUILT_S, _QUIET_S = 60.0, 600.0, 30.0
"""For how long rules remember a stop (D15), a rebuild (E20) and a quiet moment (H20)."""


def settle(observed: Observed, now_s: float) -> Observed:
    """Make what was seen up to ``now_s`` a value that does not grow with its past, seen from `NOW`.

    Args:
        observed: What a controller knows.
        now_s: The instant of its clock that becomes `NOW`.
    """
    tidied = tidy(observed, now_s)
    known: dict[float, float] = {}
    last, rank = -1, 0
    for at_s in sorted(set(times_in(tidied)), reverse=True):
        age = bisect_right(AGES, now_s - at_s)
        rank = rank + 1 if age == last else 0
        last = age
        known[at_s] = NOW - (0.0 if not age else AGES[age - 1] + 0.01) - rank * _RANK_S
    settled: Observed = rename(tidied, None, known.__getitem__, lambda until_s: round(until_s - now_s + NOW, 6))
    return settled


def tidy(observed: Observed, now_s: float) -> Observed:
    """Forget what no rule can depend on any more.

    How long catch-ups took and what the last MAIN said of its replicas serve far-behind standbys and the read
    gateway, which the small world has not.

    Args:
        observed: What a controller knows.
        now_s: Its clock.
    """
    attempts = tuple(
        sorted(
            (_clipped(tried) for tried in observed.attempts if _counts(observed, tried, now_s)),
            key=lambda tried: (tried.kind.__name__, tried.subject),
        )
    )
    doubtful_s = observed.rows_doubtful_s
    return evolve(
        observed,
        seen=tuple(_tidy_seen(seen) for seen in observed.seen),
        attempts=attempts,
        noop=_in_memory(observed.noop),
        noop_done=_present(observed.noop_done),
        proof=None if observed.proof is None or observed.proof.generation != GENERATION else observed.proof,
        last_rows=None,
        catch_ups=(),
        rows_doubtful_s=None if _read_since(observed, doubtful_s) else doubtful_s,
    )


def _tidy_seen(seen: Seen) -> Seen:
    server = None if seen.server is None else evolve(seen.server, at_s=_FORGOTTEN)
    refused, timeouts = min(seen.refused, _MISSES), min(seen.timeouts, _MISSES)
    return evolve(seen, born_s=_FORGOTTEN, server=server, refused=refused, timeouts=timeouts)


def _read_since(observed: Observed, doubtful_s: float | None) -> bool:
    """Whether every MAIN's rows that are known were asked for after the doubt."""
    return doubtful_s is None or all(seen.rows is None or seen.rows.asked_at_s > doubtful_s for seen in observed.seen)


def _in_memory(noop: NoopSeen | None) -> NoopSeen | None:
    """A no-op of an earlier run says nothing; of an earlier reign in the same run it may (U10)."""
    if noop is None or noop.generation == GENERATION or noop.run == _now_run(noop.instance):
        return noop
    return None


def _present(noop: NoopSeen | None) -> NoopSeen | None:
    """One of an earlier reign only says that there was one (K10)."""
    if noop is None or noop.generation == GENERATION:
        return noop
    return evolve(noop, at_s=_FORGOTTEN, asked_at_s=_FORGOTTEN, generation=0, run=run_of(0, 9), witness=None)


def _clipped(tried: Attempt) -> Attempt:
    return evolve(tried, failures=min(tried.failures, _TRIES), detail="")


def _counts(observed: Observed, tried: Attempt, now_s: float) -> bool:
    """Whether a rule may still ask for this try (core/known.py, retry_at_s; and who calls `attempt`)."""
    kind, old = tried.kind, now_s - tried.at_s > _GONE_S
    done, present = tried.outcome is Outcome.DONE, tried.generation == GENERATION
    same_run = tried.replica_run == _now_run(tried.subject)
    if kind in (Promote, CommitNoop, WriteRecord, DropReplica):
        return not done and not old
    if kind is Demote:
        later = (a for a in observed.attempts if a.kind is RegisterReplica and a.subject == tried.subject)
        return not old or any(a.at_s > tried.at_s for a in later)
    if kind is RegisterReplica:
        return present or (same_run and not done)
    if kind is StopInstance:
        return tried.incarnation == _now_incarnation(tried.subject) or now_s - tried.at_s <= _STOPPED_S
    limit_s = {RebuildInstance: _REBUILT_S, Quiesce: _QUIET_S}.get(kind)
    return limit_s is None or now_s - tried.at_s <= limit_s


def _now_run(name: str) -> str:
    return f"{name}~0"


def _now_incarnation(name: str) -> str:
    return f"{name}/0"

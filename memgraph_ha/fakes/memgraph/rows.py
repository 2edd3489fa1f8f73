"""What MAIN does about a registered replica in the background: pings, heartbeats, its task pool."""

from __future__ import annotations

from typing import Final

from . import texts
from .effects import Clock, Failure, Hangup, Procedure, Sleep, Spawn
from .instance import Instance, Row, RowState
from .locks import acquire
from .recovery import recover
from .rowcalls import accepted, call, settle
from .rpc import Heartbeat, Ping, Reply, SystemRecovery

PINGS_UNTIL_LOST: Final = 3  # consecutive failures (semantics 5)


def start(instance: Instance, row: Row) -> Procedure[None]:
    """Make a row count and start its ping thread."""
    row.half = False
    if row.frequency_s > 0:
        yield Spawn(_ping_for_ever(instance, row))


def enqueue(row: Row, task: Procedure[None]) -> Procedure[None]:
    """Give the row's single pool thread something to do; tasks run one after another."""
    row.tasks.append(task)
    if row.pool.try_acquire():
        yield Spawn(_work(row))


def enqueue_first(row: Row, task: Procedure[None]) -> Procedure[None]:
    """Give the pool thread something that goes before all that waits: it holds the connection."""
    row.tasks.appendleft(task)
    if row.pool.try_acquire():
        yield Spawn(_work(row))


def enqueue_heartbeat(instance: Instance, row: Row) -> Procedure[None]:
    """Ask for a heartbeat, once: more would find the same (semantics 2.10, MAYBE_BEHIND)."""
    if not row.heartbeat_queued:
        row.heartbeat_queued = True
        yield from enqueue(row, _queued_heartbeat(instance, row))


def _work(row: Row) -> Procedure[None]:
    try:
        while row.tasks:
            yield from row.tasks.popleft()
            if row.closed:
                row.tasks.clear()
    finally:
        row.pool.release()


def close(instance: Instance, row: Row) -> Procedure[None]:
    """End the row's threads: what they are in the middle of is waited for (transcripts Q6).

    From 3.10 an RPC in flight is ended instead (semantics 2.7).
    """
    row.closed = True
    if instance.quirks.close_aborts_rpc:
        yield Hangup(row.link)
    yield from acquire(row.ticking)
    yield from acquire(row.pool)
    yield Hangup(row.link)


def _ping_for_ever(instance: Instance, row: Row) -> Procedure[None]:
    """Ping once per period; ticks that are overdue follow at once.

    So a frozen replica is `invalid` after 1 + 3 * 5 s (transcripts, "Event" table: 16.0 s), a dead one
    after three refusals (2.8 s).
    """
    now = yield Clock()
    due = float(now) if isinstance(now, float | int) else 0.0
    while True:
        due += row.frequency_s
        now = yield Clock()
        if isinstance(now, float | int) and now < due:
            yield Sleep(due - now)
        if row.closed:
            return
        yield from acquire(row.ticking)
        try:
            if not row.closed:
                yield from _tick(instance, row)
        finally:
            row.ticking.release()


def _tick(instance: Instance, row: Row) -> Procedure[None]:
    # Without a limit: a demotion during a stalled ASYNC write took 34 s, the write's 30 s and one ping
    # behind it (transcripts Q6d, 4 of 4; raw recording f3).
    yield from acquire(row.rpc)
    lost = False
    try:
        outcome = yield from call(instance, row, Ping(), instance.settings.timings.ping)
        lost = not accepted(outcome) and row.failed_pings + 1 >= PINGS_UNTIL_LOST
    finally:
        # A commit that waits for the connection goes before the next ping, or it would wait for ever: pings that
        # time out follow each other without a pause (transcripts, "Writes with a bad replica": 38 s at most).
        row.rpc.release(hand_over=lost)
    if not accepted(outcome):
        row.failed_pings += 1
        if row.failed_pings == PINGS_UNTIL_LOST:
            row.system_behind = True
            row.state = RowState.MAYBE_BEHIND
        return
    row.failed_pings = 0
    if row.system_behind and instance.system_lock.try_acquire():
        try:
            yield from recover_system(instance, row)
        finally:
            instance.system_lock.release()
    if row.state is RowState.MAYBE_BEHIND:
        yield from enqueue_heartbeat(instance, row)


def recover_system(instance: Instance, row: Row) -> Procedure[None]:
    """Send users and identity; only the official build does (semantics 2.5; transcripts Q2)."""
    if not instance.settings.official:
        row.system_behind = False
        return
    yield from acquire(row.rpc)
    try:
        request = SystemRecovery(instance.main_uuid, instance.database_uuid)
        outcome = yield from call(instance, row, request, instance.settings.timings.commit)
    finally:
        row.rpc.release()
    row.system_behind = not accepted(outcome)


def _queued_heartbeat(instance: Instance, row: Row) -> Procedure[None]:
    row.heartbeat_queued = False
    if row.state is RowState.MAYBE_BEHIND and not row.closed:
        yield from heartbeat(instance, row)


def heartbeat(instance: Instance, row: Row) -> Procedure[None]:
    """Find out how the replica's data relates to ours (semantics 2.10, 4.4)."""
    yield from acquire(row.rpc)
    try:
        request = Heartbeat(instance.main_uuid, instance.database_uuid, instance.ldt)
        outcome = yield from call(instance, row, request, instance.settings.timings.heartbeat)
    finally:
        row.rpc.release()
    if isinstance(outcome, Failure):
        row.state = RowState.MAYBE_BEHIND
        return
    row.fenced = not outcome.ok
    if not outcome.ok:
        row.system_behind = True
        instance.log_line("debug", f"Replica '{row.name}' can't respond or missing database 'memgraph'")
        return
    diverged = branched(instance, outcome)
    if not diverged or instance.quirks.caches_diverged_ts:
        row.cached_ldt = outcome.ldt
    if diverged:
        row.state = RowState.DIVERGED
        instance.log_line("error", texts.DIVERGED_LOG.format(row.name))
        return
    yield from settle(instance, row, outcome.ldt)
    if row.state is RowState.RECOVERY:
        yield from enqueue(row, recover(instance, row))


def branched(instance: Instance, replica: Reply) -> bool:
    """Return whether the replica holds commits that our history does not cover (semantics 4.4).

    Only the epoch of its last commit and its position are compared, so a replica that is ahead in our
    own epoch is not found out (semantics 4.5; transcripts Q3 "NOT detected").
    """
    if not replica.ldt or replica.epoch == instance.epoch:
        return False
    reigns = [reign for reign in instance.history if reign.epoch == replica.epoch]
    return not reigns or reigns[-1].ldt < replica.ldt

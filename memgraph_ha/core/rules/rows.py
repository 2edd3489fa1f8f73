"""Rules F, D and H: a standby that blocks MAIN, and rows that must go."""

from typing import Final

from attrs import evolve

from memgraph_ha.core.commands import DropReplica, Quiesce, RegisterReplica, StopInstance
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.known import PORT_FRESH_S
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.policy import DataDurability
from memgraph_ha.core.quiet import held_since_s, in_the_way, is_quiet, is_settled, quiet_rows, wants_quiet
from memgraph_ha.core.rowcare import is_stuck, stale_rows, why_not_rebuilt
from memgraph_ha.core.rules.issuing import drop
from memgraph_ha.core.rules.standing import SHORT_S
from memgraph_ha.core.topology import Mode, Role, Row, RowStatus
from memgraph_ha.core.view import View

STOPPED_PAUSE_S: Final = 60.0
"""MAIN may not notice for as long that a peer which it cannot reach has ended (semantics, RPC time-outs)."""

DEAF_S: Final = 60.0
"""A replica that answers and does not listen for so long never will; a starting one listens before it answers."""


def restart_frozen_standby(view: View) -> Decision | Unmet:
    """Restart a standby that answers nothing, which ends the stall of MAIN's commits at once.

    When: the reign is open, the pair's other member is not named, and its probes have gone unanswered for
        `frozen_standby_s`; or for `restart_frozen_main_s` if MAIN has no row of it, for then nothing stalls, but
        nothing is protected either.
    Then: stop its process; the platform starts it again.
    Protects: nothing lost (it is un-named), liveness: a frozen STRICT_SYNC replica stalls MAIN for 30-38 s.
    After: U10 (which takes its name first).
    Source: design 5 (FrozenStandby); transcripts Q4 (killing it ends the stall, 14 of 14); scenarios B4.
    """
    record, other = view.record, view.partner
    if record is None or not record.opened or record.standby is not None or other is None:
        return Unmet("an open reign has no named standby")
    if record.paused is not None:
        return Unmet("nobody paused the cluster")
    if other.member.incarnation is None or other.timeouts == 0:
        return Unmet("the other one is silent")
    silent_s, stalls = other.silent_s, bool(view.rows_of(other.member))
    if silent_s < (view.policy.frozen_standby_s if stalls else view.policy.restart_frozen_main_s):
        return Unmet("it has been silent for long enough", f"{silent_s:.1f} s, {'with' if stalls else 'without'} a row")
    if not view.may_try(StopInstance, other.member.name):
        return Unmet("the pause after the last try is over")
    harm = f"it may stall every commit of {record.main}" if stalls else f"{record.main} has nobody else"
    return Decision(
        reason=f"restart {other.member.name}: silent for {silent_s:.1f} s, {harm}",
        commands=(
            StopInstance(
                instance=other.member.name, incarnation=other.member.incarnation, generation=record.generation
            ),
        ),
        wake_at_s=view.now_s + SHORT_S,
    )


def declare_unprotected(view: View) -> Decision | Unmet:
    """Let writes go on without the standby, and write that down first.

    When: `data_durability` is `preferred`, an open reign that claims protection has had no named standby for
        `standby_grace_s` (none is given if it is about to be stopped, or MAIN is in a mode that replicates nothing),
        and its row is not catching up (then a name is near), or has been for longer than the grace and
        `catch_up_max_s` together: every write aborts meanwhile.
    Then: write `unprotected` and the next row number; the row, stale now, is dropped by H10.
    Protects: UNPROTECTED_IS_RECORDED (before the first write that only MAIN has).
    After: U10, F10.
    Source: design 6 (Standby lost); scenarios B1.
    """
    record = view.record
    if record is None or view.policy.data_durability is not DataDurability.PREFERRED:
        return Unmet("data_durability is preferred", view.policy.data_durability.value)
    since_s = view.observed.unnamed_since_s
    if since_s is None or not record.opened or record.unprotected or record.standby is not None:
        return Unmet("an open reign claims protection without a standby")
    other = view.partner
    leaving = other is not None and view.stopping(other.member.name)
    unfit = leaving or view.unreplicated_mode is not None
    if view.now_s - since_s < view.policy.standby_grace_s and not unfit:
        return Unmet("the grace is over", f"{view.now_s - since_s:.1f} s")
    if view.main_role is None or view.main_rows is None:
        return Unmet("MAIN's rows are known")
    row, idle = view.standby_row, unfit or (other is not None and other.member.name in record.rebuild)
    near = row is not None and (row.takes_commits or (row.status is RowStatus.RECOVERY and not _endless(view, row)))
    if row is not None and near and not idle:
        return Unmet("the standby's row takes no commits", row.status.value)
    return Decision(
        reason=f"no standby for {view.now_s - since_s:.1f} s: reign {record.generation} goes on unprotected",
        commands=(view.rewrite(evolve(record, unprotected=True, row_seq=record.row_seq + 1)),),
        wake_at_s=view.now_s + SHORT_S,
    )


def _endless(view: View, row: Row) -> bool:
    """Whether it has been in recovery for so long that writes must not wait for it any more."""
    since_s = None if view.main is None else dict(view.main.recovering).get(row.name)
    limit_s = view.policy.standby_grace_s + view.policy.catch_up_max_s
    return since_s is not None and view.now_s - since_s > limit_s


def stop_endless_catch_up(view: View) -> Decision | Unmet:
    """Stop a standby whose STRICT_SYNC row catches up without end, because every write aborts meanwhile.

    When: the reign is unprotected, and a STRICT_SYNC row of the pair's other member, not the numbered one any more (D10
        gave it up), is in recovery: it cannot be dropped so (81 of 81 crashes).
    Then: stop its process; the row is `invalid` within moments, H10 drops it, and A10 attaches it as ASYNC first.
    Protects: MAIN's life and writes.
    After: D10.
    Source: design 5 (far behind: ASYNC first); transcripts Q5 (killed: `invalid` in 0.4 s, dropped 21 of 21), Q11.
    """
    record, other = view.record, view.partner
    if record is None or not record.unprotected or record.standby is not None or other is None:
        return Unmet("an unprotected reign has nobody named")
    rows = [row for row in view.rows_of(other.member) if row.mode is Mode.STRICT_SYNC]
    blocking = [row for row in rows if row.status is RowStatus.RECOVERY and row != view.standby_row]
    if not blocking or other.member.incarnation is None:
        return Unmet("a row that was given up is in recovery", [row.status.value for row in rows])
    tried = view.attempt(StopInstance, other.member.name)
    if tried is not None and view.now_s - tried.at_s < STOPPED_PAUSE_S:
        return Unmet("it was not stopped a moment ago", f"{view.now_s - tried.at_s:.1f} s")
    return Decision(
        reason=f"stop {other.member.name}: row {blocking[0].name} catches up without end, and every write aborts",
        commands=(
            StopInstance(
                instance=other.member.name, incarnation=other.member.incarnation, generation=record.generation
            ),
        ),
        wake_at_s=view.now_s + SHORT_S,
    )


def renumber_blocking_row(view: View) -> Decision | Unmet:
    """Give up a row that blocks MAIN, if that brings writes back.

    When: nobody is named, and the numbered STRICT_SYNC row takes no commits and does not catch up, so that every write
        aborts: for `standby_grace_s` if the reign is unprotected; else, because writes wait for the standby anyway,
        once the row does not heal itself any more although its replica could be registered anew.
    Then: write the next row number; the row, stale now, is dropped by H10 and registered anew by A10. Until then the
        gateway is shut unless the reign is unprotected.
    Protects: ROW_NUMBERS (the number rises before each DROP); liveness: a standby that was MAIN by hand meanwhile obeys
        another MAIN, and its row stays `invalid` for ever.
    After: D10.  Before: H10.
    Source: design 4 (`row_seq`), 6 (Standby lost); transcripts "Event"; scenarios H6.
    """
    record, row, other = view.record, view.standby_row, view.partner
    if record is None or record.standby is not None or row is None or view.main is None or other is None:
        return Unmet("MAIN has the row of an unnamed standby")
    catches_up = row.status is RowStatus.RECOVERY and not _endless(view, row)
    if row.takes_commits or catches_up or row.status is RowStatus.HALF:
        return Unmet("the row blocks", row.status.value)
    since_s = view.main.bad_since_s(row.name)
    if record.unprotected and (since_s is None or view.now_s - since_s < view.policy.standby_grace_s):
        return Unmet("it has blocked for standby_grace_s")
    if since_s is None or not (record.unprotected or is_stuck(view, other.member.name, row)):
        return Unmet("it does not heal itself, and could be registered anew", view.unready(other))
    return Decision(
        reason=f"row {row.name} has been {row.status.value} for {view.now_s - since_s:.1f} s and blocks every write",
        commands=(view.rewrite(evolve(record, row_seq=record.row_seq + 1)),),
        wake_at_s=view.now_s + SHORT_S,
    )


def renumber_rebuilt_row(view: View) -> Decision | Unmet:
    """Give up the row of a standby that is going to be rebuilt.

    When: nobody is named, and MAIN has the numbered STRICT_SYNC row of an instance in `rebuild` that may be rebuilt.
    Then: write the next row number, and `unprotected` if `data_durability` is `preferred`; the row, stale now, is
        dropped by H10, and E20 can empty the instance.
    Protects: ROW_NUMBERS, UNPROTECTED_IS_RECORDED.
    After: U10.  Before: H10, E20.
    Source: design 4 (`row_seq`), 6 (Rebuild).
    """
    record, other, row = view.record, view.partner, view.standby_row
    if record is None or record.standby is not None or other is None or row is None:
        return Unmet("MAIN has the row of an unnamed standby")
    name = other.member.name
    if name not in record.rebuild or why_not_rebuilt(view, record, name) is not None:
        return Unmet("the standby is going to be rebuilt", sorted(record.rebuild))
    preferred = view.policy.data_durability is DataDurability.PREFERRED
    changed = evolve(record, row_seq=record.row_seq + 1, unprotected=record.unprotected or preferred)
    return Decision(
        reason=f"{name} is going to be rebuilt: its row {row.name} is given up",
        commands=(view.rewrite(changed),),
        wake_at_s=view.now_s + SHORT_S,
    )


def renumber_half_row(view: View) -> Decision | Unmet:
    """Give up the half row that a failed REGISTER left.

    When: nobody is named, and the numbered STRICT_SYNC row is half: commits ignore it, and it never heals.
    Then: write the next row number; the row, stale now, is dropped by H10. Until then the gateway is shut unless
        the reign is unprotected.
    Protects: ROW_NUMBERS, UNPROTECTED_IS_RECORDED.
    After: U10.  Before: H10.
    Source: design 5 (REGISTER that fails); transcripts Summary; scenarios H7.
    """
    record, row = view.record, view.standby_row
    if record is None or record.standby is not None or row is None:
        return Unmet("MAIN has the row of an unnamed standby")
    if row.status is not RowStatus.HALF:
        return Unmet("it is half", row.status.value)
    return Decision(
        reason=f"row {row.name} is half-registered; it is given up and dropped",
        commands=(view.rewrite(evolve(record, row_seq=record.row_seq + 1)),),
        wake_at_s=view.now_s + SHORT_S,
    )


def drop_stale_row(view: View) -> Decision | Unmet:
    """Drop a row of ours that is half, of the wrong mode, number or address, or doubled.

    When: MAIN has such a row, and SHOW REPLICAS says that dropping it is known to be safe under commits: a settled
        STRICT_SYNC or SYNC row or a half one. That our gateway is shut proves nothing: what it relayed before may
        still be committing.
    Then: drop it; if it bears the present number because its replica left, or moved, write the next one first: the DROP
        may land late, and who leads then must not have proven a standby through that row. Rows to foreign addresses are
        left alone, and so is a whole ASYNC row of a replica that has another address by now: it goes with the reign
        (`rowcare.stale_rows`).
    Protects: MAIN's life (transcripts Q5, Q7), ROW_NUMBERS.
    After: U10, H05.
    Source: design 5 (DROP REPLICA), 6 (Repair); transcripts Q4, Q5, Q7; scenarios H7.
    """
    record, role = view.record, view.main_role
    if record is None or role is None or view.main_rows is None:
        return Unmet("MAIN's rows are known")
    if view.unreplicated_mode is not None:
        return Unmet("MAIN's mode allows a DROP", view.unreplicated_mode.value)
    stale = stale_rows(view, record)
    if not stale:
        return Unmet("a row of ours is stale", "none is")
    safe = [row for row in stale if row.droppable]
    if not safe:
        return Unmet("dropping it is safe now", [f"{row.name} ({row.status.value})" for row in stale])
    row = safe[0]
    if not view.may_try(DropReplica, record.main):
        return Unmet("the pause after the last try is over", view.last_outcome(DropReplica, record.main))
    allowed = {status for status in RowStatus if evolve(row, status=status).droppable}
    command = drop(record, role.run, row, frozenset(allowed))
    left = row.address not in {member.replication for member in view.members}
    may_be_named = left and record.standby is None and row.name.endswith(f"_{record.row_seq}")
    first = (view.rewrite(evolve(record, row_seq=record.row_seq + 1)),) if may_be_named else ()
    return Decision(
        reason=f"drop row {row.name} to {row.address} ({row.status.value}): it is stale",
        commands=(*first, command),
        wake_at_s=view.now_s + SHORT_S,
    )


def drop_in_quiet(view: View) -> Decision | Unmet:
    """Drop a stale row that can be dropped only while no commit runs.

    When: MAIN serves, a stale ASYNC row is not in recovery, and the last quiet moment is half a minute ago, or is on.
        Stale is also the row of a replica that is about to be stopped and takes its address along, as a pod does: its
        stop waits for this, and five seconds after the last quiet moment suffice. Or writes wait for the standby, and
        a row of another kind leads to its address: the gateway is shut, so that nobody has to be held, and stays so
        until it is registered, which it is not beside that row.
    Then: hold new transactions, wait until MAIN has none (what is open after `quiesce_max_s` is ended) and has been
        quiet for 0.3 s, drop it.
    Protects: MAIN's life: dropping an ASYNC row while commits run killed or hung it in 35 of 40 tries, and in a quiet
        moment in none of 20. Clients: once nobody answers at the address, DROP, or MAIN's demotion, takes 5 s.
    After: H10.  Before: A10, A30, which register it anew.
    Source: design 5 (quiet moment); transcripts Q5, Q7.
    """
    record, role, names = view.record, view.main_role, quiet_rows(view)
    if record is None or role is None or not names:
        return Unmet("a stale row needs a quiet moment", "none does")
    if wants_quiet(view) is None:
        names = in_the_way(view)
    if not names:
        return Unmet("a quiet moment may be made now", "clients had one a moment ago, or MAIN does not serve")
    soon_s = view.now_s + SHORT_S / 10
    if held_since_s(view) is None:
        waiting = "new transactions are held for a moment, to drop a row"
        return Decision(hold=Hold.STALE_ROW, reason=f"{waiting}: {names[0]}", wake_at_s=soon_s)
    if not is_quiet(view):
        if not view.may_try(Quiesce, record.main):
            return Unmet("the pause after the last try is over", view.last_outcome(Quiesce, record.main))
        quiesce = Quiesce(
            instance=record.main,
            run=role.run,
            generation=record.generation,
            patience_s=view.policy.quiesce_max_s,
        )
        reason = f"wait until {record.main} has no transaction, to drop row {names[0]}"
        return Decision(reason=reason, commands=(quiesce,), wake_at_s=soon_s)
    if not is_settled(view):
        reason = f"{record.main} is quiet; row {names[0]} is dropped in a moment"
        return Decision(hold=Hold.STALE_ROW, reason=reason, wake_at_s=view.now_s + SHORT_S / 4)
    row = next(row for row in view.main_rows or () if row.name == names[0])
    if not view.may_try(DropReplica, record.main):
        return Unmet("the pause after the last drop is over", view.last_outcome(DropReplica, record.main))
    command = drop(record, role.run, row, frozenset(RowStatus) - {RowStatus.RECOVERY, RowStatus.UNKNOWN})
    reason = f"drop row {row.name} to {row.address} ({row.status.value}) in a quiet moment"
    return Decision(reason=reason, commands=(command,), wake_at_s=soon_s)


def restart_deaf_replica(view: View) -> Decision | Unmet:
    """Restart a replica that answers but does not listen for replication.

    When: MAIN answers, a replica answers as REPLICA for `DEAF_S`, its replication port refuses connections, it has
        no row that takes commits, MAIN has not refused it for another reason since, and nobody relies on its process:
        it is neither named nor a `fallback` by its run.
    Then: stop its process; the platform starts it again.
    Protects: liveness: nothing else opens that port again, and a registration whose answer was lost, which is no
        refusal, is not tried again while it is closed. Under `required` writes may be waiting for it.
    After: U10 (never a named standby).
    Source: design 6 (`Error: 5` for ever); transcripts Summary; scenarios F6.
    """
    record = view.record
    if record is None or view.loss is not None or view.main_role is None:
        return Unmet("MAIN answers", None if view.loss is None else view.loss.evidence)
    relied_on = {holder.instance for holder in (record.standby, record.fallback) if holder is not None and holder.run}
    for seen in view.observed.seen:
        name, incarnation = seen.member.name, seen.member.incarnation
        if name == record.main or incarnation is None or name in relied_on or not _is_deaf(view, seen):
            continue
        return Decision(
            reason=f"restart {name}: it answers as REPLICA but does not listen at {seen.member.replication}",
            commands=(StopInstance(instance=name, incarnation=incarnation, generation=record.generation),),
            wake_at_s=view.now_s + SHORT_S,
        )
    return Unmet("a replica does not listen for replication", "none that was given time")


def _is_deaf(view: View, seen: Seen) -> bool:
    port, role, tried = seen.port, seen.role, view.attempt(RegisterReplica, seen.member.name)
    if port is None or port.open or role is None or role.role is not Role.REPLICA:
        return False
    if not view.answered_within(seen, 1.0) or view.now_s - port.asked_at_s > PORT_FRESH_S:
        return False
    refused = tried is not None and tried.outcome is Outcome.REFUSED and tried.error is not ErrorClass.NOT_ACCEPTING
    listened = tried is not None and tried.at_s >= port.asked_at_s  # whoever refuses it for another reason reached it
    attached = any(row.takes_commits for row in view.rows_of(seen.member))
    old = view.now_s - seen.born_s >= DEAF_S
    return old and not attached and not (refused and listened) and view.may_try(StopInstance, seen.member.name)

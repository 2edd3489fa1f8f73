"""Rules M: the planned move of MAIN, by order or because its process is about to be stopped."""

from attrs import evolve

from memgraph_ha.core.asks import refusal
from memgraph_ha.core.candidate import Rejection, Why, named_standby
from memgraph_ha.core.commands import CommitNoop, Quiesce
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import RunId
from memgraph_ha.core.quiet import given_up, is_quiet, wanted_switchover
from memgraph_ha.core.record import ChangeKind, Fallback, Record, Standby, Switchover
from memgraph_ha.core.requests import Ask
from memgraph_ha.core.rules.issuing import commit_noop, demote, succession
from memgraph_ha.core.rules.standing import SHORT_S
from memgraph_ha.core.topology import Member
from memgraph_ha.core.view import View

MOMENT_S = SHORT_S / 10
"""How soon to look again while clients wait."""


PASSING_S = 0.02
"""What our gateway had written when the quiet moment began has reached MAIN by then."""


def note_switchover(view: View) -> Decision | Unmet:
    """Write down that the reign is to move, so that a new leader knows it too.

    When: no switchover is under way, and one is asked for that is not refused, or MAIN's process is about to be
        stopped and the standby is proven.
    Then: write `switchover`; from the next look on, the gateways hold new transactions.
    Protects: nothing yet.
    After: U10.  Before: M30.
    Source: design 4 (`switchover`), 6; scenarios C2, C3.
    """
    record = view.record
    if record is None or record.switchover is not None:
        return Unmet("no switchover is under way")
    request = view.observed.asked(Ask.SWITCHOVER)
    refused = None if request is None else refusal(view, Ask.SWITCHOVER, request.instance)
    if request is not None and request.instance is not None and refused is None:
        move = Switchover(target=request.instance, by=request.by, reason=request.reason)
    else:
        target = wanted_switchover(view)
        if target is None:
            return Unmet("somebody asks for one, or MAIN is about to be stopped", refused)
        move = Switchover(target=target, by="stop request", reason=f"{record.main} is about to be stopped")
    return Decision(
        reason=f"switchover to {move.target}, asked for by {move.by}{f': {move.reason}' if move.reason else ''}",
        commands=(view.rewrite(evolve(record, switchover=move)),),
        wake_at_s=view.now_s + SHORT_S,
    )


def give_up_switchover(view: View) -> Decision | Unmet:
    """Let MAIN go on, because the switchover cannot be done.

    When: one is under way, and its target is not the proven standby any more, or it took too long, or MAIN is lost.
    Then: clear `switchover`; what was held passes again. A MAIN that is lost is L's matter.
    Protects: liveness (clients wait for a bounded time).
    After: M10.  Before: M30.
    Source: design 6 (Switchover).
    """
    record, why = view.record, given_up(view)
    if record is None or why is None:
        return Unmet("a switchover cannot go on")
    return Decision(
        reason=f"give the switchover up: {why}",
        commands=(view.rewrite(evolve(record, switchover=None)),),
        wake_at_s=view.now_s + SHORT_S,
    )


def switch_over(view: View) -> Decision | Unmet:
    """Move the reign to the proven standby without losing or failing a transaction that can still end.

    When: a switchover is under way and can go on.
    Then: one step after the other: wait until our gateway lets no new transaction pass; wait until MAIN has none
        (what is open after `drain_s` is ended), and every client has its last answer; prove the standby once more;
        demote MAIN, which refuses late commits, and begin the target's reign, with MAIN as `fallback`. Each prefix
        of that is safe.
    Protects: NO_ACKED_LOSS (demote first, always: 0 lost in 20), SINGLE_WRITER.
    After: M20.  Before: L10 (a demoted MAIN would be re-promoted).
    Source: design 5 (quiet moment), 6 (Switchover); transcripts Q7a, Q22; scenarios C2.
    """
    record = view.record
    if record is None or record.switchover is None or record.standby is None:
        return Unmet("a switchover is under way")
    begun = _begun(view, record, record.switchover, record.standby)
    if view.loss is not None:
        return _begin_after_demotion(view, record, begun)
    if view.main is None or view.main_role is None or view.unserved is not None:
        return Unmet("MAIN serves", view.unserved)
    return _next_step(view, record, view.main.member, view.main_role.run, begun)


def _next_step(view: View, record: Record, main: Member, run: RunId, begun: Record) -> Decision | Unmet:
    name, standby, quiet = record.main, record.standby, view.observed.quiet
    since_s = view.observed.quiet_since_s
    if since_s is None or view.now_s - since_s < PASSING_S:
        return _wait(view, record, "until our gateway lets no new transaction pass")
    if not is_quiet(view):
        if not view.may_try(Quiesce, name):
            return _wait(view, record, f"to ask again{view.last_outcome(Quiesce, name)}")
        patience_s = view.policy.drain_s
        quiesce = Quiesce(instance=name, run=run, generation=record.generation, patience_s=patience_s)
        reason = f"wait until {name} has no transaction; what is open after {patience_s:g} s is ended"
        return Decision(reason=reason, commands=(quiesce,), wake_at_s=view.now_s + MOMENT_S)
    proof = view.proof
    if quiet is None or standby is None or proof is None or proof.asked_at_s < quiet.at_s:
        return _prove(view, record, run)
    if view.unproven not in (None, "the proof is old") or proof.witness != standby:
        return _wait(view, record, f"for the proof: {view.unproven}")
    waiting = _before_demotion(view, record, standby, since_s)
    if waiting is not None:
        return waiting
    return Decision(
        reason=f"demote {name}, then begin reign {begun.generation} of {begun.main} (switchover)",
        commands=(demote(record, main, run), view.rewrite(begun)),
        wake_at_s=view.now_s + MOMENT_S,
    )


def _before_demotion(view: View, record: Record, standby: Standby, since_s: float) -> Decision | None:
    """What is still waited for once nothing commits any more and the target is proven; None if nothing."""
    target, gate = view.observed.of(standby.instance), view.observed.gate
    data = None if target is None else target.storage
    if data is None or data.run != standby.run or data.uuid != record.database_uuid:
        # It was asked before it was filled: it would look emptied in its own reign.
        waiting = _wait(view, record, f"for {standby.instance} to say which data it holds")
        return evolve(waiting, look=(standby.instance,))
    if gate is not None and not gate.settled and view.now_s - since_s < view.policy.drain_s + PASSING_S:
        return _wait(view, record, "until every client has the answer to what it sent")  # demotion cuts them
    return None


def _prove(view: View, record: Record, run: RunId) -> Decision | Unmet:
    standby = record.standby
    if not view.may_try(CommitNoop, record.main) or standby is None:
        return _wait(view, record, f"to prove the standby again{view.last_outcome(CommitNoop, record.main)}")
    command = commit_noop(record, run, standby.instance, standby.row)
    reason = f"prove {standby.instance} once more, now that nothing else commits"
    return Decision(reason=reason, commands=(command,), wake_at_s=view.now_s + MOMENT_S)


def _begin_after_demotion(view: View, record: Record, begun: Record) -> Decision | Unmet:
    """MAIN was demoted, but the record could not be written in the same breath."""
    found = named_standby(view, record)
    if isinstance(found, Rejection) and found.why in (Why.STALE, Why.DATA_UNKNOWN):
        return evolve(_wait(view, record, "for the target to be asked again"), look=(begun.main,))
    if isinstance(found, Rejection):
        return Unmet("the target can begin its reign", str(found))
    return Decision(
        reason=f"{record.main} is demoted; begin reign {begun.generation} of {begun.main} (switchover)",
        commands=(view.rewrite(begun),),
        wake_at_s=view.now_s + MOMENT_S,
    )


def _begun(view: View, record: Record, move: Switchover, standby: Standby) -> Record:
    """The record of the target's reign; MAIN stays its `fallback`."""
    reason = move.reason or "asked for"
    change = succession(view, record, standby.instance, kind=ChangeKind.SWITCHOVER, rule="M30", reason=reason)
    fallback = Fallback(instance=record.main, run=None)
    return record.begun(evolve(change, by=move.by), main_run=standby.run, fallback=fallback)


def _wait(view: View, record: Record, what: str) -> Decision:
    move = record.switchover
    target = "" if move is None else f" to {move.target}"
    return Decision(
        hold=Hold.SWITCHING_OVER, reason=f"switchover{target}: waiting {what}", wake_at_s=view.now_s + MOMENT_S
    )

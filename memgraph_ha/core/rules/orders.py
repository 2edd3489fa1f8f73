"""Rules C: what humans order. Each order is checked by `asks.refusal` before it is taken up."""

from attrs import evolve

from memgraph_ha.core.asks import not_yet, refusal
from memgraph_ha.core.candidate import Why, fit_to_be_forced
from memgraph_ha.core.commands import StopInstance, WriteRecord
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.record import Change, ChangeKind, Pause, Record
from memgraph_ha.core.requests import Ask, Request
from memgraph_ha.core.rules.attach import repeat_proof
from memgraph_ha.core.rules.bootstrap import first_record
from memgraph_ha.core.rules.standing import LONG_S, SHORT_S
from memgraph_ha.core.view import View


def _ordered(view: View, ask: Ask) -> tuple[Request | None, str]:
    """The oldest request of that kind, or why there is none that can be taken up."""
    request = view.observed.asked(ask)
    if request is None:
        return None, "nobody does"
    why = refusal(view, ask, request.instance)
    return (request, "") if why is None else (None, why)


def pause_by_order(view: View) -> Decision | Unmet:
    """Note that an operator paused the cluster.

    When: somebody asks for it, and it is not paused.
    Then: write `paused`. MAIN goes on serving; nobody takes over, and nothing is repaired.
    Protects: the operator's work from ours.
    After: R40.  Before: every rule that could act.
    Source: design 6 (`paused`); the word is Patroni's.
    """
    (request, why_not), record = _ordered(view, Ask.PAUSE), view.record
    if request is None or record is None:
        return Unmet("somebody asks for it, and it can be done", why_not)
    if record.paused is not None:
        return Unmet("it is not paused")
    paused = evolve(record, paused=Pause(by=request.by, reason=request.reason, at=view.wall_s))
    return Decision(
        reason=f"{request.by} pauses this cluster{_because(request)}",
        commands=(view.rewrite(paused),),
        wake_at_s=view.now_s + SHORT_S,
    )


def resume_by_order(view: View) -> Decision | Unmet:
    """Note that an operator ended the pause.

    When: somebody asks for it, and it is paused.
    Then: clear `paused`. A standby that is named was proven all along (P10).
    Protects: nothing waits longer than the operator wants.
    After: C10.
    Source: design 6 (`paused`).
    """
    (request, why_not), record = _ordered(view, Ask.RESUME), view.record
    if request is None or record is None:
        return Unmet("somebody asks for it, and it can be done", why_not)
    if record.paused is None:
        return Unmet("it is paused")
    return Decision(
        reason=f"{request.by} resumes this cluster{_because(request)}",
        commands=(view.rewrite(evolve(record, paused=None)),),
        wake_at_s=view.now_s + SHORT_S,
    )


def adopt_by_order(view: View) -> Decision | Unmet:
    """Begin the reign of the instance whose data a human says is the cluster's.

    When: somebody asks for it; and there is no record, or that instance is MAIN with the recorded data set while the
        recorded MAIN does not serve, or it is MAIN and its data set was replaced.
    Then: begin its reign, with nobody else to fall back on. After a replaced data set everybody who does
        not hold the new one is put into `rebuild`.
    Protects: NO_ACKED_LOSS as far as it can be: a human decides, by name, and the history says so.
    After: R30.  Before: R40 and B30, whose holds it ends.
    Source: design 4, 6 (Bootstrap, DataSetReplaced); scenarios E2, G3, J5.
    """
    request, why_not = _ordered(view, Ask.ADOPT)
    if request is None or request.instance is None:
        return Unmet("somebody asks for it, and it can be done", why_not)
    seen, record = view.observed.of(request.instance), view.record
    if seen is None or seen.role is None or seen.storage is None:
        return Unmet("the instance is known")
    if record is not None and _is_done(record, request, ChangeKind.ADOPT):
        return Unmet("it was not done yet", f"reign {record.generation}")
    change = _change(view, request, ChangeKind.ADOPT, "C20")
    if record is None:
        written = first_record(view, seen, change)
        return Decision(reason=change.reason, commands=(written,), wake_at_s=view.now_s + SHORT_S)
    uuid = seen.storage.uuid
    others = frozenset(
        other.member.name
        for other in view.observed.seen
        if other is not seen and (other.storage is None or other.storage.uuid != uuid)
    )
    begun = evolve(
        record.begun(change, main_run=seen.role.run, fallback=None),
        database_uuid=uuid,
        rebuild=record.rebuild | others if view.replaced is not None else record.rebuild - {request.instance},
        reinit=record.reinit | others if view.replaced is not None else record.reinit - {request.instance},
    )
    return Decision(reason=change.reason, commands=(view.rewrite(begun),), wake_at_s=view.now_s + SHORT_S)


def _is_done(record: Record, request: Request, kind: ChangeKind) -> bool:
    """Whether the reign that was ordered has begun already, and is to be opened."""
    last = record.history[-1] if record.history else None
    begun = last is not None and last.kind is kind and record.main == request.instance
    return begun and not record.opened


def force_failover(view: View) -> Decision | Unmet:
    """Begin the reign of an instance that may lack writes, because a human accepted that.

    When: somebody asks for it, MAIN is lost (or lost data), and the target answers as REPLICA after the cut.
    Then: begin its reign as `forced`. Nobody who may hold more is rebuilt by itself afterwards.
    Protects: SINGLE_WRITER; what may be lost was said before, and the history names who accepted it.
    After: U10.  Before: C90, L10-L90, whose holds it ends.
    Source: design 4 (candidate 4); scenarios A7, B6.
    """
    (request, why_not), record = _ordered(view, Ask.FAILOVER), view.record
    if request is None or request.instance is None or record is None:
        return Unmet("somebody asks for it, and it can be done", why_not)
    if _is_done(record, request, ChangeKind.FORCED):
        return Unmet("it was not done yet", f"reign {record.generation}")
    target = view.observed.of(request.instance)
    if target is None or target.role is None or target.storage is None:
        return Unmet("the target is known")
    if fit_to_be_forced(view, request.instance) is Why.STALE:
        return Decision(
            hold=Hold.LOOKING,
            reason=f"{request.instance} is asked once more after the cut",
            look=(request.instance,),
            wake_at_s=view.now_s + SHORT_S / 10,
        )
    change = _change(view, request, ChangeKind.FORCED, "C30")
    begun = evolve(
        record.begun(change, main_run=target.role.run, fallback=None),
        database_uuid=target.storage.uuid,
        rebuild=record.rebuild - {request.instance},
        reinit=record.reinit - {request.instance},
    )
    return Decision(reason=change.reason, commands=(view.rewrite(begun),), wake_at_s=view.now_s + SHORT_S)


def restart_by_order(view: View) -> Decision | Unmet:
    """Restart an instance that a human wants restarted, when that costs no more than it must.

    When: somebody asks for it, its process is still the one that was meant, it is not the named standby, and it is
        not a MAIN that another one could succeed (M10 moves the reign first).
    Then: stop its process; the platform starts it again.
    Protects: NO_ACKED_LOSS (a named standby is un-named first, U10), writes (D10 drops its row first).
    After: U10.
    Source: design 6 (Switchover / rolling restart).
    """
    (request, why_not), record = _ordered(view, Ask.RESTART), view.record
    if request is None or request.instance is None or record is None:
        return Unmet("somebody asks for it, and it can be done", why_not)
    seen = view.observed.of(request.instance)
    if seen is None or seen.member.incarnation is None or seen.born_s > request.asked_s:
        return Unmet("it is still the process that was meant")
    alone = request.instance == record.main and record.standby is None
    why = None if alone else not_yet(view, request.instance)
    if why is not None:
        return Unmet("it may be stopped", why)
    if not view.may_try(StopInstance, request.instance):
        return Unmet("the pause after the last try is over", view.last_outcome(StopInstance, request.instance))
    stop = StopInstance(instance=request.instance, incarnation=seen.member.incarnation, generation=record.generation)
    return Decision(
        reason=f"{request.by} restarts {request.instance}{_because(request)}",
        commands=(stop,),
        wake_at_s=view.now_s + SHORT_S,
    )


def reinit_by_order(view: View) -> Decision | Unmet:
    """Note that a human gave up what an instance holds.

    When: somebody asks for it, it is not MAIN, MAIN answers, and it is not noted yet.
    Then: put it into `rebuild` and `reinit`, and take its name if it has one; E20 rebuilds it.
    Protects: NO_ACKED_LOSS (a human decided; the old files are moved aside, not deleted).
    After: U10.  Before: E20.
    Source: design 6 (Diverged replica).
    """
    (request, why_not), record = _ordered(view, Ask.REINIT), view.record
    if request is None or request.instance is None or record is None:
        return Unmet("somebody asks for it, and it can be done", why_not)
    if request.instance in record.reinit:
        return Unmet("it is not noted yet")
    named = record.standby
    written: WriteRecord = view.rewrite(
        evolve(
            record,
            rebuild=record.rebuild | {request.instance},
            reinit=record.reinit | {request.instance},
            standby=None if named is not None and named.instance == request.instance else named,
        )
    )
    return Decision(
        reason=f"{request.by} gives up what {request.instance} holds{_because(request)}: it is rebuilt",
        commands=(written,),
        wake_at_s=view.now_s + SHORT_S,
    )


def hold_paused_failover(view: View) -> Decision | Unmet:
    """Let nobody take over while an operator has paused the cluster.

    When: the record says `paused`, the reign is open, and MAIN is lost.
    Then: nothing; orders by name are still taken up.
    Protects: the operator's work.
    After: U10, C30-C50, M10-M30.  Before: L10.
    Source: design 6 (`paused`).
    """
    record = view.record
    if record is None or record.paused is None or not record.opened:
        return Unmet("an open reign is paused")
    if view.loss is None:
        return Unmet("MAIN is lost")
    return Decision(
        hold=Hold.PAUSED,
        reason=f"{_paused(record.paused)}; MAIN {record.main} is lost: {view.loss.evidence}",
        wake_at_s=view.now_s + LONG_S,
    )


def hold_paused_repair(view: View) -> Decision | Unmet:
    """Repair nothing while an operator has paused the cluster, but for what keeps writes going and names honest.

    When: the record says `paused`, the reign is open, and no proof of a named standby is due.
    Then: nothing.
    Protects: the operator's work.
    After: D10-H10 (a dead standby must not stop writes, nor an announced stop wait).  Before: every other repair.
    Source: design 4 (the proof is repeated), 6 (`paused`).
    """
    record = view.record
    if record is None or record.paused is None or not record.opened:
        return Unmet("an open reign is paused")
    if isinstance(repeat_proof(view), Decision):
        return Unmet("no proof of a named standby is due")
    return Decision(hold=Hold.PAUSED, reason=_paused(record.paused), wake_at_s=view.now_s + SHORT_S)


def _paused(paused: Pause) -> str:
    return f"paused by {paused.by}{f' ({paused.reason})' if paused.reason else ''}"


def _change(view: View, request: Request, kind: ChangeKind, rule: str) -> Change:
    record, lease = view.record, view.lease
    held = 0 if record is None else record.generation
    floor = 0 if lease is None else lease.floor_generation
    generation = max(held, floor) + 1
    if request.instance is None:  # pragma: no cover - checked by the callers
        raise ValueError("an instance must be named")
    return Change(
        generation=generation,
        main=request.instance,
        previous=None if record is None else record.main,
        kind=kind,
        standby=None if record is None or record.standby is None else record.standby.instance,
        rule=rule,
        reason=f"{request.by} orders reign {generation} of {request.instance} ({kind.value}){_because(request)}",
        at=view.wall_s,
        by=request.by,
    )


def _because(request: Request) -> str:
    return f": {request.reason}" if request.reason else ""

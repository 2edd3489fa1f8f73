"""Rules E: instances whose data cannot be used are emptied and filled anew, one at a time, never the last copy."""

from typing import Final

from attrs import evolve

from memgraph_ha.core.commands import RebuildInstance
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.record import Record
from memgraph_ha.core.rowcare import misfit, why_not_rebuilt
from memgraph_ha.core.rules.standing import SHORT_S
from memgraph_ha.core.view import View

AGAIN_S: Final = 600.0
"""How long after a rebuild the same instance is not rebuilt by itself again: each keeps a copy of its data aside."""

REINIT_PAUSE_S: Final = 60.0
"""The same, if a human ordered it."""


def mark_diverged(view: View) -> Decision | Unmet:
    """Note that a diverged replica is rebuilt, if history proves that nothing acknowledged is lost by it.

    When: MAIN answers and has committed in this reign, its present row or registration of a replica says that this
        very run has diverged, and an unbroken chain of unforced reigns leads from its level to the present one.
    Then: put it into `rebuild`.
    Protects: NO_ACKED_LOSS: every acknowledged write is in the present MAIN; what the replica has more was never.
    After: everything that gets writes back.  Before: E20.
    Source: design 6 (Diverged replica); transcripts Q10, Q11.
    """
    record = view.record
    if record is None or view.unsound is not None:
        return Unmet("MAIN has everything", view.unsound)
    for seen in view.observed.seen:
        name = seen.member.name
        if name == record.main or name in record.rebuild or not (view.diverged(seen) or misfit(view, seen)):
            continue
        why = why_not_rebuilt(view, record, name)
        if why is not None:
            return Unmet("history proves that it may be rebuilt", why)
        return Decision(
            reason=f"{name} has diverged; MAIN has every acknowledged write since its level: it is rebuilt"
            if view.diverged(seen)
            else f"{name} is empty, but its history does not fit: it is rebuilt",
            commands=(view.rewrite(evolve(record, rebuild=record.rebuild | {name})),),
            wake_at_s=view.now_s + SHORT_S,
        )
    return Unmet("a replica has diverged", "none that is not noted")


def rebuild_instance(view: View) -> Decision | Unmet:
    """Empty an instance that must be rebuilt.

    When: MAIN answers, replicates and has committed in this reign (writes may wait: under `required` they do), an
        instance is in `rebuild` that we have not emptied, history or a human allows it, and no other is being rebuilt;
        the standby-to-be waits for no ASYNC replica, which may itself wait for the reign that opens with the standby.
    Then: stop it, move what it stored aside, start it with nothing; A10 or A30 registers it.
    Protects: NO_ACKED_LOSS (MAIN is healthy and has everything; the old files stay, dated).
    After: E10.
    Source: design 6 (Rebuild: 9 of 9); transcripts Q10.
    """
    record = view.record
    if record is None or view.unsound is not None:
        return Unmet("MAIN has everything", view.unsound)
    waiting = [seen for seen in view.observed.seen if seen.member.name in record.rebuild]
    under_way = [seen for seen in waiting if being_rebuilt(view, seen)]
    free = [seen for seen in waiting if not under_way or (seen == view.partner and seen not in under_way)]
    if under_way and not free:
        return Unmet("no other one is being rebuilt", [seen.member.name for seen in under_way])
    for seen in free:
        name, incarnation = seen.member.name, seen.member.incarnation
        why = why_not_rebuilt(view, record, name) or _unready(view, record, seen)
        if why is not None or incarnation is None:
            continue
        return Decision(
            reason=f"rebuild {name}: stop it, move its data aside, start it with nothing",
            commands=(RebuildInstance(instance=name, incarnation=incarnation, generation=record.generation),),
            wake_at_s=view.now_s + SHORT_S,
        )
    return Unmet("one in `rebuild` may be emptied now", sorted(seen.member.name for seen in waiting))


def being_rebuilt(view: View, seen: Seen) -> bool:
    """Whether its data is aside, and it has not been attached again."""
    tried = view.attempt(RebuildInstance, seen.member.name)
    if tried is None or tried.outcome is not Outcome.DONE:
        return False
    return view.rebuilt(seen) or seen.role is None or seen.member.incarnation in (None, tried.incarnation)


def in_vain(view: View, seen: Seen) -> str | None:
    """Why it is not rebuilt once more by itself; None if it was not rebuilt in vain lately.

    Not in vain was what made it level in its reign; if it diverged in a later one, it is rebuilt once for that.
    """
    name, record, tried = seen.member.name, view.record, view.attempt(RebuildInstance, seen.member.name)
    if record is None or tried is None or tried.outcome is not Outcome.DONE or view.rebuilt(seen):
        return None
    if tried.generation <= dict(record.level).get(name, 0) < record.generation:
        return None
    pause_s = REINIT_PAUSE_S if name in record.reinit else AGAIN_S
    ago_s = view.now_s - tried.at_s
    return f"it was rebuilt {ago_s:.0f} s ago, in vain" if ago_s < pause_s else None


def _unready(view: View, record: Record, seen: Seen) -> str | None:
    name = seen.member.name
    if name == record.main or (record.standby is not None and record.standby.instance == name):
        return "it is MAIN, or named"
    if record.fallback is not None and record.fallback.instance == name:
        return "it may have to reign again"
    if view.rebuilt(seen):
        return "it is empty already"
    vain = in_vain(view, seen)
    if vain is not None:
        return vain
    if not view.may_try(RebuildInstance, name):
        return f"the pause after the last try is not over{view.last_outcome(RebuildInstance, name)}"
    if view.rows_of(seen.member):
        return "MAIN's row of it must go first"
    known = seen.role is not None and seen.storage is not None and seen.storage.run == seen.role.run
    return None if known or name in record.reinit else "its state is not known"

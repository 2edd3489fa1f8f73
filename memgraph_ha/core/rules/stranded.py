"""Rules L80 to L90: MAIN is lost, and nobody certainly has every acknowledged write."""

from memgraph_ha.core.candidate import Candidate, choose
from memgraph_ha.core.commands import CommitNoop, StopInstance
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.rules.issuing import commit_noop
from memgraph_ha.core.rules.standing import SHORT_S
from memgraph_ha.core.view import LossKind, View


def retry_unwritable_main(view: View) -> Decision | Unmet:
    """Ask a MAIN whose disk took no commits again, if nobody may follow it.

    When: MAIN is lost as `NotWritable`, still answers as MAIN, there is no candidate, and the pause is over.
    Then: one no-op commit; acknowledged, it ends the verdict.
    Protects: nothing waits for a human that needs none.
    After: L40.  Before: L90.
    Source: design 6 (NotWritable); scenarios H3.
    """
    record, main = view.record, view.main
    if record is None or view.loss is None or view.loss.kind is not LossKind.NOT_WRITABLE:
        return Unmet("MAIN is lost because its disk takes no commits")
    if isinstance(choose(view), Candidate):
        return Unmet("there is no candidate")
    if main is None or main.role is None or not view.may_try(CommitNoop, record.main):
        return Unmet("the pause after the last try is over", view.last_outcome(CommitNoop, record.main))
    return Decision(
        reason=f"ask again whether {record.main} can commit: {view.loss.evidence}",
        commands=(commit_noop(record, main.role.run),),
        wake_at_s=view.now_s + SHORT_S,
    )


def restart_frozen_main(view: View) -> Decision | Unmet:
    """Restart a MAIN that is frozen for good, if nobody may follow it.

    When: MAIN has answered nothing for `restart_frozen_main_s`, its process lives, and there is no candidate.
    Then: stop its process; the platform starts it again, and it is a candidate itself (L20).
    Protects: liveness; what it had acknowledged is in its data directory.
    After: L40.  Before: L90.
    Source: design 4 (candidate 4); scenarios A3.
    """
    record, main = view.record, view.main
    if record is None or view.loss is None or view.loss.kind is not LossKind.FROZEN or main is None:
        return Unmet("MAIN is lost as frozen")
    if main.silent_s < view.policy.restart_frozen_main_s:
        return Unmet("it has been silent for restart_frozen_main_s", f"{main.silent_s:.1f} s")
    if isinstance(choose(view), Candidate) or main.member.incarnation is None:
        return Unmet("there is no candidate, and it has a process")
    if not view.may_try(StopInstance, record.main):
        return Unmet("the pause after the last try is over", view.last_outcome(StopInstance, record.main))
    command = StopInstance(instance=record.main, incarnation=main.member.incarnation, generation=record.generation)
    return Decision(
        reason=f"restart {record.main}: it has been frozen for {main.silent_s:.0f} s and nobody may follow it",
        commands=(command,),
        wake_at_s=view.now_s + SHORT_S,
    )


def hold_without_candidate(view: View) -> Decision | Unmet:
    """Wait, and say for each way to a new reign what it lacks.

    When: MAIN is lost, and nobody certainly has every acknowledged write.
    Then: nothing; the route stays closed.
    Protects: NO_ACKED_LOSS.
    After: L20-L40, S10.  Before: every repair.
    Source: design 4 (candidate 4); scenarios B2, B6, G2, G3.
    """
    if view.loss is None or view.record is None:
        return Unmet("MAIN is lost")
    found = choose(view)
    if isinstance(found, Candidate):
        return Unmet("there is no candidate", found.instance)
    lacking = "; ".join(str(rejection) for rejection in found)
    unwritable = view.loss.kind is LossKind.NOT_WRITABLE
    return Decision(
        hold=Hold.NOT_WRITABLE if unwritable else Hold.NO_SAFE_CANDIDATE,
        reason=f"MAIN {view.record.main} is lost ({view.loss.evidence}) and nobody may follow: {lacking}",
        look=tuple(view.pair),
        wake_at_s=view.now_s + SHORT_S,
    )

"""Rules U and L: the standby's name, MAIN's loss, and who begins the next reign."""

from attrs import evolve

from memgraph_ha.core.candidate import Candidate, Rejection, Why, choose, main_may_yet_answer
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.record import ChangeKind, Record, Standby
from memgraph_ha.core.rules.issuing import succession
from memgraph_ha.core.rules.standing import LONG_S, SHORT_S
from memgraph_ha.core.topology import Role
from memgraph_ha.core.view import View


def unname_standby(view: View) -> Decision | Unmet:
    """Take the standby's name away at the first sign that it may lack a write.

    When: a standby is named, and it is seen in another run, as MAIN, with another data set, or silent for
        `frozen_standby_s`, or about to be stopped; or the living MAIN's row of it is missing, half, of another mode
        or name, doubled, or takes no commits; or MAIN is not transactional, or its data set was replaced; or its
        last proof was refused, or got lost while MAIN lived on.
    Then: write `standby: null` before any other command, also while MAIN is lost. Two rows put it into `rebuild`
        as well; a MAIN in analytical mode puts every replica there, also while nobody is named: what is written
        meanwhile never reaches one, and afterwards everything looks level, the no-op included. Their levels are
        forgotten too: even an emptied one is filled from MAIN's WAL, which lacks those writes, so a human decides.
    Protects: NO_ACKED_LOSS (who is named is promoted without asking MAIN).
    After: R40.  Before: every rule that could use the name.
    Source: design 4 (to un-name); transcripts Q17, Q18, Q21; scenarios B1, B2, B6, G2.
    """
    record = view.record
    if record is None:
        return Unmet("a standby is named")
    if record.standby is None:
        return _note_unreplicated(view, record)
    doubt, rebuild = _doubt(view, record, record.standby)
    if doubt is None:
        return Unmet("the standby is doubtful", "nothing speaks against it")
    kept = record if view.unreplicated_mode is None else record.without_level(*rebuild)
    changed = evolve(kept, standby=None, rebuild=record.rebuild | rebuild)
    return Decision(
        reason=f"un-name {record.standby.instance}: {doubt}",
        commands=(view.rewrite(changed),),
        look=(record.standby.instance,),
        wake_at_s=view.now_s + SHORT_S,
    )


def _doubt(view: View, record: Record, named: Standby) -> tuple[str | None, frozenset[InstanceName]]:
    """What speaks against the named standby, and whom it puts into rebuild."""
    nobody: frozenset[InstanceName] = frozenset()
    seen = view.observed.of(named.instance)
    if seen is None:
        return "it is no member any more", nobody
    own = _own_doubt(view, record, named, seen)
    if own is not None or view.main_role is None or view.main is None:
        return own, nobody
    mode = view.unreplicated_mode
    if view.replaced is not None:
        return view.replaced, nobody
    if mode is not None:
        return f"MAIN's storage mode is {mode.value}: nothing is replicated", _replicas(view, record)
    return _row_doubt(view, named, seen)


def _note_unreplicated(view: View, record: Record) -> Decision | Unmet:
    """Put every replica into rebuild while MAIN writes what never reaches one, though nobody is named."""
    mode, replicas = view.unreplicated_mode, _replicas(view, record)
    if mode is None or replicas <= record.rebuild:
        return Unmet("a standby is named")
    return Decision(
        reason=f"MAIN's storage mode is {mode.value}: nothing is replicated; every replica must be rebuilt",
        commands=(view.rewrite(record.without_level(*replicas, rebuild=True)),),
        wake_at_s=view.now_s + SHORT_S,
    )


def _replicas(view: View, record: Record) -> frozenset[InstanceName]:
    return frozenset(member.name for member in view.members if member.name != record.main)


def _own_doubt(view: View, record: Record, named: Standby, seen: Seen) -> str | None:
    if seen.member.incarnation is None:
        return "its process is gone"
    if seen.silent_s >= view.policy.frozen_standby_s:
        return f"it has not answered for {seen.silent_s:.1f} s"
    role = seen.role
    if role is None:
        return None
    if role.run != named.run:
        return f"it is run {role.run} now, not {named.run}"
    if named.instance in record.rebuild:
        return "it must be rebuilt"
    if view.stopping(named.instance):
        return "it is about to be stopped"
    if role.role is not Role.REPLICA and view.main_role is not None:
        return "it is MAIN"
    storage, proof = seen.storage, view.observed.proof
    proven_s = proof.at_s if proof is not None and proof.witness == named else 0.0
    if storage is None or storage.run != role.run or storage.asked_at_s < proven_s:
        return None  # an answer from before the proof says nothing: an instance being filled takes the uuid late (Q13)
    return None if storage.uuid == record.database_uuid else f"it holds data set {storage.uuid} now"


def _row_doubt(view: View, named: Standby, seen: Seen) -> tuple[str | None, frozenset[InstanceName]]:
    nobody: frozenset[InstanceName] = frozenset()
    noop, main_role = view.observed.noop, view.main_role
    if noop is not None and main_role is not None and noop.run == main_role.run:
        if noop.outcome is Outcome.REFUSED:
            return f"MAIN could not commit with it: {noop.detail}", nobody
        answered = noop.error is ErrorClass.DISK  # an answer that came: nothing was committed anywhere
        if noop.outcome is Outcome.UNKNOWN and not answered and main_role.asked_at_s > noop.at_s:
            return "the answer to its last proof was lost, and MAIN lives", nobody
    if view.main_rows is None:
        return None, nobody
    rows = view.rows_of(seen.member)
    if len(rows) > 1:
        return f"MAIN has {len(rows)} rows of it", frozenset({named.instance})
    row = view.standby_row
    if row is None:
        return "MAIN has no STRICT_SYNC row of it under its number", nobody
    return (None if row.takes_commits else f"its row is {row.status.value}"), nobody


def look_before_choosing(view: View) -> Decision | Unmet:
    """Cut, then ask everybody again, before anyone is chosen.

    When: MAIN is lost, and a way to a new reign is closed only because its facts are older than the cut (or
        because the data set of an answering instance is not known yet), or the recorded MAIN answers as REPLICA and
        only has to say for a moment what it holds, before another is chosen; or the named standby, or anybody if nobody
        is named, has not said yet whether it is MAIN, and of which data set (L12, R40).
    Then: nothing but a look at the pair; the route is closed already.
    Protects: NO_ACKED_LOSS (what was relayed until the cut is on the chosen one).
    After: U10.  Before: L20-L40, which need fresh facts.
    Source: design 4 (facts newer than the cut), 6 (MAIN lost); scenarios A1, J1.
    """
    if view.loss is None:
        return Unmet("MAIN is lost")
    unheard = _unheard(view)
    if unheard is not None:
        return Decision(
            hold=Hold.LOOKING,
            reason=f"MAIN is lost ({view.loss.evidence}), and {unheard} may be MAIN by hand",
            look=(unheard,),
            wake_at_s=view.now_s + SHORT_S / 10,
        )
    found = choose(view)
    if isinstance(found, Candidate):
        if found.kind not in (ChangeKind.FAILOVER, ChangeKind.FALLBACK) or not main_may_yet_answer(view):
            return Unmet("facts are older than the cut", "a candidate is known")
    elif not any(rejection.why in (Why.STALE, Why.DATA_UNKNOWN) for rejection in found):
        return Unmet("facts are older than the cut", "other things are lacking")
    return Decision(
        hold=Hold.LOOKING,
        reason=f"MAIN is lost ({view.loss.evidence}); the pair is asked again after the cut",
        look=tuple(view.pair),
        wake_at_s=view.now_s + SHORT_S / 10,
    )


def _unheard(view: View) -> InstanceName | None:
    """Who may be MAIN by a human's hand and has not said so yet, or not of which data set.

    The named standby, or anybody if nobody is named; who is known to be gone, dead or frozen cannot be waited for.
    """
    record = view.record
    if record is None or not record.opened or record.fallback is not None:
        return None
    named = record.standby
    for seen in view.observed.seen:
        name, role, storage = seen.member.name, seen.role, seen.storage
        if name == record.main or view.given_up(seen) or (named is not None and name != named.instance):
            continue
        if role is None:
            return name
        unknown = storage is None or storage.run != role.run
        if role.role is Role.MAIN and unknown and not view.silent(seen):
            return name
    return None


def adopt_promoted_standby(view: View) -> Decision | Unmet:
    """Recognise the reign that a human began while no controller was there.

    When: MAIN is lost, and the named standby, still the proven process, answers as MAIN with the recorded data set.
    Then: begin its reign as `adopt`, without a fallback: what it has taken since is nowhere else.
    Protects: NO_ACKED_LOSS (it held everything when it was promoted; re-promoting the old MAIN would lose what came
        after).
    After: L10.  Before: L15 (a human's promotion does not flap), L20.
    Source: design 4; scenarios J5 (break-glass).
    """
    return _begin_reign_of(view, ChangeKind.ADOPT, "L12")


def hold_flapping(view: View) -> Decision | Unmet:
    """Stop a cluster that fails over again and again.

    When: MAIN is lost, and `failover_limit` unplanned reigns began within `failover_window_s`.
    Then: nothing until the window passes, or the limit is raised.
    Protects: ANTI_FLAP (a broken pair is not worn down by endless promotions).
    After: L10.  Before: L20-L40.
    Source: design 6 (Anti-flap); scenarios A6, A7.
    """
    record = view.record
    if record is None or view.loss is None:
        return Unmet("MAIN is lost")
    window_s = view.policy.failover_window_s
    recent = [c for c in record.history if c.at > view.wall_s - window_s and c.kind.unplanned]
    if len(recent) < view.policy.failover_limit:
        return Unmet("too many unplanned reigns", len(recent))
    left_s = min(recent[-view.policy.failover_limit].at, view.wall_s) + window_s - view.wall_s
    return Decision(
        hold=Hold.FLAPPING,
        reason=f"MAIN {record.main} is lost ({view.loss.evidence}), but {len(recent)} unplanned reigns began in "
        f"{window_s:g} s: held for {left_s:.0f} s, or until failover_limit ({view.policy.failover_limit}) is raised",
        wake_at_s=view.now_s + LONG_S,
    )


def repromote_main(view: View) -> Decision | Unmet:
    """Give the reign back to a MAIN that merely restarted.

    When: MAIN is lost, and the recorded MAIN itself answers as REPLICA with the recorded data set; and its reign
        had opened, or its data directory counts, or it is the very run that was chosen.
    Then: begin its next reign; the standby, if named, becomes `fallback`.
    Protects: NO_ACKED_LOSS (it holds everything), nobody has to be rebuilt.
    After: L15.  Before: L30 (design 4: first that holds).
    Source: design 4 (candidate 1); transcripts Q1; scenarios A1, B2, B3.
    """
    return _begin_reign_of(view, ChangeKind.REPROMOTE, "L20")


def fail_over_to_standby(view: View) -> Decision | Unmet:
    """Begin the standby's reign.

    When: MAIN is lost and did not come back as REPLICA, and the named standby still runs as at its proof, answers
        as REPLICA, with the recorded data set.
    Then: begin its reign; the old MAIN, if its reign had opened, becomes `fallback`.
    Protects: NO_ACKED_LOSS (the proof binds one run to one row).
    After: L20, U10 (a doubtful standby is un-named first).  Before: O20 (promotion needs the record read back).
    Source: design 4 (candidate 2); transcripts Q9, Q18; scenarios A1-A5, B5, C1, C6.
    """
    return _begin_reign_of(view, ChangeKind.FAILOVER, "L30")


def fall_back(view: View) -> Decision | Unmet:
    """Begin the reign of the one that was left behind, if its successor failed before it opened.

    When: MAIN is lost before its reign opened, and `fallback` answers as REPLICA, with the recorded data set, in
        the recorded run if one is recorded.
    Then: begin its reign.
    Protects: NO_ACKED_LOSS (nothing was acknowledged since), liveness after a double fault.
    After: L30.
    Source: design 4 (candidate 3); scenarios B3, D1.
    """
    return _begin_reign_of(view, ChangeKind.FALLBACK, "L40")


def _begin_reign_of(view: View, kind: ChangeKind, rule: str) -> Decision | Unmet:
    record = view.record
    if record is None or view.loss is None:
        return Unmet("MAIN is lost")
    found = choose(view)
    if not isinstance(found, Candidate):
        return Unmet("there is a candidate", _those(found, kind))
    if found.kind is not kind:
        return Unmet(f"what is possible is a new reign by {kind.value}", found.kind.value)
    reason = f"MAIN {record.main} is lost: {view.loss.evidence}"
    change = succession(view, record, found.instance, kind=kind, rule=rule, reason=reason)
    begun = record.begun(change, main_run=found.main_run, fallback=found.fallback)
    return Decision(
        reason=f"{reason}; begin reign {begun.generation} of {begun.main} ({kind.value})",
        commands=(view.rewrite(begun),),
        wake_at_s=view.now_s + SHORT_S,
    )


def _those(rejections: tuple[Rejection, ...], kind: ChangeKind) -> str:
    return "; ".join(str(rejection) for rejection in rejections if rejection.kind is kind)

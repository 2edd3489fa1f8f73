"""Rules O, S and W: strays, and the opening of a reign."""

from attrs import evolve

from memgraph_ha.core.commands import CommitNoop, Demote, Promote, RegisterReplica, StopInstance
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.facts import Miss, Outcome
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.policy import DataDurability
from memgraph_ha.core.record import Record
from memgraph_ha.core.rowcare import async_row, shut_out
from memgraph_ha.core.rules.issuing import commit_noop, demote, register
from memgraph_ha.core.rules.standing import LONG_S, SHORT_S
from memgraph_ha.core.topology import Mode, Role
from memgraph_ha.core.view import View


def stop_other_mains(view: View) -> Decision | Unmet:
    """Stop, by the strongest means, whoever is or may be MAIN beside the new one.

    When: the reign is not open and its MAIN is not lost, and the pair's other member is MAIN, or silent or
        unreadable without having been seen as REPLICA in its present life, or silent since it was, if the reign before
        was its own: another leader may have promoted it. A `fallback` that is bound to a run was a REPLICA, and a
        process that refuses connections and was never heard is dead or will start as REPLICA.
    Then: stop it; not waited for beyond the platform's own bound.
    Protects: NO_ACKED_LOSS: promoting while the old MAIN lives, or is merely frozen, lost an acknowledged write in
        about half the tries (transcripts Q7), killed first in none of 120 (Q9).
    After: L40 (the record comes first).  Before: S10 and O20.
    Source: design 4 (to begin a reign), 5; scenarios A3, C6.
    """
    record, other = view.record, view.partner
    if record is None or record.opened or view.loss is not None:
        return Unmet("the reign is to be opened")
    if record.history and record.history[-1].previous is None:
        return Unmet("somebody reigned before", "this is the first reign")
    if other is None or other.member.incarnation is None:
        return Unmet("the other one has a process")
    fallback = record.fallback
    if fallback is not None and fallback.instance == other.member.name and fallback.run is not None:
        return Unmet("the other one may be MAIN", "it is the fallback, bound to a run as REPLICA")
    if not _may_be_main(view, record, other):
        return Unmet("the other one may be MAIN", "it answered as REPLICA, or is not up")
    tried = view.attempt(StopInstance, other.member.name)
    if tried is not None and tried.outcome is Outcome.DONE and tried.incarnation == other.member.incarnation:
        return Unmet("it was not stopped yet", "it was")
    if not view.may_try(StopInstance, other.member.name):
        return Unmet("the pause after the last try is over", view.last_outcome(StopInstance, other.member.name))
    return Decision(
        reason=f"stop {other.member.name} before {record.main} is promoted: it is or may be MAIN",
        commands=(
            StopInstance(
                instance=other.member.name, incarnation=other.member.incarnation, generation=record.generation
            ),
        ),
        wake_at_s=view.now_s + SHORT_S,
    )


def _may_be_main(view: View, record: Record, seen: Seen) -> bool:
    odd = seen.miss is not None and seen.miss.miss in (Miss.UNAUTHORISED, Miss.UNREADABLE)
    silent = seen.timeouts > 0 or odd
    if seen.role is None:
        return silent
    ordered = view.attempt(Promote, seen.member.name)  # one whose answer was lost may yet take effect
    doubtful = ordered is not None and ordered.outcome is Outcome.UNKNOWN and ordered.at_s > seen.role.asked_at_s
    reigned = not record.history or record.history[-1].previous == seen.member.name
    return seen.role.role is Role.MAIN or doubtful or (silent and reigned)  # who led then may have promoted it


def demote_stray_main(view: View) -> Decision | Unmet:
    """Demote a MAIN that the record does not know.

    When: an instance answers as MAIN that is not the recorded one, while that one was heard or is lost; or the
        recorded one answers in another run than its reign's.
    Then: forget another one's level (what it took as MAIN may exist nowhere else: it is not rebuilt by itself), and
        demote it; demotion destroys nothing. It is not registered or rebuilt by this rule. The MAIN of the reign
        before, which was frozen and could not be stopped, keeps its level if its rows say that it committed nothing
        since (`rowcare.shut_out`); for those it is waited for a moment, because the demotion clears them.
    Protects: SINGLE_WRITER.
    After: R40 (a restored record must not demote the real MAIN), O10.  Before: L90 (a MAIN that came back as MAIN
        is a candidate once demoted).
    Source: design 6 (Stray MAIN); transcripts Q6, Q7a; scenarios F1, H6; docs/decisions/0015.
    """
    record = view.record
    if record is None:
        return Unmet("there is a record")
    unheard = view.loss is None and (view.main is None or view.main.role is None)
    asked: InstanceName | None = None
    for seen in view.observed.seen:
        role, name = seen.role, seen.member.name
        if role is None or role.role is not Role.MAIN or not view.answered_within(seen, LONG_S):
            continue
        if seen is view.main and (record.main_run is None or role.run == record.main_run):
            continue
        if (unheard and seen is not view.main) or not view.may_try(Demote, name):
            continue
        shut = True if seen is view.main else shut_out(view, record, seen)
        if shut is None:
            asked = name
            continue
        command = demote(record, seen.member, role.run)
        marked = record if shut else record.without_level(name)
        return Decision(
            reason=f"demote {name}: it is MAIN, but reign {record.generation} is {record.main}'s"
            + ("" if seen is not view.main else f" in run {record.main_run}, not {role.run}"),
            commands=(command,) if marked == record else (view.rewrite(marked), command),
            look=(name,),
            wake_at_s=view.now_s + SHORT_S,
        )
    if asked is None:
        return Unmet("somebody is a stray MAIN", "nobody is, or the recorded MAIN was not heard yet")
    reason = f"{asked} is MAIN, but reign {record.generation} is {record.main}'s; it is asked for its rows first"
    return Decision(hold=Hold.LOOKING, reason=reason, wake_at_s=view.now_s + SHORT_S / 4)


def hold_until_pair_was_asked(view: View) -> Decision | Unmet:
    """Wait for the recorded MAIN's first answer, and before a reign opens for a word about the other one.

    When: MAIN is not lost, but has not answered in its present life; or the reign is not open, and the pair's other
        member has a process of which nothing was heard yet: it may be MAIN.
    Then: nothing but a look.
    Protects: SINGLE_WRITER (nothing is commanded on a guess), NO_ACKED_LOSS (see O10).
    After: L90, O10 (who was found to be MAIN is stopped).  Before: O20.
    Source: design 4 (to begin a reign), 6 (facts before commands).
    """
    record, other = view.record, view.partner
    if record is None:
        return Unmet("there is a record")
    unheard = record.main if view.main is None or view.main.role is None else None
    if unheard is None and not record.opened and other is not None and other.member.incarnation is not None:
        unheard = other.member.name if other.role is None and other.miss is None else None
    if unheard is None:
        return Unmet("one of the pair was not heard yet", "all were")
    seen = view.observed.of(unheard)
    denied = seen is not None and seen.miss is not None and seen.miss.miss is Miss.UNAUTHORISED
    return Decision(
        hold=Hold.UNAUTHORISED if denied else Hold.LOOKING,
        reason=f"{unheard} {'refuses our user or password' if denied else 'has not answered yet'}",
        look=(unheard,),
        wake_at_s=view.now_s + SHORT_S,
    )


def promote_main(view: View) -> Decision | Unmet:
    """Promote the recorded MAIN.

    When: the reign is not open, its MAIN answers as REPLICA in a run that the record allows, and its data set was
        seen in that run; and it has answered since, if a try got no answer: if it froze, the next probes say so.
    Then: promote it, in exactly that run.
    Protects: SINGLE_WRITER (the record was read back with this generation), NO_ACKED_LOSS (only the chosen run).
    After: O10 (others are stopped first).
    Source: design 4 (to begin a reign); transcripts Q8, Q9.
    """
    record, main = view.record, view.main
    if record is None or record.opened or view.loss is not None:
        return Unmet("the reign is to be opened")
    if main is None or main.role is None or main.role.role is not Role.REPLICA:
        return Unmet("MAIN is still a REPLICA")
    if not view.main_data_known:
        return Unmet("its data set is known")
    tried = view.attempt(Promote, record.main)
    if tried is not None and tried.outcome is Outcome.UNKNOWN and main.role.asked_at_s <= tried.at_s:
        return Unmet("it has answered since the last try", view.last_outcome(Promote, record.main))
    if not view.may_try(Promote, record.main):
        return Unmet("the pause after the last try is over", view.last_outcome(Promote, record.main))
    return Decision(
        reason=f"promote {record.main} for reign {record.generation}",
        commands=(Promote(instance=record.main, run=main.role.run, generation=record.generation),),
        wake_at_s=view.now_s + SHORT_S,
    )


def commit_first(view: View) -> Decision | Unmet:
    """Make the reign's epoch durable, and repeat what a new leader cannot have seen.

    When: MAIN answers as MAIN, its data set was seen in this run if the reign is still to be opened, and no no-op
        commit was acknowledged by this run in this reign and in our term.
    Then: commit one: before it, a promoted MAIN that is killed comes back under its old epoch, and an old MAIN
        with one more commit is then taken back under a green status.
    Protects: NO_ACKED_LOSS.
    After: O20.  Before: O40 and every permit.
    Source: design 5 (a new epoch), 6 (New term); transcripts Q3.
    """
    record, role = view.record, view.main_role
    if record is None or role is None:
        return Unmet("MAIN answers as MAIN")
    if not record.opened and not view.main_data_known:
        return Unmet("its data set is known")
    if view.noop_in_reign is not None:
        return Unmet("no commit of this reign and term is known", "one was acknowledged")
    if not view.may_try(CommitNoop, record.main):
        return Unmet("the pause after the last try is over", view.last_outcome(CommitNoop, record.main))
    standby = record.standby
    named, row = (None, None) if standby is None else (standby.instance, standby.row)
    command = commit_noop(record, role.run, named, row)
    return Decision(
        reason=f"the first commit of reign {record.generation} in our term makes its epoch durable",
        commands=(command,),
        wake_at_s=view.now_s + SHORT_S,
    )


def fence_async_replicas(view: View) -> Decision | Unmet:
    """Register the ASYNC replicas on the new MAIN at once, which takes them away from every other.

    When: the reign is not open, its first commit is acknowledged, MAIN's rows are known, and an ASYNC replica that
        answers has none and was not tried in this reign.
    Then: register them; who does not answer now is left for later.
    Protects: LINEAGE (a live or returning old MAIN cannot feed them any more).
    After: O30.  Before: O50.
    Source: design 5 (a REGISTER re-points allegiance); transcripts Q7, Q20; scenarios F3.
    """
    record, role = view.record, view.main_role
    if record is None or record.opened or role is None or view.noop_in_reign is None:
        return Unmet("the reign is ready to open")
    if view.main_rows is None:
        return Unmet("MAIN's rows are known")
    wanted: list[RegisterReplica] = []
    for seen in view.asyncs:
        tried = view.attempt(RegisterReplica, seen.member.name)
        if tried is not None and tried.generation == record.generation:
            continue
        if view.rows_of(seen.member) or view.unready(seen) is not None or seen.role is None:
            continue
        if seen.member.name in record.rebuild:
            continue  # whatever it holds is given up; A30 attaches it once it is empty
        row = async_row(view, seen.member.name)
        wanted.append(register(record, role.run, seen.member, seen.role.run, row=row, mode=Mode.ASYNC))
    if not wanted:
        return Unmet("an ASYNC replica can be fenced", "none is left")
    return Decision(
        reason=f"fence {', '.join(command.replica for command in wanted)} to {record.main}",
        commands=(wanted[0],),
        wake_at_s=view.now_s + SHORT_S,
    )


def open_reign(view: View) -> Decision | Unmet:
    """Write down that the reign opens, right before its first permit.

    When: the reign is not open, its epoch is durable, everybody who could be fenced was, accounts and triggers are
        restored as the policy wants; and either
        `data_durability` is `preferred`, or a standby is proven.
    Then: `preferred`: write `opened, unprotected`; `required`: write `opened` and the standby's name. Either
        clears `fallback`: from now on acknowledged writes exist that it lacks.
    Protects: NO_ACKED_LOSS (`fallback` is cleared before the first permit), UNPROTECTED_IS_RECORDED.
    After: O40.
    Source: design 4 (open), 6; scenarios D1.
    """
    record, role = view.record, view.main_role
    if record is None or record.opened or role is None or view.noop_in_reign is None:
        return Unmet("the reign is ready to open")
    if view.main_rows is None:
        return Unmet("MAIN's rows are known")
    if view.lost_data is not None:
        return Unmet("nothing says that MAIN lost data", view.lost_data)
    if not view.users_restored or not view.triggers_restored:
        return Unmet("what the promotion lost is restored", "accounts or triggers are not")
    preferred = view.policy.data_durability is DataDurability.PREFERRED
    witness = None if view.proof is None or view.unproven is not None else view.proof.witness
    if not preferred and witness is None:
        return Unmet("a standby is proven", "none, and data_durability is required")
    opened = evolve(
        record,
        opened=True,
        main_run=role.run,
        fallback=None,
        unprotected=witness is None,
        standby=witness,
    ).with_level({record.main: record.generation})
    how = "unprotected" if witness is None else f"with {witness.instance} as standby"
    return Decision(
        reason=f"open reign {record.generation} of {record.main}, {how}",
        commands=(view.rewrite(opened),),
        wake_at_s=view.now_s + SHORT_S,
    )

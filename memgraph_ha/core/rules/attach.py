"""Rules A, P and K: attaching, proving and naming the standby, and attaching the ASYNC replicas."""

from typing import Final

from attrs import evolve

from memgraph_ha.core.commands import CommitNoop, Demote, RegisterReplica
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import InstanceName, RunId
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.policy import DataDurability, Triggers
from memgraph_ha.core.quiet import async_first, wants_quiet
from memgraph_ha.core.record import Record
from memgraph_ha.core.rowcare import async_row, misfit
from memgraph_ha.core.rules.issuing import commit_noop, register
from memgraph_ha.core.rules.standing import SHORT_S
from memgraph_ha.core.topology import Mode, Role
from memgraph_ha.core.view import View

PASS_S: Final = 0.3
"""How long open transactions may take to end before a standby is attached beside them: what commits then may abort."""

HEARTBEAT_S: Final = 15.0
"""A named standby is proven again after so long even if nothing was written."""


def attach_standby(view: View) -> Decision | Unmet:
    """Register the standby, in its final mode at once, unless it is far behind.

    When: the reign is open (or `data_durability` is `required`), its first commit is acknowledged, MAIN has no row
        of the pair's other member, and that one answers as REPLICA, with the recorded data set or empty, its
        replication port open, and is not in `rebuild`, or was emptied by E20.
    Then: write the next row number, clear `fallback` and `rebuild` of it, then REGISTER it STRICT_SYNC. While its row
        is in recovery every commit aborts: if clients write, new transactions are held from a moment before until it
        is `ready` (`quiet.attaching`), at most `quiesce_max_s` and 3 s; nobody is ended for it. If catching up
        would hold writes for longer than `catch_up_max_s` and `data_durability` is `preferred`, write `unprotected`
        too and REGISTER it ASYNC: once it is level, H20 drops that row in a quiet moment, in which this rule
        registers it STRICT_SYNC. Before the reign is open MAIN's run is cleared too, if it flushes each commit: its
        first commit made all it has durable, and with `fallback` gone nobody else could begin a reign if its process
        ended now.
    Protects: ROW_NUMBERS, and nobody that is named or `fallback` is ever registered.
    After: H10.  Before: A20.
    Source: design 4 (`row_seq`), 5 (attach in the final mode); transcripts Q8b (20 of 20), Q12.
    """
    record, role, other = view.record, view.main_role, view.partner
    if record is None or role is None or other is None or other.role is None or view.noop_in_reign is None:
        return Unmet("MAIN serves and there is another one")
    required = view.policy.data_durability is DataDurability.REQUIRED
    if not record.opened and not required:
        return Unmet("the reign is open")
    if record.standby is not None or view.main_rows is None or view.rows_of(other.member):
        return Unmet("MAIN has no row of it")
    why = view.unattachable(other)
    if why is not None:
        return Unmet("it can be attached", why)
    if not view.may_try(RegisterReplica, other.member.name):
        return Unmet("the pause after the last try is over", view.last_outcome(RegisterReplica, other.member.name))
    first = record.opened and not required and async_first(view, other)
    held = None if first else _held_first(view, record)
    if held is not None:
        return held
    numbered = evolve(
        record,
        row_seq=record.row_seq + 1,
        unprotected=record.unprotected or first,
        fallback=None,
        main_run=_chosen_run(view, record),
        rebuild=record.rebuild - {other.member.name},
        reinit=record.reinit - {other.member.name},
    )
    name, mode = other.member.name, Mode.ASYNC if first else Mode.STRICT_SYNC
    row = async_row(view, name) if first else numbered.standby_row(name)
    how = "ASYNC, until it is level" if first else "STRICT_SYNC"
    return Decision(
        reason=f"attach {name} to {record.main} as {how}",
        commands=(view.rewrite(numbered), register(record, role.run, other.member, other.role.run, row=row, mode=mode)),
        wake_at_s=view.now_s + SHORT_S,
    )


def _held_first(view: View, record: Record) -> Decision | Unmet | None:
    """What comes before a registration that aborts what commits meanwhile; None: nothing, or nothing any more."""
    since_s, gate = view.observed.quiet_since_s, view.observed.gate
    if view.unserved is not None or gate is None or gate.permit is None:
        return None
    if since_s is None and wants_quiet(view) is None:
        return Unmet("clients may be held for a moment", "they were a moment ago")
    if since_s is not None and (gate.settled or view.now_s - since_s >= PASS_S):
        return None
    return Decision(
        hold=Hold.UNPROTECTED,
        reason=f"new transactions are held for a moment, to attach the standby to {record.main}",
        wake_at_s=view.now_s + SHORT_S / 10,
    )


def _chosen_run(view: View, record: Record) -> RunId | None:
    role, server = view.main_role, None if view.main is None else view.main.server
    durable = role is not None and server is not None and server.run == role.run and server.flush_every == 1
    return None if durable and not record.opened else record.main_run


def name_standby(view: View) -> Decision | Unmet:
    """Write down that this process, through this row, holds every acknowledged write.

    When: the reign is open with nobody named, the last no-op commit was acknowledged with the standby as witness
        within `proof_interval_s` and since it was un-named, its row takes commits now, the witness still runs, and is
        not in `rebuild`.
    Then: write its name, which ends `unprotected`.
    Protects: NO_ACKED_LOSS (the name is what failover relies on).
    After: U10.  Before: A20 (a proof that stands is not repeated).
    Source: design 4 (to name a standby); transcripts Q18 (84 of 84, 126 of 126).
    """
    record, proof = view.record, view.proof
    if record is None or not record.opened or record.standby is not None:
        return Unmet("an open reign has nobody named")
    if proof is None or proof.witness is None or view.unproven is not None:
        return Unmet("a proof stands", view.unproven)
    named = evolve(record, standby=proof.witness, unprotected=False).with_level(
        {record.main: record.generation, proof.witness.instance: record.generation}
    )
    return Decision(
        reason=f"{proof.witness.instance} is proven through row {proof.witness.row}: name it standby",
        commands=(view.rewrite(named),),
        wake_at_s=view.now_s + SHORT_S,
    )


def prove_standby(view: View) -> Decision | Unmet:
    """Prove that the standby has everything, by one no-op commit.

    When: nobody is named, no proof stands, the standby's numbered row takes commits, and it answers as REPLICA.
        One that was acknowledged without a witness is repeated after a moment.
    Then: commit a no-op through it: `ready`, `behind 0` alone proves nothing.
    Protects: NO_ACKED_LOSS.
    After: A15, O30.
    Source: design 4 (the proof); transcripts Q18.
    """
    record, row, other = view.record, view.standby_row, view.partner
    if record is None or record.standby is not None or other is None or view.noop_in_reign is None:
        return Unmet("nobody is named")
    if row is None or not row.takes_commits:
        return Unmet("its row takes commits", None if row is None else row.status.value)
    if other.role is None or other.role.role is not Role.REPLICA or other.member.name in record.rebuild:
        return Unmet("it is a REPLICA that needs no rebuild")
    if view.stopping(other.member.name):
        return Unmet("it stays", "it is about to be stopped")
    if view.unproven is None:
        return Unmet("no proof stands", "one does")
    last = view.observed.noop
    if last is not None and last.outcome is Outcome.DONE and view.now_s - last.asked_at_s < SHORT_S:
        return Unmet("a moment has passed since the last commit", f"{view.now_s - last.asked_at_s:.2f} s")
    return _prove(view, record, other, f"prove {other.member.name} through row {row.name}")


def repeat_proof(view: View) -> Decision | Unmet:
    """Prove the named standby again when it was written to since.

    When: a standby is named, its row's `ts` is not the one that the last proof covers, or that proof is 15 s old, and
        `proof_interval_s` has passed.
    Then: commit a no-op; a refusal un-names it (U10). Without this a lost Finalize followed by silence would stay
        unseen for ever, and without the latter a full disk: where no commit succeeds, no `ts` moves.
    Protects: NO_ACKED_LOSS.
    After: U10, O30.
    Source: design 4 (the leader repeats the no-op); transcripts Q17, Q18.
    """
    record, row, other = view.record, view.standby_row, view.partner
    if record is None or record.standby is None or row is None or other is None:
        return Unmet("a standby is named and its row is known")
    last, proof = view.observed.noop, view.proof
    young = proof is not None and view.now_s - proof.asked_at_s < HEARTBEAT_S
    if proof is not None and proof.row_ts == row.ts and young:
        return Unmet("it was written to since the last proof, or that is old", f"ts {row.ts}")
    if last is not None and view.now_s - last.asked_at_s < view.policy.proof_interval_s:
        return Unmet("proof_interval_s has passed", f"{view.now_s - last.asked_at_s:.2f} s")
    return _prove(view, record, other, f"prove {other.member.name} again: its row is at ts {row.ts}")


def _prove(view: View, record: Record, other: Seen, reason: str) -> Decision | Unmet:
    if view.main_role is None or not view.may_try(CommitNoop, record.main):
        return Unmet("the pause after the last try is over", view.last_outcome(CommitNoop, record.main))
    name = other.member.name
    command = commit_noop(record, view.main_role.run, name, record.standby_row(name))
    return Decision(reason=reason, commands=(command,), wake_at_s=view.now_s + SHORT_S)


def attach_async(view: View) -> Decision | Unmet:
    """Register an ASYNC replica that MAIN has no row of.

    When: the reign is open, MAIN has no row of a member that is not its partner (who may never be MAIN, or one of the
        pair while MAIN is none of it), and that one can be attached, and was not in vain in this very run; one in
        `rebuild` only once it is empty.
    Then: clear its `rebuild` mark, then REGISTER it ASYNC, under its own name.
    Protects: LINEAGE; never in the way of failover (back-off per instance).
    After: H10.
    Source: design 6 (Repair: ASYNC re-attach); scenarios B5, C7.
    """
    record, role = view.record, view.main_role
    if record is None or not record.opened or role is None or view.main_rows is None or view.noop_in_reign is None:
        return Unmet("MAIN serves and its rows are known")
    missing = [seen for seen in view.asyncs if not view.rows_of(seen.member)]
    if not missing:
        return Unmet("an ASYNC replica has no row", "each has one")
    for seen in missing:
        name = seen.member.name
        if seen.role is None or view.unattachable(seen) or not view.may_try(RegisterReplica, name):
            continue
        if misfit(view, seen):
            continue  # E10's: the same once more would come to nothing again, and cost clients a quiet moment each time
        command = register(record, role.run, seen.member, seen.role.run, row=async_row(view, name), mode=Mode.ASYNC)
        cleared = evolve(record, rebuild=record.rebuild - {name}, reinit=record.reinit - {name})
        commands = (command,) if cleared == record else (view.rewrite(cleared), command)
        reason = f"attach {name} to {record.main} as ASYNC"
        return Decision(reason=reason, commands=commands, wake_at_s=view.now_s + SHORT_S)
    return Unmet("it can be attached", {seen.member.name: view.unattachable(seen) for seen in missing})


def note_levels(view: View) -> Decision | Unmet:
    """Write down who has reached the present reign.

    When: the reign is open, and a replica whose recorded level is lower takes MAIN's commits. The row of one that was a
        stray MAIN in this reign may still say so (nobody asked it again): it counts once it was registered anew.
    Then: raise the levels: what an automatic rebuild may rely on later.
    Protects: NO_ACKED_LOSS (a rebuild needs an unbroken chain of reigns from that level).
    After: everything that gets writes back.
    Source: design 4 (`level`), 6 (Diverged replica).
    """
    record = view.record
    if record is None or not record.opened or view.main_rows is None or view.observed.noop_done is None:
        return Unmet("MAIN's rows are known")
    known = dict(record.level)
    owners = {member.replication: member.name for member in view.members}
    reached = {
        owners[row.address]: record.generation
        for row in view.main_rows
        if row.takes_commits and row.address in owners and owners[row.address] not in record.rebuild
        if not _was_stray(view, record, owners[row.address])
    }
    risen = {name: level for name, level in reached.items() if known.get(name, 0) < level}
    if not risen:
        return Unmet("somebody's level rose", "nobody's did")
    return Decision(
        reason=f"{', '.join(sorted(risen))} reached reign {record.generation}",
        commands=(view.rewrite(record.with_level(risen)),),
        wake_at_s=view.now_s + SHORT_S,
    )


def _was_stray(view: View, record: Record, name: InstanceName) -> bool:
    """Whether it was demoted in this reign and not registered since: what it took meanwhile may exist nowhere else.

    Who is named was proven since: a name is taken before a demotion (U10). A registration whose answer was lost counts:
    it was tried while MAIN had no row of it, so that a row that is there now is its work.
    """
    demoted, joined = view.attempt(Demote, name), view.attempt(RegisterReplica, name)
    if demoted is None or demoted.generation != record.generation:
        return False
    if record.standby is not None and record.standby.instance == name:
        return False
    if joined is None or joined.outcome not in (Outcome.DONE, Outcome.UNKNOWN):
        return True
    return joined.at_s < demoted.at_s


def note_triggers(view: View) -> Decision | Unmet:
    """Write down which triggers MAIN has, for the promotion after which they are gone.

    When: policy `triggers` is not `ignore`, the reign is open, and MAIN's triggers are not those of the record. One
        that this MAIN never had in this run is missing since a promotion, and stays in the record.
    Then: write them.
    Protects: what triggers do (O44 restores them, Y40 names those that are missing).
    After: K10.
    Source: design 5 (triggers are not replicated); transcripts Q21.
    """
    record, main = view.record, view.main
    if record is None or not record.opened or view.main_role is None or main is None or main.triggers is None:
        return Unmet("MAIN's triggers are known")
    if view.policy.triggers is Triggers.IGNORE:
        return Unmet("somebody cares for triggers", "policy triggers is ignore")
    here = {trigger.name: trigger for trigger in main.triggers.triggers}
    lost = {t.name: t for t in record.triggers if t.name not in here and t.name not in main.had_triggers}
    known = tuple(sorted([*here.values(), *lost.values()]))
    if known == record.triggers:
        return Unmet("they are not those of the record")
    return Decision(
        reason=f"{record.main} has {len(here)} triggers: {', '.join(sorted(here)) or 'none'}",
        commands=(view.rewrite(evolve(record, triggers=known)),),
        wake_at_s=view.now_s + SHORT_S,
    )


def forget_members(view: View) -> Decision | Unmet:
    """Forget marks of instances that are no members any more.

    When: `rebuild` names one that is no member.
    Then: take it out. Its level stays: should it come back, what it holds is judged by it.
    Protects: nothing waits for who is gone.
    After: everything that gets writes back.
    Source: scenarios G6 (membership changes).
    """
    record, members = view.record, frozenset(member.name for member in view.members)
    if record is None or record.rebuild <= members:
        return Unmet("`rebuild` names one that is no member")
    gone = ", ".join(sorted(record.rebuild - members))
    changed = evolve(record, rebuild=record.rebuild & members, reinit=record.reinit & members)
    return Decision(
        reason=f"{gone} left the cluster", commands=(view.rewrite(changed),), wake_at_s=view.now_s + SHORT_S
    )

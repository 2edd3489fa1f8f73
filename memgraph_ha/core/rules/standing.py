"""Rules N and R: whether it is ours to act, and whether the record can be relied on."""

from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.facts import RecordTrouble
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.policy import LEASE_MARGIN_S
from memgraph_ha.core.record import Record
from memgraph_ha.core.topology import Role
from memgraph_ha.core.view import View

SHORT_S = 0.2
"""How soon to look again at something that ends by itself."""

LONG_S = 1.0
"""How soon to look again when only new facts can change anything."""

_TROUBLE = {
    RecordTrouble.UNANSWERED: Hold.RECORD_UNKNOWN,
    RecordTrouble.UNREADABLE: Hold.RECORD_UNKNOWN,
    RecordTrouble.INVALID: Hold.RECORD_INVALID,
    RecordTrouble.NEWER_SCHEMA: Hold.RECORD_SCHEMA,
}


def hold_without_lease(view: View) -> Decision | Unmet:
    """Do nothing while another controller leads.

    When: we do not hold the lease, or it has ended on our own clock.
    Then: nothing; the route is closed and new connections are refused.
    Protects: SINGLE_WRITER (only the leader relays), LEADER_ONLY (no command without a lease).
    Before: everything: no other rule may look at stale leadership.
    Source: design 7; scenarios D2, D3, J6.
    """
    if view.lease is not None:
        return Unmet("we do not lead", "we do")
    return Decision(hold=Hold.NOT_LEADING, reason="another controller leads", wake_at_s=view.now_s + LONG_S)


def hold_as_lease_ends(view: View) -> Decision | Unmet:
    """Send nothing that could still be on its way when our lease is over.

    When: less is left of the lease than a command may take, plus the margin.
    Then: nothing until it is renewed.
    Protects: LEADER_ONLY (a command ends while we lead).
    After: N10.
    Source: design 7 (`lease_left > its own deadline`); scenarios D2.
    """
    needed_s = view.policy.command_deadline_s + LEASE_MARGIN_S
    if view.lease_left_s > needed_s:
        return Unmet("the lease is nearly over", view.lease_left_s)
    return Decision(
        hold=Hold.LEASE_ENDING,
        reason=f"{view.lease_left_s:.1f} s of the lease are left, a command may take {needed_s:.1f} s",
        wake_at_s=view.now_s + SHORT_S,
    )


def hold_after_unclean_lease(view: View) -> Decision | Unmet:
    """Wait until no permit of an earlier leader can be alive.

    When: our term did not begin by expiry or a clean release, and one lease duration has not passed.
    Then: nothing.
    Protects: SINGLE_WRITER.
    After: N20.
    Source: design 7 (a Lease that came by anything but expiry or release); scenarios E4.
    """
    lease = view.lease
    if lease is None or lease.clean:
        return Unmet("the lease came uncleanly")
    over_s = lease.since_s + view.policy.lease_duration_s
    if view.now_s >= over_s:
        return Unmet("an older permit may live", "one lease duration has passed")
    return Decision(
        hold=Hold.UNCLEAN_LEASE,
        reason=f"the lease vanished by hand; an older permit may live for {over_s - view.now_s:.1f} s more",
        wake_at_s=min(over_s, view.now_s + LONG_S),
    )


def hold_in_tilt(view: View) -> Decision | Unmet:
    """Observe one round after our own process stood still.

    When: a gap in our time was found less than one probe round ago.
    Then: nothing: everything we believe is as old as the gap.
    Protects: SINGLE_WRITER, NO_ACKED_LOSS (verdicts come from fresh probes).
    After: N25.
    Source: design 6 (TILT); scenarios D3, D4.
    """
    gap_at_s = view.observed.gap_at_s
    if gap_at_s is None:
        return Unmet("our process stood still", "it did not")
    over_s = gap_at_s + view.policy.probe_interval_s + view.policy.probe_timeout_s
    if view.now_s >= over_s:
        return Unmet("a round of probes is missing since", "it is over")
    return Decision(hold=Hold.TILT, reason="our process stood still; one round is only observed", wake_at_s=over_s)


def hold_without_readable_record(view: View) -> Decision | Unmet:
    """Do nothing on a record that cannot be read.

    When: the record was not read yet in our term of leadership, or reading it met trouble.
    Then: nothing, by the trouble's name; the route is closed.
    Protects: NO_ACKED_LOSS (nobody is promoted on a guess), never overwrites what it cannot read.
    After: N30.
    Source: design 4, 6; scenarios E1, E3, D6.
    """
    seen, lease = view.observed.record, view.lease
    if seen is None or (lease is not None and seen.at_s < lease.since_s):
        reason = "the record was not read yet in our term"
        return Decision(hold=Hold.RECORD_UNKNOWN, reason=reason, wake_at_s=view.now_s + SHORT_S)
    if seen.trouble is None:
        return Unmet("the record is in trouble", "it is readable")
    reason = seen.detail or f"the record is {seen.trouble.name.lower().replace('_', ' ')}"
    return Decision(hold=_TROUBLE[seen.trouble], reason=reason, wake_at_s=view.now_s + LONG_S)


def hold_until_members_are_known(view: View) -> Decision | Unmet:
    """Do nothing before the platform has said who there is.

    When: the list of members was not seen yet, or is empty.
    Then: nothing.
    Protects: NO_ACKED_LOSS (an unseen instance is not an absent one).
    After: R10.
    Source: design 6 (bootstrap looks at all instances); scenarios G5.
    """
    if view.members:
        return Unmet("no members are known", len(view.members))
    return Decision(
        hold=Hold.LOOKING,
        reason="the platform has not listed any instance yet",
        wake_at_s=view.now_s + SHORT_S,
    )


def hold_on_foreign_record(view: View) -> Decision | Unmet:
    """Refuse the record of another cluster.

    When: the record's `cluster` is not the id of the cluster that the platform reports.
    Then: nothing.
    Protects: NO_ACKED_LOSS.
    After: R20.
    Source: design 4 (`cluster`).
    """
    members = view.observed.members
    if view.record is None or members is None or view.record.cluster == members.cluster:
        return Unmet("the record is of another cluster")
    return Decision(
        hold=Hold.RECORD_FOREIGN,
        reason=f"the record is of cluster {view.record.cluster}, this one is {members.cluster}",
        wake_at_s=view.now_s + LONG_S,
    )


def hold_on_regressed_record(view: View) -> Decision | Unmet:
    """Refuse a record that is older than what was already seen.

    When: the lease has seen a higher generation than the record's (or than none at all); or the recorded, opened
        MAIN is lost or answers only as REPLICA, nobody is named or `fallback`, and another instance is MAIN with the
        recorded data set.
    Then: nothing but to forget that other one's level, so that it is not rebuilt by itself should it restart:
        demoting the real MAIN because an old record says so would lose its writes.
    Protects: NO_ACKED_LOSS.
    After: R30.  Before: S10 (which would demote that MAIN as a stray).
    Source: design 4; scenarios E2, E4.
    """
    record, lease = view.record, view.lease
    held = 0 if record is None else record.generation
    if lease is not None and lease.floor_generation > held:
        seen = f"the lease has seen generation {lease.floor_generation}"
        reason = f"{seen}, but {'there is no record' if record is None else f'the record says {held}'}"
        return Decision(hold=Hold.RECORD_REGRESSED, reason=reason, wake_at_s=view.now_s + LONG_S)
    other = None if record is None else _main_elsewhere(view, record)
    if record is None or other is None:
        return Unmet("the record is older than the facts")
    marked = record.without_level(other)
    return Decision(
        hold=Hold.RECORD_REGRESSED,
        reason=f"{other} is MAIN with the recorded data set, while the recorded MAIN {record.main} is not; "
        f"if a human promoted it: memgraph-ha adopt {other}",
        commands=() if marked == record else (view.rewrite(marked),),
        wake_at_s=view.now_s + LONG_S,
    )


def _main_elsewhere(view: View, record: Record) -> InstanceName | None:
    main = view.main
    if not record.opened or record.standby is not None or record.fallback is not None:
        return None
    if view.loss is None:
        return None
    if main is not None and main.role is not None and main.role.role is Role.MAIN and not view.silent(main):
        return None
    for seen in view.observed.seen:
        role, storage = seen.role, seen.storage
        if role is None or storage is None or role.role is not Role.MAIN or storage.run != role.run:
            continue
        if seen is main or view.silent(seen):
            continue
        if storage.uuid == record.database_uuid:
            return seen.member.name
    return None

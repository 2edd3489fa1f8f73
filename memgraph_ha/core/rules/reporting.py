"""Rules Y40 to Z: what an operator should know although nothing of ours waits for it, and that all is well."""

from typing import Final

from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.facts import Miss, ServerSeen
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.policy import Triggers
from memgraph_ha.core.quiet import quiet_rows, rest_s
from memgraph_ha.core.rowcare import foreign_rows, stale_rows
from memgraph_ha.core.rows import version_tuple
from memgraph_ha.core.rules.standing import LONG_S
from memgraph_ha.core.topology import Mode
from memgraph_ha.core.view import View

OLDEST_VERSION: Final = (3, 6, 0)
"""Below it healthy replicas are called diverged (design 5)."""


def _report(view: View, hold: Hold, reason: str) -> Decision:
    return Decision(hold=hold, reason=reason, wake_at_s=view.now_s + LONG_S)


def hold_unauthorised(view: View) -> Decision | Unmet:
    """Say whose answers are refused to us.

    When: an instance's last answer is that our user or password is wrong.
    Then: nothing: it lives, and is never taken for dead because of this.
    Protects: nothing waits without a name; a changed password never causes a failover.
    After: W10.  Before: Y10.
    Source: issue "users"; transcripts Q2 (Authentication failure).
    """
    for seen in view.observed.seen:
        miss, role = seen.miss, seen.role
        newest = miss is not None and (role is None or miss.asked_at_s > role.asked_at_s)
        if miss is not None and newest and miss.miss is Miss.UNAUTHORISED:
            return _report(view, Hold.UNAUTHORISED, f"{seen.member.name} refuses our user or password: {miss.detail}")
    return Unmet("an instance refuses our user or password", "none does")


def hold_with_stale_row(view: View) -> Decision | Unmet:
    """Say which row must go and cannot yet.

    When: a row of ours is stale, and no rule above could drop it now.
    Then: nothing until it can be dropped safely.
    Protects: nothing waits without a name.
    After: H10, H20.
    Source: design 5 (DROP REPLICA).
    """
    if view.record is None or view.main_rows is None:
        return Unmet("MAIN's rows are known")
    stale = stale_rows(view, view.record)
    if not stale:
        return Unmet("a row of ours is stale", "none is")
    row, rest = stale[0], rest_s(view, view.record)
    waits = f"; the next quiet moment may be in {rest:.0f} s" if rest and quiet_rows(view) else ""
    return _report(view, Hold.STALE_ROW, f"row {row.name} to {row.address} is stale, and {row.status.value}{waits}")


def hold_without_triggers(view: View) -> Decision | Unmet:
    """Say which triggers a promotion lost.

    When: policy `triggers` is not `ignore`, the reign is open, and the record knows triggers that MAIN has not.
    Then: nothing: somebody creates them, or says that they are not wanted.
    Protects: nothing is lost silently.
    After: every repair.
    Source: design 5 (TriggersMissing); transcripts Q21.
    """
    record, main = view.record, view.main
    if record is None or not record.opened or main is None or main.triggers is None or view.main_role is None:
        return Unmet("MAIN's triggers are known")
    here = {trigger.name for trigger in main.triggers.triggers}
    lost = sorted({trigger.name for trigger in record.triggers} - here)
    if not lost or view.policy.triggers is Triggers.IGNORE:
        return Unmet("a promotion lost triggers", lost)
    return _report(view, Hold.TRIGGERS_MISSING, f"{record.main} has not the triggers {', '.join(lost)}")


def hold_on_foreign_row(view: View) -> Decision | Unmet:
    """Say that MAIN replicates to somebody whom we do not know.

    When: MAIN has a row whose address is no member's and whose name is not ours.
    Then: nothing: it is left alone. A STRICT_SYNC one can abort every write, and a SYNC one gets nothing beside ours.
    Protects: other people's replicas.
    After: every repair.
    Source: design 6 (Repair: foreign rows); transcripts Summary (SYNC beside STRICT_SYNC).
    """
    rows = foreign_rows(view)
    if not rows:
        return Unmet("MAIN has a foreign row", "none")
    row = next((row for row in rows if row.mode is Mode.STRICT_SYNC), rows[0])
    mode = "?" if row.mode is None else row.mode.name
    alarm = ": it can abort every write" if row.mode is Mode.STRICT_SYNC else ""
    return _report(
        view, Hold.FOREIGN_ROW, f"MAIN has a {mode} row {row.name} to {row.address}, which is no member{alarm}"
    )


def hold_unsupported(view: View) -> Decision | Unmet:
    """Say which instance cannot keep the promises.

    When: an instance runs a Memgraph below 3.6.0, or without WAL.
    Then: nothing.
    Protects: the operator's trust.
    After: every repair.
    Source: design 5 (versions).
    """
    for seen, server in _servers(view):
        version = version_tuple(server.version)
        if version is None or version < OLDEST_VERSION:
            reason = f"{seen.member.name} runs Memgraph {server.version}: 3.6.0 or newer is required"
            return _report(view, Hold.UNSUPPORTED, reason)
        if not server.wal:
            reason = f"{seen.member.name} runs without WAL: start it with --storage-wal-enabled=true"
            return _report(view, Hold.UNSUPPORTED, reason)
    return Unmet("an instance is unsupported", "none")


def hold_without_init_file(view: View) -> Decision | Unmet:
    """Say which instance would come back writable after a crash.

    When: an instance was started without `--init-file`.
    Then: nothing.
    Protects: SINGLE_WRITER for those who connect directly.
    After: every repair.
    Source: design 5 (InitFileMissing).
    """
    names = [seen.member.name for seen, server in _servers(view) if not server.init_file]
    if not names:
        return Unmet("an instance has no init file", "each has one")
    reason = f"{', '.join(names)} started without --init-file: after a crash such a one is a writable MAIN for a moment"
    return _report(view, Hold.INIT_FILE_MISSING, reason)


def _servers(view: View) -> list[tuple[Seen, ServerSeen]]:
    """Everybody whose present run said how it is configured."""
    return [
        (seen, seen.server)
        for seen in view.observed.seen
        if seen.server is not None and seen.role is not None and seen.server.run == seen.role.run
    ]


def steady(view: View) -> Decision | Unmet:
    """Nothing to do.

    When: nothing above applies.
    Then: nothing.
    Protects: QUIESCENCE (no command in a healthy cluster).
    After: everything.
    Source: scenarios L3.
    """
    return Decision(
        reason="MAIN serves, its standby is named, every replica is attached", wake_at_s=view.now_s + LONG_S
    )

"""Where reads may go: a pure function of the view, evaluated with the route on every tick."""

from typing import Final

from memgraph_ha.core.observed import Seen
from memgraph_ha.core.permit import Permit, ReadPermit
from memgraph_ha.core.policy import LEASE_MARGIN_S
from memgraph_ha.core.topology import Role, RowStatus
from memgraph_ha.core.view import View

READ_AGE_S: Final = 2.0
"""A replica that has not answered for so long is not read from."""

HEALING_S: Final = 3.0
"""An ``invalid`` row heals itself within that as a rule (transcripts "Event"); until then readers may stay."""


def read_permits(view: View) -> tuple[tuple[ReadPermit, ...], str]:
    """Say to whom the read-only gateway may relay, and why to nobody else.

    All healthy ASYNC replicas, new connections only where the lag is within ``read_max_behind``; if there is none the
    named standby, unless it may be promoted now; never MAIN (design 8).

    Args:
        view: What is known.

    Returns:
        The permits, and one sentence.
    """
    record, lease = view.record, view.lease
    if lease is None or view.lease_left_s <= LEASE_MARGIN_S:
        return (), "this controller does not lead, or not for long"
    if record is None or view.observed.members is None or record.cluster != view.observed.members.cluster:
        return (), "there is no usable record"
    found = tuple(read for seen in view.asyncs if (read := _of_replica(view, seen)) is not None)
    if any(read.takes_new for read in found):
        return found, f"{len(found)} ASYNC {'replica' if len(found) == 1 else 'replicas'}"
    standby = _of_standby(view)
    if standby is not None:
        return (*found, standby), "no ASYNC replica is level enough: the standby is read"
    return found, "no replica is level enough" if found else "no replica can be read"


def _of_replica(view: View, seen: Seen) -> ReadPermit | None:
    permit = _permit(view, seen)
    if permit is None:
        return None
    last = view.observed.last_rows  # of a lost MAIN too: its replicas are as level as it said
    if last is None:
        return ReadPermit(permit=permit, takes_new=True)  # nobody could be asked yet
    row = next((row for row in last.rows if row.address == seen.member.replication), None)
    if row is None:
        return None
    if row.status in (RowStatus.INVALID, RowStatus.RECOVERY):
        since_s = None if view.main is None else view.main.bad_since_s(row.name)
        healing = since_s is not None and view.now_s - since_s < HEALING_S
        return ReadPermit(permit=permit, takes_new=False) if healing else None
    if not row.takes_commits:
        return None
    level = row.behind is not None and -row.behind <= view.policy.read_max_behind
    return ReadPermit(permit=permit, takes_new=level)


def _of_standby(view: View) -> ReadPermit | None:
    """The named standby, unless a promotion may come: its readers must be gone before (design 5, users)."""
    record = view.record
    if record is None or record.standby is None or record.switchover is not None or view.main_role is None:
        return None
    seen = view.observed.of(record.standby.instance)
    permit = None if seen is None else _permit(view, seen)
    return None if permit is None else ReadPermit(permit=permit, takes_new=True)


def _permit(view: View, seen: Seen) -> Permit | None:
    record, role, storage = view.record, seen.role, seen.storage
    if record is None or role is None or storage is None:
        return None
    if role.role is not Role.REPLICA or seen.member.name == record.main or view.stopping(seen.member.name):
        return None
    if seen.refused or role.asked_at_s < view.now_s - READ_AGE_S or seen.member.name in record.rebuild:
        return None
    same = storage.run == role.run and storage.uuid == record.database_uuid
    return view.permit_to(seen) if same else None

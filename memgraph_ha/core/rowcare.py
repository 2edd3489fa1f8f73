"""Which of MAIN's rows are ours and must go, which are nobody's, and what a rebuild may rely on."""

from itertools import chain, count
from string import digits
from typing import Final

from memgraph_ha.core.commands import RegisterReplica
from memgraph_ha.core.names import InstanceName, RowName
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.policy import AutoReinit
from memgraph_ha.core.record import ChangeKind, Record
from memgraph_ha.core.topology import Mode, Row, RowStatus, StorageMode
from memgraph_ha.core.view import View

SETTLED_S: Final = 10.0
"""An ASYNC row that stays ``invalid`` so long while its replica answers does not heal itself any more: the replica was
wiped or promoted meanwhile (a restarted one is taken back within about 3 s, transcripts "Event")."""

ABANDONED_MOST: Final = 16
"""So many rows may lead to addresses that nobody has any more: MAIN asks each of them once a second, in a thread."""

_ANOTHER: Final = "_a"
"""Between an instance's name and a number, where a row that is left has the plain name."""

LEVEL_BEHIND: Final = 1000
"""A replica that lags less, in Memgraph timestamps, is level enough to become the standby at once."""

ROWS_S: Final = 0.1
"""How long a MAIN that the record does not know is given for its rows, after it said that it is one: they are asked for
right after its role (p99 of SHOW queries on a MAIN with both cores busy: 90 ms, design 5)."""

OBJECTS_PER_S: Final = 50_000.0
"""Vertices and edges that a replica which begins with nothing takes a second, carefully estimated (transcripts Q13)."""


def stale_rows(view: View, record: Record) -> list[Row]:
    """Rows to our own addresses that must go, and rows under our names to addresses of nobody that can do harm.

    Where addresses end with their processes, an ASYNC row of a replica that has another address by now does none, for
    commits do not wait for it: it is left to go with the reign, and its replica is registered under another name. To
    drop it would hold every client until MAIN's thread comes back from connecting to where nobody answers, 5 s
    (transcripts Q5). Where addresses are kept, who was there refuses, and the row is dropped in no time.
    """
    return view.once(stale_rows, lambda: _stale_rows(view, record))


def _stale_rows(view: View, record: Record) -> list[Row]:
    stale: list[Row] = []
    abandoned: list[Row] = []
    kept: set[InstanceName] = set()
    owners = {member.replication: member.name for member in view.members}
    addresses_end = not all(member.keeps_address for member in view.members)
    for row in view.main_rows or ():
        owner = owners.get(row.address)
        if owner is None:
            if _named_by_us(view, record, row):
                (abandoned if addresses_end and _is_harmless(view, record, row) else stale).append(row)
            continue
        if owner == record.main or not _is_wanted(view, record, owner, row) or owner in kept:
            stale.append(row)
        else:
            kept.add(owner)
    return stale + abandoned[:-ABANDONED_MOST]


def foreign_rows(view: View) -> list[Row]:
    """Rows to addresses of nobody under names that are not ours: left alone, and reported."""
    record, addresses = view.record, {member.replication for member in view.members}
    if record is None:
        return []
    rows = view.main_rows or ()
    return [row for row in rows if row.address not in addresses and not _named_by_us(view, record, row)]


def async_row(view: View, name: InstanceName) -> RowName:
    """Under which name an ASYNC replica is registered: its own, or, if a row that is left has it, another one."""
    taken = {row.name for row in view.main_rows or ()}
    names = chain([str(name)], (f"{name}{_ANOTHER}{number}" for number in count(2)))
    return next(RowName(each) for each in names if each not in taken)


def _named_by_us(view: View, record: Record, row: Row) -> bool:
    """Whether it bears the name of a member, of one that the record knows from earlier, or of one of their kind.

    Who was a member for a moment only is in no record, and nobody is in a record that was deleted; but instances are
    numbered, as ``memgraph-4`` is.
    """
    return any(_is_ours(view, record, name) for name in (row.name, row.name.rpartition("_")[0]))


def _is_ours(view: View, record: Record, name: str) -> bool:
    ours = {str(member.name) for member in view.members} | {str(name) for name, _level in record.level}
    return name in ours or _kind(name) in {_kind(each) for each in ours} - {""}


def _is_harmless(view: View, record: Record, row: Row) -> bool:
    """Whether it is a whole ASYNC row under a name that `async_row` gives."""
    name, _, number = row.name.rpartition(_ANOTHER)
    given = name if name and number.isdigit() else row.name
    whole = row.mode is Mode.ASYNC and row.status is not RowStatus.HALF
    return whole and _is_ours(view, record, given)


def _kind(name: str) -> str:
    """Give the name of a numbered instance without its number; empty if it has none."""
    kind = name.rstrip(digits)
    return "" if kind == name else kind


def leaving_rows(view: View) -> tuple[RowName, ...]:
    """ASYNC rows of who is about to be stopped, for as long as it answers, if its address ends with its process.

    Dropped now they cost clients a moment; afterwards each would make DROP, or MAIN's demotion, wait for up to 5 s.
    """
    return view.once(leaving_rows, lambda: _leaving_rows(view))


def _leaving_rows(view: View) -> tuple[RowName, ...]:
    leaving = [
        seen.member
        for seen in view.observed.seen
        if not seen.member.keeps_address and view.stopping(seen.member.name) and view.answered_within(seen, 1.0)
    ]
    return tuple(row.name for member in leaving for row in view.rows_of(member) if row.mode is Mode.ASYNC)


def _is_wanted(view: View, record: Record, owner: InstanceName, row: Row) -> bool:
    if row.name in leaving_rows(view):
        return False
    named = record.standby is not None and record.standby.instance == owner
    if owner in record.rebuild and not named and why_not_rebuilt(view, record, owner) is None:
        return False
    if view.partner is not None and owner == view.partner.member.name:
        if row.mode is Mode.ASYNC:
            return _may_catch_up(view, record, owner, row)
        return row.mode is Mode.STRICT_SYNC and row.name == record.standby_row(owner)
    if row.mode is not Mode.ASYNC or row.status in (RowStatus.HALF, RowStatus.DIVERGED):
        return False
    return not is_stuck(view, owner, row)


def _may_catch_up(view: View, record: Record, owner: InstanceName, row: Row) -> bool:
    """Whether a standby that is far behind still has to catch up as ASYNC, before it is made STRICT_SYNC."""
    if not record.unprotected or record.standby is not None:
        return False
    if row.status is RowStatus.INVALID:
        return not is_stuck(view, owner, row)
    if row.status is RowStatus.RECOVERY:
        return True
    return row.takes_commits and row.behind is not None and -row.behind > LEVEL_BEHIND


def is_stuck(view: View, owner: InstanceName, row: Row) -> bool:
    """Whether it will not heal itself: ``invalid`` for long, though its replica could be registered anew."""
    seen, main = view.observed.of(owner), view.main
    if row.status is not RowStatus.INVALID or seen is None or main is None or view.unready(seen) is not None:
        return False
    since_s = main.bad_since_s(row.name)
    alive_s = seen.role.asked_at_s if seen.role is not None else 0.0
    lived_s = max(seen.born_s, since_s or alive_s)
    return since_s is not None and view.now_s - lived_s >= SETTLED_S


def far_behind(view: View, seen: Seen) -> bool:
    """Whether attaching it as STRICT_SYNC would hold MAIN's writes for longer than ``catch_up_max_s``.

    Judged by how long its last catch-up took, and by the number of vertices and edges that it lacks.
    """
    main, other = view.main, seen.storage
    if main is None or main.storage is None or other is None:
        return False
    if dict(view.observed.catch_ups).get(seen.member.replication, 0.0) > view.policy.catch_up_max_s:
        return True
    same = view.record is not None and other.uuid == view.record.database_uuid
    missing = abs(main.storage.objects - other.objects) if same else main.storage.objects
    return missing / OBJECTS_PER_S > view.policy.catch_up_max_s


def why_not_rebuilt(view: View, record: Record, name: InstanceName) -> str | None:
    """Say why an instance may not be rebuilt without a human; None if it may."""
    if name in record.reinit or _holds_nothing(view, record, name):
        return None
    if view.policy.auto_reinit is AutoReinit.NEVER:
        return "policy auto_reinit is never"
    return _unproven(record, name)


def _holds_nothing(view: View, record: Record, name: InstanceName) -> bool:
    """Whether it is empty, of a data set of its own: there is nothing to prove before it is emptied once more."""
    seen = view.observed.of(name)
    if seen is None or seen.role is None or seen.storage is None or seen.storage.run != seen.role.run:
        return False
    return seen.storage.empty and seen.storage.uuid != record.database_uuid


def misfit(view: View, seen: Seen) -> bool:
    """Whether it is empty, but its registration in this very run and reign came to nothing.

    An instance of another cluster without vertices has a history all the same, which its row never gets over
    (semantics 2.6); only a volume that is really new fits.
    """
    record, tried, role = view.record, view.attempt(RegisterReplica, seen.member.name), seen.role
    if record is None or tried is None or role is None or view.rows_of(seen.member):
        return False
    vain = tried.failures == 0 and tried.replica_run == role.run and tried.generation == record.generation
    return vain and _holds_nothing(view, record, seen.member.name)


def shut_out(view: View, record: Record, seen: Seen) -> bool | None:
    """Whether a MAIN that the record does not know has committed nothing of its own since its reign ended.

    It has not if the present MAIN was its named standby, took over from it, and still stands among its rows whole and
    STRICT_SYNC: without that one it commits nothing, and a row that was dropped could not be made whole again
    (docs/decisions/0015).

    Args:
        view: What is known.
        record: The view's.
        seen: Who answers as MAIN beside the record's.

    Returns:
        None while the answer about its rows is awaited, for `ROWS_S` at most.
    """
    successor, role = view.main, seen.role
    if successor is None or role is None or not _was_taken_over(record, seen.member.name):
        return False
    rows, storage = seen.rows, seen.storage
    if rows is None or rows.run != role.run or rows.asked_at_s < role.asked_at_s:
        return None if view.now_s - role.at_s < min(ROWS_S, view.policy.probe_interval_s / 2) else False
    if storage is None or storage.run != role.run or storage.mode is not StorageMode.TRANSACTIONAL:
        return False  # in analytical mode it needs nobody to commit (transcripts Q21)
    whole = [row for row in rows.rows if row.status not in (RowStatus.HALF, RowStatus.UNKNOWN)]
    return any(row.mode is Mode.STRICT_SYNC and row.address == successor.member.replication for row in whole)


def _was_taken_over(record: Record, name: InstanceName) -> bool:
    """Whether its last reign ended with a failover to its named standby, which has been MAIN ever since."""
    level = dict(record.level).get(name)
    since = [] if level is None else [change for change in record.history if change.generation > level]
    if level is None or not since or since[0].generation != level + 1:
        return False
    taken = since[0].kind is ChangeKind.FAILOVER and since[0].previous == name and since[0].standby == record.main
    return taken and all(change.kind is ChangeKind.REPROMOTE for change in since[1:])


def _unproven(record: Record, name: InstanceName) -> str | None:
    """Why history does not prove that MAIN has every acknowledged write that instance holds; None if it does.

    It does if an unbroken chain of unforced reigns leads from the instance's level to the present one (design 6).
    """
    level = dict(record.level).get(name)
    if level is None:
        return (
            f"{name} was not seen level since it was MAIN by hand, or MAIN in analytical mode (then recover a snapshot "
            "on MAIN first, page AnalyticalMode), or ever"
        )
    kinds = {change.generation: change.kind for change in record.history}
    for generation in range(level + 1, record.generation + 1):
        kind = kinds.get(generation)
        if kind is None:
            return f"history does not go back to reign {generation}"
        if kind is ChangeKind.REPROMOTE and level == generation - 1:
            return f"it was level when reign {generation} re-promoted MAIN: it can be ahead only if MAIN lost data"
        if kind in (ChangeKind.FORCED, ChangeKind.ADOPT):
            return f"reign {generation} was {kind.value}: what it left behind may exist nowhere else"
    return None

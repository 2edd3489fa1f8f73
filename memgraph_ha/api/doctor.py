"""The doctor: what to look at before trusting a cluster, or a single server, with data. Pure functions of facts."""

import enum
from collections.abc import Callable, Iterator
from typing import Final

from attrs import frozen

from memgraph_ha.core.facts import Miss, RecordTrouble, RoleSeen, ServerSeen, StorageSeen
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.policy import DataDurability, Users
from memgraph_ha.core.rowcare import why_not_rebuilt
from memgraph_ha.core.rows import version_tuple
from memgraph_ha.core.topology import Mode, Role, StorageMode
from memgraph_ha.core.view import View

REQUIRED_VERSION: Final = (3, 6, 0)
"""Older ones call healthy replicas diverged (design 5)."""

ADVISED_VERSION: Final = (3, 8, 0)
"""Below it a promoted replica keeps a prepared transaction open (design 5, source reading)."""

FEWEST_MEMBERS: Final = 3
"""With two, one failure leaves a single copy until it is repaired."""

TILT_SHOWN_S: Final = 60.0
"""A gap in our own time is told for so long."""


class Level(enum.Enum):
    """How bad it is if a check is not met."""

    ERROR = "error"
    WARNING = "warning"
    INFO = "info"


@frozen(kw_only=True)
class Check:
    """One thing that was looked at.

    Attributes:
        check: Its name.
        instance: Of whom; None: of the cluster.
        ok: Whether it is as it should be; None: it could not be seen.
        level: How bad it is if not.
        says: What was seen, one sentence.
        fix: What to do; empty if it is ok.
    """

    check: str
    instance: str | None
    ok: bool | None
    level: Level
    says: str
    fix: str


def _check(  # noqa: PLR0917 - a line of a table, in the table's order
    name: str, instance: InstanceName | None, ok: bool | None, level: Level, says: str, fix: str = ""
) -> Check:
    return Check(check=name, instance=instance, ok=ok, level=level, says=says, fix="" if ok else fix)


# --- one server ---------------------------------------------------------------------------------------


def checks_of_server(server: ServerSeen, storage: StorageSeen, role: RoleSeen) -> list[Check]:
    """Judge one Memgraph by its own answers alone; nothing of a cluster is needed.

    Args:
        server: SHOW VERSION and SHOW CONFIG.
        storage: SHOW STORAGE INFO.
        role: SHOW REPLICATION ROLE.

    Returns:
        One check per property: version, WAL, flush, init file, storage mode, role.
    """
    name = role.instance
    return [*_configured(name, server), _storage_mode(name, storage), _role(name, storage, role)]


def _configured(name: InstanceName, server: ServerSeen) -> Iterator[Check]:
    yield _version(name, server.version)
    yield _check(
        "wal",
        name,
        server.wal,
        Level.ERROR,
        "the write-ahead log is on"
        if server.wal
        else "it runs without a write-ahead log: nothing is replicated, and a restart loses what no snapshot has",
        "start it with `--storage-wal-enabled=true`",
    )
    every = server.flush_every
    yield _check(
        "flush",
        name,
        every == 1,
        Level.WARNING,
        "each commit is flushed to disk"
        if every == 1
        else f"it flushes every {every} commits: acknowledged writes survive a killed process, not a power cut",
        "start it with `--storage-wal-file-flush-every-n-tx=1`",
    )
    yield _check(
        "init file",
        name,
        bool(server.init_file),
        Level.WARNING,
        f"it boots with {server.init_file}"
        if server.init_file
        else "it has no init file: an old MAIN that restarts is writable before anybody can demote it",
        "start it with `--init-file=FILE`, which holds `SET REPLICATION ROLE TO REPLICA WITH PORT 10000;`",
    )


def _version(name: InstanceName, version: str) -> Check:
    found = version_tuple(version)
    required, advised = (".".join(map(str, parts)) for parts in (REQUIRED_VERSION, ADVISED_VERSION))
    if found is None:
        says, fix = f"its version {version!r} cannot be read", f"run Memgraph {advised} or newer"
        return _check("version", name, ok=None, level=Level.WARNING, says=says, fix=fix)
    if found < REQUIRED_VERSION:
        says = f"Memgraph {version} is older than {required}: it calls healthy replicas diverged"
        return _check("version", name, ok=False, level=Level.ERROR, says=says, fix=f"run {advised} or newer")
    if found < ADVISED_VERSION:
        says = f"Memgraph {version} works; below {advised} a promoted replica keeps a prepared transaction open"
        return _check("version", name, ok=False, level=Level.INFO, says=says, fix=f"run {advised} or newer")
    return _check("version", name, ok=True, level=Level.ERROR, says=f"Memgraph {version}")


def _storage_mode(name: InstanceName, storage: StorageSeen) -> Check:
    good = storage.mode is StorageMode.TRANSACTIONAL
    says = f"storage mode {storage.mode.value}"
    if not good:
        says += ": nothing that is written in it reaches a replica"
    fix = "run `STORAGE MODE IN_MEMORY_TRANSACTIONAL`; on MAIN every replica is rebuilt afterwards"
    return _check("storage mode", name, good, Level.ERROR, says, fix)


def _role(name: InstanceName, storage: StorageSeen, role: RoleSeen) -> Check:
    holds = "nothing" if storage.empty else f"{storage.objects} objects"
    says = f"it answers as {role.role.name} and holds {holds} of data set {storage.uuid}"
    return _check("role", name, ok=True, level=Level.INFO, says=says)


# --- a cluster ----------------------------------------------------------------------------------------


def checks_of(view: View) -> list[Check]:
    """Judge a whole cluster.

    Args:
        view: What its controller knows, with the policy in force.

    Returns:
        The checks of the cluster first, then those of each instance in ordinal order.
    """
    cluster = [check for judge in _OF_CLUSTER for check in judge(view)]
    return cluster + [check for seen in view.observed.seen for check in _instance(view, seen)]


def _record(view: View) -> Iterator[Check]:
    read, name = view.observed.record, "record"
    if read is None:
        yield _check(name, None, None, Level.ERROR, "the record was not read yet", "look again in a second")
    elif read.trouble is not None:
        unread = read.trouble in (RecordTrouble.UNREADABLE, RecordTrouble.UNANSWERED)
        trouble = "cannot be read" if unread else f"is unusable ({read.trouble.value})"
        yield _check(
            name, None, False, Level.ERROR, f"the record {trouble}: {read.detail}", "see `memgraph-ha explain`"
        )
    elif read.record is None:
        yield _check(
            name, None, False, Level.ERROR, "there is no record: no reign has begun", "see `memgraph-ha explain`"
        )
    else:
        yield _check(name, None, True, Level.ERROR, f"reign {read.record.generation} of {read.record.main} is recorded")


def _members(view: View) -> Iterator[Check]:
    count = len(view.members)
    fix = "run three instances or more, on different machines"
    yield _check("members", None, count >= FEWEST_MEMBERS, Level.WARNING, f"the cluster has {count} instances", fix)
    known = {member.name for member in view.members}
    unknown = [name for name in view.pair if name not in known]
    pair = " and ".join(view.pair) or "nobody"
    if unknown:
        says = f"policy `eligible` names {', '.join(unknown)}, which is no member"
        fix = f"name two of {', '.join(sorted(known)) or 'the members, once there are any'}"
        yield _check("eligible", None, False, Level.ERROR, says, fix)
    else:
        enough = len(view.pair) == 2  # noqa: PLR2004 - a pair is two
        yield _check("eligible", None, enough, Level.ERROR, f"{pair} may be MAIN", "run two instances at least")


def _standby(view: View) -> Iterator[Check]:
    record = view.record
    if record is None:
        return
    if record.standby is not None:
        says = f"{record.standby.instance} is proven to hold every acknowledged write"
        yield _check("standby", None, True, Level.ERROR, says)
    else:
        says = f"nobody is proven to hold every acknowledged write: {view.unproven or 'the proof is being named'}"
        yield _check("standby", None, False, Level.ERROR, says, "bring the pair's other member back; see its checks")


def _durability(view: View) -> Iterator[Check]:
    record, name = view.record, "data durability"
    if view.policy.data_durability is DataDurability.REQUIRED:
        yield _check(name, None, True, Level.INFO, "`required`: writes wait while there is no standby")
    elif record is not None and record.unprotected:
        says = "`preferred`, and MAIN is unprotected: what is written now has one certain copy"
        yield _check(name, None, False, Level.WARNING, says, "bring the standby back, or choose `required`")
    else:
        says = "`preferred`: without a standby writes go on after standby_grace_s, on one copy"
        yield _check(name, None, True, Level.INFO, says)


def _users(view: View) -> Iterator[Check]:
    refused = [
        seen.member.name
        for seen in view.observed.seen
        if seen.miss is not None and seen.miss.miss is Miss.UNAUTHORISED and not view.answered_within(seen, 60.0)
    ]
    restores = view.policy.users is Users.RESTORE
    if refused:
        says = f"{', '.join(refused)} refuses our user or password"
        fix = "make the accounts file and Memgraph agree"
        if not restores:
            fix += "; with accounts, set policy users to `restore`: the official build forgets them on every REGISTER"
        yield _check("users", None, False, Level.ERROR, says, fix)
    else:
        word = "restored after each promotion" if restores else "none: whoever reaches an instance may do anything"
        yield _check("users", None, True, Level.INFO, f"accounts: {word}")


def _clock(view: View) -> Iterator[Check]:
    gap_s = view.observed.gap_at_s
    recent = gap_s is not None and view.now_s - gap_s < TILT_SHOWN_S
    says = "this controller's own time had no gap in the last minute"
    if recent and gap_s is not None:
        says = f"this controller stood still {view.now_s - gap_s:.0f} s ago: it missed what happened then"
    yield _check("clock", None, not recent, Level.WARNING, says, "give it CPU; do not suspend its machine")


def _foreign_rows(view: View) -> Iterator[Check]:
    rows = view.main_rows
    if rows is None:
        return
    ours = {member.replication for member in view.members}
    foreign = [row for row in rows if row.address not in ours]
    says = "MAIN replicates to members only"
    level = Level.WARNING
    if foreign:
        says = "MAIN replicates to " + ", ".join(f"{row.address} as {row.name}" for row in foreign) + ", no member's"
        if any(row.mode is not Mode.ASYNC for row in foreign):
            level, says = Level.ERROR, f"{says}; a row that is not ASYNC can abort or stall every write"
    yield _check("foreign rows", None, not foreign, level, says, "DROP REPLICA by hand in a quiet hour")


_OF_CLUSTER: Final[tuple[Callable[[View], Iterator[Check]], ...]] = (
    _record,
    _members,
    _standby,
    _durability,
    _users,
    _clock,
    _foreign_rows,
)


def _instance(view: View, seen: Seen) -> Iterator[Check]:
    name, role = seen.member.name, seen.role
    if seen.member.incarnation is None:
        yield _check("answers", name, False, Level.ERROR, "the platform has no process for it", "start it")
        return
    if role is None or (seen.miss is not None and seen.miss.asked_at_s > role.asked_at_s):
        why = "it has not answered yet" if seen.miss is None else seen.miss.miss.value
        fix = "see its own log; a wrong password is no death" if seen.miss is not None else "look again in a second"
        yield _check("answers", name, None if seen.miss is None else False, Level.ERROR, why, fix)
        return
    yield _check("answers", name, True, Level.ERROR, f"it answers as {role.role.name} in run {role.run}")
    if seen.server is None or seen.server.run != role.run:
        yield _check("configuration", name, None, Level.WARNING, "its configuration was not seen yet", "look again")
    else:
        yield from _configured(name, seen.server)
    if seen.storage is not None and seen.storage.run == role.run:
        yield _storage_mode(name, seen.storage)
        yield from _data_set(view, name, seen.storage)
    yield from _replication(view, seen, role)


def _data_set(view: View, name: InstanceName, storage: StorageSeen) -> Iterator[Check]:
    record = view.record
    if record is None:
        return
    same = storage.uuid == record.database_uuid
    says = (
        "it holds the cluster's data set" if same else f"it holds data set {storage.uuid}, not {record.database_uuid}"
    )
    yield _check("data set", name, same or storage.empty, Level.ERROR, says, f"`memgraph-ha reinit {name}`")


def _replication(view: View, seen: Seen, role: RoleSeen) -> Iterator[Check]:
    name, record = seen.member.name, view.record
    if role.role is Role.REPLICA:
        port, level = seen.port, Level.ERROR
        says = f"replication port {seen.member.replication} " + ("is open" if port and port.open else "is not open")
        fix = "let MAIN reach it: network policy, firewall, and `--init-file` with that port"
        yield _check("replication port", name, None if port is None else port.open, level, says, fix)
    if record is None or record.main == name or view.main_rows is None:
        return
    if name in record.rebuild:
        asked = why_not_rebuilt(view, record, name)
        if asked is None:
            says = "its data is about to be given up and filled anew"
            yield _check("row", name, False, Level.WARNING, says, "wait: `memgraph-ha status` shows when it is done")
        else:
            says = f"its data must be rebuilt, and is not unasked: {asked}"
            yield _check("row", name, False, Level.ERROR, says, f"`memgraph-ha reinit {name}`")
        return
    row = next(iter(view.rows_of(seen.member)), None)
    if row is None:
        yield _check("row", name, False, Level.WARNING, "it is not registered on MAIN", "see `memgraph-ha explain`")
        return
    mode = "?" if row.mode is None else row.mode.name
    says = f"its row {row.name} is {mode} {row.status.value}"
    yield _check(
        "row", name, row.takes_commits, Level.WARNING, says, "it heals by itself, or see `memgraph-ha explain`"
    )

"""What adapters may report. Facts may be lost, late, repeated or out of order: nothing depends on having seen one.

``at_s`` is when the fact was learnt and ``asked_at_s`` when its question was sent, both seconds on the caller's
own monotonic clock. Judgements of age use ``asked_at_s``: an answer says nothing newer than its question.
"""

import enum

from attrs import frozen

from memgraph_ha.core.commands import Command
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import InstanceName, RunId, Token
from memgraph_ha.core.permit import Permit
from memgraph_ha.core.record import Record, Standby
from memgraph_ha.core.requests import Request
from memgraph_ha.core.topology import Member, Role, Row, StorageMode, Trigger


class Miss(enum.Enum):
    """How a probe failed."""

    REFUSED = "connection refused or reset"
    TIMED_OUT = "no answer in time"
    UNAUTHORISED = "wrong user or password"
    UNREADABLE = "an answer that makes no sense"


class Outcome(enum.Enum):
    """How a command ended. ``UNKNOWN`` is not a failure: look again before the next."""

    DONE = "done"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    NOT_SENT = "not sent"


class RecordTrouble(enum.Enum):
    """Why the record cannot be acted on.

    ``UNANSWERED``: the read told nothing, because its store did not answer or let nobody read. Only the leader writes
    the record, so what it read last still tells whom clients may reach while it leads; but nothing is commanded on it.
    All others: there is no record to go by.
    """

    UNANSWERED = "RecordUnanswered"
    UNREADABLE = "RecordUnknown"
    INVALID = "RecordInvalid"
    NEWER_SCHEMA = "RecordSchema"


@frozen(kw_only=True)
class MembersSeen:
    """The platform's list of instances, in ordinal order.

    Attributes:
        cluster: The id of the cluster that they form: a record of another one is refused.
    """

    at_s: float
    cluster: str
    members: tuple[Member, ...]


@frozen(kw_only=True)
class RoleSeen:
    """An instance answered SHOW REPLICATION ROLE: it lives, in this run, with this role."""

    at_s: float
    asked_at_s: float
    instance: InstanceName
    run: RunId
    role: Role


@frozen(kw_only=True)
class ProbeMissed:
    """A probe got no usable answer.

    Attributes:
        excused: Our own role or registration command was in flight there, which can hold the locks that the
            probe needs (design 5): a time-out is then no evidence.
        detail: The error as it came.
    """

    at_s: float
    asked_at_s: float
    instance: InstanceName
    miss: Miss
    excused: bool = False
    detail: str = ""


@frozen(kw_only=True)
class RowsSeen:
    """MAIN answered SHOW REPLICAS."""

    at_s: float
    asked_at_s: float
    instance: InstanceName
    run: RunId
    rows: tuple[Row, ...]


@frozen(kw_only=True)
class StorageSeen:
    """An instance said which data set it holds.

    Attributes:
        uuid: Its ``database_uuid``.
        empty: No vertices, edges, indexes or constraints.
        mode: Its storage mode.
        objects: Vertices and edges together: what a replica that begins with nothing has to be sent.
    """

    at_s: float
    asked_at_s: float
    instance: InstanceName
    run: RunId
    uuid: str
    empty: bool
    mode: StorageMode
    objects: int = 0


@frozen(kw_only=True)
class TriggersSeen:
    """MAIN answered SHOW TRIGGERS; replicas have none (transcripts Q21)."""

    at_s: float
    asked_at_s: float
    instance: InstanceName
    run: RunId
    triggers: tuple[Trigger, ...]


@frozen(kw_only=True)
class QuietSeen:
    """MAIN had no transaction but our own, while our gateway let no new one pass.

    Attributes:
        ended: How many were ended by force, because they were still open after ``quiesce_max_s``.
    """

    at_s: float
    instance: InstanceName
    run: RunId
    generation: int
    ended: int = 0


@frozen(kw_only=True)
class ServerSeen:
    """An instance said how it is configured (SHOW VERSION, SHOW CONFIG); constant within a run.

    Attributes:
        version: As printed, e.g. ``3.6.1``.
        wal: ``--storage-wal-enabled``.
        flush_every: ``--storage-wal-file-flush-every-n-tx``; 1 survives a power cut.
        init_file: ``--init-file``; empty if it has none, and then a restarted MAIN comes back writable.
    """

    at_s: float
    instance: InstanceName
    run: RunId
    version: str
    wal: bool
    flush_every: int
    init_file: str = ""


@frozen(kw_only=True)
class PortSeen:
    """Whether an instance's replication port took a TCP connection."""

    at_s: float
    asked_at_s: float
    instance: InstanceName
    open: bool


@frozen(kw_only=True)
class RecordSeen:
    """The record was read, with a read that cannot be stale.

    Attributes:
        record: None if there is none, or if there is trouble; once filed, ``UNANSWERED`` keeps the one read before.
        token: Its version for compare-and-set; None if there is none.
        trouble: Why it cannot be used.
        detail: What exactly is wrong with it.
        marked: Whom a controller that keeps no record of ours left marked as MAIN; None if none did, or there is one.
    """

    at_s: float
    record: Record | None
    token: Token | None
    trouble: RecordTrouble | None = None
    detail: str = ""
    marked: InstanceName | None = None


@frozen(kw_only=True)
class LeaseSeen:
    """What we hold of the lease.

    Attributes:
        leading: Whether we hold it.
        until_s: When it ends on our clock, counted from when the renewal was *sent*.
        since_s: When this term began.
        clean: The lease came by expiry or by a clean release, or never existed; otherwise somebody removed it
            and an older permit may still live.
        floor_generation: The highest generation that the lease has seen; a record below it was restored.
    """

    at_s: float
    leading: bool
    until_s: float = 0.0
    since_s: float = 0.0
    clean: bool = True
    floor_generation: int = 0


@frozen(kw_only=True)
class GateSeen:
    """What the read/write gateway of this process allows now.

    Attributes:
        permit: None: it relays nothing.
        quiet: No new transaction passes; those that were open may still end.
        settled: Since then every connection has been seen between two transactions.
    """

    at_s: float
    permit: Permit | None
    quiet: bool = False
    settled: bool = False


@frozen(kw_only=True)
class SentinelBroke:
    """The gateway's own connection to MAIN ended: only a hint to look at once."""

    at_s: float
    instance: InstanceName
    run: RunId


@frozen(kw_only=True)
class NoopSeen:
    """How the no-op commit ``CREATE (n:X) DELETE n`` on MAIN ended (transcripts Q3, Q18).

    Attributes:
        instance: MAIN.
        run: Its run, read on the same connection.
        generation: The reign that it was sent for.
        outcome: ``REFUSED`` only when STRICT_SYNC aborted it.
        witness: The standby that was the same process, REPLICA, with the recorded uuid, transactional and with
            WAL, through a row that took commits, both before and after; None if any of it was not so.
        row_ts: The witness's row's ``ts`` that the commit covers for certain; None if unknown.
        error: What its message means, if it was refused or failed.
    """

    at_s: float
    asked_at_s: float
    instance: InstanceName
    run: RunId
    generation: int
    outcome: Outcome
    witness: Standby | None = None
    row_ts: int | None = None
    error: ErrorClass | None = None
    detail: str = ""


@frozen(kw_only=True)
class CommandEnded:
    """A command came to its end.

    Attributes:
        error: What its message means, if it was refused.
        detail: The message itself.
    """

    at_s: float
    command: Command
    outcome: Outcome
    error: ErrorClass | None = None
    detail: str = ""


@frozen(kw_only=True)
class GapSeen:
    """Our own process stood still for ``gap_s`` seconds: what we believe is old."""

    at_s: float
    gap_s: float


@frozen(kw_only=True)
class RequestSeen:
    """Somebody asked for something: an operator, or a hook."""

    at_s: float
    request: Request


@frozen(kw_only=True)
class RequestEnded:
    """A request was answered, or nobody waits for it any more: it is forgotten."""

    at_s: float
    request_id: str


Fact = (
    MembersSeen
    | RoleSeen
    | ProbeMissed
    | RowsSeen
    | StorageSeen
    | ServerSeen
    | PortSeen
    | RecordSeen
    | LeaseSeen
    | GateSeen
    | SentinelBroke
    | NoopSeen
    | CommandEnded
    | GapSeen
    | TriggersSeen
    | QuietSeen
    | RequestSeen
    | RequestEnded
)

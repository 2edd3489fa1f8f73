"""The state of one Memgraph process (semantics 15.1), and the small steps that take no time."""

from __future__ import annotations

import enum
from collections import deque
from collections.abc import Callable
from typing import Any, Final

from attrs import define, field, frozen

from .disk import JsonMap, Put, Snapshot, Transaction, Write
from .effects import Link, Procedure
from .graph import Graph
from .graph import Transaction as GraphTransaction
from .locks import Lock
from .quirks import Quirks
from .settings import Settings, StorageMode

MAX_HISTORY: Final = 1000  # epochs that Memgraph remembers (semantics 4.2)
FIRST_TRANSACTION_ID: Final = 1 << 63  # as SHOW TRANSACTIONS shows them (raw recording g)


class Role(enum.Enum):
    """Replication role."""

    MAIN = "main"
    REPLICA = "replica"


class Mode(enum.Enum):
    """How a replica is registered; the values are those of SHOW REPLICAS."""

    SYNC = "sync"
    ASYNC = "async"
    STRICT_SYNC = "strict_sync"


class RowState(enum.Enum):
    """What MAIN thinks of a replica's data (semantics 2.10); the values are those of SHOW REPLICAS."""

    READY = "ready"
    REPLICATING = "replicating"
    RECOVERY = "recovery"
    MAYBE_BEHIND = "invalid"
    DIVERGED = "diverged"


@frozen
class Reign:
    """One entry of an instance's history: the last durable timestamp that it reached in an epoch."""

    epoch: str
    ldt: int


@define(eq=False, kw_only=True)
class Row:
    """A registration on MAIN: the instance-level client and the storage client of semantics 1.

    Attributes:
        half: Left behind by a failed REGISTER: listed, ignored by commits, not pinged (semantics 2.4).
        system_behind: The replica's users and identity must be sent again (instance state BEHIND).
        state: What MAIN thinks of its data.
        cached_ldt: Its last durable timestamp as MAIN last heard it.
        failed_pings: In a row.
        rpc: Guards `link`; held for a whole RPC.
        tasks: What the row's single pool thread still has to do.
        pool: Held while that thread works.
        ticking: Held while the ping thread is in a tick.
        closed: DROP or a demotion took the row away; its threads end.
        fenced: The replica answered last that it obeys another MAIN (semantics 4.6).
        heartbeat_queued: A heartbeat waits among the tasks.
    """

    name: str
    mode: Mode
    host: str
    port: int
    frequency_s: float
    half: bool = True
    system_behind: bool = True
    state: RowState = RowState.MAYBE_BEHIND
    cached_ldt: int = 0
    failed_pings: int = 0
    fenced: bool = False
    heartbeat_queued: bool = False
    closed: bool = False
    link: Link = field(init=False)
    rpc: Lock = field(init=False)
    pool: Lock = field(init=False)
    ticking: Lock = field(init=False)
    tasks: deque[Procedure[None]] = field(init=False, factory=deque)

    def __attrs_post_init__(self) -> None:
        """Give the row its own connection and locks."""
        self.link = Link(self.host, self.port)
        self.rpc = Lock(f"rpc {self.name}", barging=True)
        self.pool = Lock(f"pool {self.name}")
        self.ticking = Lock(f"ping {self.name}")

    @property
    def address(self) -> str:
        """`host:port` as SHOW REPLICAS shows it."""
        return f"{self.host}:{self.port}"

    def record(self) -> JsonMap:
        """Return what is persisted of it."""
        return {
            "mode": self.mode.value,
            "host": self.host,
            "port": self.port,
            "frequency_s": self.frequency_s,
        }


@frozen
class Prepared:
    """A STRICT_SYNC transaction that waits for its verdict (semantics 3.4).

    Attributes:
        record: As it stands in the log, not yet committed.
        writes: The same in the graph: final, invisible, locked.
    """

    record: Transaction
    writes: GraphTransaction


@frozen(kw_only=True)
class Chance:
    """Where an instance's randomness comes from: injected, so that a run can be repeated.

    Attributes:
        draw: Returns a float in [0, 1).
        uuid: Returns a fresh uuid as text.
    """

    draw: Callable[[], float]
    uuid: Callable[[], str]


@define(eq=False)
class Open:
    """A transaction that SHOW TRANSACTIONS lists.

    Attributes:
        terminated: Somebody ended it with TERMINATE TRANSACTIONS; it learns of it later (Q22).
    """

    id: int
    user: str
    writes: GraphTransaction | None
    queries: list[str] = field(factory=list)
    terminated: bool = False


@define(eq=False, kw_only=True)
class Instance:
    """One Memgraph process: what it holds in memory.

    Attributes:
        run_id: Fresh for every process; every Bolt summary names it (transcripts Q16).
        role: MAIN or REPLICA.
        main_uuid: As MAIN its own fencing token, as REPLICA that of the MAIN it obeys (semantics 4.6).
        port: Replication port, as REPLICA.
        database_uuid: Which data set this is, as SHOW STORAGE INFO shows it (transcripts Q13).
        promised_uuid: The data set that an empty REPLICA will take over once data arrives (Q13).
        epoch: Of the commits made now; after a promotion only in memory (transcripts Q3).
        history: Former epochs (semantics 4.2).
        ldt: Last durable timestamp.
        committed: How many transactions were committed.
        timestamp: The next timestamp; every transaction takes one when it starts (semantics 1).
        prepared: What MAIN had us prepare and has not finished yet.
        arriving: A copy of MAIN's data of which not all parts have come yet.
        log: Recent transactions, for replicas that lack them.
        log_label: The epoch under which the present log file was begun.
        repl_lock: Shared by commits and SHOW, exclusive for role and registration commands.
        system_lock: Of system queries; waited for 100 ms.
        engine_lock: Held by a commit until it is replicated; every new transaction needs it.
        storage_lock: Shared by transactions, exclusive while a copy of MAIN's data is loaded.
        server_lock: The replication server's single worker.
        graph_lock: Held while a long query computes in a thread: nobody else may touch the graph then.
        deferred_aborts: What was to be aborted meanwhile.
        snapshot_lock: Held while a snapshot is written.
        snapshot_of: Epoch and position of the newest snapshot.
        transactions: What SHOW TRANSACTIONS lists, by id.
        recent_commits: (time, session) of the latest commits: what a DROP calls load.
    """

    settings: Settings
    chance: Chance
    log_line: Callable[[str, str], None]
    run_id: str
    quirks: Quirks = field(init=False)
    role: Role = Role.MAIN
    main_uuid: str
    port: int | None = None
    database_uuid: str
    promised_uuid: str | None = None
    epoch: str
    history: list[Reign] = field(factory=list)
    ldt: int = 0
    committed: int = 0
    timestamp: int = 1
    storage_mode: StorageMode = StorageMode.TRANSACTIONAL
    graph: Graph = field(factory=Graph)
    prepared: Prepared | None = None
    arriving: Snapshot | None = None
    log: deque[Transaction] = field(factory=deque)
    log_bytes: int = 0
    log_label: str = ""
    rows: dict[str, Row] = field(factory=dict)
    users: dict[str, JsonMap] = field(factory=dict)
    triggers: dict[str, str] = field(factory=dict)
    database_settings: dict[str, str] = field(factory=dict)
    repl_lock: Lock = field(factory=lambda: Lock("replication state"))
    system_lock: Lock = field(factory=lambda: Lock("system queries"))
    engine_lock: Lock = field(factory=lambda: Lock("storage engine"))
    storage_lock: Lock = field(factory=lambda: Lock("storage"))
    server_lock: Lock = field(factory=lambda: Lock("replication server"))
    graph_lock: Lock = field(factory=lambda: Lock("graph"))
    deferred_aborts: list[GraphTransaction] = field(factory=list)
    snapshot_lock: Lock = field(factory=lambda: Lock("snapshot"))
    snapshot_of: tuple[str, int] | None = None
    recent_commits: deque[tuple[float, int]] = field(factory=lambda: deque(maxlen=512))
    transactions: dict[int, Open] = field(factory=dict)
    transaction_ids: int = FIRST_TRANSACTION_ID
    unflushed: int = 0

    def __attrs_post_init__(self) -> None:
        """Look the version up once."""
        self.quirks = self.settings.quirks
        self.log_label = self.epoch

    @property
    def is_main(self) -> bool:
        """Whether it is MAIN."""
        return self.role is Role.MAIN

    @property
    def transactional(self) -> bool:
        """Whether writes are logged and replicated (semantics 11)."""
        return self.storage_mode is StorageMode.TRANSACTIONAL

    def next_timestamp(self) -> int:
        """Take a timestamp."""
        taken = self.timestamp
        self.timestamp += 1
        return taken

    def next_transaction_id(self) -> int:
        """Take an id as SHOW TRANSACTIONS shows them."""
        taken = self.transaction_ids
        self.transaction_ids += 1
        return taken

    def whole_rows(self) -> list[Row]:
        """Return the rows that count in commits, in the order of their registration."""
        return [row for row in self.rows.values() if not row.half]

    def save_history(self) -> None:
        """Note how far the present epoch came, unless nothing was committed in it (semantics 4.2)."""
        if self.history and self.history[-1].ldt == self.ldt:
            return
        self.history.append(Reign(self.epoch, self.ldt))
        del self.history[:-MAX_HISTORY]

    def last_commit_epoch(self) -> str:
        """Return the epoch of the last commit, as a REPLICA reports it (semantics 4.4)."""
        if self.history and self.history[-1].ldt == self.ldt:
            return self.history[-1].epoch
        return self.epoch

    def adopt_uuid(self) -> tuple[Write, ...]:
        """Take over the promised identity, if any; return what makes that durable (transcripts Q13)."""
        if self.promised_uuid is None:
            return ()
        self.database_uuid = self.promised_uuid
        self.promised_uuid = None
        return (self.databases_record(),)

    def databases_record(self) -> Put:
        """Return the durable form of the database's identity (`databases/.durability`)."""
        return Put("databases", {"memgraph": self.database_uuid})

    def replication_record(self) -> tuple[Write, ...]:
        """Return the durable form of role and registrations; nothing if they are not to be restored."""
        if not self.settings.restore_replication_state:
            return ()
        return (
            Put(
                "replication",
                {
                    "role": self.role.value,
                    "main_uuid": self.main_uuid,
                    "port": self.port,
                    "rows": {name: row.record() for name, row in self.rows.items()},
                },
            ),
        )

    def users_record(self) -> Put:
        """Return the durable form of the users."""
        return Put("auth", {"users": dict(self.users)})

    def abort_writes(self, writes: GraphTransaction) -> None:
        """Take back what a transaction wrote, now or as soon as nobody computes on the graph."""
        if self.graph_lock.writer:
            self.deferred_aborts.append(writes)
        else:
            writes.abort()

    def leave_graph(self) -> None:
        """Give the graph back after a long query."""
        for writes in self.deferred_aborts:
            writes.abort()
        self.deferred_aborts.clear()
        self.graph_lock.release()

    def drop_prepared(self) -> None:
        """Forget what MAIN had us prepare, and give back its access to the storage."""
        if self.prepared is not None:
            self.abort_writes(self.prepared.writes)
            self.prepared = None
            self.storage_lock.release(exclusive=False)

    def snapshot_header(self) -> dict[str, Any]:
        """Return the header of a snapshot taken now (semantics 4.2)."""
        return {
            "uuid": self.database_uuid,
            "epoch": self.epoch,
            "history": [[reign.epoch, reign.ldt] for reign in self.history],
            "ldt": self.ldt,
            "transactions": self.committed,
        }

    def take_header(self, header: JsonMap) -> None:
        """Take epoch, history and position from a snapshot."""
        self.epoch = self.log_label = header["epoch"]
        self.history = [Reign(epoch, ldt) for epoch, ldt in header["history"]]
        self.ldt = header["ldt"]
        self.committed = header["transactions"]
        self.timestamp = max(self.timestamp, self.ldt + 1)

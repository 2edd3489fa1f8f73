"""Asking an instance what it is: each question as a function from a connection to the fact it teaches."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from attrs import frozen

from memgraph_ha.adapters.memgraph.connection import Answer, BoltConnection, ConnectionLostError, QueryRefusedError
from memgraph_ha.core.facts import Miss, RoleSeen, RowsSeen, ServerSeen, StorageSeen, TriggersSeen
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.rows import DATABASE, parse_replicas, parse_role, parse_storage_info, version_tuple
from memgraph_ha.core.topology import Trigger

Clock = Callable[[], float]
"""CLOCK_BOOTTIME, seconds."""

SHOW_ROLE: Final = "SHOW REPLICATION ROLE"
SHOW_ROWS: Final = "SHOW REPLICAS"
SHOW_VERSION: Final = "SHOW VERSION"
SHOW_CONFIG: Final = "SHOW CONFIG"
SHOW_STORAGE: Final = "SHOW STORAGE INFO"
SHOW_STORAGE_OF_DATABASE: Final = f"SHOW STORAGE INFO ON DATABASE {DATABASE}"
SHOW_SCHEMA: Final = ("SHOW INDEX INFO", "SHOW CONSTRAINT INFO")
SHOW_TRIGGERS: Final = "SHOW TRIGGERS"
SHOW_TRANSACTIONS: Final = "SHOW TRANSACTIONS"
SHOW_USERS: Final = "SHOW USERS"

QUESTIONS: Final = frozenset(
    {
        SHOW_ROLE,
        SHOW_ROWS,
        SHOW_VERSION,
        SHOW_CONFIG,
        SHOW_STORAGE,
        SHOW_STORAGE_OF_DATABASE,
        *SHOW_SCHEMA,
        SHOW_TRIGGERS,
        SHOW_TRANSACTIONS,
        SHOW_USERS,
    }
)
"""All that a controller asks without changing anything, this one or another. Each is refused inside an explicit
transaction (raw recording b), so none of them can be followed by a write or a commit."""

ANY_CHANGE: Final = "ANY"
"""SHOW TRIGGERS' event of a trigger without ``ON`` (TriggerEventTypeToString in Memgraph's trigger_context.cpp)."""

STORAGE_BY_DATABASE_SINCE: Final = (3, 10)
"""From here on `SHOW_STORAGE_OF_DATABASE` exists; before it is a syntax error (semantics 8)."""


async def read_role(connection: BoltConnection, name: InstanceName, clock: Clock) -> RoleSeen:
    """Ask for the role: the one question that a stalled commit never delays (transcripts Q4, Q14).

    Raises:
        ConnectionLostError: No answer, or one that names no role.
        QueryRefusedError: The server refused the question.
    """
    asked_at_s = clock()
    answer = await connection.ask(SHOW_ROLE)
    word = _only_value(answer)
    role = parse_role(word)
    if role is None:
        raise ConnectionLostError(Miss.UNREADABLE, f"{SHOW_ROLE} answered {word!r}, neither 'main' nor 'replica'")
    return RoleSeen(at_s=clock(), asked_at_s=asked_at_s, instance=name, run=answer.run, role=role)


async def read_rows(connection: BoltConnection, name: InstanceName, clock: Clock) -> RowsSeen:
    """Ask MAIN for its registrations.

    Raises:
        ConnectionLostError: No answer.
        QueryRefusedError: It is no MAIN (transcripts Q1).
    """
    asked_at_s = clock()
    answer = await connection.ask(SHOW_ROWS)
    rows = parse_replicas(answer.rows)
    return RowsSeen(at_s=clock(), asked_at_s=asked_at_s, instance=name, run=answer.run, rows=rows)


async def read_server(connection: BoltConnection, name: InstanceName, clock: Clock) -> ServerSeen:
    """Ask how the process is configured; constant within a run.

    A setting that SHOW CONFIG does not list counts as the worse case: no WAL, never flushed.
    """
    version = _only_value(await connection.ask(SHOW_VERSION))
    answer = await connection.ask(SHOW_CONFIG)
    config = {str(row.get("name")): str(row.get("current_value")) for row in answer.rows}
    every = config.get("storage_wal_file_flush_every_n_tx", "")
    return ServerSeen(
        at_s=clock(),
        instance=name,
        run=answer.run,
        version=str(version),
        wal=config.get("storage_wal_enabled") == "true",
        flush_every=int(every) if every.isascii() and every.isdigit() else 0,
        init_file=config.get("init_file", ""),
    )


async def read_storage(connection: BoltConnection, name: InstanceName, clock: Clock, *, version: str) -> StorageSeen:
    """Ask which data set it holds. `empty` says here only that there is no vertex and no edge.

    Args:
        connection: To the instance.
        name: The instance.
        clock: For the fact's times.
        version: What SHOW VERSION printed: it decides the form of the question (semantics 8).

    Raises:
        ConnectionLostError: No answer, or one without a `database_uuid`.
        QueryRefusedError: The server refused the question.
    """
    asked_at_s = clock()
    number = version_tuple(version)
    by_database = number is not None and number >= STORAGE_BY_DATABASE_SINCE
    answer = await connection.ask(SHOW_STORAGE_OF_DATABASE if by_database else SHOW_STORAGE)
    pairs = _pairs(answer.rows)
    uuid, bare, mode = parse_storage_info(pairs)
    if uuid is None:
        raise ConnectionLostError(Miss.UNREADABLE, f"SHOW STORAGE INFO of version {version} names no database_uuid")
    return StorageSeen(
        at_s=clock(),
        asked_at_s=asked_at_s,
        instance=name,
        run=answer.run,
        uuid=uuid,
        empty=bare is True,
        mode=mode,
        objects=sum(count for key in ("vertex_count", "edge_count") if isinstance(count := pairs.get(key), int)),
    )


async def has_schema(connection: BoltConnection) -> bool:
    """Ask whether there is any index or constraint; an instance that will not say does not count as empty.

    Raises:
        ConnectionLostError: No answer.
    """
    for query in SHOW_SCHEMA:
        try:
            answer = await connection.ask(query)
        except QueryRefusedError:
            return True
        if answer.rows:
            return True
    return False


async def read_triggers(connection: BoltConnection, name: InstanceName, clock: Clock) -> TriggersSeen:
    """Ask for the triggers, sorted by name.

    Unlike the other questions to a MAIN this one opens a storage transaction (QueryTransactionRequirements in
    Memgraph's interpreter): it costs MAIN a timestamp, and it waits until a commit that is under way has ended.

    Raises:
        ConnectionLostError: No answer.
        QueryRefusedError: The server refused the question, for example because somebody has the storage alone.
    """
    asked_at_s = clock()
    answer = await connection.ask(SHOW_TRIGGERS)
    triggers = tuple(sorted(_trigger(row) for row in answer.rows))
    return TriggersSeen(at_s=clock(), asked_at_s=asked_at_s, instance=name, run=answer.run, triggers=triggers)


def _trigger(row: Mapping[str, object]) -> Trigger:
    """Read one line: the event is spelt as after ``ON``, the statement as it was written.

    Later versions also say with whose privileges it runs, which means something with an enterprise licence only.
    """
    event = str(row.get("event type", ""))
    return Trigger(
        name=str(row.get("trigger name", "")),
        event="" if event == ANY_CHANGE else event,
        phase=str(row.get("phase", "")),
        statement=str(row.get("statement", "")),
    )


@frozen(kw_only=True)
class OpenTransaction:
    """One line of SHOW TRANSACTIONS.

    Attributes:
        id: What TERMINATE TRANSACTIONS takes.
        queries: What it ran so far; empty for a client that only sent BEGIN.
    """

    id: str
    queries: tuple[str, ...]

    @property
    def foreign(self) -> bool:
        """Whether it may write or commit: all but a controller's own questions, which are listed as well."""
        return not self.queries or not QUESTIONS.issuperset(self.queries)


async def read_transactions(connection: BoltConnection) -> tuple[OpenTransaction, ...]:
    """Ask which transactions are open, our own question among them (raw recording g).

    Not listed are those that were terminated (transcripts Q22) and those that have begun to commit (Memgraph's
    interpreter_context.cpp shows ACTIVE ones only; the newest shows them with a status). What cannot be read
    counts as foreign.

    Raises:
        ConnectionLostError: No answer.
        QueryRefusedError: The server refused the question.
    """
    answer = await connection.ask(SHOW_TRANSACTIONS)
    return tuple(
        OpenTransaction(id=str(row.get("transaction_id", "")), queries=_texts(row.get("query"))) for row in answer.rows
    )


def _texts(value: object) -> tuple[str, ...]:
    return tuple(str(item) for item in value) if isinstance(value, list) else ()


async def read_users(connection: BoltConnection) -> frozenset[str]:
    """Ask for the names of all users, in lower case as Memgraph keeps them.

    Raises:
        ConnectionLostError: No answer.
        QueryRefusedError: The server refused the question.
    """
    answer = await connection.ask(SHOW_USERS)
    return frozenset(str(next(iter(row.values()), "")).lower() for row in answer.rows)


def _only_value(answer: Answer) -> object:
    return next(iter(answer.rows[0].values()), None) if len(answer.rows) == 1 else None


def _pairs(rows: Sequence[Mapping[str, object]]) -> dict[str, object]:
    """Turn SHOW STORAGE INFO's two columns into a mapping, whatever the columns are called."""
    pairs: dict[str, object] = {}
    for row in rows:
        values = tuple(row.values())
        if len(values) == 2:  # noqa: PLR2004 - key and value
            pairs[str(values[0])] = values[1]
    return pairs

"""Asking an instance what it is: each question as a function from a connection to the fact it teaches."""

from collections.abc import Callable, Mapping, Sequence
from typing import Final

from memgraph_ha.adapters.memgraph.connection import Answer, BoltConnection, ConnectionLostError, QueryRefusedError
from memgraph_ha.core.facts import Miss, RoleSeen, RowsSeen, ServerSeen, StorageSeen
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.rows import DATABASE, parse_replicas, parse_role, parse_storage_info, version_tuple

Clock = Callable[[], float]
"""CLOCK_BOOTTIME, seconds."""

SHOW_ROLE: Final = "SHOW REPLICATION ROLE"
SHOW_ROWS: Final = "SHOW REPLICAS"
SHOW_VERSION: Final = "SHOW VERSION"
SHOW_CONFIG: Final = "SHOW CONFIG"
SHOW_STORAGE: Final = "SHOW STORAGE INFO"
SHOW_STORAGE_OF_DATABASE: Final = f"SHOW STORAGE INFO ON DATABASE {DATABASE}"
SHOW_SCHEMA: Final = ("SHOW INDEX INFO", "SHOW CONSTRAINT INFO")

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
    uuid, bare, mode = parse_storage_info(_pairs(answer.rows))
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

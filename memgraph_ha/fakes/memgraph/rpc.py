"""What a MAIN asks of a REPLICA over the replication port, and the one form of answer (semantics 15.4)."""

from __future__ import annotations

from typing import TypeAlias

from attrs import frozen

from .disk import JsonMap, Transaction


@frozen
class Ping:
    """`FrequentHeartbeat`: is anybody there?  Carries no uuid, so any MAIN may ask (semantics 4.6)."""


@frozen
class SwapMain:
    """`SwapMainUUID`: from now on obey the MAIN with this uuid.  Sent by REGISTER REPLICA only."""

    main_uuid: str


@frozen
class SystemRecovery:
    """Take over users and the identity of the database from MAIN (semantics 2.5, 2.6)."""

    main_uuid: str
    database_uuid: str


@frozen
class Heartbeat:
    """How far are you, and in which epoch was your last commit (semantics 4.4)?

    Attributes:
        main_ldt: MAIN's own last durable timestamp.
    """

    main_uuid: str
    database_uuid: str
    main_ldt: int


@frozen
class PrepareCommit:
    """Apply this transaction, or only prepare it if `two_phase` (semantics 3.4)."""

    main_uuid: str
    database_uuid: str
    transaction: Transaction
    two_phase: bool


@frozen
class FinalizeCommit:
    """Commit or abort the transaction that was prepared under `timestamp` (semantics 3.4)."""

    main_uuid: str
    timestamp: int
    commit: bool


@frozen
class SnapshotStart:
    """A whole copy of the data follows in parts (semantics 4.9); `header` as in `disk.SnapshotBegin`."""

    main_uuid: str
    header: JsonMap


@frozen
class SnapshotChunk:
    """One part of the copy."""

    main_uuid: str
    part: JsonMap


@frozen
class SnapshotFinish:
    """The copy is complete: load it."""

    main_uuid: str


@frozen
class LogChunk:
    """Transactions that the replica lacks, in order (semantics 4.9: WAL files)."""

    main_uuid: str
    database_uuid: str
    transactions: tuple[Transaction, ...]


Request: TypeAlias = (
    Ping
    | SwapMain
    | SystemRecovery
    | Heartbeat
    | PrepareCommit
    | FinalizeCommit
    | SnapshotStart
    | SnapshotChunk
    | SnapshotFinish
    | LogChunk
)


@frozen(kw_only=True)
class Reply:
    """A replica's answer.

    Attributes:
        ok: False if it refuses (wrong MAIN, other database, a gap, a full disk).
        ldt: Its last durable timestamp; 0 if it refuses.
        transactions: How many transactions it committed.
        epoch: The epoch of its last commit (semantics 4.4).
    """

    ok: bool
    ldt: int = 0
    transactions: int = 0
    epoch: str = ""

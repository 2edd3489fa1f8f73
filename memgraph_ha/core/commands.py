"""What a decision may ask for: a closed union. Each command carries what it expects; the adapter checks it again.

Commands of one decision run in order and stop at the first that is not done. Every prefix of them is safe.
The guard and the command travel on the same connection, which is bound to one process (design 5).
"""

from attrs import frozen

from memgraph_ha.core.names import Address, Incarnation, InstanceName, RowName, RunId, Token
from memgraph_ha.core.record import Record
from memgraph_ha.core.topology import Mode, RowStatus, Trigger


@frozen(kw_only=True)
class WriteRecord:
    """Compare-and-set the record, then read it back.

    Attributes:
        expected: The version it must still have; None creates it and fails if there is one.
        record: The new value.
    """

    expected: Token | None
    record: Record


@frozen(kw_only=True)
class StopInstance:
    """End a process by the strongest means at hand, if it is still this incarnation.

    Attributes:
        instance: Whose process.
        incarnation: Which life of it; another one is left alone.
        generation: The reign it is for.
    """

    instance: InstanceName
    incarnation: Incarnation
    generation: int


@frozen(kw_only=True)
class Promote:
    """``SET REPLICATION ROLE TO MAIN``, if it is still this run and a REPLICA. The role is read back.

    Attributes:
        instance: Whom.
        run: The run that was chosen.
        generation: The reign it is for, as read back from the record.
    """

    instance: InstanceName
    run: RunId
    generation: int


@frozen(kw_only=True)
class Demote:
    """``SET REPLICATION ROLE TO REPLICA WITH PORT port``, if it is still this run and MAIN. Read back.

    Attributes:
        instance: Whom.
        run: The run that was seen MAIN.
        generation: The reign in which it is none.
        port: Where it listens for MAIN's replication.
    """

    instance: InstanceName
    run: RunId
    generation: int
    port: int


@frozen(kw_only=True)
class CommitNoop:
    """``CREATE (n:X) DELETE n`` on MAIN: makes its epoch durable (Q3) and, with a standby, is the proof (Q18).

    Attributes:
        instance: MAIN.
        run: MAIN's run.
        generation: The reign it is for.
        standby: Whose row and run to read before and after; None to commit only.
        row: The standby's row; None to commit only.
        database_uuid: The uuid that the standby must have to be a witness.
    """

    instance: InstanceName
    run: RunId
    generation: int
    standby: InstanceName | None
    row: RowName | None
    database_uuid: str


@frozen(kw_only=True)
class RegisterReplica:
    """``REGISTER REPLICA row MODE TO address`` on MAIN, then read the rows back.

    Attributes:
        instance: MAIN.
        run: MAIN's run.
        generation: The reign it is for.
        row: The name to register under.
        replica: Whom.
        address: Its replication address.
        mode: ASYNC or STRICT_SYNC; SYNC is never used (mixed with STRICT_SYNC it silently gets nothing).
        database_uuid: The replica must hold this data set, or be empty, asked right before.
        replica_run: The replica must still be this run, asked right before; a restarted one is looked at anew.
    """

    instance: InstanceName
    run: RunId
    generation: int
    row: RowName
    replica: InstanceName
    replica_run: RunId
    address: Address
    mode: Mode
    database_uuid: str


@frozen(kw_only=True)
class DropReplica:
    """``DROP REPLICA row`` on MAIN, if SHOW REPLICAS right before says what makes it safe (transcripts Q5, Q7).

    Attributes:
        instance: MAIN.
        run: MAIN's run.
        generation: The reign it is for.
        row: The row to drop.
        address: The address that it must still have.
        statuses: The statuses in which it may be dropped.
    """

    instance: InstanceName
    run: RunId
    generation: int
    row: RowName
    address: Address
    statuses: frozenset[RowStatus]


@frozen(kw_only=True)
class Quiesce:
    """Wait until MAIN has no transaction but our own (SHOW TRANSACTIONS), then report `QuietSeen`.

    Those still open after ``patience_s`` are ended by TERMINATE TRANSACTIONS (transcripts Q22).

    Attributes:
        instance: MAIN.
        run: MAIN's run.
        generation: The reign it is for.
        patience_s: How long open transactions may take to end by themselves.
    """

    instance: InstanceName
    run: RunId
    generation: int
    patience_s: float


@frozen(kw_only=True)
class RestoreUsers:
    """``CREATE USER IF NOT EXISTS`` for every account of policy ``users``, the controller's own first.

    The accounts are the adapter's: no password is ever part of a command (design 5, semantics 9).

    Attributes:
        instance: MAIN.
        run: MAIN's run.
        generation: The reign it is for.
    """

    instance: InstanceName
    run: RunId
    generation: int


@frozen(kw_only=True)
class RestoreTriggers:
    """``CREATE TRIGGER`` for each that is not there; then report `TriggersSeen` (transcripts Q21).

    Attributes:
        instance: MAIN.
        run: MAIN's run.
        generation: The reign it is for.
        triggers: Which.
    """

    instance: InstanceName
    run: RunId
    generation: int
    triggers: tuple[Trigger, ...]


@frozen(kw_only=True)
class RebuildInstance:
    """Stop a process, move what it stored aside (dated, never deleted), and start it with nothing.

    Attributes:
        instance: Whose.
        incarnation: Which life of it; another one is left alone.
        generation: The reign it is for.
    """

    instance: InstanceName
    incarnation: Incarnation
    generation: int


InstanceCommand = (
    Promote | Demote | CommitNoop | RegisterReplica | DropReplica | Quiesce | RestoreUsers | RestoreTriggers
)
"""Commands that go over Bolt to the one instance they name."""

Command = WriteRecord | StopInstance | RebuildInstance | InstanceCommand

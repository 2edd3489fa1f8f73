"""What an error text of Memgraph means. Codes say nothing (transcripts, Summary): the message decides.

One table, each line with the versions and the source it was seen in. `classify_error` is total: a text that no
line knows is `ErrorClass.OTHER`.
"""

import enum

from attrs import frozen


class ErrorClass(enum.Enum):
    """What the controller may conclude from an error."""

    NOT_MAIN = "the instance is not MAIN (any more)"
    READ_BACK = "already so, lock busy or failed share one text: read the role back"
    BUSY = "a lock was busy: nothing changed, retry"
    NAME_EXISTS = "a row of this name exists, perhaps half-registered"
    ENDPOINT_EXISTS = "another row has this address"
    DIVERGED = "the replica holds commits that MAIN's history does not cover; a half row stays"
    NOT_PERSISTED = "MAIN could not write the registration to its disk"
    NOT_ACCEPTING = "the target is unreachable or no REPLICA; a half row stays"
    NO_SUCH_ROW = "there is no such row (or the disk failed): read the rows back"
    ABORTED = "a STRICT_SYNC replica did not confirm: rolled back everywhere"
    COMMITTED_LOCALLY = "a SYNC replica did not confirm: committed on MAIN all the same"
    UNAUTHORISED = "wrong user or password: never a sign of death"
    ANALYTICAL = "not in IN_MEMORY_TRANSACTIONAL mode"
    CONFLICT = "a conflicting transaction: retry"
    DISK = "the disk is full or failing"
    SYNTAX = "the server does not know this form of the query"
    OTHER = "unclassified"


@frozen
class MessagePattern:
    """One line of the table.

    Attributes:
        text: A part of the message, as the server sends it.
        meaning: What it stands for.
        versions: In which Memgraph versions it was seen or read.
        source: Where that is written down.
    """

    text: str
    meaning: ErrorClass
    versions: str
    source: str


MESSAGES: tuple[MessagePattern, ...] = (
    MessagePattern("Authentication failure", ErrorClass.UNAUTHORISED, "3.5-3.12", "transcripts Q2; semantics 9.2"),
    MessagePattern("Couldn't set replication role to main!", ErrorClass.READ_BACK, "3.5-3.12", "semantics 2.2"),
    MessagePattern("Couldn't set role to replica!", ErrorClass.READ_BACK, "3.5-3.12", "transcripts Q7a; semantics 2.3"),
    MessagePattern("Replica can't register another replica!", ErrorClass.NOT_MAIN, "3.5-3.12", "semantics 2.4"),
    MessagePattern("Replica can't unregister a replica!", ErrorClass.NOT_MAIN, "3.5-3.12", "semantics 2.7"),
    MessagePattern("should only be run on the main instance", ErrorClass.NOT_MAIN, "3.5-3.12", "transcripts Q1"),
    MessagePattern("forbidden on the replica", ErrorClass.NOT_MAIN, "3.5-3.12", "transcripts Q8; semantics 7"),
    MessagePattern("Cannot commit because instance is not main", ErrorClass.NOT_MAIN, "3.5-3.12", "transcripts Q7a"),
    MessagePattern("Error: 1", ErrorClass.NAME_EXISTS, "3.5-3.12", "semantics 2.4"),
    MessagePattern("Error: 2", ErrorClass.ENDPOINT_EXISTS, "3.5-3.12", "semantics 2.4"),
    MessagePattern("Error: 3", ErrorClass.DIVERGED, "3.5-3.12", "transcripts Q10, Q11; semantics 2.4"),
    MessagePattern("Error: 4", ErrorClass.NOT_PERSISTED, "3.5-3.12", "semantics 2.4"),
    MessagePattern("Error: 5", ErrorClass.NOT_ACCEPTING, "3.5-3.12", "transcripts Summary; semantics 2.4"),
    MessagePattern("Error: 6", ErrorClass.BUSY, "3.5-3.12", "transcripts Q8, Q9"),
    MessagePattern("lack of unique access", ErrorClass.BUSY, "3.5-3.12", "transcripts Q4, Q7"),
    MessagePattern("Multiple concurrent system queries", ErrorClass.BUSY, "3.5-3.12", "semantics 2.0"),
    MessagePattern("Failed to unregister the replica", ErrorClass.NO_SUCH_ROW, "3.5-3.12", "semantics 2.7"),
    MessagePattern("STRICT_SYNC replica", ErrorClass.ABORTED, "3.5-3.12", "transcripts Q4, Q18; semantics 3.3"),
    MessagePattern("aborted on all instances", ErrorClass.ABORTED, "3.5-3.12", "semantics 3.3"),
    MessagePattern("SYNC replica", ErrorClass.COMMITTED_LOCALLY, "3.5-3.12", "transcripts Summary; semantics 3.3"),
    MessagePattern("requires IN_MEMORY_TRANSACTIONAL mode", ErrorClass.ANALYTICAL, "3.5-3.12", "semantics 2.0"),
    MessagePattern("in analytical storage mode", ErrorClass.ANALYTICAL, "after 3.12", "semantics 2.4"),
    MessagePattern("Cannot resolve conflicting transactions", ErrorClass.CONFLICT, "3.5-3.12", "transcripts Q22"),
    MessagePattern("No space left on device", ErrorClass.DISK, "3.5-3.12", "errno ENOSPC"),
    MessagePattern("Input/output error", ErrorClass.DISK, "3.5-3.12", "errno EIO"),
    MessagePattern("Read-only file system", ErrorClass.DISK, "3.5-3.12", "errno EROFS"),
    MessagePattern("Disk quota exceeded", ErrorClass.DISK, "3.5-3.12", "errno EDQUOT"),
    MessagePattern("Error on line", ErrorClass.SYNTAX, "3.5-3.12", "semantics 8 (SHOW STORAGE INFO ON ...)"),
)
"""Looked through in order; the first text that the message holds decides (STRICT_SYNC before SYNC)."""


def classify_error(message: str) -> ErrorClass:
    """Say what an error message of Memgraph means for the controller.

    Args:
        message: The text as it came over Bolt.

    Returns:
        The meaning of the first line of `MESSAGES` whose text occurs in the message, else ``OTHER``.
    """
    return next((line.meaning for line in MESSAGES if line.text in message), ErrorClass.OTHER)

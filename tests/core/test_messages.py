"""What an error text means: each line of the table against lines that a real 3.6.1 server sent.

`RECORDED` quotes the recordings word for word, with where they stand. A line of the table that no recording holds
rests on the source reading, and is listed as such.
"""

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.core.messages import MESSAGES, ErrorClass, classify_error

RECORDED = [
    ("Authentication failure", ErrorClass.UNAUTHORISED, "Q2"),
    ("Couldn't set replication role to main!", ErrorClass.READ_BACK, "official, main with a replica"),
    ("Couldn't set role to replica!", ErrorClass.READ_BACK, "official, repeat on replica; Q7a under load"),
    ("Replica can't register another replica!", ErrorClass.NOT_MAIN, "official, run on a replica"),
    (
        (
            "Replica can't unregister a replica! Please rerun the query on main in order to unregister a "
            "replica from the cluster."
        ),
        ErrorClass.NOT_MAIN,
        "official, on a replica",
    ),
    ("Show replicas query should only be run on the main instance.", ErrorClass.NOT_MAIN, "official, on a replica; Q1"),
    (
        (
            "Write queries are forbidden on the replica instance. Replica instances accept only read "
            "queries, while the main instance accepts read and write queries. Please retry your query on the "
            "main instance."
        ),
        ErrorClass.NOT_MAIN,
        "Q8",
    ),
    (
        (
            "Query forbidden on the replica! Update on MAIN, as it is the only source of truth for "
            "authentication data. MAIN will then replicate the update to connected REPLICAs"
        ),
        ErrorClass.NOT_MAIN,
        "Q2, official",
    ),
    (
        "Query forbidden on the replica! Switch role to MAIN and update user data, then switch back to REPLICA.",
        ErrorClass.NOT_MAIN,
        "Q2, community",
    ),
    ("Cannot commit because instance is not main anymore.", ErrorClass.NOT_MAIN, "Q7a, Q8"),
    ("Couldn't register replica r1. Error: 1", ErrorClass.NAME_EXISTS, "official, same name"),
    ("Couldn't register replica r1b. Error: 2", ErrorClass.ENDPOINT_EXISTS, "official, same endpoint"),
    ("Couldn't register replica r0. Error: 3", ErrorClass.DIVERGED, "Q3, Q10; official, DIVERGED old main"),
    ("Couldn't register replica r9. Error: 5", ErrorClass.NOT_ACCEPTING, "official, nothing listens there"),
    ("Couldn't register replica r0. Error: 6", ErrorClass.BUSY, "Q9"),
    (
        "Failed to unregister replica due to lack of unique access over the cluster state. Please try again later on.",
        ErrorClass.BUSY,
        "Q4, Q7",
    ),
    ("Multiple concurrent system queries are not supported.", ErrorClass.BUSY, "oss, demotion during a stall"),
    ("Failed to unregister the replica nope.", ErrorClass.NO_SUCH_ROW, "official, unknown name"),
    (
        (
            "At least one STRICT_SYNC replica has not confirmed committing last transaction. Transaction "
            "will be aborted on all instances."
        ),
        ErrorClass.ABORTED,
        "Q4, Q12, Q18",
    ),
    (
        "At least one SYNC replica has not confirmed committing last transaction.",
        ErrorClass.COMMITTED_LOCALLY,
        "official, write while the replica is dead",
    ),
    (
        "Error on line 1 position 21. The underlying parsing error is missing {ASYNC, STRICT_SYNC, SYNC} at 'TO'",
        ErrorClass.SYNTAX,
        "official, no mode",
    ),
]

READ_IN_THE_SOURCE = {
    "Error: 4",
    "requires IN_MEMORY_TRANSACTIONAL mode",
    "in analytical storage mode",
    "Cannot resolve conflicting transactions",
    "No space left on device",
    "Input/output error",
    "Read-only file system",
    "Disk quota exceeded",
}
"""Lines of the table that no recording shows: semantics 2, 3.12's successor, or the operating system."""


@pytest.mark.parametrize(("message", "meaning", "_where"), RECORDED, ids=[where for _m, _c, where in RECORDED])
def test_recorded_messages_mean_what_they_did(message: str, meaning: ErrorClass, _where: str) -> None:
    """A text word for word from the recordings is classified by what had happened there."""
    assert classify_error(message) is meaning


def test_every_line_of_the_table_is_held_by_a_recording_or_named_as_read() -> None:
    """No line rests on a guess: each occurs in a recorded text, or stands in the list of those that were read."""
    unheld = {line.text for line in MESSAGES if not any(line.text in message for message, _meaning, _where in RECORDED)}
    assert unheld == READ_IN_THE_SOURCE


@pytest.mark.parametrize(
    ("message", "meaning"),
    [
        ("Couldn't register replica m1_7. Error: 4", ErrorClass.NOT_PERSISTED),
        ("Replication query requires IN_MEMORY_TRANSACTIONAL mode.", ErrorClass.ANALYTICAL),
        (
            "Couldn't unregister replica m1_7 because a database is in analytical storage mode.",
            ErrorClass.ANALYTICAL,
        ),
        (
            (
                "Cannot resolve conflicting transactions. You can retry this transaction when the conflicting "
                "transaction is finished."
            ),
            ErrorClass.CONFLICT,
        ),
        ("[Errno 28] No space left on device", ErrorClass.DISK),
        ("Transaction will be aborted on all instances.", ErrorClass.ABORTED),
    ],
)
def test_messages_read_in_the_source_are_classified(message: str, meaning: ErrorClass) -> None:
    """Texts that 3.6.1 did not happen to send."""
    assert classify_error(message) is meaning


def test_strict_sync_is_told_apart_from_sync() -> None:
    """One was rolled back everywhere, the other is committed on MAIN: the longer word is looked for first."""
    texts = [line.text for line in MESSAGES]
    assert texts.index("STRICT_SYNC replica") < texts.index("SYNC replica")
    assert classify_error("At least one STRICT_SYNC replica has not confirmed") is ErrorClass.ABORTED
    assert classify_error("At least one SYNC replica has not confirmed") is ErrorClass.COMMITTED_LOCALLY


def test_a_busy_lock_is_told_apart_from_a_missing_row() -> None:
    """Both begin with `Failed to unregister`: one is to be repeated, the other to be read back."""
    assert classify_error("Failed to unregister the replica m1_7.") is ErrorClass.NO_SUCH_ROW
    assert classify_error("Failed to unregister replica due to lack of unique access") is ErrorClass.BUSY


@given(st.text())
def test_any_text_is_classified(message: str) -> None:
    """Classifying is total, and what no line knows is OTHER."""
    expected = next((line.meaning for line in MESSAGES if line.text in message), ErrorClass.OTHER)
    assert classify_error(message) is expected


def test_every_line_has_a_source_and_versions() -> None:
    """The reference is made from the table."""
    assert all(line.source and line.versions and line.text for line in MESSAGES)
    assert len({line.text for line in MESSAGES}) == len(MESSAGES)

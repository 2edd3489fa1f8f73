"""Writes on MAIN while its replica is dead or frozen (raw recording f)."""

from __future__ import annotations

import time

import neo4j
import pytest
from neo4j.exceptions import ClientError

from tests.conformance import expected
from tests.conformance.answers import Refusal
from tests.conformance.questions import holds
from tests.conformance.servers import Servers, until

SYNC = Refusal.transient(expected.SYNC_UNCONFIRMED)
STRICT = Refusal.transient(expected.STRICT_ABORTED)


@pytest.mark.parametrize(
    ("mode", "refusal", "kept"),
    [("SYNC", SYNC, 2), ("STRICT_SYNC", STRICT, 0), pytest.param("ASYNC", None, 2, marks=pytest.mark.slow)],
)
@holds("S.dead-write", "S.codes", "S.stale-back", "R.f")
def test_writes_with_a_dead_replica(servers: Servers, mode: str, refusal: Refusal | None, kept: int) -> None:
    """SYNC errs and commits, STRICT_SYNC errs and rolls back, ASYNC goes on; back again all is level."""
    main, replica = servers.pair(mode)
    replica.kill()
    before = time.monotonic()
    assert main.refusal("CREATE (:W1)") == refusal
    assert main.refusal("CREATE (:W2)") == refusal
    assert time.monotonic() - before < 3
    assert main.count("W1") + main.count("W2") == kept
    until("the row", lambda: main.status("b"), lambda status: status == "invalid")
    replica.start()
    assert main.until_status("b", "ready", 10) < 10
    assert replica.count() == main.count() == kept
    assert main.refusal("CREATE (:W3)") is None
    until("the replica", replica.count, lambda count: count == kept + 1)


@holds("S.client-error-at-commit", "R.f-explicit")
def test_the_same_failure_is_a_client_error_at_commit(servers: Servers) -> None:
    """From COMMIT of an explicit transaction it is a ClientError, so `execute_write` tries once; it is applied once."""
    main, replica = servers.pair("SYNC")
    replica.kill()
    attempts = 0

    def create(transaction: neo4j.ManagedTransaction) -> None:
        nonlocal attempts
        attempts += 1
        transaction.run("CREATE (:Managed)").consume()

    with main.driver(max_transaction_retry_time=5) as driver, driver.session() as session:
        transaction = session.begin_transaction()
        transaction.run("CREATE (:T)").consume()
        with pytest.raises(ClientError) as by_hand:
            transaction.commit()
        with pytest.raises(ClientError) as managed:
            session.execute_write(create)
    for caught in (by_hand, managed):
        assert Refusal.of(caught.value) == Refusal.client(expected.SYNC_UNCONFIRMED)
    assert (attempts, main.count("T"), main.count("Managed")) == (1, 1, 1)


@pytest.mark.parametrize(
    ("mode", "refusal", "indexes"), [pytest.param("SYNC", SYNC, 1, marks=pytest.mark.slow), ("STRICT_SYNC", STRICT, 0)]
)
@holds("S.schema", "R.f-ddl")
def test_schema_changes_with_a_dead_replica(servers: Servers, mode: str, refusal: Refusal, indexes: int) -> None:
    """An index follows the mode, a constraint stays in both, a trigger is not asked about at all."""
    main, replica = servers.pair(mode)
    replica.kill()
    assert main.refusal("CREATE INDEX ON :N(i)") == refusal
    assert len(main.rows("SHOW INDEX INFO")) == indexes
    assert main.refusal("CREATE CONSTRAINT ON (n:N) ASSERT EXISTS (n.i)") == refusal
    assert main.rows("SHOW CONSTRAINT INFO") == [["exists", "N", "i", ""]]
    trigger = main.ask("CREATE TRIGGER t1 ON CREATE AFTER COMMIT EXECUTE CREATE (:Trig)")
    assert trigger.notes == {"CreateTrigger": "Created trigger t1."}


@holds("S.async-frozen")
def test_async_writes_do_not_wait_for_a_frozen_replica(servers: Servers) -> None:
    """They are acknowledged at once and arrive when it goes on."""
    main, replica = servers.pair("ASYNC")
    replica.freeze()
    before = time.monotonic()
    for _ in range(3):
        assert main.refusal("CREATE (:W)") is None
    assert time.monotonic() - before < 3
    replica.thaw()
    until("the replica", replica.count, lambda count: count == 3)

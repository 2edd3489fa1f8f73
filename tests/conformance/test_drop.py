"""DROP REPLICA: when MAIN survives it, and when it does not (Q4, Q5, Q7)."""

from __future__ import annotations

import signal
import time

import pytest
from neo4j.exceptions import DriverError, Neo4jError

from tests.conformance import expected
from tests.conformance.load import Load, background
from tests.conformance.questions import holds
from tests.conformance.servers import Refusal, Server, Servers

MANY = "UNWIND range(1, 60000) AS i CREATE (:N {i: i})"


def _retried(server: Server, query: str, busy: str) -> None:
    """Send a command until it is not refused as busy."""
    for _ in range(200):
        refusal = server.refusal(query)
        if refusal is None:
            return
        assert refusal == Refusal.client(busy)
        time.sleep(0.02)
    raise AssertionError(f"{query}: still busy")


@holds("Q5", "S:drop")
def test_drop_during_recovery_kills_main_and_the_row_is_gone_afterwards(servers: Servers) -> None:
    """SIGSEGV, 81 of 81; MAIN comes back with its data and without the row."""
    hazards = servers.hazards("always")
    main, replica = servers.start("a", *hazards), servers.start("b")
    replica.demote()
    main.ask(MANY)
    main.ask(main.registration(replica, "ASYNC"))
    assert main.status("b") == "recovery", "the recovery was over too soon to test anything: give MANY more"
    with pytest.raises((DriverError, Neo4jError)):
        main.ask("DROP REPLICA b")
    assert main.running.wait(30) == -signal.SIGSEGV
    main.start()
    assert (main.role(), main.count(), main.rows("SHOW REPLICAS")) == ("main", 60_000, [])


@pytest.mark.parametrize(
    "state", [pytest.param("ready", marks=pytest.mark.slow), "killed", pytest.param("half", marks=pytest.mark.slow)]
)
@holds("Q4", "Q5", "Q7", "S:drop")
def test_drop_is_safe_without_load(servers: Servers, state: str) -> None:
    """Of a `ready`, an `invalid` dead and a half row; MAIN lives and the next write succeeds."""
    hazards = servers.hazards("always")
    main, replica = servers.start("a", *hazards), servers.start("b")
    if state == "half":
        assert main.refusal(main.registration(replica, "STRICT_SYNC")) is not None
    else:
        replica.demote()
        main.register(replica, "STRICT_SYNC")
    if state == "killed":
        replica.kill()
        main.refusal("CREATE (:N)")
        main.until_status("b", "invalid")
    assert main.refusal("DROP REPLICA b") is None
    assert main.refusal("CREATE (:N)") is None
    assert main.alive


@pytest.mark.slow
@holds("Q7", "Q8", "Q12")
def test_drop_of_a_live_async_row_under_load_ends_mains_service(servers: Servers) -> None:
    """SIGSEGV or hung for ever, in 10 of 10 tries of the official build; a restart brings it back without the row.

    A real server is tried up to ten times, as it may survive; the fake's chances are forced.
    """
    for attempt in range(10):
        main, replica = _named_pair(servers, f"m{attempt}", f"r{attempt}")
        load = Load(main, writers=8)
        with load, background() as pool:
            drop = pool.submit(main.refusal, f"DROP REPLICA {replica.name}")
            ended = _ended(main, drop.done)
            main.running.kill()
            main.running.wait(30)
            drop.exception(30)
        main.start()
        assert (main.role(), main.rows("SHOW REPLICAS")) == ("main", [])
        assert load.missing(main) == set()
        if ended:
            return
    raise AssertionError("MAIN survived ten DROPs of a live ASYNC row under load")


def _named_pair(servers: Servers, main_name: str, replica_name: str) -> tuple[Server, Server]:
    main = servers.start(main_name, *servers.hazards("always"))
    replica = servers.start(replica_name)
    replica.demote()
    main.register(replica, "ASYNC")
    return main, replica


def _ended(main: Server, answered: object) -> bool:
    """Return whether MAIN crashed, or has not answered a role query 8 s after the DROP (7d's criterion)."""
    assert callable(answered)
    deadline = time.monotonic() + 8
    while time.monotonic() < deadline:
        if not main.alive:
            return True
        if answered():
            return False
        time.sleep(0.05)
    return True


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["SYNC", "STRICT_SYNC"])
@holds("Q7")
def test_drop_of_a_sync_row_under_load_is_safe(servers: Servers, mode: str) -> None:
    """20 of 20 without harm, after a busy refusal now and then."""
    main, _ = servers.pair(mode, *servers.hazards("always"))
    with Load(main, writers=8) as load:
        _retried(main, "DROP REPLICA b", expected.DROP_BUSY)
        load.until_more()
    assert main.alive
    assert load.missing(main) == set()


@pytest.mark.slow
@holds("Q7", "S:register")
def test_register_under_load_may_be_busy_and_leaves_nothing_then(servers: Servers) -> None:
    """Error 6 is for trying again, anything else is success; once the load ends the row is `ready`."""
    main, _ = servers.pair("STRICT_SYNC")
    third = servers.start("c")
    third.demote()
    with Load(main, writers=8) as load:
        _retried(main, main.registration(third, "ASYNC"), expected.cannot_register("c", 6))
        load.until_more()
    main.until_status("c", "ready", 30)
    assert load.missing(main) == load.missing(third) == set()


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["SYNC", "STRICT_SYNC"])
@holds("Q5")
def test_a_demotion_during_recovery_waits_and_never_crashes(servers: Servers, mode: str) -> None:
    """41 of 41: the way to clear all rows without DROP."""
    main, replica = servers.start("a", *servers.hazards("always")), servers.start("b")
    replica.demote()
    main.ask(MANY)
    main.ask(main.registration(replica, mode))
    assert main.refusal(main.demotion) is None
    assert main.alive
    main.promote()
    assert (main.rows("SHOW REPLICAS"), main.count()) == ([], 60_000)

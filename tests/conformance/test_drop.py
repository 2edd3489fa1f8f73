"""DROP REPLICA without load: when MAIN survives it, and when it does not (Q4, Q5)."""

from __future__ import annotations

import signal
import time

import pytest
from neo4j.exceptions import DriverError, Neo4jError

from tests.conformance.load import MANY_NODES, background, recovering, timed
from tests.conformance.questions import holds
from tests.conformance.servers import Servers


@pytest.mark.parametrize(
    ("build", "mode"),
    [
        ("official", "ASYNC"),
        pytest.param("official", "STRICT_SYNC", marks=pytest.mark.slow),
        pytest.param("community", "SYNC", marks=pytest.mark.slow),
    ],
)
@holds("Q5.crash", "Q5.afterwards", "S.drop-crash")
def test_drop_during_recovery_kills_main_and_the_row_is_gone_afterwards(
    servers: Servers, build: str, mode: str
) -> None:
    """SIGSEGV, 81 of 81; MAIN comes back with its data and without the row, the replica keeps what it got."""
    main, replica = recovering(servers, mode, *servers.edition(build))
    with pytest.raises((DriverError, Neo4jError)):
        main.ask("DROP REPLICA b")
    assert main.running.wait(30) == -signal.SIGSEGV
    main.start()
    assert (main.role(), main.count(), main.rows("SHOW REPLICAS")) == ("main", MANY_NODES, [])
    assert (replica.alive, replica.role()) == (True, "replica")


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["STRICT_SYNC", "ASYNC"])
@holds("Q5.killed")
def test_drop_is_safe_once_the_killed_replica_is_invalid(servers: Servers, mode: str) -> None:
    """Killed in its recovery, the row is `invalid` after 0 to 0.4 s, and DROP takes milliseconds: 21 of 21."""
    main, replica = recovering(servers, mode)
    replica.kill()
    main.until_status("b", "invalid", 5)
    before = time.monotonic()
    assert main.refusal("DROP REPLICA b") is None
    assert time.monotonic() - before < 2
    assert (main.alive, main.rows("SHOW REPLICAS")) == (True, [])


@pytest.mark.slow
@holds("Q5.frozen")
def test_a_frozen_recovery_is_invalid_after_30_s_and_its_drop_takes_5_s(servers: Servers) -> None:
    """The row says `recovery` till then; DROP then waits for the ping: 10 of 10 safe."""
    main, replica = recovering(servers, "STRICT_SYNC")
    replica.freeze()
    before = time.monotonic()
    main.until_status("b", "invalid", 70)
    assert time.monotonic() - before > 25
    with background() as pool:
        took, refused = timed(pool, main, "DROP REPLICA b").result(30)
    assert (refused, 3 < took < 8) == (None, True)
    assert main.alive


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["SYNC", "STRICT_SYNC", "ASYNC"])
@holds("Q5.flapping", "R.e2")
def test_drop_is_safe_while_recoveries_of_an_impostor_fail(servers: Servers, mode: str) -> None:
    """An empty instance on the port obeys nobody: DROP at any moment is harmless, 19 of 19."""
    main, replica = servers.pair(mode, *servers.hazards("always"))
    main.ask("CREATE (:N)")
    replica.kill()
    replica.wipe()
    replica.start()
    replica.demote()
    main.refusal("CREATE (:N)")
    time.sleep(0.3)  # two writers a moment ago are load, under which DROP of an ASYNC row is not harmless (Q7e)
    assert main.refusal("DROP REPLICA b") is None
    assert main.alive


@pytest.mark.parametrize(
    "state",
    [
        pytest.param("ready", marks=pytest.mark.slow),
        "killed",
        pytest.param("killed just now", marks=pytest.mark.slow),
        pytest.param("half", marks=pytest.mark.slow),
    ],
)
@holds("Q4.drop-dead", "Q4.drop-just-killed", "Q5.ready", "S.drop-safe")
def test_drop_is_safe_without_load(servers: Servers, state: str) -> None:
    """Of a `ready`, an `invalid` or not yet `invalid` dead and a half row; MAIN lives, the next write succeeds."""
    hazards = servers.hazards("always")
    main, replica = servers.two(*hazards)
    if state == "half":
        assert main.refusal(main.registration(replica, "STRICT_SYNC")) is not None
    else:
        replica.demote()
        main.register(replica, "STRICT_SYNC")
    if state == "killed just now":
        replica.kill()
    if state == "killed":
        replica.kill()
        main.refusal("CREATE (:N)")
        main.until_status("b", "invalid")
    assert main.refusal("DROP REPLICA b") is None
    assert main.refusal("CREATE (:N)") is None
    assert main.alive


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["SYNC", "STRICT_SYNC"])
@holds("Q5.demotion")
def test_a_demotion_during_recovery_waits_and_never_crashes(servers: Servers, mode: str) -> None:
    """41 of 41: the way to clear all rows without DROP."""
    main, _ = recovering(servers, mode)
    assert main.refusal(main.demotion) is None
    assert main.alive
    main.promote()
    assert (main.rows("SHOW REPLICAS"), main.count()) == ([], MANY_NODES)

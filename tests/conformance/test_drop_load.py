"""DROP REPLICA while clients write: the table of Q7d, and what a MAIN that hangs for ever still answers (Q7j)."""

from __future__ import annotations

import contextlib
import socket
import time
from collections.abc import Iterator
from concurrent.futures import Future, ThreadPoolExecutor

import pytest

from tests.conformance import expected, raw_bolt
from tests.conformance.answers import Refusal
from tests.conformance.load import Load, background, insist
from tests.conformance.questions import holds
from tests.conformance.servers import HOST, Server, Servers, until

# A real server may survive a DROP of an ASYNC row under load, and the fake draws crash or hang from its seed.
ATTEMPTS = 10
# 7d's criterion of "hung for ever".
HUNG_S = 8.0


def _with_async_row(servers: Servers, attempt: int, *, beside: str = "") -> tuple[Server, Server, Server | None]:
    """Return a MAIN, its ASYNC replica and, if asked for, another one in the mode `beside`."""
    seed = (f"--fake-seed={attempt}",) if servers.fake else ()
    main = servers.start(f"m{attempt}", *servers.hazards("always"), *seed)
    rows = [(servers.start(f"r{attempt}"), "ASYNC")]
    if beside:
        rows.append((servers.start(f"s{attempt}"), beside))
    for replica, mode in rows:
        replica.demote()
        main.register(replica, mode)
    return main, rows[0][0], rows[1][0] if beside else None


@contextlib.contextmanager
def _killed_at_the_end(main: Server) -> Iterator[None]:
    """Kill MAIN whatever happens: else the threads that ask it would be waited for in vain."""
    try:
        yield
    finally:
        main.running.kill()
        main.running.wait(30)


def _dropped(pool: ThreadPoolExecutor, main: Server, replica: Server) -> Future[None]:
    """Send the DROP until it is not refused as busy."""
    return pool.submit(insist, main, f"DROP REPLICA {replica.name}", expected.DROP_BUSY)


def _ended(main: Server, drop: Future[None]) -> bool:
    """Return whether MAIN crashed, or has not answered the DROP for so long that it never will."""
    deadline = time.monotonic() + HUNG_S
    while time.monotonic() < deadline:
        if not main.alive:
            return True
        if drop.done():
            error = drop.exception()
            if error is None:
                return False
            if isinstance(error, AssertionError):
                raise error  # a refusal that was never recorded
        time.sleep(0.05)
    return True


@pytest.mark.slow
@pytest.mark.parametrize("beside", ["", "STRICT_SYNC"])
@holds("Q7.drop-async", "Q7.drop-async-beside", "Q7.restart", "Q8.as-asked", "Q12.drop")
def test_drop_of_a_live_async_row_under_load_ends_mains_service(servers: Servers, beside: str) -> None:
    """SIGSEGV or hung for ever; a restart brings MAIN back with all it acknowledged and without the row.

    10 of 10 on the official build, 8 of 10 with a STRICT_SYNC row beside, which is `ready` again at once.
    """
    for attempt in range(ATTEMPTS):
        main, replica, other = _with_async_row(servers, attempt, beside=beside)
        with Load(main, writers=8) as load, background() as pool, _killed_at_the_end(main):
            ended = _ended(main, _dropped(pool, main, replica))
        main.start()
        assert (main.role(), [row[0] for row in main.rows("SHOW REPLICAS")]) == ("main", [other.name] if other else [])
        if other:
            main.until_status(other.name, "ready", 10)
        assert load.missing(main) == set()
        if ended:
            return
    raise AssertionError(f"MAIN survived {ATTEMPTS} DROPs of a live ASYNC row under load")


@pytest.mark.slow
@holds("Q7.hung")
def test_what_a_main_that_hangs_for_ever_still_answers(servers: Servers) -> None:
    """SHOW VERSION, until SHOW REPLICATION ROLE has the one worker that is left; then not even HELLO."""
    for attempt in range(ATTEMPTS):
        main, replica, _ = _with_async_row(servers, attempt)
        with Load(main, writers=8) as load, background() as pool, _killed_at_the_end(main):
            hung = _ended(main, _dropped(pool, main, replica)) and main.alive
            if hung:
                load.stop()
                _dies_by_inches(main)
        if hung:
            return
    raise AssertionError(f"no DROP of {ATTEMPTS} hung")


def _dies_by_inches(main: Server) -> None:
    with contextlib.ExitStack() as stack:
        first, second, third = (stack.enter_context(raw_bolt.connected(main)) for _ in range(3))
        for each in (first, second, third):
            each.settimeout(2)
        for each in (first, second):
            raw_bolt.logged_in(each)
        assert raw_bolt.run(first, "SHOW VERSION")[1].startswith(raw_bolt.SUCCESS)
        with pytest.raises(TimeoutError):
            raw_bolt.run(second, "SHOW REPLICATION ROLE")
        with pytest.raises(TimeoutError):
            raw_bolt.logged_in(third)
        socket.create_connection((HOST, main.bolt), timeout=2).close()
    assert main.alive


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["SYNC", "STRICT_SYNC"])
@pytest.mark.parametrize("dead", [False, True], ids=["live", "dead"])
@holds("Q7.drop-sync", "Q7.drop-busy", "Q4.drop-dead-load")
def test_drop_of_a_sync_row_under_load_is_safe(servers: Servers, mode: str, *, dead: bool) -> None:
    """30 of 30 live and 20 of 20 dead without harm, after a busy refusal now and then."""
    main, replica = servers.pair(mode, *servers.hazards("always"))
    with Load(main, writers=8) as load:
        if dead:
            replica.kill()
            main.until_status("b", "invalid", 10)
        insist(main, "DROP REPLICA b", expected.DROP_BUSY)
        load.until_more()
    assert main.alive
    assert load.missing(main) == set()


@pytest.mark.slow
@pytest.mark.parametrize("error", [3, 5])
@holds("Q7.drop-half")
def test_drop_of_a_half_row_under_load_is_safe(servers: Servers, error: int) -> None:
    """30 of 30, whichever error left it."""
    main, replica = servers.two(*servers.hazards("always"))
    if error == 3:
        replica.demote()
        main.register(replica, "ASYNC")
        main.ask("DROP REPLICA b")
        replica.promote()
        replica.ask("CREATE (:Own)")
        replica.demote()
    assert main.refusal(main.registration(replica, "ASYNC")) == Refusal.client(expected.cannot_register("b", error))
    with Load(main, writers=8) as load:
        insist(main, "DROP REPLICA b", expected.DROP_BUSY)
        load.until_more()
    assert main.alive
    assert load.missing(main) == set()


@pytest.mark.slow
@pytest.mark.parametrize("pause", ["20 ms between writes", "no writes for 0.3 s"])
@holds("Q7.drop-paused", "Q7.drop-slow-writer")
def test_drop_of_an_async_row_is_safe_when_writers_pause(servers: Servers, pause: str) -> None:
    """One writer that pauses 20 ms, or eight that pause before and during the DROP: 40 of 40."""
    main, replica = servers.pair("ASYNC", *servers.hazards("always"))
    one = pause.startswith("20 ms")
    with Load(main, writers=1 if one else 8, pause_s=0.02 if one else 0.0) as load:
        if not one:
            load.stop()
            time.sleep(0.3)  # the pause asked for
        insist(main, "DROP REPLICA b", expected.DROP_BUSY)
        if one:
            load.until_more()
    assert main.alive
    assert main.refusal("CREATE (:After)") is None
    assert load.missing(main) == set()
    assert replica.alive


@pytest.mark.slow
@holds("Q7.register", "S.error-6")
def test_register_under_load_may_be_busy_and_leaves_nothing_then(servers: Servers) -> None:
    """Error 6 is for trying again, anything else is success; once the load ends the row is `ready`."""
    main, _ = servers.pair("STRICT_SYNC")
    third = servers.start("c")
    third.demote()
    with Load(main, writers=8) as load:
        insist(main, main.registration(third, "ASYNC"), expected.cannot_register("c", 6))
        load.until_more()
    main.until_status("c", "ready", 30)
    until("c", lambda: load.missing(third), lambda missing: missing == set(), 10)
    assert load.missing(main) == set()

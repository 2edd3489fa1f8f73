"""Switchover and failover by hand under load, with the ledger (Q7, Q8, Q9, Q12)."""

from __future__ import annotations

import time

import pytest

from tests.conformance import expected
from tests.conformance.answers import Refusal
from tests.conformance.load import Load, insist
from tests.conformance.questions import holds
from tests.conformance.servers import NOOP, Server, Servers, until


def _register(main: Server, replica: Server, mode: str) -> None:
    insist(main, main.registration(replica, mode), expected.cannot_register(replica.name, 6))


def _level(load: Load, main: Server, *replicas: Server) -> None:
    """Nothing that was acknowledged is missing anywhere, and all rows are `ready`."""
    for replica in replicas:
        main.until_status(replica.name, "ready")
        until(replica.name, replica.count, lambda count: count == main.count())
    for server in (main, *replicas):
        assert load.missing(server) == set()


@holds("Q8.clean", "Q8.promote", "Q8.errors", "Q7.demote")
def test_a_switchover_loses_nothing(servers: Servers) -> None:
    """Demote 0, promote 1, register 0 STRICT_SYNC and 2 ASYNC; writers never pause."""
    old, new, third = servers.cluster({"b": "STRICT_SYNC", "c": "ASYNC"})
    with Load(old) as load:
        insist(old, old.demotion, expected.CANNOT_DEMOTE)
        before = time.monotonic()
        new.promote()
        assert 0.1 < time.monotonic() - before < 3
        _register(new, old, "STRICT_SYNC")
        _register(new, third, "ASYNC")
        load.target = new
        load.until_more()
    assert load.refusals <= {expected.WRITE_ON_REPLICA, expected.NOT_MAIN_ANYMORE, expected.STRICT_ABORTED}
    _level(load, new, old, third)


@pytest.mark.parametrize("protection", ["CREATE SNAPSHOT", pytest.param(NOOP, marks=pytest.mark.slow)])
@holds("Q9.lost", "Q9.diverged", "Q9.unknown", "Q9.busy", "R.x4")
def test_a_failover_loses_nothing(servers: Servers, protection: str) -> None:
    """Kill 0 under load, promote 1, register 2 ASYNC, restart 0 with the init file, register 0.

    In 1 of 120 real runs the old MAIN held a write that nobody was told of: Error 3, then it is wiped.
    """
    old, new, third = servers.cluster({"b": "STRICT_SYNC", "c": "ASYNC"})
    with Load(old) as load:
        old.kill()
        new.promote()
        new.ask(protection)
        load.target = new
        _register(new, third, "ASYNC")
        old.start(old.init_file())
        refusal = new.refusal(new.registration(old, "STRICT_SYNC"))
        if refusal == Refusal.client(expected.cannot_register("a", 3)):
            old.kill()
            old.wipe()
            old.start(old.init_file())
            insist(new, "DROP REPLICA a", expected.DROP_BUSY)
        if refusal is not None:
            _register(new, old, "STRICT_SYNC")
        load.until_more()
    _level(load, new, old, third)
    assert len(load.unacknowledged(new)) <= 2 * load.writers


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["ASYNC", "SYNC", "STRICT_SYNC"])
@holds("Q12.there-and-back", "Q7.demote")
def test_there_and_back_changes_the_mode_under_load(servers: Servers, mode: str) -> None:
    """Demote and promote MAIN itself and register anew: 15 of 15 clean, where DROP killed 26 of 30."""
    main, replica = servers.pair(mode, *servers.hazards("always"))
    with Load(main, writers=8) as load:
        insist(main, main.demotion, expected.CANNOT_DEMOTE)
        main.promote()
        main.ask("CREATE SNAPSHOT")
        _register(main, replica, "STRICT_SYNC")
        load.until_more()
    assert main.alive
    assert main.rows("SHOW REPLICAS")[0][2] == "strict_sync"
    _level(load, main, replica)


@pytest.mark.slow
@holds("Q7.promote-strict", "Q7.promote")
def test_a_promotion_beside_a_living_main_may_lose_one_write_and_no_more(servers: Servers) -> None:
    """STRICT_SYNC: at most one acknowledged write is missing (22 of 40 runs), none is acknowledged later."""
    old, new = servers.pair("STRICT_SYNC")
    with Load(old, writers=8) as load:
        new.promote()
        after = len(load.acknowledged)
        until("the old MAIN's refusal", lambda: set(load.refusals), lambda seen: expected.STRICT_ABORTED in seen)
        time.sleep(0.5)  # the old MAIN gets this long to acknowledge what it must not
        assert len(load.acknowledged) - after <= 1
    missing = load.missing(new)
    assert len(missing) <= 1
    insist(old, old.demotion, expected.CANNOT_DEMOTE)
    refusal = new.refusal(new.registration(old, "STRICT_SYNC"))
    if missing:
        assert refusal == Refusal.client(expected.cannot_register("a", 3))


@pytest.mark.slow
@holds("Q7.promote-sync", "R.n-stream")
def test_a_promotion_beside_a_living_sync_main_loses_nothing(servers: Servers) -> None:
    """0 of 10: what the old MAIN still commits it reports as unconfirmed."""
    old, new = servers.pair("SYNC")
    with Load(old, writers=8) as load:
        new.promote()
        until("the old MAIN's refusal", lambda: set(load.refusals), lambda seen: expected.SYNC_UNCONFIRMED in seen)
    assert load.missing(new) == set()
    assert load.refusals == {expected.SYNC_UNCONFIRMED}
    assert old.count() > new.count()


@pytest.mark.slow
@holds("Q7.promote-async")
def test_a_promotion_beside_a_living_async_main_splits_the_brain(servers: Servers) -> None:
    """The old MAIN goes on acknowledging writes, which the new one never gets."""
    old, new = servers.pair("ASYNC")
    with Load(old, writers=8) as load:
        new.promote()
        load.until_more(50)
    assert load.refusals == set()
    assert len(load.missing(new)) >= 50


@pytest.mark.slow
@pytest.mark.parametrize("then", ["killed", "thawed"])
@holds("Q7.frozen-killed", "Q7.frozen-thawed")
def test_a_promotion_beside_a_frozen_main(servers: Servers, then: str) -> None:
    """Killed after it: 0 of 40 lost and it registers clean; thawed: 14 of 40 lost one acknowledged write."""
    old, new = servers.pair("STRICT_SYNC")
    with Load(old, writers=8) as load:
        old.freeze()
        new.promote()
        if then == "killed":
            old.kill()
        else:
            time.sleep(1)  # the recorded pause
            old.thaw()
            until("the old MAIN's refusal", lambda: set(load.refusals), lambda seen: expected.STRICT_ABORTED in seen)
        load.stop()
    if then == "thawed":
        assert len(load.missing(new)) <= 1
        return
    assert load.missing(new) == set()
    new.ask(NOOP)
    old.start(old.init_file())
    new.register(old, "STRICT_SYNC")
    assert load.missing(old) == set()

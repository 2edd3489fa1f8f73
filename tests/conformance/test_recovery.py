"""The first recovery of an empty replica: its uuid, a kill, a promotion or writes in the middle (Q13; raw x2, x3)."""

from __future__ import annotations

import pytest

from tests.conformance import expected
from tests.conformance.answers import Refusal
from tests.conformance.load import MANY_NODES, recovering
from tests.conformance.questions import holds
from tests.conformance.servers import Servers


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["STRICT_SYNC", "ASYNC"])
@holds("Q13.early")
def test_an_empty_replica_has_mains_uuid_before_it_has_the_data(servers: Servers, mode: str) -> None:
    """Own uuid, then MAIN's with no or some of the nodes, then all of them and `ready`: 9 of 9."""
    main, replica = recovering(servers, mode)
    mains = main.storage()["database_uuid"]
    seen: list[tuple[str, int]] = []
    with replica.driver() as driver, driver.session() as session:
        while not seen or seen[-1] != (mains, MANY_NODES):
            info = dict(row.values() for row in session.run("SHOW STORAGE INFO"))
            seen.append((info["database_uuid"], info["vertex_count"]))
    early = [count for uuid, count in seen if uuid == mains and count < MANY_NODES]
    assert early, f"never seen before the data was complete, in {len(seen)} looks"
    assert all(count == 0 for uuid, count in seen if uuid != mains)
    main.until_status("b", "ready", 10)


@pytest.mark.slow
@holds("Q13.killed")
def test_a_first_recovery_that_is_cut_short_leaves_nothing(servers: Servers) -> None:
    """Killed in the middle and restarted: own uuid, 0 nodes, still a REPLICA; it begins again by itself: 3 of 3."""
    main, replica = servers.two()
    own = replica.storage()["database_uuid"]
    replica.demote()
    main.ask(f"UNWIND range(1, {MANY_NODES}) AS i CREATE (:N {{i: i}})")
    main.ask(main.registration(replica, "STRICT_SYNC"))
    assert main.status("b") == "recovery"
    replica.kill()
    main.freeze()  # so that nobody refills it while it is looked at
    replica.start()
    assert (replica.role(), replica.count(), replica.storage()["database_uuid"]) == ("replica", 0, own)
    main.thaw()
    main.until_status("b", "ready", 30)
    assert replica.count() == MANY_NODES


@pytest.mark.slow
@holds("S.promote-empty", "R.x3")
def test_a_replica_may_be_promoted_in_the_middle_of_its_recovery(servers: Servers) -> None:
    """It becomes a MAIN with 0 of the nodes, nobody objects, and the old MAIN's row is `invalid`.

    A promotion waits for a step of the recovery that is under way, so not each one hits the middle.
    """
    main = servers.start("a")
    main.ask(f"UNWIND range(1, {MANY_NODES}) AS i CREATE (:N {{i: i}})")
    for attempt in range(5):
        replica = servers.start(f"b{attempt}")
        replica.demote()
        with replica.driver() as driver, driver.session() as session:
            session.run("RETURN 1").consume()
            main.ask(main.registration(replica, "ASYNC"))
            session.run("SET REPLICATION ROLE TO MAIN").consume()
        assert replica.role() == "main"
        main.until_status(replica.name, "invalid", 40)
        assert main.alive
        if replica.count() == 0:
            return
    raise AssertionError("every replica had all the data at its promotion: raise MANY_NODES")


@pytest.mark.slow
@holds("S.early", "S.early-strict")
def test_strict_sync_writes_fail_until_the_recovery_is_done(servers: Servers) -> None:
    """Each is aborted while the row says `recovery`; then they go through, and both have the same."""
    main, replica = recovering(servers, "STRICT_SYNC")
    aborted = 0
    for _ in range(2000):
        refusal = main.refusal("CREATE (:W)")
        if refusal is None:
            break
        assert refusal == Refusal.transient(expected.STRICT_ABORTED)
        aborted += 1
    assert aborted > 0
    assert (main.count("W"), replica.count("W"), main.status("b")) == (1, 1, "ready")

"""How instances that were MAIN come back, and what does not help them (raw recordings i to k, x5; Q11)."""

from __future__ import annotations

import pytest

from tests.conformance import expected
from tests.conformance.answers import Refusal
from tests.conformance.questions import holds
from tests.conformance.servers import NOOP, Servers, until

SYNC = Refusal.transient(expected.SYNC_UNCONFIRMED)


def _error_3(name: str) -> Refusal:
    return Refusal.client(expected.cannot_register(name, 3))


@pytest.mark.slow
@holds("R.i2", "S.rejoin", "R.j-roles")
def test_roles_go_there_and_back_cleanly(servers: Servers) -> None:
    """Demote 0, promote 1, register, write; and back again; each time REGISTER is clean and all is level."""
    first, second = servers.pair("SYNC")
    for main, replica in ((second, first), (first, second)):
        replica.demote()
        main.promote()
        main.register(replica, "SYNC")
        assert main.refusal("CREATE (:S)") is None
        assert main.count() == replica.count()
    for server in (first, second):
        server.kill()
    second.start()
    first.start()
    assert (first.role(), second.role()) == ("main", "replica")
    first.until_status("b", "ready", 10)
    assert (first.refusal("CREATE (:S)"), second.count()) == (None, 3)


@pytest.mark.slow
@pytest.mark.parametrize("wrote", [True, False], ids=["wrote", "wrote nothing"])
@holds("R.i3", "R.i4", "Q11.fenced")
def test_a_replica_that_was_promoted_does_not_resume_by_itself(servers: Servers, *, wrote: bool) -> None:
    """Demoted again it obeys nobody: the row stays `invalid`, never `diverged`, and writes go on failing.

    If it wrote, its files must go and the row be registered anew (9 of 9); if not, REGISTER is enough.
    """
    main, replica = servers.pair("SYNC")
    main.ask("CREATE (:N)")
    replica.promote()
    if wrote:
        replica.ask("CREATE (:N2)")
    main.restart()
    assert main.refusal("CREATE (:O)") == SYNC
    replica.demote()
    with pytest.raises(AssertionError, match="row b"):
        main.until_status("b", "ready", 3)
    assert main.status("b") == "invalid"
    assert main.refusal("CREATE (:O2)") == SYNC
    assert replica.count("O") == replica.count("O2") == 0
    if wrote:
        replica.kill()
        replica.wipe_data()
        replica.start()
        with pytest.raises(AssertionError, match="row b"):
            main.until_status("b", "ready", 3)
    main.ask("DROP REPLICA b")
    main.register(replica, "SYNC")
    assert replica.count() == main.count() == 3


CURES = {
    "DROP GRAPH": (),
    "promoted, DROP GRAPH": ("STORAGE MODE IN_MEMORY_ANALYTICAL", "DROP GRAPH", "STORAGE MODE IN_MEMORY_TRANSACTIONAL"),
    "promoted, DETACH DELETE": ("MATCH (n) DETACH DELETE n",),
    "RECOVER SNAPSHOT": (),
    "nothing": (),
}


@pytest.mark.slow
@pytest.mark.parametrize("cure", CURES)
@holds("S.no-cure", "R.i5")
def test_what_does_not_clear_a_diverged_old_main(servers: Servers, cure: str) -> None:
    """Emptying it by queries, a snapshot of the new MAIN, DROP and REGISTER in another mode: Error 3 again."""
    old, new = servers.pair("ASYNC")
    old.ask("CREATE (:N)")
    until("the replica", new.count, lambda count: count == 1)
    new.kill()
    old.ask("CREATE (:Extra)")
    old.kill()
    new.start()
    new.promote()
    new.ask("CREATE (:NewMainWrite)")
    old.start(old.init_file())
    assert new.refusal(new.registration(old, "SYNC")) == _error_3("a")
    if cure.startswith("promoted"):
        old.promote()
        for query in CURES[cure]:
            old.ask(query)
        old.demote()
        assert old.count() == 0
    elif cure == "DROP GRAPH":
        for query in CURES["promoted, DROP GRAPH"]:
            old.ask(query)
        assert old.count() == 0
    elif cure == "RECOVER SNAPSHOT":
        ((path,),) = new.rows("CREATE SNAPSHOT")
        assert old.refusal(f'RECOVER SNAPSHOT "{path}" FORCE') == Refusal.transient(expected.RECOVER_ON_REPLICA)
    new.ask("DROP REPLICA a")
    assert new.refusal(new.registration(old, "ASYNC")) == _error_3("a")
    assert new.rows("SHOW REPLICAS")[0][4] == {}


@pytest.mark.slow
@holds("R.k", "S.ahead")
def test_a_replica_that_is_ahead_of_the_promoted_one_is_refused(servers: Servers) -> None:
    """Error 3 like any divergence; the right order is to promote the one that is ahead."""
    main, behind, ahead = servers.cluster({"b": "ASYNC", "c": "ASYNC"})
    main.ask("CREATE (:N)")
    until("b", behind.count, lambda count: count == 1)
    behind.kill()
    main.ask("CREATE (:Late)")
    until("c", ahead.count, lambda count: count == 2)
    main.kill()
    behind.start()
    behind.promote()
    assert behind.refusal(behind.registration(ahead, "ASYNC")) == _error_3("c")
    assert behind.rows("SHOW REPLICAS")[0][4] == {}
    behind.demote()
    ahead.promote()
    ahead.register(behind, "ASYNC")
    assert (ahead.refusal("CREATE (:After)"), ahead.count()) == (None, 3)
    until("b", behind.count, lambda count: count == 3)


@pytest.mark.slow
@holds("R.x5", "S.two-mains-restart", "R.x4")
def test_a_restarted_old_main_does_not_take_its_replica_back(servers: Servers) -> None:
    """Its rows are `invalid`, the new MAIN's stay `ready`, its own ASYNC writes are acknowledged and go nowhere."""
    old, new, third = servers.cluster({"b": "ASYNC", "c": "ASYNC"})
    old.kill()
    new.promote()
    new.register(third, "SYNC")
    new.ask("CREATE (:A)")
    old.start()
    for name in ("b", "c"):
        old.until_status(name, "invalid", 5)
    assert old.refusal("CREATE (:Zombie)") is None
    assert new.refusal("CREATE (:B)") is None
    assert new.status("c") == "ready"
    assert (third.count(), third.count("Zombie")) == (2, 0)
    old.demote()
    assert new.refusal(new.registration(old, "SYNC")) == _error_3("a")


@pytest.mark.slow
@holds("S.error-3-swaps", "R.c")
def test_a_register_that_ends_with_error_3_takes_the_replica_away_all_the_same(servers: Servers) -> None:
    """The community build refuses unrelated data, and the first MAIN has lost its replica to nobody."""
    flags = servers.edition("community")
    first, replica = servers.pair("SYNC", *flags)
    first.ask("CREATE (:A)")
    second = servers.start("c", *flags)
    second.ask("CREATE (:Other)")
    assert second.refusal(second.registration(replica, "SYNC")) == _error_3("b")
    assert second.rows("SHOW REPLICAS")[0][4] == {}
    assert first.refusal("CREATE (:B)") == SYNC
    assert first.status("b") == "invalid"
    assert second.refusal("CREATE (:C)") is None
    assert replica.count() == 1


@pytest.mark.slow
@holds("R.i6-missed-epochs")
def test_a_replica_that_missed_two_restarts_of_its_main_is_caught_up(servers: Servers) -> None:
    """MAIN restarts twice with writes between, the replica is down meanwhile: `ready` within a ping or so."""
    main, replica = servers.pair("SYNC")
    main.ask("CREATE (:N)")
    replica.kill()
    for _ in range(2):
        main.restart()
        assert main.refusal("CREATE (:N)") == SYNC
    main.ask("MATCH (n) RETURN n")
    replica.start()
    main.until_status("b", "ready", 10)
    assert (replica.count(), main.refusal(NOOP)) == (3, None)

"""Durability of the epoch (Q3) and the database's uuid (Q13)."""

from __future__ import annotations

import time
from pathlib import Path

import pytest

from tests.conformance import expected
from tests.conformance.answers import Refusal
from tests.conformance.questions import holds
from tests.conformance.servers import NOOP, Server, Servers, until


def _promoted_and_killed(servers: Servers, mode: str, protection: str, *, extra: bool) -> tuple[Server, Server]:
    """Promote `b`, do something, kill and restart it; `a`, perhaps one commit ahead, becomes a REPLICA.

    Returns:
        The new MAIN `b` and the old one.
    """
    old, new = servers.pair(mode)
    old.ask("UNWIND range(1, 10) AS i CREATE (:N)")
    new.kill()
    if extra:
        old.refusal("CREATE (:Extra)")
    old.kill()
    new.start()
    new.promote()
    if protection:
        new.ask(protection)
    new.restart()
    assert new.role() == "main"
    old.start(old.init_file())
    assert old.role() == "replica"
    return new, old


@pytest.mark.parametrize(
    "protection",
    [
        NOOP,
        pytest.param("CREATE (:Write)", marks=pytest.mark.slow),
        pytest.param("CREATE SNAPSHOT", marks=pytest.mark.slow),
    ],
)
@holds("Q3.role", "Q3.write", "Q3.snapshot", "Q3.noop", "S.ahead")
def test_one_commit_or_snapshot_makes_the_new_epoch_durable(servers: Servers, protection: str) -> None:
    """The old MAIN with an extra commit is found out: Error 3."""
    new, old = _promoted_and_killed(servers, "SYNC", protection, extra=True)
    assert old.count("Extra") == 1
    assert new.refusal(new.registration(old, "SYNC")) == Refusal.client(expected.cannot_register("a", 3))


@pytest.mark.parametrize(
    "protection",
    [
        "",
        pytest.param("FREE MEMORY", marks=pytest.mark.slow),
        pytest.param("MATCH (n:Nope) SET n.x = 1", marks=pytest.mark.slow),
    ],
)
@holds("Q3.nothing", "Q3.free-memory", "Q3.no-match")
def test_without_a_commit_the_extra_commit_is_not_detected(servers: Servers, protection: str) -> None:
    """REGISTER is ok, the row is `ready` with behind +2 or more, and the data differs."""
    new, old = _promoted_and_killed(servers, "SYNC", protection, extra=True)
    assert new.refusal(new.registration(old, "STRICT_SYNC")) is None
    info = new.info("a")
    assert (info["status"], info["behind"] > 0) == ("ready", True)
    assert (old.count("Extra"), new.count("Extra")) == (1, 0)


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["SYNC", "ASYNC"])
@holds("Q3.sync-for-ever")
def test_an_undetected_difference_never_heals_in_the_other_modes(servers: Servers, mode: str) -> None:
    """SYNC: 30 of 30 writes fail though committed; ASYNC: the same, silently; the replica gets nothing."""
    new, old = _promoted_and_killed(servers, "SYNC", "", extra=True)
    assert (old.count(), new.count()) == (11, 10)  # reads take timestamps too: the recorded script's did
    new.ask(new.registration(old, mode))
    refusal = Refusal.transient(expected.SYNC_UNCONFIRMED) if mode == "SYNC" else None
    statuses = set()
    for _ in range(30):
        assert new.refusal("CREATE (:Later)") == refusal
        statuses.add(new.status("a"))
        time.sleep(0.05)  # the recorded script's pause between writes
    assert statuses <= {"invalid", "recovery", "ready", "replicating"}
    assert statuses & {"invalid", "recovery"}
    assert (new.count("Later"), old.count("Later"), old.count("Extra")) == (30, 0, 1)
    assert new.info("a")["behind"] < 0


@pytest.mark.slow
@holds("Q3.late-extra")
def test_an_extra_commit_after_the_promotion_is_the_same(servers: Servers) -> None:
    """With nothing durable behind the promotion it is not found out, with the no-op it is Error 3."""
    for protected, name in ((False, "b"), (True, "c")):
        old, new = servers.start(f"old-{name}"), servers.start(name)
        new.demote()
        old.register(new, "ASYNC")
        old.ask("UNWIND range(1, 10) AS i CREATE (:N)")
        until("the replica", new.count, lambda count: count == 10)
        new.promote()
        if protected:
            new.ask(NOOP)
        new.restart()
        old.ask("CREATE (:Extra)")
        old.demote()
        refusal = new.refusal(f'REGISTER REPLICA a ASYNC TO "{old.address}"')
        assert refusal == (Refusal.client(expected.cannot_register("a", 3)) if protected else None)


@pytest.mark.slow
@holds("Q3.snapshot-cost", "Q3.snapshot")
def test_a_snapshot_works_on_an_empty_graph_and_survives_a_kill(servers: Servers) -> None:
    """It may be repeated, and kill -9 right after its answer takes nothing back (12 of 12)."""
    server = servers.start("a")
    ((first,),) = server.rows("CREATE SNAPSHOT")
    server.ask("CREATE (:N)")
    ((second,),) = server.rows("CREATE SNAPSHOT")
    server.kill()
    assert first != second
    assert Path(second).exists()
    server.start()
    assert server.count() == 1


@pytest.mark.slow
@holds("Q3.strict-twins")
def test_an_undetected_difference_ends_with_a_green_row_in_strict_sync(servers: Servers) -> None:
    """The first two writes are aborted, then all go through, and the extra node stays where it is."""
    new, old = _promoted_and_killed(servers, "SYNC", "", extra=True)
    assert (old.count(), new.count()) == (11, 10)  # reads take timestamps too: the recorded script's did
    new.ask(new.registration(old, "STRICT_SYNC"))
    refusals = [new.refusal("CREATE (:Later)") for _ in range(2)]
    assert refusals == [Refusal.transient(expected.STRICT_ABORTED)] * 2
    new.until_status("a", "ready", 10)
    assert [new.refusal("CREATE (:Later)") for _ in range(3)] == [None] * 3
    assert (old.count("Extra"), new.count("Extra")) == (1, 0)
    assert new.info("a")["behind"] == 0


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["SYNC", "STRICT_SYNC"])
@holds("Q3.clean", "S.rejoin")
def test_without_an_extra_commit_the_old_main_is_taken_back(servers: Servers, mode: str) -> None:
    """In STRICT_SYNC there is none to begin with: the write was aborted."""
    new, old = _promoted_and_killed(servers, mode, "", extra=mode == "STRICT_SYNC")
    new.register(old, mode)
    assert new.refusal("CREATE (:N)") is None
    assert (old.count(), new.count(), old.count("Extra")) == (11, 11, 0)


@holds("Q13.fresh", "Q13.stable", "Q13.wiped")
def test_the_uuid_is_mains_after_registration_and_stays(servers: Servers) -> None:
    """Two fresh ones differ, SET ROLE keeps it, registration gives MAIN's, restarts and promotion keep that."""
    main, replica = servers.two()

    def uuid_of(server: Server) -> str:
        return str(server.storage()["database_uuid"])

    mains, own = uuid_of(main), uuid_of(replica)
    assert mains != own
    replica.demote()
    assert uuid_of(replica) == own
    main.ask("CREATE (:N)")
    main.register(replica, "STRICT_SYNC")
    assert uuid_of(replica) == mains
    replica.restart()
    assert uuid_of(replica) == mains
    assert replica.terminate() == 0
    replica.start()
    assert uuid_of(replica) == mains
    main.kill()
    replica.promote()
    replica.ask(NOOP)
    assert uuid_of(replica) == mains
    main.start(main.init_file())
    replica.register(main, "ASYNC")
    assert uuid_of(main) == mains
    main.terminate()
    main.wipe()
    main.start()
    wiped = uuid_of(main)
    assert wiped not in {mains, own}
    main.demote()
    assert uuid_of(main) == wiped

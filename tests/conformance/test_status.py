"""When SHOW REPLICAS tells, and how rows heal (raw recordings e, e3, i6, j; Q10, Q11)."""

from __future__ import annotations

import time

import pytest

from tests.conformance import expected
from tests.conformance.answers import Refusal
from tests.conformance.questions import holds
from tests.conformance.servers import Server, Servers, until


def _diverged_pair(servers: Servers, mode: str) -> tuple[Server, Server]:
    """Return a new MAIN `b` and the old one `a`, a REPLICA with one commit that `b` never got."""
    old, new = servers.pair("ASYNC")
    new.kill()
    old.ask("CREATE (:Extra)")
    old.kill()
    new.start()
    new.promote()
    new.ask("CREATE (:NewMainWrite)")
    old.start(old.init_file())
    assert new.refusal(new.registration(old, mode)) == Refusal.client(expected.cannot_register("a", 3))
    return new, old


@pytest.mark.parametrize("mode", [pytest.param("ASYNC", marks=pytest.mark.slow), "STRICT_SYNC"])
@holds("S.stale-dead")
def test_a_dead_replica_is_ready_until_the_third_ping(servers: Servers, mode: str) -> None:
    """2.8 to 2.9 s without writes (2.5 s at the least): the third ping of one a second."""
    main, replica = servers.pair(mode)
    replica.kill()
    assert main.status("b") == "ready"
    assert 1.5 < main.until_status("b", "invalid", 6) < 5


@pytest.mark.slow
@holds("S.stale-frozen", "R.e3")
def test_a_frozen_replica_is_ready_for_16_s(servers: Servers) -> None:
    """Three pings of 5 s each after the one that went through; thawed it is `ready` at once."""
    main, replica = servers.pair("STRICT_SYNC")
    replica.freeze()
    assert 14.5 < main.until_status("b", "invalid", 25) < 18.5
    replica.thaw()
    assert main.until_status("b", "ready", 3) < 3


@pytest.mark.slow
@holds("S.stale-empty", "R.e")
def test_a_replica_that_comes_back_empty_never_heals(servers: Servers) -> None:
    """It is a MAIN; made a REPLICA it obeys nobody, and the row stays `invalid` until DROP and REGISTER."""
    main, replica = servers.pair("STRICT_SYNC")
    main.ask("UNWIND range(1, 100) AS i CREATE (:N)")
    replica.kill()
    replica.wipe()
    replica.start()
    assert (replica.role(), replica.count()) == ("main", 0)
    main.until_status("b", "invalid", 8)
    replica.demote()
    assert main.refusal("CREATE (:AfterWipe)") == Refusal.transient(expected.STRICT_ABORTED)
    with pytest.raises(AssertionError, match="row b"):
        main.until_status("b", "ready", 2.5)
    main.ask("DROP REPLICA b")
    main.register(replica, "STRICT_SYNC")
    assert replica.count() == 100


@holds("S.diverged-old-main", "S.half", "R.i")
def test_a_diverged_old_main_is_error_3_and_leaves_a_half_row(servers: Servers) -> None:
    """Writes succeed without it; DROP and REGISTER do not help, and the reason is in the log only."""
    new, old = _diverged_pair(servers, "SYNC")
    assert new.rows("SHOW REPLICAS")[0][4] == {}
    assert new.refusal(new.registration(old, "SYNC")) == Refusal.client(expected.cannot_register("a", 1))
    assert new.refusal("CREATE (:Later)") is None
    new.ask("DROP REPLICA a")
    assert new.refusal(new.registration(old, "ASYNC")) == Refusal.client(expected.cannot_register("a", 3))
    assert old.count("Extra") == 1
    assert "You cannot register Replica a to this Main" in new.log()


@pytest.mark.slow
@pytest.mark.parametrize(
    "cure",
    [
        "wiped",
        "without its files",
        "without recovery",
    ],
)
@holds("S.cures", "Q11.half", "R.i5")
def test_what_clears_a_diverged_old_main(servers: Servers, cure: str) -> None:
    """An empty directory, no `wal/` and `snapshots/`, or `--data-recovery-on-startup=false`; then DROP and REGISTER."""
    new, old = _diverged_pair(servers, "STRICT_SYNC")
    old.kill()
    flags = []
    if cure == "wiped":
        old.wipe()
        flags.append(old.init_file())
    elif cure == "without its files":
        old.wipe_data()
        old.start()
        with pytest.raises(AssertionError, match="row a"):
            new.until_status("a", "ready", 3)
        assert new.status("a") is None
        old.kill()
    else:
        flags.append("--data-recovery-on-startup=false")
    old.start(*flags)
    assert old.role() == "replica"
    new.ask("DROP REPLICA a")
    new.register(old, "STRICT_SYNC")
    assert (old.count("Extra"), old.count("NewMainWrite")) == (0, 1)


@pytest.mark.slow
@pytest.mark.parametrize(
    ("mode", "refusal"),
    [
        ("SYNC", Refusal.transient(expected.SYNC_UNCONFIRMED)),
        ("STRICT_SYNC", Refusal.transient(expected.STRICT_ABORTED)),
        ("ASYNC", None),
    ],
)
@holds("S.diverged", "Q11.diverged", "Q11.arises", "R.i6")
def test_diverged_is_shown_once_main_restarts_with_the_half_row(
    servers: Servers, mode: str, refusal: Refusal | None
) -> None:
    """The row becomes a real one and says so; writes follow the mode; the wiped replica resyncs when long away."""
    new, old = _diverged_pair(servers, mode)
    new.restart()
    new.until_status("a", "diverged", 5)
    assert new.refusal("CREATE (:Y)") == refusal
    assert new.status("a") == "diverged"
    old.kill()
    old.wipe_data()
    new.until_status("a", "invalid", 8)
    old.start()
    new.until_status("a", "ready", 8)
    assert (old.count("Extra"), old.count("NewMainWrite")) == (0, 1)


@pytest.mark.slow
@holds("Q11.sticky")
def test_diverged_sticks_when_the_replica_is_back_within_three_pings(servers: Servers) -> None:
    """Restarted at once without its files the row stays `diverged`; DROP and REGISTER work at once."""
    new, old = _diverged_pair(servers, "STRICT_SYNC")
    new.restart()
    new.until_status("a", "diverged", 5)
    old.kill()
    old.wipe_data()
    old.start()
    end = time.monotonic() + 8
    while time.monotonic() < end:
        assert new.status("a") == "diverged"
        time.sleep(0.2)
    assert new.refusal("CREATE (:Y)") == Refusal.transient(expected.STRICT_ABORTED)
    new.ask("DROP REPLICA a")
    new.register(old, "STRICT_SYNC")
    assert old.count() == new.count()


@pytest.mark.parametrize("build", ["official", pytest.param("community", marks=pytest.mark.slow)])
@holds("Q10.register", "Q10.half", "Q10.right-way")
def test_a_wiped_main_cannot_take_a_replica_that_has_data(servers: Servers, build: str) -> None:
    """The replica keeps its data whatever the build answers; the right way is the other way round.

    Built without the enterprise option (Q10) REGISTER is Error 3 with a half row, and writes succeed without
    it.  The official build accepts it as it does any unrelated data (x1): `invalid` for ever, writes fail.
    """
    main, replica = servers.pair("STRICT_SYNC", *servers.edition(build))
    main.ask("UNWIND range(1, 50) AS i CREATE (:N)")
    known = replica.storage()["database_uuid"]
    main.kill()
    main.wipe()
    main.start()
    assert (main.role(), main.count(), main.rows("SHOW REPLICAS")) == ("main", 0, [])
    assert main.storage()["database_uuid"] != known
    main.ask("CREATE (:Own)")
    refusal = main.refusal(main.registration(replica, "STRICT_SYNC"))
    if build == "official":
        assert (refusal, main.status("b")) == (None, "invalid")
        assert main.refusal("CREATE (:Own)") == Refusal.transient(expected.STRICT_ABORTED)
    else:
        assert (refusal, main.status("b")) == (Refusal.client(expected.cannot_register("b", 3)), None)
        assert main.refusal("CREATE (:Own)") is None
    assert (replica.count(), replica.storage()["database_uuid"]) == (50, known)
    main.kill()
    main.wipe()
    main.start(main.init_file())
    replica.promote()
    replica.ask("CREATE SNAPSHOT")
    replica.register(main, "STRICT_SYNC")
    assert main.count() == 50


@pytest.mark.parametrize("end", ["SIGTERM", pytest.param("SIGKILL", marks=pytest.mark.slow)])
@holds("S.restart", "R.j")
def test_role_rows_and_data_survive_a_restart_of_both(servers: Servers, end: str) -> None:
    """By default both come back as they were, and the row is `ready` again by itself."""
    main, replica = servers.pair("SYNC")
    main.ask("CREATE (:N)")
    for server in (main, replica):
        if end == "SIGTERM":
            assert server.terminate() == 0
        else:
            server.kill()
    replica.start()
    main.start()
    assert (main.role(), replica.role()) == ("main", "replica")
    main.until_status("b", "ready", 10)
    assert main.refusal("CREATE (:N)") is None
    assert (main.count(), replica.count()) == (2, 2)


@pytest.mark.slow
@holds("S.restart-false", "R.j")
def test_without_restored_state_both_are_mains_without_rows(servers: Servers) -> None:
    """`--replication-restore-state-on-startup=false` keeps the data only."""
    main, replica = servers.pair("SYNC")
    main.ask("CREATE (:N)")
    for server in (main, replica):
        server.restart("--replication-restore-state-on-startup=false")
        assert (server.role(), server.rows("SHOW REPLICAS"), server.count()) == ("main", [], 1)


@pytest.mark.slow
@pytest.mark.parametrize(("build", "least_s", "most_s"), [("official", 35, 48), ("community", 9, 15)])
@holds("S.frozen-start")
def test_a_frozen_replica_holds_up_mains_start(servers: Servers, build: str, least_s: float, most_s: float) -> None:
    """The official build opens Bolt 40 s after its start, the other after 10 s; thawed, the row is `ready` again."""
    main, replica = servers.pair("SYNC", *servers.edition(build))
    main.kill()
    replica.freeze()
    assert least_s < main.start() < most_s
    assert main.role() == "main"
    replica.thaw()
    assert main.until_status("b", "ready", 5) < 5


@holds("S.behind", "R.e")
def test_ts_and_behind_count_two_for_each_transaction(servers: Servers) -> None:
    """`ts` is 2 after one write and 4 after two, `behind` -2 after one more that the replica did not get."""
    main, replica = servers.pair("ASYNC")
    assert (main.info("b")["ts"], main.info("b")["behind"]) == (0, 0)
    for ts in (2, 4):
        main.ask("CREATE (:A)")
        until("ts", lambda: main.info("b")["ts"], lambda found, wanted=ts: found == wanted, 3)  # type: ignore[misc]
    replica.kill()
    main.ask("CREATE (:Missed)")
    until("behind", lambda: main.info("b")["behind"], lambda behind: behind == -2, 3)
    assert main.status("b") == "invalid"

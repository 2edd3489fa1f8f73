"""Boot as REPLICA by `--init-file` (Q1), and what a stored MAIN still pushes meanwhile (1g, Q20)."""

from __future__ import annotations

import time

import pytest
from neo4j.exceptions import DriverError, Neo4jError

from tests.conformance import expected
from tests.conformance.answers import Refusal
from tests.conformance.load import background, insist
from tests.conformance.questions import holds
from tests.conformance.servers import NOOP, Server, Servers, until


def _first_answers(server: Server) -> tuple[str, Refusal | None]:
    """Ask without pause from before the Bolt port opens; returns the first role and what a write gets."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            return server.role(), server.refusal("CREATE (:Leak)")
        except (Neo4jError, DriverError):
            time.sleep(0.001)
    raise AssertionError(f"{server.name} never answered")


@holds("Q1.fresh")
def test_a_fresh_instance_boots_as_replica(servers: Servers) -> None:
    """The first answer is `replica`, its write is refused."""
    server = servers.new("a")
    with background() as pool:
        answers = pool.submit(_first_answers, server)
        server.start(server.init_file())
        assert answers.result() == ("replica", Refusal.client(expected.WRITE_ON_REPLICA))
    assert server.count() == 0


@holds("Q1.old-main", "Q1.rows", "Q1.again")
def test_an_old_main_boots_as_replica_before_bolt_opens(servers: Servers) -> None:
    """The first answer is `replica`, its write is refused, its data is there and its rows are gone."""
    main, replica = servers.pair("STRICT_SYNC")
    main.ask("UNWIND range(1, 10) AS i CREATE (:N)")
    main.kill()
    with background() as pool:
        answers = pool.submit(_first_answers, main)
        main.start(main.init_file())
        assert answers.result() == ("replica", Refusal.client(expected.WRITE_ON_REPLICA))
    assert main.count() == 10
    assert main.refusal("SHOW REPLICAS") == Refusal.client(expected.SHOW_ON_REPLICA)
    replica.promote()
    replica.ask("CREATE (:N)")
    replica.register(main, "STRICT_SYNC")
    assert (main.count(), replica.count()) == (11, 11)


@pytest.mark.slow
@holds("Q1.control")
def test_without_the_init_file_the_old_main_is_writable_at_once(servers: Servers) -> None:
    """The control: the first answer is `main` and the write is taken."""
    main = servers.start("a")
    main.kill()
    main.start()
    assert _first_answers(main) == ("main", None)


@holds("Q1.replica", "Q1.port", "Q1.lines", "Q1.fast-restart")
def test_a_replica_keeps_port_and_main_and_resumes_by_itself(servers: Servers) -> None:
    """The statement fails, is logged only, the lines behind it run, and another port is ignored.

    The row still says `ready` though its connection is dead: one or two writes fail before it is repaired.
    """
    main, replica = servers.pair("SYNC")
    main.ask("CREATE (:N)")
    file = replica.folder / "other.cypherl"
    lines = [
        f"SET REPLICATION ROLE TO REPLICA WITH PORT {replica.port + 1};",
        "// a comment",
        "THIS IS NO QUERY;",
        "SET DATABASE SETTING 'query.timeout' TO '77';",
        "FREE MEMORY",
    ]
    file.write_text("\n".join(lines))
    replica.restart(f"--init-file={file}")
    assert replica.role() == "replica"
    assert dict(replica.rows("SHOW DATABASE SETTINGS"))["query.timeout"] == "77"
    assert main.status("b") == "ready"
    insist(main, "CREATE (:N)", expected.SYNC_UNCONFIRMED, kind="TransientError")
    main.until_status("b", "ready", 10)
    assert main.refusal("CREATE (:N)") is None
    assert main.count() == replica.count()


@holds("Q1.missing")
def test_an_init_file_that_is_not_there_is_passed_over(servers: Servers) -> None:
    """A typo in the path is silent: it starts as MAIN."""
    server = servers.new("a", "--init-file=/no/such/file.cypherl")
    server.start()
    assert server.role() == "main"


@pytest.mark.slow
@holds("Q1.dead")
def test_dead_replicas_do_not_delay_the_start(servers: Servers) -> None:
    """Refused connections cost nothing: Bolt opens as fast as ever (0.1 s, 3 of 3)."""
    main, *replicas = servers.cluster({"b": "STRICT_SYNC", "c": "ASYNC"})
    for each in (main, *replicas):
        each.kill()
    assert main.start(main.init_file()) < 3
    assert main.role() == "replica"


@pytest.mark.slow
@holds("Q1.frozen")
def test_frozen_replicas_delay_the_start_but_not_the_role(servers: Servers) -> None:
    """The stored MAIN contacts its rows first, 10 s each (20.1 s, 3 of 3); Bolt stays closed meanwhile."""
    main, *replicas = servers.cluster({"b": "STRICT_SYNC", "c": "ASYNC"}, *servers.edition("community"))
    main.kill()
    for each in replicas:
        each.freeze()
    with background() as pool:
        answers = pool.submit(_first_answers_later, main)
        assert 18 < main.start(main.init_file()) < 25
        assert answers.result()[0] == "replica"


def _first_answers_later(server: Server) -> tuple[str, Refusal | None]:
    while True:
        try:
            return _first_answers(server)
        except AssertionError:
            if not server.alive:
                raise


@pytest.mark.parametrize("both", [pytest.param(False, marks=pytest.mark.slow), True], ids=["data file only", "both"])
@holds("Q1.data-file")
def test_the_init_data_file_runs_once_bolt_is_open(servers: Servers, *, both: bool) -> None:
    """It makes a REPLICA too, but late; behind an init file its SET fails harmlessly, and its writes do not stay."""
    server = servers.new("a")
    file = server.folder / "data.cypherl"
    file.write_text(f"{server.demotion};\nCREATE (:FromDataFile);\n")
    flags = [server.init_file()] if both else []
    server.start(*flags, f"--init-data-file={file}")
    until("the data file", server.role, lambda role: role == "replica")
    until("the log", server.log, lambda log: log.count(expected.LINE_FAILED) == (2 if both else 1))
    assert (server.alive, server.count()) == (True, 0)


@holds("Q1.log")
def test_what_the_log_says_of_the_init_file(servers: Servers) -> None:
    """Levels and texts as recorded at TRACE; the failing line is a warning, and nothing says that it is done."""
    server = servers.start("a")
    server.demote()
    server.terminate()
    server.start(server.init_file("FREE MEMORY"))
    lines = [
        line for line in server.log().splitlines() if "init-file" in line or "init file" in line or "line: " in line
    ]
    seen = [line.partition("[memgraph_log] ")[2] for line in lines]
    assert seen == [
        "[info] Running init file...",
        f"[trace] Executing line: {server.demotion};",
        f"[warning] {expected.LINE_FAILED} {expected.CANNOT_DEMOTE}",
        "[trace] Executing line: FREE MEMORY;",
    ]


@pytest.mark.slow
@pytest.mark.parametrize("mode", ["SYNC", "ASYNC"])
@holds("Q1.behind", "Q20.push")
def test_a_replica_that_is_behind_is_filled_by_the_booting_old_main(servers: Servers, mode: str) -> None:
    """The row that is restored for a moment begins the catch-up, and the demotion waits for it (43 of 44)."""
    main, replica = servers.pair(mode)
    replica.kill()
    main.refusal("UNWIND range(1, 2000) AS i CREATE (:N {i: i})")
    main.kill()
    replica.start()
    with background() as pool:
        answers = pool.submit(_first_answers, main)
        main.start(main.init_file())
        assert answers.result() == ("replica", Refusal.client(expected.WRITE_ON_REPLICA))
    until("the replica", replica.count, lambda count: count == 2000, 10)


@pytest.mark.slow
@pytest.mark.parametrize("pause_s", [0.0, 0.3, 0.9])
@holds("Q20.promote")
def test_a_standby_may_be_promoted_during_the_boot_push(servers: Servers, pause_s: float) -> None:
    """`a` restarts with the init file and 30,000 rows for `c`; `b` becomes MAIN; nobody diverges, all are level."""
    main, standby, behind = servers.cluster({"b": "STRICT_SYNC", "c": "ASYNC"})
    behind.kill()
    main.ask("UNWIND range(1, 30000) AS i CREATE (:N {i: i})")
    main.kill()
    behind.start()
    main.launch(main.init_file())
    time.sleep(pause_s)
    standby.promote()
    standby.ask(NOOP)
    standby.register(behind, "ASYNC")
    assert _first_answers(main)[0] == "replica"
    standby.register(main, "STRICT_SYNC")
    assert [each.count() for each in (main, standby, behind)] == [30_000] * 3

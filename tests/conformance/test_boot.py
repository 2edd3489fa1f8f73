"""Boot as REPLICA by `--init-file` (Q1), and promotion during the old MAIN's boot push (Q20)."""

from __future__ import annotations

import time

import pytest
from neo4j.exceptions import DriverError, Neo4jError

from tests.conformance import expected
from tests.conformance.load import background
from tests.conformance.questions import holds
from tests.conformance.servers import Refusal, Server, Servers


def _first_answers(server: Server) -> tuple[str, Refusal | None]:
    """Ask without pause from before the Bolt port opens; returns the first role and what a write gets."""
    deadline = time.monotonic() + 30
    while time.monotonic() < deadline:
        try:
            return server.role(), server.refusal("CREATE (:Leak)")
        except (Neo4jError, DriverError):
            time.sleep(0.001)
    raise AssertionError(f"{server.name} never answered")


@holds("Q1")
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
@holds("Q1")
def test_without_the_init_file_the_old_main_is_writable_at_once(servers: Servers) -> None:
    """The control: the first answer is `main` and the write is taken."""
    main = servers.start("a")
    main.kill()
    main.start()
    assert _first_answers(main) == ("main", None)


@holds("Q1")
def test_a_replica_keeps_port_and_main_and_resumes_by_itself(servers: Servers) -> None:
    """The statement fails, is logged only, the lines behind it run, and another port is ignored."""
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
    main.refusal("CREATE (:N)")  # the old connection is dead: this write may fail, and repairs the row
    main.until_status("b", "ready", 10)
    assert main.refusal("CREATE (:N)") is None
    assert main.count() == replica.count() == 3


@holds("Q1")
def test_an_init_file_that_is_not_there_is_passed_over(servers: Servers) -> None:
    """A typo in the path is silent: it starts as MAIN."""
    server = servers.new("a", "--init-file=/no/such/file.cypherl")
    server.start()
    assert server.role() == "main"


@pytest.mark.slow
@holds("Q1")
def test_frozen_replicas_delay_the_start_but_not_the_role(servers: Servers) -> None:
    """The stored MAIN contacts its rows first; Bolt stays closed meanwhile and then says `replica`."""
    main, replica = servers.pair("STRICT_SYNC")
    main.kill()
    replica.freeze()
    with background() as pool:
        answers = pool.submit(_first_answers_later, main)
        assert main.start(main.init_file()) > 8
        assert answers.result()[0] == "replica"


def _first_answers_later(server: Server) -> tuple[str, Refusal | None]:
    while True:
        try:
            return _first_answers(server)
        except AssertionError:
            if not server.alive:
                raise


@pytest.mark.slow
@pytest.mark.parametrize("pause_s", [0.0, 0.3, 0.9])
@holds("Q20")
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
    standby.ask("CREATE (n:X) DELETE n")
    standby.register(behind, "ASYNC")
    assert _first_answers(main)[0] == "replica"
    standby.register(main, "STRICT_SYNC")
    assert [each.count() for each in (main, standby, behind)] == [30_000] * 3

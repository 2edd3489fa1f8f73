"""REGISTER and DROP REPLICA: numbers, half rows, names, other MAINs (raw recordings c, d, e5, x1)."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from tests.conformance import expected
from tests.conformance.answers import Refusal
from tests.conformance.ports import free_port
from tests.conformance.questions import holds
from tests.conformance.servers import HOST, Server, Servers, until

MODES = "{ASYNC, STRICT_SYNC, SYNC}"


@pytest.fixture(scope="module", name="replica")
def _replica(shared: Servers) -> Server:
    replica = shared.start("r")
    replica.demote()
    return replica


@pytest.fixture(name="main")
def _main(lone: Server) -> Iterator[Server]:
    """The shared MAIN; whatever a test leaves registered is dropped."""
    yield lone
    for name, *_ in lone.rows("SHOW REPLICAS"):
        lone.ask(f"DROP REPLICA `{name}`")


def _register(name: str, address: str, mode: str = "SYNC") -> str:
    return f'REGISTER REPLICA {name} {mode} TO "{address}"'


def _addresses(main: Server) -> list[tuple[str, str, str, dict[str, object]]]:
    return [(row[0], row[1], row[2], row[4]) for row in main.rows("SHOW REPLICAS")]


@holds("S.notes", "S.columns", "R.c", "R.d")
def test_register_and_drop_answer_with_a_notification(main: Server, replica: Server) -> None:
    """No columns, no rows, a note in the summary; the row has the recorded shape."""
    registered = main.ask(_register("r1", replica.address))
    assert (registered.columns, registered.rows) == ([], [])
    assert registered.notes == {"RegisterReplica": "Replica r1 is registered."}
    main.until_status("r1", "ready")
    ((name, address, mode, system, data),) = main.rows("SHOW REPLICAS")
    assert (name, address, mode, system) == ("r1", replica.address, "sync", None)
    assert data.keys() == {"memgraph"}
    assert data["memgraph"].keys() == {"ts", "behind", "status"}
    assert (data["memgraph"]["behind"], data["memgraph"]["status"]) == (0, "ready")
    assert main.ask("DROP REPLICA r1").notes == {"DropReplica": "Replica r1 is dropped."}
    assert main.rows("SHOW REPLICAS") == []


@holds("S.error-1", "S.error-2", "R.c")
def test_a_name_and_an_endpoint_may_stand_once(main: Server, replica: Server) -> None:
    """Error 1 for the name, Error 2 for the endpoint; neither leaves anything behind."""
    main.register(replica, "SYNC")
    assert main.refusal(_register("r", "127.0.0.1:9")) == Refusal.client(expected.cannot_register("r", 1))
    assert main.refusal(_register("s", replica.address)) == Refusal.client(expected.cannot_register("s", 2))
    assert main.refusal(_register("s", replica.address, "ASYNC")) == Refusal.client(expected.cannot_register("s", 2))
    assert [row[0] for row in main.rows("SHOW REPLICAS")] == ["r"]


@holds("S.host-names")
def test_a_host_name_is_another_endpoint(main: Server, replica: Server) -> None:
    """`localhost` beside `127.0.0.1` is not found out; SHOW REPLICAS has what was typed."""
    main.register(replica, "SYNC")
    main.ask(_register("twice", f"localhost:{replica.port}"))
    assert [row[:2] for row in _addresses(main)] == [
        ("r", replica.address),
        ("twice", f"localhost:{replica.port}"),
    ]


@pytest.mark.parametrize("kind", ["nothing listens", "unresolvable", "Bolt port of a MAIN", "itself"])
@holds("S.error-5", "S.half")
def test_a_target_that_does_not_accept_is_error_5_and_a_half_row(main: Server, kind: str) -> None:
    """The row stays with `{}`, a repetition is Error 1, writes succeed without it, and DROP removes it."""
    address = {
        "nothing listens": f"{HOST}:{free_port()}",
        "unresolvable": "no-such-host.invalid:10000",
        "Bolt port of a MAIN": f"{HOST}:{main.bolt}",
        "itself": f"{HOST}:{main.port}",
    }[kind]
    assert main.refusal(_register("r9", address)) == Refusal.client(expected.cannot_register("r9", 5))
    assert _addresses(main) == [("r9", address, "sync", {})]
    assert main.refusal(_register("r9", address, "ASYNC")) == Refusal.client(expected.cannot_register("r9", 1))
    assert main.refusal("CREATE (:Unconfirmed)") is None
    assert main.ask("DROP REPLICA r9").notes == {"DropReplica": "Replica r9 is dropped."}


@holds("S.default-port")
def test_the_default_port_is_10000(main: Server) -> None:
    """An address without a port is listed with 10000."""
    main.refusal(_register("h2", "no-such-host.invalid"))
    assert [row[:2] for row in _addresses(main)] == [("h2", "no-such-host.invalid:10000")]


@pytest.mark.parametrize("name", ["`node-1`", "`node 1`", "node_1", "N1"])
@holds("S.backticks")
def test_names_that_are_accepted(main: Server, replica: Server, name: str) -> None:
    """Backticks allow anything; case is kept."""
    main.ask(_register(name, replica.address))
    assert [row[0] for row in main.rows("SHOW REPLICAS")] == [name.strip("`")]
    main.until_status(name.strip("`"), "ready")
    assert main.refusal(f"DROP REPLICA {name}") is None


@pytest.mark.parametrize(
    ("query", "start"),
    [
        (
            'REGISTER REPLICA node-1 SYNC TO "127.0.0.1:9"',
            "Error on line 1 position 22. The underlying parsing error is mismatched input '-' expecting " + MODES,
        ),
        (
            'REGISTER REPLICA "n1" SYNC TO "127.0.0.1:9"',
            "Error on line 1 position 18. The underlying parsing error is extraneous input '\"n1\"' expecting ",
        ),
        (
            'REGISTER REPLICA 1n SYNC TO "127.0.0.1:9"',
            "Error on line 1 position 18. The underlying parsing error is extraneous input '1' expecting ",
        ),
        (
            'REGISTER REPLICA r.1 SYNC TO "127.0.0.1:9"',
            "Error on line 1 position 19. The underlying parsing error is extraneous input '.1' expecting " + MODES,
        ),
        (
            "REGISTER REPLICA h3 SYNC TO $a",
            "Error on line 1 position 29. The underlying parsing error is extraneous input '$' expecting ",
        ),
        (
            "DROP REPLICA node-1",
            "Error on line 1 position 18. The underlying parsing error is ",
        ),
        (
            'REGISTER REPLICA h4 SYNC WITH TIMEOUT 1 TO "127.0.0.1:9"',
            "Error on line 1 position 26. The underlying parsing error is missing TO at 'WITH'",
        ),
        (
            'REGISTER REPLICA h5 TO "127.0.0.1:9"',
            "Error on line 1 position 21. The underlying parsing error is missing {ASYNC, STRICT_SYNC, SYNC} at 'TO'",
        ),
    ],
)
@holds("S.backticks", "S.no-parameter")
def test_forms_that_are_syntax_errors(main: Server, query: str, start: str) -> None:
    """Position and words of the parser, up to its list of tokens, which the recording cuts."""
    refusal = main.refusal(query)
    assert refusal is not None
    assert (refusal.kind, refusal.code) == ("ClientError", expected.CLIENT)
    assert refusal.text.startswith(start)
    assert main.rows("SHOW REPLICAS") == []


@holds("S.codes", "R.c")
def test_a_port_that_is_no_number_is_a_transient_error(main: Server) -> None:
    """It is not even a ClientError."""
    assert main.refusal(_register("h3", "127.0.0.1:abc")) == Refusal.transient(expected.NOT_A_PORT)


@holds("S.drop-unknown", "R.d")
def test_drop_of_an_unknown_name(main: Server) -> None:
    """Not idempotent."""
    assert main.refusal("DROP REPLICA nope") == Refusal.client(expected.cannot_drop("nope"))


@holds("S.half-heals", "R.e5")
def test_a_half_row_does_not_heal_until_main_restarts(servers: Servers) -> None:
    """The target's becoming a REPLICA changes nothing; a restart makes it a failing row; DROP and REGISTER heal it."""
    main, replica = servers.two()
    assert main.refusal(main.registration(replica, "SYNC")) == Refusal.client(expected.cannot_register("b", 5))
    replica.demote()
    main.ask("CREATE (:N)")
    assert main.status("b") is None
    assert replica.count() == 0
    main.terminate()
    main.start()
    assert main.until_status("b", "invalid", 10) < 10
    assert main.refusal("CREATE (:N)") == Refusal.transient(expected.SYNC_UNCONFIRMED)
    main.ask("DROP REPLICA b")
    main.register(replica, "SYNC")
    assert replica.count() == main.count() == 2


@holds("S.early")
def test_register_returns_before_the_replica_has_caught_up(servers: Servers) -> None:
    """A missed write is repaired after the answer, the row says `recovery` or already `ready`, never less."""
    main, replica = servers.pair("SYNC")
    main.ask("DROP REPLICA b")
    main.ask("UNWIND range(1, 20000) AS i CREATE (:N {i: i})")
    main.ask(main.registration(replica, "SYNC"))
    assert main.status("b") in {"recovery", "ready"}
    main.until_status("b", "ready")
    assert replica.count() == 20_000


@holds("S.two-mains")
def test_the_last_register_wins_and_the_other_main_notices_at_its_next_write(servers: Servers) -> None:
    """The second MAIN takes the replica away; the first one's row says `ready` until then."""
    flags = servers.edition("official")
    first, replica = servers.pair("SYNC", *flags)
    first.ask("CREATE (:A)")
    second = servers.start("c", *flags)
    second.ask("CREATE (:Other)")
    assert second.refusal(second.registration(replica, "SYNC")) is None
    assert first.status("b") == "ready"
    assert first.refusal("CREATE (:B)") == Refusal.transient(expected.SYNC_UNCONFIRMED)
    assert first.status("b") == "invalid"
    assert (first.count(), replica.count()) == (2, 1)
    assert second.refusal("CREATE (:C)") == Refusal.transient(expected.SYNC_UNCONFIRMED)
    assert second.status("b") == "invalid"


@pytest.mark.slow
@pytest.mark.parametrize("build", ["official", "community"])
@holds("S.unrelated", "R.x1")
def test_unrelated_data_is_accepted_by_one_build_and_refused_by_the_other(servers: Servers, build: str) -> None:
    """Official: `invalid` for ever, writes fail.  Community: Error 3, a half row, writes succeed."""
    flags = servers.edition(build)
    main, replica = servers.two(*flags)
    main.ask("CREATE (:Main)")
    replica.ask("UNWIND range(1, 5) AS i CREATE (:Mine)")
    replica.demote()
    refusal = main.refusal(main.registration(replica, "SYNC"))
    written = main.refusal("CREATE (:W)")
    if build == "official":
        assert (refusal, written) == (None, Refusal.transient(expected.SYNC_UNCONFIRMED))
        with pytest.raises(AssertionError, match="row b"):
            main.until_status("b", "ready", 3)
    else:
        assert (refusal, written) == (Refusal.client(expected.cannot_register("b", 3)), None)
    assert main.status("b") == ("invalid" if build == "official" else None)
    assert replica.count("Mine") == replica.count() == 5


@pytest.mark.slow
@holds("Q11.unrelated")
def test_unrelated_data_is_replaced_once_its_files_are_gone(servers: Servers) -> None:
    """Restarted without `wal/` and `snapshots/` the instance takes MAIN's data by itself."""
    flags = servers.edition("official")
    main, replica = servers.two(*flags)
    main.ask("CREATE (:Main)")
    replica.ask("UNWIND range(1, 5) AS i CREATE (:Mine)")
    replica.demote()
    main.ask(main.registration(replica, "SYNC"))
    assert main.status("b") == "invalid"
    replica.kill()
    replica.wipe_data()
    replica.start()
    main.until_status("b", "ready")
    assert (replica.count(), replica.count("Main")) == (1, 1)


@holds("S.mixing")
def test_a_sync_row_beside_a_strict_sync_one_gets_nothing(servers: Servers) -> None:
    """Both are accepted, the write is acknowledged, and only the STRICT_SYNC replica has it."""
    main, sync, strict = servers.cluster({"b": "SYNC", "c": "STRICT_SYNC"})
    assert [row[2] for row in main.rows("SHOW REPLICAS")] == ["sync", "strict_sync"]
    assert main.refusal("CREATE (:M)") is None
    until("the STRICT_SYNC replica", strict.count, lambda count: count == 1)
    assert sync.count() == 0

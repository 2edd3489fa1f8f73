"""Users on the official build without a licence and on the community build (Q2)."""

from __future__ import annotations

import contextlib
from collections.abc import Iterator

import neo4j
import pytest
from neo4j.exceptions import ClientError

from tests.conformance import expected
from tests.conformance.answers import Refusal
from tests.conformance.questions import holds
from tests.conformance.servers import Server, Servers, until

Auth = tuple[str, str] | None
ADMIN = {"MEMGRAPH_USER": "admin", "MEMGRAPH_PASSWORD": "secret"}
RIGHT = ("admin", "secret")
STRANGERS: tuple[Auth, ...] = (("admin", "wrong"), ("nobody", "x"), None)
CREATE_ADMIN = "CREATE USER IF NOT EXISTS admin IDENTIFIED BY 'secret'"


def _lets_in(server: Server, auth: Auth) -> bool:
    server.auth, before = auth, server.auth
    try:
        server.ask("SHOW REPLICATION ROLE")
    except ClientError as error:
        refusal = Refusal.of(error)
    else:
        return True
    finally:
        server.auth = before
    assert refusal == Refusal("ClientError", expected.UNAUTHENTICATED, expected.UNAUTHENTICATED_TEXT)
    return False


def _guarded_pair(servers: Servers, build: str) -> tuple[Server, Server]:
    """Return MAIN and a registered REPLICA, both started with the user `admin`."""
    flags = servers.edition(build)
    main, replica = servers.two(*flags, **ADMIN)
    main.auth = replica.auth = RIGHT
    for server in (main, replica):
        assert [_lets_in(server, each) for each in STRANGERS] == [False, False, False]
    replica.demote()
    assert not _lets_in(replica, STRANGERS[0])
    main.register(replica, "SYNC")
    return main, replica


@pytest.fixture(name="guarded")
def _guarded(servers: Servers) -> tuple[Server, Server]:
    """The pair of the official build."""
    return _guarded_pair(servers, "official")


@holds("Q2.before", "Q2.register", "Q2.promotion", "Q2.create", "Q2.sessions", "Q2.password")
def test_register_deletes_the_users_of_the_replica(guarded: tuple[Server, Server]) -> None:
    """Anybody is let in there, at once and after a promotion; CREATE USER on the new MAIN closes the door."""
    main, replica = guarded
    until("SHOW USERS", lambda: replica.rows("SHOW USERS"), lambda rows: rows == [])
    assert [_lets_in(replica, each) for each in STRANGERS] == [True, True, True]
    assert main.rows("SHOW USERS") == [["admin"]]
    assert not _lets_in(main, STRANGERS[0])
    assert replica.refusal(CREATE_ADMIN) == Refusal.client(expected.USERS_ON_REPLICA)
    replica.auth = None
    replica.promote()
    assert [_lets_in(replica, each) for each in STRANGERS] == [True, True, True]
    with contextlib.ExitStack() as stack:
        sessions = [stack.enter_context(_opened(replica, auth)) for auth in (RIGHT, *STRANGERS)]
        replica.auth = None
        replica.ask(CREATE_ADMIN)
        replica.auth = RIGHT
        assert [_lets_in(replica, each) for each in (RIGHT, *STRANGERS)] == [True, False, False, False]
        for session in sessions:
            session.run("CREATE (:ByOpenSession)").consume()
            session.run("SHOW REPLICAS").consume()
    assert replica.count("ByOpenSession") == 4
    assert replica.refusal("CREATE USER IF NOT EXISTS admin IDENTIFIED BY 'other'") is None
    assert [_lets_in(replica, each) for each in (RIGHT, ("admin", "other"))] == [True, False]
    assert replica.refusal("SET PASSWORD FOR admin TO 'third'") is None
    assert [_lets_in(replica, each) for each in (("admin", "third"), RIGHT)] == [True, False]


@contextlib.contextmanager
def _opened(server: Server, auth: Auth) -> Iterator[neo4j.Session]:
    server.auth = auth
    with server.driver() as driver, driver.session() as session:
        session.run("RETURN 1").consume()
        yield session


@pytest.mark.slow
@holds("Q2.environment", "Q2.fast-restart", "Q2.away")
def test_the_environment_brings_users_back_until_the_next_system_recovery(guarded: tuple[Server, Server]) -> None:
    """Restarted within three pings the user stays; away longer it is deleted again soon after the start."""
    main, replica = guarded
    replica.restart()
    assert not _lets_in(replica, STRANGERS[0])
    replica.kill()
    main.until_status("b", "invalid", 8)
    replica.start()
    until("a stranger", lambda: _lets_in(replica, STRANGERS[0]), bool, 10)


@pytest.mark.slow
@holds("Q2.main-restart")
def test_a_restart_of_main_deletes_the_users_of_the_replica(guarded: tuple[Server, Server]) -> None:
    """The restored row begins with a system recovery, 3 of 3."""
    main, replica = guarded
    replica.restart()
    assert not _lets_in(replica, STRANGERS[0])
    main.restart()
    until("a stranger", lambda: _lets_in(replica, STRANGERS[0]), bool, 10)
    assert replica.rows("SHOW USERS") == []


@pytest.mark.slow
@holds("Q2.not-replicated")
def test_users_of_main_are_not_replicated(guarded: tuple[Server, Server]) -> None:
    """CREATE USER on MAIN leaves the replica's list empty."""
    main, replica = guarded
    main.ask("CREATE USER x IDENTIFIED BY 'y'")
    main.ask("CREATE (:N)")
    replica.auth = None
    assert replica.count() == 1
    assert replica.rows("SHOW USERS") == []
    with pytest.raises(ClientError):
        main.ask("CREATE USER x IDENTIFIED BY 'y'")


@pytest.mark.slow
@holds("Q2.community")
def test_the_community_build_keeps_the_users_of_a_replica(servers: Servers) -> None:
    """REGISTER, restarts and promotion never touch them, and CREATE USER on a REPLICA has its own refusal."""
    main, replica = _guarded_pair(servers, "community")
    closed = [False, False, False]
    assert replica.rows("SHOW USERS") == [["admin"]]
    assert [_lets_in(replica, each) for each in STRANGERS] == closed
    assert replica.refusal(CREATE_ADMIN) == Refusal.client(expected.USERS_ON_COMMUNITY_REPLICA)
    replica.restart()
    main.until_status("b", "ready", 10)
    assert [_lets_in(replica, each) for each in STRANGERS] == closed
    replica.promote()
    assert replica.rows("SHOW USERS") == [["admin"]]
    assert [_lets_in(replica, each) for each in STRANGERS] == closed
    replica.ask("CREATE USER x IDENTIFIED BY 'y'")
    replica.restart()
    assert _lets_in(replica, ("x", "y"))


@pytest.mark.slow
@holds("Q2.init-file")
def test_an_init_file_makes_users_on_a_main_only(servers: Servers) -> None:
    """On a stored REPLICA the line is refused, which is logged only."""
    server = servers.start("a", *servers.edition("official"))
    file = server.folder / "users.cypherl"
    file.write_text(f"{CREATE_ADMIN};\n")
    server.demote()
    server.restart(f"--init-file={file}")
    assert _lets_in(server, None)
    assert f"{expected.LINE_FAILED} {expected.USERS_ON_REPLICA}" in server.log()
    server.promote()
    server.restart(f"--init-file={file}")
    assert [_lets_in(server, each) for each in (RIGHT, None)] == [True, False]

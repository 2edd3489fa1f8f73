"""Users on the official build without a licence (Q2)."""

from __future__ import annotations

import pytest
from neo4j.exceptions import ClientError

from tests.conformance import expected
from tests.conformance.questions import holds
from tests.conformance.servers import Refusal, Server, Servers, until

ADMIN = {"MEMGRAPH_USER": "admin", "MEMGRAPH_PASSWORD": "secret"}
RIGHT = ("admin", "secret")
STRANGERS = (("admin", "wrong"), ("nobody", "x"), None)


def _lets_in(server: Server, auth: tuple[str, str] | None) -> bool:
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


@pytest.fixture(name="guarded")
def _guarded(servers: Servers) -> tuple[Server, Server]:
    """MAIN and a registered REPLICA, both started with the user `admin`."""
    main, replica = servers.start("a", **ADMIN), servers.start("b", **ADMIN)
    main.auth = replica.auth = RIGHT
    for server in (main, replica):
        assert [_lets_in(server, each) for each in STRANGERS] == [False, False, False]
    replica.demote()
    assert not _lets_in(replica, STRANGERS[0])
    main.register(replica, "SYNC")
    return main, replica


@holds("Q2")
def test_register_deletes_the_users_of_the_replica(guarded: tuple[Server, Server]) -> None:
    """Anybody is let in there, at once and after a promotion; CREATE USER on the new MAIN closes the door."""
    main, replica = guarded
    until("SHOW USERS", lambda: replica.rows("SHOW USERS"), lambda rows: rows == [])
    assert [_lets_in(replica, each) for each in STRANGERS] == [True, True, True]
    assert main.rows("SHOW USERS") == [["admin"]]
    assert not _lets_in(main, STRANGERS[0])
    create = "CREATE USER IF NOT EXISTS admin IDENTIFIED BY 'secret'"
    assert replica.refusal(create) == Refusal.client(expected.USERS_ON_REPLICA)
    replica.auth = None
    replica.promote()
    assert [_lets_in(replica, each) for each in STRANGERS] == [True, True, True]
    with replica.driver() as driver, driver.session() as open_session:
        open_session.run("RETURN 1").consume()
        replica.ask(create)
        replica.auth = RIGHT
        assert [_lets_in(replica, each) for each in (RIGHT, *STRANGERS)] == [True, False, False, False]
        open_session.run("CREATE (:ByOpenSession)").consume()
    assert replica.count("ByOpenSession") == 1
    assert replica.refusal("CREATE USER IF NOT EXISTS admin IDENTIFIED BY 'other'") is None
    assert [_lets_in(replica, each) for each in (RIGHT, ("admin", "other"))] == [True, False]
    assert replica.refusal("SET PASSWORD FOR admin TO 'third'") is None
    assert [_lets_in(replica, each) for each in (("admin", "third"), RIGHT)] == [True, False]


@pytest.mark.slow
@holds("Q2")
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
@holds("Q2")
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

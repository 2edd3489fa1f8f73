"""Users, and what REGISTER does to them (transcripts Q2)."""

from __future__ import annotations

from typing import Any

import pytest

from memgraph_ha.fakes.memgraph import accounts
from memgraph_ha.fakes.memgraph.effects import Procedure
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.settings import Edition, Settings
from memgraph_ha.fakes.memgraph.virtual import World
from tests.fakes.virtual_helpers import promote, refusal, register, switch_port, until_status

ADMIN = ("admin", "secret")


def _pair(edition: Edition) -> World:
    world = World(seed=5)
    for name in "ab":
        world.start(name, Settings(edition=edition, initial_user=ADMIN, hashing_rounds=10))
    switch_port(world, "b")
    return world


def _log_in(world: World, name: str, principal: str, credentials: str, scheme: str = "basic") -> bool:
    def procedure() -> Procedure[list[list[Any]]]:
        host = world.hosts[name]
        yield from accounts.log_in(host.live(), host.workers, scheme, principal, credentials)
        return []

    ticket = world.perform(name, procedure())
    world.run_until(lambda: ticket.done)
    if ticket.error is None:
        return True
    assert isinstance(ticket.error, MemgraphError)
    assert ticket.error.code == "Memgraph.ClientError.Security.Unauthenticated"
    assert ticket.error.message == "Authentication failure"
    return False


def _logins(world: World, name: str) -> list[bool]:
    """Right password, wrong password, unknown user, no credentials."""
    return [
        _log_in(world, name, "admin", "secret"),
        _log_in(world, name, "admin", "wrong"),
        _log_in(world, name, "bob", "secret"),
        _log_in(world, name, "", "", "none"),
    ]


CHECKED = [True, False, False, False]
OPEN = [True, True, True, True]


@pytest.mark.parametrize("edition", list(Edition))
def test_initial_user_is_checked_on_both_roles_before_registration(edition: Edition) -> None:
    """MEMGRAPH_USER makes a user at start, also on a REPLICA (Q2)."""
    world = _pair(edition)
    assert [_logins(world, name) for name in "ab"] == [CHECKED, CHECKED]
    assert world.ask("b", "SHOW USERS") == [["admin"]]


def test_register_deletes_every_user_of_the_replica_on_the_official_build() -> None:
    """ENT: right after REGISTER any credentials or none are accepted on the replica, MAIN is as before (Q2)."""
    world = _pair(Edition.OFFICIAL)
    register(world, "a", "b")
    assert world.ask("b", "SHOW USERS") == []
    assert (_logins(world, "a"), _logins(world, "b")) == (CHECKED, OPEN)


def test_community_build_leaves_users_alone() -> None:
    """OSS: REGISTER, promotion and restarts never touch the users of the replica (Q2)."""
    world = _pair(Edition.COMMUNITY)
    register(world, "a", "b")
    promote(world, "b")
    assert _logins(world, "b") == CHECKED


def test_create_user_on_the_promoted_one_restores_the_check() -> None:
    """CREATE USER IF NOT EXISTS after a promotion brings the check for new connections back (Q2)."""
    world = _pair(Edition.OFFICIAL)
    register(world, "a", "b")
    promote(world, "b")
    assert _logins(world, "b") == OPEN
    world.ask("b", "CREATE USER IF NOT EXISTS admin IDENTIFIED BY 'secret'")
    assert _logins(world, "b") == CHECKED
    world.ask("b", "CREATE USER IF NOT EXISTS admin IDENTIFIED BY 'other'")
    assert _logins(world, "b") == CHECKED
    world.ask("b", "SET PASSWORD FOR admin TO 'other'")
    assert _log_in(world, "b", "admin", "other")
    assert not _log_in(world, "b", "admin", "secret")


def test_restart_brings_the_initial_user_back_until_the_next_system_recovery() -> None:
    """A replica away for more than three pings is checked until MAIN recovers it, then open again (Q2b)."""
    world = _pair(Edition.OFFICIAL)
    register(world, "a", "b")
    world.kill("b")
    until_status(world, "a", "b", "invalid")
    world.start("b")
    assert _logins(world, "b") == CHECKED
    world.run(1.5)
    assert _logins(world, "b") == OPEN


def test_quick_restart_keeps_the_users() -> None:
    """A replica restarted faster than three pings keeps its users, until MAIN restarts (Q2b)."""
    world = _pair(Edition.OFFICIAL)
    register(world, "a", "b")
    world.kill("b")
    world.start("b")
    world.run(4.0)
    assert _logins(world, "b") == CHECKED
    world.kill("a")
    world.start("a")
    assert _logins(world, "b") == OPEN


@pytest.mark.parametrize(
    ("edition", "ending"),
    [
        (Edition.OFFICIAL, "MAIN will then replicate the update to connected REPLICAs"),
        (Edition.COMMUNITY, "Switch role to MAIN and update user data, then switch back to REPLICA."),
    ],
)
def test_users_cannot_be_changed_on_a_replica(edition: Edition, ending: str) -> None:
    """CREATE USER on a REPLICA is refused in the words of the edition (Q2)."""
    world = _pair(edition)
    message = refusal(world, "b", "CREATE USER IF NOT EXISTS x IDENTIFIED BY 'y'").message
    assert message.startswith("Query forbidden on the replica! ")
    assert message.endswith(ending)


def test_users_are_not_replicated() -> None:
    """A user made with CREATE USER on MAIN is not on the replica (Q2)."""
    world = _pair(Edition.OFFICIAL)
    register(world, "a", "b")
    world.ask("a", "CREATE USER u IDENTIFIED BY 'p'")
    assert world.ask("a", "SHOW USERS") == [["admin"], ["u"]]
    assert world.ask("b", "SHOW USERS") == []
    world.ask("a", "DROP USER u")
    assert world.ask("a", "SHOW USERS") == [["admin"]]


def test_names_are_kept_in_lower_case() -> None:
    """No two differ by case only, whoever creates them (auth.cpp)."""
    world = World()
    world.start("a", Settings(initial_user=("Admin", "secret"), hashing_rounds=10))
    world.ask("a", "CREATE USER IF NOT EXISTS ADMIN IDENTIFIED BY 'other'")
    world.ask("a", "CREATE USER App IDENTIFIED BY 'p'")
    assert world.ask("a", "SHOW USERS") == [["admin"], ["app"]]
    assert [_log_in(world, "a", name, "secret") for name in ("admin", "ADMIN", "app")] == [True, True, False]
    assert _log_in(world, "a", "aPP", "p")
    world.ask("a", "DROP USER APP")
    assert world.ask("a", "SHOW USERS") == [["admin"]]


def test_users_survive_a_restart() -> None:
    """Users are on disk, hashed (Q2)."""
    world = World()
    world.start("a")
    world.ask("a", "CREATE USER x IDENTIFIED BY 'y'")
    assert "y" not in str(world.hosts["a"].disk.stores["auth"]["users"]["x"]["hash"])
    world.kill("a")
    world.start("a")
    assert (_log_in(world, "a", "x", "y"), _log_in(world, "a", "x", "z")) == (True, False)


def test_login_waits_neither_for_queries_nor_for_a_stalled_commit(world: World) -> None:
    """HELLO and LOGON are answered while blocked queries have all other workers (Q4)."""
    register(world, "a", "b")
    world.freeze("b")
    for query in ("CREATE (:W)", "RETURN 1", "RETURN 1"):
        world.send("a", query)
    world.run(1.0)
    before = world.now
    assert _log_in(world, "a", "", "", "none")
    assert world.now - before < 0.01

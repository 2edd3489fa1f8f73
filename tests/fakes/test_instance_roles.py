"""Roles, and what is refused in which (transcripts Q1, Q6, summary; raw recordings b, g, l, n)."""

from __future__ import annotations

import pytest

from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.settings import Settings
from memgraph_ha.fakes.memgraph.virtual import World
from tests.fakes.virtual_helpers import (
    NOOP,
    STRICT_SYNC_FAILED,
    begin_with,
    commit,
    count,
    promote,
    query_in,
    refusal,
    register,
    role,
    status,
    switch_port,
    until_status,
)

CLIENT = "Memgraph.ClientError.MemgraphError.MemgraphError"
INIT = ("SET REPLICATION ROLE TO REPLICA WITH PORT 10000;",)


def test_fresh_instance_is_main_and_writable(world: World) -> None:
    """A fresh instance is MAIN and takes writes (raw recording a)."""
    assert role(world, "a") == "main"
    world.ask("a", "CREATE (:N)")
    assert count(world, "a") == 1


@pytest.mark.parametrize(
    ("name", "query", "message"),
    [
        ("a", "SET REPLICATION ROLE TO MAIN", "Couldn't set replication role to main!"),
        ("a", "set replication role to main;", "Couldn't set replication role to main!"),
        ("a", "SET REPLICATION ROLE TO MAIN WITH PORT 1", "Main can't set a port!"),
        ("a", "SET REPLICATION ROLE TO REPLICA", "Replica must set a port!"),
        ("a", "SET REPLICATION ROLE TO REPLICA WITH PORT 70000", "Port number invalid!"),
        ("b", "SET REPLICATION ROLE TO REPLICA WITH PORT 10000", "Couldn't set role to replica!"),
        ("b", "SET REPLICATION ROLE TO REPLICA WITH PORT 10005", "Couldn't set role to replica!"),
        ("b", "SHOW REPLICAS", "Show replicas query should only be run on the main instance."),
        ("b", 'REGISTER REPLICA x SYNC TO "c"', "Replica can't register another replica!"),
    ],
)
def test_refusals_by_role(world: World, name: str, query: str, message: str) -> None:
    """Each role refuses what it was recorded to refuse, with the code of a ClientError."""
    error = refusal(world, name, query)
    assert (error.code, error.message) == (CLIENT, message)


def test_replica_refuses_writes_and_snapshots(world: World) -> None:
    """A REPLICA refuses writes as a ClientError and snapshots as a TransientError (raw recording g)."""
    assert refusal(world, "b", "CREATE (:X)").message.startswith("Write queries are forbidden on the replica")
    snapshot = refusal(world, "b", "CREATE SNAPSHOT")
    assert snapshot.code.startswith("Memgraph.TransientError")
    assert snapshot.message == "Failed to create a snapshot. Replica instances are not allowed to create them."


def test_promotion_takes_a_fifth_of_a_second_and_knows_no_replicas(world: World) -> None:
    """Promotion waits for the replication server to stop (Q8: 201..245 ms); rows are forgotten."""
    register(world, "a", "b")
    ticket = world.send("b", "SET REPLICATION ROLE TO MAIN")
    world.outcome(ticket)
    assert 0.15 < ticket.took_s < 0.3
    assert world.ask("b", "SHOW REPLICAS") == []


def test_role_questions_wait_for_a_promotion(world: World) -> None:
    """SHOW REPLICATION ROLE is answered after a role command that is under way (semantics 2.1)."""
    world.send("b", "SET REPLICATION ROLE TO MAIN")
    asked = world.send("b", "SHOW REPLICATION ROLE")
    assert world.outcome(asked) == [["main"]]
    assert asked.took_s > 0.15


def test_two_role_commands_at_once_are_refused(world: World) -> None:
    """System queries wait 100 ms for each other, no longer (semantics 2.0)."""
    first = world.send("b", "SET REPLICATION ROLE TO MAIN")
    second = world.send("b", "SET REPLICATION ROLE TO MAIN")
    with pytest.raises(MemgraphError, match="Multiple concurrent system queries are not supported"):
        world.outcome(second)
    assert world.outcome(first) == []


def test_demotion_refuses_open_transactions_at_their_commit(world: World) -> None:
    """Demotion does not wait for open transactions; their COMMIT is refused, reads go on (raw n)."""
    session = world.session("a")
    world.outcome(world.perform("a", begin_with(session, "CREATE (:Open)")))
    switch_port(world, "a")
    ticket = world.perform("a", commit(session))
    with pytest.raises(MemgraphError, match="Cannot commit because instance is not main anymore"):
        world.outcome(ticket)
    assert count(world, "a") == 0


def test_transaction_begun_on_a_replica_may_write_after_its_promotion(world: World) -> None:
    """A transaction that was open at the promotion writes by the role at its own RUN (raw n)."""
    session = world.session("b")
    world.outcome(world.perform("b", begin_with(session, "MATCH (n) RETURN count(n)")))
    promote(world, "b")
    world.outcome(world.perform("b", query_in(session, "CREATE (:D)")))
    world.outcome(world.perform("b", commit(session)))
    assert count(world, "b", "D") == 1


def test_failed_bind_leaves_a_deaf_replica(world: World) -> None:
    """If the port cannot be bound the query errors but the role is replica already (raw b)."""
    world.hosts["a"].refuses_to_listen = True
    assert refusal(world, "a", INIT[0]).message == "Couldn't set role to replica!"
    assert role(world, "a") == "replica"


def test_role_and_rows_survive_a_restart(world: World) -> None:
    """MAIN comes back as MAIN with its rows, a REPLICA as REPLICA (raw recording j)."""
    register(world, "a", "b")
    world.ask("a", "CREATE (:N)")
    world.kill("b")
    world.start("b")
    world.kill("a")
    world.start("a")
    assert (role(world, "a"), role(world, "b")) == ("main", "replica")
    assert status(world, "a", "b") == "ready"
    world.ask("a", "CREATE (:N)")
    assert count(world, "b") == 2


def test_restore_flag_false_forgets_role_and_rows(world: World) -> None:
    """With --replication-restore-state-on-startup=false both come up as MAIN without rows (raw j)."""
    settings = Settings(restore_replication_state=False)
    for name in "de":
        world.start(name, settings)
    switch_port(world, "e")
    register(world, "d", "e")
    for name in "de":
        world.kill(name)
        world.start(name)
        assert role(world, name) == "main"
    assert world.ask("d", "SHOW REPLICAS") == []


def test_data_recovery_false_starts_empty_but_keeps_role_and_uuid(world: World) -> None:
    """With --data-recovery-on-startup=false the data is aside, role and rows are not (raw j)."""
    register(world, "a", "b")
    world.ask("a", "CREATE (:N)")
    for name in "ba":
        world.kill(name)
    for name in "ba":
        world.start(name, Settings(data_recovery_on_startup=False))
    assert (role(world, "b"), count(world, "b"), count(world, "a")) == ("replica", 0, 0)
    assert status(world, "a", "b") == "ready"


def test_init_file_makes_a_returning_main_a_replica_before_bolt_opens(world: World) -> None:
    """With the init file the first Bolt answer of an old MAIN is `replica`, its data is there (Q1b)."""
    register(world, "a", "b")
    world.ask("a", "CREATE (:N)")
    world.kill("a")
    world.start("a", init_lines=INIT)
    assert role(world, "a") == "replica"
    assert count(world, "a") == 1


def test_init_file_fails_harmlessly_on_a_stored_replica(world: World) -> None:
    """On a stored REPLICA the line fails, the next ones run, and replication resumes by itself (Q1c)."""
    register(world, "a", "b")
    world.kill("b")
    world.start("b", init_lines=(*INIT, "SET DATABASE SETTING 'log.level' TO 'INFO';"))
    assert world.ask("b", "SHOW DATABASE SETTING 'log.level'") == [["INFO"]]
    assert any("The rest of the init-file will be run. Couldn't set role to replica!" in line for line in world.logged)
    until_status(world, "a", "b", "ready")
    world.run(1.5)
    world.ask("a", NOOP)


@pytest.mark.parametrize(("edition_wait_s", "replicas"), [(40.0, ("b",)), (80.0, ("b", "c"))])
def test_frozen_replicas_hold_up_the_start_of_their_main(
    world: World, edition_wait_s: float, replicas: tuple[str, ...]
) -> None:
    """Bolt of a restarted MAIN opens 30 + 10 s late for each frozen row on the official build (ENT only)."""
    for name in replicas:
        register(world, "a", name)
        world.freeze(name)
    world.kill("a")
    before = world.now
    world.start("a", init_lines=INIT)
    assert world.now - before == pytest.approx(edition_wait_s, abs=0.5)
    assert role(world, "a") == "replica"


def test_dead_replicas_do_not_hold_up_the_start(world: World) -> None:
    """Refused connections cost nothing (Q1b2: 0.1 s)."""
    register(world, "a", "b")
    world.kill("b")
    world.kill("a")
    before = world.now
    world.start("a")
    assert world.now - before < 0.2
    assert status(world, "a", "b") == "invalid"


def test_frozen_replica_holds_up_a_demotion_by_what_is_left_of_a_ping(world: World) -> None:
    """Demotion waits for the ping under way: 4 s, two seconds after the freeze (Q6)."""
    register(world, "a", "b")
    world.run(0.95)
    world.freeze("b")
    world.run(2.0)
    ticket = world.send("a", INIT[0])
    world.outcome(ticket)
    assert 3.0 < ticket.took_s < 4.5


def test_demotion_waits_for_an_async_commit_and_the_ping_behind_it(world: World) -> None:
    """With a write under way to a frozen ASYNC replica it takes 34 s: 30 s less the head start, and 5 s (Q6d)."""
    register(world, "a", "b", "ASYNC")
    world.freeze("b")
    world.outcome(world.send("a", "CREATE (:W)"))
    world.run(1.0)
    ticket = world.send("a", INIT[0])
    asked = world.send("a", "SHOW REPLICATION ROLE")
    world.outcome(ticket)
    world.outcome(asked)
    assert ticket.took_s == pytest.approx(34.0, abs=0.2)
    assert asked.took_s == pytest.approx(34.0, abs=0.3)


def test_demotion_during_a_stalled_commit_fails_at_once(world: World) -> None:
    """While a STRICT_SYNC commit hangs the demotion is refused, the role unchanged (Q6)."""
    register(world, "a", "b")
    world.freeze("b")
    stalled = world.send("a", "CREATE (:W)")
    world.run(1.0)
    ticket = world.send("a", INIT[0])
    with pytest.raises(MemgraphError, match="Couldn't set role to replica!"):
        world.outcome(ticket)
    assert ticket.took_s < 0.1
    with pytest.raises(MemgraphError, match=STRICT_SYNC_FAILED):
        world.outcome(stalled)

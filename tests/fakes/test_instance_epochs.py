"""Epochs and divergence (transcripts Q3, Q9, Q20; semantics 4)."""

from __future__ import annotations

import pytest

from memgraph_ha.fakes.memgraph.settings import Settings
from memgraph_ha.fakes.memgraph.virtual import World
from tests.fakes.virtual_helpers import (
    NOOP,
    STRICT_SYNC_FAILED,
    count,
    promote,
    refusal,
    register,
    row,
    status,
    switch_port,
    until_status,
)

INIT = ("SET REPLICATION ROLE TO REPLICA WITH PORT 10000;",)


def _promote_and_crash(world: World, after: str, *, extra: bool) -> None:
    """`b` is promoted, does `after`, is killed and restarted; `a` has one commit more if `extra`."""
    register(world, "a", "b", "SYNC")
    world.ask("a", "UNWIND range(1, 10) AS i CREATE (:N)")
    promote(world, "b")
    if extra:
        refusal(world, "a", "CREATE (:Extra)")
    if after:
        world.ask("b", after)
    world.kill("b")
    world.start("b")
    switch_port(world, "a")


@pytest.mark.parametrize("after", ["", "FREE MEMORY", "MATCH (n:Nope) SET n.x = 1"])
def test_lost_epoch_hides_an_extra_commit(world: World, after: str) -> None:
    """Nothing durable after the promotion: the old MAIN with one commit more is taken back `ready` (Q3)."""
    _promote_and_crash(world, after, extra=True)
    register(world, "b", "a", "SYNC")
    assert status(world, "b", "a") == "ready"
    assert row(world, "b", "a")["behind"] > 0
    assert count(world, "a", "Extra") == 1


@pytest.mark.parametrize("after", ["CREATE (:W)", "CREATE SNAPSHOT", NOOP])
def test_durable_epoch_finds_an_extra_commit(world: World, after: str) -> None:
    """One write, a snapshot or the no-op makes the epoch durable: Error: 3 (Q3)."""
    _promote_and_crash(world, after, extra=True)
    assert refusal(world, "b", 'REGISTER REPLICA a SYNC TO "a:10000"').message.endswith("Error: 3")


@pytest.mark.parametrize("after", ["", NOOP])
def test_no_extra_commit_is_clean_either_way(world: World, after: str) -> None:
    """Without an extra commit the old MAIN registers cleanly (Q3)."""
    _promote_and_crash(world, after, extra=False)
    register(world, "b", "a", "SYNC")
    until_status(world, "b", "a", "ready")
    world.ask("b", "CREATE (:N)")
    assert count(world, "a") == count(world, "b")


def test_undetected_divergence_in_strict_sync_ends_green_and_different(world: World) -> None:
    """The first two writes abort, then all goes through: two data sets under a green status (Q3b)."""
    _promote_and_crash(world, "", extra=True)
    count(world, "b")  # reads take timestamps too, as the recorded script's did
    register(world, "b", "a")
    failed = [refusal(world, "b", "CREATE (:W)").message for _ in range(2)]
    assert failed == [STRICT_SYNC_FAILED] * 2
    until_status(world, "b", "a", "ready")
    for _ in range(3):
        world.ask("b", "CREATE (:W)")
    assert (status(world, "b", "a"), row(world, "b", "a")["behind"]) == ("ready", 0)
    assert (count(world, "a", "Extra"), count(world, "b", "Extra")) == (1, 0)


def test_undetected_divergence_in_sync_never_works(world: World) -> None:
    """SYNC: every write errors though committed, the replica gets nothing, the row flaps (Q3b)."""
    _promote_and_crash(world, "", extra=True)
    count(world, "b")
    register(world, "b", "a", "SYNC")
    for _ in range(10):
        refusal(world, "b", "CREATE (:W)")
        world.run(0.3)
    assert count(world, "b", "W") == 10
    assert count(world, "a", "W") == 0
    assert status(world, "b", "a") in {"invalid", "recovery"}


def test_failover_and_return_of_the_old_main_are_clean(world: World) -> None:
    """Kill MAIN, promote, no-op, register the old MAIN back as STRICT_SYNC: level (Q9)."""
    register(world, "a", "b")
    register(world, "a", "c", "ASYNC")
    for _ in range(5):
        world.ask("a", "CREATE (:N)")
    world.kill("a")
    promote(world, "b")
    world.ask("b", NOOP)
    register(world, "b", "c", "ASYNC")
    world.start("a", init_lines=INIT)
    register(world, "b", "a")
    until_status(world, "b", "a", "ready")
    world.ask("b", "CREATE (:N)")
    world.run(0.1)
    assert [count(world, name) for name in "abc"] == [6, 6, 6]


def test_switchover_there_and_back_is_clean_after_restarts(world: World) -> None:
    """Roles may go back and forth, with restarts and writes between, without a false divergence (i2, Q1f)."""
    register(world, "a", "b")
    main, standby = "a", "b"
    for _ in range(3):
        world.ask(main, "CREATE (:N)")
        world.kill(standby)
        world.start(standby)
        world.run(1.5)
        refused = world.send(main, "CREATE (:N)")
        world.run(1.5)
        assert refused.done
        world.ask(main, "CREATE (:N)")
        switch_port(world, main)
        promote(world, standby)
        world.ask(standby, NOOP)
        main, standby = standby, main
        register(world, main, standby)
        until_status(world, main, standby, "ready")
    assert count(world, "a") == count(world, "b")


def test_replica_ahead_of_the_promoted_one_diverges(world: World) -> None:
    """An ASYNC replica that received one transaction more than the promoted one is refused (semantics 0.4)."""
    register(world, "a", "b", "ASYNC")
    register(world, "a", "c", "ASYNC")
    world.ask("a", "CREATE (:N)")
    world.run(0.1)
    world.kill("b")
    world.ask("a", "CREATE (:N)")
    world.run(0.1)
    world.kill("a")
    world.start("b")
    promote(world, "b")
    world.ask("b", NOOP)
    assert refusal(world, "b", 'REGISTER REPLICA c ASYNC TO "c:10000"').message.endswith("Error: 3")


def test_version_3_5_calls_a_healthy_replica_diverged_after_its_restart() -> None:
    """The log of 3.5 keeps the old epoch's label: false divergence after failover and restart (issue #3353)."""
    for version, expected in (("3.5.2", "diverged"), ("3.6.1", "ready")):
        world = World(seed=1)
        for name in "abc":
            world.start(name, Settings(version=version))
        for name in "bc":
            switch_port(world, name)
            register(world, "a", name, "ASYNC")
        world.ask("a", "CREATE (:N)")
        world.run(0.5)
        world.kill("a")
        promote(world, "b")
        register(world, "b", "c", "ASYNC")
        world.ask("b", "CREATE (:N)")
        world.run(0.5)
        world.kill("c")
        until_status(world, "b", "c", "invalid")
        world.start("c")
        until_status(world, "b", "c", expected)

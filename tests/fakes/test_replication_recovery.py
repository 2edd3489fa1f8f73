"""Pings, recovery and the states of a row over time (transcripts event table, Q13, Q20; semantics 2.10, 4.9)."""

from __future__ import annotations

import pytest

from memgraph_ha.fakes.memgraph import dataset, txlog
from memgraph_ha.fakes.memgraph.virtual import World
from tests.fakes.virtual_helpers import (
    STRICT_SYNC_FAILED,
    count,
    promote,
    refusal,
    register,
    role,
    row,
    status,
    switch_port,
    until_status,
    uuid_of,
)

INIT = ("SET REPLICATION ROLE TO REPLICA WITH PORT 10000;",)


@pytest.mark.parametrize("mode", ["SYNC", "STRICT_SYNC", "ASYNC"])
def test_dead_replica_shows_after_three_pings(world: World, mode: str) -> None:
    """SHOW REPLICAS says `invalid` 2 to 3 s after a kill, all modes, without writes (event table)."""
    register(world, "a", "b", mode)
    world.run(0.15)
    world.kill("b")
    assert until_status(world, "a", "b", "invalid") == pytest.approx(2.85, abs=0.1)


def test_frozen_replica_shows_after_sixteen_seconds(world: World) -> None:
    """SHOW REPLICAS says `invalid` 16 s after SIGSTOP, and `ready` at once after SIGCONT (e3)."""
    register(world, "a", "b")
    world.freeze("b")
    assert until_status(world, "a", "b", "invalid") == pytest.approx(16.0, abs=0.05)
    world.thaw("b")
    assert until_status(world, "a", "b", "ready") < 0.2


def test_replica_back_with_its_directory_recovers_by_itself(world: World) -> None:
    """A replica that comes back is `ready` within a ping and has what it missed (event table)."""
    register(world, "a", "b", "SYNC")
    world.ask("a", "CREATE (:N)")
    world.kill("b")
    refusal(world, "a", "CREATE (:N)")
    until_status(world, "a", "b", "invalid")
    world.start("b")
    assert until_status(world, "a", "b", "ready") < 1.1
    assert count(world, "b") == 2


def test_replica_restarted_between_pings_stays_ready_and_fails_the_first_write(world: World) -> None:
    """The row still says `ready`; the first write finds the dead connection, a heartbeat repairs it (Q1c2)."""
    register(world, "a", "b")
    world.run(0.05)
    world.kill("b")
    world.start("b")
    assert status(world, "a", "b") == "ready"
    assert refusal(world, "a", "CREATE (:N)").message == STRICT_SYNC_FAILED
    until_status(world, "a", "b", "ready", within_s=1.1)
    world.ask("a", "CREATE (:N)")
    assert count(world, "b") == 1


def test_replica_back_with_an_empty_directory_never_gets_ready_by_itself(world: World) -> None:
    """It comes up as MAIN; after SET ROLE it stays `invalid`; DROP + REGISTER heals it (event table)."""
    register(world, "a", "b", "SYNC")
    world.ask("a", "CREATE (:N)")
    world.kill("b")
    world.hosts["b"].disk.wipe()
    world.start("b")
    assert role(world, "b") == "main"
    until_status(world, "a", "b", "invalid")
    switch_port(world, "b")
    world.run(6.0)
    assert status(world, "a", "b") == "invalid"
    world.ask("a", "DROP REPLICA b")
    register(world, "a", "b", "SYNC")
    until_status(world, "a", "b", "ready")
    assert count(world, "b") == 1


def test_register_returns_before_the_data_is_there(world: World) -> None:
    """REGISTER of an empty replica returns in `recovery`; STRICT_SYNC writes abort until `ready` (summary)."""
    _fill(world, 20_000)
    register(world, "a", "b")
    assert status(world, "a", "b") == "recovery"
    assert refusal(world, "a", "CREATE (:W)").message == STRICT_SYNC_FAILED
    until_status(world, "a", "b", "ready")
    world.ask("a", "CREATE (:W)")
    assert count(world, "b") == 20_001


def test_uuid_is_taken_over_before_the_data_is_complete(world: World) -> None:
    """Polled on the replica: own uuid, then MAIN's with part of the nodes, then all of them (Q13)."""
    _fill(world, 20_000)
    own, main = uuid_of(world, "b"), uuid_of(world, "a")
    register(world, "a", "b")
    seen: list[tuple[str, int]] = []
    while not seen or seen[-1][1] < 20_000:
        info = dict(world.ask("b", "SHOW STORAGE INFO"))
        now = (str(info["database_uuid"]), int(info["vertex_count"]))
        if not seen or seen[-1] != now:
            seen.append(now)
        world.run(0.0005)
    assert seen[0] == (own, 0)
    assert {uuid for uuid, _ in seen[1:]} == {main}
    assert any(0 < nodes < 20_000 for _, nodes in seen)


def test_uuid_is_taken_over_before_the_log_is_applied(world: World) -> None:
    """The same if the log is sent and no copy: MAIN's uuid without the data, durable only with it (Q13)."""
    world.ask("a", "UNWIND range(1, 20000) AS i CREATE (:N)")
    own, main = uuid_of(world, "b"), uuid_of(world, "a")
    register(world, "a", "b")
    world.run_until(lambda: uuid_of(world, "b") == main)
    assert count(world, "b") == 0
    world.kill("b")
    world.start("b")
    assert (uuid_of(world, "b"), count(world, "b")) == (own, 0)
    until_status(world, "a", "b", "ready")
    assert (uuid_of(world, "b"), count(world, "b")) == (main, 20_000)


def test_killed_in_the_middle_of_the_first_recovery(world: World) -> None:
    """Own uuid and no nodes after the restart; recovery then starts again by itself (Q13, 3 of 3)."""
    _fill(world, 20_000)
    own = uuid_of(world, "b")
    register(world, "a", "b")
    world.run_until(lambda: world["b"].arriving is not None and len(world["b"].arriving.parts) > 5)
    world.kill("b")
    world.start("b")
    assert (role(world, "b"), uuid_of(world, "b"), count(world, "b")) == ("replica", own, 0)
    until_status(world, "a", "b", "ready")
    assert count(world, "b") == 20_000


def test_empty_replica_of_an_empty_main_takes_its_uuid_at_once(world: World) -> None:
    """With nothing to send, the uuids agree right after REGISTER (Q13)."""
    register(world, "a", "b")
    assert uuid_of(world, "a") == uuid_of(world, "b")


def test_uuid_survives_restart_promotion_and_goes_with_a_wipe(world: World) -> None:
    """The uuid is stable over kill -9, promotion and re-registration, new after a wipe (Q13)."""
    register(world, "a", "b")
    world.ask("a", "CREATE (:N)")
    shared = uuid_of(world, "a")
    for name in "ab":
        world.kill(name)
        world.start(name)
    assert uuid_of(world, "b") == shared
    promote(world, "b")
    assert uuid_of(world, "b") == shared
    world.kill("a")
    world.hosts["a"].disk.wipe()
    world.start("a")
    assert uuid_of(world, "a") != shared


def test_promotion_in_the_middle_of_a_recovery_gives_an_empty_main(world: World) -> None:
    """A replica may be promoted with 0 of its nodes; MAIN then shows it `invalid` (x3)."""
    _fill(world, 20_000)
    register(world, "a", "b", "ASYNC")
    world.run_until(lambda: world["b"].arriving is not None)
    promote(world, "b")
    assert count(world, "b") == 0
    until_status(world, "a", "b", "invalid")


def test_demotion_waits_for_the_recovery_step_under_way(world: World) -> None:
    """SET ROLE TO REPLICA with a row in `recovery` never crashes, and the replica gets it all (Q5d)."""
    _fill(world, 20_000)
    register(world, "a", "b")
    switch_port(world, "a")
    assert (role(world, "a"), count(world, "b")) == ("replica", 20_000)


def test_old_main_pushes_to_its_stored_rows_before_its_init_file_demotes_it(world: World) -> None:
    """The restored row catches its replica up although the role is `replica` from the first answer on (Q20)."""
    register(world, "a", "c", "ASYNC")
    world.kill("c")
    _fill(world, 1000)
    world.kill("a")
    world.start("c")
    world.start("a", init_lines=INIT)
    assert role(world, "a") == "replica"
    assert count(world, "c") == 1000


def test_registering_the_replica_elsewhere_stops_that_push(world: World) -> None:
    """Once another MAIN registered it, the returning old MAIN cannot feed it (x5, Q20)."""
    register(world, "a", "b")
    register(world, "a", "c", "ASYNC")
    world.ask("a", "CREATE (:N)")
    world.run(0.1)
    world.kill("a")
    promote(world, "b")
    register(world, "b", "c", "ASYNC")
    world.start("a")
    assert status(world, "a", "c") == "invalid"
    refusal(world, "a", "CREATE (:Z)")
    world.run(3.0)
    assert count(world, "c", "Z") == 0
    assert status(world, "b", "c") == "ready"


def test_replica_behind_the_kept_log_gets_a_copy(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    """If the log does not reach back far enough, a whole copy is sent (semantics 4.9)."""
    register(world, "a", "b", "ASYNC")
    world.ask("a", "CREATE (:N)")
    world.run(0.1)
    world.kill("b")
    monkeypatch.setattr(txlog, "MAX_LOG_BYTES", 2000)
    for _ in range(20):
        world.ask("a", "CREATE (:N)")
    assert not txlog.covers(world["a"], world["a"].rows["b"].cached_ldt)
    world.start("b")
    until_status(world, "a", "b", "ready")
    assert count(world, "b") == 21
    world.kill("b")
    world.start("b")
    assert count(world, "b") == 21


def test_data_in_parts_comes_together_again(world: World) -> None:
    """What `dataset.parts` cuts, `dataset.load` puts together: nodes, edges, properties, indexes."""
    world.ask("a", "UNWIND range(1, 2500) AS i CREATE (:A {i: i})-[:R {k: i}]->(:B)")
    world.ask("a", "CREATE INDEX ON :A(i)")
    source, target = world["a"].graph, world["b"].graph
    pieces = list(dataset.parts(source))
    assert max(len(piece.get("items", ())) for piece in pieces) == dataset.PART_ITEMS
    dataset.load(target, pieces)
    assert target.dump() == source.dump()


def test_snapshot_and_log_survive_a_restart_of_both(world: World) -> None:
    """A snapshot and the log after it make the same data and the same position as before (semantics 15.2)."""
    register(world, "a", "b")
    world.ask("a", "UNWIND range(1, 100) AS i CREATE (:N {i: i})")
    world.ask("a", "CREATE SNAPSHOT")
    world.ask("a", "MATCH (n:N {i: 7}) SET n.i = 700")
    before = row(world, "a", "b")
    for name in "ab":
        world.kill(name)
    for name in "ba":
        world.start(name)
    assert world.ask("a", "MATCH (n:N) WHERE n.i > 100 RETURN n.i") == [[700]]
    assert world.ask("b", "MATCH (n:N) WHERE n.i > 100 RETURN n.i") == [[700]]
    assert row(world, "a", "b") == before


def test_recover_snapshot_replaces_the_data_of_main_and_replicas(world: World) -> None:
    """RECOVER SNAPSHOT ... FORCE takes MAIN back and refills its replicas (semantics 4.8)."""
    register(world, "a", "b", "ASYNC")
    world.ask("a", "CREATE (:Old)")
    path = world.ask("a", "CREATE SNAPSHOT")[0][0]
    world.ask("a", "CREATE (:New)")
    assert "Storage is not clean" in refusal(world, "a", f'RECOVER SNAPSHOT "{path}"').message
    world.ask("a", f'RECOVER SNAPSHOT "{path}" FORCE')
    until_status(world, "a", "b", "ready")
    assert [count(world, name, "New") for name in "ab"] == [0, 0]
    assert [count(world, name, "Old") for name in "ab"] == [1, 1]
    world.kill("a")
    world.start("a")
    assert (count(world, "a", "Old"), count(world, "a", "New")) == (1, 0)
    assert refusal(world, "b", f'RECOVER SNAPSHOT "{path}" FORCE').message.startswith("Failed to recover a snapshot.")


def _fill(world: World, nodes: int) -> None:
    """Give `a` data that no kept log covers: as after a restart with a snapshot."""
    world.ask("a", f"UNWIND range(1, {nodes}) AS i CREATE (:N)")
    txlog.forget_all(world["a"])

"""REGISTER and DROP REPLICA, half rows, fencing, hazards (transcripts summary, Q5, Q7, Q10, Q11; raw c, d, e5)."""

from __future__ import annotations

import signal

import pytest

from memgraph_ha.fakes.memgraph.session import Session
from memgraph_ha.fakes.memgraph.settings import Edition, Hazards, Settings
from memgraph_ha.fakes.memgraph.virtual import Refused, Ticket, World
from tests.fakes.virtual_helpers import (
    NOOP,
    STRICT_SYNC_FAILED,
    SYNC_FAILED,
    count,
    promote,
    query_in,
    refusal,
    register,
    row,
    status,
    switch_port,
    until_status,
    uuid_of,
)

DROP_BUSY = (
    "Failed to unregister replica due to lack of unique access over the cluster state. Please try again later on."
)


def test_show_replicas_names_what_was_registered(world: World) -> None:
    """A row shows name, address, mode, no system info, and ts/behind/status of `memgraph` (raw c)."""
    world.ask("a", 'REGISTER REPLICA `node-1` STRICT_SYNC TO "b:10000"')
    world.ask("a", 'REGISTER REPLICA N1 ASYNC TO "c"')
    assert world.ask("a", "SHOW REPLICAS") == [
        ["node-1", "b:10000", "strict_sync", None, {"memgraph": {"ts": 0, "behind": 0, "status": "ready"}}],
        ["N1", "c:10000", "async", None, {"memgraph": {"ts": 0, "behind": 0, "status": "ready"}}],
    ]


@pytest.mark.parametrize(
    ("query", "message"),
    [
        ('REGISTER REPLICA b SYNC TO "c:10000"', "Couldn't register replica b. Error: 1"),
        ('REGISTER REPLICA b2 SYNC TO "b:10000"', "Couldn't register replica b2. Error: 2"),
        ('REGISTER REPLICA x SYNC TO "c:10999"', "Couldn't register replica x. Error: 5"),
        ('REGISTER REPLICA x SYNC TO "no-such-host:10000"', "Couldn't register replica x. Error: 5"),
        ('REGISTER REPLICA self SYNC TO "a:10000"', "Couldn't register replica self. Error: 5"),
        ('REGISTER REPLICA x SYNC TO "::1:10000"', "Invalid socket address."),
        ('REGISTER REPLICA x SYNC TO "c:abc"', "Couldn't parse string"),
        ("DROP REPLICA nope", "Failed to unregister the replica nope."),
        (
            'REGISTER REPLICA node-1 SYNC TO "c"',
            (
                "Error on line 1 position 22. The underlying parsing error is mismatched input '-' expecting"
                " {ASYNC, STRICT_SYNC, SYNC}"
            ),
        ),
        (
            'REGISTER REPLICA r.1 SYNC TO "c"',
            (
                "Error on line 1 position 19. The underlying parsing error is extraneous input '.1' expecting"
                " {ASYNC, STRICT_SYNC, SYNC}"
            ),
        ),
        (
            'REGISTER REPLICA h5 TO "c"',
            "Error on line 1 position 21. The underlying parsing error is missing {ASYNC, STRICT_SYNC, SYNC} at 'TO'",
        ),
        (
            'REGISTER REPLICA h4 SYNC WITH TIMEOUT 1 TO "c"',
            "Error on line 1 position 26. The underlying parsing error is missing TO at 'WITH'",
        ),
    ],
)
def test_refusals(world: World, query: str, message: str) -> None:
    """What REGISTER and DROP refuse, letter for letter (raw recordings c, d)."""
    register(world, "a", "b")
    assert refusal(world, "a", query).message == message


def test_bad_port_is_a_transient_error(world: World) -> None:
    """A port that is no number is a parse exception, hence transient (raw recording c)."""
    assert refusal(world, "a", 'REGISTER REPLICA x SYNC TO "c:abc"').code.startswith("Memgraph.TransientError")


def test_failed_register_leaves_a_half_row_that_nothing_counts(world: World) -> None:
    """After Error: 5 the row is `{}`, writes succeed without it, it does not heal, DROP cures it (raw e5)."""
    promote(world, "b")
    assert refusal(world, "a", 'REGISTER REPLICA b STRICT_SYNC TO "b:10000"').message.endswith("Error: 5")
    assert row(world, "a", "b") == {}
    world.ask("a", "CREATE (:A)")
    switch_port(world, "b")
    world.run(5.0)
    world.ask("a", "CREATE (:B)")
    assert count(world, "b") == 0
    assert refusal(world, "a", 'REGISTER REPLICA b STRICT_SYNC TO "b:10000"').message.endswith("Error: 1")
    world.ask("a", "DROP REPLICA b")
    register(world, "a", "b")
    until_status(world, "a", "b", "ready")
    assert count(world, "b") == 2


def test_half_row_becomes_real_when_main_restarts(world: World) -> None:
    """A restart turns a half row into an ordinary failing one (raw e5)."""
    promote(world, "b")
    refusal(world, "a", 'REGISTER REPLICA b SYNC TO "b:10000"')
    world.ask("a", "CREATE (:A)")
    switch_port(world, "b")
    world.kill("a")
    world.start("a")
    assert status(world, "a", "b") == "invalid"
    assert refusal(world, "a", "CREATE (:C)").message == SYNC_FAILED


def test_register_of_a_frozen_replica_holds_the_roles_for_ten_seconds(world: World) -> None:
    """REGISTER waits 10 s for the frozen target; SHOW REPLICATION ROLE waits with it (semantics 2.4, 2.8)."""
    world.freeze("b")
    registering = world.send("a", 'REGISTER REPLICA b SYNC TO "b:10000"')
    world.run(1.0)
    asked = world.send("a", "SHOW REPLICATION ROLE")
    with pytest.raises(Exception, match="Error: 5"):
        world.outcome(registering)
    world.outcome(asked)
    assert registering.took_s == pytest.approx(10.0, abs=0.1)
    assert asked.took_s == pytest.approx(9.0, abs=0.1)


def test_register_swaps_allegiance_and_fences_the_first_main(world: World) -> None:
    """The last REGISTER wins; the first MAIN shows `ready` until a write tells it otherwise (raw c)."""
    register(world, "a", "b", "SYNC")
    world.ask("a", "CREATE (:A)")
    promote(world, "c")
    world.ask("c", 'REGISTER REPLICA b SYNC TO "b:10000"')
    assert status(world, "a", "b") == "ready"
    assert refusal(world, "a", "CREATE (:B)").message == SYNC_FAILED
    world.run(2.0)
    assert status(world, "a", "b") == "invalid"
    assert count(world, "b") == 1


def test_unrelated_data_is_accepted_and_stays_invalid_on_the_official_build(world: World) -> None:
    """ENT only: a replica with data of its own registers, stays `invalid`, keeps its data (raw x1)."""
    promote(world, "b")
    world.ask("b", "UNWIND range(1, 5) AS i CREATE (:Mine)")
    switch_port(world, "b")
    world.ask("a", "CREATE (:Main)")
    register(world, "a", "b", "SYNC")
    world.run(5.0)
    assert row(world, "a", "b") == {"ts": 0, "behind": -2, "status": "invalid"}
    assert refusal(world, "a", "CREATE (:W)").message == SYNC_FAILED
    assert count(world, "b", "Mine") == 5
    world.kill("b")
    world.hosts["b"].disk.wipe_data()
    world.start("b")
    until_status(world, "a", "b", "ready")
    assert count(world, "b", "Main") == 1


def test_unrelated_data_is_error_3_on_the_community_build() -> None:
    """OSS: an empty, wiped MAIN cannot register a replica that holds data: Error: 3 and a half row (Q10)."""
    world = World(seed=3)
    for name in "ab":
        world.start(name, Settings(edition=Edition.COMMUNITY))
    switch_port(world, "b")
    register(world, "a", "b")
    world.ask("a", "CREATE (:N)")
    world.kill("a")
    world.hosts["a"].disk.wipe()
    world.start("a")
    before = uuid_of(world, "b")
    assert refusal(world, "a", 'REGISTER REPLICA b STRICT_SYNC TO "b:10000"').message.endswith("Error: 3")
    assert row(world, "a", "b") == {}
    world.ask("a", "CREATE (:AfterReg)")
    assert (count(world, "b"), uuid_of(world, "b")) == (1, before)


def test_diverged_old_main_is_error_3_until_its_data_is_wiped(world: World) -> None:
    """One extra commit on the old MAIN is Error: 3; wiping wal/ and snapshots/ with DROP + REGISTER cures it (i5)."""
    _diverge(world)
    assert refusal(world, "b", 'REGISTER REPLICA a SYNC TO "a:10000"').message.endswith("Error: 3")
    assert any("acted as the Main instance" in line for line in world.logged)
    world.ask("b", "DROP REPLICA a")
    assert refusal(world, "b", 'REGISTER REPLICA a SYNC TO "a:10000"').message.endswith("Error: 3")
    world.kill("a")
    world.hosts["a"].disk.wipe_data()
    world.start("a")
    world.ask("b", "DROP REPLICA a")
    register(world, "b", "a")
    until_status(world, "b", "a", "ready")
    assert count(world, "a") == count(world, "b")


def test_diverged_row_is_sticky_until_three_pings_failed(world: World) -> None:
    """A real row says `diverged`; a quick restart after the wipe changes nothing, a slow one heals it (Q11b)."""
    _diverge(world)
    refusal(world, "b", 'REGISTER REPLICA a STRICT_SYNC TO "a:10000"')
    world.kill("b")
    world.start("b")
    assert status(world, "b", "a") == "diverged"
    assert refusal(world, "b", "CREATE (:Y)").message == STRICT_SYNC_FAILED
    world.kill("a")
    world.hosts["a"].disk.wipe_data()
    world.start("a")
    world.run(8.0)
    assert status(world, "b", "a") == "diverged"
    world.kill("a")
    until_status(world, "b", "a", "invalid")
    world.start("a")
    assert until_status(world, "b", "a", "ready") < 1.6
    assert count(world, "a") == count(world, "b")


def test_drop_during_recovery_kills_main_and_the_row_is_gone(world: World) -> None:
    """DROP of a row in `recovery` is SIGSEGV; after the restart the row is gone, the data there (Q5)."""
    world.ask("a", "UNWIND range(1, 5000) AS i CREATE (:N)")
    register(world, "a", "b")
    assert status(world, "a", "b") == "recovery"
    with pytest.raises(Refused):
        world.ask("a", "DROP REPLICA b")
    assert world.hosts["a"].died_of == signal.SIGSEGV
    world.start("a")
    assert world.ask("a", "SHOW REPLICAS") == []
    assert count(world, "a") == 5000


def test_hazards_never_spares_main(world: World) -> None:
    """With --fake-hazards never the same DROP is harmless."""
    world.start("d", Settings(hazards=Hazards.NEVER))
    world.ask("d", "UNWIND range(1, 5000) AS i CREATE (:N)")
    register(world, "d", "b")
    world.ask("d", "DROP REPLICA b")
    assert world.ask("d", "SHOW REPLICAS") == []


@pytest.mark.parametrize("mode", ["SYNC", "STRICT_SYNC", "ASYNC"])
def test_drop_without_load_is_safe(world: World, mode: str) -> None:
    """DROP of a live, of a dead and of a half row without commits under way never harms (Q4, Q7)."""
    world.hosts["a"].live().settings = Settings(hazards=Hazards.ALWAYS)
    register(world, "a", "b", mode)
    world.ask("a", NOOP)
    world.run(1.0)
    world.ask("a", "DROP REPLICA b")
    register(world, "a", "b", mode)
    until_status(world, "a", "b", "ready")
    world.kill("b")
    world.ask("a", "DROP REPLICA b")
    refusal(world, "a", f'REGISTER REPLICA b {mode} TO "b:10000"')
    world.ask("a", "DROP REPLICA b")
    assert world.ask("a", "SHOW REPLICAS") == []


def test_drop_of_an_async_row_under_load_kills_or_hangs_main() -> None:
    """Under eight writers the DROP of an ASYNC row ends MAIN by SIGSEGV or never answers (Q7c)."""
    outcomes = {_drop_under_load(seed, "ASYNC") for seed in range(12)}
    assert outcomes == {"crash", "hang"}


def test_drop_of_a_strict_sync_row_under_load_is_safe() -> None:
    """A STRICT_SYNC row may be dropped under load, 10 of 10 (Q7d, official build)."""
    assert {_drop_under_load(seed, "STRICT_SYNC") for seed in range(4)} == {"ok"}


def test_hung_main_answers_show_version_until_its_express_worker_is_stuck_too() -> None:
    """SHOW VERSION answers until SHOW REPLICATION ROLE has the last worker; then nothing does (Q7j)."""
    world = _hung_main()
    assert world.ask("a", "SHOW VERSION") == [["3.6.1"]]
    stuck = [world.send("a", query) for query in ("SHOW REPLICATION ROLE", "SHOW VERSION", "RETURN 1")]
    world.run(300.0)
    assert not any(ticket.done for ticket in stuck)


def _diverge(world: World) -> None:
    """Leave `b` MAIN with a durable epoch and `a` a REPLICA with one commit more."""
    register(world, "a", "b", "SYNC")
    world.ask("a", "CREATE (:N)")
    promote(world, "b")
    refusal(world, "a", "CREATE (:Extra)")
    world.ask("b", "CREATE (:Other)")
    switch_port(world, "a")


def _loaded(seed: int, mode: str) -> World:
    """Return a world whose `a` has a row to `b` and commits of eight writers going on."""
    world = World(seed)
    for name in "ab":
        world.start(name)
    switch_port(world, "b")
    register(world, "a", "b", mode)
    sessions = [world.session("a") for _ in range(8)]

    def write(session: Session, ticket: Ticket | None) -> None:
        if world.hosts["a"].instance is None or world.now > 30.0:
            return
        if ticket is None or ticket.done:
            ticket = world.perform("a", query_in(session, "CREATE (:N)"))
        world.at(world.random.uniform(0.002, 0.006), lambda: write(session, ticket))

    for session in sessions:
        write(session, None)
    world.run(0.5)
    return world


def _drop_under_load(seed: int, mode: str) -> str:
    world = _loaded(seed, mode)
    for _ in range(400):
        ticket = world.send("a", "DROP REPLICA b")
        world.run(0.05)
        if world.hosts["a"].instance is None:
            return "crash"
        if not ticket.done:
            return "hang"
        if ticket.error is None:
            return "ok"
        if getattr(ticket.error, "message", "") != DROP_BUSY:
            return "recovering"
        world.run(world.random.uniform(0.0, 0.02))
    raise AssertionError("the DROP was never let in")


def _hung_main() -> World:
    for seed in range(40):
        world = _loaded(seed, "ASYNC")
        for _ in range(50):
            ticket = world.send("a", "DROP REPLICA b")
            world.run(0.3)
            if world.hosts["a"].instance is None:
                break
            if not ticket.done:
                world.run(5.0)
                return world
    raise AssertionError("no DROP hung MAIN")

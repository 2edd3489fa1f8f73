"""Probing against a scripted Bolt server: what is asked when, and which fact comes of it."""

import itertools
from collections.abc import AsyncIterator, Awaitable, Callable
from contextlib import asynccontextmanager

import pytest
import trio

from memgraph_ha.adapters.memgraph import MemgraphDatabase
from memgraph_ha.adapters.ports import Database
from memgraph_ha.core.commands import Promote
from memgraph_ha.core.facts import (
    Miss,
    Outcome,
    PortSeen,
    ProbeMissed,
    RoleSeen,
    RowsSeen,
    ServerSeen,
    StorageSeen,
)
from memgraph_ha.core.names import InstanceName, RunId
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.topology import Member, Role, StorageMode
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from tests.adapters import memgraph_rig as rig
from tests.adapters import memgraph_script as play

pytestmark = pytest.mark.trio

A = InstanceName("a")


@asynccontextmanager
async def watching(
    *members: Member, policy: Policy | None = None, auth: tuple[str, str] | None = None
) -> AsyncIterator[tuple[Database, rig.Sink]]:
    """Follow these members with an adapter of their own."""
    database, sink = MemgraphDatabase(policy or Policy(), auth=auth, clock=rig.boottime_s), rig.Sink()
    database.follow(members)
    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.watch, sink)
        yield database, sink
        nursery.cancel_scope.cancel()


@asynccontextmanager
async def scripted(
    script: play.Script,
    *,
    policy: Policy | None = None,
    auth: tuple[str, str] | None = None,
    replication: int | None = None,
) -> AsyncIterator[tuple[Database, rig.Sink]]:
    """Follow one instance, ``a``, that plays the script; its replication port is the Bolt port unless given."""
    async with (
        play.playing(script) as port,
        watching(rig.member("a", port, replication or port), policy=policy, auth=auth) as pair,
    ):
        yield pair


def stuck(event: trio.Event, table: play.Table) -> Callable[[], Awaitable[play.Table]]:
    """An answer that waits for an event."""

    async def answer() -> play.Table:
        await event.wait()
        return table

    return answer


async def test_a_replica_tells_role_server_storage_and_port() -> None:
    """One round of every task makes one fact of every kind, each with the run that answered."""
    script = play.Script(play.healthy("replica"))
    async with scripted(script) as (_, sink):
        role = await sink.next(RoleSeen, "a")
        server, storage = await sink.next(ServerSeen, "a"), await sink.next(StorageSeen, "a")
        assert (role.role, role.run) == (Role.REPLICA, "run-1")
        assert (server.run, server.version, server.wal, server.flush_every) == ("run-1", "3.6.1", True, 1)
        assert (storage.run, storage.uuid, storage.empty) == ("run-1", play.UUID, True)
        assert storage.mode is StorageMode.TRANSACTIONAL
        assert (await sink.next(PortSeen, "a")).open
        assert role.asked_at_s <= role.at_s
        assert storage.asked_at_s - role.at_s < 0.7  # at once, not at the next turn
        assert "SHOW REPLICAS" not in script.asked


async def test_a_main_tells_its_rows_but_not_its_port() -> None:
    """SHOW REPLICAS follows each answer of a MAIN; nobody replicates to it, so its port is not looked at."""
    async with scripted(play.Script(play.healthy("main"))) as (_, sink):
        assert (await sink.next(RowsSeen, "a")).rows == ()
        await sink.next(StorageSeen, "a")
        assert not sink.of(PortSeen)


async def test_a_closed_replication_port_is_seen() -> None:
    """A REPLICA whose port could not be bound answers Bolt all the same."""
    async with scripted(play.Script(play.healthy()), replication=rig.free_port()) as (_, sink):
        assert not (await sink.next(PortSeen, "a")).open


async def test_version_and_config_are_asked_once_per_run_but_told_again() -> None:
    """The facts are told again, for whoever missed them; the server is not asked again."""
    script = play.Script(play.healthy())
    async with scripted(script) as (database, sink):
        for _ in range(3):
            mark = len(sink.facts)
            database.look([A])
            await sink.next(ServerSeen, "a", after=mark)
        assert script.asked.count("SHOW VERSION") == script.asked.count("SHOW CONFIG") == 1
        assert script.asked.count("SHOW INDEX INFO") == 1


async def test_an_index_makes_an_instance_without_vertices_not_empty() -> None:
    """Empty means: no vertices, edges, indexes, constraints (design 5)."""
    script = play.Script(play.healthy())
    script.answers["SHOW CONSTRAINT INFO"] = (("constraint type",), [["unique"]])
    async with scripted(script) as (_, sink):
        assert not (await sink.next(StorageSeen, "a")).empty


async def test_schema_is_not_asked_of_an_instance_with_vertices() -> None:
    """Asking opens a transaction: it is done only where it decides something."""
    script = play.Script(play.healthy())
    script.answers["SHOW STORAGE INFO"] = play.storage_table(vertices=7)
    async with scripted(script) as (_, sink):
        assert not (await sink.next(StorageSeen, "a")).empty
        assert "SHOW INDEX INFO" not in script.asked


@pytest.mark.parametrize(
    ("version", "query"),
    [
        ("3.9.0", "SHOW STORAGE INFO"),
        ("3.10.0", "SHOW STORAGE INFO ON DATABASE memgraph"),
        ("3.12.0+5~abc", "SHOW STORAGE INFO ON DATABASE memgraph"),
    ],
)
async def test_the_form_of_storage_info_goes_by_version(version: str, query: str) -> None:
    """Plain up to 3.9, ON DATABASE from 3.10 (semantics 8)."""
    script = play.Script(play.healthy(version=version))
    del script.answers["SHOW STORAGE INFO"]
    script.answers[query] = play.storage_table(uuid="by-version")
    async with scripted(script) as (_, sink):
        assert (await sink.next(StorageSeen, "a")).uuid == "by-version"


async def test_settings_that_are_not_listed_count_as_the_worse_case() -> None:
    """No WAL line and no flush line: not replicated, not durable."""
    script = play.Script(play.healthy())
    script.answers["SHOW CONFIG"] = (("name", "current_value"), [["bolt_port", "7687"]])
    async with scripted(script) as (_, sink):
        server = await sink.next(ServerSeen, "a")
        assert (server.wal, server.flush_every) == (False, 0)


@pytest.mark.parametrize(
    "answer",
    [(("replication role",), [["king"]]), (("replication role",), []), MemgraphError.client("not today")],
    ids=["a strange word", "no row", "a refusal"],
)
async def test_an_answer_without_a_role_is_unreadable(answer: play.Table | MemgraphError) -> None:
    """A server that answers nonsense is alive: never refused, never timed out."""
    script = play.Script(play.healthy())
    script.answers["SHOW REPLICATION ROLE"] = answer
    async with scripted(script) as (_, sink):
        missed = await sink.next(ProbeMissed, "a")
        assert missed.miss is Miss.UNREADABLE
        assert not sink.of(RoleSeen)
        assert not sink.of(StorageSeen)


async def test_a_server_without_run_id_is_unreadable() -> None:
    """What names no run is no Memgraph (transcripts Q16)."""
    async with scripted(play.Script(play.healthy(), run_id="")) as (_, sink):
        assert (await sink.next(ProbeMissed, "a")).miss is Miss.UNREADABLE


async def test_another_run_on_the_same_connection_is_an_error() -> None:
    """A connection is bound to one process; what breaks that is dropped, and the next probe tells the truth."""
    script = play.Script(play.healthy())
    async with scripted(script) as (_, sink):
        await sink.next(RoleSeen, "a")
        script.run_id = "run-2"
        missed = await sink.next(ProbeMissed, "a")
        assert missed.miss is Miss.UNREADABLE
        assert "run-2" in missed.detail
        assert (await sink.next(RoleSeen, "a", after=sink.facts.index(missed))).run == "run-2"


@pytest.mark.parametrize("peer", [rig.garbage, rig.agree_then_babble])
async def test_garbage_on_the_port_is_unreadable(peer: rig.Peer) -> None:
    """Something else on the port is not a dead instance."""
    async with rig.listening(peer) as port, watching(rig.member("a", port)) as (_, sink):
        assert (await sink.next(ProbeMissed, "a")).miss is Miss.UNREADABLE


async def test_a_wrong_password_is_unauthorised() -> None:
    """Never a sign of death."""

    async def refuse() -> None:
        raise MemgraphError.unauthenticated()

    async with scripted(play.Script(play.healthy(), login=refuse), auth=("admin", "wrong-secret")) as (_, sink):
        missed = await sink.next(ProbeMissed, "a")
        assert missed.miss is Miss.UNAUTHORISED
        assert "wrong-secret" not in repr(missed)


async def test_refusals_follow_each_other_until_they_are_a_verdict() -> None:
    """The second refusal comes `refused_gap_s` after the first, the third after a whole interval."""
    async with watching(rig.member("a", rig.free_port()), policy=Policy(probe_interval_s=0.5)) as (_, sink):
        first = await sink.next(ProbeMissed, "a")
        second = await sink.next(ProbeMissed, "a", that=lambda fact: fact is not first)
        third = await sink.next(ProbeMissed, "a", that=lambda fact: fact not in (first, second))
        assert {first.miss, second.miss, third.miss} == {Miss.REFUSED}
        assert 0.05 <= second.asked_at_s - first.asked_at_s < 0.3
        assert third.asked_at_s - second.asked_at_s >= 0.5


async def test_the_end_of_an_idle_connection_is_looked_at_at_once() -> None:
    """The kernel of a killed process ends it: the verdict does not wait for the next probe."""
    script = play.Script(play.healthy())
    async with scripted(script, policy=Policy(probe_interval_s=10)) as (_, sink):
        await sink.next(StorageSeen, "a")
        killed_s, mark = rig.boottime_s(), len(sink.facts)
        script.death.set()
        first = await sink.next(ProbeMissed, "a", after=mark)
        second = await sink.next(ProbeMissed, "a", that=lambda fact: fact is not first)
        assert first.miss is second.miss is Miss.REFUSED
        assert second.at_s - killed_s < 1


async def test_a_slow_login_outlives_the_probe_that_began_it() -> None:
    """Logins slower than a probe cost one time-out each, not for ever: else a busy MAIN would seem frozen."""

    async def bcrypt() -> None:
        await trio.sleep(0.3)

    script = play.Script(play.healthy(), login=bcrypt)
    policy = Policy(probe_timeout_s=0.2, probe_interval_s=0.05)
    async with scripted(script, policy=policy) as (_, sink):
        await sink.next(RoleSeen, "a")
        assert [fact.miss for fact in sink.of(ProbeMissed)] == [Miss.TIMED_OUT]


async def test_look_wakes_every_task_at_once() -> None:
    """Nobody waits for his turn when the daemon wants to know."""
    async with scripted(play.Script(play.healthy()), policy=Policy(probe_interval_s=10)) as (database, sink):
        await sink.next(PortSeen, "a")
        await sink.next(StorageSeen, "a")
        mark, began_s = len(sink.facts), trio.current_time()
        database.look([A, InstanceName("nobody")])
        for kind in (RoleSeen, StorageSeen, PortSeen):
            await sink.next(kind, "a", after=mark)
        assert trio.current_time() - began_s < 0.5


async def test_a_look_during_a_probe_starts_another_right_after() -> None:
    """An answer to an older question is not what the looker asked for."""
    script, go_on = play.Script(play.healthy()), trio.Event()
    async with scripted(script, policy=Policy(probe_interval_s=10)) as (database, sink):
        await sink.next(StorageSeen, "a")
        script.answers["SHOW REPLICATION ROLE"] = stuck(go_on, (("replication role",), [["replica"]]))
        database.look([A])
        while script.asked[-1] != "SHOW REPLICATION ROLE":  # noqa: ASYNC110 - until the server has the question
            await trio.sleep(0.001)
        looked_s, mark = rig.boottime_s(), len(sink.facts)
        database.look([A])
        go_on.set()
        fresh = await sink.next(RoleSeen, "a", after=mark, that=lambda fact: fact.asked_at_s >= looked_s)
        assert fresh.at_s - looked_s < 0.5


async def test_a_hung_instance_delays_nobody_else() -> None:
    """Each instance has its own tasks and threads."""
    async with (
        rig.listening(rig.silent) as hung,
        play.playing(play.Script(play.healthy())) as port,
        watching(rig.member("hung", hung), rig.member("a", port, port)) as (_, sink),
    ):
        for _ in range(3):
            await sink.next(ProbeMissed, "hung", after=len(sink.facts))
        hits = [fact.at_s for fact in sink.of(RoleSeen, "a")]
        assert len(hits) >= 4
        assert max(later - sooner for sooner, later in itertools.pairwise(hits)) < 0.45


async def test_an_instance_that_does_not_answer_is_not_asked_for_details() -> None:
    """Its liveness is probed; the rest waits until it answers again."""
    async with watching(rig.member("a", rig.free_port(), rig.free_port())) as (database, sink):
        for _ in range(3):
            mark = len(sink.facts)
            database.look([A])
            await sink.next(ProbeMissed, "a", after=mark)
        assert {type(fact) for fact in sink.facts} == {ProbeMissed}


async def test_rows_that_cannot_be_read_are_no_miss() -> None:
    """MAIN has just said that it lives."""
    script, never = play.Script(play.healthy("main")), trio.Event()
    script.answers["SHOW REPLICAS"] = stuck(never, ((), []))
    policy = Policy(probe_timeout_s=0.1, probe_interval_s=0.02)
    async with scripted(script, policy=policy) as (_, sink):
        for _ in range(3):
            await sink.next(RoleSeen, "a", after=len(sink.facts))
        assert not sink.of(ProbeMissed)
        assert not sink.of(RowsSeen)


async def test_probes_pause_for_our_own_role_command_and_excuse_the_one_in_flight() -> None:
    """While SET REPLICATION ROLE runs nothing else is asked there, and silence says nothing."""
    script, promoting, promoted = play.Script(play.healthy()), trio.Event(), trio.Event()
    never = trio.Event()

    async def promote() -> play.Table:
        promoting.set()
        await promoted.wait()
        script.answers["SHOW REPLICATION ROLE"] = play.healthy("main")["SHOW REPLICATION ROLE"]
        return (), []

    script.answers["SET REPLICATION ROLE TO MAIN"] = promote
    policy = Policy(probe_interval_s=0.02, probe_timeout_s=0.3)
    async with scripted(script, policy=policy) as (database, sink):
        await sink.next(StorageSeen, "a")
        async with trio.open_nursery() as nursery:
            command = Promote(instance=A, run=RunId("run-1"), generation=1)
            nursery.start_soon(database.execute, command, sink)
            await promoting.wait()
            script.answers["SHOW REPLICATION ROLE"] = stuck(never, ((), []))
            await trio.sleep(0.1)  # what was under way has arrived
            mark = len(script.asked)
            await trio.sleep(0.4)
            assert len(script.asked) == mark
            promoted.set()
        assert not [fact for fact in sink.of(ProbeMissed) if not fact.excused]
        assert (await sink.next(RoleSeen, "a", after=len(sink.facts))).role is Role.MAIN


async def test_a_command_given_up_goes_on_excusing_probes_until_one_is_answered() -> None:
    """REGISTER and its like may hold the locks longer than our deadline (design 5)."""
    script, never = play.Script(play.healthy()), trio.Event()
    roles = script.answers["SHOW REPLICATION ROLE"]
    assert isinstance(roles, tuple)

    async def hang() -> play.Table:
        script.answers["SHOW REPLICATION ROLE"] = stuck(never, roles)
        await never.wait()
        return (), []

    script.answers["SET REPLICATION ROLE TO MAIN"] = hang
    policy = Policy(command_deadline_s=0.5, probe_timeout_s=0.1)
    async with scripted(script, policy=policy) as (database, sink):
        await sink.next(StorageSeen, "a")
        ended = await database.execute(Promote(instance=A, run=RunId("run-1"), generation=1), sink)
        assert ended.outcome is Outcome.UNKNOWN
        for _ in range(3):
            assert (await sink.next(ProbeMissed, "a", after=len(sink.facts))).excused
        script.answers["SHOW REPLICATION ROLE"] = roles
        await sink.next(RoleSeen, "a", after=len(sink.facts))
        script.answers["SHOW REPLICATION ROLE"] = stuck(never, roles)
        assert not (await sink.next(ProbeMissed, "a", after=len(sink.facts))).excused


async def test_unfollowed_instances_are_left_alone_and_their_connections_closed() -> None:
    """Following nobody leaves no socket and no question."""
    script, sockets = play.Script(play.healthy()), rig.sockets_of_ours()
    async with scripted(script) as (database, sink):
        await sink.next(StorageSeen, "a")
        database.follow(())
        assert await rig.settle(rig.sockets_of_ours, sockets, within_s=2) == sockets
        asked = len(script.asked)
        await trio.sleep(0.5)
        assert len(script.asked) == asked
        assert (
            await database.execute(Promote(instance=A, run=RunId("run-1"), generation=1), sink)
        ).outcome is Outcome.NOT_SENT


async def test_a_changed_incarnation_gets_new_connections() -> None:
    """What was open to the old process is dropped."""
    script = play.Script(play.healthy())
    async with play.playing(script) as port, watching(rig.member("a", port, port)) as (database, sink):
        await sink.next(StorageSeen, "a")
        logins = script.logins
        database.follow((rig.member("a", port, port, "2:2"),))
        await sink.next(StorageSeen, "a", after=len(sink.facts))
        assert script.logins == logins + 2

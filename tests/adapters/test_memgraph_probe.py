"""Probing against a scripted Bolt server: what is asked when, and which fact comes of it."""

import itertools

import pytest
import trio

from memgraph_ha.core.commands import Demote, Promote
from memgraph_ha.core.facts import (
    Miss,
    Outcome,
    PortSeen,
    ProbeMissed,
    RoleSeen,
    RowsSeen,
    StorageSeen,
)
from memgraph_ha.core.names import InstanceName, RunId
from memgraph_ha.core.policy import Policy
from memgraph_ha.core.topology import Role
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from tests.adapters import memgraph_rig as rig
from tests.adapters import memgraph_script as play
from tests.adapters.memgraph_watching import scripted, stuck, watching
from tests.free_port import free_port

pytestmark = pytest.mark.trio

A = InstanceName("a")


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
    async with watching(rig.member("a", free_port()), policy=Policy(probe_interval_s=0.5)) as (_, sink):
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
    async with watching(rig.member("a", free_port(), free_port())) as (database, sink):
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


@pytest.mark.parametrize(
    ("role", "command", "excuses"),
    [
        ("main", Demote(instance=A, run=RunId("run-1"), generation=1, port=10000), True),
        ("replica", Promote(instance=A, run=RunId("run-1"), generation=1), False),
    ],
    ids=["demotion", "promotion"],
)
async def test_a_command_given_up_goes_on_excusing_probes(role: str, command: Promote | Demote, excuses: bool) -> None:
    """Until one is answered: it may hold the locks longer than our deadline (design 5). A promotion is waited for."""
    script, never = play.Script(play.healthy(role)), trio.Event()
    roles = script.answers["SHOW REPLICATION ROLE"]
    assert isinstance(roles, tuple)

    async def hang() -> play.Table:
        script.answers["SHOW REPLICATION ROLE"] = stuck(never, roles)
        await never.wait()
        return (), []

    script.answers["SET REPLICATION ROLE TO MAIN"] = hang
    script.answers["SET REPLICATION ROLE TO REPLICA WITH PORT 10000"] = hang
    policy = Policy(command_deadline_s=0.5, probe_timeout_s=0.1)
    async with scripted(script, policy=policy) as (database, sink):
        await sink.next(StorageSeen, "a")
        ended = await database.execute(command, sink)
        assert ended.outcome is Outcome.UNKNOWN
        for _ in range(3):
            assert (await sink.next(ProbeMissed, "a", after=len(sink.facts))).excused is excuses
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

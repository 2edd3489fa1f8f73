"""The quiet moment: what counts as quiet, who is ended, and what keeps it from coming."""

import signal
from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path

import neo4j
import pytest
import trio
from attrs import evolve
from neo4j.exceptions import Neo4jError

from memgraph_ha.core.commands import Demote, Quiesce
from memgraph_ha.core.facts import Outcome, QuietSeen, TriggersSeen
from memgraph_ha.core.names import InstanceName, RunId
from memgraph_ha.core.policy import Policy
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from tests.adapters import memgraph_rig as rig
from tests.adapters import memgraph_script as play
from tests.adapters.memgraph_cluster import Cluster, following
from tests.adapters.memgraph_pair import A, hanging, main_script, one_by_one, sent, two

pytestmark = pytest.mark.trio

QUIESCE_A = Quiesce(instance=A, run=RunId("run-1"), generation=3, patience_s=0.1)
WRITER = ("9223372036854775901", ["CREATE (:Mine)"])
IDLER: tuple[str, list[str]] = ("9223372036854775902", [])
TERMINATED = "Aborting transaction commit because the transaction was requested to stop from other session. "


def listing(*looks: tuple[tuple[str, list[str]], ...]) -> Callable[[], Awaitable[play.Table]]:
    """SHOW TRANSACTIONS, look by look; the last one stays."""
    return one_by_one(*(play.transactions_table(*look) for look in looks))


def killing(*numbers: str, killed: bool = True) -> dict[str, play.Answer]:
    """TERMINATE TRANSACTIONS of these."""
    statement = "TERMINATE TRANSACTIONS " + ", ".join(f'"{number}"' for number in numbers)
    return {statement: (("transaction_id", "killed"), [[number, killed] for number in numbers])}


# --- scripted ------------------------------------------------------------------------------------------------


async def test_an_idle_main_is_quiet_at_its_second_look() -> None:
    """Look, wait for commits, look again; the fact is as old as the second question."""
    script, began_s = main_script(), rig.boottime_s()
    async with two(script) as execute:
        ended, sink = await execute(QUIESCE_A)
    assert ended.outcome is Outcome.DONE
    [seen] = sink.of(QuietSeen)
    assert (seen.instance, seen.run, seen.generation, seen.ended) == ("a", "run-1", 3, 0)
    assert began_s < seen.at_s < ended.at_s
    assert script.asked == ["SHOW REPLICATION ROLE", "SHOW TRANSACTIONS", "SHOW TRIGGERS", "SHOW TRANSACTIONS"]
    assert sink.of(TriggersSeen)[0].asked_at_s <= seen.at_s


async def test_questions_of_controllers_do_not_count() -> None:
    """Ours are listed while they run, and so are those of another controller."""
    script = main_script()
    ours = ("SHOW REPLICATION ROLE", "SHOW REPLICAS", "SHOW STORAGE INFO", "SHOW CONFIG", "SHOW INDEX INFO")
    script.answers["SHOW TRANSACTIONS"] = listing(tuple((str(1 << 63), [query]) for query in ours))
    async with two(script) as execute:
        ended, sink = await execute(QUIESCE_A)
    assert (ended.outcome, len(sink.of(QuietSeen))) == (Outcome.DONE, 1)


@pytest.mark.parametrize("queries", [[], ["CREATE (:A)"], ["SHOW REPLICAS", "CREATE (:A)"], ["show replicas"]])
async def test_anything_else_counts(queries: list[str]) -> None:
    """Also a client that only sent BEGIN, and so has no query yet."""
    script = main_script()
    script.answers["SHOW TRANSACTIONS"] = listing((("7", queries),), (("7", queries),), ())
    async with two(script) as execute:
        ended, sink = await execute(QUIESCE_A)
    assert (ended.outcome, sink.of(QuietSeen)[0].ended) == (Outcome.DONE, 0)
    assert script.asked.count("SHOW TRANSACTIONS") == 4


async def test_those_still_open_after_the_patience_are_ended_in_one_statement() -> None:
    """Not before; and each is counted that the server says it killed."""
    script = main_script()
    statements = killing(WRITER[0], IDLER[0])
    script.answers.update(statements)
    [statement] = statements
    times: list[float] = []

    async def looks() -> play.Table:
        await trio.lowlevel.checkpoint()
        times.append(trio.current_time())
        return play.transactions_table(*(() if statement in script.asked else (WRITER, IDLER)))

    script.answers["SHOW TRANSACTIONS"] = looks
    async with two(script) as execute:
        ended, sink = await execute(QUIESCE_A)
    assert (ended.outcome, sink.of(QuietSeen)[0].ended) == (Outcome.DONE, 2)
    assert sent(script) == [statement]
    assert times[-1] - times[0] >= QUIESCE_A.patience_s


async def test_one_that_comes_between_the_looks_is_waited_for() -> None:
    """Empty, then not: the second look is what counts."""
    script = main_script()
    script.answers["SHOW TRANSACTIONS"] = listing((), (WRITER,), (), ())
    async with two(script) as execute:
        ended, _ = await execute(QUIESCE_A)
    assert ended.outcome is Outcome.DONE
    assert script.asked.count("SHOW TRIGGERS") == 2


async def test_what_cannot_be_ended_is_counted_in_the_refusal() -> None:
    """Each is asked for once; a server that still lists it keeps the moment from coming."""
    script = main_script()
    script.answers["SHOW TRANSACTIONS"] = listing((WRITER, IDLER))
    script.answers.update(killing(WRITER[0], IDLER[0], killed=False))
    async with two(script, deadline_s=0.8) as execute:
        ended, sink = await execute(QUIESCE_A)
    assert (ended.outcome, ended.detail) == (
        Outcome.REFUSED,
        "not quiet: 2 transactions are still open; ended by force: 0",
    )
    assert len(sent(script)) == 1
    assert not sink.of(QuietSeen)


async def test_a_refused_termination_is_in_the_refusal() -> None:
    """Nothing was ended, and the server's text says why."""
    script = main_script()
    script.answers["SHOW TRANSACTIONS"] = listing((WRITER,))
    [statement] = killing(WRITER[0])
    script.answers[statement] = MemgraphError.client("not for you")
    async with two(script, deadline_s=0.6) as execute:
        ended, _ = await execute(QUIESCE_A)
    assert ended.outcome is Outcome.REFUSED
    assert ended.detail == ("not quiet: 1 transaction is still open (the server said 'not for you'); ended by force: 0")


async def test_a_storage_that_somebody_has_alone_is_not_quiet() -> None:
    """The server's text says why."""
    script = main_script()
    text = "Cannot get shared access storage. Try stopping other queries that are running in parallel."
    script.answers["SHOW TRIGGERS"] = MemgraphError.transient(text)
    async with two(script, deadline_s=0.6) as execute:
        ended, sink = await execute(QUIESCE_A)
    assert (ended.outcome, sink.of(QuietSeen)) == (Outcome.REFUSED, [])
    assert text in ended.detail


async def test_a_silent_server_is_given_up_by_the_deadline() -> None:
    """Nothing was changed; the line is opened anew for the next command."""
    script = main_script()
    script.answers["SHOW TRANSACTIONS"] = hanging(trio.Event())
    async with two(script, deadline_s=0.6) as execute:
        assert (await execute(QUIESCE_A))[0].detail.startswith("not quiet: SHOW TRANSACTIONS was not answered")
        script.answers["SHOW TRANSACTIONS"] = play.transactions_table()
        assert (await execute(QUIESCE_A))[0].outcome is Outcome.DONE


async def test_main_that_dies_after_a_termination_leaves_it_unknown() -> None:
    """Somebody may have been ended; nobody can say more."""
    script = main_script()
    script.answers["SHOW TRANSACTIONS"] = listing((WRITER,))

    async def die() -> play.Table:
        script.death.set()
        await trio.sleep_forever()
        raise AssertionError

    [statement] = killing(WRITER[0])
    script.answers[statement] = die
    async with two(script) as execute:
        ended, sink = await execute(QUIESCE_A)
    assert (ended.outcome, sink.of(QuietSeen)) == (Outcome.UNKNOWN, [])


@pytest.mark.parametrize(("role", "run"), [("main", "run-0"), ("replica", "run-1")])
async def test_another_run_or_a_replica_is_refused_and_asked_nothing_else(role: str, run: str) -> None:
    """The guard travels on the command's connection."""
    script = main_script(role)
    async with two(script) as execute:
        ended, _ = await execute(evolve(QUIESCE_A, run=RunId(run)))
    assert ended.outcome is Outcome.REFUSED
    assert script.asked == ["SHOW REPLICATION ROLE"]


# --- processes -----------------------------------------------------------------------------------------------


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """MAIN a with the STRICT_SYNC standby b, probed far more often than usual."""
    policy = Policy(command_deadline_s=2.0, probe_interval_s=0.02)
    async with following(tmp_path, "a", "b", policy=policy) as made:
        await made.pair()
        yield made


def connect(port: int) -> neo4j.Driver:
    """A client's driver."""
    return neo4j.GraphDatabase.driver(f"bolt://127.0.0.1:{port}")


async def test_our_own_probes_never_keep_main_from_being_quiet(cluster: Cluster) -> None:
    """Fifty probes a second, details and all: each moment comes at once and nobody is ended."""
    for _ in range(10):
        command = await cluster.quiesce("a", patience_s=0.0)
        cluster.database.look([InstanceName("a")])
        await cluster.done(command)
    assert [seen.ended for seen in cluster.sink.of(QuietSeen)] == [0] * 10


async def test_a_transaction_that_ends_by_itself_is_waited_for(cluster: Cluster) -> None:
    """It commits within the patience, and the fact is younger than its commit."""
    command = await cluster.quiesce("a", patience_s=1.5)
    begun, ends = trio.Event(), list[float]()

    def client() -> None:
        with (
            connect(cluster["a"].bolt) as driver,
            driver.session() as session,
            session.begin_transaction() as transaction,
        ):
            transaction.run("CREATE (:Slow)").consume()
            trio.from_thread.run_sync(begun.set)
            trio.from_thread.run(trio.sleep, 0.3)
            ends.append(rig.boottime_s())
            transaction.commit()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, client)
        await begun.wait()
        await cluster.done(command)
    [seen] = cluster.sink.of(QuietSeen)
    assert seen.ended == 0
    assert seen.at_s > ends[0]


async def test_a_client_that_idles_inside_begin_is_ended(cluster: Cluster) -> None:
    """Its COMMIT is refused in Memgraph's words; then MAIN can be demoted at once (transcripts Q22)."""
    command = await cluster.quiesce("a", patience_s=0.1)
    with connect(cluster["a"].bolt) as driver, driver.session() as session:
        transaction = await trio.to_thread.run_sync(session.begin_transaction)
        await trio.to_thread.run_sync(lambda: transaction.run("CREATE (:Idle)").consume())
        await cluster.done(command)
        assert cluster.sink.of(QuietSeen)[-1].ended == 1
        with pytest.raises(Neo4jError) as caught:
            await trio.to_thread.run_sync(transaction.commit)
        assert caught.value.message == TERMINATED
    port = cluster["a"].replication
    await cluster.done(Demote(instance=InstanceName("a"), run=command.run, generation=1, port=port))


async def test_a_commit_that_hangs_is_no_quiet_moment(cluster: Cluster) -> None:
    """It is listed no more, and yet it is there until the frozen standby goes on (transcripts Q4)."""
    command = await cluster.quiesce("a", patience_s=0.1)
    cluster["b"].signal(signal.SIGSTOP)

    def client() -> None:
        with connect(cluster["a"].bolt) as driver, driver.session() as session:
            session.run("CREATE (:Hanging)").consume()

    async with trio.open_nursery() as nursery:
        nursery.start_soon(trio.to_thread.run_sync, client)
        await trio.sleep(0.3)
        ended = await cluster.execute(command)
        assert (ended.outcome, ended.detail) == (
            Outcome.REFUSED,
            "not quiet: a commit is still under way; ended by force: 0",
        )
        assert not cluster.sink.of(QuietSeen)
        cluster["b"].signal(signal.SIGCONT)
        await cluster.done(command)
    assert cluster.sink.of(QuietSeen)[-1].ended == 0

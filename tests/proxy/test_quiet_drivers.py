"""Quiet moments between real drivers and a real server process: nobody fails, nothing is lost, nothing begins."""

import contextlib
import functools
import itertools
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Callable, Iterator, Sequence
from pathlib import Path

import neo4j
import neo4j.exceptions
import pytest
import trio
from attrs import define, field

from memgraph_ha.proxy.certificate import Certificate
from memgraph_ha.proxy.options import Options
from tests.fakes.processes import Fake
from tests.proxy.certificates import make_pair
from tests.proxy.harness import HOST, Gate, gateway, permit, until

pytestmark = pytest.mark.trio


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Fake]:
    """A server that is MAIN by itself."""
    fake = Fake("alone", tmp_path_factory.mktemp("quiet"))
    fake.start()
    yield fake
    fake.kill()


@define
class Ledger:
    """What writers were told was saved, and how often each try was made."""

    acknowledged: list[str] = field(factory=list)
    tries: int = 0
    stop: threading.Event = field(factory=threading.Event)


def patient(port: int, name: str, ledger: Ledger) -> None:
    """Write in managed transactions, and try again as the driver does by default."""
    managed(port, f"patient-{name}", ledger, retry_s=30)


def managed(port: int, name: str, ledger: Ledger, retry_s: float = 0) -> None:
    """Write in managed transactions of two queries each, on one session."""

    def work(transaction: neo4j.ManagedTransaction, key: str) -> None:
        ledger.tries += 1
        transaction.run("CREATE (:First {key: $key})", key=key).consume()
        transaction.run("CREATE (:Second {key: $key})", key=key).consume()

    with (
        neo4j.GraphDatabase.driver(f"bolt://{HOST}:{port}", max_transaction_retry_time=retry_s) as driver,
        driver.session() as session,
    ):
        for number in itertools.count():
            if ledger.stop.is_set():
                return
            session.execute_write(work, f"{name}-{number}")
            ledger.acknowledged.append(f"{name}-{number}")


def automatic(port: int, name: str, ledger: Ledger) -> None:
    """Write and read in autocommit transactions, whose results come in batches of two records."""
    with (
        neo4j.GraphDatabase.driver(f"bolt://{HOST}:{port}", max_transaction_retry_time=0) as driver,
        driver.session(fetch_size=2) as session,
    ):
        for number in itertools.count():
            if ledger.stop.is_set():
                return
            key = f"{name}-{number}"
            ledger.tries += 1
            session.run("CREATE (:First {key: $key}) CREATE (:Second {key: $key})", key=key).consume()
            assert len(list(session.run("UNWIND range(1, 7) AS n RETURN n"))) == 7
            ledger.acknowledged.append(key)


def by_mgclient(port: int, name: str, ledger: Ledger) -> None:
    """Write through mgclient, which begins and commits its transactions by queries."""
    argv = [sys.executable, "-m", "tests.proxy.mgclient_writer", str(port), name]
    with subprocess.Popen(argv, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True) as process:
        assert process.stdin is not None
        assert process.stdout is not None
        for line in process.stdout:
            word, key = line.split()
            if word == "try":
                ledger.tries += 1
            else:
                ledger.acknowledged.append(key)
            if ledger.stop.is_set():
                process.stdin.close()
    assert process.returncode == 0


def stored(server: Fake) -> tuple[int, int]:
    """How many of the writers' nodes the server has, asked directly."""
    (counts,) = server.query("MATCH (n) WHERE n.key IS NOT NULL RETURN count(n), count(DISTINCT n.key)")
    return counts[0], counts[1]


def transactions(server: Fake) -> list[object]:
    """The queries of all transactions that the server has open, but for the question's own."""
    queries = [row[2] for row in server.query("SHOW TRANSACTIONS")]
    return [query for query in queries if query != ["SHOW TRANSACTIONS"]]


Writer = Callable[[int, str, Ledger], None]
WRITERS: tuple[Writer, ...] = (managed, managed, automatic, by_mgclient)


@contextlib.asynccontextmanager
async def writing(gate: Gate, ledgers: list[Ledger], writers: Sequence[Writer] = WRITERS) -> AsyncIterator[None]:
    """Let writers write; at the end they finish, or are cut if the test has failed."""
    async with trio.open_nursery() as nursery:
        for number, (write, ledger) in enumerate(zip(writers, ledgers, strict=True)):
            nursery.start_soon(trio.to_thread.run_sync, write, gate.port, f"w{number}", ledger)
        try:
            yield
        except BaseException:
            gate.apply(None)
            raise
        finally:
            for ledger in ledgers:
                ledger.stop.set()


async def all_go_on(ledgers: list[Ledger]) -> None:
    """Wait until each writer has written more than it has now."""
    done = [len(ledger.acknowledged) for ledger in ledgers]
    await until(lambda: all(len(ledger.acknowledged) > was for ledger, was in zip(ledgers, done, strict=True)))


async def test_fifty_quiet_moments_fail_no_writer_and_keep_every_transaction_out(server: Fake) -> None:
    """Nothing is open or changes at MAIN during any of them, every write is there once, no connection is cut."""
    ledgers = [Ledger() for _ in WRITERS]
    to = permit(server.bolt)
    async with gateway() as gate:
        gate.apply(to)
        async with writing(gate, ledgers):
            await until(lambda: all(len(ledger.acknowledged) > 3 for ledger in ledgers))
            for _ in range(50):
                gate.apply(to, quiet=True)
                await gate.until(lambda counters: counters.inside_now == 0)
                before = await trio.to_thread.run_sync(stored, server)
                assert await trio.to_thread.run_sync(transactions, server) == []
                assert await trio.to_thread.run_sync(stored, server) == before
                gate.apply(to)
                await all_go_on(ledgers)
        acknowledged = [key for ledger in ledgers for key in ledger.acknowledged]
        assert len(acknowledged) == sum(ledger.tries for ledger in ledgers)
        assert stored(server) == (2 * len(acknowledged), len(acknowledged))
        assert gate.counters.cut == 0
        assert gate.counters.unknown_now == 0
        assert gate.counters.relayed == len(WRITERS)


async def test_a_commit_that_comes_in_a_quiet_moment_is_answered(server: Fake) -> None:
    """A transaction that was open ends as if nothing were; the next one begins afterwards."""
    to = permit(server.bolt)
    async with gateway() as gate:
        gate.apply(to)

        def work() -> None:
            uri = f"bolt://{HOST}:{gate.port}"
            with neo4j.GraphDatabase.driver(uri) as driver, driver.session() as session:
                with session.begin_transaction() as transaction:
                    transaction.run("CREATE (:Quiet)").consume()
                    trio.from_thread.run_sync(functools.partial(gate.apply, to, quiet=True))
                    transaction.run("CREATE (:Quiet)").consume()
                    transaction.commit()
                trio.from_thread.run(functools.partial(gate.until, lambda counters: counters.inside_now == 0))
                assert transactions(server) == []
                trio.from_thread.run_sync(gate.apply, to)
                session.run("MATCH (q:Quiet) DELETE q").consume()

        await trio.to_thread.run_sync(work)
        assert gate.counters.cut == 0


async def test_a_client_that_idles_inside_begin_is_cut_alone(server: Fake) -> None:
    """It keeps the moment from settling; after the cut its driver fails, and every other goes on."""
    to = permit(server.bolt)
    ledgers = [Ledger() for _ in WRITERS]
    async with gateway() as gate:
        gate.apply(to)
        driver = neo4j.GraphDatabase.driver(f"bolt://{HOST}:{gate.port}")
        with driver, driver.session() as session:

            def open_one() -> neo4j.Transaction:
                transaction = session.begin_transaction()
                transaction.run("CREATE (:Idle)").consume()
                return transaction

            idle = await trio.to_thread.run_sync(open_one)
            async with writing(gate, ledgers):
                await all_go_on(ledgers)
                gate.apply(to, quiet=True)
                await gate.until(lambda counters: counters.inside_now == 1)
                assert await trio.to_thread.run_sync(transactions, server) == [["CREATE (:Idle)"]]
                gate.gateway.cut_open()
                await until(lambda: transactions(server) == [])
                gate.apply(to)
                await all_go_on(ledgers)

            def end_it() -> None:
                with pytest.raises(neo4j.exceptions.ServiceUnavailable):
                    idle.commit()

            await trio.to_thread.run_sync(end_it)
        assert (gate.counters.cut, gate.counters.cut_open) == (1, 1)
        assert sum(ledger.tries for ledger in ledgers) == sum(len(ledger.acknowledged) for ledger in ledgers)


async def test_a_drain_lets_every_driver_finish_its_transaction(server: Fake) -> None:
    """When the gateway goes, no transaction is open at MAIN, and everything that was acknowledged is there."""
    ledgers = [Ledger()]
    async with gateway() as gate:
        gate.apply(permit(server.bolt))
        with pytest.RaisesGroup(neo4j.exceptions.ServiceUnavailable):
            async with trio.open_nursery() as nursery:
                nursery.start_soon(trio.to_thread.run_sync, WRITERS[0], gate.port, "drained", ledgers[0])
                await all_go_on(ledgers)
                await gate.gateway.drain(5)
                assert gate.counters.inside_now == 0
                assert await trio.to_thread.run_sync(transactions, server) == []
                gate.apply(None)
        saved = server.query("MATCH (n:First) WHERE n.key STARTS WITH 'drained' RETURN count(n)")
        assert saved == [[len(ledgers[0].acknowledged)]]


async def test_moves_between_two_servers_fail_no_managed_transaction(server: Fake, tmp_path: Path) -> None:
    """Quiet, settled, cut, the other server: writers that try again wait a little, and every write is there once."""
    other = Fake("other", tmp_path)
    other.start()
    ledgers = [Ledger(), Ledger(), Ledger()]
    sides = itertools.cycle([server.bolt, other.bolt])
    async with gateway() as gate:
        try:
            to = permit(next(sides))
            gate.apply(to)
            async with writing(gate, ledgers, [patient] * len(ledgers)):
                for generation in range(2, 7):
                    await all_go_on(ledgers)
                    gate.apply(to, quiet=True)
                    await gate.until(lambda counters: counters.inside_now == 0)
                    gate.apply(None)
                    to = permit(next(sides), generation=generation)
                    gate.apply(to)
        finally:
            saved = [key for fake in (server, other) for (key,) in fake.query("MATCH (n:First) RETURN n.key")]
            other.kill()
    for ledger in ledgers:
        for key in ledger.acknowledged:
            assert saved.count(key) == 1


async def test_quiet_moments_on_tls_that_the_gateway_terminates(server: Fake, tmp_path: Path) -> None:
    """What the relay sees is Bolt, so nobody is cut and nobody fails, encrypted or not."""
    pair = make_pair(tmp_path, "gateway")
    ledger = Ledger()
    to = permit(server.bolt)

    def write(port: int, name: str, ledger: Ledger) -> None:
        trust = neo4j.TrustCustomCAs(str(pair.cert))
        with (
            neo4j.GraphDatabase.driver(
                f"bolt://{HOST}:{port}", encrypted=True, trusted_certificates=trust, max_transaction_retry_time=0
            ) as driver,
            driver.session() as session,
        ):
            while not ledger.stop.is_set():
                ledger.tries += 1
                session.execute_write(lambda transaction: transaction.run("CREATE (:Tls)").consume())
                ledger.acknowledged.append(name)

    async with gateway(options=Options(tls=Certificate(pair.cert, pair.key))) as gate:
        gate.apply(to)
        async with writing(gate, [ledger], [write]):
            for _ in range(10):
                await all_go_on([ledger])
                gate.apply(to, quiet=True)
                await gate.until(lambda counters: counters.inside_now == counters.unknown_now == 0)
                assert await trio.to_thread.run_sync(transactions, server) == []
                gate.apply(to)
        assert gate.counters.cut == 0
    assert server.query("MATCH (n:Tls) RETURN count(n)") == [[ledger.tries]]
    assert ledger.tries == len(ledger.acknowledged)

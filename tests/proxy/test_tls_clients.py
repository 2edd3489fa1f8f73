"""TLS with other people's clients: the drivers that applications use, and ``openssl s_client``."""

import contextlib
import ssl
import subprocess
import sys
import threading
from collections.abc import AsyncIterator, Iterator

import neo4j
import pytest
import trio

from memgraph_ha.core.permit import Route
from memgraph_ha.proxy.certificate import Certificate
from memgraph_ha.proxy.counters import Refusal
from memgraph_ha.proxy.options import Options
from tests.drill.lone_server import LoneServer, lone_server
from tests.proxy.certificates import Pair, client_context, make_pair, read_exactly
from tests.proxy.harness import HOST, Gate, gateway, main_server, permit, receive_exactly

LONG = "x" * 300_000


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The gateway's certificate."""
    return make_pair(tmp_path_factory.mktemp("tls"), "gateway")


@pytest.fixture(scope="module")
def server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[LoneServer]:
    """A MAIN that speaks Bolt."""
    with lone_server(tmp_path_factory.mktemp("server")) as alone:
        yield alone


def _options(pair: Pair) -> Options:
    return Options(tls=Certificate(pair.cert, pair.key))


@pytest.mark.trio
async def test_the_neo4j_driver(pair: Pair, server: LoneServer) -> None:
    """Transactions with arguments and results of many records; it checks the certificate as it would anywhere."""

    def use(gate: Gate) -> list[str]:
        trust = neo4j.TrustCustomCAs(str(pair.cert))
        uri = f"bolt://{HOST}:{gate.port}"
        query = "MATCH (n:Long) RETURN n.text AS text"
        with (
            neo4j.GraphDatabase.driver(uri, auth=None, encrypted=True, trusted_certificates=trust) as driver,
            driver.session() as session,
        ):
            session.execute_write(lambda tx: tx.run("CREATE (:Long {text: $text})", text=LONG).consume())
            return session.execute_read(lambda tx: [row["text"] for row in tx.run(query)])

    async with gateway(options=_options(pair)) as gate:
        gate.apply(permit(server.port))
        assert await trio.to_thread.run_sync(use, gate) == [LONG]
        assert gate.counters.bytes_to_clients > len(LONG)


async def _more_written(gate: Gate) -> None:
    """Wait until the writer has got on."""
    before = gate.counters.bytes_to_main
    await gate.until(lambda now: now.bytes_to_main > before + 100)


@pytest.mark.trio
async def test_a_quiet_moment_finds_transactions_behind_tls(pair: Pair, server: LoneServer) -> None:
    """Where TLS is terminated messages can be read: a writer goes through ten quiet moments without one failure."""
    stop = threading.Event()

    def write(gate: Gate) -> int:
        trust = neo4j.TrustCustomCAs(str(pair.cert))
        uri, done = f"bolt://{HOST}:{gate.port}", 0
        with (
            neo4j.GraphDatabase.driver(uri, auth=None, encrypted=True, trusted_certificates=trust) as driver,
            driver.session() as session,
        ):
            while not stop.is_set():
                with session.begin_transaction() as tx:  # not retried: what fails is seen
                    tx.run("CREATE (:Quiet)").consume()
                    tx.commit()
                done += 1
            found = session.run("MATCH (n:Quiet) RETURN count(n) AS n").single(strict=True)["n"]
        assert found == done
        return done

    async with gateway(options=_options(pair)) as gate:
        leave = permit(server.port)
        gate.apply(leave)
        written = 0

        async def writer() -> None:
            nonlocal written
            written = await trio.to_thread.run_sync(write, gate)

        async with trio.open_nursery() as nursery:
            nursery.start_soon(writer)
            for _ in range(10):
                await _more_written(gate)
                gate.gateway.apply(Route(permit=leave, hold=True, why="a test", quiet=True))
                await gate.until(lambda now: now.holding_now == 1 and now.inside_now == now.unknown_now == 0)
                gate.gateway.apply(Route(permit=leave, hold=True, why="a test"))
            stop.set()
        assert written >= 10
        assert gate.counters.cut == 0


# A process of its own, because it blocks the whole interpreter while it waits.
_MGCLIENT = """
import mgclient, sys
port, text = int(sys.argv[1]), sys.argv[2]
connection = mgclient.connect(host="127.0.0.1", port=port, sslmode=mgclient.MG_SSLMODE_REQUIRE)
connection.autocommit = True
cursor = connection.cursor()
cursor.execute("RETURN $text", {"text": text})
print(cursor.fetchall()[0][0])
connection.close()
try:
    mgclient.connect(host="127.0.0.1", port=port)
except mgclient.OperationalError:
    print("refused")
"""


@pytest.mark.trio
async def test_the_memgraph_client(pair: Pair, server: LoneServer) -> None:
    """Bolt 4 over TLS, and a plain connection that is refused."""
    async with gateway(options=_options(pair)) as gate:
        gate.apply(permit(server.port))
        done = await trio.run_process(
            [sys.executable, "-c", _MGCLIENT, str(gate.port), LONG[:9_000]], capture_stdout=True
        )
        assert done.stdout.decode().split() == [LONG[:9_000], "refused"]
        assert gate.counters.refused[Refusal.NOT_TLS] == 1


@contextlib.asynccontextmanager
async def _s_client(gate: Gate, version: str) -> AsyncIterator[trio.abc.SendStream]:
    """A running ``openssl s_client``; yields what it reads."""
    command = ["openssl", "s_client", "-connect", f"{HOST}:{gate.port}", version]
    quiet = subprocess.DEVNULL
    process = await trio.lowlevel.open_process(command, stdin=subprocess.PIPE, stdout=quiet, stderr=quiet)
    assert process.stdin is not None
    try:
        yield process.stdin
    finally:
        process.kill()
        await process.wait()


@pytest.mark.trio
async def test_new_keys_in_the_middle_of_a_connection(pair: Pair) -> None:
    """TLS 1.3 lets a client ask for new keys at any time, in both directions; the stream goes on."""
    async with main_server() as main, gateway(options=_options(pair)) as gate:
        gate.apply(permit(main.port))
        async with _s_client(gate, "-tls1_3") as stdin:
            await stdin.send_all(b"one\n")
            server = await main.client()
            assert await receive_exactly(server, 4) == b"one\n"
            for word in (b"two\n", b"six\n"):
                await stdin.send_all(b"K\n")
                await trio.sleep(0.1)  # s_client takes a command only by itself, at the beginning of what it reads
                await stdin.send_all(word)
                assert await receive_exactly(server, 4) == word
                await server.send_all(b"answer")


@pytest.mark.trio
async def test_nobody_renegotiates(pair: Pair) -> None:
    """A TLS 1.2 client that wants to start over is told no, and costs no more."""
    async with main_server() as main, gateway(options=_options(pair)) as gate:
        gate.apply(permit(main.port))
        async with _s_client(gate, "-tls1_2") as stdin:
            await stdin.send_all(b"one\n")
            server = await main.client()
            assert await receive_exactly(server, 4) == b"one\n"
            await stdin.send_all(b"R\n")
            await gate.until(lambda now: now.active_now == 0)


@pytest.mark.trio
async def test_without_a_certificate_tls_passes_through(pair: Pair) -> None:
    """MAIN terminates it itself; the gateway sees bytes."""
    server_context = ssl.SSLContext(ssl.PROTOCOL_TLS_SERVER)
    server_context.load_cert_chain(pair.cert, pair.key)
    async with main_server() as main, gateway() as gate:
        gate.apply(permit(main.port))
        async with trio.open_nursery() as nursery:
            client = trio.SSLStream(await gate.connect(), client_context(pair), server_hostname="127.0.0.1")
            nursery.start_soon(client.send_all, b"secret")
            server = trio.SSLStream(await main.client(), server_context, server_side=True)
            assert await read_exactly(server, 6) == b"secret"

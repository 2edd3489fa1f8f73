"""Writers against a real server process: what they note is what happened, and they always end."""

import math
import socket
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

import pytest
import trio

from memgraph_ha.core.names import Address
from memgraph_ha.drill import writers as writers_module
from memgraph_ha.drill.asking import ask_role, count_writes, read_writes
from memgraph_ha.drill.ledger import Findings, Outcome, check
from memgraph_ha.drill.writers import DRAIN_S, StockWriter, Writer, Writers
from tests.drill.lone_server import LoneServer, lone_server
from tests.free_port import free_port


@pytest.fixture
def server(tmp_path: Path) -> Iterator[LoneServer]:
    """A server that is MAIN by itself."""
    with lone_server(tmp_path) as made:
        yield made


@contextmanager
def writing(address: Address, count: int, *, stock: bool = False) -> Iterator[Writers]:
    """Writers at work; they have ended afterwards, whatever the test did."""
    writers = Writers(address, count, kind=StockWriter if stock else Writer)
    writers.start()
    try:
        yield writers
    finally:
        assert writers.stop() == ()


def until_acknowledged(writers: Writers, more: int) -> None:
    """Wait until each writer got so many acknowledgements more."""
    wanted = [log.count(Outcome.ACKNOWLEDGED) + more for log in writers.logs]
    deadline_s = time.monotonic() + 30
    while any(log.count(Outcome.ACKNOWLEDGED) < least for log, least in zip(writers.logs, wanted, strict=True)):
        assert time.monotonic() < deadline_s, [dict(log.errors) for log in writers.logs]
        time.sleep(0.005)


def reckon(writers: Writers, server: LoneServer, *faults_s: float) -> Findings:
    """Compare the logs with what the server gives back."""
    reading = trio.run(read_writes, server.spec)
    assert trio.run(count_writes, server.spec) == reading.ids.total()
    return check(writers.logs, [reading], faults_s)


@pytest.mark.parametrize("stock", [False, True], ids=["fast", "stock"])
def test_undisturbed_writers_are_acknowledged_every_time(server: LoneServer, stock: bool) -> None:
    """Without a fault every attempt is acknowledged and there once, and nobody is in doubt."""
    with writing(server.address, 3, stock=stock) as writers:
        until_acknowledged(writers, 20)
    found = reckon(writers, server)

    assert found.complaints() == ()
    assert found.attempts == found.acknowledged >= 60
    assert found.errors == {}


def test_writers_go_on_by_themselves_after_a_kill(server: LoneServer) -> None:
    """MAIN is killed under load and comes back with its data: nothing is lost, and each writer doubts at most one."""
    with writing(server.address, 4) as writers:
        until_acknowledged(writers, 20)
        fault_s = time.monotonic()
        server.kill()
        server.start()
        until_acknowledged(writers, 20)
    found = reckon(writers, server, fault_s)

    assert found.complaints() == ()
    assert found.failed_connects > 0, "while it was down nobody could connect, and that is no attempt"
    assert 0 < found.indeterminate <= 4
    assert found.refused == 0


def test_a_lost_directory_is_seen(server: LoneServer, tmp_path: Path) -> None:
    """The ledger notices when a server comes back without what it had acknowledged."""
    with writing(server.address, 2) as writers:
        until_acknowledged(writers, 10)
        server.kill()
        (tmp_path / "data").rename(tmp_path / "put-aside")
        server.start()
        until_acknowledged(writers, 1)
    found = reckon(writers, server, 0.0)

    assert found.lost >= 20
    assert "alone: " in found.complaints()[0]


def test_refused_writes_are_refusals_not_doubts(server: LoneServer) -> None:
    """A REPLICA says that it refuses; nothing is in doubt then, and nothing is there."""
    assert trio.run(ask_role, server.spec) is not None
    demote(server)
    with writing(server.address, 2) as writers:
        deadline_s = time.monotonic() + 20
        while min(log.count(Outcome.REFUSED) for log in writers.logs) < 3:
            assert time.monotonic() < deadline_s
            time.sleep(0.005)
    found = reckon(writers, server)

    assert found.acknowledged == found.indeterminate == 0
    assert found.refused == found.attempts
    assert all("forbidden on the replica" in text for text in found.errors)


def demote(server: LoneServer) -> None:
    """Make it a REPLICA."""
    neo4j = pytest.importorskip("neo4j")
    with neo4j.GraphDatabase.driver(f"bolt://{server.address}") as driver, driver.session() as session:
        session.run(f"SET REPLICATION ROLE TO REPLICA WITH PORT {free_port()}").consume()


@pytest.mark.parametrize("stock", [False, True], ids=["fast", "stock"])
def test_writers_end_though_the_server_is_frozen(server: LoneServer, stock: bool) -> None:
    """Calls that would hang for ever (transcripts Q15) are cut soon after the stop, and their writes are in doubt."""
    writers = Writers(server.address, 3, kind=StockWriter if stock else Writer)
    writers.start()
    until_acknowledged(writers, 5)
    server.freeze()
    time.sleep(0.1)  # so that each is caught inside a call: only then is there something to cut
    before_s = time.monotonic()

    left = writers.stop()

    assert left == ()
    assert DRAIN_S <= time.monotonic() - before_s < DRAIN_S + 2
    assert all(log.count(Outcome.INDETERMINATE) == 1 for log in writers.logs)


def test_a_call_that_takes_too_long_is_given_up(server: LoneServer, monkeypatch: pytest.MonkeyPatch) -> None:
    """While the writers run, a call past its deadline is cut, and the writer tries to go on elsewhere."""
    monkeypatch.setattr(writers_module, "CALL_MAX_S", 0.3)
    monkeypatch.setattr(writers_module, "CONNECT_MAX_S", 0.3)
    with writing(server.address, 2) as writers:
        until_acknowledged(writers, 5)
        server.freeze()
        deadline_s = time.monotonic() + 20
        while not all(log.count(Outcome.INDETERMINATE) == 1 and log.failed_connects for log in writers.logs):
            assert time.monotonic() < deadline_s
            time.sleep(0.01)


@contextmanager
def hostile(answer: bytes) -> Iterator[Address]:
    """A port that accepts everybody, says something and hangs up."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        ended = threading.Event()

        def serve() -> None:
            while True:
                connection, _ = listener.accept()
                with connection:
                    if ended.is_set():
                        return
                    if answer:
                        connection.sendall(answer)

        thread = threading.Thread(target=serve)
        thread.start()
        port = listener.getsockname()[1]
        try:
            yield Address(f"127.0.0.1:{port}")
        finally:
            ended.set()
            socket.create_connection(("127.0.0.1", port)).close()
            thread.join(5)


@pytest.mark.parametrize("answer", [b"", b"\x00\x00\x05\x02\xff\xff\xff\xff", b"HTTP/1.1 400 Bad Request\r\n\r\n"])
def test_a_peer_that_makes_no_sense_gets_no_write(answer: bytes) -> None:
    """Where no connection can be opened nothing was attempted, and the writers still end at once."""
    with hostile(answer) as address, writing(address, 2) as writers:
        deadline_s = time.monotonic() + 20
        while any(log.failed_connects < 3 for log in writers.logs):
            assert time.monotonic() < deadline_s
            time.sleep(0.005)
    assert all(log.attempts == 0 for log in writers.logs)


def test_nobody_there_is_noted_without_spinning() -> None:
    """A refused connection is tried again at once, but not in a loop without a breath."""
    with writing(Address(f"127.0.0.1:{free_port()}"), 1) as writers:
        time.sleep(0.5)  # the subject is the rate: tries per time
    [log] = writers.logs

    assert log.attempts == 0
    assert 5 < log.failed_connects < 0.5 / writers_module.BREATH_S
    assert log.first_acknowledged(begun_from_s=0.0, until_s=math.inf) is None

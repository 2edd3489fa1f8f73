"""A link in a quiet moment: what is held, what is owed, who leaves; bytes in, bytes out, exactly."""

import random
import socket

import pytest

from memgraph_ha.proxy.dialogue import Standing
from memgraph_ha.proxy.pipes import Pipe
from memgraph_ha.proxy.poller import abort
from tests.proxy.bolt_bytes import BEGIN, COMMIT, FIELDS, HANDSHAKE, NO_MORE, PULL, VERSION, chunked, run
from tests.proxy.rig import Rig, read_all, rig, send_some


def greet(made: Rig) -> None:
    """Shake hands as a Bolt client and its server do."""
    made.client.send(HANDSHAKE)
    made.settle()
    made.main.send(VERSION)
    made.settle()
    assert read_all(made.main) == (HANDSHAKE, "more")
    assert read_all(made.client) == (VERSION, "more")


def pump(made: Rig, stream: bytes) -> bytes:
    """Send a stream as fast as it is taken, with a MAIN that reads, and return what MAIN got when all is still."""
    got, idle = bytearray(), 0
    while idle < 3:
        sent = send_some(made.client, stream[: 1 << 16]) if stream else 0
        stream = stream[sent:]
        made.settle()
        chunk, _ = read_all(made.main)
        got += chunk
        idle = 0 if sent or chunk else idle + 1
    return bytes(got)


def large_query(size: int) -> bytes:
    """A RUN with so many bytes that no two parts of it are alike, in chunks as the neo4j driver makes them."""
    return chunked(run("UNWIND $x AS x CREATE (:N)", b"")[:-1] + random.Random(1).randbytes(size), 16384)


@pytest.mark.parametrize("cut", range(1, len(chunked(BEGIN) + chunked(run()))))
def test_begin_and_run_cut_anywhere_are_held_and_flow_later(cut: int) -> None:
    """MAIN has no whole BEGIN while it is quiet, and every byte in order afterwards."""
    stream = chunked(BEGIN) + chunked(run())
    with rig(follows=True) as made:
        greet(made)
        made.hush()
        made.client.send(stream[:cut])
        made.settle()
        made.client.send(stream[cut:])
        made.settle()
        early, _ = read_all(made.main)
        assert len(early) < len(chunked(BEGIN))
        assert made.link.holds
        made.resume()
        made.settle()
        late, state = read_all(made.main)
        assert (early + late, state) == (stream, "more")
        assert not made.link.holds


def test_an_open_transaction_ends_and_the_next_one_waits() -> None:
    """COMMIT passes in the same packet in which the next BEGIN is held."""
    with rig(follows=True) as made:
        greet(made)
        opening = chunked(BEGIN) + chunked(run()) + chunked(PULL)
        made.client.send(opening)
        made.settle()
        assert read_all(made.main) == (opening, "more")
        made.hush()
        more = chunked(run("CREATE (n)")) + chunked(PULL)
        made.client.send(more)
        made.settle()
        assert read_all(made.main) == (more, "more")
        assert not made.link.holds
        made.client.send(chunked(COMMIT) + chunked(BEGIN))
        made.settle()
        assert read_all(made.main) == (chunked(COMMIT), "more")
        assert made.link.holds
        made.main.send(b"answers pass")
        made.settle()
        assert read_all(made.client) == (b"answers pass", "more")


@pytest.mark.parametrize("early", [b"", b"\x16\x03\x01"])
def test_what_is_not_bolt_is_held_to_the_last_byte(early: bytes) -> None:
    """TLS that passes through stands still both if it was known before and if it only now shows."""
    with rig(follows=True) as made:
        if early:
            made.client.send(early)
            made.settle()
            assert read_all(made.main) == (early, "more")
        made.hush()
        made.client.send(b"\x17\x03\x03" + b"data" * 5000)
        made.settle()
        assert read_all(made.main) == (b"", "more")
        assert made.link.standing is Standing.UNKNOWN
        assert made.link.holds
        made.resume()
        made.settle()
        assert read_all(made.main) == (b"\x17\x03\x03" + b"data" * 5000, "more")


@pytest.mark.parametrize("share", [0.1, 0.5, 0.9])
def test_an_upload_that_a_quiet_moment_meets_stops_and_goes_on(share: float) -> None:
    """A RUN that is half there is not finished at MAIN, not even by what MAIN is owed, and arrives whole later."""
    stream = large_query(3_000_000)
    with rig(4096, follows=True) as made:
        greet(made)
        before = pump(made, stream[: int(len(stream) * share)])
        sent = len(before)
        for _ in range(1000):
            sent += send_some(made.client, stream[sent : sent + 1000])
            made.step()
        made.hush()
        during = pump(made, b"")
        assert len(before) + len(during) < len(stream)
        assert made.link.standing is Standing.BETWEEN
        made.resume()
        assert before + during + pump(made, stream[sent:]) == stream


def owes_its_end(made: Rig, stream: bytes) -> bool:
    """Send a stream to a MAIN that does not read; whether all of it was read, and its end is owed to MAIN."""
    for at in range(0, len(stream), 500):
        send_some(made.client, stream[at : at + 500])
        made.settle()
    try:
        unread = made.link.client.sock.recv(1, socket.MSG_PEEK)
    except BlockingIOError:
        unread = b""
    return made.link.main.owed is not None and not unread


def test_the_last_part_of_a_query_that_main_is_owed_is_held() -> None:
    """The whole RUN was read before the quiet moment, but MAIN had not taken its end."""
    for size in range(2000, 40_000, 300):
        stream = large_query(size) + chunked(PULL)
        with rig(4096, follows=True) as made:
            greet(made)
            if not owes_its_end(made, stream):
                continue
            made.hush()
            during = pump(made, b"")
            assert len(during) < len(stream) - len(chunked(PULL))
            made.resume()
            assert during + pump(made, b"") == stream
            return
    raise AssertionError("no size left the end of a query owed")


def test_an_upload_inside_a_transaction_goes_on() -> None:
    """What was begun may end, however much it is."""
    stream = large_query(3_000_000)
    with rig(4096, follows=True) as made:
        greet(made)
        begin = pump(made, chunked(BEGIN))
        before = pump(made, stream[:1_000_000])
        made.hush()
        during = pump(made, stream[1_000_000:])
        assert begin + before + during == chunked(BEGIN) + stream


def test_a_client_that_was_reset_while_it_was_held_begins_nothing() -> None:
    """Its queries are of no use to anybody: MAIN is reset, too, without them."""
    with rig(follows=True) as made:
        greet(made)
        made.hush()
        made.client.send(chunked(BEGIN))
        made.settle()
        abort(made.client)
        made.settle()
        assert made.overs == 1
        assert read_all(made.main) == (b"", "reset")


def test_a_client_that_ended_while_it_was_held_is_heard_out() -> None:
    """A half-close behind held bytes follows them."""
    with rig(follows=True) as made:
        greet(made)
        made.hush()
        made.client.send(chunked(run()))
        made.settle()
        made.client.shutdown(socket.SHUT_WR)
        made.settle()
        assert read_all(made.main) == (b"", "more")
        made.resume()
        made.settle()
        assert read_all(made.main) == (chunked(run()), "end")


def test_a_cut_loses_what_is_held() -> None:
    """Bytes that were never sent are never sent; both ends see a reset."""
    with rig(follows=True) as made:
        greet(made)
        made.hush()
        made.client.send(chunked(BEGIN))
        made.settle()
        made.link.reset()
        assert read_all(made.main) == (b"", "reset")
        assert read_all(made.client) == (b"", "reset")


def test_held_bytes_do_not_outlive_the_permit() -> None:
    """When the quiet moment ends after the permit's time, the link is cut, not resumed."""
    with rig(follows=True) as made:
        greet(made)
        made.hush()
        made.client.send(chunked(BEGIN))
        made.settle()
        made.now = 1000.0
        made.resume()
        assert made.lapsed == 1
        assert read_all(made.main) == (b"", "reset")


def test_a_main_that_ends_during_a_quiet_moment_is_told_to_the_client() -> None:
    """The client learns at once that its connection is gone, and need not wait for the end of the moment."""
    with rig(follows=True) as made:
        greet(made)
        made.hush()
        made.client.send(chunked(BEGIN))
        made.settle()
        abort(made.main)
        made.settle()
        assert read_all(made.client) == (b"", "reset")


@pytest.mark.parametrize("slow", [False, True])
def test_requests_are_never_spliced_and_answers_are_to_their_last_bytes(
    slow: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    """A bulk upload stays readable to the last message; a bulk download shows when it is over, to a slow client too."""
    spliced: list[int] = []
    fill = Pipe.fill

    def counted(pipe: Pipe, fd: int) -> int:
        count = fill(pipe, fd)
        spliced.append(count)
        return count

    monkeypatch.setattr(Pipe, "fill", counted)
    with rig(follows=True) as made:
        greet(made)
        query = large_query(2_000_000)[:-2] + b"\0\0" + chunked(PULL)
        assert pump(made, query) == query
        assert not spliced
        records = b"".join(chunked(b"\xb1\x71\x91\xcd\x10\x00" + bytes(4096)) for _ in range(1000))
        answer = chunked(FIELDS) + records + chunked(NO_MORE)
        got, at = bytearray(), 0
        while len(got) < len(answer):
            assert at == len(answer) or made.link.standing is Standing.ENDING
            at += send_some(made.main, answer[at : at + 1_000_000])
            made.settle()
            got += receive(made.client, 20_000 if slow else 4_000_000)
            made.settle()
        assert got == answer
        assert sum(spliced) > len(answer) // 2
        assert made.link.standing is Standing.BETWEEN


def receive(sock: socket.socket, most: int) -> bytes:
    """Read what is there, but not more than so much."""
    try:
        return sock.recv(most)
    except BlockingIOError:
        return b""

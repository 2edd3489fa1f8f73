"""The copy of one connection, step by step: exact, bounded, quiet when stalled, honest when broken."""

import contextlib
import random
import socket

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from memgraph_ha.proxy import pipes
from memgraph_ha.proxy.poller import abort
from memgraph_ha.proxy.relay import BUFFER_SIZE, BULK_AFTER
from tests.proxy.rig import Rig, read_all, rig, send_some

SMALL = 4096


def _fill(made: Rig, sender: socket.socket) -> bytes:
    """Send until nothing more fits anywhere on the way, and return what was sent."""
    sent = bytearray()
    chance = random.Random(7)
    while True:
        piece = chance.randbytes(1 << 16)
        count = send_some(sender, piece)
        if not count and not made.step():
            return bytes(sent)
        sent += piece[:count]
        made.step()


def _drain(made: Rig, receiver: socket.socket) -> tuple[bytes, str]:
    """Read until nothing more comes."""
    got = bytearray()
    while True:
        piece, how = read_all(receiver)
        got += piece
        if how != "more" or (not made.step() and not piece):
            return bytes(got), how


ACTIONS = st.lists(
    st.tuples(
        st.sampled_from(["client", "main"]),
        st.one_of(
            st.integers(1, 3 * BUFFER_SIZE).map(lambda size: ("send", size)),
            st.integers(1, 3 * BUFFER_SIZE).map(lambda size: ("receive", size)),
            st.just(("step", 0)),
            st.just(("finish", 0)),
        ),
    ),
    max_size=60,
)


@given(actions=ACTIONS, buffer=st.sampled_from([None, SMALL]), seed=st.integers(0, 2**16))
@settings(max_examples=60)
def test_whatever_the_order_every_byte_arrives_once_and_in_order(
    actions: list[tuple[str, tuple[str, int]]], buffer: int | None, seed: int
) -> None:
    """Sends, reads, pauses and half-closes in any order lose, add and swap nothing."""
    chance = random.Random(seed)
    sent = {"client": bytearray(), "main": bytearray()}
    got = {"client": bytearray(), "main": bytearray()}
    finished: set[str] = set()
    with rig(buffer) as made:
        sockets = {"client": made.client, "main": made.main}
        for who, (what, size) in actions:
            if what == "send" and who not in finished:
                data = chance.randbytes(size)
                sent[who] += data[: send_some(sockets[who], data)]
            elif what == "receive":
                with contextlib.suppress(BlockingIOError):
                    got[who] += sockets[who].recv(size)
            elif what == "finish" and who not in finished:
                finished.add(who)
                sockets[who].shutdown(socket.SHUT_WR)
            made.step()
        ends = {}
        for who in ("client", "main", "client", "main"):
            piece, ends[who] = _drain(made, sockets[who])
            got[who] += piece
        assert got["main"] == sent["client"]
        assert got["client"] == sent["main"]
        assert ends == {
            "main": "end" if "client" in finished else "more",
            "client": "end" if "main" in finished else "more",
        }
        made.settle()
        assert made.link.over == (len(finished) == 2)
        assert made.overs == made.link.over
        assert made.link.main.written == len(sent["client"])
        assert made.link.client.written == len(sent["main"])


@pytest.mark.parametrize("buffer", [SMALL, None])
@pytest.mark.parametrize("direction", ["to MAIN", "to the client"])
def test_a_stalled_reader_stops_its_writer_and_nothing_spins(buffer: int | None, direction: str) -> None:
    """What does not fit stays with the sender; the poller is quiet; afterwards every byte is there."""
    with rig(buffer) as made:
        sender, receiver = (made.client, made.main) if direction == "to MAIN" else (made.main, made.client)
        sent = _fill(made, sender)
        made.settle()
        sender.shutdown(socket.SHUT_WR)
        made.settle()
        assert not made.link.over
        got, how = _drain(made, receiver)
        assert how == "end"
        assert got == sent


def test_a_stalled_bulk_stream_holds_one_pipe_and_gives_it_back() -> None:
    """A long stream is spliced; while its reader stalls one pipe is out, afterwards none."""
    with rig() as made:
        _fill(made, made.main)
        assert made.shared.pipes._out == 1
        assert isinstance(made.link.client.owed, pipes.Pipe)
        _drain(made, made.client)
        assert made.shared.pipes._out == 0


def test_without_pipes_a_bulk_stream_is_copied(monkeypatch: pytest.MonkeyPatch) -> None:
    """More stalled streams than pipes cost speed, not bytes."""
    monkeypatch.setattr(pipes, "MAX_PIPES", 0)
    with rig() as made:
        sent = _fill(made, made.main)
        assert isinstance(made.link.client.owed, memoryview)
        assert _drain(made, made.client)[0] == sent


def test_a_link_that_is_cut_while_stalled_gives_back_everything() -> None:
    """Neither a pipe nor a descriptor outlives the link."""
    before = psutil.Process().num_fds()
    with rig() as made:
        _fill(made, made.main)
        _fill(made, made.client)
        assert made.shared.pipes._out == 2
        made.link.reset()
        assert made.shared.pipes._out == 0
        assert not made.step()
        assert _drain(made, made.client)[1] == "reset"
        assert _drain(made, made.main)[1] == "reset"
        assert made.overs == 1
    assert psutil.Process().num_fds() == before


@pytest.mark.parametrize("bulk", [False, True])
def test_bytes_that_are_read_when_time_is_over_are_not_written(bulk: bool) -> None:
    """Copied or spliced, what was taken out of a socket is asked for its permit before it goes into the other."""
    with rig() as made:
        if bulk:
            _become_bulk(made)
        written = made.link.client.written
        made.main.send(b"late")
        made.now = 100.0
        made.settle()
        assert read_all(made.client) == (b"", "reset")
        assert made.link.client.written == written
        assert made.lapsed == 1
        assert made.shared.pipes._out == 0


def _become_bulk(made: Rig) -> None:
    while made.link.main._streak < BULK_AFTER:
        made.main.send(bytes(BUFFER_SIZE))
        made.step()
        read_all(made.client)
    made.settle()
    read_all(made.client)
    made.link.main._streak = BULK_AFTER


@pytest.mark.parametrize("bulk", [False, True])
def test_bytes_owed_when_time_is_over_are_thrown_away(bulk: bool) -> None:
    """A reader that wakes after the lapse gets what the kernel had for it, and not what was still owed."""
    with rig() as made:
        if bulk:
            _fill(made, made.main)
        else:
            made.main.send(b"x" * 100)
            made.step()
        written = made.link.client.written
        made.now = 100.0
        if not bulk:
            made.main.send(b"late")
        got, how = _drain(made, made.client)
        assert how == "reset"
        assert len(got) <= written
        assert made.link.client.written == written
        assert made.lapsed == 1


def test_half_close_passes_and_the_other_direction_goes_on() -> None:
    """A client that has said all it had to say still gets its answer."""
    with rig() as made:
        made.client.send(b"question")
        made.client.shutdown(socket.SHUT_WR)
        made.settle()
        assert read_all(made.main) == (b"question", "end")
        made.main.send(b"answer")
        made.settle()
        assert read_all(made.client) == (b"answer", "more")
        made.main.shutdown(socket.SHUT_WR)
        made.settle()
        assert read_all(made.client) == (b"", "end")
        assert made.link.over


@pytest.mark.parametrize("direction", ["to MAIN", "to the client"])
def test_a_reset_arrives_as_a_reset(direction: str) -> None:
    """A stream that broke off is never made to look complete."""
    with rig() as made:
        sender, receiver = (made.client, made.main) if direction == "to MAIN" else (made.main, made.client)
        sender.send(b"the beginning")
        made.settle()
        abort(sender)
        made.settle()
        got, how = read_all(receiver)
        assert how == "reset"
        assert b"the beginning".startswith(got)
        assert made.link.over


def test_a_reset_that_ends_a_bulk_stream_arrives_as_a_reset() -> None:
    """The kernel reports a reset to whoever asks first, here splice, and an end of stream to whoever asks next."""
    with rig() as made:
        _become_bulk(made)
        abort(made.main)
        made.settle()
        assert _drain(made, made.client)[1] == "reset"


@pytest.mark.parametrize("buffer", [SMALL, None])
def test_a_sender_that_is_reset_while_its_reader_stalls_is_read_out_first(buffer: int | None) -> None:
    """What MAIN said before it broke off is still passed on to a slow client; nothing spins meanwhile."""
    with rig(buffer) as made:
        sent = _fill(made, made.main)
        abort(made.main)
        made.settle()
        assert not made.link.over
        written = made.link.client.written
        got, how = _drain(made, made.client)
        assert how == "reset"
        assert sent.startswith(got)
        assert made.link.client.written > written
        assert made.link.over


def test_last_words_of_a_main_that_closes_in_the_face_of_its_client_arrive() -> None:
    """MAIN answers FAILURE and closes with input unread: its RST makes our next write fail, the answer stays."""
    with rig() as made:
        made.client.send(b"a")
        made.settle()
        made.main.send(b"FAILURE")
        abort(made.main)
        made.client.send(b"b")
        # The client's bytes are written first, and fail; MAIN's are still in our socket.
        made.link.client.ready(1)
        got, how = _drain(made, made.client)
        assert how == "reset"
        assert got == b"FAILURE"
        assert made.link.over


def test_dribbles_pass_one_by_one() -> None:
    """Each byte is passed on when it comes, not when there are more."""
    with rig() as made:
        for number in range(256):
            made.client.send(bytes([number]))
            made.step()
            assert made.main.recv(10) == bytes([number])
            made.main.send(bytes([255 - number]))
            made.step()
            assert made.client.recv(10) == bytes([255 - number])


def test_a_client_that_is_gone_resets_main() -> None:
    """MAIN must learn that nobody reads its answer, or it goes on producing it."""
    with rig() as made:
        _fill(made, made.main)
        abort(made.client)
        made.settle()
        assert made.link.over
        assert _drain(made, made.main)[1] == "reset"

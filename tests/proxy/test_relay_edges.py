"""What epoll tells only once is not forgotten (`IN_ONCE`): the end behind the last bytes, and more than one buffer."""

import socket

import pytest

from memgraph_ha.proxy.poller import GONE, IN, IN_ONCE, Poller
from memgraph_ha.proxy.relay import BUFFER_SIZE
from tests.proxy.rig import Rig, read_all, rig, tcp_pair

FOLLOWS = pytest.mark.parametrize("follows", [False, True], ids=["unread", "followed"])


def _ends(made: Rig, *, from_client: bool) -> tuple[socket.socket, socket.socket]:
    return (made.client, made.main) if from_client else (made.main, made.client)


@FOLLOWS
@pytest.mark.parametrize("from_client", [True, False], ids=["client", "MAIN"])
@pytest.mark.parametrize("size", [1, BUFFER_SIZE - 1, BUFFER_SIZE, BUFFER_SIZE + 1, 5 * BUFFER_SIZE + 7])
def test_an_end_that_came_with_the_last_bytes_is_passed_on(size: int, *, from_client: bool, follows: bool) -> None:
    """Bytes and the end of the stream, there before the relay looks even once, arrive without another event."""
    with rig(8 * BUFFER_SIZE, follows=follows) as made:
        sender, receiver = _ends(made, from_client=from_client)
        data = bytes(range(251)) * (size // 251 + 1)
        sender.sendall(data[:size])
        sender.shutdown(socket.SHUT_WR)
        got, how = b"", "more"
        while how == "more" and made.step():
            piece, how = read_all(receiver)
            got += piece
        assert got == data[:size]
        assert how == "end"
        made.settle()


@FOLLOWS
@pytest.mark.parametrize("size", [BUFFER_SIZE, 2 * BUFFER_SIZE, 2 * BUFFER_SIZE + 1, 5 * BUFFER_SIZE + 7])
def test_more_than_a_buffer_at_once_needs_no_further_event(size: int, *, follows: bool) -> None:
    """What is there at one time passes whole, though the sender says nothing more."""
    with rig(8 * BUFFER_SIZE, follows=follows) as made:
        data = bytes(range(251)) * (size // 251 + 1)
        made.main.sendall(data[:size])
        got = b""
        while made.step():
            got += read_all(made.client)[0]
        assert got == data[:size]


def test_what_came_while_a_quiet_moment_held_it_passes_afterwards() -> None:
    """An end that is asked to read again hears of what came while it did not read."""
    with rig() as made:
        made.hush()
        made.client.sendall(b"later")
        made.settle()
        assert read_all(made.main) == (b"", "more")
        made.resume()
        made.settle()
        assert read_all(made.main) == (b"later", "more")


def test_once_is_reported_once_and_again_when_asked() -> None:
    """The kernel keeps what `IN_ONCE` promises: an event per arrival, and one more per `change`."""
    poller = Poller()
    near, far = tcp_pair(None)
    with near, far:
        poller.watch(near.fileno(), IN_ONCE, lambda _mask: None)
        far.sendall(b"a")
        assert poller.poll(1) == [(near.fileno(), IN)]
        assert poller.poll(0) == []
        far.shutdown(socket.SHUT_WR)
        assert poller.poll(1) == [(near.fileno(), IN | GONE)]
        assert poller.poll(0) == []
        poller.change(near.fileno(), IN_ONCE)
        assert poller.poll(0) == [(near.fileno(), IN | GONE)]
    poller.end()

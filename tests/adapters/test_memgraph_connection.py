"""One connection: what a peer does wrong becomes the right miss, by the deadline, and nothing is left behind."""

import socket

import pytest
import trio

from memgraph_ha.adapters.memgraph.connection import BoltConnection, ConnectionLostError, QueryRefusedError
from memgraph_ha.core.facts import Miss
from memgraph_ha.core.names import Address
from tests.adapters import memgraph_rig as rig
from tests.adapters import memgraph_script as play
from tests.free_port import free_port

pytestmark = pytest.mark.trio


def connect_to(port: int, limiter: trio.CapacityLimiter | None = None) -> BoltConnection:
    """A connection to a loopback port, with a password that must never be seen."""
    return BoltConnection(
        Address(f"127.0.0.1:{port}"),
        auth=("admin", "hunter2-secret"),
        limiter=limiter or trio.CapacityLimiter(4),
        undelivered_s=1.0,
    )


async def opening_fails(port: int) -> ConnectionLostError:
    """How opening a connection there fails."""
    connection = connect_to(port)
    with trio.fail_after(5), pytest.raises(ConnectionLostError) as caught:
        await connection.open()
    assert connection.closed
    return caught.value


async def test_nobody_listens() -> None:
    """A refused connection is `REFUSED`."""
    assert (await opening_fails(free_port())).miss is Miss.REFUSED


@pytest.mark.parametrize("peer", [rig.hang_up, rig.reset, rig.agree_then_hang_up])
async def test_a_peer_that_ends_the_connection_counts_as_refused(peer: rig.Peer) -> None:
    """A process that dies while we connect closes or resets: `REFUSED`, as if it were dead already."""
    async with rig.listening(peer) as port:
        assert (await opening_fails(port)).miss is Miss.REFUSED


@pytest.mark.parametrize("peer", [rig.garbage, rig.agree_then_babble])
async def test_a_peer_that_speaks_nonsense_is_unreadable(peer: rig.Peer) -> None:
    """Nonsense is no evidence of death."""
    async with rig.listening(peer) as port:
        assert (await opening_fails(port)).miss is Miss.UNREADABLE


async def test_a_cancelled_opening_returns_at_once_and_leaves_nothing() -> None:
    """Cancellation does not wait for the server; the thread and the socket are gone soon after."""
    limiter = trio.CapacityLimiter(4)
    sockets = rig.sockets_of_ours()
    async with rig.listening(rig.silent) as port:
        connection = connect_to(port, limiter)
        with trio.move_on_after(0.2) as scope:
            await connection.open()
        assert scope.cancelled_caught
        assert trio.current_time() - scope.deadline < 0.1
        assert await rig.settle(lambda: int(limiter.borrowed_tokens), 0, within_s=1) == 0
    assert await rig.settle(rig.sockets_of_ours, sockets, within_s=1) == sockets


async def test_no_error_shows_the_password() -> None:
    """Errors and representations carry addresses and causes, never credentials."""
    for peer in (rig.hang_up, rig.garbage):
        async with rig.listening(peer) as port:
            error = await opening_fails(port)
            assert "hunter2-secret" not in f"{error!r} {error} {error.__cause__!r} {connect_to(port)!r}"


async def test_a_name_that_does_not_resolve_is_no_refusal() -> None:
    """Want of a name or a route says nothing about the process."""
    connection = BoltConnection(
        Address("nowhere.invalid:7687"), auth=None, limiter=trio.CapacityLimiter(1), undelivered_s=1.0
    )
    with trio.fail_after(5), pytest.raises(ConnectionLostError) as caught:
        await connection.open()
    assert caught.value.miss is Miss.TIMED_OUT


async def test_a_dead_connection_is_never_replaced_behind_our_back() -> None:
    """A guard and its command reach one process: what answers at the address later is another connection's."""
    old, new = play.Script(play.healthy(), run_id="old"), play.Script(play.healthy("main"), run_id="new")
    async with play.playing(old) as port:
        connection = connect_to(port)
        with trio.fail_after(5):
            await connection.open()
            assert (await connection.ask("SHOW REPLICATION ROLE")).run == "old"
            assert not connection.broken()
            old.death.set()
            await connection.ended()
    assert connection.broken()
    async with play.playing(new, port=port):
        with trio.fail_after(5), pytest.raises(ConnectionLostError) as caught:
            await connection.ask("SET REPLICATION ROLE TO MAIN")
        assert caught.value.miss is Miss.REFUSED
        assert (new.logins, new.asked) == (0, [])
    connection.close()


async def test_a_refusal_leaves_the_connection_usable() -> None:
    """The server's no is an answer."""
    async with play.playing(play.Script(play.healthy())) as port:
        connection = connect_to(port)
        with trio.fail_after(5):
            await connection.open()
            with pytest.raises(QueryRefusedError):
                await connection.ask("SHOW NONSENSE")
            assert (await connection.ask("SHOW REPLICATION ROLE")).rows == ({"replication role": "replica"},)
        connection.close()


@pytest.mark.parametrize("busy", [False, True])
async def test_closing_resets(busy: bool) -> None:
    """What was not delivered yet will not be executed: RST leaves no half-closed socket behind (design 7)."""
    script = play.Script(play.healthy())
    script.answers["HANG"] = trio.sleep_forever
    async with play.playing(script) as port:
        connection = connect_to(port)
        with trio.fail_after(5):
            await connection.open()
            assert connection._socket is not None
            mine = connection._socket.getsockname()[
                1
            ]  # somebody else may have dialled that port, for who had it before
            assert mine in rig.local_ports_to(port)
            with trio.move_on_after(0.1 if busy else 0):
                await connection.ask("HANG")
            connection.close()
        assert await rig.settle(lambda: rig.local_ports_to(port).count(mine), 0, within_s=1) == 0


async def test_undelivered_bytes_are_given_up_by_the_kernel_too() -> None:
    """TCP_USER_TIMEOUT is the command's deadline (design 7)."""
    async with play.playing(play.Script(play.healthy())) as port:
        connection = connect_to(port)
        with trio.fail_after(5):
            await connection.open()
        assert connection._socket is not None
        assert connection._socket.getsockopt(socket.IPPROTO_TCP, socket.TCP_USER_TIMEOUT) == 1000
        connection.close()

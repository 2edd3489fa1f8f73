"""Quiet moments and drains of the whole gateway: what is reported, held, let go and cut."""

import pytest
import trio

from memgraph_ha.core.facts import GateSeen
from memgraph_ha.proxy.counters import Refusal
from tests.proxy.bolt_bytes import BEGIN, COMMIT, DONE, HANDSHAKE, PULL, VERSION, chunked, run
from tests.proxy.harness import (
    HOST,
    Clock,
    Gate,
    Main,
    ask,
    echo,
    gateway,
    main_server,
    permit,
    receive_exactly,
    unread,
    was_reset,
)

pytestmark = pytest.mark.trio


async def introduced(gate: Gate, main: Main) -> tuple[trio.SocketStream, trio.SocketStream]:
    """A client past its Bolt handshake, and MAIN's end of it."""
    client = await gate.connect()
    await client.send_all(HANDSHAKE)
    server = await main.client()
    assert await receive_exactly(server, len(HANDSHAKE)) == HANDSHAKE
    await server.send_all(VERSION)
    assert await receive_exactly(client, len(VERSION)) == VERSION
    return client, server


async def test_a_quiet_moment_is_reported_and_keeps_connections() -> None:
    """The fact names the permit and the moment; bytes sent meanwhile arrive afterwards, in order."""
    async with main_server(echo) as main, gateway() as gate:
        to = permit(main.port)
        gate.apply(to)
        client = await gate.connect()
        assert await ask(client, b"not Bolt") == b"not Bolt"
        gate.apply(to, quiet=True)
        assert [(fact.permit, fact.quiet) for fact in gate.facts.seen if isinstance(fact, GateSeen)] == [
            (None, False),
            (to, False),
            (to, True),
        ]
        await client.send_all(b"one")
        await client.send_all(b"two")
        with trio.move_on_after(0.1):
            await client.receive_some()
            pytest.fail("bytes passed")
        assert gate.counters.holding_now == 1
        gate.apply(to)
        assert await receive_exactly(client, 6) == b"onetwo"
        assert gate.facts.seen[-1] == GateSeen(at_s=gate.facts.seen[-1].at_s, permit=to, quiet=False)
        assert gate.counters.cut == 0


async def test_new_clients_wait_for_the_end_of_a_quiet_moment() -> None:
    """They are held as while the gate is shut, also if the route would not hold, and served after."""
    async with main_server(echo) as main, gateway(hold_max_connections=2) as gate:
        to = permit(main.port)
        gate.apply(to, hold=False, quiet=True)
        clients = [await gate.connect(), await gate.connect()]
        await gate.until(lambda counters: counters.held_now == 2)
        assert await gate.refuses()
        assert gate.counters.refused[Refusal.HOLD_FULL] == 1
        assert gate.counters.relayed == 0
        gate.apply(to, hold=False)
        for client in clients:
            assert await ask(client, b"served") == b"served"


async def test_a_longer_permit_during_a_quiet_moment_changes_nothing_else() -> None:
    """The leader extends its permit all the time; the moment goes on until a route without it."""
    async with main_server(echo) as main, gateway() as gate:
        gate.apply(permit(main.port, valid_for_s=30), quiet=True)
        gate.apply(permit(main.port, valid_for_s=60), quiet=True)
        client = await gate.connect()
        await gate.until(lambda counters: counters.held_now == 1)
        gate.apply(permit(main.port, valid_for_s=90))
        assert await ask(client, b"served") == b"served"


@pytest.mark.parametrize("end", ["none", "another", "lapse"])
async def test_the_end_of_the_permit_cuts_what_was_held(end: str) -> None:
    """MAIN never sees the held bytes; the client sees a broken connection, as with any change of the permit."""
    clock = Clock()
    async with main_server() as main, main_server(echo) as other, gateway(clock=clock) as gate:
        to = permit(main.port)
        gate.apply(to)
        client, server = await introduced(gate, main)
        gate.apply(to, quiet=True)
        await client.send_all(chunked(BEGIN) + chunked(run()))
        await gate.until(lambda counters: counters.holding_now == 1)
        match end:
            case "none":
                gate.apply(None)
            case "another":
                gate.apply(permit(other.port, generation=2), quiet=True)
            case _:
                clock.ahead_s = 3600
        assert await was_reset(client)
        with trio.fail_after(5), pytest.raises(trio.BrokenResourceError):
            assert await server.receive_some() == b""
        gate.apply(permit(other.port, generation=3, valid_for_s=7200))
        assert await ask(await gate.connect(), b"served") == b"served"


async def test_bytes_on_their_way_to_main_do_not_begin_a_transaction_late() -> None:
    """Once `apply` has returned, MAIN has every byte of any transaction that it will see."""
    async with main_server() as main, gateway() as gate:
        to = permit(main.port)
        gate.apply(to)
        client, server = await introduced(gate, main)
        request = chunked(run()) + chunked(PULL)
        for _ in range(50):
            await client.send_all(request)
            gate.apply(to, quiet=True)
            waiting = unread(server.socket)
            with trio.move_on_after(0.01):
                await trio.sleep_forever()
            assert unread(server.socket) == waiting
            gate.apply(to)
            assert await receive_exactly(server, len(request)) == request


async def test_only_who_is_inside_a_transaction_is_cut_open() -> None:
    """Idle in BEGIN and unreadable: cut. Between transactions, or waiting for the answer to COMMIT: not."""
    async with main_server() as main, gateway() as gate:
        to = permit(main.port)
        gate.apply(to)
        between, _ = await introduced(gate, main)
        inside, inside_server = await introduced(gate, main)
        await inside.send_all(chunked(BEGIN))
        await receive_exactly(inside_server, len(chunked(BEGIN)))
        await inside_server.send_all(chunked(DONE))
        await receive_exactly(inside, len(chunked(DONE)))
        ending, ending_server = await introduced(gate, main)
        await ending.send_all(chunked(BEGIN) + chunked(COMMIT))
        await receive_exactly(ending_server, len(chunked(BEGIN) + chunked(COMMIT)))
        unknown = await gate.connect()
        await unknown.send_all(b"\x16\x03\x01")
        await receive_exactly(await main.client(), 3)
        gate.gateway.cut_open()
        assert gate.counters.active_now == 4
        gate.apply(to, quiet=True)
        gate.gateway.cut_open()
        counters = gate.counters
        assert (counters.active_now, counters.cut, counters.cut_open) == (2, 2, 2)
        assert (counters.inside_now, counters.unknown_now) == (1, 0)
        assert await was_reset(inside)
        assert await was_reset(unknown)
        await ending_server.send_all(chunked(DONE) + chunked(DONE))
        assert await receive_exactly(ending, 2 * len(chunked(DONE))) == 2 * chunked(DONE)
        await gate.until(lambda counters: counters.inside_now == 0)
        gate.apply(to)
        await between.send_all(chunked(BEGIN))


async def test_a_drain_waits_for_the_last_transaction() -> None:
    """New clients are refused, new transactions wait, and the drain is over when the last answer has come."""
    async with main_server() as main, gateway() as gate:
        gate.apply(permit(main.port))
        client, server = await introduced(gate, main)
        idle, idle_server = await introduced(gate, main)
        await client.send_all(chunked(BEGIN))
        await receive_exactly(server, len(chunked(BEGIN)))
        drained = trio.Event()

        async def drain() -> None:
            await gate.gateway.drain(60)
            drained.set()

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drain)
            await gate.facts.until(lambda fact: isinstance(fact, GateSeen) and fact.quiet)
            with trio.socket.socket() as late, pytest.raises(ConnectionRefusedError):
                await late.connect((HOST, gate.port))
            gate.apply(permit(main.port, valid_for_s=90))
            await idle.send_all(chunked(run()))
            await gate.until(lambda counters: counters.holding_now == 1)
            assert unread(idle_server.socket) == 0
            await client.send_all(chunked(COMMIT))
            await receive_exactly(server, len(chunked(COMMIT)))
            assert not drained.is_set()
            await server.send_all(chunked(DONE) + chunked(DONE))
            with trio.fail_after(5):
                await drained.wait()


async def test_a_drain_loses_patience() -> None:
    """A client that idles inside BEGIN does not keep a process from ending."""
    async with main_server() as main, gateway() as gate:
        gate.apply(permit(main.port))
        client, server = await introduced(gate, main)
        await client.send_all(chunked(BEGIN))
        await receive_exactly(server, len(chunked(BEGIN)))
        began = trio.current_time()
        await gate.gateway.drain(0.2)
        assert 0.2 <= trio.current_time() - began < 2
        assert gate.counters.inside_now == 1


async def test_who_is_held_is_refused_when_a_drain_begins() -> None:
    """A client that waits may go elsewhere at once; one that has no permit has nothing to wait for."""
    async with gateway() as gate:
        gate.apply(None, hold=True)
        client = await gate.connect()
        await gate.until(lambda counters: counters.held_now == 1)
        with trio.fail_after(5):
            await gate.gateway.drain(60)
        assert await was_reset(client)
        assert gate.counters.refused[Refusal.SHUT] == 1

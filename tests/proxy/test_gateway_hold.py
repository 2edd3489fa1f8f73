"""Clients that come while nobody may be written to."""

import pytest
import trio

from memgraph_ha.proxy.counters import Refusal
from memgraph_ha.proxy.lobby import DIALS_AT_ONCE
from memgraph_ha.proxy.sentinel import GREETING
from tests.proxy.harness import Clock, ask, echo, gateway, main_server, permit, until, was_reset

pytestmark = pytest.mark.trio


async def test_held_clients_reach_main_in_the_order_they_came() -> None:
    """First come, first served, when the permit comes."""
    async with main_server() as main, gateway() as gate:
        gate.apply(None)
        for number in range(20):
            client = await gate.connect()
            await client.send_all(bytes([number]))
            await gate.until(lambda now: now.held_now == len(gate.clients))
        gate.apply(permit(main.port))
        await gate.until(lambda now: now.active_now == 20)
        await until(lambda: len(main.streams) == 21 and len(main.sentinels) == 1)
        for _ in range(20):
            await main.client()  # all have said something, and nobody else reads from them
        # MAIN takes connections in the order in which they were made; its streams follow the sentinel's.
        came = [await stream.receive_some(1) for stream in main.streams if stream not in main.sentinels]
        assert came == [bytes([number]) for number in range(20)]
        assert gate.counters.released == gate.counters.held == 20


async def test_a_raw_socket_opened_during_a_failover_gets_its_bolt_answer() -> None:
    """What a held client said before the reign opened is MAIN's first input from it."""

    async def bolt(stream: trio.SocketStream) -> None:
        assert await stream.receive_some(100) == GREETING[:4] + bytes(15) + b"\1"
        await stream.send_all(b"\0\0\0\1")

    async with main_server(bolt) as main, gateway() as gate:
        gate.apply(None)
        async with await gate.connect() as client:
            await client.send_all(GREETING[:4] + bytes(15) + b"\1")
            await gate.until(lambda now: now.held_now == 1)
            gate.apply(permit(main.port))
            with trio.fail_after(5):
                assert await client.receive_some(4) == b"\0\0\0\1"


async def test_over_the_bound_clients_are_reset_and_the_held_ones_stay() -> None:
    """hold_max_connections bounds who waits; one who leaves makes room for the next."""
    async with main_server(echo) as main, gateway(hold_max_connections=2) as gate:
        gate.apply(None)
        async with await gate.connect() as first:
            second = await gate.connect()
            await gate.until(lambda now: now.held_now == 2)
            assert await gate.refuses()
            assert gate.counters.refused[Refusal.HOLD_FULL] == 1
            await second.aclose()
            await gate.until(lambda now: now.held_now == 1)
            assert gate.counters.hung_up == 1
            async with await gate.connect() as fourth:
                await gate.until(lambda now: now.held_now == 2)
                gate.apply(permit(main.port))
                assert await ask(first, b"1") == b"1"
                assert await ask(fourth, b"4") == b"4"


async def test_nobody_is_held_longer_than_hold_max_s() -> None:
    """The longest waiting client is reset when its time is over, the younger ones when theirs is."""
    clock = Clock()
    async with gateway(clock=clock, hold_max_s=30) as gate:
        gate.apply(None)
        async with await gate.connect() as old:
            await gate.until(lambda now: now.held_now == 1)
            clock.ahead_s = 20
            async with await gate.connect() as young:
                await gate.until(lambda now: now.held_now == 2)
                clock.ahead_s = 31
                assert await was_reset(old)
                assert gate.counters.held_now == 1
                clock.ahead_s = 51
                assert await was_reset(young)
        assert gate.counters.refused[Refusal.HOLD_EXPIRED] == 2


async def test_a_hold_that_ends_without_a_permit_refuses_who_waits() -> None:
    """A controller that stopped leading keeps nobody waiting."""
    async with gateway() as gate:
        gate.apply(None)
        async with await gate.connect() as client:
            await gate.until(lambda now: now.held_now == 1)
            gate.apply(None, hold=False)
            assert gate.counters.held_now == 0
            assert await was_reset(client)
        assert gate.counters.refused[Refusal.SHUT] == 1


async def test_a_permit_without_hold_still_serves_who_waited() -> None:
    """The hold of a route counts only while it has no permit."""
    async with main_server(echo) as main, gateway() as gate:
        gate.apply(None)
        async with await gate.connect() as client:
            await gate.until(lambda now: now.held_now == 1)
            gate.apply(permit(main.port), hold=False)
            assert await ask(client, b"x") == b"x"
            gate.apply(None, hold=False)
            assert await was_reset(client)


async def test_a_storm_is_dialled_a_few_at_a_time_and_everybody_gets_through() -> None:
    """Hundreds of clients that waited for the reign are let in without more than the bound under way."""
    most = 0
    async with main_server(echo) as main, gateway() as gate:
        gate.apply(None)
        clients = [await gate.connect() for _ in range(400)]
        await gate.until(lambda now: now.held_now == 400)
        gate.apply(permit(main.port))
        while gate.counters.active_now < 400:
            most = max(most, gate.counters.dialling_now)
            await trio.lowlevel.checkpoint()
        assert most <= DIALS_AT_ONCE
        for number, client in enumerate(clients):
            assert await ask(client, number.to_bytes(2, "big")) == number.to_bytes(2, "big")


async def test_more_dials_than_places_wait_and_a_slow_one_is_given_up() -> None:
    """A MAIN whose backlog is full is tried by DIALS_AT_ONCE clients; after connect_timeout_s they wait again."""
    clock = Clock()
    async with main_server(echo) as main, gateway(clock=clock, connect_timeout_s=5) as gate:
        gate.apply(permit(main.port))
        await gate.until(lambda _now: main.sentinels)
        fillers = await main.stuff()
        clients = [await gate.connect() for _ in range(DIALS_AT_ONCE + 3)]
        await gate.until(lambda now: (now.dialling_now, now.held_now) == (DIALS_AT_ONCE, 3))
        clock.ahead_s = 6
        await gate.until(lambda now: now.dial_failures >= DIALS_AT_ONCE)
        main.listener.listen(4096)
        main.resume()
        assert await ask(clients[0], b"at last") == b"at last"
        assert gate.counters.sentinel_breaks == 0
        for stream in fillers:
            await trio.aclose_forcefully(stream)


async def test_clients_whose_dialling_was_cut_keep_their_places_in_the_line() -> None:
    """A change of MAIN while the first are being dialled does not put them behind those who came later."""
    count = DIALS_AT_ONCE + 5
    async with main_server() as old, main_server() as new, gateway() as gate:
        gate.apply(permit(old.port))
        await until(lambda: old.sentinels)
        fillers = await old.stuff()
        for number in range(count):
            client = await gate.connect()
            await client.send_all(bytes([number]))
            await gate.until(lambda now: now.held_now + now.dialling_now == len(gate.clients))
        gate.apply(permit(new.port))
        await until(lambda: new.sentinels and len(new.streams) == count + 1)
        came = [await stream.receive_some(1) for stream in new.streams if stream not in new.sentinels]
        assert came == [bytes([number]) for number in range(count)]
        assert gate.counters.cut == 0
        for stream in fillers:
            await trio.aclose_forcefully(stream)

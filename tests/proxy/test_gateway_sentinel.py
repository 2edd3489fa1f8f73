"""The gateway's own connection to MAIN: what breaks it, what does not, and what a break does."""

import signal
import socket

import attrs
import pytest
import trio
import trio.lowlevel

from memgraph_ha.core.facts import GateSeen, SentinelBroke
from memgraph_ha.core.names import InstanceName, RunId
from memgraph_ha.proxy.engine import REVIVE_AFTER_S
from tests.proxy.harness import (
    BOLT_ANSWER,
    HOST,
    Clock,
    MainProcess,
    ask,
    boottime,
    echo,
    freeze,
    gateway,
    main_server,
    permit,
    until,
    was_reset,
)

pytestmark = pytest.mark.trio


def _broke(fact: GateSeen | SentinelBroke) -> bool:
    return isinstance(fact, SentinelBroke)


async def test_a_killed_main_is_reported_and_cut_within_milliseconds() -> None:
    """Kill -9: the connections are reset, SentinelBroke and GateSeen(None) are reported, nobody was asked."""
    with MainProcess() as main:
        async with gateway() as gate:
            gate.apply(permit(main.port))
            async with await gate.connect() as client:
                assert await ask(client, b"x") == b"x"
                killed_at = boottime()
                main.process.kill()
                broke = await gate.facts.until(_broke)
                assert isinstance(broke, SentinelBroke)
                assert (broke.instance, broke.run) == (InstanceName("memgraph-0"), RunId("run-1"))
                assert broke.at_s - killed_at < 0.5
                assert gate.facts.permits[-1] is None
                assert gate.facts.seen.index(broke) < len(gate.facts.seen) - 1
                assert gate.counters.active_now == 0
                assert gate.counters.sentinel_breaks == 1


async def test_the_same_permit_stays_dead_until_none_or_another_was_applied() -> None:
    """Who repeats the permit has not learnt of the break: a new process on the port must get nothing by it."""
    with MainProcess() as main:
        async with gateway() as gate:
            first = permit(main.port)
            gate.apply(first)
            await until(lambda: gate.gateway._bound()._sentinel.up)
            main.process.kill()
            main.process.wait()
            await gate.facts.until(_broke)
            with MainProcess(main.port):
                gate.apply(first)
                assert gate.facts.permits[-1] is None
                async with await gate.connect() as client:
                    await client.send_all(b"wait")
                    await gate.until(lambda now: now.held_now == 1)
                    gate.apply(permit(main.port, generation=2, run="run-2"))
                    with trio.fail_after(5):
                        assert await client.receive_some(4) == b"wait"
                gate.apply(None)
                gate.apply(first)
                async with await gate.connect() as client:
                    assert await ask(client, b"reissued") == b"reissued"


async def test_a_main_that_only_dropped_the_sentinel_is_dialled_again() -> None:
    """An idle limit or a reset in the network is not a death: nothing is cut, nothing is reported."""
    async with main_server(echo) as main, gateway() as gate:
        gate.apply(permit(main.port))
        async with await gate.connect() as client:
            assert await ask(client, b"1") == b"1"
            await main.sentinels[0].aclose()
            await until(lambda: len(main.sentinels) == 2)
            await _reset(main.sentinels[1])
            await until(lambda: len(main.sentinels) == 3)
            assert await ask(client, b"2") == b"2"
            async with await gate.connect() as late:
                assert await ask(late, b"3") == b"3"
        assert not any(map(_broke, gate.facts.seen))
        assert gate.counters.cut == 0


async def _reset(stream: trio.SocketStream) -> None:
    stream.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
    await stream.aclose()


async def test_a_frozen_main_does_not_break_the_sentinel() -> None:
    """SIGSTOP is for the prober to find; when MAIN goes on, so do its clients."""
    with MainProcess() as main:
        async with gateway() as gate:
            gate.apply(permit(main.port))
            async with await gate.connect() as client:
                assert await ask(client, b"x") == b"x"
                await freeze(main.process)
                await client.send_all(b"patience")
                with trio.move_on_after(0.5):
                    await client.receive_some(8)
                assert not any(map(_broke, gate.facts.seen))
                main.process.send_signal(signal.SIGCONT)
                with trio.fail_after(5):
                    assert await client.receive_some(8) == b"patience"


async def test_a_main_that_refuses_from_the_start_is_reported() -> None:
    """A permit for a port where nobody listens is broken at once; clients are held, not refused."""
    with socket.socket() as unused:
        unused.bind((HOST, 0))
        async with gateway() as gate:
            gate.apply(permit(unused.getsockname()[1]))
            await gate.facts.until(_broke)
            assert gate.facts.permits[-1] is None
            async with await gate.connect():
                await gate.until(lambda now: now.held_now == 1)


@pytest.mark.parametrize("how", ["FIN", "RST"])
async def test_a_port_that_takes_connections_and_drops_them_is_a_broken_main(how: str) -> None:
    """The kernel of a dying process may still accept: only an answer proves life."""
    async with main_server(echo) as main, gateway() as gate:
        gate.apply(permit(main.port))
        await until(lambda: main.sentinels)
        main.pause()
        await trio.lowlevel.checkpoint()

        async def drop_all() -> None:
            while True:
                sock, _ = await main.listener.accept()
                stream = trio.SocketStream(sock)
                await stream.receive_some(100)  # what is unread when it is closed would make it an RST
                await (_reset(stream) if how == "RST" else stream.aclose())

        async with trio.open_nursery() as nursery:
            nursery.start_soon(drop_all)
            await main.sentinels[0].aclose()
            await gate.facts.until(_broke)
            nursery.cancel_scope.cancel()


async def test_nobody_new_is_let_in_while_a_redialled_main_has_not_answered() -> None:
    """In doubt the old connections stay and new ones wait; the answer releases them."""
    async with main_server(echo) as main, gateway() as gate:
        gate.apply(permit(main.port))
        async with await gate.connect() as old, await gate.connect() as new:
            assert await ask(old, b"1") == b"1"
            assert await ask(new, b"1") == b"1"
            main.answering = False
            await main.sentinels[0].aclose()
            await until(lambda: len(main.sentinels) == 2)
            async with await gate.connect() as late:
                await late.send_all(b"late")
                await gate.until(lambda now: now.held_now == 1)
                assert await ask(old, b"2") == b"2"
                assert gate.counters.held_now == 1
                await main.sentinels[1].send_all(BOLT_ANSWER)
                with trio.fail_after(5):
                    assert await late.receive_some(4) == b"late"
        assert not any(map(_broke, gate.facts.seen))


async def test_a_main_that_closes_its_port_is_found_by_the_next_client() -> None:
    """A refused client makes the sentinel look; refused too, it cuts the rest, and the client waits."""
    async with main_server(echo) as main, gateway() as gate:
        gate.apply(permit(main.port))
        async with await gate.connect() as old:
            assert await ask(old, b"1") == b"1"
            main.stop_accepting()
            async with await gate.connect() as late:
                await late.send_all(b"unread")
                await gate.facts.until(_broke)
                assert await was_reset(old)
                assert gate.counters.held_now == 1
                assert gate.counters.dial_failures == 1
                async with main_server(echo) as successor:
                    gate.apply(permit(successor.port, generation=2))
                    with trio.fail_after(5):
                        assert await late.receive_some(6) == b"unread"


async def test_a_permit_still_extended_seconds_after_the_break_opens_again_if_main_answers() -> None:
    """MAIN refused for a moment only: whoever extends the permit later has probed since; repeating it is not enough."""
    clock = Clock()
    async with main_server(echo) as main, gateway(clock=clock) as gate:
        first = permit(main.port)
        later = attrs.evolve(first, valid_until_s=first.valid_until_s + 10)
        gate.apply(first)
        await until(lambda: main.sentinels)
        main.stop_accepting()
        await main.sentinels[0].aclose()
        await gate.facts.until(_broke)
        gate.apply(later)
        assert gate.facts.permits[-1] is None
        clock.ahead_s = REVIVE_AFTER_S
        gate.apply(first)
        assert gate.facts.permits[-1] is None
        gate.apply(later)
        await until(lambda: gate.counters.sentinel_breaks == 2)
        clock.ahead_s = 2 * REVIVE_AFTER_S
        await main.listen_again()
        main.answering = False
        gate.apply(attrs.evolve(first, valid_until_s=first.valid_until_s + 20))
        await until(lambda: len(main.sentinels) == 2)
        async with await gate.connect() as client:
            await client.send_all(b"alive")
            await gate.until(lambda now: now.held_now == 1)
            await main.sentinels[1].send_all(BOLT_ANSWER)
            with trio.fail_after(5):
                assert await client.receive_some(5) == b"alive"

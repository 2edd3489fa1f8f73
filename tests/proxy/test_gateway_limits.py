"""Bounds, bad clients, bad arguments, and that nothing is left behind."""

import errno
import gc
import os
import socket
import time
from collections.abc import Callable

import psutil  # type: ignore[import-untyped]  # it ships no types
import pytest
import trio
import trio.testing

from memgraph_ha.core.facts import GateSeen
from memgraph_ha.proxy import RwGateway
from memgraph_ha.proxy.counters import Refusal
from tests.proxy.harness import (
    HOST,
    ask,
    boottime,
    echo,
    gateway,
    gateway_process,
    main_server,
    permit,
    was_reset,
)


@pytest.mark.trio
async def test_over_max_connections_clients_are_reset_until_one_leaves() -> None:
    """The bound counts whoever is connected, relayed or waiting."""
    async with main_server(echo) as main, gateway(max_connections=2) as gate:
        gate.apply(permit(main.port))
        async with await gate.connect() as one:
            assert await ask(one, b"1") == b"1"
            async with await gate.connect() as two:
                assert await ask(two, b"2") == b"2"
                assert await gate.refuses()
                assert gate.counters.refused[Refusal.LIMIT] == 1
                assert await ask(two, b"2") == b"2"
            await gate.until(lambda now: now.active_now == 1)
            async with await gate.connect() as four:
                assert await ask(four, b"4") == b"4"


@pytest.mark.trio
async def test_running_out_of_descriptors_pauses_accepting_and_hurts_nobody() -> None:
    """With 40 descriptors and 60 clients those inside are served, and the rest once there is room again."""
    async with main_server(echo) as main:
        with gateway_process(str(main.port), str(boottime() + 60), "40") as (process, port):
            clients = [await trio.open_tcp_stream(HOST, port) for _ in range(60)]
            assert await ask(clients[0], b"inside") == b"inside"
            served = 0
            for client in clients:
                with trio.move_on_after(0.02):
                    served += await ask(client, b"x") == b"x"
            assert 5 < served < 40
            before = _cpu_s(process.pid)
            started = time.monotonic()
            await trio.sleep(0.3)
            assert _cpu_s(process.pid) - before < (time.monotonic() - started) / 2, "it spins"
            late = clients.pop()
            for client in clients:
                await client.aclose()
            assert await ask(late, b"?") in {b"?", b"x"}
            await late.aclose()


def _cpu_s(pid: int) -> float:
    times = psutil.Process(pid).cpu_times()
    return float(times.user + times.system)


@pytest.mark.trio
async def test_garbage_and_vanishing_clients_do_not_disturb_others() -> None:
    """Random bytes, immediate closes and resets, in every state of the gate."""
    async with main_server(echo) as main, gateway() as gate:
        for to in (None, permit(main.port)):
            gate.apply(to)
            for kind in range(60):
                raw = socket.create_connection((HOST, gate.port))
                if kind % 3:
                    raw.send(os.urandom(1 + kind))
                if kind % 2:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
                raw.close()
            await gate.until(lambda now: now.held_now == now.dialling_now == now.active_now == 0)
        async with await gate.connect() as client:
            assert await ask(client, b"fine") == b"fine"
        assert gate.counters.accepted == 121


@pytest.mark.trio
async def test_nothing_is_left_after_500_connections() -> None:
    """Descriptors and tasks are what they were, during service and after it."""
    process = psutil.Process()
    async with main_server(echo) as main:
        before_service = process.num_fds()
        async with gateway() as gate:
            gate.apply(permit(main.port))
            async with await gate.connect() as client:
                assert await ask(client, b"warm") == b"warm"
            await gate.until(lambda now: now.active_now == 0)
            await _drop_streams(gate.counters.relayed, main.streams)
            fds, tasks = process.num_fds(), trio.lowlevel.current_statistics().tasks_living
            for _ in range(10):
                clients = [await gate.connect() for _ in range(50)]
                for client in clients:
                    assert await ask(client, b"x") == b"x"
                for client in clients:
                    await client.aclose()
                await gate.until(lambda now: now.active_now == 0)
            await _drop_streams(gate.counters.relayed, main.streams)
            assert gate.counters.relayed == 501
            assert process.num_fds() == fds
            assert trio.lowlevel.current_statistics().tasks_living == tasks
        main.streams[0].socket.close()
        assert process.num_fds() == before_service


async def _drop_streams(clients: int, streams: list[trio.SocketStream]) -> None:
    """Close MAIN's side of what is over; the sentinel's is the first and stays."""
    assert len(streams) == clients + 1
    for stream in streams[1:]:
        await trio.aclose_forcefully(stream)
    await trio.testing.wait_all_tasks_blocked()


@pytest.mark.trio
async def test_cancelling_closes_connections_in_every_state() -> None:
    """Relayed, waiting and being dialled: each client is reset, each descriptor closed, the end reported."""
    process = psutil.Process()
    async with main_server(echo) as main:
        before = process.num_fds()
        async with gateway() as gate:
            gate.apply(permit(main.port))
            relayed = await trio.open_tcp_stream(HOST, gate.port)
            assert await ask(relayed, b"x") == b"x"
            facts = gate.facts
        assert await was_reset(relayed)
        assert facts.permits[-1] is None
        async with gateway() as gate:
            gate.apply(None)
            waiting = await trio.open_tcp_stream(HOST, gate.port)
            await gate.until(lambda now: now.held_now == 1)
        assert await was_reset(waiting)
        await relayed.aclose()
        await waiting.aclose()
        for stream in main.streams:
            await trio.aclose_forcefully(stream)
        gc.collect()
        assert process.num_fds() == before


@pytest.mark.trio
async def test_the_first_fact_says_that_nothing_passes() -> None:
    """A daemon that has just started learns the gate's state without asking."""
    async with gateway() as gate:
        assert [type(fact) for fact in gate.facts.seen] == [GateSeen]
        assert gate.facts.permits == [None]
        assert abs(gate.facts.seen[0].at_s - boottime()) < 5


def _unserved(
    port: int = 0,
    *,
    hold_max_s: float = 1,
    hold_max_connections: int = 1,
    max_connections: int = 1,
    connect_timeout_s: float = 1,
) -> RwGateway:
    return RwGateway(
        (HOST, port),
        hold_max_s=hold_max_s,
        hold_max_connections=hold_max_connections,
        max_connections=max_connections,
        connect_timeout_s=connect_timeout_s,
        clock=boottime,
    )


def test_a_busy_port_is_an_error_of_bind() -> None:
    """The command line can name the port before anything has been started."""
    first = _unserved()
    host, port = first.bind()
    assert host == HOST
    assert first.bind() == (host, port)
    try:
        with pytest.raises(OSError, match="ddress already in use") as caught:
            _unserved(port).bind()
        assert caught.value.errno == errno.EADDRINUSE
    finally:
        first.close()
    again = _unserved(port)
    again.bind()
    again.close()


@pytest.mark.parametrize(
    ("make", "message"),
    [
        (lambda: _unserved(hold_max_s=0), "hold_max_s: 0 is too small"),
        (lambda: _unserved(hold_max_connections=-1), "hold_max_connections: -1 is too small"),
        (lambda: _unserved(max_connections=0), "max_connections: 0 is too small"),
        (lambda: _unserved(connect_timeout_s=-0.5), "connect_timeout_s: -0.5 is too small"),
    ],
)
def test_a_wrong_number_is_named(make: Callable[[], RwGateway], message: str) -> None:
    """Each bound is checked when the gateway is made."""
    with pytest.raises(ValueError, match=message):
        make()


def test_counters_before_bind_say_what_is_missing() -> None:
    """There is nothing to count yet."""
    with pytest.raises(RuntimeError, match="call bind"):
        _unserved().counters()

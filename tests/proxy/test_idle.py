"""Silent connections end, busy ones never: by the bytes that passed, not by age."""

import pytest
import trio

from memgraph_ha.core.permit import Route
from memgraph_ha.proxy.idle import LOOK_AT_LEAST_S, IdleWatch
from memgraph_ha.proxy.options import Options
from tests.proxy.harness import (
    Clock,
    Gate,
    ask,
    echo,
    gateway,
    main_server,
    permit,
    receive_exactly,
    until,
    was_reset,
)
from tests.proxy.rig import Rig, rig, send_some

TIMEOUT_S = 40.0
IDLE = Options(idle_timeout_s=TIMEOUT_S)


def _speak(link: Rig, *, from_main: bool) -> None:
    send_some(link.main if from_main else link.client, b"x")
    link.settle()


@pytest.mark.parametrize("from_main", [True, False])
def test_a_byte_in_either_direction_is_activity(from_main: bool) -> None:
    """One byte every 39 s keeps a connection for ever; then it ends after 40 s, at the first look."""
    watch = IdleWatch(TIMEOUT_S)
    with rig() as busy, rig() as silent:
        links = [busy.link, silent.link]
        gone = []
        for second in range(400):
            if second % 39 == 0:
                _speak(busy, from_main=from_main)
            gone += [(second, link) for link in watch.silent(links, second, excused=False)]
            links = [link for link in links if link not in {found for _, found in gone}]
        assert gone == [(40, silent.link)]
        for second in range(400, 500):
            gone += [(second, link) for link in watch.silent(links, second, excused=False)]
            links = [link for link in links if link not in {found for _, found in gone}]
        assert gone[1] == (390 + TIMEOUT_S, busy.link)


@pytest.mark.parametrize("born", range(10))
def test_nobody_ends_early_and_nobody_much_later(born: int) -> None:
    """However a connection's beginning falls between two looks, it has its timeout and at most a quarter more."""
    watch = IdleWatch(TIMEOUT_S)
    with rig() as one:
        for second in range(200):
            links = [one.link] if second >= born else []
            if watch.silent(links, second, excused=False):
                assert TIMEOUT_S <= second - born <= 1.25 * TIMEOUT_S
                return
    raise AssertionError("it never ended")


def test_silence_that_the_gateway_commands_is_not_counted() -> None:
    """Neither while it lasts, nor what was counted before it: from the end on, everybody has the whole timeout."""
    watch = IdleWatch(TIMEOUT_S)
    with rig() as one:
        for second in range(500):
            assert not watch.silent([one.link], second, excused=30 <= second < 400 or second > 430)
        watch = IdleWatch(TIMEOUT_S)
        for second in range(39):
            assert not watch.silent([one.link], second, excused=False)
        watch.forgive()
        for second in range(39, 79):
            assert not watch.silent([one.link], second, excused=False)
        assert watch.silent([one.link], 80, excused=False) == [one.link]


def test_looks_are_rare_and_off_means_never() -> None:
    """A week's timeout is looked at each minute; none wakes nobody."""
    watch = IdleWatch(7 * 86_400)
    watch.silent([], 0, excused=False)
    assert watch.wake_at == LOOK_AT_LEAST_S
    assert IdleWatch(0).wake_at == float("inf")


async def _look(gate: Gate, clock: Clock, ahead_s: float) -> None:
    """Let time pass, and the gateway notice."""
    clock.ahead_s += ahead_s
    engine = gate.gateway._bound()
    with engine.locked():
        pass  # wakes the loop
    await until(lambda: engine._idle.wake_at > clock())


@pytest.mark.trio
async def test_a_busy_connection_outlives_its_timeout_many_times_and_a_silent_one_does_not() -> None:
    """Age is no reason: ten minutes of one byte per look, beside a connection that says nothing."""
    clock = Clock()
    async with main_server(echo) as main, gateway(clock=clock, options=IDLE) as gate:
        gate.apply(permit(main.port, valid_for_s=100_000))
        busy, silent = await gate.connect(), await gate.connect()
        assert await ask(silent, b"once") == b"once"
        for _ in range(60):
            assert await ask(busy, b"x") == b"x"
            await _look(gate, clock, 10.1)
        assert await was_reset(silent)
        assert gate.counters.idled == 1
        assert gate.counters.active_now == 1
        assert await ask(busy, b"still here") == b"still here"


@pytest.mark.trio
async def test_a_download_is_activity_though_the_client_says_nothing() -> None:
    """Bytes from MAIN alone keep a connection."""
    clock = Clock()
    async with main_server() as main, gateway(clock=clock, options=IDLE) as gate:
        gate.apply(permit(main.port, valid_for_s=100_000))
        client = await gate.connect()
        await client.send_all(b"?")
        server = await main.client()
        for _ in range(12):
            await server.send_all(b"row")
            assert await receive_exactly(client, 3) == b"row"
            await _look(gate, clock, 10.1)
        assert gate.counters.idled == 0


@pytest.mark.trio
async def test_held_clients_are_not_idle() -> None:
    """They wait for us; and once relayed, they begin with nothing counted against them."""
    clock = Clock()
    async with main_server(echo) as main, gateway(clock=clock, options=IDLE, hold_max_s=10_000) as gate:
        gate.apply(None, hold=True)
        held = await gate.connect()
        await gate.until(lambda now: now.held_now == 1)
        for _ in range(10):
            await _look(gate, clock, 10.1)
        gate.apply(permit(main.port, valid_for_s=100_000))
        assert await ask(held, b"at last") == b"at last"
        await _look(gate, clock, 10.1)
        assert gate.counters.idled == 0


@pytest.mark.trio
async def test_a_quiet_moment_is_not_idleness() -> None:
    """A connection that the gateway keeps from speaking outlives any timeout, and has a whole one afterwards."""
    clock = Clock()
    async with main_server(echo) as main, gateway(clock=clock, options=IDLE) as gate:
        leave = permit(main.port, valid_for_s=100_000)
        gate.apply(leave)
        client = await gate.connect()
        assert await ask(client, b"before") == b"before"
        await _look(gate, clock, 10.1)
        await _look(gate, clock, 10.1)
        gate.gateway.apply(Route(permit=leave, hold=True, why="a test", quiet=True))
        for _ in range(8):
            await _look(gate, clock, 10.1)
        gate.gateway.apply(Route(permit=leave, hold=True, why="a test"))
        for _ in range(3):
            await _look(gate, clock, 10.1)
        assert gate.counters.idled == 0
        assert await ask(client, b"after") == b"after"


@pytest.mark.trio
async def test_a_short_quiet_moment_between_two_looks_counts_too() -> None:
    """Three quarters of the timeout, a moment that no look falls into, and the last quarter: not idle."""
    clock = Clock()
    async with main_server(echo) as main, gateway(clock=clock, options=IDLE) as gate:
        leave = permit(main.port, valid_for_s=100_000)
        gate.apply(leave)
        client = await gate.connect()
        assert await ask(client, b"before") == b"before"
        for _ in range(4):
            await _look(gate, clock, 10.1)
        for quiet in (True, False):
            gate.gateway.apply(Route(permit=leave, hold=True, why="a test", quiet=quiet))
        await _look(gate, clock, 10.1)
        assert gate.counters.idled == 0
        for _ in range(4):
            await _look(gate, clock, 10.1)
        assert await was_reset(client)


@pytest.mark.trio
async def test_without_the_option_silence_is_allowed_for_ever() -> None:
    """A day passes; TCP keep-alive looks after dead peers, not this."""
    clock = Clock()
    async with main_server(echo) as main, gateway(clock=clock) as gate:
        gate.apply(permit(main.port, valid_for_s=1_000_000))
        client = await gate.connect()
        assert await ask(client, b"good morning") == b"good morning"
        clock.ahead_s += 86_400
        before = gate.counters.accepted
        async with await gate.connect() as other:
            assert await ask(other, b"time has passed") == b"time has passed"
        assert gate.counters.accepted == before + 1
        assert gate.counters.idled == 0
        assert await ask(client, b"good night") == b"good night"


@pytest.mark.trio
async def test_a_stalled_download_is_silent_too() -> None:
    """A client that takes nothing for the whole timeout is not waited for, whatever it is owed."""
    clock = Clock()
    async with main_server() as main, gateway(clock=clock, options=IDLE) as gate:
        gate.apply(permit(main.port, valid_for_s=100_000))
        client = await gate.connect()
        await client.send_all(b"?")
        server = await main.client()
        with trio.move_on_after(0.3):
            while True:
                await server.send_all(bytes(1 << 16))
        for _ in range(6):
            await _look(gate, clock, 10.1)
        assert gate.counters.idled == 1
        assert await was_reset(client)

"""How fast one source may come: the bucket by itself, then real clients from several addresses."""

import socket

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.proxy.counters import Refusal
from memgraph_ha.proxy.options import Options
from memgraph_ha.proxy.source_limit import SourceLimit, source_key
from tests.proxy.harness import Clock, Gate, ask, echo, gateway, main_server, permit

A, B = "192.0.2.1", "192.0.2.2"


def _taken(limit: SourceLimit, host: str, now: float, tries: int = 50) -> int:
    return sum(limit.take(host, now) for _ in range(tries))


def test_a_burst_passes_and_then_the_rate_holds() -> None:
    """Five at once, then one per tenth of a second."""
    limit = SourceLimit(rate_per_s=10, burst=5)
    assert _taken(limit, A, 100.0) == 5
    assert _taken(limit, A, 100.05) == 0
    assert _taken(limit, A, 100.1) == 1
    assert _taken(limit, A, 100.35) == 2
    assert _taken(limit, A, 200.0) == 5


def test_a_refused_attempt_costs_nothing() -> None:
    """A client that knocks a thousand times a second still gets its rate, to the token."""
    limit = SourceLimit(rate_per_s=10, burst=5)
    assert sum(limit.take(A, 100 + tick / 1000) for tick in range(60_000)) == 5 + 599


def test_one_source_does_not_pay_for_another() -> None:
    """Buckets are apart."""
    limit = SourceLimit(rate_per_s=1, burst=3)
    assert _taken(limit, A, 0.0) == 3
    assert _taken(limit, B, 0.0) == 3


@pytest.mark.parametrize(
    ("one", "other", "same"),
    [
        ("192.0.2.1", "::ffff:192.0.2.1", True),
        ("192.0.2.1", "192.0.2.2", False),
        ("2001:db8:0:1::1", "2001:db8:0:1:ffff:ffff:ffff:ffff", True),
        ("2001:db8:0:1::1", "2001:db8:0:2::1", False),
        ("fe80::1%eth0", "fe80::2%eth1", True),
        ("::1", "127.0.0.1", False),
    ],
)
def test_a_source_is_an_ipv4_address_or_an_ipv6_network(one: str, other: str, same: bool) -> None:
    """One IPv6 host has a /64 to itself; an IPv4 client of a dual-stack port is an IPv4 client."""
    assert (source_key(one) == source_key(other)) is same


def test_memory_is_bounded_and_the_oldest_bucket_goes_first() -> None:
    """Ten thousand sources leave a hundred buckets, the latest."""
    limit = SourceLimit(rate_per_s=0.01, burst=1, max_sources=100)
    for number in range(10_000):
        assert limit.take(f"10.0.{number // 256}.{number % 256}", 0.0)
        assert limit.sources <= 100
    assert not limit.take("10.0.39.15", 1.0), "the latest is remembered"
    assert limit.take("10.0.0.0", 1.0), "the first is forgotten, and has its burst again"


def test_buckets_that_are_full_again_are_dropped_without_a_scan() -> None:
    """The table shrinks by two with every call, whoever calls."""
    limit = SourceLimit(rate_per_s=10, burst=5)
    for number in range(1000):
        limit.take(f"10.0.{number // 256}.{number % 256}", 0.0)
    assert limit.sources == 1000
    for _ in range(600):
        limit.take(A, 100.0)
    assert limit.sources == 1


@given(
    rate=st.floats(0.01, 1000),
    burst=st.integers(1, 20),
    steps=st.lists(st.floats(0, 5), min_size=1, max_size=60),
)
def test_no_window_lets_more_pass_than_burst_and_rate(rate: float, burst: int, steps: list[float]) -> None:
    """Between any two admitted connections, the sum is within burst + rate x time; the first always passes."""
    limit = SourceLimit(rate, burst)
    now, admitted = 1000.0, []
    for step in steps:
        now += step
        if limit.take(A, now):
            admitted.append(now)
    assert admitted[0] == 1000.0 + steps[0]
    for first, begin in enumerate(admitted):
        for count, end in enumerate(admitted[first:], start=1):
            assert count <= burst + rate * (end - begin) + 1e-3


async def _served(gate: Gate, host: str) -> bool:
    """Whether a client that comes from this loopback address is relayed; otherwise it must have been reset."""
    sock = trio.socket.socket()
    await sock.bind((host, 0))
    async with trio.SocketStream(sock) as stream:
        try:
            await sock.connect(("127.0.0.1", gate.port))
            return await ask(stream, b"in") == b"in"
        except (ConnectionResetError, trio.BrokenResourceError):
            return False


@pytest.mark.trio
async def test_who_comes_too_fast_is_reset_and_others_are_served() -> None:
    """Three of burst, the fourth is refused, its neighbour is not, and with time it may again."""
    clock = Clock()
    options = Options(source_rate_per_s=0.1, source_burst=3)
    async with main_server(echo) as main, gateway(clock=clock, options=options) as gate:
        gate.apply(permit(main.port, valid_for_s=10_000))
        assert [await _served(gate, "127.0.0.2") for _ in range(5)] == [True, True, True, False, False]
        assert gate.counters.refused[Refusal.RATE] == 2
        assert await _served(gate, "127.0.0.3")
        clock.ahead_s += 11
        assert [await _served(gate, "127.0.0.2") for _ in range(2)] == [True, False]
        assert gate.counters.refused[Refusal.RATE] == 3
        assert gate.counters.accepted == 8


@pytest.mark.trio
async def test_a_held_client_took_its_token_when_it_came() -> None:
    """The limit is on coming, whether the gate is open or not; who is refused by a shut gate pays nothing."""
    options = Options(source_rate_per_s=0.01, source_burst=2)
    async with main_server(echo) as main, gateway(options=options) as gate:
        gate.apply(None, hold=False)
        for _ in range(3):
            assert await gate.refuses()
        assert gate.counters.refused[Refusal.SHUT] == 3
        gate.apply(None, hold=True)
        held = [await gate.connect() for _ in range(2)]
        await gate.until(lambda now: now.held_now == 2)
        assert await gate.refuses()
        assert gate.counters.refused[Refusal.RATE] == 1
        gate.apply(permit(main.port))
        for client in held:
            assert await ask(client, b"in") == b"in"


@pytest.mark.trio
async def test_without_the_option_nobody_is_counted() -> None:
    """It is off by default: 300 connections of one source pass."""
    async with main_server(echo) as main, gateway() as gate:
        gate.apply(permit(main.port))
        for _ in range(300):
            with socket.create_connection(("127.0.0.1", gate.port)):
                pass
        await gate.until(lambda now: now.accepted == 300)
        assert set(gate.counters.refused.values()) == {0}


@pytest.mark.parametrize(
    ("wrong", "message"),
    [
        (
            {"source_rate_per_s": -1},
            "source_rate_per_s: -1 is out of range: give 0 to switch it off, or a number from 0.01",
        ),
        ({"source_rate_per_s": float("nan")}, "source_rate_per_s: nan is out of range"),
        ({"source_rate_per_s": float("inf")}, "source_rate_per_s: inf is out of range"),
        ({"source_burst": 0}, "source_burst: 0 is out of range: give a number from 1 to 1000000"),
        ({"idle_timeout_s": 0.5}, "idle_timeout_s: 0.5 is out of range: give 0 to switch it off, or a number from 1.0"),
        ({"greeting_timeout_s": 0}, "greeting_timeout_s: 0 is out of range: give a number from 0.1 to 300"),
    ],
)
def test_a_wrong_option_is_named_with_its_range(wrong: dict[str, float], message: str) -> None:
    """Every number is checked when the options are made."""
    with pytest.raises(ValueError, match=message):
        Options(**wrong)  # type: ignore[arg-type]  # numbers by name

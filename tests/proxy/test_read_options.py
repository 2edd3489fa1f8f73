"""The read-only gateway receives its clients as the other does."""

import contextlib
import random
from collections.abc import AsyncIterator
from pathlib import Path

import pytest
import trio

from memgraph_ha.core.names import Address, Incarnation, InstanceName, RunId
from memgraph_ha.core.permit import Permit, ReadPermit, Route
from memgraph_ha.proxy import RoGateway
from memgraph_ha.proxy.certificate import Certificate
from memgraph_ha.proxy.counters import Refusal
from memgraph_ha.proxy.options import Options
from memgraph_ha.proxy.proxy_protocol import Endpoints, build
from memgraph_ha.proxy.sentinel import GREETING
from tests.proxy.certificates import client_context, connect_tls, make_pair, read_exactly
from tests.proxy.harness import (
    HOST,
    Clock,
    Entrance,
    ask,
    boottime,
    echo,
    main_server,
    receive_exactly,
    until,
    was_reset,
)

pytestmark = pytest.mark.trio


class Readers(Entrance):
    """A serving read-only gateway."""

    def __init__(self, gateway: RoGateway) -> None:
        super().__init__(gateway.counters, gateway.bind()[1])
        self.gateway = gateway

    def read_from(self, port: int) -> None:
        """Let clients read from this server for a day."""
        leave = Permit(
            instance=InstanceName("replica"),
            address=Address(f"{HOST}:{port}"),
            run=RunId("run"),
            incarnation=Incarnation("process"),
            generation=1,
            valid_until_s=boottime() + 86_400,
        )
        reads = (ReadPermit(permit=leave, takes_new=True),)
        self.gateway.apply(Route(permit=None, hold=True, why="a test", reads=reads))


@contextlib.asynccontextmanager
async def _readers(options: Options, clock: Clock | None = None) -> AsyncIterator[Readers]:
    served = RoGateway((HOST, 0), max_connections=100, connect_timeout_s=2, clock=clock or boottime, options=options)
    async with trio.open_nursery() as nursery:
        await nursery.start(served.serve, lambda _fact: None)
        gate = Readers(served)
        try:
            yield gate
        finally:
            nursery.cancel_scope.cancel()
            with trio.CancelScope(shield=True):
                await gate.close()


async def test_tls_is_terminated_and_large_answers_are_encrypted(tmp_path: Path) -> None:
    """Megabytes arrive whole; clients that speak something else are refused."""
    pair = make_pair(tmp_path, "reader")
    answer = random.Random(5).randbytes(5 << 20)
    async with main_server() as replica, _readers(Options(tls=Certificate(pair.cert, pair.key))) as gate:
        gate.read_from(replica.port)
        client = await connect_tls(gate, client_context(pair))
        await client.send_all(b"?")
        server = await replica.client()
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.send_all, answer)
            assert await read_exactly(client, len(answer)) == answer
        plain = await gate.connect()
        await plain.send_all(GREETING)
        assert await was_reset(plain)
        assert gate.counters.refused[Refusal.NOT_TLS] == 1


async def test_the_announced_source_is_limited_and_told_to_the_replica() -> None:
    """A PROXY header in, one with the same ends out, and the rate is that of the client in it."""
    options = Options(accept_proxy=True, send_proxy=True, source_rate_per_s=0.01, source_burst=1)
    header = build(Endpoints(source=("192.0.2.1", 40_000), destination=("198.51.100.7", 7687)))
    async with main_server() as replica, _readers(options) as gate:
        gate.read_from(replica.port)
        first, second = await gate.connect(), await gate.connect()
        await first.send_all(header + b"read")
        assert await receive_exactly(await replica.client(), len(header) + 4) == header + b"read"
        await second.send_all(header + b"read")
        assert await was_reset(second)
        assert gate.counters.refused[Refusal.RATE] == 1


async def test_silent_readers_end_and_busy_ones_stay() -> None:
    """Idle by bytes, as on the other gateway."""
    clock = Clock()
    async with main_server(echo) as replica, _readers(Options(idle_timeout_s=40), clock) as gate:
        gate.read_from(replica.port)
        busy, silent = await gate.connect(), await gate.connect()
        assert await ask(silent, b"once") == b"once"
        loop = gate.gateway._bound()
        for _ in range(12):
            assert await ask(busy, b"x") == b"x"
            clock.ahead_s += 10.1
            with loop.locked():
                pass  # wakes it
            await until(lambda: loop._idle.wake_at > clock())
        assert await was_reset(silent)
        assert await ask(busy, b"still here") == b"still here"
        assert gate.counters.idled == 1

"""The gateways of a local controller: both ports in each term of its own, none otherwise."""

import contextlib
from collections.abc import AsyncIterator, Awaitable, Callable

import pytest
import trio

from memgraph_ha.proxy import Gateways, RoGateway, RwGateway
from memgraph_ha.runtime.gateway import LeaderGateway
from memgraph_ha.runtime.leading import Leading
from tests.free_port import free_port
from tests.proxy.harness import HOST, Facts, ask, boottime, echo, main_server, permit, was_reset
from tests.proxy.test_read_gateway import reader, reads

pytestmark = pytest.mark.trio


class Controller:
    """A controller's leadership and its gateways, on given ports."""

    def __init__(self, rw_port: int, ro_port: int | None) -> None:
        self.leading = Leading()
        self.facts = Facts()
        self.evictions = 0
        self._rw_port, self._ro_port = rw_port, ro_port
        self.gateway = LeaderGateway(self._make, self.leading, self._evict)

    def _make(self) -> Gateways:
        rw = RwGateway(
            (HOST, self._rw_port),
            hold_max_s=30,
            hold_max_connections=10,
            max_connections=10,
            connect_timeout_s=1,
            clock=boottime,
        )
        if self._ro_port is None:
            return Gateways(rw)
        return Gateways(rw, RoGateway((HOST, self._ro_port), max_connections=10, connect_timeout_s=1, clock=boottime))

    async def _evict(self) -> None:
        self.evictions += 1


@contextlib.asynccontextmanager
async def clients() -> AsyncIterator[Callable[[int], Awaitable[trio.SocketStream]]]:
    """A way to connect as soon as somebody listens; all are closed at the end."""
    streams: list[trio.SocketStream] = []

    async def connect(port: int) -> trio.SocketStream:
        with trio.fail_after(10):
            while True:
                try:
                    streams.append(await trio.open_tcp_stream(HOST, port))
                except OSError:
                    await trio.sleep(0.01)
                else:
                    return streams[-1]

    try:
        yield connect
    finally:
        with trio.CancelScope(shield=True):
            for stream in streams:
                await trio.aclose_forcefully(stream)


async def test_both_ports_go_from_leader_to_leader() -> None:
    """Whoever leads binds both; whoever led before has cut everything and given both back."""
    ports = free_port(), free_port()
    one, two = Controller(*ports), Controller(*ports)
    async with (
        main_server(echo) as main,
        main_server(echo) as replica,
        clients() as connect,
        trio.open_nursery() as nursery,
    ):
        for controller in (one, two):
            await nursery.start(controller.gateway.serve, controller.facts)
            controller.gateway.apply(reads(reader("replica", replica.port), to=permit(main.port)))
        one.leading.set(leading=True)
        before = [await connect(port) for port in ports]
        for client in before:
            assert await ask(client, b"first") == b"first"
        one.leading.set(leading=False)
        two.leading.set(leading=True)
        for client in before:
            assert await was_reset(client)
        with trio.fail_after(5):
            await two.facts.until(lambda fact: fact == two.facts.seen[-1] and two.facts.permits[-1] is not None)
        for port in ports:
            assert await ask(await connect(port), b"second") == b"second"
        assert (one.evictions, two.evictions) == (0, 0)
        nursery.cancel_scope.cancel()


async def test_without_a_read_only_port_there_is_only_the_other() -> None:
    """The read-only gateway may be left out; a drain and a cut work all the same, also out of a term."""
    port = free_port()
    controller = Controller(port, None)
    async with main_server(echo) as main, clients() as connect, trio.open_nursery() as nursery:
        await nursery.start(controller.gateway.serve, controller.facts)
        await controller.gateway.drain(60)
        controller.gateway.cut_open()
        controller.gateway.apply(reads(to=permit(main.port)))
        controller.leading.set(leading=True)
        client = await connect(port)
        assert await ask(client, b"first") == b"first"
        controller.gateway.cut_open()
        assert await ask(client, b"again") == b"again"
        await controller.gateway.drain(0.1)
        with trio.socket.socket() as late, pytest.raises(ConnectionRefusedError):
            await late.connect((HOST, port))
        nursery.cancel_scope.cancel()

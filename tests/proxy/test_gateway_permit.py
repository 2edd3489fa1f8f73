"""What may pass, until when, and what happens to the rest."""

import os
import signal
import socket

import attrs
import pytest
import trio

from memgraph_ha.core.facts import GateSeen
from memgraph_ha.core.permit import Permit
from memgraph_ha.proxy.counters import Refusal
from tests.proxy.harness import (
    HOST,
    Clock,
    ask,
    boottime,
    echo,
    freeze,
    gateway,
    gateway_process,
    main_server,
    permit,
    receive_exactly,
    unread,
    until,
    was_reset,
)

pytestmark = pytest.mark.trio


async def test_bytes_pass_both_ways_under_a_permit() -> None:
    """A client of a gateway with a permit talks to MAIN."""
    async with main_server(echo) as main, gateway() as gate:
        gate.apply(permit(main.port))
        async with await gate.connect() as client:
            assert await ask(client, b"over and back") == b"over and back"
        await gate.until(lambda now: now.active_now == 0)
        assert gate.counters.bytes_to_main == gate.counters.bytes_to_clients == len(b"over and back")


async def test_without_a_permit_and_without_hold_clients_are_reset_at_once() -> None:
    """A gateway that neither relays nor holds refuses."""
    async with gateway() as gate:
        gate.apply(None, hold=False)
        assert await gate.refuses()
        assert gate.counters.refused[Refusal.SHUT] == 1


async def test_an_idle_connection_is_cut_when_the_permit_lapses() -> None:
    """Nobody has to say or send anything for a lapsed permit to end its connections."""
    async with main_server(echo) as main, gateway() as gate:
        short = permit(main.port, valid_for_s=0.3)
        gate.apply(short)
        async with await gate.connect() as client:
            assert await ask(client, b"x") == b"x"
            assert await was_reset(client)
            assert boottime() >= short.valid_until_s
        await until(lambda: len(gate.facts.seen) == 3)
        assert gate.facts.permits == [None, short, None]
        assert gate.counters.cut == 1


async def test_nothing_is_written_after_a_lapse_in_the_middle_of_a_transfer() -> None:
    """The clock passes the permit's end between two chunks of a stream: not one byte more is written."""
    clock = Clock()

    async def flood(stream: trio.SocketStream) -> None:
        await stream.receive_some(1)
        while True:
            await stream.send_all(bytes(1 << 16))

    async with main_server(flood) as main, gateway(clock=clock) as gate:
        gate.apply(permit(main.port))
        engine = gate.gateway._bound()
        written: list[int] = []
        async with await gate.connect() as client:
            await client.send_all(b"?")
            await receive_exactly(client, 1 << 20)
            clock.jumped_at = lambda: written.append(sum(link.client.written for link in engine._links))
            clock.when = lambda: sum(link.client.written for link in engine._links) > 5 << 20
            assert await was_reset(client)
        assert written[0] > 5 << 20
        assert gate.counters.bytes_to_clients == written[0]


@pytest.mark.parametrize("direction", ["to the client", "to MAIN"])
async def test_bytes_read_before_a_pause_are_not_written_after_it(direction: str) -> None:
    """Time jumps past the permit right after the gateway took the bytes out of its socket: they go nowhere."""
    clock = Clock()
    async with main_server() as main, gateway(clock=clock) as gate:
        gate.apply(permit(main.port))
        async with await gate.connect() as client:
            await client.send_all(b"BEGIN")
            server = await main.client()
            assert await receive_exactly(server, 5) == b"BEGIN"
            sender, receiver = (server, client) if direction == "to the client" else (client, server)
            engine = gate.gateway._bound()
            with engine._turnstile, engine._lock:
                os.write(sender.socket.fileno(), b"acknowledged")
                clock.when = lambda: unread(sender.socket) == 0
            with trio.fail_after(5), pytest.raises(trio.BrokenResourceError):
                assert await receiver.receive_some(100) == b"not a byte"
            assert clock.when is None


async def test_a_process_that_wakes_from_a_pause_relays_no_acknowledgement() -> None:
    """A gateway that was stopped while its permit lapsed does not deliver what MAIN said meanwhile."""
    async with main_server() as main:
        valid_until_s = boottime() + 2.5
        with gateway_process(str(main.port), str(valid_until_s)) as (process, port):
            async with await trio.open_tcp_stream(HOST, port) as client:
                await client.send_all(b"COMMIT")
                server = await main.client()
                assert await receive_exactly(server, 6) == b"COMMIT"
                await freeze(process)
                await server.send_all(b"SUCCESS")
                assert boottime() < valid_until_s, "this machine is too slow for the test"
                await until(lambda: boottime() > valid_until_s)
                process.send_signal(signal.SIGCONT)
                with trio.fail_after(5), pytest.raises(trio.BrokenResourceError):
                    assert await client.receive_some(100) == b"not a byte"


@pytest.mark.parametrize("clients", [1, 20])
async def test_apply_none_has_cut_everything_when_it_returns(clients: int) -> None:
    """Right after apply, with no time for anyone else to act, each client's connection is already reset."""

    async def flood(stream: trio.SocketStream) -> None:
        await stream.receive_some(1)
        while True:
            await stream.send_all(bytes(1 << 14))

    async with main_server(flood) as main, gateway() as gate:
        gate.apply(permit(main.port))
        streams = [await gate.connect() for _ in range(clients)]
        for stream in streams:
            await stream.send_all(b"?")
            await receive_exactly(stream, 1 << 16)
        gate.apply(None)
        written = gate.counters.bytes_to_clients
        for stream in streams:
            raw = socket.socket(fileno=stream.socket.detach())
            raw.setblocking(False)
            with pytest.raises(ConnectionResetError):
                _read_to_the_end(raw)
            raw.close()
        assert gate.counters.active_now == 0
        assert gate.counters.cut == clients
        assert gate.counters.bytes_to_clients == written


def _read_to_the_end(sock: socket.socket) -> None:
    while sock.recv(1 << 20):
        pass


async def test_an_extended_permit_keeps_connections_and_moves_the_end() -> None:
    """Connections outlive the first end of a permit that was extended, and not the second."""
    clock = Clock()
    async with main_server(echo) as main, gateway(clock=clock) as gate:
        first = permit(main.port, valid_for_s=60)
        second = attrs.evolve(first, valid_until_s=first.valid_until_s + 60)
        gate.apply(first)
        async with await gate.connect() as client:
            assert await ask(client, b"1") == b"1"
            gate.apply(second)
            clock.ahead_s = 90
            assert await ask(client, b"2") == b"2"
            clock.ahead_s = 121
            with pytest.raises(trio.BrokenResourceError):
                await ask(client, b"3")
        await until(lambda: gate.facts.permits == [None, first, second, None])


async def test_a_permit_that_comes_back_shorter_and_past_cuts_at_once() -> None:
    """The end may move backwards too: an end in the past is no permit."""
    async with main_server(echo) as main, gateway() as gate:
        first = permit(main.port)
        gate.apply(first)
        async with await gate.connect() as client:
            assert await ask(client, b"1") == b"1"
            gate.apply(attrs.evolve(first, valid_until_s=boottime() - 1))
            assert gate.counters.active_now == 0
            assert await was_reset(client)
        assert gate.facts.permits == [None, first, None]


@pytest.mark.parametrize(
    "change",
    [
        {"instance": "memgraph-1"},
        {"run": "run-2"},
        {"incarnation": "pod-2"},
        {"generation": 2},
    ],
    ids=lambda change: next(iter(change)),
)
async def test_any_other_permit_cuts_what_the_old_one_allowed(change: dict[str, str | int]) -> None:
    """Same address or not: another instance, run, incarnation or reign is another MAIN."""
    async with main_server(echo) as main, gateway() as gate:
        old = permit(main.port)
        gate.apply(old)
        async with await gate.connect() as client, await gate.connect() as other:
            assert await ask(client, b"1") == b"1"
            assert await ask(other, b"1") == b"1"
            gate.apply(attrs.evolve(old, **change))  # type: ignore[arg-type] # values fit the fields named above
            assert gate.counters.active_now == 0
            assert await was_reset(client)
            assert await was_reset(other)
        async with await gate.connect() as client:
            assert await ask(client, b"2") == b"2"


async def test_another_address_is_where_the_next_client_goes() -> None:
    """After a change of MAIN the old one is never spoken to again."""
    async with main_server() as old, main_server(echo) as new, gateway() as gate:
        gate.apply(permit(old.port))
        async with await gate.connect() as client:
            await client.send_all(b"x")
            server = await old.client()
            gate.apply(permit(new.port))
            assert await was_reset(client)
            assert await was_reset(server)
        async with await gate.connect() as client:
            assert await ask(client, b"y") == b"y"


async def test_a_lapsed_permit_that_is_renewed_opens_again() -> None:
    """A lease that was renewed late costs the connections, not the gateway."""
    clock = Clock()
    async with main_server(echo) as main, gateway(clock=clock) as gate:
        first = permit(main.port)
        gate.apply(first)
        clock.ahead_s = 61
        await gate.facts.until(
            lambda fact: isinstance(fact, GateSeen) and fact.permit is None and fact.at_s > first.valid_until_s
        )
        renewed = attrs.evolve(first, valid_until_s=first.valid_until_s + 60)
        gate.apply(renewed)
        async with await gate.connect() as client:
            assert await ask(client, b"again") == b"again"
        assert gate.facts.permits == [None, first, None, renewed]


async def test_a_client_being_dialled_when_the_permit_changes_reaches_only_the_new_main() -> None:
    """The attempt to the old MAIN is given up before apply returns; the client waits and gets the new one."""
    async with main_server() as old, main_server(echo) as new, gateway(connect_timeout_s=30) as gate:
        gate.apply(permit(old.port))
        await gate.facts.until(lambda fact: isinstance(fact, GateSeen) and fact.permit is not None)
        await until(lambda: old.sentinels)
        fillers = await old.stuff()
        client = await gate.connect()
        await client.send_all(b"first words")
        await gate.until(lambda now: now.dialling_now == 1)
        gate.apply(permit(new.port))
        assert gate.counters.dialling_now == 0
        assert await receive_exactly(client, 11) == b"first words"
        assert gate.counters.released == 1
        assert gate.counters.bytes_to_main == 11
        for stream in fillers:
            await trio.aclose_forcefully(stream)


async def test_a_route_applied_before_serving_holds_from_the_start() -> None:
    """The daemon may apply first and serve afterwards."""
    async with main_server(echo) as main:
        with gateway_process(str(main.port), str(boottime() + 60)) as (_, port):
            async with await trio.open_tcp_stream(HOST, port) as client:
                assert await ask(client, b"early") == b"early"


async def test_a_permit_may_name_its_address() -> None:
    """A host name is resolved, once for the life of the permit."""
    async with main_server(echo) as main, gateway() as gate:
        named: Permit = attrs.evolve(permit(main.port), address=f"localhost:{main.port}")  # type: ignore[arg-type]
        gate.apply(named)
        async with await gate.connect() as client:
            assert await ask(client, b"by name") == b"by name"
        assert gate.facts.permits == [None, named]


async def test_an_address_that_is_none_cuts_and_names_itself() -> None:
    """A permit for an address that cannot be read shuts the gate before the error is raised."""
    async with main_server(echo) as main, gateway() as gate:
        gate.apply(permit(main.port))
        async with await gate.connect() as client:
            assert await ask(client, b"1") == b"1"
            with pytest.raises(ValueError, match="'nowhere' is not host:port"):
                gate.apply(attrs.evolve(permit(main.port), address="nowhere"))  # type: ignore[arg-type]
            assert await was_reset(client)
        assert gate.facts.permits[-1] is None

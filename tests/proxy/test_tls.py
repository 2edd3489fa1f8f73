"""TLS towards clients: the relay's promises hold there too, and nobody waits for a handshake but its client."""

import contextlib
import os
import random
import socket
import ssl
from pathlib import Path

import pytest
import trio

from memgraph_ha.proxy.certificate import Certificate
from memgraph_ha.proxy.counters import Refusal
from memgraph_ha.proxy.options import Options
from memgraph_ha.proxy.proxy_protocol import Endpoints, build
from memgraph_ha.proxy.sentinel import GREETING
from tests.proxy.certificates import VERSIONS, Hand, Pair, client_context, connect_tls, make_pair, read_exactly
from tests.proxy.harness import (
    Clock,
    echo,
    gateway,
    main_server,
    permit,
    receive_exactly,
    unread,
    was_reset,
)

BULK = 6 << 20

versions = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The gateway's certificate."""
    return make_pair(tmp_path_factory.mktemp("tls"), "gateway")


@pytest.fixture
def terminating(pair: Pair) -> Options:
    """A gateway's options with that certificate."""
    return Options(tls=Certificate(pair.cert, pair.key), greeting_timeout_s=5)


@versions
@pytest.mark.trio
async def test_main_gets_plain_bytes_and_the_client_encrypted_ones(
    pair: Pair, terminating: Options, version: ssl.TLSVersion
) -> None:
    """A round trip through the gateway, of which the counters know the plain bytes."""
    async with main_server() as main, gateway(options=terminating) as gate:
        gate.apply(permit(main.port))
        client = await connect_tls(gate, client_context(pair, version))
        await client.send_all(b"question")
        server = await main.client()
        assert await receive_exactly(server, 8) == b"question"
        await server.send_all(b"the answer")
        assert await read_exactly(client, 10) == b"the answer"
        counters = gate.counters
        assert (counters.bytes_to_main, counters.bytes_to_clients) == (8, 10)


@versions
@pytest.mark.trio
async def test_megabytes_pass_both_ways_at_once_byte_exact(
    pair: Pair, terminating: Options, version: ssl.TLSVersion
) -> None:
    """Chunks of every size from one byte to many records, while the other direction is just as busy."""
    dice = random.Random(7)
    up, down = dice.randbytes(BULK), dice.randbytes(BULK)

    async def send(stream: trio.abc.SendStream, data: bytes) -> None:
        at = 0
        while at < len(data):
            size = dice.choice((1, 100, 5_000, 16_384, 16_385, 200_000, 1_000_000))
            await stream.send_all(data[at : at + size])
            at += size

    async with main_server() as main, gateway(options=terminating) as gate:
        gate.apply(permit(main.port))
        client = await connect_tls(gate, client_context(pair, version))
        async with trio.open_nursery() as nursery:
            nursery.start_soon(send, client, up)
            server = await main.client()
            nursery.start_soon(send, server, down)
            got: dict[str, bytes] = {}

            async def receive_up() -> None:
                got["up"] = await receive_exactly(server, BULK)

            nursery.start_soon(receive_up)
            got["down"] = await read_exactly(client, BULK)
        assert got == {"up": up, "down": down}


@pytest.mark.trio
async def test_a_client_that_does_not_read_stops_main_and_loses_nothing(pair: Pair, terminating: Options) -> None:
    """What a slow client does not take stays in kernels and one buffer; then all of it arrives."""
    data = random.Random(8).randbytes(24 << 20)
    async with main_server() as main, gateway(options=terminating) as gate:
        gate.apply(permit(main.port))
        client = await connect_tls(gate, client_context(pair))
        await client.send_all(b"?")
        server = await main.client()
        sent = 0
        with trio.move_on_after(5) as patience:
            while sent < len(data):
                with trio.move_on_after(0.3) as stuck:
                    sent += await server.socket.send(data[sent : sent + (1 << 16)])
                if stuck.cancelled_caught:
                    break
        assert not patience.cancelled_caught
        assert sent < len(data), "somebody keeps megabytes"
        async with trio.open_nursery() as nursery:
            nursery.start_soon(server.send_all, data[sent:])
            assert await read_exactly(client, len(data)) == data


@versions
@pytest.mark.trio
async def test_data_and_goodbye_that_come_with_the_handshake_are_not_lost(pair: Pair, version: ssl.TLSVersion) -> None:
    """Finished, a request and the goodbye in one segment: MAIN gets the request, then the end; its answer arrives."""
    async with main_server() as main, gateway(options=Options(tls=Certificate(pair.cert, pair.key))) as gate:
        gate.apply(permit(main.port))
        hand, stream = Hand(pair, version), await gate.connect()
        await hand.shake_with(stream)
        hand.tls.write(b"request")
        hand.says_goodbye()
        await stream.send_all(hand.says())  # in TLS 1.3 the end of the handshake is in it too
        server = await main.client()
        assert await receive_exactly(server, 100) == b"request"
        await server.send_all(b"answer")
        await server.aclose()
        with trio.fail_after(5):
            while chunk := await stream.receive_some(1 << 16):
                hand.hears(chunk)
        assert hand.reads() == b"answer"
        await gate.until(lambda now: now.active_now == 0)


@versions
@pytest.mark.trio
async def test_a_stream_may_end_in_one_direction_first(
    pair: Pair, terminating: Options, version: ssl.TLSVersion
) -> None:
    """MAIN ends first: the client reads a proper end, and what it says afterwards still reaches MAIN, in pieces."""
    async with main_server() as main, gateway(options=terminating) as gate:
        gate.apply(permit(main.port))
        hand, stream = Hand(pair, version), await gate.connect()
        await hand.shake_with(stream)
        hand.tls.write(b"first")
        await stream.send_all(hand.says())
        server = await main.client()
        assert await receive_exactly(server, 5) == b"first"
        hand.tls.write(b"last" * 10_000)
        half, rest = _split(hand.says())
        await stream.send_all(half)
        await server.send_all(b"bye")
        await server.send_eof()
        with trio.fail_after(5):
            while chunk := await stream.receive_some(1 << 16):
                hand.hears(chunk)
        assert hand.tls.read(10) == b"bye"
        assert hand.tls.read(10) == b"", "the end is a goodbye, not a torn connection"
        await stream.send_all(rest)
        assert await receive_exactly(server, 40_000) == b"last" * 10_000
        await stream.send_eof()
        assert await receive_exactly(server, 1) == b""


def _split(data: bytes) -> tuple[bytes, bytes]:
    """Cut in the middle of the last record."""
    return data[:-3], data[-3:]


@pytest.mark.trio
async def test_a_client_that_just_closes_has_said_all_it_had_to_say(pair: Pair, terminating: Options) -> None:
    """Drivers close the socket without TLS's goodbye: MAIN gets everything, then the end."""
    async with main_server() as main, gateway(options=terminating) as gate:
        gate.apply(permit(main.port))
        client = await connect_tls(gate, client_context(pair))
        await client.send_all(b"?")
        server = await main.client()
        assert await receive_exactly(server, 1) == b"?"
        await server.send_all(b"!")
        assert await read_exactly(client, 1) == b"!"
        await client.send_all(b"x" * 100_000)
        await client.transport_stream.aclose()
        assert await receive_exactly(server, 200_000) == b"x" * 100_000


@pytest.mark.trio
async def test_a_damaged_record_ends_the_connection_and_its_bytes_go_nowhere(pair: Pair, terminating: Options) -> None:
    """What was whole before it had passed; then both sides are reset."""
    async with main_server() as main, gateway(options=terminating) as gate:
        gate.apply(permit(main.port))
        hand, stream = Hand(pair), await gate.connect()
        await hand.shake_with(stream)
        hand.tls.write(b"whole")
        whole = hand.says()
        hand.tls.write(b"damaged")
        damaged = bytearray(hand.says())
        damaged[-1] ^= 1
        await stream.send_all(whole)
        server = await main.client()
        assert await receive_exactly(server, 5) == b"whole"
        await stream.send_all(damaged)
        assert await was_reset(server)
        assert await was_reset(stream)


@pytest.mark.trio
async def test_who_speaks_something_else_is_refused(terminating: Options) -> None:
    """A plain Bolt client, an HTTP one, one of an older TLS: each has its counter, and MAIN hears of none."""
    async with main_server() as main, gateway(options=terminating) as gate:
        gate.apply(permit(main.port))
        plain = (GREETING, b"GET / HTTP/1.1\r\n\r\n", b"\x16\x02", b"\x00")
        for number, first in enumerate(plain, start=1):
            client = await gate.connect()
            await client.send_all(first)
            assert await was_reset(client)
            assert gate.counters.refused[Refusal.NOT_TLS] == number
        client = await gate.connect()
        await client.send_all(_hello_of_tls_1_1())
        assert await receive_exactly(client, 7) == bytes.fromhex("15 0302 0002 02 46"), "protocol_version, fatal"
        assert not await was_reset(client), "a reset could overtake the alert"
        client = await gate.connect()
        await client.send_all(b"\x16\x03\x01\x00\x10" + os.urandom(16))
        assert (await receive_exactly(client, 1)) == b"\x15", "an alert"
        assert gate.counters.refused[Refusal.TLS_FAILED] == 2
        assert gate.counters.relayed == gate.counters.received_now == 0


def _hello_of_tls_1_1() -> bytes:
    """A ClientHello that offers nothing newer (RFC 4346, 7.4.1.2)."""
    hello = b"\x03\x02" + bytes(32) + b"\x00" + b"\x00\x04\x00\x2f\x00\x35" + b"\x01\x00"
    message = b"\x01" + len(hello).to_bytes(3, "big") + hello
    return b"\x16\x03\x01" + len(message).to_bytes(2, "big") + message


@versions
@pytest.mark.trio
async def test_a_handshake_may_come_in_single_bytes(pair: Pair, terminating: Options, version: ssl.TLSVersion) -> None:
    """Every boundary of every record is a pause, and the client that makes them is let in all the same."""
    async with main_server() as main, gateway(options=terminating) as gate:
        gate.apply(permit(main.port))
        hand, stream = Hand(pair, version), await gate.connect()
        done = False
        while not done:
            done = hand.shake()
            if done:
                hand.tls.write(b"hello")
            for byte in hand.says():
                await stream.send_all(bytes((byte,)))
                await trio.lowlevel.checkpoint()
            if not done:
                with trio.fail_after(5):
                    hand.hears(await stream.receive_some(1 << 16))
        assert await receive_exactly(await main.client(), 5) == b"hello"


@pytest.mark.trio
async def test_a_handshake_has_its_time_and_disturbs_nobody(pair: Pair, terminating: Options) -> None:
    """Clients that stop somewhere in their handshake, or leave there, while others are served."""
    clock = Clock()
    async with main_server(echo) as main, gateway(clock=clock, options=terminating) as gate:
        gate.apply(permit(main.port, valid_for_s=10_000))
        served = await connect_tls(gate, client_context(pair))
        hand = Hand(pair)
        hand.shake()
        hello = hand.says()
        slow, leavers = [], 0
        for cut in (0, 1, 4, 5, 6, len(hello) // 2, len(hello) - 1, len(hello)):
            slow.append(await gate.connect())
            await slow[-1].send_all(hello[:cut])
            with socket.create_connection(("127.0.0.1", gate.port)) as leaver:
                leaver.send(hello[:cut])
                leavers += 1
        await gate.until(lambda now: (now.received_now, now.hung_up) == (len(slow), leavers))
        await served.send_all(b"prompt")
        assert await read_exactly(served, 6) == b"prompt"
        clock.ahead_s += 6
        for client in slow:
            assert await was_reset(client)
        assert gate.counters.refused[Refusal.GREETING_EXPIRED] == len(slow)
        assert gate.counters.received_now == 0


@pytest.mark.trio
async def test_many_handshakes_at_once_all_succeed(tmp_path: Path) -> None:
    """A storm of reconnecting clients, with the slower kind of key."""
    pair = make_pair(tmp_path, "slow", algorithm="rsa:2048")
    options = Options(tls=Certificate(pair.cert, pair.key))
    served = 0

    async with main_server(echo) as main, gateway(options=options) as gate:
        gate.apply(permit(main.port))
        context = client_context(pair)

        async def client(number: int) -> None:
            nonlocal served
            stream = await connect_tls(gate, context)
            word = f"client {number:3}".encode()
            await stream.send_all(word)
            assert await read_exactly(stream, len(word)) == word
            served += 1

        async with trio.open_nursery() as nursery:
            for number in range(100):
                nursery.start_soon(client, number)
    assert served == 100


@pytest.mark.trio
async def test_a_cut_stops_a_download_at_once(pair: Pair, terminating: Options) -> None:
    """Encrypted, counted or not: what the kernel had not sent when the permit went never arrives."""
    async with main_server() as main, gateway(options=terminating) as gate:
        gate.apply(permit(main.port))
        client = await connect_tls(gate, client_context(pair))
        await client.send_all(b"?")
        server = await main.client()
        with contextlib.suppress(trio.BrokenResourceError), trio.move_on_after(0.3):
            while True:
                await server.send_all(bytes(1 << 16))
        engine = gate.gateway._bound()
        gate.apply(None)
        assert not engine._links
        assert await was_reset(client.transport_stream)
        assert gate.counters.cut == 1


@pytest.mark.parametrize("direction", ["to the client", "to MAIN"])
@pytest.mark.trio
async def test_bytes_read_before_a_pause_are_not_written_after_it(
    pair: Pair, terminating: Options, direction: str
) -> None:
    """Time jumps past the permit right after the gateway took the bytes out of its socket: they go nowhere."""
    clock = Clock()
    async with main_server() as main, gateway(clock=clock, options=terminating) as gate:
        gate.apply(permit(main.port))
        hand, stream = Hand(pair), await gate.connect()
        await hand.shake_with(stream)
        hand.tls.write(b"?")
        await stream.send_all(hand.says())
        server = await main.client()
        assert await receive_exactly(server, 1) == b"?"
        # TLS 1.3 tickets are under way to the client: let them pass before anything is measured.
        with trio.move_on_after(0.1):
            hand.hears(await stream.receive_some(1 << 16))
        hand.tls.write(b"COMMIT")
        sender, receiver = (server, stream) if direction == "to the client" else (stream, server)
        engine = gate.gateway._bound()
        with engine._turnstile, engine._lock:
            os.write(sender.socket.fileno(), b"acknowledged" if sender is server else hand.says())
            clock.when = lambda: unread(sender.socket) == 0
        with trio.fail_after(5), pytest.raises(trio.BrokenResourceError):
            assert await receiver.receive_some(100) == b"not a byte"
        assert clock.when is None


@pytest.mark.trio
async def test_a_client_is_held_behind_its_handshake(pair: Pair, terminating: Options) -> None:
    """While the gate is shut it shakes hands and waits; what it asked meanwhile is answered later."""
    async with main_server(echo) as main, gateway(options=terminating) as gate:
        gate.apply(None, hold=True)
        client = await connect_tls(gate, client_context(pair))
        await client.send_all(b"early")
        await gate.until(lambda now: now.held_now == 1)
        gate.apply(permit(main.port))
        assert await read_exactly(client, 5) == b"early"


@pytest.mark.trio
async def test_a_proxy_header_comes_before_the_handshake(pair: Pair) -> None:
    """A load balancer that passes TLS through announces the client in plain bytes; MAIN is told the same."""
    options = Options(tls=Certificate(pair.cert, pair.key), accept_proxy=True, send_proxy=True)
    announced = build(Endpoints(source=("192.0.2.1", 40_000), destination=("198.51.100.7", 7687)))
    async with main_server() as main, gateway(options=options) as gate:
        gate.apply(permit(main.port))
        await main.client()  # the sentinel, which says LOCAL first
        stream = await gate.connect()
        await stream.send_all(announced)
        client = trio.SSLStream(stream, client_context(pair), server_hostname="127.0.0.1")
        await client.send_all(b"hello")
        assert await receive_exactly(await main.client(), len(announced) + 5) == announced + b"hello"
        stream = await gate.connect()
        await stream.send_all(GREETING)
        assert await was_reset(stream)
        assert gate.counters.refused[Refusal.NO_HEADER] == 1

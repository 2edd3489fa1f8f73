"""PROXY protocol v2: the format by itself, then through a gateway, with hand-made headers."""

import socket
import struct

import pytest
import trio
from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.proxy.counters import Refusal
from memgraph_ha.proxy.options import Options
from memgraph_ha.proxy.proxy_protocol import (
    LOCAL_HEADER,
    MAX_HEADER,
    SIGNATURE,
    Endpoints,
    HeaderError,
    build,
    crc32c,
    missing,
    parse,
)
from memgraph_ha.proxy.sentinel import GREETING
from tests.proxy.harness import (
    HOST,
    Clock,
    ask,
    echo,
    gateway,
    main_server,
    permit,
    receive_exactly,
    was_reset,
)

V4 = Endpoints(source=("192.0.2.1", 40_000), destination=("198.51.100.7", 7687))
V6 = Endpoints(source=("2001:db8::1", 40_000), destination=("2001:db8::2", 7687))
MIXED = Endpoints(source=("192.0.2.1", 1), destination=("2001:db8::2", 65_535))


def _header(family: int, block: bytes, command: int = 0x21) -> bytes:
    return SIGNATURE + struct.pack("!BBH", command, family, len(block)) + block


def _tlv(kind: int, value: bytes) -> bytes:
    return struct.pack("!BH", kind, len(value)) + value


def _with_checksum(header: bytes) -> bytes:
    """The header, longer by a correct CRC-32C extension."""
    longer = bytearray(header + _tlv(0x03, bytes(4)))
    longer[14:16] = (len(longer) - 16).to_bytes(2, "big")
    longer[-4:] = crc32c(bytes(longer)).to_bytes(4, "big")
    return bytes(longer)


V4_BLOCK = build(V4)[16:]
V6_BLOCK = build(V6)[16:]
TLVS = _tlv(0x01, b"bolt") + _tlv(0x04, bytes(5)) + _tlv(0xEE, b"") + _tlv(0x20, bytes(range(200)))

# Written down by hand from the specification, not by the code under test.
BY_HAND = bytes.fromhex("0d0a0d0a000d0a515549540a 21 11 000c c0000201 c6336407 9c40 1e07")


def test_the_specifications_bytes() -> None:
    """What `build` makes and `parse` reads is what the specification's structs say."""
    assert build(V4) == BY_HAND
    assert parse(BY_HAND) == V4
    assert crc32c(b"123456789") == 0xE3069283, "the check value that every CRC catalogue names"


@given(
    st.one_of(
        st.tuples(st.ip_addresses(v=4), st.ip_addresses(v=4)), st.tuples(st.ip_addresses(v=6), st.ip_addresses(v=6))
    ),
    st.tuples(st.integers(0, 65_535), st.integers(0, 65_535)),
)
def test_what_is_built_is_read_back(hosts: tuple[object, object], ports: tuple[int, int]) -> None:
    """Addresses and ports survive; an IPv4 address in IPv6 clothes comes back as itself."""
    ends = Endpoints(source=(str(hosts[0]), ports[0]), destination=(str(hosts[1]), ports[1]))
    found = parse(build(ends))
    assert found is not None
    assert build(found) == build(ends)
    assert (found.source[1], found.destination[1]) == ports


@pytest.mark.parametrize(
    ("header", "ends"),
    [
        (build(V4), V4),
        (build(V6), V6),
        (build(MIXED), Endpoints(source=("::ffff:192.0.2.1", 1), destination=("2001:db8::2", 65_535))),
        (_header(0x11, V4_BLOCK + TLVS), V4),
        (_header(0x21, V6_BLOCK + TLVS), V6),
        (_header(0x11, V4_BLOCK + _tlv(0x04, bytes(MAX_HEADER - 16 - 12 - 3))), V4),
        (_with_checksum(_header(0x11, V4_BLOCK + TLVS)), V4),
        (_header(0x00, b""), None),
        (_header(0x00, TLVS), None),
        (_header(0x12, V4_BLOCK), None),
        (_header(0x22, V6_BLOCK), None),
        (_header(0x31, bytes(216)), None),
        (LOCAL_HEADER, None),
        (_header(0x11, V4_BLOCK, command=0x20), None),
        (_header(0x99, b"anything at all, to be skipped", command=0x20), None),
    ],
)
def test_a_valid_header_says_who_it_is_and_where_it_ends(header: bytes, ends: Endpoints | None) -> None:
    """However it is cut into pieces, `missing` never asks for a byte beyond it."""
    assert parse(header) == ends
    for size in (1, 7, len(header)):
        got = b""
        while lacks := missing(got):
            assert len(got) + lacks <= len(header)
            got = header[: len(got) + min(size, lacks)]
        assert got == header
    for cut in range(len(header)):
        assert missing(header[:cut]) > 0
        with pytest.raises(HeaderError, match="too early"):
            parse(header[:cut])


@pytest.mark.parametrize(
    ("header", "why"),
    [
        (b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n", "signature"),
        (b"\x60\x60\xb0\x17", "signature"),
        (SIGNATURE[:11] + b"\x0b", "signature"),
        (_header(0x11, V4_BLOCK, command=0x11), "0x11, not 0x20"),
        (_header(0x11, V4_BLOCK, command=0x22), "0x22, not 0x20"),
        (_header(0x11, V4_BLOCK, command=0x31), "0x31, not 0x20"),
        (_header(0x13, V4_BLOCK), "0x13, which the protocol does not know"),
        (_header(0x41, V4_BLOCK), "0x41, which the protocol does not know"),
        (_header(0x11, V4_BLOCK[:-1]), "11 bytes cannot hold"),
        (_header(0x21, V4_BLOCK), "12 bytes cannot hold"),
        (_header(0x31, bytes(215)), "215 bytes cannot hold"),
        (_header(0x11, V4_BLOCK + bytes(MAX_HEADER - 16 - 12 + 1)), "4097 bytes long"),
        (_header(0x11, V4_BLOCK + b"\x04"), "too few for an extension"),
        (_header(0x11, V4_BLOCK + b"\x04\x00"), "too few for an extension"),
        (_header(0x11, V4_BLOCK + b"\x04\x00\x01"), "longer than the header"),
        (_header(0x11, V4_BLOCK + TLVS[:-1]), "longer than the header"),
        (_header(0x11, V4_BLOCK + _tlv(0x03, b"abc")), "3 bytes long, not 4"),
        (_header(0x11, V4_BLOCK + _tlv(0x03, b"abcd")), "checksum is 0x61626364"),
        (build(V4) + b"x", "-1 too early"),
    ],
)
def test_an_invalid_header_is_an_error_that_says_why(header: bytes, why: str) -> None:
    """Nothing is guessed."""
    with pytest.raises(HeaderError, match=why):
        parse(header)


@given(st.binary(max_size=80).map(lambda tail: SIGNATURE + tail) | st.binary(max_size=80))
def test_garbage_is_refused_or_read_but_never_breaks(data: bytes) -> None:
    """Whatever comes, the answer is ends, or none, or a HeaderError; and never more than the bound is asked for."""
    try:
        assert len(data) + missing(data) <= max(MAX_HEADER, len(data))
        assert isinstance(parse(data), Endpoints | None)
    except HeaderError:
        return
    assert data.startswith(SIGNATURE)


@given(st.integers(0, 8 * len(_with_checksum(build(V4))) - 1))
def test_a_checksum_finds_every_flipped_bit(bit: int) -> None:
    """But for those that make it a LOCAL header, which skips everything, or the checksum some other extension."""
    damaged = bytearray(_with_checksum(build(V4)))
    damaged[bit // 8] ^= 1 << bit % 8
    try:
        found = parse(bytes(damaged))
    except HeaderError:
        return
    assert (damaged[12] == 0x20 and found is None) or (bit // 8 == 28 and found == V4)


ACCEPTING = Options(accept_proxy=True, greeting_timeout_s=5)


@pytest.mark.trio
@pytest.mark.parametrize("size", [1, 5, 16, 17, 1000])
async def test_bytes_behind_the_header_belong_to_main(size: int) -> None:
    """In pieces of any size, with and without extensions, MAIN gets exactly what follows the header."""
    async with main_server(echo) as main, gateway(options=ACCEPTING) as gate:
        gate.apply(permit(main.port))
        for header in (build(V4), build(V6), LOCAL_HEADER, _with_checksum(_header(0x21, V6_BLOCK + TLVS))):
            client = await gate.connect()
            stream = header + b"hello"
            for begin in range(0, len(stream), size):
                await client.send_all(stream[begin : begin + size])
                await trio.lowlevel.checkpoint()
            assert await receive_exactly(client, 5) == b"hello"
            assert await ask(client, b"more") == b"more"
        assert gate.counters.bytes_to_main == 4 * len(b"hellomore")


@pytest.mark.trio
async def test_without_a_valid_header_a_client_is_refused_and_main_hears_nothing() -> None:
    """A plain Bolt client, the text version, a wrong version, damaged extensions: reset, counted, not a byte passed."""
    async with main_server() as main, gateway(options=ACCEPTING) as gate:
        gate.apply(permit(main.port))
        wrong = (
            GREETING,
            b"PROXY TCP4 192.0.2.1 192.0.2.2 1 2\r\n",
            _header(0x11, V4_BLOCK, command=0x31),
            _header(0x11, V4_BLOCK + b"\x04\xff\xff"),
            _header(0x11, V4_BLOCK + bytes(5000)),
        )
        for number, header in enumerate(wrong, start=1):
            client = await gate.connect()
            await client.send_all(header)
            assert await was_reset(client)
            assert gate.counters.refused[Refusal.NO_HEADER] == number
        assert gate.counters.relayed == 0
        assert gate.counters.received_now == 0


@pytest.mark.trio
async def test_a_header_that_does_not_end_costs_its_time_and_no_more() -> None:
    """A client that stops anywhere in its header is refused when its time is up, while others are served."""
    clock = Clock()
    async with main_server(echo) as main, gateway(clock=clock, options=ACCEPTING) as gate:
        gate.apply(permit(main.port, valid_for_s=10_000))
        header = build(V4)
        slow = []
        for cut in range(len(header)):
            client = await gate.connect()
            if cut:
                await client.send_all(header[:cut])
            slow.append(client)
        await gate.until(lambda now: now.received_now == len(header))
        clock.ahead_s += 4.5
        good = await gate.connect()
        await good.send_all(header)
        assert await ask(good, b"served") == b"served"
        assert gate.counters.received_now == len(header)
        clock.ahead_s += 1
        for client in slow:
            assert await was_reset(client)
        assert gate.counters.refused[Refusal.GREETING_EXPIRED] == len(header)
        assert await ask(good, b"still") == b"still"


@pytest.mark.trio
async def test_clients_that_leave_in_their_header_leave_nothing_behind() -> None:
    """By FIN or by reset, after any number of bytes; those being received count as connected."""
    options = Options(accept_proxy=True)
    async with main_server(echo) as main, gateway(options=options, max_connections=30) as gate:
        gate.apply(permit(main.port))
        for cut in range(28):
            with socket.create_connection((HOST, gate.port)) as raw:
                raw.send(build(V4)[:cut])
                if cut % 2:
                    raw.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, b"\1\0\0\0\0\0\0\0")
        await gate.until(lambda now: now.hung_up == 28)
        assert gate.counters.received_now == 0
        waiting = [await gate.connect() for _ in range(30)]
        await gate.until(lambda now: now.received_now == 30)
        assert await gate.refuses()
        assert gate.counters.refused[Refusal.LIMIT] == 1
        await waiting.pop().aclose()
        await gate.until(lambda now: now.received_now == 29)
        client = await gate.connect()
        await client.send_all(build(V4))
        assert await ask(client, b"room") == b"room"


@pytest.mark.trio
async def test_the_rate_is_that_of_the_announced_source() -> None:
    """All come from one load balancer; who comes too fast is told by the header, and LOCAL is the balancer itself."""
    options = Options(accept_proxy=True, source_rate_per_s=0.01, source_burst=2)
    other = Endpoints(source=("192.0.2.2", 1), destination=V4.destination)
    async with main_server(echo) as main, gateway(options=options) as gate:
        gate.apply(permit(main.port))

        async def served(header: bytes) -> bool:
            client = await gate.connect()
            await client.send_all(header)
            try:
                return await ask(client, b"in") == b"in"
            except trio.BrokenResourceError:
                return False

        assert [await served(build(V4)) for _ in range(3)] == [True, True, False]
        assert [await served(build(other)) for _ in range(3)] == [True, True, False]
        assert [await served(build(V6)) for _ in range(3)] == [True, True, False]
        assert [await served(LOCAL_HEADER) for _ in range(3)] == [True, True, False]
        assert gate.counters.refused[Refusal.RATE] == 4


@pytest.mark.trio
async def test_a_header_is_bytes_like_any_others_where_nobody_asked_for_one() -> None:
    """With the option off it is never read: MAIN gets it, and the rate is that of the connection."""
    options = Options(source_rate_per_s=0.01, source_burst=2)
    async with main_server(echo) as main, gateway(options=options) as gate:
        gate.apply(permit(main.port))
        for number in range(2):
            header = build(Endpoints(source=(f"192.0.2.{number}", 1), destination=V4.destination))
            assert await ask(await gate.connect(), header) == header
        assert await gate.refuses()


@pytest.mark.trio
async def test_a_header_is_read_while_the_gate_is_shut_and_the_client_is_held() -> None:
    """Holding begins behind the header, with the bytes after it still in the kernel."""
    async with main_server(echo) as main, gateway(options=ACCEPTING) as gate:
        gate.apply(None, hold=True)
        client = await gate.connect()
        await client.send_all(build(V4) + b"first")
        await gate.until(lambda now: now.held_now == 1)
        gate.apply(permit(main.port))
        assert await receive_exactly(client, 5) == b"first"


@pytest.mark.trio
async def test_main_is_told_who_comes_and_that_the_sentinel_is_ours() -> None:
    """Sent only when asked for: the client's own ends, or those announced by a balancer in front of us."""
    async with main_server() as main:
        async with gateway(options=Options(send_proxy=True)) as gate:
            gate.apply(permit(main.port))
            sentinel = await main.client()
            assert await receive_exactly(sentinel, 36) == LOCAL_HEADER + GREETING
            client = await gate.connect()
            mine = client.socket.getsockname()
            await client.send_all(b"hello")
            served = await main.client()
            ends = Endpoints(source=(HOST, mine[1]), destination=(HOST, gate.port))
            assert await receive_exactly(served, 33) == build(ends) + b"hello"
        both = Options(send_proxy=True, accept_proxy=True)
        async with gateway(options=both) as gate:
            gate.apply(permit(main.port, generation=2))
            await main.client()
            for header in (build(V6), LOCAL_HEADER):
                client = await gate.connect()
                await client.send_all(header + b"hi")
                served = await main.client()
                own = build(Endpoints((HOST, client.socket.getsockname()[1]), (HOST, gate.port)))
                said = own if header == LOCAL_HEADER else header
                assert await receive_exactly(served, len(said) + 2) == said + b"hi"


@pytest.mark.trio
async def test_a_held_client_is_announced_once_when_it_gets_through() -> None:
    """Attempts that fail send nothing twice: each is a new connection to MAIN with one header."""
    async with main_server() as main, gateway(options=Options(send_proxy=True)) as gate:
        gate.apply(None, hold=True)
        client = await gate.connect()
        await client.send_all(b"x")
        await gate.until(lambda now: now.held_now == 1)
        main.stop_accepting()
        gate.apply(permit(main.port))
        await gate.until(lambda now: now.sentinel_breaks >= 1)
        await main.listen_again()
        gate.apply(permit(main.port, generation=2))
        await main.client()
        served = await main.client()
        ends = Endpoints(source=(HOST, client.socket.getsockname()[1]), destination=(HOST, gate.port))
        assert await receive_exactly(served, 29) == build(ends) + b"x"

"""A TLS socket by itself, between real sockets: it keeps a non-blocking socket's promises, step by step."""

import contextlib
import random
import select
import socket
import ssl
from collections.abc import Iterator

import pytest

from memgraph_ha.proxy.certificate import Certificate
from memgraph_ha.proxy.tls import MAX_HELLO, TlsSocket
from tests.proxy.certificates import VERSIONS, Hand, Pair, make_pair
from tests.proxy.rig import tcp_pair

versions = pytest.mark.parametrize("version", VERSIONS, ids=lambda version: version.name)


@pytest.fixture(scope="module")
def pair(tmp_path_factory: pytest.TempPathFactory) -> Pair:
    """The server's certificate."""
    return make_pair(tmp_path_factory.mktemp("tls"), "server")


@contextlib.contextmanager
def _connection(
    pair: Pair, version: ssl.TLSVersion, buffer: int | None = None
) -> Iterator[tuple[TlsSocket, socket.socket, Hand]]:
    """A server's TLS socket, the client's plain one, and what moves it; hands have not been shaken."""
    outside, inside = tcp_pair(buffer)
    tls = TlsSocket(inside, Certificate(pair.cert, pair.key).context)
    try:
        yield tls, outside, Hand(pair, version)
    finally:
        tls.close()
        outside.close()


def _shake(tls: TlsSocket, outside: socket.socket, hand: Hand) -> None:
    done = False
    while not (hand.shake() and done):
        outside.send(hand.says())
        _wait(tls)
        done = tls.handshake()
        with contextlib.suppress(BlockingIOError):
            hand.hears(outside.recv(1 << 16))


def _wait(sock: socket.socket) -> None:
    """Until there is something to read; loopback takes its time."""
    select.select([sock], [], [], 0.05)


def _settle(tls: TlsSocket, buffer: bytearray) -> bytes:
    """Read until there is nothing more."""
    got = b""
    with contextlib.suppress(BlockingIOError):
        while count := tls.recv_into(buffer):
            got += buffer[:count]
    return got


@versions
def test_the_handshake_takes_its_own_bytes_and_no_other(pair: Pair, version: ssl.TLSVersion) -> None:
    """What the client says right behind its last flight is still in the kernel, where epoll sees it."""
    with _connection(pair, version) as (tls, outside, hand):
        while not hand.shake():
            outside.send(hand.says())
            _wait(tls)
            tls.handshake()
            _wait(outside)
            hand.hears(outside.recv(1 << 16))
        hand.tls.write(b"early")
        last = hand.says()
        outside.send(last)
        _wait(tls)
        assert tls.handshake()
        left = socket.socket.recv(tls, 1 << 16, socket.MSG_PEEK)
        assert left == last[-len(left) :]
        assert left[0] == 0x17, "application data, from its first byte on"
        assert _settle(tls, bytearray(1 << 16)) == b"early"


@versions
@pytest.mark.parametrize("seed", range(5))
def test_nothing_readable_stays_inside(pair: Pair, version: ssl.TLSVersion, seed: int) -> None:
    """However records are cut into segments, all that is complete comes out at once, without another byte coming in."""
    dice = random.Random(seed)
    buffer = bytearray(1 << 16)
    with _connection(pair, version) as (tls, outside, hand):
        _shake(tls, outside, hand)
        for _ in range(20):
            words = [dice.randbytes(dice.choice((1, 50, 16_384, 16_385, 40_000))) for _ in range(dice.randint(1, 4))]
            got, sent = b"", b""
            for word in words:
                hand.tls.write(word)
                sent += word
            cipher = hand.says()
            while cipher:
                cut = dice.choice((1, 5, 6, 700, 33_000, len(cipher)))
                segment, cipher = cipher[:cut], cipher[cut:]
                while segment:
                    segment = segment[outside.send(segment) :]
                    _wait(tls)
                    got += _settle(tls, buffer)
            assert got == sent


@versions
@pytest.mark.parametrize("seed", range(5))
def test_what_is_counted_as_sent_is_sent(pair: Pair, version: ssl.TLSVersion, seed: int) -> None:
    """With small kernels' buffers and a slow reader: offered again as a socket's user does, it arrives byte-exact."""
    dice = random.Random(seed)
    with _connection(pair, version, buffer=8192) as (tls, outside, hand):
        _shake(tls, outside, hand)
        for _ in range(10):
            word = dice.randbytes(dice.choice((1, 300, 20_000, 65_536)))
            owed, got, refusals = memoryview(word), b"", 0
            while owed:
                try:
                    count = tls.send(owed)
                except BlockingIOError:
                    refusals += 1
                    assert not tls.flushed
                    with contextlib.suppress(BlockingIOError):
                        hand.hears(outside.recv(dice.choice((1, 1000, 9000))))
                    continue
                assert 0 < count <= len(owed)
                owed = owed[count:]
                assert tls.flushed or owed, "all is counted, but not all is sent: nobody would come again"
            assert refusals > 0 or len(word) < 65_536
            while len(got) < len(word):
                with contextlib.suppress(BlockingIOError):
                    hand.hears(outside.recv(1 << 16))
                got += hand.reads()
            assert got == word


@versions
def test_the_end_comes_in_a_call_of_its_own_and_epoll_asks_for_it(pair: Pair, version: ssl.TLSVersion) -> None:
    """Data, the goodbye and then silence, with the TCP connection open: readable until the end has been read."""
    with _connection(pair, version) as (tls, outside, hand):
        _shake(tls, outside, hand)
        hand.tls.write(b"last words")
        hand.says_goodbye()
        outside.send(hand.says())
        _wait(tls)
        buffer = bytearray(1 << 16)
        assert tls.recv_into(buffer) == 10
        assert select.select([tls], [], [], 0)[0] == [tls]
        assert tls.recv_into(buffer) == 0
        assert tls.send(b"an answer") == 9
        tls.shutdown(socket.SHUT_WR)
        _wait(outside)
        hand.hears(outside.recv(1 << 16))
        assert hand.tls.read(100) == b"an answer"
        with pytest.raises(ssl.SSLZeroReturnError):
            hand.tls.read(100)


@versions
def test_tampering_is_an_error_behind_what_was_whole(pair: Pair, version: ssl.TLSVersion) -> None:
    """A good record and a damaged one in one segment: the good one counts, then the connection is broken."""
    with _connection(pair, version) as (tls, outside, hand):
        _shake(tls, outside, hand)
        hand.tls.write(b"good")
        good = hand.says()
        hand.tls.write(b"evil")
        damaged = bytearray(hand.says())
        damaged[-1] ^= 1
        outside.send(good + bytes(damaged))
        _wait(tls)
        buffer = bytearray(1 << 16)
        assert tls.recv_into(buffer) == 4
        assert select.select([tls], [], [], 0)[0] == [tls]
        for _ in range(2):
            with pytest.raises(ssl.SSLError):
                tls.recv_into(buffer)


def test_an_endless_hello_ends(pair: Pair) -> None:
    """Record after record of a handshake that never gets anywhere is cut off at 64 KiB at the latest."""
    record = b"\x16\x03\x01\x40\x00" + b"\x01\x01\xff\x00" + bytes(0x4000 - 4)
    sent = 0

    def talk(tls: TlsSocket, outside: socket.socket) -> None:
        nonlocal sent
        while not tls.handshake():
            with contextlib.suppress(BlockingIOError):
                sent += outside.send((record * 5)[sent % len(record) :])
            _wait(tls)

    with (
        _connection(pair, ssl.TLSVersion.TLSv1_3, buffer=8192) as (tls, outside, _),
        pytest.raises(OSError, match="more than 65536 bytes"),
    ):
        talk(tls, outside)
    assert sent <= MAX_HELLO + 2 * len(record)


def test_what_tls_cannot_do_is_said(pair: Pair) -> None:
    """Flags and limits belong to bytes that are not encrypted."""
    with _connection(pair, ssl.TLSVersion.TLSv1_3) as (tls, _, _):
        with pytest.raises(ValueError, match="give neither"):
            tls.recv_into(bytearray(1 << 16), 100)
        with pytest.raises(ValueError, match="give 0"):
            tls.send(b"x", socket.MSG_DONTWAIT)

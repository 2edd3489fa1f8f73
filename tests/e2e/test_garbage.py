"""Garbage on every port, clients that half-open, stay silent or never read: nobody else notices."""

import contextlib
import random
import socket

import pytest
import trio

from memgraph_ha.fakes.memgraph.bolt.chunking import begin_chunk, end_chunk
from memgraph_ha.fakes.memgraph.bolt.packstream import Structure, pack_structure
from memgraph_ha.fakes.memgraph.graph_values import Value
from tests.e2e.bolt import HANDSHAKE, dial
from tests.e2e.cluster import Cluster, writing
from tests.e2e.held import Held

pytestmark = [pytest.mark.trio, pytest.mark.slow]

_RANDOM = random.Random(4711)

NOISE = {
    "random": _RANDOM.randbytes(5000),
    "zeros": bytes(4096),
    "http": b"GET / HTTP/1.1\r\nHost: localhost\r\n\r\n",
    "tls": bytes.fromhex("1603010200010001fc0303") + _RANDOM.randbytes(512),
    "handshake of nobody": bytes.fromhex("6060b017 000000ff 000000fe 000000fd 000000fc"),
    "handshake, then noise": HANDSHAKE + _RANDOM.randbytes(2000),
    "handshake, then an endless message": HANDSHAKE + b"\xff\xff" + bytes(65535) * 8,
    "handshake, then no structure": HANDSHAKE + bytes.fromhex("0004 deadbeef 0000"),
    "cut short": HANDSHAKE[:7],
    "nothing": b"",
}

SILENT, HALF_OPEN, DEAF = 200, 50, 4

HANDSHAKE_43 = bytes.fromhex("6060b017 00000304 00000000 00000000 00000000")
"""Bolt 4.3 only: it logs on by HELLO alone."""

BIG_ROW = "x" * 500
BIG = f"UNWIND range(1, 20000) AS n RETURN '{BIG_ROW}' AS text"
"""An answer of some 10 MB: more than all buffers on its way."""


async def _throw(port: int, noise: bytes) -> None:
    """Send noise and hang up, whatever the answer is."""
    with contextlib.suppress(OSError, trio.BrokenResourceError), trio.move_on_after(5):
        async with await dial(port) as stream:
            await stream.send_all(noise)
            with trio.move_on_after(0.1):
                while await stream.receive_some():
                    pass


async def test_garbage_on_every_port(cluster: Cluster) -> None:
    """Whatever is thrown at whichever port, writes go on, in the same reign, and nobody dies."""
    instances = [port for spec in cluster.local.specs for _, port in spec.ports.named()]
    async with writing(cluster) as ledger:
        before = await cluster.record()
        mark = cluster.mark()
        for noise in NOISE.values():
            async with trio.open_nursery() as nursery:
                for port in (cluster.gateway_port, *instances):
                    nursery.start_soon(_throw, port, noise)
        await ledger.more()
        after = await cluster.record()
    assert (after.generation, after.main, after.standby) == (before.generation, before.main, before.standby)
    assert not cluster.events(since=mark, event="instance.ended")
    assert ledger.findings is not None
    assert ledger.findings.indeterminate == 0


async def test_clients_that_behave_badly(cluster: Cluster) -> None:
    """Silent, half-open and deaf clients cost others nothing, and when they go nothing of theirs is left."""
    pid = cluster.controller_pid()
    usual = await Held.usually_by(pid)
    async with writing(cluster) as ledger:
        before = await cluster.record()
        async with contextlib.AsyncExitStack() as stack:
            for _ in range(SILENT):
                await stack.enter_async_context(await dial(cluster.gateway_port))
            for _ in range(HALF_OPEN):
                half = await stack.enter_async_context(await dial(cluster.gateway_port))
                await half.send_all(HANDSHAKE[:10])
                await half.send_eof()
            for _ in range(DEAF):
                await _ask_and_never_read(await stack.enter_async_context(await dial(cluster.gateway_port)))
            await ledger.more(200)
        after = await cluster.record()
    assert (after.generation, after.main, after.standby) == (before.generation, before.main, before.standby)
    await cluster.until_true(lambda: Held.by(pid).at_most(usual), f"{pid} holds no more than {usual}")


async def _ask_and_never_read(stream: trio.SocketStream) -> None:
    stream.socket.setsockopt(socket.SOL_SOCKET, socket.SO_RCVBUF, 4096)
    await stream.send_all(HANDSHAKE_43)
    assert await stream.receive_some(4) == bytes.fromhex("00000304")
    out = bytearray()
    for tag, fields in (
        (0x01, ({"user_agent": "deaf", "scheme": "none"},)),  # HELLO
        (0x10, (BIG, {}, {})),  # RUN
        (0x3F, ({"n": -1},)),  # PULL
    ):
        _append(out, tag, fields)
    await stream.send_all(out)


def _append(out: bytearray, tag: int, fields: tuple[Value, ...]) -> None:
    start = begin_chunk(out)
    pack_structure(Structure(tag, fields), out, 4)
    end_chunk(out, start)

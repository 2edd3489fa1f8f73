"""PROXY protocol v2 with the implementation that everybody else means by it: HAProxy in front of us and behind us."""

import contextlib
import shutil
import socket
import subprocess
from collections.abc import Iterator
from pathlib import Path

import pytest
import trio

from memgraph_ha.proxy.counters import Refusal
from memgraph_ha.proxy.options import Options
from tests.proxy.harness import HOST, ask, echo, gateway, main_server, permit, receive_exactly

HAPROXY = shutil.which("haproxy") or shutil.which("haproxy", path="/usr/sbin:/usr/local/sbin")
needs_haproxy = pytest.mark.skipif(HAPROXY is None, reason="haproxy is not installed")


@contextlib.contextmanager
def _haproxy(folder: Path, to: int, server: str, bind: str = "") -> Iterator[int]:
    """HAProxy between a port of its choice and another; yields its port."""
    assert HAPROXY is not None
    with socket.create_server((HOST, 0)) as probe:
        port = int(probe.getsockname()[1])
    (folder / "haproxy.cfg").write_text(f"""
global
  maxconn 100
defaults
  mode tcp
  retries 0
  timeout connect 5s
  timeout client 60s
  timeout server 60s
listen relay
  bind {HOST}:{port} {bind}
  unique-id-format %ci
  server main {HOST}:{to} {server}
""")
    process = subprocess.Popen([HAPROXY, "-db", "-q", "-f", str(folder / "haproxy.cfg")])
    try:
        yield port
    finally:
        process.kill()
        process.wait()


async def _open(port: int, host: str = HOST) -> trio.SocketStream:
    """A client of a process that may not listen yet."""
    with trio.fail_after(10):
        while True:
            sock = trio.socket.socket()
            await sock.bind((host, 0))
            try:
                await sock.connect((HOST, port))
            except ConnectionRefusedError:
                sock.close()
                await trio.sleep(0.01)
            else:
                return trio.SocketStream(sock)


@needs_haproxy
@pytest.mark.trio
@pytest.mark.parametrize("options", ["", "proxy-v2-options crc32c,unique-id"])
async def test_haproxy_in_front_of_us_is_believed(tmp_path: Path, options: str) -> None:
    """Its headers are read, with and without extensions, and the rate is that of its clients, not its own."""
    limited = Options(accept_proxy=True, source_rate_per_s=0.01, source_burst=2)
    async with main_server(echo) as main, gateway(options=limited) as gate:
        gate.apply(permit(main.port))
        with _haproxy(tmp_path, gate.port, f"send-proxy-v2 {options}") as port:
            for source in ("127.0.0.5", "127.0.0.6"):
                for _ in range(2):
                    async with await _open(port, source) as client:
                        assert await ask(client, b"through") == b"through"
                async with await _open(port, source) as client:
                    await client.send_all(b"too fast")
                    with contextlib.suppress(trio.BrokenResourceError):
                        assert await client.receive_some(10) == b""
        assert gate.counters.refused[Refusal.RATE] == 2
        assert gate.counters.refused[Refusal.NO_HEADER] == 0


@needs_haproxy
@pytest.mark.trio
async def test_haproxy_behind_us_believes_us(tmp_path: Path) -> None:
    """It takes our headers, the sentinel's too, and repeats to MAIN, in the text version, who our client was."""
    async with main_server() as main:
        with _haproxy(tmp_path, main.port, "send-proxy", bind="accept-proxy") as port:
            async with await _open(port):
                pass  # it listens
            async with gateway(options=Options(send_proxy=True)) as gate:
                gate.apply(permit(port))
                sentinel = await main.client()
                assert (await _line(sentinel)).endswith(f" {port}"), "LOCAL: the connection's own ends count"
                client = await _open(gate.port, "127.0.0.9")
                gate.clients.append(client)
                await client.send_all(b"hello")
                said = await _line(await main.client())
                assert said == f"PROXY TCP4 127.0.0.9 127.0.0.1 {client.socket.getsockname()[1]} {gate.port}"


async def _line(stream: trio.SocketStream) -> str:
    line = b""
    while not line.endswith(b"\r\n"):
        line += await receive_exactly(stream, 1)
    return line.decode().strip()


@needs_haproxy
@pytest.mark.trio
async def test_haproxys_health_checks_pass(tmp_path: Path) -> None:
    """They say LOCAL, and leave again."""
    async with main_server(echo) as main, gateway(options=Options(accept_proxy=True)) as gate:
        gate.apply(permit(main.port))
        with _haproxy(tmp_path, gate.port, "send-proxy-v2 check inter 50ms"):
            await gate.until(lambda now: now.accepted >= 5 and now.relayed >= 3)
        assert gate.counters.refused[Refusal.NO_HEADER] == 0

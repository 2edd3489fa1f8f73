"""The server itself against odd and hostile clients, on raw sockets: nobody is hindered, nothing hangs, it ends."""

import contextlib
import errno
import os
import socket

import h11
import pytest
import trio
from attrs import evolve

from memgraph_ha.api import app, server
from memgraph_ha.api.control import Snapshot
from memgraph_ha.api.endpoints import Access
from memgraph_ha.api.routes import ENDPOINTS
from memgraph_ha.api.server import serve
from memgraph_ha.core.policy import Policy
from tests.api.rig import TOKEN, SceneControl, Served, served, until
from tests.core.views import HEALTHY

pytestmark = pytest.mark.trio


WEBSOCKET = (
    b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n"
    b"Sec-WebSocket-Version: 13\r\nSec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n"
)


async def everything(stream: trio.SocketStream, *, within_s: float = 5.0) -> bytes:
    """Read until the server closes."""
    found = bytearray()
    with trio.fail_after(within_s):
        while data := await stream.receive_some(65536):
            found += data
    return bytes(found)


async def fine(at: Served) -> None:
    """Check that others are served."""
    with trio.fail_after(3):
        assert (await at.client.get("/livez")).status_code == 200


async def test_unknown_paths_are_404_as_json() -> None:
    """The predecessor answered 200 to any typo."""
    async with served(SceneControl(HEALTHY)) as at:
        for path in (
            "/nothing",
            "/api/v1/cluster/",
            "/API/v1/cluster",
            "/api/v1",
            "/livez/x",
            "/%2e%2e/x",
            "/\u00e9",
        ):
            answer = await at.client.get(path)
            assert answer.status_code == 404, path
            assert "openapi.json" in answer.json()["error"]


async def test_a_wrong_method_is_405_and_names_the_right_ones() -> None:
    """For every endpoint, also with methods that nobody knows."""
    async with served(SceneControl(HEALTHY)) as at:
        for path in {endpoint.path for endpoint in ENDPOINTS}:
            for method in ("DELETE", "PATCH", "BREW"):
                answer = await at.client.request(method, path.replace("{", "").replace("}", ""))
                assert answer.status_code == 405, (method, path)
                assert "OPTIONS" in answer.headers["allow"]
                assert answer.headers["allow"] in answer.json()["error"]


async def test_head_and_options_are_answered_everywhere() -> None:
    """HEAD is GET without its body, OPTIONS names the methods."""
    async with served(SceneControl(HEALTHY)) as at:
        for path in ("/", "/livez", "/api/v1/cluster", "/metrics"):
            got, head = await at.client.get(path), await at.client.head(path)
            assert (head.status_code, head.content) == (got.status_code, b"")
            assert head.headers["content-type"] == got.headers["content-type"]
        options = await at.client.options("/api/v1/policy")
        assert (options.status_code, options.headers["allow"]) == (204, "GET, HEAD, OPTIONS, PUT")


async def test_every_answer_forbids_sniffing_embedding_and_keeping() -> None:
    """Also errors; nothing says which server this is."""
    async with served(SceneControl(HEALTHY)) as at:
        for path in ("/", "/nothing", "/api/v1/cluster", "/metrics", "/livez"):
            headers = (await at.client.get(path)).headers
            assert headers["x-content-type-options"] == "nosniff"
            assert "frame-ancestors 'none'" in headers["content-security-policy"]
            assert "server" not in headers
            if path != "/nothing":
                assert "no-store" in headers["cache-control"]


async def test_a_huge_body_is_refused_and_its_sender_learns_why() -> None:
    """413, as sent with a length and in chunks; the connection is not left hanging, and others are served."""
    control = SceneControl(HEALTHY)
    async with served(control) as at:
        for size in (app.LARGEST_BODY + 1, 3_000_000):
            answer = await at.client.post("/api/v1/pause", headers=at.token, content=b" " * size)
            assert answer.status_code == 413, size
            assert "larger than 65536 bytes" in answer.json()["error"]

        async def chunks() -> object:
            for _ in range(100):
                yield b" " * 10_000

        answer = await at.client.post("/api/v1/pause", headers=at.token, content=chunks())  # type: ignore[arg-type]
        assert answer.status_code == 413
        await fine(at)
        exact = await at.client.post("/api/v1/pause", headers=at.token, content=b" " * app.LARGEST_BODY)
        assert exact.status_code == 200
    assert len(control.asked) == 1


async def test_an_endless_body_ends(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its sender is cut although it never pauses."""
    monkeypatch.setattr(app, "_DRAIN_S", 0.2)
    async with served(SceneControl(HEALTHY)) as at, await at.connect() as stream:
        await stream.send_all(b"POST /api/v1/pause HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\n")
        with trio.fail_after(5), pytest.raises(trio.BrokenResourceError):
            await stream.send_all((b"2000\r\n" + b" " * 0x2000 + b"\r\n") * 10_000)
        await fine(at)


async def test_a_body_that_dribbles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """408 after the time for a body, whatever comes meanwhile."""
    monkeypatch.setattr(app, "BODY_S", 0.3)
    async with served(SceneControl(HEALTHY)) as at, await at.connect() as stream:
        await stream.send_all(b"POST /api/v1/pause HTTP/1.1\r\nHost: x\r\nContent-Length: 1000\r\n\r\n{")
        assert (await everything(stream)).startswith(b"HTTP/1.1 408")
        await fine(at)


async def test_a_head_that_dribbles_is_given_up(monkeypatch: pytest.MonkeyPatch) -> None:
    """Slowloris: a byte now and then keeps no connection open, and fifty of them hinder nobody."""
    monkeypatch.setattr(server, "IDLE_S", 0.5)
    async with served(SceneControl(HEALTHY)) as at, trio.open_nursery() as nursery:
        closed = []

        async def dribble() -> None:
            async with await at.connect() as stream, trio.open_nursery() as inner:

                async def send() -> None:
                    with contextlib.suppress(trio.BrokenResourceError):
                        for letter in b"GET /livez HTTP/1.1\r\nHost: x\r\nX-Slow: " + b"a" * 1000:
                            await stream.send_all(bytes([letter]))
                            await trio.sleep(0.05)

                inner.start_soon(send)
                with contextlib.suppress(trio.BrokenResourceError):
                    assert await stream.receive_some(1) == b""
                closed.append(True)
                inner.cancel_scope.cancel()

        for _ in range(50):
            nursery.start_soon(dribble)
        await fine(at)
        await until(lambda: len(closed) == 50)


async def test_an_idle_connection_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """Before its first request and after one."""
    monkeypatch.setattr(server, "IDLE_S", 0.2)
    async with served(SceneControl(HEALTHY)) as at:
        async with await at.connect() as stream:
            assert await everything(stream) == b""
        async with await at.connect() as stream:
            await stream.send_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert (await everything(stream)).endswith(b"OK")


async def test_a_client_that_takes_nothing_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """It asks for much and reads nothing: its connection ends, and nobody else waits for it."""
    monkeypatch.setattr(server, "STALLED_S", 0.3)
    control = SceneControl(HEALTHY, log=("x" * 200_000,) * 100)
    async with served(control) as at, await at.connect() as stream:
        await stream.send_all(b"GET /api/v1/report HTTP/1.1\r\nHost: x\r\n\r\n")
        await fine(at)
        await trio.sleep(0.8)
        with pytest.raises(trio.BrokenResourceError):
            await everything(stream)


async def test_the_server_ends_although_clients_hang() -> None:
    """One that reads nothing, one in the middle of a head, one idle, one waiting: it ends within a moment."""
    control = SceneControl(HEALTHY, log=("x" * 100_000,) * 50, answers=lambda _ask, _name: None)
    heads = (
        b"GET /api/v1/report HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHo",
        b"",
        b"POST /api/v1/pause HTTP/1.1\r\nHost: x\r\nContent-Length: 9\r\n\r\n",
    )
    async with trio.open_nursery() as nursery:
        port = await nursery.start(_plain_server, control)
        streams = [await trio.open_tcp_stream("127.0.0.1", port) for _ in heads]
        for stream, head in zip(streams, heads, strict=True):
            await stream.send_all(head)
        await trio.sleep(0.2)
        began_s = trio.current_time()
        nursery.cancel_scope.cancel()
    assert trio.current_time() - began_s < 2
    for stream in streams:
        await trio.aclose_forcefully(stream)


async def _plain_server(control: SceneControl, *, task_status: trio.TaskStatus[int]) -> None:
    await serve(control, host="127.0.0.1", port=0, access=Access(token=None, basic=None), task_status=task_status)


async def test_a_busy_port_is_named_before_anything_is_served() -> None:
    """The predecessor said "started" and served nothing."""
    with socket.create_server(("127.0.0.1", 0)) as taken:
        port = taken.getsockname()[1]
        with pytest.raises(OSError, match=f"HTTP port {port} on 127.0.0.1 cannot be bound") as caught:
            await serve(SceneControl(HEALTHY), host="127.0.0.1", port=port, access=Access(token=None, basic=None))
    assert caught.value.errno == errno.EADDRINUSE


async def test_more_clients_than_allowed_are_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    """The limit is per address and in all; when one leaves, another may come."""
    monkeypatch.setattr(server, "MOST_PER_ADDRESS", 3)
    async with served(SceneControl(HEALTHY)) as at:
        streams = [await at.connect() for _ in range(3)]
        for stream in streams:
            await stream.send_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
            assert await stream.receive_some(10) == b"HTTP/1.1 2"
        async with await at.connect() as fourth:
            assert await everything(fourth) == b""
        for stream in streams:
            await stream.aclose()

        async def served_again() -> bool:
            async with await at.connect() as stream:
                await stream.send_all(b"GET /livez HTTP/1.1\r\nHost: x\r\n\r\n")
                return bool(await stream.receive_some(10))

        with trio.fail_after(5):
            while not await served_again():  # noqa: ASYNC110 - it notices that the others left when it notices
                await trio.sleep(0.02)


@pytest.mark.parametrize(
    "garbage",
    [
        b"\x00\x01\x02\xff" * 100 + b"\r\n\r\n",
        b"\x60\x60\xb0\x17" + bytes(16),
        b"GET\r\n\r\n",
        b"GET /livez HTTP/1.1\r\n\r\n",
        b"GET /" + b"a" * 400_000 + b" HTTP/1.1\r\nHost: x\r\n\r\n",
        b"GET /livez HTTP/1.1\r\nHost: x\r\nX: " + b"b" * 400_000 + b"\r\n\r\n",
        b"POST /api/v1/pause HTTP/1.1\r\nHost: x\r\nContent-Length: -1\r\n\r\n",
        b"POST /api/v1/pause HTTP/1.1\r\nHost: x\r\nContent-Length: 1\r\nContent-Length: 2\r\n\r\n",
        b"POST /api/v1/pause HTTP/1.1\r\nHost: x\r\nTransfer-Encoding: chunked\r\n\r\nzz\r\n",
        WEBSOCKET,
        b"GET /livez HTTP/1.1\r\nHost: x\r\nConnection: upgrade\r\nUpgrade: websocket\r\n\r\n",
        b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n" + b"\xff" * 64,
        b"CONNECT x:1 HTTP/1.1\r\nHost: x\r\n\r\n",
        b"OPTIONS * HTTP/1.1\r\nHost: x\r\nConnection: close\r\n\r\n",
    ],
)
async def test_what_is_no_good_http_is_refused_and_forgotten(garbage: bytes, monkeypatch: pytest.MonkeyPatch) -> None:
    """An error or an end, never a 2xx, never a fault of ours."""
    monkeypatch.setattr(server, "IDLE_S", 0.5)
    async with served(SceneControl(HEALTHY)) as at:
        async with await at.connect() as stream:
            answer = b""
            with contextlib.suppress(trio.BrokenResourceError):  # it may be closed before it has all of it
                await stream.send_all(garbage)
                await stream.send_eof()
                answer = await everything(stream)
        status = answer.split(b" ")[1:2]
        assert status == [] or status[0][:1] == b"4" or not answer.startswith(b"HTTP"), answer[:200]
        await fine(at)


async def test_requests_in_a_row_on_one_connection_are_answered_in_order() -> None:
    """Pipelined, as some load balancers do."""
    async with served(SceneControl(HEALTHY)) as at, await at.connect() as stream:
        await stream.send_all(
            b"".join(b"GET %s HTTP/1.1\r\nHost: x\r\n\r\n" % path for path in (b"/livez", b"/x", b"/readyz"))
        )
        parser = h11.Connection(h11.CLIENT)
        statuses: list[int] = []
        with trio.fail_after(5):
            while len(statuses) < 3:
                if parser.our_state is h11.IDLE:
                    parser.send(h11.Request(method="GET", target="/", headers=[("Host", "x")]))
                    parser.send(h11.EndOfMessage())
                event = parser.next_event()
                if event is h11.NEED_DATA:
                    parser.receive_data(await stream.receive_some(65536))
                elif isinstance(event, h11.Response):
                    statuses.append(event.status_code)
                elif isinstance(event, h11.EndOfMessage):
                    parser.start_next_cycle()
        assert statuses == [200, 404, 200]


async def test_a_client_of_http_1_0_is_served() -> None:
    """Old probes speak it: no Host, and the connection ends."""
    async with served(SceneControl(HEALTHY)) as at, await at.connect() as stream:
        await stream.send_all(b"GET /livez HTTP/1.0\r\n\r\n")
        answer = await everything(stream)
    assert answer.startswith(b"HTTP/1.1 200")
    assert answer.endswith(b"OK")


async def test_a_fault_of_ours_is_500_and_the_next_request_is_served() -> None:
    """One bad request must not end a controller; what went wrong is not told to strangers."""

    class Faulty(SceneControl):
        def log_tail(self, lines: int) -> tuple[str, ...]:
            raise RuntimeError(f"secret detail {lines}")

    async with served(Faulty(HEALTHY)) as at:
        answer = await at.client.get("/api/v1/report")
        assert (answer.status_code, "secret" in answer.text) == (500, False)
        await fine(at)
    logged = next(line for line in at.log if line["event"] == "an HTTP request failed")
    assert "log_tail" in logged["where"]
    assert "exc_info" not in logged


async def test_many_readers_do_not_keep_the_loop_from_turning() -> None:
    """However many ask at once, no two answers are made without a turn of every other task between them."""

    class Counting(SceneControl):
        looks = 0

        def now(self) -> Snapshot:
            type(self).looks += 1
            return super().now()

    most = 0

    async def turn() -> None:
        nonlocal most
        seen = Counting.looks
        while True:
            await trio.lowlevel.checkpoint()
            most, seen = max(most, Counting.looks - seen), Counting.looks

    async with served(Counting(HEALTHY)) as at, trio.open_nursery() as nursery:
        streams = [await at.connect() for _ in range(40)]
        nursery.start_soon(turn)
        for stream in streams:  # without a turn of trio between them, so that all are there at once
            os.write(stream.socket.fileno(), b"GET /api/v1/cluster HTTP/1.1\r\nHost: x\r\n\r\n")
        with trio.fail_after(10):
            for stream in streams:
                assert (await stream.receive_some(65536)).startswith(b"HTTP/1.1 200")
                await stream.aclose()
        nursery.cancel_scope.cancel()
    assert Counting.looks == len(streams)
    assert most <= 2  # a task may run first in one turn of trio and last in the next


async def test_what_may_change_something_leaves_a_trail() -> None:
    """From where, which path and how it ended; never what was sent to prove who asks."""
    async with served(SceneControl(HEALTHY)) as at:
        await at.client.post("/api/v1/pause", headers=at.token, json={"by": "alice"})
        await at.client.post("/api/v1/pause", headers={"Authorization": "Bearer a-guess"})
        await at.client.get("/api/v1/cluster")
    asked = [(line["path"], line["source"], line["ended"]) for line in at.log if line["event"] == "asked by HTTP"]
    assert asked == [("/api/v1/pause", "127.0.0.1", 200), ("/api/v1/pause", "127.0.0.1", 401)]
    assert TOKEN not in str(at.log)
    assert "a-guess" not in str(at.log)


async def test_both_address_families_are_served() -> None:
    """An IPv6 loopback is loopback too."""
    control = evolve(SceneControl(HEALTHY), policy=Policy())
    async with trio.open_nursery() as nursery:
        try:
            port = await nursery.start(_on_ipv6, control)
        except OSError:
            pytest.skip("this machine has no IPv6 loopback")
        stream = await trio.open_tcp_stream("::1", port)
        await stream.send_all(b"POST /prestop-hook/m1 HTTP/1.0\r\n\r\n")
        assert (await everything(stream)).startswith(b"HTTP/1.1 200")
        await stream.aclose()
        nursery.cancel_scope.cancel()


async def _on_ipv6(control: SceneControl, *, task_status: trio.TaskStatus[int]) -> None:
    await serve(control, host="::1", port=0, access=Access(token=None, basic=None), task_status=task_status)

"""HTTP/2 without TLS, which some proxies and ``curl --http2`` speak: it is served, and cannot hang the server."""

import h2.config
import h2.connection
import h2.events
import h2.settings
import pytest
import trio

from memgraph_ha.api import app, server
from tests.api.rig import SceneControl, Served, served
from tests.core.views import HEALTHY

pytestmark = pytest.mark.trio


async def asked(at: Served, path: str, window: int) -> tuple[trio.SocketStream, h2.connection.H2Connection]:
    """Send one request with prior knowledge, allowing that many bytes of an answer."""
    stream = await at.connect()
    client = h2.connection.H2Connection(h2.config.H2Configuration(client_side=True, header_encoding="utf-8"))
    client.local_settings = h2.settings.Settings(
        client=True, initial_values={h2.settings.SettingCodes.INITIAL_WINDOW_SIZE: window}
    )
    client.initiate_connection()
    head = [(":method", "GET"), (":path", path), (":scheme", "http"), (":authority", "x")]
    client.send_headers(1, head, end_stream=True)
    await stream.send_all(client.data_to_send())
    return stream, client


async def test_it_is_served() -> None:
    """Status and body, as over HTTP/1.1."""
    async with served(SceneControl(HEALTHY)) as at:
        stream, client = await asked(at, "/livez", 65535)
        seen: list[h2.events.Event] = []
        with trio.fail_after(5):
            while not any(isinstance(event, h2.events.StreamEnded) for event in seen):
                seen += client.receive_data(await stream.receive_some(65536))
        await stream.aclose()
    headers = next(event.headers for event in seen if isinstance(event, h2.events.ResponseReceived))
    assert (":status", "200") in [(str(name), str(value)) for name, value in headers]
    assert b"".join(event.data or b"" for event in seen if isinstance(event, h2.events.DataReceived)) == b"OK"


async def test_a_client_that_allows_no_byte_is_cut(monkeypatch: pytest.MonkeyPatch) -> None:
    """Its window stays shut: the answer is given up, and so is the connection."""
    monkeypatch.setattr(app, "SEND_S", 0.3)
    monkeypatch.setattr(server, "IDLE_S", 0.3)
    async with served(SceneControl(HEALTHY)) as at:
        stream, _ = await asked(at, "/api/v1/report", 0)
        with trio.fail_after(5):
            while await stream.receive_some(65536):
                pass
        await stream.aclose()
        assert (await at.client.get("/livez")).status_code == 200

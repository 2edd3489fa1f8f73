"""The API of a local controller: its port belongs to whoever leads, and no trouble with it costs the controller."""

import os
import signal
import socket
import subprocess
import sys
import time
from pathlib import Path

import httpx
import pytest
import structlog
import trio

from memgraph_ha.api.endpoints import Access
from memgraph_ha.local.control import _tail, serve_api
from memgraph_ha.runtime.leading import Leading
from tests.api.rig import SceneControl, until
from tests.core.views import HEALTHY


async def health(port: int) -> int | None:
    """Ask for the health of whoever serves there; None if nobody does."""
    async with httpx.AsyncClient(timeout=5) as client:
        try:
            return (await client.get(f"http://127.0.0.1:{port}/health")).status_code
        except httpx.TransportError:
            return None


async def answers(port: int, wanted: int | None) -> None:
    """Wait until it is so."""
    with trio.fail_after(10):
        while await health(port) != wanted:  # noqa: ASYNC110 - a port tells nobody
            await trio.sleep(0.02)


@pytest.mark.trio
async def test_the_port_is_ours_in_our_terms_only() -> None:
    """Taken by a stranger at first, ours when it is free, given back with the lease, taken again with the next."""
    leading = Leading()
    with socket.create_server(("127.0.0.1", 0)) as stranger, structlog.testing.capture_logs() as log:
        port = stranger.getsockname()[1]
        async with trio.open_nursery() as nursery:

            async def serve() -> None:
                await serve_api(SceneControl(HEALTHY), leading, port=port, access=Access(token="t", basic=None))  # noqa: S106 - made up

            nursery.start_soon(serve)
            leading.set(leading=True)
            await until(lambda: bool(log))
            stranger.close()
            await answers(port, 200)
            leading.set(leading=False)
            await answers(port, None)
            leading.set(leading=True)
            await answers(port, 200)
            nursery.cancel_scope.cancel()
    assert [each["event"] for each in log] == ["the HTTP API is not served"]
    assert str(port) in log[0]["error"]


def test_the_end_of_a_log(tmp_path: Path) -> None:
    """The last lines, whole ones only, also of a log that is long, empty or not there."""
    log = tmp_path / "controller.log"
    assert _tail(log, 3) == ()
    log.touch()
    assert _tail(log, 3) == ()
    log.write_text("".join(f"line {number}\n" for number in range(50_000)))
    assert _tail(log, 2) == ("line 49998", "line 49999")
    assert all(line.startswith("line ") for line in _tail(log, 50_000))


@pytest.mark.parametrize("delay_s", [0.05, 0.2, 0.4])
def test_ctrl_c_while_modules_are_loaded(delay_s: float) -> None:
    """It ends as silently as any program: by the signal, or by click once that is there."""
    with subprocess.Popen(
        [sys.executable, "-c", "import os; os.write(1, b'.'); from memgraph_ha.__main__ import main; main()", "--help"],
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        env={**os.environ, "PYTHONDONTWRITEBYTECODE": "1"},
    ) as process:
        assert process.stdout is not None
        process.stdout.read(1)
        time.sleep(delay_s)  # where in the imports that is does not matter
        process.send_signal(signal.SIGINT)
        _, said = process.communicate(timeout=30)
    assert b"Traceback" not in said, said.decode()
    assert process.returncode in (-signal.SIGINT, 0, 1)

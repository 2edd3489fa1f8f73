"""Two thousand clients lose MAIN at the same moment and are back at once (scenario J3)."""

import contextlib
import resource
from collections.abc import Iterator
from typing import Final

import pytest
import trio

from tests.e2e.bolt import HANDSHAKE, dial
from tests.e2e.cluster import PATIENCE_S, Cluster, writing
from tests.e2e.conftest import Making

pytestmark = [pytest.mark.trio, pytest.mark.slow, pytest.mark.timeout(300)]

CLIENTS: Final = 2000

FILES: Final = 16_384
"""A gateway holds two sockets for each client."""

BREATH_S: Final = 0.05
"""Before a client that was refused or cut tries again."""


@contextlib.contextmanager
def _many_files() -> Iterator[None]:
    """Let this process and its children open more files."""
    soft, hard = resource.getrlimit(resource.RLIMIT_NOFILE)
    resource.setrlimit(resource.RLIMIT_NOFILE, (min(FILES, hard), hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_NOFILE, (soft, hard))


class _Client:
    """One of them: connected for good, and at once again whenever it is cut."""

    def __init__(self, port: int) -> None:
        self._port = port
        self.connected = 0

    async def run(self) -> None:
        """Connect, shake hands, and wait for the end of the connection; again and again."""
        while True:
            with contextlib.suppress(OSError, trio.BrokenResourceError):
                async with await dial(self._port) as stream:
                    await stream.send_all(HANDSHAKE)
                    if len(await stream.receive_some(4)) == 4:
                        self.connected += 1
                        await stream.receive_some(1)  # nothing comes but the end
            await trio.sleep(BREATH_S)


async def test_two_thousand_clients_reconnect_at_once(running: Making) -> None:
    """All are served again, by one failover: the storm starves no probe and costs no second reign."""
    with _many_files():
        async with running() as cluster, writing(cluster) as ledger, trio.open_nursery() as nursery:
            before = await cluster.protected()
            clients = [_Client(cluster.gateway_port) for _ in range(CLIENTS)]
            for client in clients:
                nursery.start_soon(client.run)
            await _all_connected(cluster, clients, times=1)
            ledger.fault()
            await cluster.kill(before.main)
            await _all_connected(cluster, clients, times=2)
            await ledger.more()
            after = await cluster.protected(above=before.generation)
            nursery.cancel_scope.cancel()
    assert after.generation == before.generation + 1


async def _all_connected(cluster: Cluster, clients: list[_Client], *, times: int) -> None:
    await cluster.until_true(
        lambda: all(client.connected >= times for client in clients),
        f"each of {len(clients)} clients was served {times} times",
        within_s=2 * PATIENCE_S,
    )

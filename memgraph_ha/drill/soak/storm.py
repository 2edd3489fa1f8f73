"""A reconnect storm: so many clients that lose their connections at the same moment and come back at once."""

import time
from typing import Final

import trio
from attrs import define, field

CLIENTS: Final = 2000

ALL_IN_S: Final = 30.0
"""How long all of them may take to be connected, before and after."""

HANDSHAKE: Final = bytes.fromhex("6060b017 00000005 00000404 00000304 00000003")
"""Bolt's magic and four proposals (Bolt protocol documentation, handshake)."""

_BREATH_S: Final = 0.05
_AT_ONCE: Final = 200
"""Connections that are being opened at the same time: the listen queue of a kernel is not what is tested."""

_LOOK_S: Final = 0.02


@define
class Storm:
    """Clients that shake hands and then wait for the end of their connection, to come back.

    Resource handling: one socket for each client while `run` runs.

    Attributes:
        port: The gateway's.
        clients: How many.
        connected: How many are connected now: somebody shook hands with them.
        refused: How often one was cut or refused before it was.
    """

    port: int
    clients: int = CLIENTS
    connected: int = field(default=0, init=False)
    refused: int = field(default=0, init=False)

    async def run(self) -> None:
        """Keep all of them connected until cancelled."""
        dialling = trio.CapacityLimiter(_AT_ONCE)
        async with trio.open_nursery() as nursery:
            for _ in range(self.clients):
                nursery.start_soon(self._client, dialling)

    async def _client(self, dialling: trio.CapacityLimiter) -> None:
        while True:
            try:
                async with dialling:
                    stream = await trio.open_tcp_stream("127.0.0.1", self.port)
                async with stream:
                    await self._stay(stream)
            except (OSError, trio.BrokenResourceError):
                self.refused += 1
            await trio.sleep(_BREATH_S)

    async def _stay(self, stream: trio.SocketStream) -> None:
        await stream.send_all(HANDSHAKE)
        if not await stream.receive_some(4):
            self.refused += 1
            return
        self.connected += 1
        try:
            while await stream.receive_some(4096):
                pass
        finally:
            self.connected -= 1

    async def until_all(self) -> float | None:
        """Wait until all are connected; gives how long it took, or None if it was longer than `ALL_IN_S`."""
        begun_s = time.monotonic()
        with trio.move_on_after(ALL_IN_S):
            while self.connected < self.clients:  # noqa: ASYNC110 - two thousand tasks count, each for itself
                await trio.sleep(_LOOK_S)
            return time.monotonic() - begun_s
        return None

"""A TCP proxy between the controllers of one release and the API server: theirs may be away while others have it.

Whoever else uses the API server notices nothing, so these faults need no cluster of their own.
"""

import contextlib
import enum
import socket
import struct
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any, Final, Self
from urllib.parse import urlsplit

from attrs import define, field

from tools.kube import network

_CHUNK: Final = 65536
_CONNECTED_WITHIN_S: Final = 5.0
_LOOK_S: Final = 0.05
_ABORT: Final = struct.pack("ii", 1, 0)
"""SO_LINGER with no time: the end is a reset."""


class Weather(enum.Enum):
    """What becomes of a controller's connections."""

    FINE = "fine"
    FROZEN = "frozen"  # they stay, new ones are accepted, and nothing passes
    REFUSED = "refused"  # they are reset, and so is every new one


@define(eq=False)
class _Passing:
    """One connection of a controller: its two sockets."""

    source: str
    client: socket.socket
    server: socket.socket

    def reset(self) -> None:
        """End both sides at once; the pumps close them."""
        for each in (self.client, self.server):
            with contextlib.suppress(OSError):
                each.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
                each.shutdown(socket.SHUT_RDWR)


@define(eq=False)
class ApiProxy:
    """The proxy. What is set holds for all controllers, or for one by the address of its pod.

    Resource handling: `start` opens a port and starts threads; `close` ends them.

    Attributes:
        server: The API server, ``https://host:port``.
        delay_s: How much later every piece passes, each way, seconds.
    """

    server: str
    delay_s: float = 0.0
    _everywhere: Weather = Weather.FINE
    _of: dict[str, Weather] = field(factory=dict)
    _listener: socket.socket | None = None
    _open: set[_Passing] = field(factory=set)
    _lock: threading.Lock = field(factory=threading.Lock)
    _closed: threading.Event = field(factory=threading.Event)

    def start(self) -> Self:
        """Begin to serve, at the address by which pods reach this machine."""
        self._listener = socket.create_server((network.ADDRESS, 0), backlog=64)
        threading.Thread(target=self._accept, name="api-proxy", daemon=True).start()
        return self

    def close(self) -> None:
        """End it and every connection."""
        self._closed.set()
        if self._listener is not None:
            self._listener.close()
        self._reset(None)

    @property
    def values(self) -> dict[str, Any]:
        """The chart's values with which controllers come this way: what a pod is told of the API server is replaced."""
        assert self._listener is not None, "it is not started"
        host, port = self._listener.getsockname()
        told = {"KUBERNETES_SERVICE_HOST": host, "KUBERNETES_SERVICE_PORT": str(port)}
        return {"controller": {"extraEnv": [{"name": name, "value": value} for name, value in told.items()]}}

    @contextmanager
    def weather(self, weather: Weather, source: str | None = None) -> Iterator[None]:
        """Change the weather while the block runs.

        Args:
            weather: To what.
            source: For whom, an IPv4 address; None: for all.
        """
        with self._lock:
            before = self._everywhere, dict(self._of)
            if source is None:
                self._everywhere = weather
            else:
                self._of[source] = weather
        if weather is Weather.REFUSED:
            self._reset(source)
        try:
            yield
        finally:
            with self._lock:
                self._everywhere, self._of = before

    @contextmanager
    def slow(self, delay_s: float) -> Iterator[None]:
        """Let every piece pass so much later while the block runs, seconds each way."""
        self.delay_s = delay_s
        try:
            yield
        finally:
            self.delay_s = 0.0

    def _weather_of(self, source: str) -> Weather:
        with self._lock:
            return self._of.get(source, self._everywhere)

    def _reset(self, source: str | None) -> None:
        with self._lock:
            ended = [passing for passing in self._open if source in {None, passing.source}]
        for passing in ended:
            passing.reset()

    def _accept(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(OSError):  # it was closed
            while True:
                client, (source, _) = self._listener.accept()
                threading.Thread(target=self._serve, args=(client, source), name="api-proxy", daemon=True).start()

    def _serve(self, client: socket.socket, source: str) -> None:
        if self._weather_of(source) is Weather.REFUSED:
            client.setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, _ABORT)
            client.close()
            return
        there = urlsplit(self.server)
        with client, contextlib.suppress(OSError):
            address = (there.hostname, there.port)
            with socket.create_connection(address, _CONNECTED_WITHIN_S) as server:
                server.settimeout(None)
                passing = _Passing(source, client, server)
                with self._lock:
                    self._open.add(passing)
                back = threading.Thread(target=self._pump, args=(server, client, source), name="api-proxy", daemon=True)
                back.start()
                self._pump(client, server, source)
                back.join()
                with self._lock:
                    self._open.discard(passing)

    def _pump(self, reader: socket.socket, writer: socket.socket, source: str) -> None:
        """Pass everything on, in this weather; nothing that was held back is ever lost."""
        with contextlib.suppress(OSError):
            while data := reader.recv(_CHUNK):
                if self.delay_s:
                    time.sleep(self.delay_s)
                while self._weather_of(source) is Weather.FROZEN and not self._closed.wait(_LOOK_S):
                    pass
                writer.sendall(data)
        for each in (reader, writer):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)

"""A link between two fakes that is cut when a certain request comes by."""

from __future__ import annotations

import socket
import threading
from contextlib import suppress
from types import TracebackType
from typing import Self

from memgraph_ha.fakes.memgraph import wire

HOST = "127.0.0.1"


class CuttingProxy:
    """Relays one replication port, request by request.

    Attributes:
        port: Where it listens.
        cut_at: Name of the request (`FinalizeCommit`, say) that breaks the link instead of arriving.
        cuts: How often that happened.
    """

    def __init__(self, target: int) -> None:
        self._target = target
        self._listener = socket.create_server((HOST, 0))
        self.port: int = self._listener.getsockname()[1]
        self.cut_at: str | None = None
        self.cuts = 0
        self._open: list[socket.socket] = []
        self._threads: list[threading.Thread] = []

    def __enter__(self) -> Self:
        """Begin to accept."""
        self._begin(self._accept)
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        traceback: TracebackType | None,
    ) -> None:
        """Close everything and wait for the threads."""
        self._shut(self._listener)
        for each in self._open:
            self._shut(each)
        for thread in self._threads:
            thread.join(10)

    def _begin(self, target: object, *arguments: object) -> None:
        thread = threading.Thread(target=target, args=arguments)  # type: ignore[arg-type]
        self._threads.append(thread)
        thread.start()

    def _accept(self) -> None:
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            try:
                server = socket.create_connection((HOST, self._target), timeout=5)
            except OSError:
                self._shut(client)
                continue
            server.settimeout(None)
            self._open += [client, server]
            self._begin(self._requests, client, server)
            self._begin(self._replies, server, client)

    def _requests(self, client: socket.socket, server: socket.socket) -> None:
        with suppress(OSError, EOFError):
            while True:
                prefix = _exactly(client, wire.PREFIX.size)
                header, body = wire.lengths(prefix)
                content = _exactly(client, header + body)
                if self.cut_at is not None and f'"{self.cut_at}"'.encode() in content[:header]:
                    self.cuts += 1
                    break
                server.sendall(prefix + content)
        self._shut(client)
        self._shut(server)

    def _replies(self, server: socket.socket, client: socket.socket) -> None:
        with suppress(OSError):
            while data := server.recv(65536):
                client.sendall(data)
        self._shut(client)
        self._shut(server)

    @staticmethod
    def _shut(each: socket.socket) -> None:
        with suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)
        each.close()


def _exactly(each: socket.socket, size: int) -> bytes:
    content = b""
    while len(content) < size:
        some = each.recv(size - len(content))
        if not some:
            raise EOFError
        content += some
    return content

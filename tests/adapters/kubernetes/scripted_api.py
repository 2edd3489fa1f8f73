"""A server on loopback that answers as it is told to: what no real API server can be brought to do at will."""

import json
import socket
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager

from attrs import define, field, frozen
from kubernetes.client import Configuration


@frozen
class Request:
    """A request as it came in: its first line's two words, and its body."""

    method: str
    path: str
    body: bytes


@define
class ScriptedApi:
    """Answers each request with the next entry of ``script``, the last one again and again.

    An entry gets the request and the connection, and sends what it likes; a connection stays open until it is closed.
    """

    script: list[Callable[[Request, socket.socket], None]]
    requests: list[Request] = field(factory=list)
    accepted: list[socket.socket] = field(factory=list)
    _lock: threading.Lock = field(factory=threading.Lock)
    _listener: socket.socket = field(factory=lambda: socket.create_server(("127.0.0.1", 0)))

    @property
    def configuration(self) -> Configuration:
        """How to reach it."""
        return Configuration(host=f"http://127.0.0.1:{self._listener.getsockname()[1]}")

    @property
    def connections(self) -> int:
        """How many connections were made to it."""
        return len(self.accepted)

    @contextmanager
    def serving(self) -> Iterator["ScriptedApi"]:
        """Serve until the end of the block; every connection is closed then."""
        acceptor = threading.Thread(target=self._accept, daemon=True)
        acceptor.start()
        try:
            yield self
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            acceptor.join(5)
            for connection in self.accepted:
                connection.close()

    def _accept(self) -> None:
        while True:
            try:
                connection, _ = self._listener.accept()
            except OSError:
                return
            self.accepted.append(connection)
            threading.Thread(target=self._serve, args=(connection,), daemon=True).start()

    def _serve(self, connection: socket.socket) -> None:
        try:
            with connection.makefile("rb") as stream:
                while (line := stream.readline()) and len(words := line.split()) == 3:
                    length = 0
                    while (header := stream.readline().strip()) != b"":
                        name, _, value = header.partition(b":")
                        length = int(value) if name.lower() == b"content-length" else length
                    request = Request(words[0].decode(), words[1].decode(), stream.read(length))
                    with self._lock:
                        self.requests.append(request)
                        answer = self.script.pop(0) if len(self.script) > 1 else self.script[0]
                    answer(request, connection)
        except (OSError, ValueError):
            return


def send(status: int, body: bytes, *headers: str, promised: int | None = None) -> "Callable[..., None]":
    """Make an entry that sends a whole answer, or promises more bytes than it sends."""
    length = len(body) if promised is None else promised
    head = "\r\n".join([f"HTTP/1.1 {status} Scripted", f"Content-Length: {length}", *headers, "", ""])
    return lambda _request, connection: connection.sendall(head.encode() + body)


def config_map(version: str = "7") -> "Callable[..., None]":
    """Make an entry that answers with a small ConfigMap."""
    found = {"kind": "ConfigMap", "apiVersion": "v1", "metadata": {"name": "c", "uid": "u", "resourceVersion": version}}
    return send(200, json.dumps(found).encode(), "Content-Type: application/json")


def status(code: int, reason: str, message: str = "scripted", *headers: str) -> "Callable[..., None]":
    """Make an entry that answers with a Status object, as the API server does."""
    body = {
        "kind": "Status",
        "apiVersion": "v1",
        "status": "Failure",
        "reason": reason,
        "message": message,
        "code": code,
    }
    return send(code, json.dumps(body).encode(), "Content-Type: application/json", *headers)


def silence(_request: Request, _connection: socket.socket) -> None:
    """Answer nothing, and keep the connection open."""


def hang_up(_request: Request, connection: socket.socket) -> None:
    """Close the connection without an answer."""
    connection.shutdown(socket.SHUT_RDWR)

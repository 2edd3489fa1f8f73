"""A wire between a client and the real API server that can be late, or lose what comes back."""

import contextlib
import socket
import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from attrs import define, field
from kubernetes.client import Configuration
from kubernetes.config import load_kube_config

from memgraph_ha.adapters.kubernetes.client import KubeClient
from memgraph_ha.runtime.clock import boottime


@define(eq=False)
class Wire:
    """Relays connections to the API server, each byte as it came, except where it is told otherwise.

    Attributes:
        kubeconfig: Of the API server.
        hold_next: The next bytes that a client sends are kept, with all that follow on that connection, until
            ``deliver``: whoever sends them has long gone by then.
        deafen_next: The next bytes that a client sends reach the server, and no answer comes back on that connection.
    """

    kubeconfig: Path
    hold_next: bool = False
    deafen_next: bool = False
    _held: list[tuple[socket.socket, list[bytes]]] = field(factory=list)
    _sockets: list[socket.socket] = field(factory=list)
    _lock: threading.Lock = field(factory=threading.Lock)
    _listener: socket.socket = field(factory=lambda: socket.create_server(("127.0.0.1", 0)))

    def client(self, namespace: str) -> KubeClient:
        """Make a client that reaches the API server by this wire."""
        configuration: Any = Configuration()
        load_kube_config(config_file=str(self.kubeconfig), client_configuration=configuration)
        configuration.host = f"https://127.0.0.1:{self._listener.getsockname()[1]}"
        configuration.refresh_api_key_hook = None  # it would read the kubeconfig's host again with every request
        return KubeClient(configuration, namespace=namespace, clock=boottime)

    @property
    def holding(self) -> int:
        """How many connections it keeps bytes of."""
        return len(self._held)

    def deliver(self) -> None:
        """Send to the server, now, all that was kept."""
        with self._lock:
            held, self._held = self._held, []
        for server, chunks in held:
            for chunk in chunks:
                server.sendall(chunk)

    @contextlib.contextmanager
    def relaying(self) -> Iterator["Wire"]:
        """Relay until the end of the block."""
        acceptor = threading.Thread(target=self._accept, daemon=True)
        acceptor.start()
        try:
            yield self
        finally:
            self._listener.shutdown(socket.SHUT_RDWR)
            self._listener.close()
            acceptor.join(5)
            for each in self._sockets:
                each.close()

    def _accept(self) -> None:
        configuration = Configuration()
        load_kube_config(config_file=str(self.kubeconfig), client_configuration=configuration)
        there = urlsplit(str(configuration.host))
        while True:
            try:
                client, _ = self._listener.accept()
            except OSError:
                return
            server = socket.create_connection((str(there.hostname), there.port or 443))
            self._sockets += [client, server]
            deaf = threading.Event()
            threading.Thread(target=self._upward, args=(client, server, deaf), daemon=True).start()
            threading.Thread(target=self._downward, args=(server, client, deaf), daemon=True).start()

    def _upward(self, client: socket.socket, server: socket.socket, deaf: threading.Event) -> None:
        kept: list[bytes] | None = None
        with contextlib.suppress(OSError):
            while chunk := client.recv(65536):
                with self._lock:
                    if self.hold_next:
                        self.hold_next, kept = False, []
                        self._held.append((server, kept))
                    if self.deafen_next:
                        self.deafen_next = False
                        deaf.set()
                if kept is None:
                    server.sendall(chunk)
                else:
                    kept.append(chunk)
            if kept is None:
                server.shutdown(socket.SHUT_WR)

    @staticmethod
    def _downward(server: socket.socket, client: socket.socket, deaf: threading.Event) -> None:
        with contextlib.suppress(OSError):
            while chunk := server.recv(65536):
                if not deaf.is_set():
                    client.sendall(chunk)
            client.shutdown(socket.SHUT_WR)

"""What a Service and kube-proxy do, played: connections go to the pod that carries the leader's label."""

import contextlib
import socket
import threading
import time
from typing import Final

from attrs import define, field
from kubernetes.client import ApiClient
from kubernetes.client.exceptions import ApiException
from urllib3.exceptions import HTTPError

from memgraph_ha.adapters.kubernetes.labels import LEADER
from tests.kube.daemon.kubelet import core_of

LOOK_S: Final = 0.05
CHUNK: Final = 65536


@define
class Service:
    """One address for clients, in front of whoever leads; known endpoints stay while the API is away.

    Attributes:
        api: An administrator's access.
        namespace: Where the pods are.
        backends: Pod name to the address that it listens on.
        port: On which the service's address listens.
    """

    api: ApiClient
    namespace: str
    backends: dict[str, tuple[str, int]]
    port: int = 0
    _endpoints: list[str] = field(factory=list)
    _stop: threading.Event = field(factory=threading.Event)
    _listener: socket.socket | None = None

    def start(self) -> str:
        """Begin to serve; gives the address."""
        self._listener = socket.create_server(("127.0.0.1", 0), backlog=128)
        self.port = self._listener.getsockname()[1]
        for work in (self._follow, self._accept):
            threading.Thread(target=work, name="service", daemon=True).start()
        return f"127.0.0.1:{self.port}"

    def stop(self) -> None:
        """End it; connections end with their peers."""
        self._stop.set()
        if self._listener is not None:
            self._listener.close()

    def labelled(self) -> list[str]:
        """Name the pods that carry the label."""
        found = core_of(self.api).list_namespaced_pod(self.namespace, label_selector=f"{LEADER}=true")
        return [pod.metadata.name for pod in found.items if pod.metadata.name in self.backends]

    def _follow(self) -> None:
        while not self._stop.wait(LOOK_S):
            with contextlib.suppress(ApiException, HTTPError):
                self._endpoints = self.labelled()

    def _accept(self) -> None:
        assert self._listener is not None
        with contextlib.suppress(OSError):
            while not self._stop.is_set():
                client, _ = self._listener.accept()
                threading.Thread(target=self._serve, args=(client,), name="service", daemon=True).start()

    def _serve(self, client: socket.socket) -> None:
        """Relay one connection; without an endpoint, or one that refuses, it is reset as kube-proxy has it reset."""
        with client:
            endpoints = self._endpoints
            if not endpoints:
                return
            address = self.backends[endpoints[int(time.monotonic() * 1000) % len(endpoints)]]
            try:
                server = socket.create_connection(address, 2)
            except OSError:
                return
            server.settimeout(None)
            with server:
                back = threading.Thread(target=_pump, args=(server, client), name="service", daemon=True)
                back.start()
                _pump(client, server)
                back.join()


def _pump(source: socket.socket, sink: socket.socket) -> None:
    with contextlib.suppress(OSError):
        while data := source.recv(CHUNK):
            sink.sendall(data)
    for each in (source, sink):
        with contextlib.suppress(OSError):
            each.shutdown(socket.SHUT_RDWR)

"""Others that the operator's commands may meet: nobody, somebody who says something else, a data directory."""

import json
import socket
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path


def make_data(place: Path, port: int, token: str | None) -> Path:
    """Make what the commands read of a local cluster's data directory."""
    place.mkdir()
    (place / "cluster.json").write_text(json.dumps({"schema": 1, "cluster": "c", "http_port": port}), encoding="utf-8")
    if token is not None:
        (place / "api-token").write_text(f"{token}\n", encoding="utf-8")
    return place


@contextmanager
def listening(answer: bytes | None) -> Iterator[int]:
    """Listen and answer every connection with these bytes (None: with silence), then close or wait."""
    with socket.create_server(("127.0.0.1", 0)) as server:
        kept: list[socket.socket] = []

        def serve() -> None:
            while True:
                try:
                    client, _ = server.accept()
                except OSError:
                    return
                kept.append(client)
                if answer is not None:
                    client.recv(65536)
                    client.sendall(answer)
                    client.close()

        thread = threading.Thread(target=serve, daemon=True)
        thread.start()
        try:
            yield server.getsockname()[1]
        finally:
            server.shutdown(socket.SHUT_RDWR)
            thread.join()
            for client in kept:
                client.close()

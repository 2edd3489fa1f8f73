"""Clients that write once and then wait for as long as it takes: no deadline of theirs ever ends a connection."""

import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Final

import neo4j

from memgraph_ha.core.names import Address

_READY_S: Final = 30.0
_QUERY: Final = "CREATE (:Waiting {id: $id})"
"""Not what the writers write: their ledger knows nothing of it."""


class WaitingClient(threading.Thread):
    """A client that connects, writes to warm up, waits for a word, writes, and waits for the answer.

    A daemon thread: a defect here never keeps the process alive.

    Args:
        number: Which one.
        address: The gateway's.
        go: The word.
    """

    def __init__(self, number: int, address: Address, go: threading.Event) -> None:
        super().__init__(name=f"waiting-{number}", daemon=True)
        self.ready = threading.Event()
        self.told_s: float | None = None
        self.broke_s: float | None = None
        self._number, self._address, self._go = number, address, go

    def run(self) -> None:
        """Do that."""
        with neo4j.GraphDatabase.driver(f"bolt://{self._address}", telemetry_disabled=True) as driver:
            try:
                with driver.session() as session:
                    session.run(_QUERY, id=-1 - self._number).consume()
                    self.ready.set()
                    self._go.wait()
                    session.run(_QUERY, id=self._number).consume()
                    self.told_s = time.monotonic()
            except Exception:  # noqa: BLE001 - whatever the driver trips over: no acknowledgement came
                self.broke_s = time.monotonic()


@contextmanager
def waiting_clients(address: Address, count: int) -> Iterator[tuple[list[WaitingClient], threading.Event]]:
    """Connect so many clients; gives them, and the word that lets them write. They are not waited for in the end."""
    go = threading.Event()
    clients = [WaitingClient(number, address, go) for number in range(count)]
    for client in clients:
        client.start()
    try:
        for client in clients:
            assert client.ready.wait(_READY_S), "a client was not served"
        yield clients, go
    finally:
        go.set()

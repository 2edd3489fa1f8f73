"""A client as an application is one: the stock driver with its defaults, in a pod. Its source is what the pod runs.

Environment: URL, NUMBER (its part of the ids), PAUSE_S (between two transactions), WHAT (`write` or `read`). Each line
that it prints is an event: what it is, when (CLOCK_MONOTONIC, which all of one machine share), and a text. It ends at
SIGTERM, with exit code 0.
"""

import logging
import os
import signal
import threading
import time

from neo4j import GraphDatabase, ManagedTransaction
from neo4j.exceptions import Neo4jError

WRITE = "CREATE (:Write {id: $id})"
READ = "MATCH (w:Write) RETURN count(w) AS count"


def tell(event: str, text: object = "") -> None:
    """Print one event."""
    print(event, f"{time.monotonic():.6f}", text, flush=True)  # noqa: T201 - that is how a pod tells


def main() -> None:
    """Write or read until told to end."""
    logging.getLogger("neo4j").addHandler(logging.NullHandler())  # else it prints between our lines
    ended = threading.Event()
    signal.signal(signal.SIGTERM, lambda *_: ended.set())
    number, pause_s = os.environ["NUMBER"], float(os.environ["PAUSE_S"])
    writes, index = os.environ["WHAT"] == "write", 0

    def work(tx: ManagedTransaction) -> object:
        if not writes:
            return tx.run(READ).single(strict=True)["count"]
        tx.run(WRITE, id=f"{number}-{index}").consume()
        return None

    with GraphDatabase.driver(os.environ["URL"]) as driver:
        while not ended.is_set():
            tell("begun")
            try:
                with driver.session() as session:
                    told = session.execute_write(work) if writes else session.execute_read(work)
                tell("done", told)
            except Neo4jError as error:
                tell("refused", " ".join((error.message or "").split()))
            except Exception as error:  # noqa: BLE001 - whatever the driver trips over, no answer came
                tell("broken", f"{type(error).__name__}: {' '.join(str(error).split())}")
            index += 1
            ended.wait(pause_s)


if __name__ == "__main__":
    main()

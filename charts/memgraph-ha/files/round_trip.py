# noqa: INP001 - it runs alone, in a pod of `helm test`
"""What `helm test` does: write and read through the gateway as a client does, and look at the cluster by its API.

Environment: BOLT_URL, API_URL, MEMGRAPH_USER, MEMGRAPH_PASSWORD (any are taken where Memgraph has no users), and
DEADLINE_SECONDS: a fresh cluster needs a moment until its first reign. Exit code 0, or 1 with the last reason.
"""

import json
import os
import sys
import time
import urllib.request
import uuid

from neo4j import Driver, GraphDatabase, ManagedTransaction
from neo4j.exceptions import DriverError, Neo4jError

ATTEMPT_S = 10.0
"""Longest time for one attempt to connect, or for one question to the API, seconds."""


class NotYet(Exception):  # noqa: N818 - a moment later it may be so
    """Something is not as it should be; the text says what."""


def write_and_read(driver: Driver) -> None:
    """Write a node, read it back in another transaction, and remove it.

    Raises:
        NotYet: What was read is not what was written.
    """
    mark = uuid.uuid4().hex

    def write(tx: ManagedTransaction) -> None:
        tx.run("CREATE (:MemgraphHaTest {mark: $mark})", mark=mark).consume()

    def count(tx: ManagedTransaction) -> int:
        row = tx.run("MATCH (n:MemgraphHaTest {mark: $mark}) RETURN count(n)", mark=mark).single(strict=True)
        return int(row[0])

    def remove(tx: ManagedTransaction) -> None:
        tx.run("MATCH (n:MemgraphHaTest {mark: $mark}) DELETE n", mark=mark).consume()

    with driver.session() as session:
        session.execute_write(write)
        found = session.execute_write(count)
        session.execute_write(remove)
    if found != 1:
        raise NotYet(f"1 node was written, {found} were read")


def look(url: str) -> str:
    """Ask the API who is MAIN, and whether a standby could follow.

    Raises:
        NotYet: Nobody could follow.
    """
    with urllib.request.urlopen(f"{url}/api/v1/status", timeout=ATTEMPT_S) as answer:  # noqa: S310 - our own Service
        state = json.load(answer)["cluster_state"]
    if not state["sync_replica_healthy"]:
        raise NotYet(f"MAIN is {state['current_main']}, but no standby could follow it")
    return f"MAIN is {state['current_main']}, and {state['current_sync_replica']} could follow it"


def attempt() -> str:
    """Do all of it once; returns what was seen.

    Raises:
        NotYet: Something is not as it should be.
        OSError: Nobody answers.
        Neo4jError: Memgraph refused.
    """
    login = (os.environ["MEMGRAPH_USER"], os.environ["MEMGRAPH_PASSWORD"])
    with GraphDatabase.driver(
        os.environ["BOLT_URL"], auth=login, connection_timeout=ATTEMPT_S, max_transaction_retry_time=ATTEMPT_S
    ) as driver:
        write_and_read(driver)
    return look(os.environ["API_URL"])


def main() -> int:
    """Try until it succeeds or the time is over; returns the exit code."""
    until_s = time.monotonic() + float(os.environ["DEADLINE_SECONDS"])
    while True:
        try:
            seen = attempt()
        except (NotYet, OSError, Neo4jError, DriverError) as error:
            why = f"{type(error).__name__}: {error}"
        else:
            sys.stdout.write(f"written and read through {os.environ['BOLT_URL']}; {seen}\n")
            return 0
        if time.monotonic() > until_s:
            sys.stdout.write(f"not within {os.environ['DEADLINE_SECONDS']} s: {why}\n")
            return 1
        time.sleep(2)


if __name__ == "__main__":
    sys.exit(main())

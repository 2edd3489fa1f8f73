"""What the tests in virtual time say often."""

from __future__ import annotations

from typing import Any

import pytest

from memgraph_ha.fakes.memgraph.effects import Procedure
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.session import Session
from memgraph_ha.fakes.memgraph.virtual import World

SYNC_FAILED = "At least one SYNC replica has not confirmed committing last transaction."
STRICT_SYNC_FAILED = (
    "At least one STRICT_SYNC replica has not confirmed committing last transaction. Transaction will be"
    " aborted on all instances."
)
NOOP = "CREATE (n:X) DELETE n"


def register(world: World, main: str, replica: str, mode: str = "STRICT_SYNC") -> None:
    """Register `replica` on `main` under its own name."""
    world.ask(main, f'REGISTER REPLICA {replica} {mode} TO "{replica}:10000"')


def row(world: World, main: str, replica: str) -> dict[str, Any]:
    """Return `data_info` of a row without its outer key; empty for a half row."""
    found = {each[0]: each[4] for each in world.ask(main, "SHOW REPLICAS")}
    info: dict[str, Any] = found[replica].get("memgraph", {})
    return info


def status(world: World, main: str, replica: str) -> str:
    """Return the status of a row; empty for a half row."""
    return str(row(world, main, replica).get("status", ""))


def until_status(world: World, main: str, replica: str, wanted: str, within_s: float = 60.0) -> float:
    """Let time pass until a row has a status; returns how long that took."""
    rows = world[main].rows
    return world.run_until(lambda: rows[replica].state.value == wanted, within_s)


def count(world: World, name: str, label: str = "") -> int:
    """Return how many nodes an instance has."""
    pattern = f"(n:{label})" if label else "(n)"
    return int(world.ask(name, f"MATCH {pattern} RETURN count(n)")[0][0])


def role(world: World, name: str) -> str:
    """Return the role of an instance."""
    return str(world.ask(name, "SHOW REPLICATION ROLE")[0][0])


def uuid_of(world: World, name: str) -> str:
    """Return the database uuid that an instance shows."""
    return str(dict(world.ask(name, "SHOW STORAGE INFO"))["database_uuid"])


def refusal(world: World, name: str, query: str) -> MemgraphError:
    """Send a query that must be refused; return the error."""
    with pytest.raises(MemgraphError) as caught:
        world.ask(name, query)
    return caught.value


def switch_port(world: World, name: str) -> None:
    """Make `name` a REPLICA on the port that all tests use."""
    world.ask(name, "SET REPLICATION ROLE TO REPLICA WITH PORT 10000")


def promote(world: World, name: str) -> None:
    """Make `name` MAIN."""
    world.ask(name, "SET REPLICATION ROLE TO MAIN")


Rows = list[list[Any]]


def begin_with(session: Session, query: str) -> Procedure[Rows]:
    """Open an explicit transaction and run a query in it."""
    yield from session.begin()
    return (yield from query_in(session, query))


def query_in(session: Session, query: str) -> Procedure[Rows]:
    """Run a query in the session, inside its transaction if one is open."""
    answer = yield from session.run(query, {}, 0)
    return (yield from answer.pull(-1)).rows


def commit(session: Session) -> Procedure[Rows]:
    """Commit the session's explicit transaction."""
    yield from session.commit()
    return []

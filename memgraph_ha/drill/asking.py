"""Asking one instance directly, past the gateway: its role, how many writes it holds, and which."""

import contextlib
import time
from collections import Counter
from collections.abc import AsyncIterator
from typing import Final

import trio

from memgraph_ha.adapters.memgraph.connection import BoltConnection, ConnectionLostError, QueryRefusedError
from memgraph_ha.adapters.memgraph.reading import read_role
from memgraph_ha.adapters.process_argv import InstanceSpec
from memgraph_ha.core.topology import Role
from memgraph_ha.drill.errors import DrillError
from memgraph_ha.drill.ledger import Reading

ASK_MAX_S: Final = 2.0
"""Longest wait for a small answer."""

READ_MAX_S: Final = 60.0
"""Longest wait for all ids of one instance."""

COUNT: Final = "MATCH (w:Write) RETURN count(w) AS count"
READ: Final = "MATCH (w:Write) RETURN w.id AS id"

_THREADS: Final = 4
"""Per conversation: one call at a time, and room for one that was given up and has not ended."""


async def ask_role(spec: InstanceSpec) -> Role | None:
    """Ask an instance for its role; None if it does not answer within `ASK_MAX_S`."""
    try:
        async with _talk(spec, ASK_MAX_S) as connection:
            return (await read_role(connection, spec.name, time.monotonic)).role
    except DrillError:
        return None


async def count_writes(spec: InstanceSpec) -> int | None:
    """Ask an instance how many writes it holds; None if it does not answer within `ASK_MAX_S`."""
    try:
        async with _talk(spec, ASK_MAX_S) as connection:
            count = (await connection.ask(COUNT)).rows[0]["count"]
    except DrillError:
        return None
    return count if isinstance(count, int) else None


async def read_writes(spec: InstanceSpec) -> Reading:
    """Read the ids of all writes that an instance holds.

    Raises:
        DrillError: It does not give them within `READ_MAX_S`.
    """
    async with _talk(spec, READ_MAX_S) as connection:
        rows = (await connection.ask(READ)).rows
    return Reading(instance=spec.name, ids=Counter(str(row["id"]) for row in rows))


@contextlib.asynccontextmanager
async def _talk(spec: InstanceSpec, within_s: float) -> AsyncIterator[BoltConnection]:
    """Hold one conversation on a connection of its own.

    Raises:
        DrillError: It fails or takes too long.
    """
    limiter = trio.CapacityLimiter(_THREADS)
    connection = BoltConnection(spec.bolt, auth=None, limiter=limiter, undelivered_s=within_s)
    try:
        with trio.fail_after(within_s):
            await connection.open()
            yield connection
    except trio.TooSlowError:
        raise DrillError(f"{spec.name} at {spec.bolt} gave no answer within {within_s:g} s; see {spec.log}") from None
    except (ConnectionLostError, QueryRefusedError) as error:
        raise DrillError(f"{spec.name} at {spec.bolt} gave no answer ({error}); see {spec.log}") from error
    finally:
        connection.close()

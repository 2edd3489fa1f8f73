"""Waiting for a cluster: until a reign is open, until it is protected again, until its instances are level."""

import math
from collections.abc import Awaitable, Callable, Sequence
from typing import Final

import trio

from memgraph_ha.core.record import Record
from memgraph_ha.core.topology import Role
from memgraph_ha.drill.asking import count_writes, read_writes
from memgraph_ha.drill.cluster import POLL_S, LocalCluster
from memgraph_ha.drill.errors import DrillError
from memgraph_ha.drill.ledger import Reading, WriterLog

LEVEL_POLL_S: Final = 0.1


async def until_open(cluster: LocalCluster, *, above: int, within_s: float) -> Record:
    """Wait until a reign after generation ``above`` is open for writes.

    Raises:
        DrillError: It is not within ``within_s``; or the controller ended.
    """

    async def lacking(record: Record) -> str | None:
        return lacks_reign(record, above)

    return await _until(cluster, lacking, what=f"a reign after {above} did not open", within_s=within_s)


async def until_protected(cluster: LocalCluster, *, above: int, within_s: float) -> Record:
    """Wait until a reign after ``above`` is open, its standby is named, and every instance answers in its role.

    Raises:
        DrillError: It is not within ``within_s``; or the controller ended.
    """

    async def lacking(record: Record) -> str | None:
        lack = lacks_reign(record, above)
        if lack is None and record.standby is None:
            lack = f"no standby of {record.main} is named"
        return lack or await _lacks_role(cluster, record)

    return await _until(cluster, lacking, what="the cluster was not protected", within_s=within_s)


async def until_acknowledged(
    cluster: LocalCluster, logs: Callable[[], Sequence[WriterLog]], *, begun_from_s: float, within_s: float
) -> None:
    """Wait until a write that was begun since a moment is acknowledged to anybody.

    Args:
        cluster: Where they write.
        logs: Gives the writers' own records.
        begun_from_s: The moment, CLOCK_MONOTONIC.
        within_s: Longest wait, seconds.

    Raises:
        DrillError: None is; or the controller ended.
    """
    with trio.move_on_after(within_s):
        # Threads acknowledge, not tasks that could set an event.
        while not any(log.first_acknowledged(begun_from_s=begun_from_s, until_s=math.inf) for log in logs()):
            cluster.check()
            await trio.sleep(POLL_S)
        return
    texts = sorted({text for log in logs() for text in log.errors})
    said = f"; writers were told: {texts[0]}" if texts else ""
    raise DrillError(f"no write was acknowledged within {within_s:g} s{said}\n{cluster.tail()}")


async def read_back(cluster: LocalCluster, *, within_s: float) -> tuple[tuple[Reading, ...], bool]:
    """Wait until all instances hold equally many writes, then read all of every instance.

    Args:
        cluster: Nobody may be writing to it.
        within_s: Longest wait; after it they are read as they are.

    Returns:
        One reading per instance, and whether they were level.

    Raises:
        DrillError: An instance could not be read.
    """
    level = False
    with trio.move_on_after(within_s):
        while not level:
            counts = [await count_writes(spec) for spec in cluster.specs]
            level = counts[0] is not None and len(set(counts)) == 1
            if not level:
                await trio.sleep(LEVEL_POLL_S)
    return tuple([await read_writes(spec) for spec in cluster.specs]), level


def lacks_reign(record: Record, above: int) -> str | None:
    """Say why a record shows no open reign after generation ``above``; None if it does."""
    if record.generation <= above:
        return f"the reign is still {record.generation}, of {record.main}"
    if not record.opened:
        return f"reign {record.generation}, of {record.main}, is not open"
    return None


async def _lacks_role(cluster: LocalCluster, record: Record) -> str | None:
    for name, role in (await cluster.roles()).items():
        wanted = Role.MAIN if name == record.main else Role.REPLICA
        if role is not wanted:
            return f"{name} {'does not answer' if role is None else f'is {role.name}'}, {wanted.name} is wanted"
    return None


async def _until(
    cluster: LocalCluster, lacking: Callable[[Record], Awaitable[str | None]], *, what: str, within_s: float
) -> Record:
    lack, last = "there is no record", "nothing: there is no record"
    with trio.move_on_after(within_s):
        while True:
            record = await cluster.record()
            if record is not None:
                last = history_line(record)
                found = await lacking(record)
                if found is None:
                    return record
                lack = found
            await trio.sleep(POLL_S)
    raise DrillError(f"{what} within {within_s:g} s: {lack}\nthe record says last: {last}\n{cluster.tail()}")


def history_line(record: Record) -> str:
    """Give the last line of a record's history in words."""
    if not record.history:
        return f"generation {record.generation}, no history"
    change = record.history[-1]
    return f"generation {change.generation}, {change.kind.value} to {change.main} by {change.rule}: {change.reason}"

"""What clients notice of planned switchovers: target, measured, met.

    python bench/switchover.py
    python bench/switchover.py --switchovers 100 --writers 16

Half of the clients keep one driver for good, half open a new one for every write; all are the stock driver's managed
transactions, with the driver's own retries. The pause of a switchover is the longest time, from its order until half a
second after the cluster was protected again, in which nothing was acknowledged to anybody. Exit code 0 if every target
was met.
"""

import itertools
import shutil
import sys
import tempfile
import time
from pathlib import Path

import click
import neo4j
import trio
from rich.console import Console
from rich.table import Table

from memgraph_ha.core.record import Record
from memgraph_ha.drill.cluster import LocalCluster
from memgraph_ha.drill.errors import DrillError
from memgraph_ha.drill.ledger import Findings, WriterLog, check
from memgraph_ha.drill.pauses import distribution
from memgraph_ha.drill.plan import choose_ports
from memgraph_ha.drill.report import in_words
from memgraph_ha.drill.waiting import read_back, until_protected
from memgraph_ha.drill.writers import StockWriter, Writers
from memgraph_ha.operate.client import Client
from memgraph_ha.operate.exits import OperateError
from memgraph_ha.operate.places import Whereabouts

PATIENCE_S = 60.0
SETTLE_S = 1.0
"""Pause between two switchovers."""
AFTER_S = 0.5
PAUSE_P99_S = 0.5

Span = tuple[float, float]
"""From when until when (CLOCK_MONOTONIC)."""


class NewcomingWriter(StockWriter):
    """One that opens a new driver, and so a new connection, for every write."""

    def _write_over(self, driver: neo4j.Driver) -> None:
        with driver.session() as session:
            self._write_one(session)


async def _switch_over(
    cluster: LocalCluster, record: Record, console: Console, times: int
) -> list[tuple[float, float]]:
    """Order one after the other; gives the time in which each is looked at."""
    spans: list[Span] = []
    for number in range(1, times + 1):
        await trio.sleep(SETTLE_S)
        began_s = time.monotonic()
        async with Client(Whereabouts(data=cluster.data).find()) as client:
            await client.change("POST", "switchover", {"by": "bench", "reason": "measured"}, wait_s=PATIENCE_S)
        after = await until_protected(cluster, above=record.generation, within_s=PATIENCE_S)
        await trio.sleep(AFTER_S)
        spans.append((began_s, time.monotonic()))
        console.print(f"  {number}/{times}: {record.main} -> {after.main}")
        record = after
    return spans


def longest_silence(span: Span, acknowledged_s: list[float]) -> float:
    """Find the longest time within a span in which nothing was acknowledged."""
    inside = [at_s for at_s in acknowledged_s if span[0] <= at_s <= span[1]]
    edges = [span[0], *inside, span[1]]
    return max(later - earlier for earlier, later in itertools.pairwise(edges))


async def _measure(console: Console, times: int, count: int) -> tuple[list[float], Findings, list[WriterLog]]:
    root = Path(tempfile.mkdtemp(prefix="memgraph-ha-bench-"))
    cluster, ports = LocalCluster(root), choose_ports(3, None)
    left: list[str] = []
    try:
        await cluster.start([*ports.arguments(), f"--http-port={ports.gateway + 1}"])
        record = await until_protected(cluster, above=0, within_s=PATIENCE_S)
        crews = [
            Writers(cluster.gateway, count, kind=StockWriter),
            Writers(cluster.gateway, count, kind=NewcomingWriter, first=count),
        ]
        for crew in crews:
            crew.start()
        try:
            spans = await _switch_over(cluster, record, console, times)
        finally:
            left.extend(name for crew in crews for name in crew.stop())
        logs = [log for crew in crews for log in crew.logs]
        readings, _level = await read_back(cluster, within_s=PATIENCE_S)
    finally:
        with trio.CancelScope(shield=True):
            left.extend(await cluster.stop())
    if left:
        raise DrillError("\n".join(left))
    shutil.rmtree(root, ignore_errors=True)
    acknowledged_s = sorted(at_s for log in logs for at_s in log.acknowledgements())
    return [longest_silence(span, acknowledged_s) for span in spans], check(logs, readings, []), logs


@click.command()
@click.option("--switchovers", type=click.IntRange(1, 10_000), default=30, show_default=True)
@click.option("--writers", type=click.IntRange(1, 256), default=8, show_default=True, help="Of each kind.")
def main(*, switchovers: int, writers: int) -> None:
    """Measure the pauses of planned switchovers, and what was lost, refused or failed."""
    console = Console(highlight=False)
    console.print(f"{switchovers} switchovers under {writers} writers that keep their driver and {writers} that do not")
    try:
        pauses, found, logs = trio.run(_measure, console, switchovers, writers)
    except (DrillError, OperateError) as error:
        console.print(f"Error: {error}", markup=False)
        sys.exit(1)
    spread = distribution(pauses)
    refused = sum(log.failed_connects for log in logs)
    failed = sum(log.errors.total() for log in logs) - refused  # who was told to stop between two tries has no error
    lines = [
        ("acknowledged writes lost", "0", f"{found.lost:,} of {found.acknowledged:,}", not found.lost),
        ("connections refused", "0", f"{refused:,}", not refused),
        ("managed transactions failed", "0", f"{failed:,}", not failed),
        ("pause p50", "", in_words(spread.p50), None),
        ("pause p99", f"< {in_words(PAUSE_P99_S)}", in_words(spread.p99), spread.p99 < PAUSE_P99_S),
        ("pause, longest", "", in_words(spread.max), None),
    ]
    table = Table("what", "target", "measured", "met")
    for what, target, measured, met in lines:
        table.add_row(what, target, measured, "" if met is None else ("yes" if met else "NO"))
    console.print(table)
    for text, times in found.errors.items():
        console.print(f"  {times} x {text}", markup=False)
    sys.exit(1 if any(met is False for *_, met in lines) else 0)


if __name__ == "__main__":
    main()

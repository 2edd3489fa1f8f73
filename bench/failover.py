"""How long clients wait when MAIN is killed or frozen, and whether anything is lost: target, measured, met.

    python bench/failover.py --kill 100 --stop 30
    python bench/failover.py --quick
    python bench/failover.py --kill 100 --stop 30 --memgraph /usr/lib/memgraph/memgraph

The pause is measured as design 10 says: from the fault to the first acknowledged write of 8 writers that reconnect at
once. Beside it, from a shorter run, the same for the stock driver's `execute_write`. Exit code 0 if every target was
met and nothing was lost, duplicated or left running.
"""

import json
import sys
from pathlib import Path

import click
import trio
from rich.console import Console
from rich.table import Table
from rich.text import Text

from memgraph_ha.drill.conduct import Interrupted, conduct
from memgraph_ha.drill.errors import DrillError
from memgraph_ha.drill.pauses import FaultKind
from memgraph_ha.drill.plan import Plan, mix
from memgraph_ha.drill.report import GOOD_S, TARGETS_S, Report, in_words
from memgraph_ha.drill.results import DrillResult, first_pauses, to_json, writer_pauses
from memgraph_ha.runtime.usage import UsageError

STOCK_SHARE = 10
"""The stock driver's run is this many times shorter."""

NAMES = {FaultKind.KILL: "MAIN killed", FaultKind.STOP: "MAIN frozen"}

Line = tuple[str, str, str, bool | None]
"""What, target, measured, met; None where there is no target."""


@click.command()
@click.option("--kill", type=click.IntRange(0, 10_000), default=100, show_default=True, help="How many SIGKILLs.")
@click.option("--stop", type=click.IntRange(0, 10_000), default=30, show_default=True, help="How many SIGSTOPs.")
@click.option("--quick", is_flag=True, help="10 kills and 3 stops: a look, not a measurement.")
@click.option("--writers", type=click.IntRange(1, 256), default=8, show_default=True)
@click.option("--memgraph", type=click.Path(path_type=Path), help="A Memgraph binary; default: the bundled fake.")
@click.option("--port", type=click.IntRange(1, 65535), help="The gateway's port; default: 7687 or a free one.")
@click.option("--seed", type=int, default=0, show_default=True, help="The pauses between faults are drawn from it.")
@click.option("--json", "as_json", is_flag=True, help="Both drills as JSON on standard output, the rest on the other.")
def main(
    *,
    kill: int,
    stop: int,
    quick: bool,
    writers: int,
    memgraph: Path | None,
    port: int | None,
    seed: int,
    as_json: bool,
) -> None:
    """Measure the pauses after kills and freezes of MAIN, and what was lost."""
    kills, stops = (10, 3) if quick else (kill, stop)
    console = Console(stderr=as_json, highlight=False)
    plans = [
        Plan(
            title=f"{title}: {sum(counts)} faults",
            faults=mix(*counts),
            writers=writers,
            stock=stock,
            memgraph=memgraph,
            port=port,
            seed=seed,
        )
        for title, counts, stock in (
            (f"{writers} writers that reconnect at once", (kills, stops), False),
            ("the stock driver's execute_write", (_fewer(kills), _fewer(stops)), True),
        )
    ]
    try:
        results = [trio.run(_drill, plan, console) for plan in plans]
    except Interrupted as interrupted:
        console.print(str(interrupted), *interrupted.left, sep="\n", markup=False)
        sys.exit(128 + interrupted.signum)
    except (UsageError, DrillError) as error:
        console.print(f"Error: {error}", markup=False)
        sys.exit(2 if isinstance(error, UsageError) else 1)
    lines = reckon(*results)
    console.print(_table(lines))
    if as_json:
        json.dump([to_json(result) for result in results], sys.stdout, indent=1)
    sys.exit(0 if all(result.passed for result in results) and all(met is not False for *_, met in lines) else 1)


async def _drill(plan: Plan, console: Console) -> DrillResult:
    report = Report(console)
    result = await conduct(plan, report)
    report.closing(result)
    console.print()
    return result


def _fewer(count: int) -> int:
    return -(-count // STOCK_SHARE)


def reckon(fast: DrillResult, stock: DrillResult) -> list[Line]:
    """Hold what was measured against design 10.

    Args:
        fast: The drill with writers that reconnect at once.
        stock: The one with the stock driver's retries: it has no target, but must lose nothing either.
    """
    lines: list[Line] = []
    for kind, name in NAMES.items():
        if not fast.of(kind):
            continue
        first = first_pauses(fast.of(kind))
        if kind is FaultKind.KILL:
            half_s = GOOD_S[kind]
            lines.append((f"{name}, p50 of {first.count}", _below(half_s), in_words(first.p50), first.p50 < half_s))
        most_s = TARGETS_S[kind]
        lines.append((f"{name}, p99 of {first.count}", _below(most_s), in_words(first.p99), first.p99 < most_s))
        every = writer_pauses(fast.of(kind))
        lines.append(("  every writer, p50 / p99", "", f"{in_words(every.p50)} / {in_words(every.p99)}", None))
        if stock.of(kind):
            beside = first_pauses(stock.of(kind))
            figures = f"{in_words(beside.p50)} / {in_words(beside.max)}"
            lines.append((f"  stock driver, p50 / max of {beside.count}", "", figures, None))
    lines.append(("longest other silence", "", in_words(fast.other_silence_s), None))
    for name, result in (("", fast), ("stock driver: ", stock)):
        found = result.findings
        if found is None:
            lines.append((f"{name}acknowledged writes", "read back", "not read back", False))
            continue
        total = f"of {found.acknowledged:,}"
        lines.append((f"{name}acknowledged writes lost", "0", f"{found.lost:,} {total}", not found.lost))
        lines.append((f"{name}duplicated", "0", f"{found.duplicated:,} {total}", not found.duplicated))
        refused = f"{found.phantom:,} of {found.refused:,}"
        lines.append((f"{name}refused, but there", "0", refused, not found.phantom))
    return lines


def _below(seconds: float) -> str:
    return f"< {seconds:g} s"


def _table(lines: list[Line]) -> Table:
    table = Table(box=None, pad_edge=False, padding=(0, 3, 0, 0))
    for column in ("what", "target", "measured", "met"):
        table.add_column(column, justify="left" if column in ("what", "met") else "right", no_wrap=True)
    verdicts = {True: Text("met", "green"), False: Text("missed", "bold red"), None: Text()}
    for what, target, measured, met in lines:
        table.add_row(what, target, measured, verdicts[met])
    return table


if __name__ == "__main__":
    main()

"""The command `memgraph-ha soak`."""

import json
import random
import sys
from pathlib import Path
from typing import Final

import click
import trio
from rich.console import Console

from memgraph_ha.drill.conduct import Interrupted
from memgraph_ha.drill.report import evidence
from memgraph_ha.drill.soak.conduct import SoakPlan, conduct_soak
from memgraph_ha.drill.soak.documents import to_json
from memgraph_ha.drill.soak.isolation import enter, why_not_isolated
from memgraph_ha.drill.soak.screen import Screen
from memgraph_ha.runtime.usage import usage_errors

_SIGNALLED: Final = 128
_INSIDE: Final = "--already-isolated"


@click.command(short_help="Break a cluster in every way by lot, and prove that nothing is lost.")
@click.option("--faults", type=click.IntRange(1, 100_000), default=200, show_default=True, help="How many faults.")
@click.option("--minutes", type=click.FloatRange(0.1), help="After so long no further fault begins.")
@click.option("--seed", type=int, help="Repeat the same sequence of faults.")
@click.option("--memgraph", type=click.Path(path_type=Path), help="A Memgraph binary; default: the bundled fake.")
@click.option("--no-isolation", is_flag=True, help="No name spaces of its own: no link is cut, no disk is full.")
@click.option("--keep", is_flag=True, help="Keep the data directory also when all is well.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead (schema memgraph-ha/soak/1).")
@click.option(_INSIDE, "inside", is_flag=True, hidden=True)
@usage_errors
def soak(
    *,
    faults: int,
    minutes: float | None,
    seed: int | None,
    memgraph: Path | None,
    no_isolation: bool,
    keep: bool,
    as_json: bool,
    inside: bool,
) -> int:
    """Start a cluster of its own, and do faults of every kind to it by lot while sixteen clients write.

    Processes are killed, frozen, stopped and restarted, disks are wiped and filled, links are cut, controllers are
    replaced. After each fault the cluster must be whole again by itself, or wait under a documented name; then what
    that name says is done. At the end every acknowledged write is looked for on every instance. Exits with 1 if
    anything is lost or unexplained.

    \b
    Examples:
      memgraph-ha soak --faults 20
      memgraph-ha soak --minutes 60 --seed 7
      memgraph-ha soak --json > soak.json
    """  # noqa: D301 - click keeps the examples' lines by a backspace character
    chosen = random.SystemRandom().randrange(1 << 32) if seed is None else seed
    console = Console(stderr=as_json, highlight=False)
    reason = None if inside or no_isolation else why_not_isolated()
    if not inside and not no_isolation and reason is None:
        again = [
            sys.executable,
            "-P",
            "-m",
            "memgraph_ha.drill.soak",
            _INSIDE,
            f"--faults={faults}",
            f"--seed={chosen}",
        ]
        given = {f"--minutes={minutes}": minutes, f"--memgraph={memgraph}": memgraph, "--keep": keep, "--json": as_json}
        enter([*again, *(option for option, value in given.items() if value)])
    screen = Screen(console)
    screen.said(f"memgraph-ha soak: {faults} faults, seed {chosen}", "bold")
    if reason is not None:
        screen.said(f"  No link is cut and no disk is full: {reason}.", "dim")
    plan = SoakPlan(
        faults=faults,
        seed=chosen,
        isolated=inside,
        minutes=float("inf") if minutes is None else minutes,
        memgraph=memgraph,
        keep=keep,
    )
    return trio.run(run_soak, plan, screen, console, as_json)


async def run_soak(plan: SoakPlan, screen: Screen, console: Console, as_json: bool) -> int:
    """Do a soak and show what it found.

    Returns:
        The exit code: 0 if nothing was lost and everything explained, 1 if not, 128 plus the number of a signal.

    Raises:
        UsageError: The binary that the user named cannot be used; nothing was started.
    """
    try:
        result = await conduct_soak(plan, screen)
    except Interrupted as interrupted:
        for line in interrupted.left:
            screen.said(f"  was left and had to be killed: {line}", "bold red")
        screen.said("Interrupted; everything was stopped.", "yellow")
        if interrupted.root is not None:
            console.print(*evidence(interrupted.root), sep="\n", markup=False, soft_wrap=True)
        return _SIGNALLED + interrupted.signum
    screen.closing(result)
    if as_json:
        json.dump(to_json(result), sys.stdout, indent=1)
        sys.stdout.write("\n")
    return 0 if result.passed else 1

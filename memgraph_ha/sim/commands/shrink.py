"""The command `memgraph-ha sim shrink`."""

from __future__ import annotations

import json
from pathlib import Path

import click
from rich.console import Console

from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.fuzz.finding import make_small, write_down
from memgraph_ha.sim.fuzz.lasting import lasting
from memgraph_ha.sim.fuzz.screen import Screen
from memgraph_ha.sim.fuzz.swarm import draw
from memgraph_ha.sim.helping import SimCommand
from memgraph_ha.sim.scenario.errors import ScenarioError
from memgraph_ha.sim.scenario.load import load
from memgraph_ha.sim.scenario.model import Scenario

EXAMPLES = (
    "memgraph-ha sim shrink finds/s1-fuzz-4711.toml",
    "memgraph-ha sim shrink --seed 4711 --time 10m",
)


@click.command(cls=SimCommand, examples=EXAMPLES)
@click.argument("file", required=False, type=click.Path(path_type=Path, exists=True, dir_okay=False))
@click.option("--seed", type=click.IntRange(0), help="The random life of that seed, instead of a file.")
@click.option(
    "--time", "time_s", metavar="TIME", callback=lasting, default="5m", show_default=True, help="How long it may take."
)
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("finds"),
    show_default=True,
    help="Where the smaller scenario is written.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead (schema memgraph-ha/shrink/1).")
@click.pass_context
def shrink(ctx: click.Context, *, file: Path | None, seed: int | None, time_s: float, out: Path, as_json: bool) -> None:
    """Make a failing scenario as small as it can be: fewer faults, rounder times, a plainer cluster, policy, clients.

    A smaller one counts only if the same promise is broken. Exits with 0 if one is written, and with 1 if the
    scenario does not fail.
    """
    scenario = _scenario(ctx, file, seed)
    with Screen(None, f"shrinking {scenario.name}") as screen:
        small, wanted, tries = make_small(
            scenario, time_s, lambda smaller, tries: screen.at(tries, f"{len(smaller.faults)} faults left")
        )
    if wanted is None:
        click.echo(f"{scenario.name} does not fail: there is nothing to make smaller", err=True)
        ctx.exit(Exit.UNMET)
    origin = f"`memgraph-ha sim fuzz --seed {seed} --runs 1`" if file is None else file.name
    written = write_down(small, wanted, out, origin)
    if as_json:
        document = {
            "schema": "memgraph-ha/shrink/1",
            "file": str(written),
            "check": wanted.check,
            "hold": wanted.hold or None,
            "tries": tries,
            "faults": {"before": len(scenario.faults), "after": len(small.faults)},
        }
        click.echo(json.dumps(document, indent=1))
    else:
        faults = f"{len(scenario.faults)} faults to {len(small.faults)}"
        Console(highlight=False).print(f"{wanted.check}: {faults} in {tries} tries: {written}", soft_wrap=True)


def _scenario(ctx: click.Context, file: Path | None, seed: int | None) -> Scenario:
    if (file is None) is (seed is None):
        raise click.UsageError("give either a scenario FILE or --seed", ctx)
    if file is None:
        return draw(int(seed or 0))
    try:
        runs = load(file)
    except ScenarioError as error:
        raise click.UsageError(str(error), ctx) from error
    if len(runs) > 1:
        raise click.UsageError(
            f"{file}: it sweeps {len(runs)} runs; write the one that fails to a file of its own", ctx
        )
    return runs[0]

"""The command `memgraph-ha sim run`."""

from __future__ import annotations

import json
import os
import time
from pathlib import Path

import click
from rich.console import Console

from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.fuzz.screen import Screen
from memgraph_ha.sim.helping import SimCommand
from memgraph_ha.sim.replay.opening import rules_without
from memgraph_ha.sim.scenario.errors import ScenarioError
from memgraph_ha.sim.scenario.model import PLATFORMS
from memgraph_ha.sim.scenario.recording import trace_name
from memgraph_ha.sim.scenario.report import line, story, to_json, to_junit
from memgraph_ha.sim.scenario.shelf import SHIPPED, find
from memgraph_ha.sim.scenario.suite import Job, Outcome, gravest, jobs, play_all

EXAMPLES = (
    "memgraph-ha sim run",
    "memgraph-ha sim run A3 B2-standby-then-main",
    "memgraph-ha sim run finds/ --json | jq .runs[].reason",
    "memgraph-ha sim run A3-hang --without O10",
    "memgraph-ha sim run --platform kubernetes",
)


@click.command(cls=SimCommand, examples=EXAMPLES)
@click.argument("scenarios", nargs=-1, metavar="[FILE|ID|DIR]...")
@click.option("-j", "--jobs", "processes", type=click.IntRange(1), help="How many at a time; default: one per core.")
@click.option("--seed", type=click.IntRange(0), help="Of the dice, instead of each scenario's own.")
@click.option(
    "--platform", type=click.Choice(PLATFORMS), help="What starts and stops instances, instead of each's own."
)
@click.option("--without", multiple=True, metavar="RULE", help="Take a rule out, by its id; may be repeated.")
@click.option(
    "--trace", "traces", type=click.Path(path_type=Path, file_okay=False), help="Keep the trace of each run there."
)
@click.option("--junit", type=click.Path(path_type=Path, dir_okay=False), help="Write a report for CI there.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead (schema memgraph-ha/sim-run/1).")
@click.pass_context
def run(
    ctx: click.Context,
    *,
    scenarios: tuple[str, ...],
    processes: int | None,
    seed: int | None,
    platform: str | None,
    without: tuple[str, ...],
    traces: Path | None,
    junit: Path | None,
    as_json: bool,
) -> None:
    """Play scenarios, each from a whole cluster to a whole cluster; without arguments all that are shipped.

    A scenario is a file, a folder of them, an id (A3-hang), one run of a file that sweeps (A3-hang/for=2s), or an
    entry of the catalogue (A3). The promises S1-S14 and L1-L9 are checked in every run, whatever the file expects.
    """
    rules_without(without)
    try:
        todo = jobs(find(scenarios), seed, without, traces, platform)
    except ScenarioError as error:
        raise click.UsageError(str(error), ctx) from error
    if traces is not None:
        traces.mkdir(parents=True, exist_ok=True)
    began_s = time.perf_counter()
    outcomes = _played(todo, processes or len(os.sched_getaffinity(0)), as_json=as_json)
    took_s, code = time.perf_counter() - began_s, gravest(outcomes)
    if junit is not None:
        junit.write_bytes(to_junit(outcomes))
    if as_json:
        click.echo(json.dumps(to_json(outcomes, code, took_s), indent=1))
    else:
        failed = sum(outcome.exit is not Exit.OK for outcome in outcomes)
        click.echo(f"{len(outcomes)} runs in {took_s:.1f} s, {failed} failed")
    ctx.exit(code)


def _played(todo: list[Job], processes: int, *, as_json: bool) -> list[Outcome]:
    console, outcomes = Console(highlight=False, soft_wrap=True), []
    with Screen(len(todo), "scenarios") as screen:
        for job, outcome in zip(todo, play_all(todo, processes), strict=True):
            outcomes.append(outcome)
            if not as_json:
                console.print(line(outcome))
                if outcome.exit is not Exit.OK:
                    console.print(story(outcome, _again(job)), end="")
            screen.at(len(outcomes), outcome.name)
    return outcomes


def _again(job: Job) -> str:
    """The command that shows one run from its beginning to its end."""
    if job.trace is not None:
        return f"memgraph-ha sim render {job.trace}"
    seed = "" if job.seed is None else f" --seed {job.seed}"
    seed += "" if job.platform is None else f" --platform {job.platform}"
    without = "".join(f" --without {rule}" for rule in job.without)
    shipped = job.path.is_relative_to(SHIPPED)
    run = job.scenario.name if shipped else str(job.path)
    return f"memgraph-ha sim run {run}{seed}{without} --trace . && memgraph-ha sim render {trace_name(job.scenario)}"

"""The command `memgraph-ha sim fuzz`."""

from __future__ import annotations

import json
import os
from pathlib import Path

import click
from rich.console import Console

from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.fuzz.campaign import Plan, conduct
from memgraph_ha.sim.fuzz.finding import make_small, write_down
from memgraph_ha.sim.fuzz.lasting import lasting
from memgraph_ha.sim.fuzz.outcome import Outcome
from memgraph_ha.sim.fuzz.report import again, find, never_fired, never_seen, pace, summary
from memgraph_ha.sim.fuzz.screen import Screen
from memgraph_ha.sim.fuzz.swarm import draw
from memgraph_ha.sim.fuzz.tally import Tally, to_json
from memgraph_ha.sim.helping import SimCommand

EXAMPLES = (
    "memgraph-ha sim fuzz --runs 200",
    "memgraph-ha sim fuzz --time 10m --resume night.json",
    "memgraph-ha sim fuzz --seed 4711 --runs 1",
)


@click.command(cls=SimCommand, examples=EXAMPLES)
@click.option("--runs", type=click.IntRange(1), default=1000, show_default=True, help="How many lives.")
@click.option("--seed", type=click.IntRange(0), default=0, show_default=True, help="The seed of the first life.")
@click.option(
    "--time", "time_s", metavar="TIME", callback=lasting, help="No further life is begun after so long, e.g. 10m."
)
@click.option("-j", "--jobs", type=click.IntRange(1), help="How many at a time; default: one for each core.")
@click.option(
    "--resume", type=click.Path(path_type=Path, dir_okay=False), help="Keep the campaign there, and go on with it."
)
@click.option("--finds", type=click.IntRange(1), default=10, show_default=True, help="End after so many finds.")
@click.option("--twice", is_flag=True, help="Play every life twice: it must be the same history.")
@click.option("--all-marks", is_flag=True, help="Exit with 1 if one of the `sometimes` situations never came up.")
@click.option(
    "--out",
    type=click.Path(path_type=Path, file_okay=False),
    default=Path("finds"),
    show_default=True,
    help="Where the scenario of each find is written.",
)
@click.option(
    "--shrink-for",
    metavar="TIME",
    callback=lasting,
    default="60s",
    show_default=True,
    help="How long a find is made smaller; 0s: not.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead (schema memgraph-ha/fuzz/1).")
@click.pass_context
def fuzz(
    ctx: click.Context,
    *,
    runs: int,
    seed: int,
    time_s: float | None,
    jobs: int | None,
    resume: Path | None,
    finds: int,
    twice: bool,
    all_marks: bool,
    out: Path,
    shrink_for: float,
    as_json: bool,
) -> None:
    """Play random lives, and shrink whatever breaks a promise.

    Each life is drawn from its seed alone: a cluster, its policy, its clients, and faults of a few kinds. After the
    faults everything is healed; then the cluster must come back by itself, with every acknowledged write. The same
    seed is the same history on every machine; what is found is written to a scenario file for `sim run`.
    """
    plan = Plan(
        first=seed,
        runs=runs,
        jobs=jobs or len(os.sched_getaffinity(0)),
        time_s=time_s,
        finds=finds,
        twice=twice,
        file=resume,
    )
    with Screen(runs, "lives") as screen:

        def told(tally: Tally, outcome: Outcome) -> None:
            screen.at(tally.runs, f"{pace(tally)}, {len(tally.finds)} finds")
            if outcome.is_find:
                screen.say(find(outcome))

        try:
            tally = conduct(plan, told)
        except ValueError as error:
            raise click.UsageError(str(error), ctx) from error
    files = {outcome.seed: _written(outcome, out, shrink_for) for outcome in tally.finds}
    if as_json:
        click.echo(json.dumps(_document(tally, files), indent=1))
    else:
        Console(highlight=False).print(summary(tally), *_lines(files), sep="\n", soft_wrap=True)
    ctx.exit(Exit.UNMET if tally.exit is Exit.OK and all_marks and never_seen(tally) else tally.exit)


def _written(outcome: Outcome, out: Path, shrink_for: float) -> Path | None:
    """Make a find small and write it down; None if it does not break a promise when it is played again."""
    scenario = draw(outcome.seed)
    with Screen(None, f"shrinking seed {outcome.seed}") as screen:
        small, wanted, _ = make_small(
            scenario, shrink_for, lambda smaller, tries: screen.at(tries, f"{len(smaller.faults)} faults left")
        )
    return None if wanted is None else write_down(small, wanted, out, f"`{again(outcome)}`")


def _document(tally: Tally, files: dict[int, Path | None]) -> dict[str, object]:
    return {
        **to_json(tally),
        "marks_never_seen": [mark.word for mark in never_seen(tally)],
        "rules_never_fired": list(never_fired(tally)),
        "scenarios": {str(seed): None if file is None else str(file) for seed, file in files.items()},
        "runs_per_s": tally.runs_per_s,
        "cluster_hours_per_s": tally.cluster_hours_per_s,
        "exit": int(tally.exit),
    }


def _lines(files: dict[int, Path | None]) -> list[str]:
    return [
        f"seed {seed}: memgraph-ha sim run {file}" if file is not None else f"seed {seed}: did not fail again"
        for seed, file in files.items()
    ]

"""`memgraph-ha sim check`: its command line."""

import json
import sys
import time
from pathlib import Path
from typing import Any

import click
from rich.console import Console

from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.helping import SimCommand
from memgraph_ha.sim.search.pace import Pace
from memgraph_ha.sim.search.plants import PLANTS
from memgraph_ha.sim.search.policies import POLICIES
from memgraph_ha.sim.search.report import Options
from memgraph_ha.sim.search.several import Findings, search_all
from memgraph_ha.sim.search.verbs import FAULTS

_EXAMPLES = (
    "memgraph-ha sim check",
    "memgraph-ha sim check --faults 2 --policy all --jobs 2",
    "memgraph-ha sim check --faults 1 --pace any",
    "memgraph-ha sim check --faults 2 --plant keep-name-after-restart --out found.toml",
    "memgraph-ha sim check --without U10 --kinds crash,wipe",
)


@click.command(cls=SimCommand, examples=_EXAMPLES, short_help="Search a small world exhaustively for broken promises.")
@click.option("--faults", type=click.IntRange(0, 4), default=1, show_default=True, help="How many faults may happen.")
@click.option(
    "--policy",
    type=click.Choice([*POLICIES, "all"]),
    default="default",
    show_default=True,
    help="Whose choices: a named policy, or each in turn.",
)
@click.option("--kinds", help=f"Only these faults, by name with commas: {', '.join(FAULTS)}.")
@click.option(
    "--pace",
    type=click.Choice([pace.value for pace in Pace]),
    default=Pace.PROMPT.value,
    show_default=True,
    help="Whether controllers are faster than heartbeats and restarts; `any` takes many times as long.",
)
@click.option("--without", "taken_out", multiple=True, metavar="RULE", help="Leave a rule out, to see what it is for.")
@click.option("--plant", type=click.Choice(sorted(PLANTS)), help="Search wrong rules, to see that it is found out.")
@click.option("-j", "--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="How many at a time.")
@click.option("--limit", type=click.IntRange(1), help="Stop after so many states; then nothing is proven.")
@click.option("--pairs", is_flag=True, help="List neighbouring rules that match together (several times as slow).")
@click.option(
    "--out", type=click.Path(path_type=Path, dir_okay=False), help="Write the shortest counterexample as a scenario."
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead (schema memgraph-ha/check/1).")
@click.pass_context
def check(
    ctx: click.Context,
    *,
    faults: int,
    policy: str,
    kinds: str | None,
    pace: str,
    taken_out: tuple[str, ...],
    plant: str | None,
    jobs: int,
    limit: int | None,
    pairs: bool,
    out: Path | None,
    as_json: bool,
) -> None:
    """Search every history of a small world: two controllers, three instances, and so many faults at any moment.

    The rules are the ones that ship, asked through observe and decide. Every state and every step is checked for the
    promises; afterwards, backwards from the states in which all is well, whether each other one can come back to one,
    or waits for a human by a documented name. What the small world leaves out is in docs/explanation/search.md.
    """
    wanted = frozenset(FAULTS) if kinds is None else frozenset(kinds.split(","))
    unknown = sorted(wanted - set(FAULTS))
    if unknown:
        raise click.UsageError(f"--kinds: {unknown[0]!r} is no fault; allowed are {', '.join(FAULTS)}")
    options = Options(
        faults=faults,
        kinds=wanted,
        pace=Pace(pace),
        taken_out=taken_out,
        plant=plant,
        limit=limit,
        pairs=pairs,
    )
    names = list(POLICIES) if policy == "all" else [policy]
    found: list[Findings] = []
    try:
        for findings in search_all(names, options, jobs=jobs, progress=_progress()):
            found.append(findings)
            if not as_json:
                click.echo("\n".join(findings.lines))
            if findings.exit is not Exit.OK:
                break
    except ValueError as error:
        raise click.UsageError(str(error)) from error
    broken = next((findings.scenario for findings in found if findings.scenario is not None), None)
    if out is not None and broken is not None:
        out.write_text(broken, encoding="utf-8")
    if as_json:
        searches = [findings.document for findings in found]
        click.echo(json.dumps({"schema": "memgraph-ha/check/1", "searches": searches}))
    ctx.exit(max((findings.exit for findings in found), default=Exit.OK))


def _progress() -> Any:
    """A line on a terminal's stderr, at most twice a second; nothing elsewhere."""
    if not sys.stderr.isatty():
        return None
    console, last_s = Console(stderr=True), [time.monotonic()]

    def tell(found: int, done: int, depth: int) -> None:
        if time.monotonic() - last_s[0] >= 0.5:  # noqa: PLR2004 - said above
            last_s[0] = time.monotonic()
            console.print(f"{done:,} of {found:,} states, {depth} steps deep", end="\r", highlight=False)

    return tell

"""The command `memgraph-ha sim mutate`."""

import json
from contextlib import ExitStack
from pathlib import Path
from typing import Final

import click
from rich.text import Text

from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.fuzz.screen import Screen
from memgraph_ha.sim.helping import SimCommand
from memgraph_ha.sim.mutate import campaign, table
from memgraph_ha.sim.mutate.campaign import Order, UnknownMutantError
from memgraph_ha.sim.mutate.detector import UnfitError
from memgraph_ha.sim.mutate.equivalent import StaleTableError
from memgraph_ha.sim.mutate.operators import OPERATORS
from memgraph_ha.sim.mutate.report import Fate, Outcome, document, lines, together
from memgraph_ha.sim.mutate.session import SessionError
from memgraph_ha.sim.mutate.sites import FILES
from memgraph_ha.sim.scenario.errors import ScenarioError
from memgraph_ha.sim.scenario.load import load
from memgraph_ha.sim.scenario.model import Scenario
from memgraph_ha.sim.scenario.shelf import find

EXAMPLES: Final = (
    "memgraph-ha sim mutate --sample 50 --seed 7",
    "memgraph-ha sim mutate --file rules/loss.py --tests tests/core --tests tests/property",
    "memgraph-ha sim mutate A7 --mutant 'rules/__init__.py:L20:moved-before L15'",
    "memgraph-ha sim mutate --resume night.jsonl -j 8 --json > mutants.json",
)


@click.command(cls=SimCommand, examples=EXAMPLES)
@click.argument("scenarios", nargs=-1, metavar="[SCENARIO]...")
@click.option(
    "--file", "files", multiple=True, type=click.Choice((*FILES, table.FILE)), help="Only mutants of this one."
)
@click.option(
    "--operator",
    "operators",
    multiple=True,
    type=click.Choice((*OPERATORS, *table.OPERATORS)),
    help="Only this kind of mistake.",
)
@click.option("--mutant", "ids", multiple=True, metavar="ID", help="Only this one, as --list names it.")
@click.option("--sample", type=click.IntRange(1), help="Only so many, drawn by --seed.")
@click.option("--seed", type=int, default=1, show_default=True, help="Of the draw and of the order.")
@click.option("--no-scenarios", is_flag=True, help="Neither views nor scenarios look: nothing is played before.")
@click.option("--faults", type=click.IntRange(0, 3), help="Search the small world too, with so many faults.")
@click.option("--lives", type=click.IntRange(0), default=0, show_default=True, help="Random lives that look as well.")
@click.option("--tests", multiple=True, help="Tests that look as well (a path, as pytest takes it; needs pytest).")
@click.option("--thorough", is_flag=True, help="Ask every detector, also after one has noticed: scores compare.")
@click.option("--patience", type=click.FloatRange(1), default=60.0, show_default=True, help="Seconds a detector has.")
@click.option("-j", "--jobs", type=click.IntRange(1, 256), default=1, show_default=True, help="How many at a time.")
@click.option(
    "--resume", type=click.Path(path_type=Path, dir_okay=False), help="Keep what is known, and go on with it."
)
@click.option("--least", type=click.FloatRange(0, 100), default=95.0, show_default=True, help="Percent; below: exit 1.")
@click.option("--list", "listed", is_flag=True, help="Only list the mutants.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead (schema memgraph-ha/mutate/1).")
@click.pass_context
def mutate(
    ctx: click.Context,
    *,
    scenarios: tuple[str, ...],
    files: tuple[str, ...],
    operators: tuple[str, ...],
    ids: tuple[str, ...],
    sample: int | None,
    seed: int,
    no_scenarios: bool,
    faults: int | None,
    lives: int,
    tests: tuple[str, ...],
    thorough: bool,
    patience: float,
    jobs: int,
    resume: Path | None,
    least: float,
    listed: bool,
    as_json: bool,
) -> None:
    """Break the rules one by one, and see who notices.

    Each mutant is one mistake: a guard left out, a rule moved, a name kept, a run not compared. It is planted in
    memory and shown, until something notices, to promises on views, to tests, to SCENARIOS (as `sim run` names them;
    default: all), to the small world and to random lives. None of them knows what the right rules did: each knows
    what must be. What the type checker refuses is no mistake that could last, and is not counted; nor is what does
    the same.
    """
    try:
        order = Order(
            scenarios=() if no_scenarios or listed else _runs(scenarios),
            faults=faults,
            lives=lives,
            tests=tests,
            files=files,
            operators=operators,
            ids=ids,
            sample=sample,
            seed=seed,
            thorough=thorough,
            patience_s=patience,
            jobs=jobs,
            resume=resume,
        )
        if listed:
            for mutant in sorted(campaign.chosen(order), key=lambda each: (each.file, each.lines, each.id)):
                click.echo(f"{mutant.id}  {mutant.function}: {mutant.before}  ->  {mutant.after}")
            return
        with ExitStack() as stack:
            outcomes = campaign.hunted(order, _Shown(stack))
    except (ScenarioError, SessionError, StaleTableError, UnfitError, UnknownMutantError) as error:
        click.echo(f"Error: {error}", err=True)
        ctx.exit(Exit.USAGE)
    if as_json:
        click.echo(json.dumps(document(outcomes), indent=1))
    else:
        for line in lines(outcomes):
            click.echo(line)
    ctx.exit(Exit.OK if together(outcomes).percent >= least else Exit.UNMET)


def _runs(wanted: tuple[str, ...]) -> tuple[Scenario, ...]:
    """The runs of the scenarios that are named; a file for the small world is the search's."""
    return tuple(run for path, name in find(wanted) for run in load(path) if name in ("", run.run))


class _Shown(campaign.Progress):
    """Shows on a terminal's standard error how far it is: one bar after the other."""

    def __init__(self, stack: ExitStack) -> None:
        self._stack = stack
        self._screen: Screen | None = None
        self._done = 0

    def stage(self, what: str, steps: int) -> None:
        """Begin a new bar."""
        self._stack.close()
        self._screen, self._done = self._stack.enter_context(Screen(steps, what)), 0

    def step(self, name: str) -> None:
        """Go on by one."""
        self._done += 1
        if self._screen is not None:
            self._screen.at(self._done, name)

    def outcome(self, outcome: Outcome) -> None:
        """Say above the bar which mutant survived."""
        if outcome.fate is Fate.SURVIVED and self._screen is not None:
            mutant = outcome.mutant
            self._screen.say(Text(f"survived {mutant.id}: {mutant.before} -> {mutant.after}"))

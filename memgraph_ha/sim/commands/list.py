"""The command `memgraph-ha sim list`."""

from __future__ import annotations

import json

import click
from rich.console import Console
from rich.table import Table

from memgraph_ha.sim.helping import SimCommand
from memgraph_ha.sim.scenario.errors import ScenarioError
from memgraph_ha.sim.scenario.load import load
from memgraph_ha.sim.scenario.model import Scenario
from memgraph_ha.sim.scenario.questions import QUESTIONS
from memgraph_ha.sim.scenario.report import list_json, rules_of
from memgraph_ha.sim.scenario.shelf import find
from memgraph_ha.sim.scenario.verbs import VERBS

EXAMPLES = (
    "memgraph-ha sim list",
    "memgraph-ha sim list A3 --rules",
    "memgraph-ha sim list --verbs",
)


@click.command(cls=SimCommand, examples=EXAMPLES)
@click.argument("scenarios", nargs=-1, metavar="[FILE|ID|DIR]...")
@click.option("--rules", "by_rule", is_flag=True, help="Say for each rule which scenarios justify it.")
@click.option("--verbs", is_flag=True, help="List what a scenario can do and ask instead.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead (schema memgraph-ha/sim-list/1).")
@click.pass_context
def list(  # noqa: A001 - the name of the verb, by which the table of verbs finds it
    ctx: click.Context, *, scenarios: tuple[str, ...], by_rule: bool, verbs: bool, as_json: bool
) -> None:
    """List the scenarios, what they are for and which rules they justify."""
    if verbs:
        Console(highlight=False).print(_verbs(), _questions())
        return
    try:
        runs = {str(path): load(path) for path, _ in find(scenarios)}
    except ScenarioError as error:
        raise click.UsageError(str(error), ctx) from error
    if as_json:
        click.echo(json.dumps(list_json(runs), indent=1))
    elif by_rule:
        for rule, ids in rules_of(one for file in runs.values() for one in file).items():
            click.echo(f"{rule}  {', '.join(ids)}")
    else:
        Console(highlight=False).print(_files(runs))
        click.echo(f"{len(runs)} files, {sum(map(len, runs.values()))} runs")


def _files(runs: dict[str, tuple[Scenario, ...]]) -> Table:
    table = Table("id", "runs", "what", "rules", "tags", box=None, pad_edge=False)
    for file in runs.values():
        one = file[0]
        table.add_row(one.id, str(len(file)), one.title, " ".join(one.rules), " ".join(one.tags))
    return table


def _verbs() -> Table:
    table = Table("verb", "arguments", "what it does", box=None, pad_edge=False)
    for verb in VERBS.values():
        args = "\n".join(f"{name}: {arg.allowed}" for name, arg in verb.args.items())
        table.add_row(verb.name, args, verb.text)
    return table


def _questions() -> Table:
    table = Table("word", "what it says", box=None, pad_edge=False)
    for name, question in QUESTIONS.items():
        table.add_row(f"{name}({', '.join(question.args)})" if question.args else name, question.text)
    return table

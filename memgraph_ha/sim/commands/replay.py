"""The command `memgraph-ha sim replay`."""

import json
from pathlib import Path

import click
from rich.console import Console

from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.helping import SimCommand
from memgraph_ha.sim.replay.documents import comparison_document
from memgraph_ha.sim.replay.opening import compared, notes, open_trace, usage_errors
from memgraph_ha.sim.replay.telling import tell_difference, tell_rules

EXAMPLES = (
    "memgraph-ha sim replay incident.jsonl",
    "memgraph-ha sim replay incident.jsonl --json | jq .first.seq",
)


@click.command(cls=SimCommand, examples=EXAMPLES)
@click.argument("trace", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead (schema memgraph-ha/trace-comparison/1)."
)
@click.pass_context
def replay(ctx: click.Context, *, trace: Path, as_json: bool) -> None:
    """Feed a trace's facts to today's rules: do they decide the same?

    Every decision is made again from what the controller was told until then, at the instant at which it was made, and
    compared field by field. The first that differs is shown, and ends it.
    """
    with usage_errors(ctx):
        file, header = open_trace(trace)
        found = compared(file, strict=True)
    code = Exit.OK if found.first is None else Exit.DIFFERENT
    if as_json:
        click.echo(json.dumps(comparison_document(file, header, found, ()), indent=1))
        ctx.exit(code)
    console = Console(highlight=False, soft_wrap=True)
    for line in notes(file):
        console.print(line, markup=False)
    if found.first is None:
        console.print(f"all {found.ticks} decisions are the same")
    else:
        console.print(f"the first {found.same} decisions are the same; then:")
        for told in (*tell_difference(found.first, found.begin_s), *tell_rules(header)):
            console.print(told)
        console.print(f"where else, and whether it matters: memgraph-ha sim diff {trace}", markup=False)
    ctx.exit(code)

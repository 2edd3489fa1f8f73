"""The command `memgraph-ha sim diff`."""

import json
from pathlib import Path

import click
from rich.console import Console

from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.helping import SimCommand
from memgraph_ha.sim.replay.documents import comparison_document
from memgraph_ha.sim.replay.opening import compared, notes, open_trace, rules_without, usage_errors
from memgraph_ha.sim.replay.telling import tell_comparison, tell_difference, tell_rules

EXAMPLES = (
    "memgraph-ha sim diff incident.jsonl",
    "memgraph-ha sim diff incident.jsonl --without L30",
    "memgraph-ha sim diff incident.jsonl --json | jq .act.fields",
)


@click.command(cls=SimCommand, examples=EXAMPLES)
@click.argument("trace", type=click.Path(path_type=Path, dir_okay=False))
@click.option("--without", multiple=True, metavar="RULE", help="Leave a rule out, by its id; may be repeated.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead (schema memgraph-ha/trace-comparison/1)."
)
@click.pass_context
def diff(ctx: click.Context, *, trace: Path, without: tuple[str, ...], as_json: bool) -> None:
    """Say where today's rules decide otherwise than a trace.

    A decision with other commands or another route ends it, with exit code 6: what the controller was told after that
    is no consequence of today's rules any more. Decisions that differ only in their rule, reason or hold are counted.
    """
    rules = rules_without(without)
    with usage_errors(ctx):
        file, header = open_trace(trace)
        found = compared(file, rules)
    code = Exit.OK if found.act is None else Exit.DIFFERENT
    if as_json:
        click.echo(json.dumps(comparison_document(file, header, found, without), indent=1))
        ctx.exit(code)
    console = Console(highlight=False, soft_wrap=True)
    for line in (*notes(file), *tell_rules(header), *tell_comparison(found)):
        console.print(line, markup=False)
    if found.act is not None:
        console.print("then the first that asks for something else; what follows is no consequence of these rules:")
        console.print(*tell_difference(found.act, found.begin_s), sep="\n")
        console.print(
            f"why it was so then: memgraph-ha sim explain {trace} --seq {found.act.step.line.seq}", markup=False
        )
    elif found.first is not None:
        console.print("the first that differs:")
        console.print(*tell_difference(found.first, found.begin_s), sep="\n")
    ctx.exit(code)

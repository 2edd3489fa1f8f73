"""The command `memgraph-ha sim explain`."""

import json
from datetime import UTC, datetime
from pathlib import Path

import click
from rich.console import Console

from memgraph_ha.sim.helping import SimCommand
from memgraph_ha.sim.replay.documents import explanation_document
from memgraph_ha.sim.replay.explaining import DEPTH, explain_tick
from memgraph_ha.sim.replay.finding import Wanted, find
from memgraph_ha.sim.replay.opening import Watched, notes, open_trace, usage_errors
from memgraph_ha.sim.replay.telling import tell

EXAMPLES = (
    "memgraph-ha sim explain incident.jsonl",
    "memgraph-ha sim explain incident.jsonl --rule L30",
    "memgraph-ha sim explain incident.jsonl --at 12.5",
    "memgraph-ha sim explain incident.jsonl --at 2026-03-01T03:12:40",
    "memgraph-ha sim explain incident.jsonl --seq 812 --all",
)


def _moment(ctx: click.Context, param: click.Parameter, text: str | None) -> tuple[float, bool] | None:
    """Read a moment; the flag says whether its seconds count from 1970."""
    if text is None:
        return None
    try:
        return float(text), False
    except ValueError:
        pass
    try:
        read = datetime.fromisoformat(text)
    except ValueError:
        trouble = f"{text!r} is neither seconds nor a time, e.g. 12.5 or 2026-03-01T03:12:40"
        raise click.BadParameter(trouble, ctx, param) from None
    return (read if read.tzinfo else read.replace(tzinfo=UTC)).timestamp(), True


@click.command(cls=SimCommand, examples=EXAMPLES)
@click.argument("trace", type=click.Path(path_type=Path, dir_okay=False))
@click.option(
    "--seq", "number", type=click.IntRange(1), help="The decision with that number, or that of a fact or a command."
)
@click.option(
    "--at",
    callback=_moment,
    metavar="TIME",
    help="The last decision until then: seconds since the trace begins, or a time (UTC if it names no zone).",
)
@click.option("--rule", help="The last time that this rule began to decide, by its id.")
@click.option("--last", is_flag=True, help="The last decision that was no routine; so it is without any option.")
@click.option("--who", help="Only this controller's decisions.")
@click.option(
    "--depth",
    type=click.IntRange(0, 20),
    default=DEPTH,
    show_default=True,
    help="How many commands back the way is followed.",
)
@click.option("--all", "every", is_flag=True, help="Say of every rule what stopped it.")
@click.option(
    "--json", "as_json", is_flag=True, help="Print one JSON object instead (schema memgraph-ha/trace-explanation/1)."
)
@click.pass_context
def explain(
    ctx: click.Context,
    *,
    trace: Path,
    number: int | None,
    at: tuple[float, bool] | None,
    rule: str | None,
    last: bool,
    who: str | None,
    depth: int,
    every: bool,
    as_json: bool,
) -> None:
    """Walk back from a decision of a trace to its causes.

    A cause is something without which today's rules would have decided otherwise; that is tried out for everything that
    the controller knew. For each it is said who made it so, and which rules nearly fired instead.
    """
    if sum((number is not None, at is not None, rule is not None, last)) > 1:
        raise click.UsageError("--seq, --at, --rule and --last each choose a decision: give one of them", ctx)
    wanted = Wanted(
        seq=number,
        at=None if at is None else at[0],
        wall=at is not None and at[1],
        rule=None if rule is None else rule.upper(),
        who=who,
    )
    with usage_errors(ctx):
        file, _header = open_trace(trace)
        seq = find(Watched(file, "looking for it"), wanted)
        found = explain_tick(Watched(file, "explaining it"), seq, depth=depth, every=every)
    if as_json:
        click.echo(json.dumps(explanation_document(found), indent=1))
        return
    console = Console(highlight=False, soft_wrap=True)
    for line in (*notes(file), *tell(found)):
        console.print(line, markup=False)

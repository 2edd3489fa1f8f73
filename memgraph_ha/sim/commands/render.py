"""`memgraph-ha sim render`: a trace as a page, a picture, or text."""

import sys
from pathlib import Path
from typing import Final

import click
from rich.console import Console

from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.helping import SimCommand
from memgraph_ha.sim.render.build import Window, timeline_of
from memgraph_ha.sim.render.draw import PLOT
from memgraph_ha.sim.render.model import Timeline, Tone
from memgraph_ha.sim.render.page import page, picture
from memgraph_ha.sim.render.scale import Scale
from memgraph_ha.sim.render.text import summary_lines, text_lines
from memgraph_ha.trace.errors import TraceError
from memgraph_ha.trace.reading import read_trace

EXAMPLES: Final = (
    "memgraph-ha sim render trace.jsonl",
    "memgraph-ha sim render trace.jsonl --output failover.html --from 20 --to 50",
    "memgraph-ha sim render trace.jsonl --as text",
    "diff <(memgraph-ha sim render a.jsonl --as text) <(memgraph-ha sim render b.jsonl --as text)",
)

_COLOURS: Final = {Tone.OK: "green", Tone.INFO: "cyan", Tone.SOFT: None, Tone.WARN: "yellow", Tone.BAD: "red"}


@click.command(cls=SimCommand, examples=EXAMPLES)
@click.argument("trace", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@click.option(
    "--as",
    "form",
    type=click.Choice(["html", "svg", "text"]),
    default="html",
    show_default=True,
    help="A page that holds everything; a picture of one window; or one line per event.",
)
@click.option(
    "--output",
    "-o",
    type=click.Path(dir_okay=False, writable=True, allow_dash=True, path_type=Path),
    help="Where to; - is the standard output. Default: beside TRACE, with .html or .svg; text is printed.",
)
@click.option("--from", "start_s", type=float, help="Only from this second of the trace on.")
@click.option("--to", "end_s", type=float, help="Only until this second of the trace.")
@click.option("--title", help="What to call it. Default: the name of the file.")
@click.option("--seq", is_flag=True, help="Text: begin each line with its number for `sim explain TRACE --seq N`.")
def render(
    *,
    trace: Path,
    form: str,
    output: Path | None,
    start_s: float | None,
    end_s: float | None,
    title: str | None,
    seq: bool,
) -> None:
    """Draw TRACE as a timeline: who led, what each decided and why, and what clients felt.

    The page needs no network and no script to be read. It has a lane for whatever came from outside, for clients,
    gateways, the record, controllers and instances; a close-up of every change of MAIN; and a list of all events, each
    with what led to it.
    """
    try:
        with Console(stderr=True).status(f"reading {trace.name}"):
            read = read_trace(trace)
            timeline = timeline_of(
                read.lines,
                title=title or trace.name,
                window=Window(start_s=start_s, end_s=end_s),
                cut_off=read.truncated,
            )
    except (TraceError, ValueError) as error:
        click.echo(f"Error: {error}", err=True)
        sys.exit(Exit.USAGE)
    if form == "text":
        _print(timeline, output, seq=seq)
        return
    written = page(timeline) if form == "html" else picture(timeline, Scale(timeline.start_s, timeline.end_s, PLOT))
    where = output or trace.with_suffix(f".{form}")
    with click.open_file(str(where), "w", encoding="utf-8") as file:
        file.write(written)
    if str(where) != "-":
        click.echo(f"{timeline.verdict}: {where}")


def _print(timeline: Timeline, output: Path | None, *, seq: bool) -> None:
    """Print events to where they are wanted; the summary goes to people, not into what may be compared."""
    with click.open_file("-" if output is None else str(output), "w", encoding="utf-8") as file:
        for event, line in zip(timeline.events, text_lines(timeline, seq=seq), strict=True):
            click.secho(line, file=file, fg=_COLOURS[event.tone])
    for line in summary_lines(timeline):
        click.echo(line, err=True)

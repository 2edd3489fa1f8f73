"""`memgraph-ha demo`: its command line."""

from pathlib import Path

import click
import trio

from memgraph_ha.drill.demo import DemoOptions, run_demo
from memgraph_ha.runtime.usage import usage_errors


@click.command(short_help="Kill MAIN again and again under load, and prove that nothing is lost.")
@click.option("--kills", type=click.IntRange(0, 1000), default=20, show_default=True, help="How often MAIN is killed.")
@click.option("--stops", type=click.IntRange(0, 1000), default=0, show_default=True, help="How often it is frozen.")
@click.option("--writers", type=click.IntRange(1, 64), default=8, show_default=True, help="Concurrent writers.")
@click.option("--instances", type=click.IntRange(2, 9), default=3, show_default=True, help="How many instances.")
@click.option("--memgraph", type=click.Path(path_type=Path), help="A Memgraph binary; default: the bundled fake.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the gateway; default: a free one.")
@click.option("--seed", type=int, help="Repeat the same pauses between faults.")
@click.option("--keep", is_flag=True, help="Keep the data directory also when all is well.")
@click.option(
    "--trace",
    type=click.Path(path_type=Path),
    help="Record what the controller is told and decides: for `memgraph-ha sim replay`, `explain`, `render`.",
)
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead (schema memgraph-ha/drill/1).")
@usage_errors
def demo(
    *,
    kills: int,
    stops: int,
    writers: int,
    instances: int,
    memgraph: Path | None,
    port: int | None,
    seed: int | None,
    keep: bool,
    trace: Path | None,
    as_json: bool,
) -> int:
    """Start a cluster of its own, write through its gateway, and kill MAIN with SIGKILL again and again.

    Prints the pause that clients saw per kill, then a ledger: every acknowledged write is looked for on every
    instance. Exits with 1 if anything is lost, duplicated or left running.

    \b
    Examples:
      memgraph-ha demo
      memgraph-ha demo --kills 5 --stops 2
      memgraph-ha demo --memgraph /usr/lib/memgraph/memgraph
      memgraph-ha demo --kills 2 --trace incident.jsonl
    """
    options = DemoOptions(
        kills=kills,
        stops=stops,
        writers=writers,
        instances=instances,
        memgraph=memgraph,
        port=port,
        seed=seed,
        keep=keep,
        trace=trace,
        as_json=as_json,
    )
    return trio.run(run_demo, options)

"""The command line. Usage errors end with exit code 2 and one sentence that says what, where and the way out."""

import functools
import sys
from collections.abc import Callable
from pathlib import Path
from typing import ParamSpec

import click
import trio

from memgraph_ha import __version__
from memgraph_ha.drill.demo import DemoOptions, run_demo
from memgraph_ha.local.options import LocalOptions, UsageError, default_data_dir, leaves, read_policy
from memgraph_ha.local.output import main_console
from memgraph_ha.local.runtime import run_local, stop_local

P = ParamSpec("P")

_DATA = click.option(
    "--data",
    type=click.Path(path_type=Path),
    default=default_data_dir,
    show_default="the user's state directory",
    help="The cluster's data directory.",
)


def _usage_errors(work: Callable[P, int]) -> Callable[P, None]:
    """Turn a `UsageError` into one line on standard error and exit code 2, never a traceback."""

    @functools.wraps(work)
    def run(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            code = work(*args, **kwargs)
        except* UsageError as errors:  # a nursery wraps what its tasks raise
            click.echo(f"memgraph-ha: {'; '.join(map(str, leaves(errors)))}", err=True)
            sys.exit(2)
        sys.exit(code)

    return run


@click.group(context_settings={"help_option_names": ["-h", "--help"]})
@click.version_option(__version__, prog_name="memgraph-ha")
def main() -> None:
    """High availability for Memgraph Community.

    \b
    Try it:     memgraph-ha demo
    Run it:     memgraph-ha local
    Use it:     bolt://127.0.0.1:7687 (read/write, always MAIN)
    """


@main.command(short_help="Run a whole cluster on this machine.")
@_DATA
@click.option("--memgraph", type=click.Path(path_type=Path), help="A Memgraph binary; default: the bundled fake.")
@click.option("--instances", type=click.IntRange(2, 9), help="How many instances; the first two may be MAIN. [3]")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the read/write gateway. [7687]")
@click.option("--bolt-base", type=click.IntRange(1, 65000), help="Bolt port of the first instance. [17687]")
@click.option("--replication-base", type=click.IntRange(1, 65000), help="Its replication port. [20000]")
@click.option("--monitoring-base", type=click.IntRange(1, 65000), help="Its log websocket's port. [17444]")
@click.option("--metrics-base", type=click.IntRange(1, 65000), help="Its metrics port. [19091]")
@click.option("--flag", "flags", multiple=True, help="A further flag for every instance; may be repeated.")
@click.option("--policy", type=click.Path(path_type=Path), help="A TOML file of policy fields.")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="One policy field; may be repeated.")
@click.option("--verbose", is_flag=True, help="Print every event; they are in controller.log anyway.")
@click.option("--stop", is_flag=True, help="End whatever runs in the data directory, and return.")
@_usage_errors
def local(
    *,
    data: Path,
    memgraph: Path | None,
    instances: int | None,
    port: int | None,
    bolt_base: int | None,
    replication_base: int | None,
    monitoring_base: int | None,
    metrics_base: int | None,
    flags: tuple[str, ...],
    policy: Path | None,
    settings: tuple[str, ...],
    verbose: bool,
    stop: bool,
) -> int:
    """Run a whole cluster on this machine: three instances and a gateway that always leads to MAIN.

    Instances are found by the data directory: a controller that was killed leaves them running, and the next one
    takes them over. Ctrl-c ends everything.

    \b
    Examples:
      memgraph-ha local
      memgraph-ha local --memgraph /usr/lib/memgraph/memgraph
      memgraph-ha local --data /tmp/other --port 7787 --bolt-base 18687 --replication-base 21000 \\
                        --monitoring-base 18444 --metrics-base 20091
      memgraph-ha local --set data_durability=required --set failover_limit=100
      memgraph-ha local --stop
    """
    console = main_console()
    if stop:
        return trio.run(stop_local, data, console)
    options = LocalOptions(
        data=data,
        binary=memgraph,
        instances=instances,
        port=port,
        bolt_base=bolt_base,
        replication_base=replication_base,
        monitoring_base=monitoring_base,
        metrics_base=metrics_base,
        arguments=flags,
        policy=read_policy(policy, settings),
        verbose=verbose,
    )
    return trio.run(run_local, options, console)


@main.command(short_help="Kill MAIN again and again under load, and prove that nothing is lost.")
@click.option("--kills", type=click.IntRange(0, 1000), default=20, show_default=True, help="How often MAIN is killed.")
@click.option("--stops", type=click.IntRange(0, 1000), default=0, show_default=True, help="How often it is frozen.")
@click.option("--writers", type=click.IntRange(1, 64), default=8, show_default=True, help="Concurrent writers.")
@click.option("--instances", type=click.IntRange(2, 9), default=3, show_default=True, help="How many instances.")
@click.option("--memgraph", type=click.Path(path_type=Path), help="A Memgraph binary; default: the bundled fake.")
@click.option("--port", type=click.IntRange(1, 65535), help="Port of the gateway; default: a free one.")
@click.option("--seed", type=int, help="Repeat the same pauses between faults.")
@click.option("--keep", is_flag=True, help="Keep the data directory also when all is well.")
@click.option("--json", "as_json", is_flag=True, help="Print one JSON object instead (schema memgraph-ha/drill/1).")
@_usage_errors
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
        as_json=as_json,
    )
    return trio.run(run_demo, options)


if __name__ == "__main__":
    main()

"""The command `memgraph-ha local`: its options, and how usage errors end it."""

from pathlib import Path
from typing import Final

import click
import trio

from memgraph_ha.local.options import LocalOptions, default_data_dir, read_accounts, read_policy
from memgraph_ha.local.output import main_console
from memgraph_ha.local.runtime import observe_local, run_local, stop_local
from memgraph_ha.runtime.usage import usage_errors

_PORT: Final = click.IntRange(1, 65535)
_PORT_OR_OFF: Final = click.IntRange(0, 65535)
_BASE: Final = click.IntRange(1, 65000)
_PATH: Final = click.Path(path_type=Path)


@click.command(short_help="Run a whole cluster on this machine.")
@click.option(
    "--data",
    type=_PATH,
    default=default_data_dir,
    show_default="the user's state directory",
    help="The cluster's data directory.",
)
@click.option("--memgraph", type=_PATH, help="A Memgraph binary; default: the bundled fake.")
@click.option(
    "--instances",
    type=click.IntRange(2, 9),
    help="How many instances; the first two may be MAIN. An existing cluster is changed to it. [3]",
)
@click.option("--port", type=_PORT, help="Port of the read/write gateway. [7687]")
@click.option("--ro-port", type=_PORT_OR_OFF, help="Port of the read-only gateway; 0: none. [7688]")
@click.option("--http-port", type=_PORT_OR_OFF, help="Port of the HTTP API and the status page; 0: none. [8080]")
@click.option("--bolt-base", type=_BASE, help="Bolt port of the first instance. [17687]")
@click.option("--replication-base", type=_BASE, help="Its replication port. [20000]")
@click.option("--monitoring-base", type=_BASE, help="Its log websocket's port. [17444]")
@click.option("--metrics-base", type=_BASE, help="Its metrics port. [19091]")
@click.option("--flag", "flags", multiple=True, help="A further flag for every instance; may be repeated.")
@click.option("--policy", type=_PATH, help="A TOML file of policy fields, for this run.")
@click.option("--set", "settings", multiple=True, metavar="FIELD=VALUE", help="One policy field; may be repeated.")
@click.option("--accounts", type=_PATH, help="A TOML file of Memgraph's users; policy users=restore needs it.")
@click.option("--observe-only", is_flag=True, help="Change nothing; say what would be done, beside who leads.")
@click.option(
    "--trace",
    type=_PATH,
    help="Record what the controller is told and decides: for `memgraph-ha sim replay`, `explain`, `render`.",
)
@click.option(
    "--trace-mib",
    type=click.IntRange(4, 65536),
    default=256,
    show_default=True,
    help="How large the trace may become; then its oldest quarter is dropped.",
)
@click.option("--verbose", is_flag=True, help="Print every event; they are in controller.log anyway.")
@click.option("--stop", is_flag=True, help="End whatever runs in the data directory, and return.")
@usage_errors
def local(
    *,
    data: Path,
    memgraph: Path | None,
    instances: int | None,
    port: int | None,
    ro_port: int | None,
    http_port: int | None,
    bolt_base: int | None,
    replication_base: int | None,
    monitoring_base: int | None,
    metrics_base: int | None,
    flags: tuple[str, ...],
    policy: Path | None,
    settings: tuple[str, ...],
    accounts: Path | None,
    observe_only: bool,
    trace: Path | None,
    trace_mib: int,
    verbose: bool,
    stop: bool,
) -> int:
    """Run a whole cluster on this machine: three instances and a gateway that always leads to MAIN.

    Instances are found by the data directory: a controller that was killed leaves them running, and the next one
    takes them over. Ctrl-c ends everything. What runs is looked at and changed by the other commands:
    memgraph-ha status, switchover, policy apply, ...

    \b
    Examples:
      memgraph-ha local
      memgraph-ha local --memgraph /usr/lib/memgraph/memgraph
      memgraph-ha local --data /tmp/other --port 7787 --ro-port 7788 --http-port 8180 --bolt-base 18687 \\
                        --replication-base 21000 --monitoring-base 18444 --metrics-base 20091
      memgraph-ha local --set data_durability=required --set failover_limit=100
      memgraph-ha local --accounts accounts.toml --set users=restore
      memgraph-ha local --observe-only
      memgraph-ha local --trace incident.jsonl
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
        ro_port=ro_port,
        http_port=http_port,
        bolt_base=bolt_base,
        replication_base=replication_base,
        monitoring_base=monitoring_base,
        metrics_base=metrics_base,
        arguments=flags,
        policy=read_policy(policy, settings),
        accounts=read_accounts(accounts),
        verbose=verbose,
        trace=trace,
        trace_mib=trace_mib,
    )
    return trio.run(observe_local if observe_only else run_local, options, console)

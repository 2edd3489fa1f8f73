"""The command `memgraph-ha run`: the controller on Kubernetes, told by its environment."""

import os
from pathlib import Path

import click
import trio

from memgraph_ha.kube.options import read_options
from memgraph_ha.kube.runtime import run_kube
from memgraph_ha.kube.settings import CONFIG, OBSERVE_ONLY, TRACE
from memgraph_ha.runtime.usage import usage_errors

_PATH = click.Path(path_type=Path)


@click.command(short_help="Run a controller on Kubernetes.")
@click.option("--observe-only", is_flag=True, help="Change nothing; log what would be done, beside who leads.")
@click.option("--trace", type=_PATH, help="Record what the controller is told and decides; `-`: to standard output.")
@click.option("--config", type=_PATH, help="A TOML file of settings; the environment wins over it.")
@usage_errors
def run(*, observe_only: bool, trace: Path | None, config: Path | None) -> int:
    """Run a controller on Kubernetes, for the pods of one StatefulSet, until it is told to end (SIGTERM).

    It is told everything by its environment (docs/reference/environment.md); the Helm chart sets that. Several
    controllers of one release elect a leader; the others wait to take over.

    \b
    Examples:
      NAMESPACE=graph STATEFULSET_NAME=memgraph memgraph-ha run
      NAMESPACE=graph STATEFULSET_NAME=memgraph KUBECONFIG=~/.kube/config memgraph-ha run --observe-only
    """  # noqa: D301 - click keeps the examples' lines by a backspace character
    overrides = {
        OBSERVE_ONLY.name: "true" if observe_only else "",
        TRACE.name: "" if trace is None else str(trace),
        CONFIG.name: "" if config is None else str(config),
    }
    given = {name: text for name, text in overrides.items() if text}
    return trio.run(run_kube, read_options(os.environ, given))

"""The commands `python -m tools.kube up`, `down`, `status`, `build`, `prepare`."""

import sys
from collections.abc import Callable
from functools import wraps
from pathlib import Path
from typing import Final, ParamSpec

import click

from tools.kube import builds, images, packages
from tools.kube.cluster import Cluster
from tools.kube.errors import ClusterError
from tools.kube.place import default_state
from tools.kube.programs import ALL
from tools.kube.turns import stand_back

_PORT: Final = click.IntRange(1, 65535)
P = ParamSpec("P")

_state = click.option(
    "--state",
    type=click.Path(path_type=Path),
    default=default_state,
    show_default="the user's state directory",
    help="Where the cluster keeps everything it has; another directory is another cluster.",
)


def _told(function: Callable[P, None]) -> Callable[P, None]:
    """Print what is wrong as one message, and exit 1."""

    @wraps(function)
    def wrapped(*args: P.args, **kwargs: P.kwargs) -> None:
        try:
            function(*args, **kwargs)
        except ClusterError as error:
            print(f"error: {error}", file=sys.stderr)
            sys.exit(1)

    return wrapped


@click.group()
def main() -> None:
    """A real Kubernetes on this machine, without a container engine: for the tests, and to try the chart."""


@main.command()
@_state
@click.option("--api-only", is_flag=True, help="Only etcd and the API server: no root needed, no pods.")
@click.option("--port", type=_PORT, help="The API server's port. [6443; a free one with --api-only]")
@click.option("--install", is_flag=True, help="Install the Debian packages that are missing, also those of the tests.")
@_told
def up(*, state: Path, api_only: bool, port: int | None, install: bool) -> None:
    """Start a cluster, and print how to reach it: eval "$(python -m tools.kube up)"."""
    cluster = Cluster(state)
    cluster.up(api_only=api_only, api_port=port, install=install)
    print(f"export KUBECONFIG={cluster.kubeconfig}")


@main.command()
@_state
@_told
def down(*, state: Path) -> None:
    """End the cluster and remove every trace of it; what was built stays."""
    Cluster(state).down()


@main.command()
@_state
@_told
def status(*, state: Path) -> None:
    """Print what runs; exit code 1 if something that should run does not."""
    standing = Cluster(state).standing()
    if standing is None:
        raise ClusterError(f"no cluster in {state}; start one with `up`")
    print(f"KUBECONFIG={standing.kubeconfig}")
    print(f"API server: {standing.version or 'does not answer'}")
    for name, pid in standing.running:
        print(f"{name}: pid {pid}")
    if standing.stopped:
        raise ClusterError(f"not running: {', '.join(standing.stopped)}; `up` starts them again")


@main.command()
@click.argument("names", nargs=-1, type=click.Choice(sorted(ALL)))
@_told
def build(*, names: tuple[str, ...]) -> None:
    """Build programs (default: all of them), and print the directory they are in."""
    builds.build(ALL[name] for name in names or ALL)
    print(builds.directory())


@main.command()
@click.option("--install", is_flag=True, help="Install the Debian packages that are missing.")
@click.option("--behind", is_flag=True, help="Take only what others leave of the machine, until somebody waits for it.")
@_told
def prepare(*, install: bool, behind: bool) -> None:
    """Do in advance all that takes long: the packages, programs and images of the tests."""
    if behind:
        stand_back()
    packages.ensure(packages.TESTS, install=install)
    builds.build(ALL.values())
    images.prepare()

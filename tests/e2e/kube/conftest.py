"""A real cluster for the whole run, and releases of the chart on it."""

import os
import subprocess
import sys
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.e2e.kube.conduct import PATIENT
from tests.e2e.kube.release import Host, Release
from tools.kube import builds, images, network
from tools.kube.cluster import Cluster
from tools.kube.containers import Containers
from tools.kube.daemons import Daemons
from tools.kube.images import ROOT
from tools.kube.place import Place
from tools.kube.programs import CLUSTER, HELM
from tools.kube.run import run

_UP_WITHIN_S: Final = 110.0


@pytest.fixture(scope="session")
def kube_cluster(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Cluster]:
    """A full cluster: the one that KUBECONFIG names, if `python -m tools.kube up` made it, else one of our own."""
    given = os.environ.get("KUBECONFIG")
    if given:
        yield Cluster(Path(given).parent)
        return
    if missing := builds.missing([*CLUSTER, HELM]):
        names = ", ".join(program.name for program in missing)
        pytest.fail(f"not built: {names}; run `python -m tools.kube build`", pytrace=False)
    state = tmp_path_factory.mktemp("kube") / "state"
    try:
        _tool("up", "--state", state)
        yield Cluster(state)
    finally:
        _tool("down", "--state", state)
    assert not list(_left_behind(state)), "`down` removes every trace"


@pytest.fixture(scope="session")
def host(kube_cluster: Cluster) -> Host:
    """The cluster with the test images on it."""
    containers = Containers(kube_cluster.place)
    return Host(
        place=kube_cluster.place,
        api=kube_cluster.api,
        kubeconfig=kube_cluster.kubeconfig,
        containers=containers,
        images=images.build(containers),
    )


@pytest.fixture(scope="module")
def release(host: Host) -> Iterator[Release]:
    """One release for all tests of a file; each finds it as the one before has left it, so it begins by waiting."""
    shared = Release.in_new_namespace(host)
    try:
        shared.install(PATIENT)
        yield shared
    finally:
        shared.close()


@pytest.fixture
def make_release(host: Host) -> Iterator[Callable[..., Release]]:
    """Make releases, each in a namespace of its own; they are removed when the test ends."""
    made: list[Release] = []

    def make(name: str = "graph") -> Release:
        made.append(Release.in_new_namespace(host, name))
        return made[-1]

    yield make
    for release in made:
        release.close()


def _left_behind(state: Path) -> Iterator[str]:
    """Name what a cluster may leave on the machine."""
    yield from (f"process {identity.pid}" for identity in Daemons(Place(root=state)).strays())
    mounts = Path("/proc/self/mountinfo").read_text(encoding="utf-8")
    bridges, cgroups = Path("/sys/class/net").glob(network.BRIDGE), Path("/sys/fs/cgroup").glob("**/kubepods")
    yield from (line for line in mounts.splitlines() if str(state) in line)
    yield from (str(path) for path in (*bridges, *cgroups) if path.exists())
    yield from (line for line in run(["nft", "list", "tables"]).splitlines() if "kube" in line)
    if state.exists():
        yield str(state)


def _tool(*arguments: str | Path) -> None:
    done = subprocess.run(
        [sys.executable, "-m", "tools.kube", *(str(argument) for argument in arguments)],
        cwd=ROOT,
        capture_output=True,
        text=True,
        timeout=_UP_WITHIN_S,
        check=False,
    )
    assert done.returncode == 0, done.stderr

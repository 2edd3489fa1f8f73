"""The programs that look at the chart: helm and kubeconform from tools/kube, promtool from Debian's `prometheus`."""

import shutil
from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.chart.kit import Helm
from tests.kube.api_server import ApiServer, api_server
from tools.kube import builds, packages, programs


def _built(program: programs.Program) -> Path:
    """Give the binary that `tools/kube` builds; one on the PATH will do as well."""
    if not builds.missing((program,)):
        return builds.path_of(program)
    elsewhere = shutil.which(program.name)
    # Building takes minutes, which no test may wait for; and a tier that skips itself proves nothing.
    if elsewhere is None:
        pytest.fail(f"{program.name} is not built; run `python -m tools.kube build {program.name}`", pytrace=False)
    return Path(elsewhere)


@pytest.fixture(scope="session")
def helm() -> Helm:
    """Helm."""
    return Helm(program=_built(programs.HELM))


@pytest.fixture(scope="session")
def kubeconform() -> Path:
    """Kubeconform, which holds objects against their schemas."""
    return _built(programs.KUBECONFORM)


@pytest.fixture(scope="session")
def promtool() -> Path:
    """Promtool, which tries alerts."""
    packages.ensure({"promtool": "prometheus"}, install=False)
    return Path(shutil.which("promtool") or "")


@pytest.fixture(scope="session")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server with its etcd: whatever is made on it stays an object, and no pod runs."""
    with api_server(tmp_path_factory.mktemp("api") / "state") as server:
        yield server

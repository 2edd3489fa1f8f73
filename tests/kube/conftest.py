"""What tests on a real Kubernetes share."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.kube.api_server import ApiServer, api_server


@pytest.fixture(scope="session")
def kube_api(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """An API server for all tests of a run, each in a namespace of its own.

    Always one of our own, whatever KUBECONFIG says: these tests play the kubelet, and a real one would interfere.
    """
    with api_server(tmp_path_factory.mktemp("kube-api") / "state") as server:
        yield server


@pytest.fixture
def kube_api_alone(tmp_path: Path) -> Iterator[ApiServer]:
    """An API server for one test, which may kill and freeze it."""
    with api_server(tmp_path / "kube-api-alone") as server:
        yield server

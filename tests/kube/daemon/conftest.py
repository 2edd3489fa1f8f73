"""Fixtures: an API server of our own for the whole run, and releases on it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kube.api_server import ApiServer, api_server
from tests.kube.daemon.site import Site


@pytest.fixture(scope="session")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Start an API server with its etcd that these tests may freeze."""
    with api_server(tmp_path_factory.mktemp("own-api") / "state") as server:
        yield server


@pytest.fixture
def make_site(own_server: ApiServer, tmp_path: Path) -> Iterator[Callable[[str], Site]]:
    """Make a release with a policy of TOML; it ends with the test."""
    made: list[Site] = []

    def make(policy: str = "") -> Site:
        made.append(Site.make(own_server, tmp_path, policy))
        return made[-1]

    yield make
    for site in made:
        site.close()

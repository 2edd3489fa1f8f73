"""Fixtures: an API server of our own for the whole run, and releases on it."""

from collections.abc import Callable, Iterator
from pathlib import Path

import pytest

from tests.kube.daemon.site import ApiServer, Site


@pytest.fixture(scope="session")
def own_server(tmp_path_factory: pytest.TempPathFactory) -> Iterator[ApiServer]:
    """Start an API server with its etcd that these tests may freeze."""
    server = ApiServer.start(tmp_path_factory.mktemp("api") / "state")
    try:
        yield server
    finally:
        server.down()


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

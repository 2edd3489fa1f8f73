"""Clusters for tests, which are stopped whatever happens and must leave nothing behind."""

import contextlib
from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager
from pathlib import Path

import pytest
import trio

from tests.e2e.cluster import Cluster

_DRIVERS_OWN = (
    "ignore:.*Bolt.__del__.*:pytest.PytestUnraisableExceptionWarning",
    r"ignore:.*<socket.socket [^<]*, proto=0, laddr=[^=]*>:pytest.PytestUnraisableExceptionWarning",
)
"""neo4j 6.4.1: a peer that resets right after the handshake leaves a half-made `Bolt`, whose ``__del__`` raises, and
its socket, which has no peer any more and which nobody closes (`Bolt.__init__` asks for the peer's name)."""

Making = Callable[..., AbstractAsyncContextManager[Cluster]]


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Forgive the clients' driver what is no fault of ours."""
    for item in items:
        if Path(__file__).parent in item.path.parents:
            item.add_marker(pytest.mark.filterwarnings(*_DRIVERS_OWN))


@contextlib.asynccontextmanager
async def _running(root: Path, *arguments: str, gated: bool = False) -> AsyncIterator[Cluster]:
    root.mkdir(exist_ok=True)  # noqa: ASYNC240 - one directory, before anything runs
    cluster = Cluster(root, gated=gated, arguments=arguments)
    try:
        await cluster.start()
        await cluster.protected()
        yield cluster
    finally:
        with trio.CancelScope(shield=True):
            left = await cluster.stop()
            print(cluster.local.tail())  # noqa: T201 - pytest shows it only where a test failed
    assert not left, "\n".join(left)


@pytest.fixture
def running(tmp_path: Path) -> Making:
    """Make a context manager that runs a cluster until it is protected, and at the end stops it and looks around.

    Call it with further arguments of ``memgraph-ha local``, and ``gated=True`` for instances that can be kept down.
    """

    def make(*arguments: str, gated: bool = False) -> AbstractAsyncContextManager[Cluster]:
        return _running(tmp_path / "cluster", *arguments, gated=gated)

    return make


@pytest.fixture
async def cluster(tmp_path: Path) -> AsyncIterator[Cluster]:
    """Run a cluster as a newcomer gets it."""
    async with _running(tmp_path / "cluster") as made:
        yield made


@pytest.fixture
async def gated(tmp_path: Path) -> AsyncIterator[Cluster]:
    """Run a cluster whose instances can be kept down."""
    async with _running(tmp_path / "cluster", gated=True) as made:
        yield made

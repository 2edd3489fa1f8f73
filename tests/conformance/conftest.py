"""Fixtures: server processes of the binary that `MEMGRAPH_BINARY` names."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from tests.conformance.servers import Server, Servers


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Start server processes for one test."""
    with Servers(tmp_path) as running:
        yield running


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Start server processes that the tests of a module share."""
    with Servers(tmp_path_factory.mktemp("shared")) as running:
        yield running


@pytest.fixture(scope="module")
def lone(shared: Servers) -> Server:
    """One MAIN without rows; tests leave it a MAIN without rows."""
    return shared.start("lone")

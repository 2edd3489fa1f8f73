"""Fixtures: server processes of the binary that `MEMGRAPH_BINARY` names."""

from __future__ import annotations

import threading
from collections.abc import Iterator
from pathlib import Path
from typing import Final

import pytest

from tests.conformance.servers import Server, Servers

LIMIT_S: Final = 130.0
"""A little more than pytest-timeout's: its exception leaves the driver's call only to end in its `Session.close`, which
waits for the same hung server once more, without end."""


@pytest.fixture
def servers(tmp_path: Path) -> Iterator[Servers]:
    """Start server processes for one test, which is over when its time is."""
    with Servers(tmp_path) as running:
        limit = threading.Timer(LIMIT_S, running.kill)
        limit.daemon = True
        limit.start()
        yield running
        limit.cancel()


@pytest.fixture(scope="module")
def shared(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Servers]:
    """Start server processes that the tests of a module share."""
    with Servers(tmp_path_factory.mktemp("shared")) as running:
        yield running


@pytest.fixture(scope="module")
def lone(shared: Servers) -> Server:
    """One MAIN without rows; tests leave it a MAIN without rows."""
    return shared.start("lone")

"""Fixtures for the fake Memgraph: worlds in virtual time, and real processes."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest

from memgraph_ha.fakes.memgraph.virtual import World
from tests.fakes.processes import Processes


@pytest.fixture
def world() -> World:
    """Three instances `a`, `b`, `c` of the official edition: `a` is MAIN, the others REPLICAs of nobody."""
    world = World(seed=7)
    for name in "abc":
        world.start(name)
    for name in "bc":
        world.ask(name, "SET REPLICATION ROLE TO REPLICA WITH PORT 10000")
    return world


@pytest.fixture
def processes(tmp_path: Path) -> Iterator[Processes]:
    """Start real processes; whatever still runs at the end of the test is killed."""
    with Processes(tmp_path) as running:
        yield running

"""What random lives found, made small: it must not come back."""

from pathlib import Path

import pytest

from memgraph_ha.sim.fuzz.shrink import symptom
from memgraph_ha.sim.scenario.load import load
from memgraph_ha.sim.scenario.shelf import SHIPPED

FOUND = sorted((SHIPPED / "regress").glob("*.toml"))


@pytest.mark.parametrize("file", FOUND, ids=lambda file: file.stem)
def test_what_was_found_is_mended(file: Path) -> None:
    """The cluster comes back by itself, with every acknowledged write; and the file says what it was about."""
    (scenario,) = load(file)
    assert symptom(scenario) is None
    assert scenario.id == file.stem
    assert "regress" in scenario.tags
    assert scenario.description


def test_there_are_some() -> None:
    """So that the test above is about something."""
    assert len(FOUND) >= 4

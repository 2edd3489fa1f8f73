"""The reference pages about scenarios are in step with the code and the files."""

from pathlib import Path

import pytest

from memgraph_ha.sim.scenario.load import parse
from tests.sim.scenario.pages import FORMAT, format_page, list_page

REFERENCE = Path(__file__).parents[3] / "docs" / "reference"


@pytest.mark.parametrize(("name", "text"), [("scenario-format.md", format_page), ("simulated-scenarios.md", list_page)])
def test_a_page_is_in_step(name: str, text: object) -> None:
    """Run scripts/generate_scenarios.py after a change."""
    assert callable(text)
    assert (REFERENCE / name).read_text(encoding="utf-8") == text()


def test_the_example_of_the_format_is_a_scenario() -> None:
    """It can be read, and sweeps its step."""
    example = FORMAT.partition("```toml")[2].partition("```")[0]
    assert [run.run for run in parse(example, "the page")] == ["step=before-promote-m1", "step=after-promote-m1"]

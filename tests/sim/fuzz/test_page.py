"""The reference page of `sim fuzz` says what the program knows."""

from pathlib import Path

from memgraph_ha.sim.fuzz.outcome import Verdict
from memgraph_ha.sim.fuzz.sometimes import Mark
from memgraph_ha.sim.fuzz.tally import Tally, to_json

PAGE = Path(__file__).parents[3] / "docs" / "reference" / "fuzz.md"


def test_every_situation_is_on_the_page_in_order() -> None:
    """In the words of the program; and no other one is."""
    rows = [line for line in PAGE.read_text().split("## Situations")[1].splitlines() if line.startswith("| `")]
    assert rows == [f"| `{mark.word}` | {mark.value} |" for mark in Mark]


def test_every_field_and_verdict_is_on_the_page() -> None:
    """What a script reads is explained."""
    text = PAGE.read_text()
    assert [name for name in to_json(Tally()) if f"`{name}`" not in text] == []
    assert [verdict.value for verdict in Verdict if f"`{verdict.value}`" not in text] == []

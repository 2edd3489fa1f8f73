"""Traces of the catalogue's scenarios replay: several leaders, clocks that jump, late commands, lost answers."""

import contextlib
from pathlib import Path
from typing import Final

import pytest

from memgraph_ha.sim.replay.comparing import compare_all
from memgraph_ha.sim.scenario.errors import FailedError
from memgraph_ha.sim.scenario.load import load
from memgraph_ha.sim.scenario.recording import record
from memgraph_ha.trace.reading import read_trace
from memgraph_ha.trace.schema import FooterLine

SCENARIOS: Final = Path(__file__).parents[3] / "scenarios"
QUICK: Final = ("A1-crash", "D4-clock-jumps", "E4-two-leaders")


def replays(name: str, tmp_path: Path) -> str:
    """Play the first run of a scenario, and make all its decisions again, also if it fails; gives the digest."""
    scenario = load(SCENARIOS / f"{name}.toml")[0]
    path = tmp_path / "trace.jsonl"
    with contextlib.suppress(FailedError):  # whether it passes is another test's matter
        record(scenario, path)
    trace = read_trace(path)
    found = compare_all(trace.lines, strict=True)
    assert found.first is None
    assert found.ticks > 50
    footer = trace.lines[-1]
    assert isinstance(footer, FooterLine)
    assert trace.intact
    return footer.digest


@pytest.mark.parametrize("name", QUICK)
def test_a_scenario_replays_to_identical_decisions(tmp_path: Path, name: str) -> None:
    """Of every controller, in every field; and a second run has the same digest."""
    assert replays(name, tmp_path) == replays(name, tmp_path)


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(path.stem for path in SCENARIOS.glob("*.toml")))
def test_every_scenario_replays_to_identical_decisions(tmp_path: Path, name: str) -> None:
    """Whatever happens in the catalogue, a trace holds all that the decisions were made from."""
    replays(name, tmp_path)

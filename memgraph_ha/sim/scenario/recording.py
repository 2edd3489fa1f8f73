"""Plays a scenario and keeps its trace, for `sim render`, `sim explain` and `sim replay`."""

from __future__ import annotations

import re
from pathlib import Path

from memgraph_ha.core import RULES, Rule
from memgraph_ha.sim.scenario.errors import FailedError
from memgraph_ha.sim.scenario.model import Result, Scenario
from memgraph_ha.sim.scenario.play import play
from memgraph_ha.sim.scenario.stage import Stage
from memgraph_ha.trace.recorder import LineRecorder, ListSink
from memgraph_ha.trace.schema import Source
from memgraph_ha.trace.writing import write_trace

PASSED = "passed"
"""The verdict of a run that came out as it must; of any other it is the check that failed, and why."""


def trace_name(scenario: Scenario) -> str:
    """Name the file of a run's trace: its id and run, with nothing in it that a file's name must not have."""
    return re.sub(r"[^A-Za-z0-9.,=+_-]", "-", scenario.name) + ".jsonl"


def record(scenario: Scenario, path: Path, seed: int | None = None, rules: tuple[Rule, ...] = RULES) -> Result:
    """Play one scenario and write its trace, also if it fails.

    Args:
        scenario: What.
        path: Where to; a file that is there is replaced.
        seed: See `play`.
        rules: See `play`.

    Raises:
        FailedError: See `play`.
        OSError: The file cannot be written.
    """
    sink, stages, verdict = ListSink(), list[Stage](), PASSED

    def now_s() -> float:
        return stages[0].cluster.now if stages else 0.0

    dice = scenario.seed if seed is None else seed
    recorder = LineRecorder(sink, source=Source.SIMULATOR, clock=now_s, seed=dice, scenario=scenario.name, rules=rules)
    try:
        return play(scenario, dice, rules, recorder, stages.append)
    except FailedError as error:
        verdict = error.reason if error.reason.startswith(error.check) else f"{error.check}: {error.reason}"
        raise
    finally:
        write_trace(path, sink.lines, t=now_s(), verdict=verdict)

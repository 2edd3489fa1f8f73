"""The shipped scenarios, for the tests that play them."""

from typing import Any, Final

import pytest

from memgraph_ha.sim.scenario.load import load
from memgraph_ha.sim.scenario.model import Scenario
from memgraph_ha.sim.scenario.play import play
from memgraph_ha.sim.scenario.shelf import shipped

RUNS: Final = {path.stem: load(path) for path in shipped()}
"""Every run of every file."""


def of(sections: str) -> list[Any]:
    """Every run of the files of these sections; of a sweep only the first one is played by default.

    Args:
        sections: First letters of ids; what the fuzzer found (``regress/``) has ids in small letters.
    """
    return [
        pytest.param(run, id=run.name, marks=[] if place == 0 else [pytest.mark.slow])
        for runs in RUNS.values()
        for place, run in enumerate(runs)
        if run.id[0] in sections
    ]


WRITES: Final = frozenset({"start-clients", "long-transaction", "storm"})
"""Verbs that bring clients which write."""


def has_writers(scenario: Scenario) -> bool:
    """Whether any client of it writes, from the beginning or later."""
    begins = any(client.kind == "writer" and client.count for client in scenario.clients)
    return begins or any(fault.do in WRITES and fault.get("kind") != "reader" for fault in scenario.faults)


def keeps_its_promises(scenario: Scenario) -> None:
    """Play it: from a whole cluster to a whole cluster, or to a wait under its documented name.

    Something is acknowledged, unless nobody writes: then nothing is.
    """
    result = play(scenario)
    assert (result.acked > 0) is has_writers(scenario) or scenario.stuck is not None
    if scenario.stuck is not None:
        assert scenario.stuck.word in result.holds

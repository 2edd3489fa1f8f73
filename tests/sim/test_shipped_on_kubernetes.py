"""Every shipped scenario once more, where rows lead to addresses of pods and whoever is stopped gets another pod."""

import pytest
from attrs import evolve

from memgraph_ha.sim.scenario.model import Scenario
from tests.sim.shelf import RUNS, keeps_its_promises

ELSEWHERE = [run for runs in RUNS.values() for run in runs if not run.setting.kubernetes]


@pytest.mark.slow
@pytest.mark.parametrize("scenario", ELSEWHERE, ids=[run.name for run in ELSEWHERE])
def test_it_keeps_its_promises_on_kubernetes(scenario: Scenario) -> None:
    """An address that is nobody's any more swallows what is sent there: no promise rests on being refused at once."""
    keeps_its_promises(evolve(scenario, setting=evolve(scenario.setting, kubernetes=True)))

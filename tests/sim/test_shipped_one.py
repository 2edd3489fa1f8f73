"""Shipped scenarios of instances, network and controllers; two files, so that two workers share them."""

import pytest

from memgraph_ha.sim.scenario.model import Scenario
from tests.sim.shelf import keeps_its_promises, of


@pytest.mark.parametrize("scenario", of("ABCD"))
def test_it_keeps_its_promises(scenario: Scenario) -> None:
    """S1-S14 and L1-L9, and what the file expects."""
    keeps_its_promises(scenario)

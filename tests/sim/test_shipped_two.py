"""Shipped scenarios of records, volumes, operations and clients; two files, so that two workers share them."""

import string

import pytest

from memgraph_ha.sim.scenario.model import Scenario
from tests.sim.shelf import keeps_its_promises, of


@pytest.mark.parametrize("scenario", of("EFGHIJP" + string.ascii_lowercase))
def test_it_keeps_its_promises(scenario: Scenario) -> None:
    """S1-S14 and L1-L9, and what the file expects."""
    keeps_its_promises(scenario)

"""A kit for people who bring their own adapters or their own controller.

Adapters: `check_record_store`, `check_lease`, `check_platform`, `check_database` and `check_gateway` are run against
an implementation of a port (`memgraph_ha.adapters.ports`) and raise `ContractError` at the first clause that is not
kept.

Controllers: `load` reads scenarios, `play` plays one in the simulated cluster with whatever rules it is given;
`own_rule` makes rules of a decision of one's own, `before_ours` puts one rule before those that ship. Every run is
held to the promises S1-S14 and L1-L9. `check_decisions` checks single decisions without a cluster around them.

What this module exports is public; see docs/explanation/contract.md.
"""

from memgraph_ha.sim.scenario.errors import FailedError, ScenarioError
from memgraph_ha.sim.scenario.load import load, parse
from memgraph_ha.sim.scenario.model import Result, Scenario
from memgraph_ha.sim.scenario.play import play
from memgraph_ha.testing.contract import ContractError
from memgraph_ha.testing.controller import Decide, before_ours, check_decisions, own_rule, seen_in, survives
from memgraph_ha.testing.database import check_database
from memgraph_ha.testing.gateway import check_gateway
from memgraph_ha.testing.lease import check_lease
from memgraph_ha.testing.platform import check_platform
from memgraph_ha.testing.record_store import check_record_store

__all__ = [
    "ContractError",
    "Decide",
    "FailedError",
    "Result",
    "Scenario",
    "ScenarioError",
    "before_ours",
    "check_database",
    "check_decisions",
    "check_gateway",
    "check_lease",
    "check_platform",
    "check_record_store",
    "load",
    "own_rule",
    "parse",
    "play",
    "seen_in",
    "survives",
]

"""The pure topology state machine: observed facts in, commands out. No clock, no I/O, no randomness, no logging.

Everything exported here is the contract of the library; everything else is private. The one page about it is
docs/explanation/contract.md; `examples/by_hand.py` is the shortest complete user.
"""

from memgraph_ha.core.asks import answer, at_stake, refusal
from memgraph_ha.core.candidate import Candidate, Rejection, choose
from memgraph_ha.core.commands import Command
from memgraph_ha.core.decide import Explanation, decide, explain
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.core.errors import InvariantViolation, PolicyError, RecordError, RecordSchemaError
from memgraph_ha.core.facts import Fact
from memgraph_ha.core.holds import Hold, Wait
from memgraph_ha.core.invariants import INVARIANTS, Invariant
from memgraph_ha.core.messages import MESSAGES, ErrorClass, classify_error
from memgraph_ha.core.observe import observe
from memgraph_ha.core.observed import Observed
from memgraph_ha.core.permit import Permit, ReadPermit, Route
from memgraph_ha.core.policy import DataDurability, Policy, describe_policy, parse_policy
from memgraph_ha.core.record import Record
from memgraph_ha.core.record_json import dump_record, parse_record
from memgraph_ha.core.requests import Answer, Ask, Request
from memgraph_ha.core.route import route
from memgraph_ha.core.rows import parse_replicas, parse_role, parse_storage_info
from memgraph_ha.core.rules import RULES, Rule
from memgraph_ha.core.view import View

__all__ = [
    "INVARIANTS",
    "MESSAGES",
    "RULES",
    "Answer",
    "Ask",
    "Candidate",
    "Command",
    "DataDurability",
    "Decision",
    "ErrorClass",
    "Explanation",
    "Fact",
    "Hold",
    "Invariant",
    "InvariantViolation",
    "Observed",
    "Permit",
    "Policy",
    "PolicyError",
    "ReadPermit",
    "Record",
    "RecordError",
    "RecordSchemaError",
    "Rejection",
    "Request",
    "Route",
    "Rule",
    "Unmet",
    "View",
    "Wait",
    "answer",
    "at_stake",
    "choose",
    "classify_error",
    "decide",
    "describe_policy",
    "dump_record",
    "explain",
    "observe",
    "parse_policy",
    "parse_record",
    "parse_replicas",
    "parse_role",
    "parse_storage_info",
    "refusal",
    "route",
]

"""What each rule is for, by simulation: without it some history breaks a promise, stays broken, or waits unnamed."""

import ast
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve

from memgraph_ha.core import RULES, Decision, Rule, View
from memgraph_ha.core.commands import Promote, WriteRecord
from memgraph_ha.core.decision import Unmet
from memgraph_ha.core.names import RunId
from tests.sim.catalogue import CATALOGUE
from tests.sim.run import play_scenario

KILLED_BY: Final[dict[str, str]] = {
    "N10": "A1 MAIN crashes",
    "N20": "D4 leader cannot reach the store",
    "N25": "E4 two leaders",
    "N30": "D4 leader stands still for a moment",
    "R10": "A1 MAIN crashes",
    "R30": "E3 another cluster's record",
    "R40": "E2 record restored",
    "B10": "A1 MAIN crashes",
    "B20": "G6 adopted",
    "B30": "G6 adopted",
    "U10": "B1 standby away",
    "L15": "A7 flapping",
    "L20": "B2 standby crashes, then MAIN",
    "L30": "A1 MAIN crashes",
    "L40": "B3 the successor dies before it reigns",
    "O10": "A3 MAIN hangs",
    "S10": "H6 standby promoted by hand",
    "L90": "B2 standby crashes, then MAIN",
    "O20": "A1 MAIN crashes",
    "O30": "A1 MAIN crashes",
    "O50": "A1 MAIN crashes",
    "F10": "B4 standby hangs",
    "D10": "B1 standby away",
    "D20": "B1 standby dies while it is proven",
    "H05": "H7 standby refuses MAIN",
    "H10": "H7 standby refuses MAIN",
    "A10": "A1 MAIN crashes",
    "A15": "A1 MAIN crashes",
    "A20": "A1 MAIN crashes",
    "A30": "B5 ASYNC down at failover",
    "K10": "A1 MAIN crashes",
    "Y10": "B3 the successor dies before it reigns",
    "Y20": "B7 standby far behind",
    "Y30": "B5 ASYNC down at failover",
    "C20": "E2 old record, nobody reigns",
    "C10": "P3 paused, MAIN dies",
    "C15": "P3 paused, MAIN dies",
    "C30": "H5 data set replaced by mistake",
    "C40": "P5 paused, the standby restarts",
    "C50": "F4 standby given up",
    "M10": "C3 MAIN is about to be stopped",
    "M30": "C3 MAIN is about to be stopped",
    "C90": "P1 paused",
    "L10": "J5 break-glass, data set known late",
    "L12": "J5 break-glass, data set known late",
    "L80": "H3 MAIN's disk is full, nobody may follow",
    "L85": "A3 MAIN hangs for good",
    "O42": "H8 accounts and triggers",
    "O44": "H8 accounts and triggers",
    "W20": "H5 data set replaced by mistake",
    "W30": "G8 MAIN rolled back",
    "D15": "B7 recovery does not end",
    "C95": "P4 paused, the standby dies",
    "H20": "G4 ASYNC replica's volume lost",
    "E10": "F2 old MAIN diverged",
    "E20": "F4 standby given up",
    "F20": "F6 deaf replica",
    "K20": "H8 accounts and triggers",
    "K30": "G6 a member leaves",
    "Y05": "H7 wrong password",
    "Y35": "H7 foreign rows",
    "Y40": "H8 triggers missing",
    "Y50": "H7 foreign rows",
    "Y60": "H7 badly configured",
    "Y70": "H7 badly configured",
}
"""Rule to the scenario that fails without it."""

HELD_ELSEWHERE: Final[dict[str, str]] = {
    # No members: B30 holds as well, under another name.
    "R20": "test_rules_standing.py::test_nothing_is_done_before_the_members_are_known",
    # Nobody heard yet: here the first probe of both comes within milliseconds of each other.
    "W10": "test_rules_strays.py::test_nothing_is_commanded_before_the_pair_was_heard",
    # ASYNC replicas: A30 attaches them moments later; instances that start as REPLICA leave no MAIN to feed them.
    "O40": "test_rules_opening.py::test_the_async_replica_is_fenced_to_the_new_main",
    # A Finalize lost before a silence: clients here never fall silent, so the next commit shows it.
    "P10": "test_rules_proof.py::test_the_named_standby_is_proven_again_when_it_was_written_to",
    # A rebuilt standby's row: D10 gives it up as well, only later.
    "H03": "test_rules_rebuild.py::test_the_row_of_a_standby_that_is_rebuilt_is_given_up",
    # A switchover that cannot go on: clients pass all the same (`given_up`), only the record keeps the order.
    "M20": "test_rules_moving.py::test_a_switchover_that_cannot_go_on_is_given_up",
    # The last rule: `decide` is total only with it.
    "Z99": "test_rules_waiting.py::test_a_healthy_cluster_is_left_alone",
}
"""Rule to the test of tests/core that holds it, and why simulation does not."""

CORE: Final = Path(__file__).parent.parent / "core"


def test_every_rule_is_held_by_something() -> None:
    """Each rule is in exactly one of the two tables, and every test and scenario named there exists."""
    assert sorted([*KILLED_BY, *HELD_ELSEWHERE]) == sorted(rule.id for rule in RULES)
    assert set(KILLED_BY.values()) <= set(CATALOGUE)
    for named in HELD_ELSEWHERE.values():
        file, _, test = named.partition("::")
        tree = ast.parse((CORE / file).read_text(encoding="utf-8"))
        assert test in [node.name for node in tree.body if isinstance(node, ast.FunctionDef)]


def _fails(rules: tuple[Rule, ...], name: str) -> str:
    with pytest.raises(AssertionError) as caught:
        play_scenario(CATALOGUE[name], len(name), rules)
    return str(caught.value).splitlines()[0]


@pytest.mark.slow
@pytest.mark.parametrize("rule", KILLED_BY)
def test_without_a_rule_its_scenario_fails(rule: str) -> None:
    """The very scenario that is green with all rules (test_scenarios.py)."""
    _fails(tuple(other for other in RULES if other.id != rule), KILLED_BY[rule])


# --- planted bugs


def _without(rule: str) -> tuple[Rule, ...]:
    return tuple(other for other in RULES if other.id != rule)


@pytest.mark.parametrize(
    ("rule", "scenario", "says"),
    [
        ("U10", "B1 standby away", "L2"),
        ("O10", "A3 MAIN hangs", "S2: m1 is promoted while m0 lives as MAIN"),
        ("O30", "A1 MAIN crashes", "L1.*is not open yet"),
        ("S10", "H6 standby promoted by hand", "L1.*is not a REPLICA"),
        ("R40", "E2 record restored", "L4: nobody said RecordRegressed"),
    ],
)
def test_a_forgotten_rule_is_found_for_the_right_reason(rule: str, scenario: str, says: str) -> None:
    """A kept name, a promotion beside a frozen MAIN, no durable epoch, a stray left alone, an old record obeyed."""
    with pytest.raises(AssertionError, match=says):
        play_scenario(CATALOGUE[scenario], len(scenario), _without(rule))


def test_a_promotion_before_its_record_is_found() -> None:
    """A failover that promotes first and writes the record second is stopped by the core's own invariants."""

    def promote_first(view: View) -> Decision | Unmet:
        found = next(rule for rule in RULES if rule.id == "L30").decide(view)
        if not isinstance(found, Decision):
            return found
        (write,) = found.commands
        assert isinstance(write, WriteRecord)
        new = write.record
        promote = Promote(instance=new.main, run=RunId(str(new.main_run)), generation=new.generation)
        return evolve(found, commands=(promote, write))

    rules = tuple(Rule("L30", promote_first) if rule.id == "L30" else rule for rule in RULES)
    assert "SINGLE_WRITER" in _fails(rules, "A1 MAIN crashes")


def test_promotion_before_old_mains_are_stopped_is_found() -> None:
    """O20 moved before O10: the order of rules is what keeps a frozen MAIN from living on beside the new one."""
    places = {rule.id: place for place, rule in enumerate(RULES)}
    order = list(RULES)
    order.insert(places["O10"], order.pop(places["O20"]))
    assert "S2" in _fails(tuple(order), "A3 MAIN hangs")

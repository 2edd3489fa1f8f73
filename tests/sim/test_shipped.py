"""What the shipped scenarios are for: the whole catalogue, every rule, and each fails without its rules."""

import re
from itertools import islice
from pathlib import Path
from typing import Final

import pytest
from attrs import evolve

from memgraph_ha.core import RULES, Decision, Rule, View
from memgraph_ha.core.commands import Promote, WriteRecord
from memgraph_ha.core.decision import Unmet
from memgraph_ha.core.names import RunId
from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.scenario.errors import FailedError
from memgraph_ha.sim.scenario.model import Scenario
from memgraph_ha.sim.scenario.play import play
from memgraph_ha.sim.scenario.shelf import shipped
from tests.e2e.matrix import SCENARIOS as CATALOGUE
from tests.sim.shelf import RUNS

ENTRIES: Final = {"A": 7, "B": 7, "C": 8, "D": 6, "E": 4, "F": 5, "G": 7, "H": 9, "I": 3, "J": 6}
"""How many entries each section of the catalogue has."""

MOST_STUCK: Final = 3
"""So many files may end on a named stuck class."""

TRIED: Final = 3
"""So many runs of a file that sweeps are tried without a rule: one of them must fail."""

LAST: Final = RULES[-1].id
"""Without it `decide` is not total: it raises, which is no broken promise but a broken core."""


def _first() -> list[Scenario]:
    return [runs[0] for runs in RUNS.values()]


def test_every_entry_of_the_catalogue_is_played() -> None:
    """A1 to J6, none left out and none invented."""
    wanted = {f"{section}{number}" for section, count in ENTRIES.items() for number in range(1, count + 1)}
    named = {entry for scenario in _first() for entry in scenario.catalogue}
    assert named == wanted
    assert {scenario.id for scenario in CATALOGUE} <= wanted


def test_a_file_is_named_after_the_entry_that_it_plays_or_after_an_operators_pause() -> None:
    """So that `sim run A3` finds it."""
    for scenario in _first():
        entry = scenario.id.partition("-")[0]
        if entry.islower():
            continue  # what the fuzzer found
        assert re.fullmatch(r"[A-JP]\d+", entry), scenario.id
        assert scenario.title, scenario.id
        assert scenario.catalogue, scenario.id
        assert entry.startswith("P") or entry in scenario.catalogue, scenario.id


def test_few_end_stuck_and_say_why() -> None:
    """The reason stands in the file."""
    stuck = [scenario for scenario in _first() if scenario.stuck is not None]
    assert 0 < len(stuck) <= MOST_STUCK
    assert all("on purpose" in scenario.description for scenario in stuck)


def _justified() -> list[tuple[str, str]]:
    return [(rule, scenario.id) for scenario in _first() for rule in scenario.rules]


def test_every_rule_is_justified_by_a_scenario() -> None:
    """A rule that nothing needs is not there."""
    assert sorted({rule for rule, _ in _justified()}) == sorted(rule.id for rule in RULES)


@pytest.mark.slow
@pytest.mark.timeout(300)
@pytest.mark.parametrize(("rule", "name"), _justified())
def test_without_a_rule_its_scenario_fails(rule: str, name: str) -> None:
    """The very scenario that is green with all rules."""
    without = tuple(other for other in RULES if other.id != rule)
    error = LookupError if rule == LAST else FailedError
    with pytest.raises(error):
        _play_some(name, without)


def _play_some(name: str, rules: tuple[Rule, ...]) -> None:
    for scenario in islice(RUNS[name], TRIED):
        play(scenario, rules=rules)


@pytest.mark.parametrize(
    ("rule", "name", "says"),
    [
        ("U10", "B1-standby-away", "un-named"),
        ("O10", "A3-hang", "S2: m1 is promoted while m0 lives as MAIN"),
        ("S10", "H6-standby-promoted", "L1|expected role"),
        ("P10", "B2-finalize-lost-before-a-silence", "S4: it is promoted: m1 lacks"),
        ("L15", "A7-flapping", "S12: 2 unplanned reigns"),
    ],
)
def test_a_forgotten_rule_is_found_for_the_right_reason(rule: str, name: str, says: str) -> None:
    """A kept name, a promotion beside a frozen MAIN, a stray left alone, a proof not repeated, a limit ignored."""
    without = tuple(other for other in RULES if other.id != rule)
    with pytest.raises(FailedError, match=says):
        play(RUNS[name][0], rules=without)


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
    with pytest.raises(FailedError, match="SINGLE_WRITER") as caught:
        play(RUNS["A1-crash"][0], rules=rules)
    assert caught.value.exit is Exit.SAFETY


def test_promotion_before_old_mains_are_stopped_is_found() -> None:
    """O20 moved before O10: the order of rules is what keeps a frozen MAIN from living on beside the new one."""
    places = {rule.id: place for place, rule in enumerate(RULES)}
    order = list(RULES)
    order.insert(places["O10"], order.pop(places["O20"]))
    with pytest.raises(FailedError, match="S2"):
        play(RUNS["A3-hang"][0], rules=tuple(order))


def test_the_files_are_where_the_wheel_takes_them_from() -> None:
    """scenarios/ at the top of the repository."""
    top = Path(__file__).parents[2] / "scenarios"
    assert {path.parent for path in shipped()} <= {top, top / "regress"}

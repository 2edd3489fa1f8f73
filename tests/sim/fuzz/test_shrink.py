"""A failing scenario becomes as small as it can be, and fails as it did."""

from functools import partial
from pathlib import Path

import pytest
from attrs import evolve

from memgraph_ha.core import Policy
from memgraph_ha.sim.fuzz import shrink
from memgraph_ha.sim.fuzz.finding import write_down
from memgraph_ha.sim.fuzz.shrink import Shrinking, Symptom, symptom
from memgraph_ha.sim.scenario.dump import dump
from memgraph_ha.sim.scenario.errors import ScenarioError
from memgraph_ha.sim.scenario.load import load, parse
from memgraph_ha.sim.scenario.model import Client, Fault, Scenario, Setting, When
from tests.sim.fuzz.planted import MAIN_NEVER_RETURNS, NOBODY_FOLLOWS

MANY = Scenario(
    id="many",
    setting=Setting(instances=5, controllers=3, lossy=True),
    clients=(Client(count=6, every_s=0.4), Client(kind="reader")),
    faults=tuple(
        Fault(do="kill", args={"on": f"m{number % 3}"}, when=When(plus_s=number + 0.37)) for number in range(12)
    ),
    operator=True,
)


def kills_m1_twice(scenario: Scenario) -> bool:
    """A failure that needs two faults, and at least two controllers."""
    hit = [fault for fault in scenario.faults if fault.get("on") == "m1"]
    return len(hit) > 1 and scenario.setting.controllers > 1


def test_only_what_the_failure_needs_is_left() -> None:
    """Two of twelve faults, with plain times, in the plainest cluster in which it happens."""
    small = Shrinking(shows=kills_m1_twice).smallest(MANY)
    assert small.faults == (Fault(do="kill", args={"on": "m1"}),) * 2
    assert small.setting == Setting(instances=2, controllers=2)
    assert (small.policy, small.clients, small.operator) == (Policy(), (), False)


def test_nothing_is_tried_any_more_when_time_is_over() -> None:
    """What was found so far is the result."""
    shrinking = Shrinking(shows=kills_m1_twice, over=lambda: shrinking.tries >= 5)
    small = shrinking.smallest(MANY)
    assert shrinking.tries == 5
    assert kills_m1_twice(small)


def test_a_scenario_that_cannot_be_written_and_read_is_not_smaller() -> None:
    """What a fault must be given stays, and so does who it names, though the failure may come before it is done."""
    faults = (Fault(do="kill", args={"on": "m1"}), Fault(do="crash-controller", args={"who": "C2"}))
    small = Shrinking(shows=lambda scenario: len(scenario.faults) > 1).smallest(evolve(MANY, faults=faults))
    assert small.faults == faults
    assert small.setting == Setting(instances=2, controllers=2)
    (again,) = parse(dump(small), "small")
    assert again.faults == faults


def test_a_scenario_that_makes_no_sense_is_not_smaller() -> None:
    """If a part is needed for it to be played at all, it stays."""

    def needs_clients(scenario: Scenario) -> bool:
        if not scenario.clients:
            raise ScenarioError("nobody writes")
        return True

    assert Shrinking(shows=needs_clients).smallest(MANY).clients == (Client(count=1),)


def test_a_planted_bug_is_shrunk_to_the_fault_that_shows_it(tmp_path: Path) -> None:
    """Without the rule of failover: one fault is left, and what is written fails in the same way."""
    found = partial(symptom, rules=NOBODY_FOLLOWS)
    wanted = found(MAIN_NEVER_RETURNS)
    assert wanted is not None
    assert symptom(MAIN_NEVER_RETURNS) is None, "with all rules it is fine"
    shrinking = Shrinking(shows=lambda smaller: found(smaller) == wanted)
    shrinking.over = lambda: shrinking.tries >= 8
    small = shrinking.smallest(MAIN_NEVER_RETURNS)
    assert [fault.do for fault in small.faults] == ["lose-volume"]
    (again,) = load(write_down(small, wanted, tmp_path, "a test"))
    assert found(again) == wanted


def test_a_file_is_named_after_what_it_breaks(tmp_path: Path) -> None:
    """So that a folder of finds can be read."""
    scenario = evolve(MAIN_NEVER_RETURNS, id="fuzz-7")
    file = write_down(scenario, Symptom(check="L1", hold="NoSafeCandidate"), tmp_path / "new", "`that command`")
    assert file == tmp_path / "new" / "l1-fuzz-7.toml"
    (again,) = load(file)
    assert (again.id, again.title) == ("l1-fuzz-7", "L1 is broken, and the leader waits as NoSafeCandidate")
    assert "`that command`" in again.description


def test_a_bug_of_the_simulator_has_a_symptom_too(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    """It is shrunk and written like a broken promise; another kind of error is another bug."""

    def broken(*_given: object) -> None:
        raise KeyError("m9")

    monkeypatch.setattr(shrink, "play", broken)
    found = symptom(MANY)
    assert found == Symptom(check="internal", error="KeyError")
    file = write_down(MANY, found, tmp_path, "a test")
    assert load(file)[0].title == "The simulator raises KeyError"

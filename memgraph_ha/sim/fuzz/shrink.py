"""Make a failing scenario as small as it can be, in values and in length, as long as the same promise is broken."""

from __future__ import annotations

import itertools
from collections.abc import Callable
from typing import Final

from attrs import define, evolve, field, frozen

from memgraph_ha.core import RULES, Rule
from memgraph_ha.sim.fuzz.ddmin import ddmin
from memgraph_ha.sim.fuzz.life import not_for_ever
from memgraph_ha.sim.fuzz.simpler import plainer
from memgraph_ha.sim.scenario.dump import dump
from memgraph_ha.sim.scenario.errors import FailedError, ScenarioError
from memgraph_ha.sim.scenario.load import parse
from memgraph_ha.sim.scenario.model import Scenario
from memgraph_ha.sim.scenario.play import play

INTERNAL: Final = "internal"
"""The check of a bug of the simulator itself."""


@frozen(kw_only=True)
class Symptom:
    """By what one failure is told from another.

    Attributes:
        check: Id of the promise that was broken, e.g. ``L1``; `INTERNAL` if it was the simulator that broke.
        hold: Under which name the leader waited, if that was all that was wrong; many failures are the same ``L1``.
        error: What kind of error it was, if the simulator broke.
    """

    check: str
    hold: str = ""
    error: str = ""


def symptom(scenario: Scenario, rules: tuple[Rule, ...] = RULES) -> Symptom | None:
    """Play a scenario on its own seed; None if nothing is wrong with it.

    Raises:
        ScenarioError: It makes no sense.
    """
    try:
        with not_for_ever():
            play(scenario, scenario.seed, rules)
    except FailedError as failed:
        return Symptom(check=failed.check, hold="" if failed.hold is None else failed.hold.word)
    except ScenarioError:
        raise
    except Exception as error:  # noqa: BLE001 - a bug of the simulator is made small like any other
        return Symptom(check=INTERNAL, error=type(error).__name__)
    return None


@define(kw_only=True)
class Shrinking:
    """One search for a smaller scenario.

    Attributes:
        shows: Whether a scenario fails as the first one did. A smaller one that makes no sense, or that cannot be
            written down and read, does not.
        over: Asked before each try: whether there was no time for it any more.
        told: Told of each scenario that is kept.
        tries: How many scenarios were played.
    """

    shows: Callable[[Scenario], bool]
    over: Callable[[], bool] = lambda: False
    told: Callable[[Scenario], None] = lambda _scenario: None
    tries: int = 0
    _known: dict[Scenario, bool] = field(factory=dict)

    def smallest(self, scenario: Scenario) -> Scenario:
        """Take faults away, then make what is left plainer, until no single step is left that keeps the failure."""
        while True:
            before = scenario
            scenario = self._fewer_faults(scenario)
            scenario = self._plainest(scenario)
            if scenario == before:
                return scenario

    def _fewer_faults(self, scenario: Scenario) -> Scenario:
        left = ddmin(scenario.faults, lambda faults: self._keeps(evolve(scenario, faults=faults)))
        return evolve(scenario, faults=left)

    def _plainest(self, scenario: Scenario) -> Scenario:
        place = 0
        while (other := next(itertools.islice(plainer(scenario), place, None), None)) is not None:
            if self._keeps(other):
                scenario = other
            else:
                place += 1  # what was refused so far is asked about again in the next round
        return scenario

    def _keeps(self, scenario: Scenario) -> bool:
        known = self._known.get(scenario)
        if known is not None or self.over():
            return bool(known)
        self.tries += 1
        try:
            parse(dump(scenario), scenario.id)  # what is left out may only be missed later than the failure
            known = self.shows(scenario)
        except ScenarioError:
            known = False
        self._known[scenario] = known
        if known:
            self.told(scenario)
        return known

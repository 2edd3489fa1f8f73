"""One life: the same history for the same seed, judged, and counted."""

import json
import os
import subprocess
import sys
from functools import partial

import pytest
from attrs import evolve

from memgraph_ha.core.holds import Hold
from memgraph_ha.sim.fuzz import life
from memgraph_ha.sim.fuzz.life import judge, live
from memgraph_ha.sim.fuzz.outcome import Outcome, Verdict
from memgraph_ha.sim.fuzz.swarm import draw
from memgraph_ha.sim.scenario.errors import FailedError
from memgraph_ha.sim.scenario.model import Fault, Result, Scenario
from tests.sim.fuzz.planted import MAIN_NEVER_RETURNS, NOBODY_FOLLOWS

FINE = evolve(MAIN_NEVER_RETURNS, faults=MAIN_NEVER_RETURNS.faults[:1])


def told() -> str:
    """Everything about a short life on either platform."""
    lives = [draw(seed) for seed in range(40)]
    shortest = [
        min((life for life in lives if life.setting.kubernetes is kubernetes), key=lambda life: len(life.faults))
        for kubernetes in (False, True)
    ]
    outcomes = [live(life.seed) for life in shortest]
    return json.dumps([[made.verdict.value, made.reason, made.digest, made.rules, made.marks] for made in outcomes])


def test_the_same_seed_is_the_same_history() -> None:
    """Here and in a process that hashes texts differently."""
    code = "from tests.sim.fuzz.test_life import told; print(told())"
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert told() == other.stdout.strip()


def test_another_seed_is_another_history() -> None:
    """The dice of the world are the scenario's, not only what was drawn from them."""
    assert judge(FINE).digest != judge(evolve(FINE, seed=FINE.seed + 1)).digest


def test_a_failover_is_counted() -> None:
    """Rules, holds, situations, reigns, writes and time are what happened."""
    outcome = judge(MAIN_NEVER_RETURNS)
    assert (outcome.verdict, outcome.failovers, outcome.unneeded) == (Verdict.WHOLE, 1, 0)
    marks, rules = dict(outcome.marks), dict(outcome.rules)
    assert {"failed-over", "promoted-exact", "proven", "bootstrapped", "unprotected"} <= set(marks)
    assert not {"two-mains", "forced", "switched-over"} & set(marks)
    assert {"B10", "L30", "O20", "O50", "A15"} <= set(rules)
    assert dict(outcome.faults) == {"hush": 1, "lose-volume": 1, "kill": 1, "pause-controller": 1}
    assert outcome.acked > 0
    assert outcome.seconds > 4


def test_a_planted_bug_is_a_find() -> None:
    """Without the rule of failover the cluster does not come back: that is told with its check."""
    outcome = judge(MAIN_NEVER_RETURNS, NOBODY_FOLLOWS)
    assert (outcome.is_find, outcome.check) == (True, "L1")


def played(scenario: Scenario, *_others: object, text: str, hold: Hold | None) -> Result:
    """Fail like that."""
    raise FailedError(text, seed=scenario.seed, hold=hold)


@pytest.mark.parametrize(
    ("text", "hold", "faults", "verdict"),
    [
        ("S1: m0 lacks 7", None, ("kill",), Verdict.SAFETY),
        ("S1: m0 lacks 7", Hold.NO_SAFE_CANDIDATE, ("lose-volume",), Verdict.SAFETY),
        ("L1: not whole", Hold.NO_SAFE_CANDIDATE, ("kill",), Verdict.LIVENESS),
        ("L1: not whole", Hold.NO_SAFE_CANDIDATE, ("lose-volume",), Verdict.STUCK),
        ("L1: not whole", Hold.LOOKING, ("lose-volume",), Verdict.LIVENESS),
        ("L1: not whole", None, ("lose-volume",), Verdict.LIVENESS),
    ],
)
def test_waiting_for_a_person_is_allowed_only_after_a_loss(
    monkeypatch: pytest.MonkeyPatch, text: str, hold: Hold | None, faults: tuple[str, ...], verdict: Verdict
) -> None:
    """Under a name that only a person ends, and only where data or the record may be damaged."""
    monkeypatch.setattr(life, "play", partial(played, text=text, hold=hold))
    scenario = Scenario(id="x", faults=tuple(Fault(do=verb, args={"on": "main"}) for verb in faults))
    assert judge(scenario).verdict is verdict


def test_a_bug_of_the_simulator_is_told_with_its_seed(monkeypatch: pytest.MonkeyPatch) -> None:
    """It is no broken promise, but it is not passed over either."""

    def broken(*_given: object) -> Result:
        raise KeyError("m9")

    monkeypatch.setattr(life, "play", broken)
    outcome = live(3)
    assert (outcome.seed, outcome.verdict, outcome.reason) == (3, Verdict.BROKEN, "KeyError: 'm9'")


def test_a_life_that_changes_is_a_find(monkeypatch: pytest.MonkeyPatch) -> None:
    """Played twice, it must be the same."""
    digests = iter("ab")

    def other(scenario: Scenario, _rules: object = None) -> Outcome:
        return Outcome(seed=scenario.seed, verdict=Verdict.WHOLE, digest=next(digests))

    monkeypatch.setattr(life, "judge", other)
    assert live(3, twice=True).verdict is Verdict.CHANGED


def test_a_life_that_never_ends_is_ended(monkeypatch: pytest.MonkeyPatch) -> None:
    """A night of fuzzing does not hang at one of them."""

    def endless(*_given: object) -> Result:
        while True:
            pass

    monkeypatch.setattr(life, "play", endless)
    monkeypatch.setattr(life, "LONGEST_S", 1)
    assert live(3).verdict is Verdict.BROKEN

"""Lives are drawn from their seed alone, know few verbs each, and stay within the fault model."""

import hashlib
import os
import subprocess
import sys
from pathlib import Path

from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.sim.fuzz.finding import write_down
from memgraph_ha.sim.fuzz.limits import APART, DOUBTS, EMPTIES, ENDS, EXCLUDED, LAST, NARROWED
from memgraph_ha.sim.fuzz.shrink import Symptom
from memgraph_ha.sim.fuzz.swarm import draw, may_lose_data
from memgraph_ha.sim.scenario.dump import dump
from memgraph_ha.sim.scenario.load import parse
from memgraph_ha.sim.scenario.registry import ArgKind
from memgraph_ha.sim.scenario.verbs import VERBS

MANY = 400
seeds = st.integers(0, 10_000_000)


def digest() -> str:
    """Fingerprint of many lives."""
    return hashlib.sha256("\n".join(dump(draw(seed)) for seed in range(MANY)).encode()).hexdigest()


def test_a_seed_is_a_life_in_every_process() -> None:
    """Also in one that hashes texts differently."""
    code = "from tests.sim.fuzz.test_swarm import digest; print(digest())"
    environment = {**os.environ, "PYTHONHASHSEED": "4711"}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert other.stdout.strip() == digest()


@given(seeds)
def test_a_life_is_a_scenario_file(seed: int) -> None:
    """Written and read, it is the same: what is found can be kept, and is valid."""
    scenario = draw(seed)
    (again,) = parse(dump(scenario), "drawn")
    assert again == scenario


@given(seeds)
def test_a_life_stays_within_the_fault_model(seed: int) -> None:
    """One of the pair loses its volume at most, and first of all; what must not be combined or followed is not."""
    scenario = draw(seed)
    for place, fault in enumerate(scenario.faults):
        assert fault.do not in EXCLUDED
        assert fault.do not in EMPTIES or place == 0 or fault.get("on") == "async"
    done = {fault.do for fault in scenario.faults}
    assert not LAST & {fault.do for fault in scenario.faults[:-1]}
    assert not any(apart <= done for apart in APART)
    assert may_lose_data(scenario) or not done & EMPTIES


def test_every_verb_is_in_some_life_and_none_in_most() -> None:
    """What is never drawn is never tested; what is always drawn hides what others do together."""
    lives = [{fault.do for fault in draw(seed).faults} for seed in range(MANY)]
    drawable = {
        verb.name
        for verb in VERBS.values()
        if verb.name not in EXCLUDED and all(arg.kind is not ArgKind.EXPRESSION for arg in verb.args.values())
    }
    counts = {name: sum(name in life for life in lives) for name in sorted(drawable)}
    assert min(counts.values()) > 0, counts
    assert max(counts.values()) < MANY / 2, counts
    assert set().union(*lives) == drawable


def test_clusters_and_policies_vary() -> None:
    """Each choice that a life has is made by some."""
    lives = [draw(seed) for seed in range(MANY)]
    assert {life.setting.instances for life in lives} == {2, 3, 4, 5}
    assert {life.setting.controllers for life in lives} == {1, 2, 3}
    assert {life.policy.eligible for life in lives} == {(), ("m1", "m0"), ("m0", "m2")}
    assert len({life.policy for life in lives}) > MANY * 0.9


def test_half_of_the_lives_are_on_kubernetes() -> None:
    """Whatever else is drawn: every size of cluster is there on both platforms."""
    lives = [draw(seed) for seed in range(MANY)]
    on_kubernetes = [life for life in lives if life.setting.kubernetes]
    assert MANY * 0.4 < len(on_kubernetes) < MANY * 0.6
    elsewhere = [life for life in lives if not life.setting.kubernetes]
    for some in (on_kubernetes, elsewhere):
        assert {life.setting.instances for life in some} == {2, 3, 4, 5}
        assert {life.setting.controllers for life in some} == {1, 2, 3}


def test_a_find_is_written_down_with_its_platform(tmp_path: Path) -> None:
    """Its scenario file plays on the platform on which it was found."""
    for seed in range(8):
        drawn = draw(seed)
        file = write_down(drawn, Symptom(check="L1"), tmp_path, f"seed {seed}")
        (again,) = parse(file.read_text(), "found")
        assert again.setting == drawn.setting
    assert {draw(seed).setting.kubernetes for seed in range(8)} == {False, True}


def test_limits_are_about_verbs_that_exist() -> None:
    """A limit that nothing fits any more is a limit that was lost."""
    named = EXCLUDED | LAST | EMPTIES | DOUBTS | ENDS | set().union(*APART)
    assert sorted(named - set(VERBS)) == []
    assert all(set(values) <= set(VERBS[name].args) for name, values in NARROWED.items())
    assert all(VERBS[name].undo for name in ENDS)

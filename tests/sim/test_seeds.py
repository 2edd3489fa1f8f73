"""Random histories: faults, then heal, then everything comes back; the same seed is the same history."""

import hashlib
import os
import subprocess
import sys

import pytest

from memgraph_ha.core import Policy
from tests.sim.chance import random_faults, random_life
from tests.sim.faults import POLICY, REQUIRED
from tests.sim.run import Result, Setup, play

STEPS = 20


def _run(seed: int, *, late: bool) -> Result:
    return play(Setup(seed=seed, late=late, operator=True), random_faults(STEPS))


def _live(seed: int, policy: Policy, *, late: bool = False) -> Result:
    return play(Setup(seed=seed, policy=policy, late=late, operator=True), random_life(STEPS // 2))


def digest(seed: int) -> str:
    """Fingerprint of a run's whole trace."""
    return hashlib.sha256("\n".join(_run(seed, late=True).trace).encode()).hexdigest()


@pytest.mark.parametrize("seed", range(3))
def test_random_faults_lose_nothing(seed: int) -> None:
    """No promise is broken, and after healing the cluster is whole."""
    assert _run(seed, late=False).acked > 0


@pytest.mark.parametrize("seed", range(100, 102))
def test_random_faults_with_late_commands_lose_nothing(seed: int) -> None:
    """The same with commands that land seconds late and answers that never come."""
    assert _run(seed, late=True).acked > 0


@pytest.mark.parametrize(("seed", "policy"), [(200, POLICY), (201, POLICY), (202, REQUIRED)])
def test_random_faults_and_orders_lose_nothing(seed: int, policy: Policy) -> None:
    """The same with switchovers, restarts, announced stops, pauses and rebuilds in between."""
    assert _live(seed, policy).acked > 0


@pytest.mark.slow
@pytest.mark.timeout(900)
@pytest.mark.parametrize("policy", [POLICY, REQUIRED], ids=["preferred", "required"])
def test_many_random_lives_lose_nothing(policy: Policy) -> None:
    """Many more seeds with orders, each third with late commands; every seed that fails is named."""
    failed: dict[int, str] = {}
    for seed in range(2000, 2060):
        try:
            _live(seed, policy, late=seed % 3 == 0)
        except AssertionError as error:
            failed[seed] = str(error).splitlines()[0]
    assert failed == {}


@pytest.mark.slow
@pytest.mark.timeout(600)
@pytest.mark.parametrize("late", [False, True], ids=["prompt", "late"])
def test_many_random_histories_lose_nothing(late: bool) -> None:
    """Many more seeds; every seed that fails is named."""
    failed: dict[int, str] = {}
    for seed in range(1000, 1060):
        try:
            _run(seed, late=late)
        except AssertionError as error:
            failed[seed] = str(error).splitlines()[0]
    assert failed == {}


def test_the_same_seed_is_the_same_history() -> None:
    """Twice in this process, and in another one that hashes texts differently."""
    code = "from tests.sim.test_seeds import digest; print(digest(7))"
    environment = {**os.environ, "PYTHONHASHSEED": "12345"}
    other = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, check=True)
    assert digest(7) == digest(7) == other.stdout.strip()


def test_another_seed_is_another_history() -> None:
    """The seed is what histories are made from."""
    assert digest(7) != digest(8)

"""Many lives at once, told in the order of their seeds."""

import itertools
import os
import time
from contextlib import closing

import pytest

from memgraph_ha.sim.fuzz.pool import in_order


def slow_if_even(number: int) -> tuple[int, int]:
    """Let the odd ones overtake."""
    time.sleep(0.02 if number % 2 == 0 else 0.0)
    return number, os.getpid()


def broken_at_three(number: int) -> int:
    """Fail."""
    if number == 3:
        raise RuntimeError("three")
    return number


@pytest.mark.parametrize("jobs", [1, 2])
def test_answers_come_in_order(jobs: int) -> None:
    """Whoever is ready first; and they come from as many processes as were asked for."""
    with closing(in_order(slow_if_even, 5, jobs)) as answers:
        found = list(itertools.islice(answers, 12))
    assert [number for number, _ in found] == list(range(5, 17))
    assert (os.getpid() in {process for _, process in found}) is (jobs == 1)


@pytest.mark.parametrize("jobs", [1, 2])
def test_what_fails_is_raised_in_its_place(jobs: int) -> None:
    """After everything before it was told."""
    with closing(in_order(broken_at_three, 0, jobs)) as answers:
        assert list(itertools.islice(answers, 3)) == [0, 1, 2]
        with pytest.raises(RuntimeError, match="three"):
            next(answers)


def test_no_process_is_left() -> None:
    """Closing ends them, also those that are busy."""
    with closing(in_order(slow_if_even, 0, 2)) as answers:
        process = next(answers)[1]
    with pytest.raises(ProcessLookupError):
        os.kill(process, 0)

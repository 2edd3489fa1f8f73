"""One random life, played and judged."""

from __future__ import annotations

import gc
import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import FrameType
from typing import Final

from attrs import evolve

from memgraph_ha.core import RULES, Rule
from memgraph_ha.core.holds import Hold
from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.fuzz.outcome import Counts, Outcome, Verdict
from memgraph_ha.sim.fuzz.swarm import draw, may_lose_data
from memgraph_ha.sim.fuzz.watch import Watch
from memgraph_ha.sim.scenario.errors import FailedError
from memgraph_ha.sim.scenario.model import Scenario
from memgraph_ha.sim.scenario.play import play

LONGEST_S: Final = 300
"""A life that takes longer, in real seconds, hangs: that is a bug of the simulator."""

A_PERSON_ENDS: Final = frozenset(
    {
        Hold.AMBIGUOUS_BOOTSTRAP,
        Hold.DATA_SET_REPLACED,
        Hold.MAIN_LOST_DATA,
        Hold.NO_SAFE_CANDIDATE,
        Hold.RECORD_INVALID,
        Hold.RECORD_REGRESSED,
    }
)
"""Under these names a cluster may wait for ever, if its data or its record were damaged: only a person may go on."""


class TooLongError(Exception):
    """A life did not come to its end within `LONGEST_S`."""


def live(seed: int, *, twice: bool = False, rules: tuple[Rule, ...] = RULES) -> Outcome:
    """Draw a life and play it.

    Args:
        seed: Of everything.
        twice: Play it again, and demand the same history.
        rules: The table that decides.
    """
    scenario = draw(seed)
    outcome = judge(scenario, rules)
    if twice and not outcome.is_find:
        other = judge(scenario, rules)
        if other != outcome:
            reason = f"the first history is {outcome.digest}, the second {other.digest}"
            return evolve(outcome, verdict=Verdict.CHANGED, check="S13", reason=reason)
    return outcome


def judge(scenario: Scenario, rules: tuple[Rule, ...] = RULES) -> Outcome:
    """Play a scenario on its own seed, and say what came of it."""
    watch = Watch()
    verdict, check, reason, acked, seconds, unneeded = Verdict.WHOLE, "", "", 0, 0.0, 0
    try:
        with not_for_ever(), no_collector():
            result = play(scenario, scenario.seed, rules, watch)
        acked, seconds, unneeded = result.acked, result.seconds, result.unneeded
    except FailedError as failed:
        verdict, check, reason = _verdict(scenario, failed), failed.check, failed.reason
        if verdict is Verdict.STUCK and failed.hold is not None:
            check, reason = "", failed.hold.word
    except Exception as error:  # noqa: BLE001 - whatever it is, it is told with its seed
        verdict, reason = Verdict.BROKEN, f"{type(error).__name__}: {error}"
    return Outcome(
        seed=scenario.seed,
        verdict=verdict,
        check=check,
        reason=reason,
        faults=_counts(Counter(fault.do for fault in scenario.faults)),
        rules=_counts(watch.rules),
        holds=_counts(watch.holds),
        marks=_counts(Counter({mark.word: count for mark, count in watch.marks.items()})),
        failovers=watch.failovers,
        unneeded=unneeded,
        acked=acked,
        seconds=seconds,
        digest=watch.digest,
    )


def _verdict(scenario: Scenario, failed: FailedError) -> Verdict:
    if failed.exit is not Exit.LIVENESS:
        return Verdict.SAFETY
    return Verdict.STUCK if failed.hold in A_PERSON_ENDS and may_lose_data(scenario) else Verdict.LIVENESS


def _counts(found: Counter[str]) -> Counts:
    return tuple(sorted(found.items()))


@contextmanager
def no_collector() -> Iterator[None]:
    """Collect garbage once, at the end: a life makes little of it, and looking for it again and again takes a fifth."""
    was_on = gc.isenabled()
    gc.disable()
    try:
        yield
    finally:
        if was_on:
            gc.enable()
        gc.collect()


@contextmanager
def not_for_ever() -> Iterator[None]:
    """End what takes longer than `LONGEST_S` real seconds; only in the main thread of a process.

    Raises:
        TooLongError: It did.
    """

    def stop(_signum: int, _frame: FrameType | None) -> None:
        raise TooLongError(f"it did not end within {LONGEST_S} real seconds")

    before = signal.signal(signal.SIGALRM, stop)
    signal.alarm(LONGEST_S)
    try:
        yield
    finally:
        signal.alarm(0)
        signal.signal(signal.SIGALRM, before)

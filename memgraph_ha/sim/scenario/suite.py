"""Many scenarios at once: which runs there are, what came of each, and one exit code for all."""

from __future__ import annotations

import multiprocessing
import time
import tomllib
from collections.abc import Iterator
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from pathlib import Path
from typing import Final

from attrs import evolve, frozen

from memgraph_ha.core import RULES
from memgraph_ha.sim.exits import Exit
from memgraph_ha.sim.scenario.errors import FailedError, ScenarioError
from memgraph_ha.sim.scenario.load import load
from memgraph_ha.sim.scenario.model import PLATFORMS, Result, Scenario
from memgraph_ha.sim.scenario.play import play
from memgraph_ha.sim.scenario.recording import record, trace_name
from memgraph_ha.sim.search.scenario import SmallScenarioError, load_small
from memgraph_ha.sim.search.scenario import play as play_history

GRAVEST: Final = (
    Exit.INTERNAL,
    Exit.USAGE,
    Exit.SAFETY,
    Exit.NOT_DETERMINISTIC,
    Exit.LIVENESS,
    Exit.DIFFERENT,
    Exit.UNMET,
)
"""Which exit code stands for many, the gravest first."""


@frozen(kw_only=True)
class Job:
    """One run that is to be played.

    Attributes:
        path: Of its file.
        scenario: What.
        seed: Of the dice; None: the scenario's own.
        platform: One of `PLATFORMS`; None: the scenario's own.
        without: Ids of the rules that are taken out.
        traces: In which folder its trace is kept; None: nowhere.
        small: It is of the small world of `sim check`, which knows neither seeds nor traces.
    """

    path: Path
    scenario: Scenario
    seed: int | None = None
    platform: str | None = None
    without: tuple[str, ...] = ()
    traces: Path | None = None
    small: bool = False

    @property
    def trace(self) -> Path | None:
        """The file of its trace."""
        return None if self.traces is None or self.small else self.traces / trace_name(self.scenario)


@frozen(kw_only=True)
class Outcome:
    """What came of one run.

    Attributes:
        name: Id and run.
        exit: What it means.
        took_s: By the wall clock, seconds.
        result: What it came to; None if it failed.
        check: Which check failed: a promise (``S1``), ``expect`` or ``core``; empty if none.
        reason: What failed, one sentence; empty if nothing.
        trace: What happened, one line per event; of one that failed only.
    """

    name: str
    exit: Exit
    took_s: float
    result: Result | None = None
    check: str = ""
    reason: str = ""
    trace: tuple[str, ...] = ()


def jobs(
    found: tuple[tuple[Path, str], ...],
    seed: int | None,
    without: tuple[str, ...],
    traces: Path | None = None,
    platform: str | None = None,
) -> list[Job]:
    """Read files and name their runs.

    Args:
        found: Files, each with the run that is wanted of it, or all.
        seed: See `Job`.
        without: See `Job`.
        traces: See `Job`.
        platform: See `Job`; the small world has none.

    Raises:
        ScenarioError: A file is wrong, or has no such run.
    """
    made: list[Job] = []
    for path, run in found:
        if is_small(path):
            made.append(Job(path=path, scenario=Scenario(id=_checked(path)), without=without, small=True))
            continue
        runs = load(path)
        chosen = [scenario for scenario in runs if run in ("", scenario.run)]
        if not chosen:
            raise ScenarioError(f"{path}: has no run {run!r}; it has {', '.join(one.run for one in runs)}")
        if platform is not None:
            chosen = [_on(platform, scenario) for scenario in chosen]
        made += [
            Job(path=path, scenario=scenario, seed=seed, platform=platform, without=without, traces=traces)
            for scenario in chosen
        ]
    return made


def _on(platform: str, scenario: Scenario) -> Scenario:
    return evolve(scenario, setting=evolve(scenario.setting, kubernetes=platform == PLATFORMS[1]))


def _checked(path: Path) -> str:
    """Read a history of the small world; its id.

    Raises:
        ScenarioError: It is none.
    """
    try:
        return load_small(path).id
    except SmallScenarioError as error:
        raise ScenarioError(str(error)) from error


def is_small(path: Path) -> bool:
    """Whether a file is a history of the small world of `sim check` (``world = "small"``)."""
    try:
        return tomllib.loads(path.read_text(encoding="utf-8")).get("world") == "small"
    except (OSError, ValueError):
        return False  # `load` says what is wrong with it


def _play_small(job: Job) -> Outcome:
    """Play a history of the small world, without the rules that the file and the job leave out."""
    began_s = time.perf_counter()
    scenario = load_small(job.path)
    played = play_history(evolve(scenario, without=(*scenario.without, *job.without)))
    took_s = time.perf_counter() - began_s
    if played.check is None:
        return Outcome(name=scenario.id, exit=Exit.OK, took_s=took_s)
    code = Exit.LIVENESS if played.check.startswith("L") else Exit.SAFETY
    return Outcome(
        name=scenario.id, exit=code, took_s=took_s, check=played.check, reason=played.text, trace=played.story
    )


def play_job(job: Job) -> Outcome:
    """Play one run, and say what came of it whatever that is."""
    rules = tuple(rule for rule in RULES if rule.id not in job.without)
    began_s = time.perf_counter()
    name = job.scenario.name
    try:
        if job.small:
            return _play_small(job)
        if job.trace is None:
            result = play(job.scenario, job.seed, rules)
        else:
            result = record(job.scenario, job.trace, job.seed, rules)
    except FailedError as error:
        took_s = time.perf_counter() - began_s
        return Outcome(
            name=name, exit=error.exit, took_s=took_s, check=error.check, reason=error.reason, trace=error.trace
        )
    except Exception as error:  # noqa: BLE001 - the others are still played, and the exit code says it
        took_s = time.perf_counter() - began_s
        return Outcome(name=name, exit=Exit.INTERNAL, took_s=took_s, reason=f"{type(error).__name__}: {error}")
    return Outcome(name=name, exit=Exit.OK, took_s=time.perf_counter() - began_s, result=result)


def play_all(todo: list[Job], processes: int) -> Iterator[Outcome]:
    """Play runs, several at a time, and tell what came of each in their order.

    Args:
        todo: Which.
        processes: How many at a time; each in a process of its own, unless it is one.
    """
    if processes == 1 or len(todo) == 1:
        yield from map(play_job, todo)
        return
    context = multiprocessing.get_context("spawn")
    with ProcessPoolExecutor(max_workers=min(processes, len(todo)), mp_context=context) as pool:
        yield from pool.map(partial(play_job), todo)


def gravest(outcomes: list[Outcome]) -> Exit:
    """The one exit code for all of them."""
    codes = {outcome.exit for outcome in outcomes}
    return next((code for code in GRAVEST if code in codes), Exit.OK)

"""The detectors that come with the simulator. None compares with what the right rules did: each knows what must be.

Cheapest first: promises on views that simulated clusters came past, then whole scenarios, then the tests of a
checkout if there are any, then random lives.
"""

from collections.abc import Callable, Iterable
from contextlib import suppress
from functools import partial
from typing import Final

from memgraph_ha.core import RULES, Policy, Rule, View
from memgraph_ha.core.decision import Decision, Unmet
from memgraph_ha.sim.fuzz.life import live
from memgraph_ha.sim.mutate.detector import Case, Detector
from memgraph_ha.sim.mutate.forked import Say, forked
from memgraph_ha.sim.mutate.promises import anew, broken_promise
from memgraph_ha.sim.scenario.errors import FailedError
from memgraph_ha.sim.scenario.model import Scenario
from memgraph_ha.sim.scenario.play import play
from memgraph_ha.sim.search.explore import Search
from memgraph_ha.sim.search.liveness import judge
from memgraph_ha.sim.search.policies import POLICIES

VIEWS: Final = 60
"""How many views of one scenario are looked at."""

MOST_STATES: Final = 400_000
"""A small world with more states than this has no end: the right rules need far fewer for one fault."""

PLAYED_S: Final = 300.0
"""Longest that one scenario may take, seconds."""


def scenarios(of: Iterable[Scenario]) -> Detector:
    """Whole scenarios: each must pass.

    Args:
        of: One case each.
    """
    cases = [Case(name=run.name, examine=partial(_play, run), about=frozenset(run.rules)) for run in of]
    return Detector(name="scenarios", cases=tuple(cases))


def _play(scenario: Scenario, rules: tuple[Rule, ...]) -> str | None:
    try:
        play(scenario, rules=rules)
    except FailedError as error:
        return str(error).splitlines()[0]
    return None


def lives(seeds: Iterable[int]) -> Detector:
    """Random lives: each must end well; see `memgraph_ha.sim.fuzz.life`.

    Args:
        seeds: One case each.
    """
    return Detector(name="fuzz", cases=tuple(Case(name=f"seed {seed}", examine=partial(_live, seed)) for seed in seeds))


def _live(seed: int, rules: tuple[Rule, ...]) -> str | None:
    outcome = live(seed, rules=rules)
    return f"{outcome.check} {outcome.reason}" if outcome.is_find else None


def search(faults: int) -> Detector:
    """Every history of the small world within a budget of faults, under each policy.

    Args:
        faults: How many; a case is another policy, without faults first, for they end at once.
    """
    cases = [
        Case(name=f"{name}, {budget} faults", examine=partial(_search, policy, budget))
        for budget in range(faults + 1)
        for name, policy in POLICIES.items()
    ]
    return Detector(name="search", cases=tuple(cases))


def _search(policy: Policy, faults: int, rules: tuple[Rule, ...]) -> str | None:
    looking = Search(policy, faults, rules=rules)
    graph = looking.run(limit=MOST_STATES)
    if graph.broken is not None:
        return f"{graph.broken.check}: {graph.broken.text} ({len(graph.broken.moves)} steps)"
    if len(graph.states) >= MOST_STATES:
        return f"{MOST_STATES} states, and no end"
    lost = judge(looking, graph).lost
    return None if lost is None else f"the cluster does not come back after {len(lost)} steps, and waits for nothing"


def views(of: Iterable[Scenario], jobs: int, told: Callable[[str], None]) -> Detector:
    """Promises on the views that a cluster comes past in scenarios; see `promises.PROMISES`.

    Args:
        of: One case each: what was seen in it is judged, not what became of it.
        jobs: How many are played at a time, to see what can be seen.
        told: Called with the name of each scenario that was played.
    """
    runs = {run.name: run for run in of}
    seen: dict[str, tuple[View, ...]] = {}
    tasks = [(name, partial(_seen_in, run)) for name, run in runs.items()]
    for ended in forked(tasks, jobs=jobs, limit_s=PLAYED_S):
        found = ended.said[-1] if ended.said else ()
        seen[ended.key] = tuple(view for view in found if isinstance(view, View)) if isinstance(found, tuple) else ()
        told(ended.key)
    cases = [
        Case(name=name, examine=partial(broken_promise, seen[name]), about=frozenset(run.rules))
        for name, run in runs.items()
    ]
    return Detector(name="views", cases=tuple(cases))


def _seen_in(scenario: Scenario, say: Say) -> None:
    noted: list[View] = []
    with suppress(FailedError):  # a scenario that fails with the right rules is told of by `watch`
        play(scenario, rules=(Rule(RULES[0].id, partial(_note, noted)), *RULES[1:]))
    step = max(1, len(noted) // VIEWS)
    say(tuple(anew(view) for view in noted[::step]))


def _note(noted: list[View], view: View) -> Decision | Unmet:
    """Stand in the place of the first rule, which sees every view: note what has changed, and answer as that rule."""
    if not noted or noted[-1].observed is not view.observed:
        noted.append(view)
    return RULES[0].decide(view)

"""Other people's controllers in the simulated cluster: their decisions, our faults, and the promises that must hold."""

from collections.abc import Callable, Iterable
from functools import partial

from memgraph_ha.core import RULES, Decision, Rule, Unmet, View
from memgraph_ha.sim.mutate.promises import broken_promise
from memgraph_ha.sim.scenario.errors import FailedError
from memgraph_ha.sim.scenario.model import Result, Scenario
from memgraph_ha.sim.scenario.play import play

Decide = Callable[[View], Decision]
"""A controller's own decision. What the gateways may do is not part of it: `memgraph_ha.core.route` says that."""


def own_rule(decide: Decide) -> tuple[Rule, ...]:
    """Make a table of rules of one decision: wherever rules are taken, it is taken.

    Args:
        decide: Total: it must answer every view.
    """
    return (Rule("OWN", partial(_always, decide)),)


def before_ours(rule: Rule) -> tuple[Rule, ...]:
    """Put one more rule before all that ship.

    Args:
        rule: Its id must be new. It returns `Unmet` whenever it is not its turn.

    Raises:
        ValueError: A rule of that id ships.
    """
    if rule.id in [known.id for known in RULES]:
        raise ValueError(f"rule {rule.id} ships already; choose another id")
    return (rule, *RULES)


def check_decisions(views: Iterable[View], rules: tuple[Rule, ...] = RULES) -> None:
    """Check what must hold of every decision on some views: invariants, and the promises about less being known.

    Args:
        views: Any; `seen_in` gives those of a scenario.
        rules: Those to decide by.

    Raises:
        InvariantViolation: A command breaks one of `memgraph_ha.core.INVARIANTS`.
        AssertionError: Another promise is broken; the text names it.
    """
    wrong = broken_promise(views, rules)
    if wrong is not None:
        raise AssertionError(wrong)


def seen_in(scenario: Scenario, *, every: int = 10) -> tuple[View, ...]:
    """Play a scenario with the rules that ship, and keep views that its controllers come past.

    Args:
        scenario: Which.
        every: Only each so many-th one.

    Raises:
        FailedError: The scenario fails.
    """
    noted: list[View] = []

    def note(view: View) -> Decision | Unmet:
        noted.append(view)
        return RULES[0].decide(view)

    play(scenario, rules=(Rule(RULES[0].id, note), *RULES[1:]))
    return tuple(
        View(observed=view.observed, policy=view.policy, now_s=view.now_s, wall_s=view.wall_s)
        for view in noted[::every]
    )


def survives(scenarios: Iterable[Scenario], rules: tuple[Rule, ...]) -> dict[str, Result | FailedError]:
    """Play scenarios with other rules.

    Args:
        scenarios: Which; see `load`.
        rules: Those that the controllers decide by; see `own_rule` and `before_ours`.

    Returns:
        What each came to, by name: its result, or how it failed.
    """
    found: dict[str, Result | FailedError] = {}
    for scenario in scenarios:
        try:
            found[scenario.name] = play(scenario, rules=rules)
        except FailedError as error:
            found[scenario.name] = error
    return found


def _always(decide: Decide, view: View) -> Decision | Unmet:
    return decide(view)

"""Rules with a bug planted in them, and a scenario in which it shows: what fuzz and shrink must find."""

from typing import Final

from attrs import evolve

from memgraph_ha.core import RULES, Rule
from memgraph_ha.core.decision import Unmet
from memgraph_ha.core.view import View
from memgraph_ha.sim.scenario.model import Client, Fault, Scenario, Setting, Timing, When


def never(_view: View) -> Unmet:
    """A rule that was taken out."""
    return Unmet("it is planted")


def without(rule_id: str) -> tuple[Rule, ...]:
    """The table without a rule; the others keep their places."""
    assert rule_id in {rule.id for rule in RULES}
    return tuple(evolve(rule, decide=never) if rule.id == rule_id else rule for rule in RULES)


NOBODY_FOLLOWS: Final = without("L30")
"""The standby never takes over: a lost MAIN is waited for."""

MAIN_NEVER_RETURNS: Final = Scenario(
    id="main-never-returns",
    setting=Setting(instances=3, controllers=2),
    timing=Timing(then_s=1.0, heal_s=1.0, converge_s=10.0),
    clients=(Client(count=2, every_s=0.5), Client(kind="reader", count=1, every_s=1.0)),
    faults=(
        Fault(do="hush", when=When(plus_s=0.73), for_s=0.5),
        Fault(do="lose-volume", args={"on": "main"}, when=When(plus_s=0.27)),
        Fault(do="kill", args={"on": "async"}, when=When(plus_s=0.61)),
        Fault(do="pause-controller", args={"who": "other"}, for_s=0.4),
    ),
    operator=True,
)
"""MAIN loses its volume under load, beside things that do not matter: somebody must follow it."""

"""Each step towards a smaller scenario is a step down: the search for the smallest comes to an end."""

import itertools

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.core import DataDurability, Policy
from memgraph_ha.core.names import InstanceName
from memgraph_ha.sim.fuzz.simpler import plainer, rounder
from memgraph_ha.sim.scenario.model import Client, Fault, Scenario, Setting, When

LARGE = Scenario(
    id="large",
    setting=Setting(instances=4, controllers=3, lossy=True),
    policy=evolve(Policy(), data_durability=DataDurability.REQUIRED, lease_duration_s=5.0, command_deadline_s=2.0),
    clients=(Client(count=6), Client(kind="reader", every_s=0.4)),
    faults=(
        Fault(do="freeze", args={"on": "main"}, when=When(at_s=3.27), for_s=12.0),
        Fault(do="kill", args={"on": "m1"}, when=When(plus_s=0.73)),
        Fault(do="thaw", when=When(step="before promote", within_s=8.0, anyway=True)),
    ),
    operator=True,
)


@given(st.floats(0.0, 1000.0).map(lambda seconds: round(seconds, 3)))
def test_rounding_ends(seconds: float) -> None:
    """However often a rounder time is taken, soon there is none that is rounder."""
    for _ in range(10):
        choices = list(rounder(seconds))
        assert seconds not in choices
        if not choices:
            return
        seconds = choices[-1]
    raise AssertionError(seconds)


def test_every_part_is_made_plainer() -> None:
    """Cluster, policy, clients, times and arguments: each deviation from the usual is given up by one of the steps."""
    steps = list(plainer(LARGE))
    assert any(step.setting == evolve(LARGE.setting, lossy=False) for step in steps)
    assert any(step.setting.instances == 3 for step in steps)
    assert any(step.policy.data_durability is DataDurability.PREFERRED for step in steps)
    assert any(step.clients == LARGE.clients[:1] for step in steps)
    assert any(step.faults[0].when == When(at_s=3.0) for step in steps)
    assert any(step.faults[0].for_s is None for step in steps)
    assert any(step.faults[1].when == When(plus_s=0.5) for step in steps)
    assert any(step.faults[2].when == When() for step in steps)
    assert any(not step.operator for step in steps)


def test_values_that_only_go_together_are_no_step() -> None:
    """A policy that would be refused is not proposed: a lease of 5 s with the usual deadline of 5 s."""
    assert not any(step.policy.command_deadline_s == 5 and step.policy.lease_duration_s == 5 for step in plainer(LARGE))


def test_taking_every_step_ends_at_the_plainest_scenario() -> None:
    """If everything still fails, two instances, one controller, the usual policy and the faults at once are left."""
    scenario = LARGE
    for _ in itertools.count():
        step = next(plainer(scenario), None)
        if step is None:
            break
        scenario = step
    assert scenario.setting == Setting(instances=2, controllers=1)
    assert (scenario.policy, scenario.clients, scenario.operator) == (Policy(), (), False)
    assert [(fault.do, fault.args, fault.when, fault.for_s) for fault in scenario.faults] == [
        ("freeze", (), When(), None),
        ("kill", (), When(), None),
        ("thaw", (), When(), None),
    ]


def test_the_pair_stays_in_the_cluster() -> None:
    """An instance that the policy names as eligible is not taken away: that would be another failure."""
    policy = Policy(eligible=(InstanceName("m0"), InstanceName("m3")))
    assert not any(step.setting.instances < 4 for step in plainer(evolve(LARGE, policy=policy)))

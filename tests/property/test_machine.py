"""Any few things that go wrong, in any order: the promises hold at every step, and afterwards everything comes back.

Few examples with few steps: Hypothesis finds the shortest way to a broken promise, `sim fuzz` has the volume.
"""

from hypothesis import HealthCheck, settings, stateful
from hypothesis import strategies as st

from memgraph_ha.core import RULES, DataDurability, Policy
from memgraph_ha.sim.scenario.model import Client, Scenario, Setting, Timing, Value
from memgraph_ha.sim.scenario.settle import converge, settle
from memgraph_ha.sim.scenario.stage import Stage, build
from memgraph_ha.sim.scenario.verbs import VERBS

instances = st.sampled_from(("main", "standby", "async"))
controllers = st.sampled_from(("leader", "other"))


class Life(stateful.RuleBasedStateMachine):
    """A cluster of three instances and two controllers; the world judges every command and every answer itself."""

    stage: Stage

    @stateful.initialize(seed=st.integers(0, 99), durability=st.sampled_from(DataDurability))
    def begin(self, seed: int, durability: DataDurability) -> None:
        """A whole cluster, which is written to."""
        scenario = Scenario(
            id="machine",
            setting=Setting(),
            policy=Policy(data_durability=durability, failover_limit=1000, main_restart_limit=1000),
            timing=Timing(heal_s=2.0, converge_s=90.0),
            clients=(Client(count=1, every_s=0.5),),
            operator=True,
        )
        self.stage = build(scenario, seed, RULES)
        for controller in self.stage.controllers:
            controller.start()
        converge(self.stage, 60.0)
        self.stage.begin()

    def do(self, name: str, **given: Value) -> None:
        """Do what a scenario's verb does."""
        for wait in VERBS[name].do(self.stage, given) or ():
            self.stage.cluster.world.run_until(wait)

    @stateful.rule(verb=st.sampled_from(("kill", "keep-down", "let-up", "freeze", "thaw", "restart")), on=instances)
    def process(self, verb: str, on: str) -> None:
        """Something happens to a process."""
        self.do(verb, on=on)

    @stateful.rule(verb=st.sampled_from(("crash-controller", "start-controller", "pause-controller")), who=controllers)
    def controller(self, verb: str, who: str) -> None:
        """Something happens to a controller."""
        self.do(verb, who=who)

    @stateful.rule(on=instances)
    def isolated(self, on: str) -> None:
        """Nobody reaches an instance."""
        self.do("isolate", on=on)

    @stateful.rule()
    def healed(self) -> None:
        """Everybody reaches everybody."""
        self.do("heal")

    @stateful.rule(seconds=st.sampled_from((0.05, 0.5, 2.0, 8.0)))
    def later(self, seconds: float) -> None:
        """Time passes."""
        self.stage.cluster.world.run(seconds)

    @stateful.invariant()
    def a_permit_is_of_the_newest_reign_or_ends_by_itself(self) -> None:
        """No gateway lets anybody write to another MAIN of the same reign, or for longer than its lease."""
        record = self.stage.record
        for controller in self.stage.controllers:
            permit = controller.gateway.permit
            if permit is not None and record is not None:
                assert permit.generation <= record.generation
                assert permit.generation < record.generation or permit.instance == record.main

    def teardown(self) -> None:
        """Everything is healed: the cluster comes back by itself, with every acknowledged write."""
        if hasattr(self, "stage"):
            settle(self.stage)


TestLife = Life.TestCase
TestLife.settings = settings(
    max_examples=3,
    stateful_step_count=6,
    deadline=None,
    suppress_health_check=[HealthCheck.too_slow, HealthCheck.filter_too_much],
)

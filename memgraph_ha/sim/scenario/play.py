"""Plays a scenario: a whole cluster, what goes wrong, and a whole cluster again, in virtual time."""

from __future__ import annotations

from collections.abc import Callable

from memgraph_ha.core import RULES, Rule
from memgraph_ha.core.errors import InvariantViolation
from memgraph_ha.sim.scenario.errors import INVARIANT, UNMET, FailedError, UnmetError
from memgraph_ha.sim.scenario.judge import Judge
from memgraph_ha.sim.scenario.model import Result, Scenario
from memgraph_ha.sim.scenario.script import Script
from memgraph_ha.sim.scenario.settle import converge, settle
from memgraph_ha.sim.scenario.stage import Stage, build
from memgraph_ha.sim.scenario.verbs import VERBS
from memgraph_ha.trace.recorder import NO_RECORDER, Recorder
from memgraph_ha.trace.schema import Ghost


def play(
    scenario: Scenario,
    seed: int | None = None,
    rules: tuple[Rule, ...] = RULES,
    recorder: Recorder = NO_RECORDER,
    staged: Callable[[Stage], None] = lambda _stage: None,
) -> Result:
    """Play one scenario from its beginning to its end.

    Args:
        scenario: What; one run of a file that sweeps.
        seed: Of the dice; None: the scenario's own.
        rules: The rules that the controllers decide by.
        recorder: Told of everything that happens.
        staged: Takes the stage before anything happens on it, for whoever wants to watch.

    Returns:
        What it came to.

    Raises:
        FailedError: A promise was broken, or something that the scenario expects is not so.
    """
    dice = scenario.seed if seed is None else seed
    stage: Stage | None = None
    try:
        stage = build(scenario, dice, rules, recorder)
        staged(stage)
        return _played(stage)
    except AssertionError as error:
        trace = () if stage is None else tuple(stage.cluster.trace)
        check = UNMET if isinstance(error, UnmetError) else INVARIANT if isinstance(error, InvariantViolation) else None
        decision = None if stage is None else stage.decision
        hold = None if decision is None else decision.hold
        failed = FailedError(str(error), seed=dice, trace=trace, check=check, hold=hold)
        if stage is not None:
            who = getattr(error, "who", "")
            stage.cluster.ghost(Ghost.VIOLATION, who, check=failed.check, text=failed.reason)
        raise failed from error


def _played(stage: Stage) -> Result:
    scenario = stage.scenario
    for first in scenario.before:
        for wait in VERBS[first.do].do(stage, dict(first.args)) or ():
            stage.cluster.world.run_until(wait)
    for controller in stage.controllers:
        controller.start()
    if scenario.setting.whole:
        converge(stage, scenario.timing.converge_s)
    stage.begin()
    judge = Judge(stage)
    Script(stage, judge).run()
    judge.see_it_through(scenario.timing.then_s)
    pause_s = stage.pause_s(stage.origin_s)
    settle(stage)
    judge.at_the_end()
    return Result(
        seed=stage.seed,
        fired=tuple(sorted({rule for controller in stage.controllers for rule in controller.fired})),
        holds=tuple(sorted({hold.word for controller in stage.controllers for hold in controller.holds})),
        acked=len(stage.cluster.acks),
        seconds=stage.cluster.now,
        pause_s=pause_s,
        reigns=stage.reigns,
        unneeded=stage.cluster.unneeded,
        sent=tuple(sorted(stage.sent.items())),
        trace=tuple(stage.cluster.trace),
    )

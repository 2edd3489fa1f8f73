"""Verbs whatever the cluster is like: none ever raises, and each says what undoes it."""

from collections.abc import Callable

import pytest

from memgraph_ha.core import RULES
from memgraph_ha.sim.scenario.model import Scenario, Setting, Value
from memgraph_ha.sim.scenario.registry import Arg, ArgKind, Verb
from memgraph_ha.sim.scenario.settle import heal
from memgraph_ha.sim.scenario.stage import Stage, build
from memgraph_ha.sim.scenario.verbs import VERBS

SAMPLES: dict[ArgKind, Value] = {
    ArgKind.INSTANCE: "m1",
    ArgKind.CONTROLLER: "leader",
    ArgKind.END: "m0",
    ArgKind.TIME: 0.1,
    ArgKind.COUNT: 2,
    ArgKind.NUMBER: 1.5,
    ArgKind.CHANCE: 0.5,
    ArgKind.YES_NO: True,
    ArgKind.WORD: "RETURN 1",
    ArgKind.EXPRESSION: "true",
}

LONGEST_S = 70.0
"""No verb keeps a scenario longer than that."""


def _sample(arg: Arg) -> Value:
    return arg.choices[0] if arg.choices else SAMPLES[arg.kind]


def _stage(instances: int = 3) -> Stage:
    scenario = Scenario(id="X", setting=Setting(instances=instances))
    stage = build(scenario, 1, RULES)
    for controller in stage.controllers:
        controller.start()
    stage.cluster.world.run(3)
    stage.begin()
    return stage


def _whole() -> Stage:
    return _stage()


def _nothing_lives() -> Stage:
    stage = _stage()
    for controller in stage.controllers:
        controller.crash()
    for name in stage.cluster.names:
        stage.cluster.keep_down(name)
    return stage


def _one_is_gone() -> Stage:
    stage = _stage(2)
    stage.cluster.scale(1)
    return stage


def _do(stage: Stage, verb: Verb, given: dict[str, Value]) -> None:
    began_s = stage.cluster.now
    for wait in verb.do(stage, given) or ():
        stage.cluster.world.run_until(wait, LONGEST_S)
    assert stage.cluster.now - began_s <= LONGEST_S
    stage.cluster.world.run(0.2)


@pytest.mark.parametrize("begin", [_whole, _nothing_lives, _one_is_gone])
def test_no_verb_raises_whatever_is_there(begin: Callable[[], Stage]) -> None:
    """One after another, with all of its arguments and with as few as it takes; a target that is gone is no trouble."""
    stage = begin()
    stage.cluster.calm = True
    for verb in VERBS.values():
        if verb.name == "ask":
            continue  # it demands an answer: test_play
        full = {name: _sample(arg) for name, arg in verb.args.items()}
        least = {name: full[name] for name, arg in verb.args.items() if arg.default is None and not arg.optional}
        for given in (full, least):
            _do(stage, verb, given)


@pytest.mark.parametrize("verb", [verb for verb in VERBS.values() if verb.undo], ids=lambda verb: verb.name)
def test_what_undoes_a_verb_is_a_verb_that_takes_no_more_than_it(verb: Verb) -> None:
    """`for` calls it with the same arguments as far as it takes them."""
    undo = VERBS[verb.undo]
    needed = {name for name, arg in undo.args.items() if arg.default is None and not arg.optional}
    assert needed <= set(verb.args)
    assert not undo.undo


def test_every_verb_says_what_it_does_in_a_sentence() -> None:
    """The reference is made from it."""
    assert all(verb.text.endswith(".") and verb.group for verb in VERBS.values())


def test_a_part_is_who_plays_it_now() -> None:
    """`main`, `standby`, `async`, `leader`, `other`; nobody where nobody does."""
    stage = _stage()
    assert [stage.instance(part) for part in ("main", "standby", "async", "m2")] == ["m0", "m1", "m2", "m2"]
    assert {stage.controller("leader").name, stage.controller("other").name} == {"C1", "C2"}
    two = _stage(2)
    assert two.is_gone(two.instance("async"))


def test_healing_ends_every_fault() -> None:
    """Whatever the verbs did: everybody lives, reaches everybody, and can be led again."""
    stage = _stage()
    for name in ("freeze", "isolate", "fill-disk", "lock-out", "mislead-dns", "overload"):
        VERBS[name].do(stage, {"on": "m1"} | ({"by": 1.0} if name == "overload" else {}))
    VERBS["keep-down"].do(stage, {"on": "m2"})
    VERBS["pause-controller"].do(stage, {"who": "other"})
    VERBS["crash-controller"].do(stage, {"who": "leader"})
    VERBS["api-down"].do(stage, {})
    heal(stage)
    stage.cluster.world.run(1)
    assert all(stage.cluster.answers(name) for name in stage.cluster.names)
    assert all(controller.alive and not controller.paused for controller in stage.controllers)
    assert not stage.cluster.locked
    assert not stage.cluster.late

"""One random life, drawn from its seed alone: which verbs exist in it at all, the cluster, the policy, the clients.

A life knows few verbs and uses each often ("swarm testing"): what several faults of one kind do together is not watered
down by all the others. It is an ordinary scenario: written to a file, `memgraph-ha sim run` plays the same history.
"""

from __future__ import annotations

import random
from collections.abc import Mapping
from typing import Final

from attrs import evolve

from memgraph_ha.core import DataDurability, Policy
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.policy import AutoReinit, Triggers, Users
from memgraph_ha.sim.fuzz.limits import ENDS, EXCLUDED, NARROWED, has_others, loses_data, within_limits
from memgraph_ha.sim.scenario.model import Client, Fault, Scenario, Setting, Timing, Value, When
from memgraph_ha.sim.scenario.registry import LEADERS, PARTS, ArgKind
from memgraph_ha.sim.scenario.triggers import COMMANDS
from memgraph_ha.sim.scenario.verbs import VERBS, Verb

WEIGHTS: Final = (0.0, 0.1, 0.5)
"""How likely a verb is in a life, against the others; every verb and every group of verbs draws one."""

MENDS_WEIGHT: Final = 0.2
"""Verbs that only undo others are drawn so much less often: most of the time there is nothing to undo."""

COMMON: Final = frozenset(
    {"kill", "restart", "keep-down", "freeze", "isolate", "crash-controller", "pause-controller", "ask", "cut"}
)
COMMON_WEIGHT: Final = 4.0
"""What happens most, and moves MAIN most, is drawn so much more often than what is peculiar."""

STEPS: Final = (3, 6, 10, 16, 25)
"""How many faults a life has."""

PAUSES_S: Final = (0.0, 0.01, 0.05, 0.2, 0.5, 1.0, 2.0, 5.0)
"""Pauses between two faults."""

LASTS_S: Final = (0.05, 0.5, 1.0, 2.0, 5.0, 5.0, 12.0, 20.0)
"""How long a fault lasts that is undone after a while."""

THEN_S: Final = (0.0, 1.0, 5.0)
"""How long nothing is healed yet after the last fault."""

HEAL_S: Final = 2.0
"""How long a healed cluster is left alone before anybody asks whether it is whole: at first it may only look so."""

WRITES_EVERY_S: Final = (0.25, 1.0, 1.0, 2.0)
"""How long a writer rests. A write costs as much as all the probes of a second; few lives need many."""

TIMES_S: Final = (0.02, 0.3, 1.0, 4.0, 10.0, 30.0)
"""Arguments of verbs that are times."""

CHANCES: Final = (0.05, 0.3, 0.9)
NUMBERS: Final = (0.5, 1.0, 1.5, 2.0)
COUNTS: Final = (1, 2, 3)
YES_OR_NO: Final = (True, False)
OTHERS: Final = ("reader",)
"""Kinds of clients that some lives have beside their writers."""

Choices = Mapping[ArgKind, tuple[Value, ...]]

STEP_SHARE: Final = 0.1
"""Which part of the faults waits for a command on its way instead of for a time."""

STEP_WITHIN_S: Final = 4.0
"""A step that does not come is not waited for any longer; the fault then happens without it."""

ON_KUBERNETES: Final = 0.5
"""Which part of the lives has pods whose addresses end with them, see `Setting.kubernetes`."""

BASE: Final = evolve(Policy(), main_restart_limit=1000)
"""Without a limit on the reigns of a MAIN that restarts: faults are many. It has scenarios of its own."""


def draw(seed: int) -> Scenario:
    """Draw a life.

    Args:
        seed: The same one draws the same life, on every machine and in every process.
    """
    dice = random.Random(f"swarm/{seed}")
    setting = evolve(_setting(dice), kubernetes=_on_kubernetes(seed))
    weights = _weights(dice)
    choices = _choices(setting)
    drawn: list[Fault] = []
    for _ in range(dice.choice(STEPS)):
        fault = _fault(dice, choices, _choose(dice, weights))
        if within_limits(fault, drawn, setting):
            drawn.append(fault)
    return Scenario(
        id=f"fuzz-{seed}",
        title=f"A random life: seed {seed}",
        seed=seed,
        setting=setting,
        policy=_policy(dice, setting),
        timing=Timing(then_s=dice.choice(THEN_S), heal_s=HEAL_S, converge_s=120.0),
        clients=_clients(dice),
        faults=tuple(drawn),
        operator=True,
    )


def may_lose_data(scenario: Scenario) -> bool:
    """Whether its faults can destroy what only a person may give up: it may then end waiting for one."""
    return any(loses_data(fault) for fault in scenario.faults)


def _weights(dice: random.Random) -> list[tuple[Verb, float]]:
    mends = {verb.undo for verb in VERBS.values()}
    groups: dict[str, float] = {}
    found: list[tuple[Verb, float]] = []
    for verb in VERBS.values():
        if verb.name in EXCLUDED or any(arg.kind is ArgKind.EXPRESSION for arg in verb.args.values()):
            continue  # no chance finds words that mean something
        if verb.group not in groups:
            groups[verb.group] = dice.choice(WEIGHTS)
        weight = groups[verb.group] * dice.choice(WEIGHTS)
        weight *= MENDS_WEIGHT if verb.name in mends else COMMON_WEIGHT if verb.name in COMMON else 1.0
        if weight:
            found.append((verb, weight))
    return found or [(VERBS["kill"], 1.0)]


def _choose(dice: random.Random, weights: list[tuple[Verb, float]]) -> Verb:
    return dice.choices([verb for verb, _ in weights], [weight for _, weight in weights])[0]


def _fault(dice: random.Random, choices: Choices, verb: Verb) -> Fault:
    given: dict[str, Value] = {}
    for name, arg in verb.args.items():
        if not arg.optional or dice.choice(YES_OR_NO):
            given[name] = dice.choice(arg.choices or choices[arg.kind])
    given |= {name: dice.choice(values) for name, values in NARROWED.get(verb.name, {}).items()}
    lasts_s = dice.choice(LASTS_S if verb.name in ENDS else (*LASTS_S, None, None)) if verb.undo else None
    return Fault(do=verb.name, args=given, when=_when(dice), for_s=lasts_s)


def _when(dice: random.Random) -> When:
    pause_s = dice.choice(PAUSES_S)
    if dice.random() >= STEP_SHARE:
        return When(plus_s=pause_s)
    step = f"{dice.choice(('before', 'after'))} {dice.choice(COMMANDS)}"
    return When(step=step, within_s=STEP_WITHIN_S, anyway=True)


def _choices(setting: Setting) -> Choices:
    """What an argument of each kind may be in such a cluster."""
    controllers = (*(f"C{number}" for number in range(1, setting.controllers + 1)), *LEADERS)
    parts = PARTS if has_others(setting) else tuple(part for part in PARTS if part != "async")
    instances = (*(f"m{number}" for number in range(setting.instances)), *parts)
    return {
        ArgKind.INSTANCE: instances,
        ArgKind.CONTROLLER: controllers,
        ArgKind.END: (*instances, *controllers, "api"),
        ArgKind.TIME: TIMES_S,
        ArgKind.COUNT: COUNTS,
        ArgKind.NUMBER: NUMBERS,
        ArgKind.CHANCE: CHANCES,
        ArgKind.YES_NO: YES_OR_NO,
        ArgKind.WORD: ("x",),
    }


def _setting(dice: random.Random) -> Setting:
    return Setting(
        instances=dice.choices((2, 3, 4, 5), (2, 5, 2, 1))[0],
        controllers=dice.choices((1, 2, 3), (1, 6, 2))[0],
        lossy=dice.choice((True, False, False)),
        weight=dice.choice((1, 1, 1, 100_000)),
    )


def _on_kubernetes(seed: int) -> bool:
    """Half of the lives are: by dice of its own, so that a seed draws the same cluster, faults and policy on either."""
    return random.Random(f"swarm/{seed}/platform").random() < ON_KUBERNETES


def _clients(dice: random.Random) -> tuple[Client, ...]:
    writers = Client(count=dice.choice((1, 1, 2, 3)), every_s=dice.choice(WRITES_EVERY_S))
    others = [Client(kind=kind, count=1, every_s=1.0) for kind in OTHERS if dice.choice((True, False, False))]
    return (writers, *others)


def _policy(dice: random.Random, setting: Setting) -> Policy:
    lease_s, renew_s, deadline_s = dice.choice(((10.0, 2.0, 5.0), (10.0, 2.0, 5.0), (5.0, 1.0, 2.0), (15.0, 5.0, 8.0)))
    pairs = [(), (), ("m1", "m0")] + ([("m0", "m2")] if has_others(setting) else [])
    return evolve(
        BASE,
        eligible=tuple(InstanceName(name) for name in dice.choice(pairs)),
        data_durability=dice.choice(tuple(DataDurability)),
        auto_reinit=dice.choice((AutoReinit.PROVEN, AutoReinit.PROVEN, AutoReinit.NEVER)),
        standby_grace_s=dice.choice((0.5, 5.0, 5.0, 20.0)),
        probe_interval_s=dice.choice((0.2, 0.2, 0.3, 0.5)),
        probe_timeout_s=dice.choice((0.25, 0.5, 1.0)),
        refused_count=dice.choice((1, 2, 3)),
        frozen_count=dice.choice((2, 4, 6)),
        frozen_standby_s=dice.choice((1.0, 3.0)),
        restart_frozen_main_s=dice.choice((10.0, 60.0)),
        proof_interval_s=dice.choice((0.5, 1.0, 5.0)),
        lease_duration_s=lease_s,
        lease_renew_s=renew_s,
        command_deadline_s=deadline_s,
        users=dice.choice((Users.NONE, Users.NONE, Users.RESTORE)),
        triggers=dice.choice(tuple(Triggers)),
        failover_limit=dice.choice((1000, 1000, 1000, 2)),
        failover_window_s=30.0,
        drain_s=dice.choice((0.0, 2.0)),
        quiesce_max_s=dice.choice((0.1, 0.5)),
        catch_up_max_s=dice.choice((0.1, 2.0)),
    )

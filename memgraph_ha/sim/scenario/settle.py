"""The end of every run: everything is healed, and then everything must come back by itself, with every write."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Final

from memgraph_ha.core import Ask
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.known import STOP_MEMORY_S
from memgraph_ha.core.names import InstanceName
from memgraph_ha.sim.checks import liveness
from memgraph_ha.sim.checks.violation import ViolationError
from memgraph_ha.sim.world.controller import WIRE_S

if TYPE_CHECKING:
    from memgraph_ha.sim.scenario.stage import Stage

HEARD_S: Final = 0.5
"""How soon after the cluster is whole its controllers have heard of it."""

CALM_S: Final = 3.0
"""How long a cluster that came back is watched: it stays so, and is let alone (L1, L3, L5)."""

TRIES: Final = 4
TRY_S: Final = 8.0
"""How often a person reads what the leader waits for without finding anything new to do, and how long each look lasts,
seconds."""

Order = tuple[Ask, InstanceName | None]
"""What a person orders, and of whom."""

STAYS_S: Final = 10.0
"""How long a cluster that waits for a person must go on saying so."""

CHOICES: Final = {
    Hold.AMBIGUOUS_BOOTSTRAP: Ask.ADOPT,
    Hold.RECORD_REGRESSED: Ask.ADOPT,
    Hold.NO_SAFE_CANDIDATE: Ask.FAILOVER,
    Hold.MAIN_LOST_DATA: Ask.FAILOVER,
}
"""Under these names a person says whose data counts, by that order."""

REINIT: Final = re.compile(r"memgraph-ha reinit (\w+)")
"""The command by which a hold says that a person may give up what an instance holds."""


def converge(stage: Stage, within_s: float) -> None:
    """L1, L4, L6: let time pass until the cluster is whole, and its controllers have heard of it.

    Raises:
        ViolationError: It does not come to that; the text says what every controller waits for.
    """
    liveness.check_convergence(stage.cluster, within_s)
    stage.cluster.world.run(HEARD_S)


def heal(stage: Stage) -> None:
    """End every fault: who was frozen, down, cut off, paused or blind is so no more."""
    cluster = stage.cluster
    for controller in stage.controllers:
        controller.blind = False
        controller.late, controller.lose = (lambda: WIRE_S), (lambda: False)
        if not controller.alive:
            controller.start()
        controller.resume()
    for name in cluster.names:
        cluster.thaw(name)
        cluster.let_up(name)
    cluster.heal()


def settle(stage: Stage) -> None:
    """Heal everything and demand what must come of it.

    Raises:
        ViolationError: A promise was broken, or the cluster does not come back.
    """
    timing = stage.scenario.timing
    heal(stage)
    stage.cluster.world.run(max(timing.heal_s, _under_way_s(stage)))
    if stage.scenario.stuck is not None:
        _stays_stuck(stage)
        return
    if stage.scenario.operator:
        _be_helped(stage)
    converge(stage, timing.converge_s)
    liveness.check_ledger(stage.cluster)
    liveness.check_calm(stage.cluster, CALM_S)
    liveness.check_ledger(stage.cluster)
    liveness.check_answers(stage.cluster)


def _under_way_s(stage: Stage) -> float:
    """How long that may last which no mending takes back: late commands, pods that are being deleted, open requests."""
    cluster = stage.cluster
    lasts = [until_s - cluster.now for until_s in cluster.deleting]
    for controller in stage.controllers:
        lasts.append(controller.landed_s - cluster.now)
        lasts += [request.until_s - controller.now_s for request in controller.observed.requests]
    return max(lasts) + HEARD_S


def _stays_stuck(stage: Stage) -> None:
    """L4: who waits for a person says so by name, and goes on saying so."""
    hold = stage.scenario.stuck
    stage.cluster.world.run(stage.scenario.timing.converge_s)
    for _ in range(2):
        decision = stage.decision
        if decision is None or decision.hold is not hold:
            said = "nobody leads" if decision is None else f"{decision.rule} {decision.reason}"
            raise ViolationError(f"L4: it should wait as {hold.word if hold else None}, but: {said}")
        stage.cluster.world.run(STAYS_S)


def _be_helped(stage: Stage) -> None:
    given: set[Order] = set()
    left = TRIES
    while left:
        if liveness.becomes_whole(stage.cluster, TRY_S):
            return
        order = _tend(stage)
        if order is None or order in given:
            left -= 1
        else:
            given.add(order)
            left = TRIES
    asked = [seen.stop_asked_s for c in stage.controllers for seen in c.observed.seen if seen.stop_asked_s is not None]
    if asked:  # until no stop is expected any more that was announced and never came
        stage.cluster.world.run(max(0.0, max(asked) + STOP_MEMORY_S + 1 - stage.cluster.now))


def _tend(stage: Stage) -> Order | None:
    """Do what only a person may, as the leader's own words name it; returns what was ordered.

    That is: end a pause, give up what a replica holds, or say whose data counts.
    """
    record, leader = stage.cluster.store.read()[0], stage.leader
    if liveness.unwhole(stage.cluster) is None or leader is None or leader.decision is None:
        return None
    named, hold = REINIT.search(leader.decision.reason), leader.decision.hold
    stage.cluster.say("", f"the operator reads: {leader.decision.reason}")
    order: Order | None = None
    if record is not None and record.paused is not None:
        order = Ask.RESUME, None
    elif named is not None:
        order = Ask.REINIT, InstanceName(named[1])
    elif hold in CHOICES:
        order = CHOICES[hold], _fullest(stage)
    if order is not None:
        leader.ask(*order)
    return order


def _fullest(stage: Stage) -> InstanceName | None:
    """Who of the pair holds most of what was acknowledged: that is what a person finds out before choosing."""
    cluster = stage.cluster
    pair = stage.scenario.policy.eligible or cluster.names[:2]
    living = [name for name in pair if cluster.up(name)]
    kept = {name: len(cluster.ledger.kept & cluster.ids(name)) for name in living}
    return max(living, key=lambda name: (kept[name], cluster.world[name].is_main), default=None)

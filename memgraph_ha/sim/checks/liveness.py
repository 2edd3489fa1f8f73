"""Liveness, L1-L9: what must come about once faults have ended, and how long it may take.

Each raises `LivenessViolation`. Where a cluster waits for a person, it says so by a name of `memgraph_ha.core.holds`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memgraph_ha.core.holds import Hold
from memgraph_ha.fakes.memgraph.instance import Mode, Row
from memgraph_ha.sim.checks.violation import broken

if TYPE_CHECKING:
    from memgraph_ha.core.record import Record
    from memgraph_ha.sim.world.controller import Controller
    from memgraph_ha.sim.world.ground import Ground

CHECKS: Final[dict[str, str]] = {
    "L1": "a healed cluster becomes whole, and stays so",
    "L2": "writes come back while the fault lasts, if somebody may follow",
    "L3": "a whole cluster is let alone",
    "L4": "whoever waits for a person says for what, by a documented name",
    "L5": "the gate of a whole cluster stays open",
    "L6": "somebody leads within a lease and a retry",
    "L7": "every question is answered in time",
    "L8": "facts about ASYNC replicas change no decision about MAIN (tests/property)",
    "L9": "a change of membership alone never changes MAIN",
}
"""What each says, in one sentence."""

WRITES: Final = 1
"""How often the record of a whole cluster may be written while it is watched: a level that rises."""

SETTLED_S: Final = 1.0
"""A write that was acknowledged so long ago has reached the standby's graph, whatever was on its way."""

ANSWER_S: Final = 1.0
"""So much later than its deadline a question may be answered: the turn of a loop, and a clock that runs slow."""

LOOK_S: Final = 0.02
"""How often it is looked whether a cluster is whole, virtual seconds."""

HEALTHY: Final = ("ready", "replicating")

HEALING_S: Final = 5.0
"""A row that Memgraph calls invalid for a moment heals itself within that as a rule (transcripts "Event")."""

QUIET_S: Final = 4.0
"""A quiet moment is over by then (policy ``quiesce_max_s`` and 3 s, `memgraph_ha.core.quiet`)."""


def unwhole(cluster: Ground) -> str | None:
    """Why the cluster is not as it should be (L1); None if it is.

    One MAIN reigns by the record and serves, through the gate of who leads and can renew its lease: any other is about
    to be shut. Its standby is named, by its run and its row; every other instance is attached, recorded as level in
    this reign, and nobody is to be rebuilt.
    """
    down = [name for name in cluster.names if not cluster.answers(name)]
    if down:
        return f"{', '.join(down)} not up"
    record = cluster.store.read()[0]
    if record is None or not record.opened or record.standby is None:
        return "the record has no open reign with a standby"
    unled = _unled(cluster, record)
    if unled is not None:
        return unled
    if record.main not in cluster.names or record.standby.instance not in cluster.names:
        return "who is named is no member"
    main, standby = cluster.world[record.main], cluster.world[record.standby.instance]
    rows = main.rows.values()
    if not main.is_main or standby.run_id != record.standby.run:
        return "MAIN or its standby is not who the record says"
    if record.rebuild:
        return f"{', '.join(sorted(record.rebuild))} must be rebuilt"
    if record.standby.row not in [row.name for row in rows]:
        return f"MAIN has no row {record.standby.row}"
    if any(dict(record.level).get(name) != record.generation for name in cluster.names):
        return "somebody has not been level in this reign"
    healthy = [row for row in rows if not row.half and row.state.value in HEALTHY]
    wanted = len(cluster.names) - 1
    if not len(healthy) == wanted == len(rows) - sum(_is_left(cluster, row) for row in rows):
        return f"{len(healthy)} of {len(rows)} rows are healthy, {wanted} are wanted"
    return None


def _unled(cluster: Ground, record: Record) -> str | None:
    """Why nobody leads the reign for as long as it takes; None if somebody does."""
    leader = next((controller for controller in cluster.controllers.values() if controller.leads), None)
    permit = None if leader is None else cluster.gates[leader.name]
    if leader is None or permit is None or permit.generation != record.generation:
        return f"who leads has no gate open in reign {record.generation}"
    if leader.decision is not None and leader.decision.hold is Hold.LEASE_ENDING:
        return f"{leader.name} cannot renew its lease"
    return None


def _is_left(cluster: Ground, row: Row) -> bool:
    """Whether it is an ASYNC row to an address that ended with its pod: it goes with the reign (decision 0014)."""
    if not cluster.platform.kubernetes:
        return False
    addresses = {member.replication for member in cluster.platform.members()}
    return row.mode is Mode.ASYNC and not row.half and f"{row.host}:{row.port}" not in addresses


def becomes_whole(cluster: Ground, within_s: float) -> bool:
    """Let time pass until the cluster is whole; returns whether it was within so many seconds."""
    until_s = cluster.now + within_s
    while unwhole(cluster) is not None:
        if cluster.now >= until_s:
            return False
        cluster.world.run(LOOK_S)
    return True


def check_convergence(cluster: Ground, within_s: float) -> None:
    """L1, L4, L6: let time pass until the cluster is whole.

    Raises:
        LivenessViolation: L6: nobody leads. L4: who leads waits, under no name. L1: it is not whole by then; the text
            says what every controller waits for.
    """
    if becomes_whole(cluster, within_s):
        return
    why, controllers = unwhole(cluster), cluster.controllers.values()
    now = "; ".join(f"{controller.name}: {controller.doing}" for controller in controllers)
    leader = next((controller for controller in controllers if controller.leads), None)
    if leader is None or leader.decision is None:
        raise broken("L6", f"nobody leads after {within_s:g} s ({now})", at_s=cluster.now)
    if leader.decision.hold is None:
        what = f"not whole after {within_s:g} s ({why}), and {leader.name} waits under no name ({now})"
        raise broken("L4", what, at_s=cluster.now, who=leader.name)
    what = f"not whole after {within_s:g} s: {why}; {leader.decision.hold.word} ({now})"
    raise broken("L1", what, at_s=cluster.now, who=leader.name)


def check_calm(cluster: Ground, seconds: float) -> None:
    """L1, L3, L5: watch a whole cluster: it stays so, nothing is commanded but proofs, and its gate stays open.

    Args:
        cluster: One that is whole, and whose controllers have heard so.
        seconds: For how long, 1 s or more.
    """
    written = len(cluster.store.history)
    sent = {name: controller.runner.sent.copy() for name, controller in cluster.controllers.items()}
    until_s, quiet_s = cluster.now + seconds, 0.0
    while cluster.now < until_s:
        cluster.world.run(0.25)
        quiet_s = quiet_s + 0.25 if cluster.quiet else 0.0
        if not any(cluster.gates.values()) or quiet_s > QUIET_S:
            raise broken("L5", "the gate of a whole cluster is shut", at_s=cluster.now)
    if not becomes_whole(cluster, HEALING_S):
        raise broken("L1", f"whole, and later not any more: {unwhole(cluster)}", at_s=cluster.now)
    more = len(cluster.store.history) - written
    if more > WRITES:
        raise broken("L3", f"the record was written {more} times in a healthy cluster", at_s=cluster.now)
    for name, controller in cluster.controllers.items():
        kinds = controller.runner.sent - sent[name]
        for kind in ("CommitNoop", "WriteRecord"):
            del kinds[kind]
        if kinds:
            raise broken("L3", f"{name} sends {dict(kinds)} in a healthy cluster", at_s=cluster.now, who=name)


def check_serving(cluster: Ground, within_s: float) -> None:
    """L2: something was acknowledged not long ago, though the fault may last."""
    last_s = cluster.acks[-1].at_s if cluster.acks else 0.0
    if cluster.now - last_s > within_s:
        gates = {name: permit and permit.instance for name, permit in cluster.gates.items()}
        raise broken("L2", f"nothing was acknowledged for {cluster.now - last_s:.1f} s ({gates})", at_s=cluster.now)


def check_waits_by_name(controller: Controller, hold: Hold) -> None:
    """L4: it says that it waits for just that."""
    decision = controller.decision
    if decision is None or decision.hold is not hold:
        what = f"{controller.name} should wait as {hold.word}, but: {controller.doing}"
        raise broken("L4", what, at_s=controller.cluster.now, who=controller.name)


def check_answers(cluster: Ground) -> None:
    """L7: no question to a controller that lives is older than its deadline."""
    for controller in cluster.controllers.values():
        late = [request for request in controller.observed.requests if request.until_s < controller.now_s - ANSWER_S]
        if late and controller.alive and not controller.paused:
            what = f"{controller.name} has not answered {late[0].ask.value} {late[0].instance or ''}"
            raise broken("L7", what, at_s=cluster.now, who=controller.name)


def check_ledger(cluster: Ground) -> None:
    """S1, at the end: MAIN and its standby hold whatever was acknowledged, and nothing that no client sent."""
    record = cluster.store.read()[0]
    if record is None or record.standby is None:
        raise broken("L1", "no standby is named", at_s=cluster.now)
    ledger = cluster.ledger
    settled = {ack.write for ack in ledger.acks if ack.at_s < cluster.now - SETTLED_S} | ledger.by_hand
    for name in (record.main, record.standby.instance):
        found = cluster.ids(name)
        lost = settled - found
        if lost:
            raise broken("S1", f"{name} lacks {sorted(lost)[:5]} at the end", at_s=cluster.now)
        invented = {number for number in found if not 0 < number <= ledger.writes}
        if invented:
            raise broken("S1", f"{name} holds {sorted(invented)[:5]}, which nobody wrote", at_s=cluster.now)

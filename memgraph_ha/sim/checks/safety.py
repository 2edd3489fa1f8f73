"""Safety, S1-S14: what never may happen, looked at the instant it would.

Most are checks on *transitions*, at the moment when a command takes effect, bytes pass or an answer is relayed:
a later guard may mask a wrong step in every state (scenarios S4, 6.5). Each raises `SafetyViolation`.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Final

from memgraph_ha.core import Decision, Route, View, decide
from memgraph_ha.core.commands import (
    Command,
    Demote,
    DropReplica,
    InstanceCommand,
    Promote,
    RegisterReplica,
    WriteRecord,
)
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.permit import Permit
from memgraph_ha.core.record import Change, ChangeKind, Record
from memgraph_ha.core.rules import Rule
from memgraph_ha.fakes.memgraph.virtual_host import State
from memgraph_ha.sim.checks.violation import broken

if TYPE_CHECKING:
    from memgraph_ha.sim.world.controller import Controller
    from memgraph_ha.sim.world.ground import Ground
    from memgraph_ha.sim.world.passage import Passage

CHECKS: Final[dict[str, str]] = {
    "S1": "no write that was acknowledged is lost",
    "S2": "each reign's writes are acknowledged by one process, and no older reign's after them",
    "S3": "bytes reach only the process that the permit names",
    "S4": "who is promoted or named holds every write that was acknowledged",
    "S5": "the last copy of an acknowledged write is never destroyed",
    "S6": "a replica that is level holds no write that its MAIN lacks",
    "S7": "only the leader sends commands, and only while they must end before its lease",
    "S8": "a command that lands late breaks none of these promises: the other checks, on late commands",
    "S9": "the record follows from the one before it; a standby is un-named before its row is dropped",
    "S10": "nobody who may only read reaches a MAIN",
    "S11": "without a record nothing is commanded, and a record is created only where there is none",
    "S12": "no more unplanned reigns than policy allows",
    "S13": "the same facts give the same decision",
    "S14": "every command has a rule and a reason",
}
"""What each says, in one sentence."""


MEMBERS_S: Final = 5.0
"""So long after a change of membership a failover that was not needed is blamed on it."""


# --- writes -------------------------------------------------------------------------------------------


def check_opening(cluster: Ground, permit: Permit, who: str) -> None:
    """S1: whom a read/write gateway opens to holds every write that was acknowledged, if that process still lives."""
    alive = cluster.up(permit.instance) and cluster.world[permit.instance].run_id == permit.run
    if alive:
        check_holds_all(cluster, permit.instance, f"S1: the gate of {who} opens to it", who=who)


def check_holds_all(
    cluster: Ground, name: InstanceName, occasion: str, *, who: str = "", cause: Command | None = None
) -> None:
    """Whatever was acknowledged up to now is there, unless nothing lives there, or its volume was made older.

    Args:
        cluster: Where.
        name: Who must hold it.
        occasion: ``S4: it is promoted``: the check, and why just now.
        who: Whose doing it is.
        cause: The command.
    """
    if not cluster.up(name) or name in cluster.older:
        return
    lost = cluster.ledger.kept - cluster.ids(name)
    if lost:
        check, _, why = occasion.partition(": ")
        raise broken(check, f"{why}: {name} lacks {sorted(lost)[:5]}", at_s=cluster.now, who=who, cause=cause)


def check_relay(cluster: Ground, passage: Passage) -> None:
    """S2: when an answer of MAIN is passed on: reigns never go back, and each has one writer."""
    permit, ledger = passage.permit, cluster.ledger
    writer = (permit.instance, permit.run)
    known = ledger.writers.setdefault(permit.generation, writer)
    if permit.generation < ledger.newest or known != writer:
        what = f"{permit.instance} acknowledges in reign {permit.generation} after reign {ledger.newest}"
        if known != writer:
            what = f"{permit.instance} acknowledges in reign {permit.generation}, whose writer is {known[0]}"
        raise broken("S2", what, at_s=cluster.now, who=passage.gateway.name)
    ledger.newest = permit.generation


def check_chunk(cluster: Ground, passage: Passage) -> None:
    """S3, S10: when bytes of a client reach a process: it is the permit's, and no MAIN for who may only read."""
    permit, instance = passage.permit, passage.session.instance
    if (passage.host.name, instance.run_id) != (permit.instance, permit.run):
        what = f"bytes for {permit.instance} in run {permit.run[:6]} reach {passage.host.name}"
        raise broken("S3", what, at_s=cluster.now, who=passage.gateway.name)
    if passage.reads and instance.is_main:
        what = f"a reader's bytes reach {passage.host.name}, which is MAIN"
        raise broken("S10", what, at_s=cluster.now, who=passage.gateway.name)


def check_route(cluster: Ground, route: Route, who: str) -> None:
    """S10: nobody is read from who is the MAIN that the same gateway writes to."""
    read = {permit.permit.instance for permit in route.reads}
    if route.permit is not None and route.permit.instance in read:
        raise broken(
            "S10", f"{route.permit.instance} is MAIN and read-only clients are let in", at_s=cluster.now, who=who
        )


# --- commands -----------------------------------------------------------------------------------------


def check_sent(controller: Controller, command: Command, decision: Decision, rules: tuple[Rule, ...]) -> None:
    """S7, S11, S14: right before a command is sent."""
    at_s, who = controller.cluster.now, controller.name
    kind = type(command).__name__
    left_s = controller.elector.left_s
    if left_s <= controller.policy.command_deadline_s:
        raise broken("S7", f"{who} sends {kind} with {left_s:.2f} s of its lease left", at_s=at_s, who=who)
    known = controller.observed.record
    record = None if known is None else known.record
    if isinstance(command, WriteRecord):
        if (command.expected is None) is not (record is None):
            raise broken("S11", f"{who} creates a record over another", at_s=at_s, who=who, cause=command)
    elif record is None:
        raise broken("S11", f"{who} sends {kind} without a record", at_s=at_s, who=who, cause=command)
    if decision.rule not in [rule.id for rule in rules] or not decision.reason:
        raise broken("S14", f"{who} sends {kind} and says not why", at_s=at_s, who=who, cause=command)


def check_landing(cluster: Ground, command: InstanceCommand, who: str, *, late: bool) -> None:
    """S2, S4, S5, S9, S10: at the instant when a command takes effect in the process that it was sent to.

    Args:
        cluster: Where.
        command: Which.
        who: The controller that sent it.
        late: It was so long on its way that the world may have moved on: it must destroy nothing all the same (S8),
            but may meet what its sender could not foresee.
    """
    match command:
        case Promote():
            _check_promotion(cluster, command, who, late=late)
        case RegisterReplica():
            _check_registration(cluster, command, who, late=late)
        case DropReplica():
            _check_drop(cluster, command, who)
        case Demote():
            _check_demotion(cluster, command, who, late=late)
        case _:
            pass


def _check_promotion(cluster: Ground, command: Promote, who: str, *, late: bool) -> None:
    name, record = command.instance, cluster.store.read()[0]
    if record is None or record.generation != command.generation or record.main != name:
        return  # a late one of a deposed leader: harmless, the reign's own steps follow
    cluster.crowned.add((name, command.run))
    check_holds_all(cluster, name, "S4: it is promoted", who=who, cause=command)
    living = [other for other in cluster.names if other != name and _reigns(cluster, other, who)]
    readers = [gate for gate, read in cluster.reads.items() if name in read and not cluster.controllers[gate].paused]
    if readers and not late:
        what = f"{name} is promoted while {readers[0]} lets readers in"
        raise broken("S10", what, at_s=cluster.now, who=who, cause=command)
    if living and not late:
        what = f"{name} is promoted while {living[0]} lives as MAIN"
        raise broken("S2", what, at_s=cluster.now, who=who, cause=command)


def _reigns(cluster: Ground, name: InstanceName, who: str) -> bool:
    """Whether a MAIN lives there that a gateway could reach and a controller made.

    Who only starts is REPLICA before Bolt opens; whom a human promoted, or the platform does not list, nobody can be
    sure to have stopped, and no gateway has a permit for it.
    """
    host, out_of_reach = cluster.world.hosts[name], cluster.platform.pods[name].lost or _unlisted(cluster, name, who)
    if out_of_reach or host.state is not State.OPEN or host.instance is None or not host.instance.is_main:
        return False
    return (name, host.instance.run_id) in cluster.crowned


def _unlisted(cluster: Ground, name: InstanceName, who: str) -> bool:
    """Whether the platform does not list an instance that has a pod, or told that controller a list without it.

    Somebody's hand took it off, or a list is older than the pod. No change of how many there shall be does that to
    whoever stays.
    """
    told = cluster.controllers[who].observed
    return name in cluster.platform.gone or (told.members is not None and told.of(name) is None)


def _silent(cluster: Ground, name: InstanceName, who: str) -> bool:
    """Whether that controller's last probe of an instance was refused or timed out."""
    seen = cluster.controllers[who].observed.of(name)
    return seen is not None and bool(seen.refused or seen.timeouts)


def _check_registration(cluster: Ground, command: RegisterReplica, who: str, *, late: bool) -> None:
    """S5, S9: MAIN may copy over what the replica holds, so that is nothing acknowledged which MAIN lacks."""
    replica, record = command.replica, cluster.store.read()[0]
    if not cluster.up(replica) or not cluster.up(command.instance) or command.instance in cluster.older:
        return
    if record is not None and record.generation != command.generation:
        return  # late: Memgraph refuses who diverged, and the row number is not the one that counts
    lost = (cluster.ledger.kept & cluster.ids(replica)) - cluster.ids(command.instance)
    if lost:
        what = f"{replica} is registered on {command.instance}, which lacks its writes {sorted(lost)[:5]}"
        raise broken("S5", what, at_s=cluster.now, who=who, cause=command)
    named = None if record is None else record.standby
    if named is not None and named.instance == replica and not late:
        raise broken("S9", f"the named standby {replica} is registered", at_s=cluster.now, who=who, cause=command)


def _check_drop(cluster: Ground, command: DropReplica, who: str) -> None:
    record = cluster.store.read()[0]
    if record is not None and record.standby is not None and record.standby.row == command.row:
        what = f"the row {command.row} of the named standby is dropped"
        raise broken("S9", what, at_s=cluster.now, who=who, cause=command)


def _check_demotion(cluster: Ground, command: Demote, who: str, *, late: bool) -> None:
    """S2: who is demoted is not the MAIN that a gateway serves now, but for a switchover that has made it quiet."""
    open_to = [
        gate
        for gate, permit in cluster.gates.items()
        if permit is not None and (permit.instance, permit.run) == (command.instance, command.run)
    ]
    loud = [gate for gate in open_to if gate not in cluster.quiet and not cluster.controllers[gate].paused]
    if loud and not late:
        what = f"{command.instance} is demoted while {loud[0]} relays to it"
        raise broken("S2", what, at_s=cluster.now, who=who, cause=command)


def check_rebuild(cluster: Ground, name: InstanceName) -> None:
    """S5: who is emptied holds no acknowledged write that MAIN, or at least its volume, does not hold too."""
    record = cluster.store.read()[0]
    if record is None or record.main == name:
        raise broken("S5", f"{name} is emptied, and no other one reigns", at_s=cluster.now)
    if record.main in cluster.older:
        return
    mine = cluster.ledger.kept & cluster.stored(name)
    lost = mine - cluster.stored(record.main) if mine else mine
    if lost:
        what = f"{name} is emptied, and {record.main} lacks its writes {sorted(lost)[:5]}"
        raise broken("S5", what, at_s=cluster.now)


# --- the record ---------------------------------------------------------------------------------------


def check_record(old: Record, new: Record) -> None:
    """S9: generations rise by one, never name two, and row numbers never fall."""
    by_order = bool(new.history) and new.history[-1].kind in (ChangeKind.FORCED, ChangeKind.ADOPT)
    follows = new.generation in (old.generation, old.generation + 1) or (by_order and new.generation > old.generation)
    if not follows or (new.row_seq < old.row_seq and not by_order):
        raise broken("S9", f"record {old.generation}/{old.row_seq} -> {new.generation}/{new.row_seq}")
    if new.generation == old.generation and new.main != old.main:
        raise broken("S9", f"generation {new.generation} names {old.main} and {new.main}")
    if new.generation == old.generation and new.opened and new.fallback is not None:
        raise broken("S9", f"reign {new.generation} is open and still has a fallback")


def check_naming(cluster: Ground, old: Record | None, new: Record, who: str) -> None:
    """S4, S9: who is named is not MAIN, bears the row numbered ``row_seq``, and holds whatever was acknowledged."""
    named = new.standby
    if named is None or (old is not None and old.standby == named):
        return
    if named.instance == new.main or named.row != new.standby_row(named.instance):
        raise broken("S9", f"{named.instance} is named through {named.row}", at_s=cluster.now, who=who)
    alive = cluster.up(named.instance) and cluster.world[named.instance].run_id == named.run
    if alive:
        check_holds_all(cluster, named.instance, "S4: it is named", who=who)


def check_flapping(new: Record, limit: int, window_s: float, at_s: float, who: str) -> None:
    """S12: unplanned reigns within the window, the newest included, are at most as many as policy allows."""
    newest = new.history[-1] if new.history else None
    if newest is None or not newest.kind.unplanned:
        return
    recent = [each for each in new.history if each.kind.unplanned and each.at > newest.at - window_s]
    if len(recent) > limit:
        what = f"{len(recent)} unplanned reigns within {window_s:g} s, {limit} are allowed"
        raise broken("S12", what, at_s=at_s, who=who)


def could_acknowledge(cluster: Ground, change: Change) -> bool:
    """Whether the MAIN before could still have acknowledged a write when a failover began: it was not needed."""
    previous = change.previous
    if change.kind is not ChangeKind.FAILOVER or previous is None or not cluster.answers(previous):
        return False
    instance, host = cluster.world[previous], cluster.world.hosts[previous]
    if not instance.is_main or host.disk_full or cluster.platform.pods[previous].lost:
        return False
    strict = [row for row in instance.whole_rows() if row.mode.value == "strict_sync"]
    return all(row.state.value in ("ready", "replicating") for row in strict)


def check_reason(cluster: Ground, change: Change, who: str) -> None:
    """S12, L9: no failover from a MAIN that could still serve is for a wrong password or a change of members.

    A MAIN that is listed no more, or that its controller finds silent, is given up for that, whatever else changed.
    """
    previous = change.previous
    if previous is None or _unlisted(cluster, previous, who) or _silent(cluster, previous, who):
        return
    if previous in cluster.locked:
        what = f"reign {change.generation} begins because {previous} refuses our password"
        raise broken("S12", what, at_s=cluster.now, who=who)
    if cluster.now - cluster.scaled_s < MEMBERS_S:
        what = f"reign {change.generation} begins because the number of instances changed"
        raise broken("L9", what, at_s=cluster.now, who=who)


# --- states, and the core itself ----------------------------------------------------------------------


def check_lineage(cluster: Ground) -> None:
    """S6: what a level replica holds, its MAIN holds too; what is in doubt may still be on its way to either."""
    settled = cluster.ledger.kept | cluster.ledger.refused
    for name in cluster.names:
        if not cluster.up(name) or not cluster.world[name].is_main:
            continue
        main = cluster.world[name]
        for row in main.whole_rows():
            replica = cluster.world.hosts.get(cluster.world.addresses.get(row.host) or row.host)
            if row.state.value != "ready" or replica is None or replica.instance is None:
                continue
            obeys = not replica.instance.is_main and replica.instance.main_uuid == main.main_uuid
            if not obeys or name in cluster.older or name in cluster.cut_short:
                continue
            more = (cluster.ids(InstanceName(replica.name)) - cluster.ids(name)) & settled
            if more:
                what = f"{replica.name} is level with {name}, which lacks its writes {sorted(more)[:5]}"
                raise broken("S6", what, at_s=cluster.now)


def check_pure(view: View, decision: Decision, rules: tuple[Rule, ...], who: str) -> None:
    """S13: deciding again on the same facts gives the same."""
    fresh = View(observed=view.observed, policy=view.policy, now_s=view.now_s, wall_s=view.wall_s)
    if decide(fresh, rules) != decision:
        raise broken("S13", f"{who} decides {decision.rule}, and then otherwise on the same facts", who=who)

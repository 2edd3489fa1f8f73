"""Whether the cluster is whole again, and what is done where it waits for a human: what the hold's command says."""

from typing import Final

import trio
from attrs import frozen

from memgraph_ha.core.holds import Hold
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.topology import Role
from memgraph_ha.drill.asking import count_writes
from memgraph_ha.drill.errors import DrillError
from memgraph_ha.drill.soak.rig import Rig
from memgraph_ha.operate.documents import Cluster, Held

LOOK_S: Final = 0.1

MOST_HELP: Final = 3
"""How often in a row a human may have to help; more is a defect."""


class NotWholeError(DrillError):
    """The cluster is not whole in time.

    Attributes:
        seen: What its controller said last; None if it said nothing.
    """

    def __init__(self, text: str, seen: Cluster | None) -> None:
        super().__init__(text)
        self.seen = seen


@frozen(kw_only=True)
class Help:
    """What a human had to do.

    Attributes:
        hold: The name under which the cluster waited.
        did: The command that was given.
        lossy: Whether it accepts that acknowledged writes are lost.
    """

    hold: str
    did: str
    lossy: bool


async def until_whole(rig: Rig, *, within_s: float) -> None:
    """Wait until a reign is open, its standby named, every instance in its role, and nothing is held.

    Raises:
        NotWholeError: It is not so in time.
        DrillError: The controller has ended.
    """
    lack, seen = "nothing was heard", None
    with trio.move_on_after(within_s):
        while True:
            rig.controller.check()
            seen = await rig.look()
            found = lacks(seen)
            if found is None:
                found = await _lacks_role(rig)
            if found is None:
                return
            lack = found
            await trio.sleep(LOOK_S)
    raise NotWholeError(f"the cluster was not whole within {within_s:g} s: {lack}\n{rig.controller.tail()}", seen)


def lacks(seen: Cluster | None) -> str | None:
    """Say what a cluster lacks to be whole, by its controller's own words; None if nothing."""
    if seen is None:
        return "no controller answers"
    if seen.holds:
        return f"it waits: {', '.join(f'{held.name} ({held.reason})' for held in seen.holds)}"
    if not seen.rw.open:
        return f"read/write is shut: {seen.rw.why}"
    if seen.standby is None:
        return f"no standby of {seen.main} is named"
    if seen.paused is not None or seen.switchover is not None:
        return "it is paused, or a switchover is under way"
    ill = [f"{each.name} {each.state}" for each in seen.instances if not each.healthy]
    return f"not healthy: {', '.join(ill)}" if ill else None


async def _lacks_role(rig: Rig) -> str | None:
    """Ask the instances themselves."""
    record = await rig.record()
    if record is None or record.standby is None:
        return "the record names no standby"
    for name, role in (await rig.controller.roles()).items():
        if role is not (Role.MAIN if name == record.main else Role.REPLICA):
            return f"{name} says that it is {'nothing' if role is None else role.name}; {record.main} is MAIN"
    return None


async def help_out(rig: Rig, trouble: NotWholeError) -> Help:
    """Do what the name under which the cluster waits says that a human should do.

    Raises:
        NotWholeError: It waits under no documented name, or under none that names a command, or the command was
            refused: unexplained.
    """
    known = {hold.word: hold for hold in Hold}
    for held in () if trouble.seen is None else trouble.seen.holds:
        hold = known.get(held.name)
        if hold is None or not hold.value.command:
            continue
        given = await _help_for(rig, hold, held, trouble)
        if given is not None:
            return given
    raise trouble


async def _help_for(rig: Rig, hold: Hold, held: Held, trouble: NotWholeError) -> Help | None:
    """Give the command of one hold; None if there is none that a script could give."""
    roles = await rig.roles()
    match hold:
        case Hold.PAUSED:
            return await _give(rig, held, trouble, "resume")
        case Hold.STALE_ROW:
            return await _give(rig, held, trouble, "switchover")
        case Hold.NO_SAFE_CANDIDATE | Hold.MAIN_LOST_DATA | Hold.NOT_WRITABLE:
            target = await _richest(rig, (roles.main, roles.standby))
            return await _give(rig, held, trouble, "failover", target=target, accept_data_loss=True)
        case Hold.RECORD_REGRESSED | Hold.DATA_SET_REPLACED | Hold.AMBIGUOUS_BOOTSTRAP:
            target = await _richest(rig, (roles.main, roles.standby))
            return await _give(rig, held, trouble, "adopt", instance=target)
        case Hold.REBUILD_NEEDED | Hold.DIVERGED_REPLICA:
            named = next((spec.name for spec in rig.controller.specs if spec.name in held.reason), roles.standby)
            return await _give(rig, held, trouble, "reinit", instance=named)
        case _:
            return None


async def _give(rig: Rig, held: Held, trouble: NotWholeError, verb: str, **body: object) -> Help:
    did = " ".join((verb, *(str(value) for value in body.values() if value is not True)))
    refused = await rig.ask(verb, **body)
    if refused is not None:
        raise NotWholeError(f"{held.name} says {held.command}; {did} was refused: {refused}\n{trouble}", trouble.seen)
    return Help(hold=held.name, did=did, lossy="accept_data_loss" in body or verb == "adopt")


async def _richest(rig: Rig, names: tuple[InstanceName, ...]) -> InstanceName:
    """Choose who holds most writes."""
    counts = [(await count_writes(rig.spec(name)) or -1, name) for name in names]
    return max(counts)[1]

"""The contract of `Platform`: it says who there is, and ends exactly the process that it is asked to end."""

from typing import Final

import trio

from memgraph_ha.adapters.ports import Platform
from memgraph_ha.core.commands import RebuildInstance, StopInstance
from memgraph_ha.core.facts import CommandEnded, MembersSeen, Outcome
from memgraph_ha.core.names import Incarnation, InstanceName
from memgraph_ha.testing.contract import Sink, demand

PORT: Final = "Platform"

TRIES: Final = 5
"""How often a rebuild whose outcome is unknown is asked for again."""

NOBODY: Final = Incarnation("a life that never was")


async def check_platform(platform: Platform, *, within_s: float = 30.0) -> None:
    """Check an adapter of `memgraph_ha.adapters.ports.Platform`. It ends two lives of the first member.

    Args:
        platform: Over at least two members whose processes run, and are started again when they end. Nobody else
            watches it.
        within_s: How long a process may take to end and to be there again, seconds.

    Raises:
        ContractError: The first clause that is not kept.
    """
    told = Sink()
    async with trio.open_nursery() as nursery:
        nursery.start_soon(platform.watch, told)
        clause = "a watch reports at once who there is"
        seen = await told.due(
            MembersSeen,
            lambda seen: all(member.incarnation for member in seen.members),
            within_s=within_s,
            port=PORT,
            clause=clause,
        )
        _check_members(seen)
        name = seen.members[0].name
        life = await _check_stop(platform, told, name, _life(seen, name), within_s)
        await _check_rebuild(platform, told, name, life, within_s)
        nursery.cancel_scope.cancel()


def _check_members(seen: MembersSeen) -> None:
    members = seen.members
    demand(len(members) > 1, PORT, "the check needs two members", members)
    for what, values in (
        ("names", [member.name for member in members]),
        ("addresses", [member.bolt for member in members] + [member.replication for member in members]),
        ("incarnations", [member.incarnation for member in members]),
    ):
        demand(len(set(values)) == len(values), PORT, f"{what} of members differ", values)
    demand(seen.cluster, PORT, "the cluster has a name of its own, by which its record is told from others", seen)


async def _check_stop(
    platform: Platform, told: Sink, name: InstanceName, life: Incarnation, within_s: float
) -> Incarnation:
    wrong = StopInstance(instance=name, incarnation=NOBODY, generation=1)
    ended = await platform.stop(wrong)
    _check_end(ended, wrong, Outcome.DONE, "stopping a life that is over is done")
    await trio.sleep(0.5)
    now = _life(told.of(MembersSeen)[-1], name)
    demand(now == life, PORT, "stopping a life that is over leaves the present one alone", now)
    before = len(told.facts)
    stop = StopInstance(instance=name, incarnation=life, generation=1)
    ended = await platform.stop(stop)
    sure = Outcome.UNKNOWN if ended.outcome is Outcome.UNKNOWN else Outcome.DONE  # it may still be dying
    _check_end(ended, stop, sure, "a stop is done once nothing can save the process")
    return await _next_life(told, name, life, within_s, before)


async def _check_rebuild(
    platform: Platform, told: Sink, name: InstanceName, life: Incarnation, within_s: float
) -> None:
    wrong = RebuildInstance(instance=name, incarnation=NOBODY, generation=1)
    ended = await platform.rebuild(wrong)
    _check_end(ended, wrong, Outcome.REFUSED, "a rebuild of another life is refused: its data is not the one judged")
    await trio.sleep(0.5)
    now = _life(told.of(MembersSeen)[-1], name)
    demand(now == life, PORT, "a refused rebuild leaves the process alone", now)
    before = len(told.facts)
    rebuild = RebuildInstance(instance=name, incarnation=life, generation=1)
    ended = await platform.rebuild(rebuild)
    for _ in range(TRIES):
        if ended.outcome is Outcome.UNKNOWN:
            await trio.sleep(within_s / TRIES)
            ended = await platform.rebuild(rebuild)
    _check_end(
        ended, rebuild, Outcome.DONE, "a rebuild is done once the data is aside, at the latest when it is repeated"
    )
    await _next_life(told, name, life, within_s, before)
    ended = await platform.rebuild(rebuild)
    _check_end(ended, rebuild, Outcome.DONE, "a rebuild that was done before is done")


async def _next_life(told: Sink, name: InstanceName, life: Incarnation, within_s: float, after: int) -> Incarnation:
    seen = await told.due(
        MembersSeen,
        lambda seen: _member_life(seen, name) not in (None, life),
        within_s=within_s,
        port=PORT,
        clause="a process that was ended is started again, and reported as another life",
        after=after,
    )
    return _life(seen, name)


def _check_end(ended: CommandEnded, command: object, due: Outcome, clause: str) -> None:
    demand(ended.command == command, PORT, "the end of a command says of which", ended)
    demand(ended.outcome is due, PORT, clause, ended)


def _member_life(seen: MembersSeen, name: InstanceName) -> Incarnation | None:
    return next((member.incarnation for member in seen.members if member.name == name), None)


def _life(seen: MembersSeen, name: InstanceName) -> Incarnation:
    life = _member_life(seen, name)
    demand(life is not None, PORT, f"{name} has a process", seen)
    return Incarnation(str(life))

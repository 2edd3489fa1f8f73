"""The contract of `Database`: what is reported was asked for just then, and no command passes its guard."""

from typing import Final

import trio
from attrs import evolve

from memgraph_ha.adapters.ports import Database
from memgraph_ha.core.commands import Demote, InstanceCommand, Promote
from memgraph_ha.core.facts import CommandEnded, Fact, Miss, Outcome, ProbeMissed, RoleSeen
from memgraph_ha.core.names import Address, Incarnation, InstanceName, RunId
from memgraph_ha.core.topology import Member, Role
from memgraph_ha.testing.contract import Sink, demand

PORT: Final = "Database"

QUIET_S: Final = 1.5
"""How long a probe that was under way may still report of somebody who is not followed any more."""


async def check_database(
    database: Database, member: Member, *, dead: Address, within_s: float = 10.0, deadline_s: float = 5.0
) -> None:
    """Check an adapter of `memgraph_ha.adapters.ports.Database`. It promotes the member and demotes it again.

    Args:
        database: Follows nobody yet; nobody else watches it.
        member: An instance that runs, is a REPLICA and has no users.
        dead: An address of this machine at which nobody listens.
        within_s: How long a probe may take to be reported, seconds.
        deadline_s: How long a command may take, seconds.

    Raises:
        ContractError: The first clause that is not kept.
    """
    told, name = Sink(), member.name
    async with trio.open_nursery() as nursery:
        nursery.start_soon(database.watch, told)
        database.follow((member,))
        seen = await _role(told, name, Role.REPLICA, within_s, "an instance that is followed is probed")
        demand(seen.run, PORT, "an answer names the run of the process that gave it", seen)
        await _check_look(database, told, seen, within_s)
        await _check_commands(database, told, member, seen.run, deadline_s)
        await _check_misses(database, told, member, dead, within_s)
        await _check_forgotten(database, told)
        nursery.cancel_scope.cancel()


async def _check_look(database: Database, told: Sink, before: RoleSeen, within_s: float) -> None:
    demand(before.asked_at_s <= before.at_s, PORT, "an answer comes after its question", before)
    await trio.sleep(0.05)  # clocks are only so fine
    came = len(told.facts)
    database.look((before.instance,))
    clause = "a look asks at once, and reports what was answered then"
    seen = await told.due(
        RoleSeen, lambda seen: seen.instance == before.instance, within_s=within_s, port=PORT, clause=clause, after=came
    )
    demand(seen.run == before.run, PORT, "a process keeps its run for as long as it lives", (before, seen))
    demand(seen.asked_at_s > before.asked_at_s, PORT, "a later answer was asked for later", (before, seen))


async def _check_commands(database: Database, told: Sink, member: Member, run: RunId, deadline_s: float) -> None:
    """Guards hold; what is done is read back and reported before the command ends."""
    name = member.name
    wrong = Promote(instance=name, run=RunId("a run that never was"), generation=1)
    ended = await _execute(database, told, wrong, deadline_s)
    demand(ended.outcome is Outcome.REFUSED, PORT, "a command for another run is refused", ended)
    came = len(told.facts)
    ended = await _execute(database, told, Promote(instance=name, run=run, generation=1), deadline_s)
    demand(ended.outcome is Outcome.DONE, PORT, "a REPLICA in the run that is named can be promoted", ended)
    _check_read_back(told.facts[came:], name, Role.MAIN)
    again = await _execute(database, told, Promote(instance=name, run=run, generation=1), deadline_s)
    demand(again.outcome is Outcome.DONE, PORT, "a command that finds its work done is done", again)
    port = int(member.replication.rpartition(":")[2])
    late = Demote(instance=name, run=RunId("a run that never was"), generation=1, port=port)
    ended = await _execute(database, told, late, deadline_s)
    demand(ended.outcome is Outcome.REFUSED, PORT, "a demotion of another run is refused", ended)
    came = len(told.facts)
    ended = await _execute(database, told, evolve(late, run=run), deadline_s)
    demand(ended.outcome is Outcome.DONE, PORT, "MAIN in the run that is named can be demoted", ended)
    _check_read_back(told.facts[came:], name, Role.REPLICA)


def _check_read_back(facts: list[Fact], name: InstanceName, role: Role) -> None:
    roles = [fact.role for fact in facts if isinstance(fact, RoleSeen) and fact.instance == name]
    demand(role in roles, PORT, "the role is read back and reported before the command ends", roles)


async def _execute(database: Database, told: Sink, command: InstanceCommand, deadline_s: float) -> CommandEnded:
    with trio.move_on_after(deadline_s + 1):
        ended = await database.execute(command, told)
        demand(ended.command == command, PORT, "the end of a command says of which", ended)
        return ended
    demand(kept=False, port=PORT, clause=f"a command ends within {deadline_s:g} s, whatever happens", seen=command)
    raise AssertionError


async def _check_misses(database: Database, told: Sink, member: Member, dead: Address, within_s: float) -> None:
    """A probe that fails is a fact too."""
    came = len(told.facts)
    other = evolve(member, name=InstanceName("nobody"), bolt=dead, incarnation=Incarnation("another life"))
    database.follow((member, other))
    missed = await told.due(
        ProbeMissed,
        lambda missed: missed.instance == other.name,
        within_s=within_s,
        port=PORT,
        clause="a probe that gets no answer is reported",
        after=came,
    )
    demand(missed.miss is Miss.REFUSED, PORT, "an address at which nobody listens refuses", missed)
    demand(missed.asked_at_s <= missed.at_s, PORT, "a miss comes after its question", missed)


async def _check_forgotten(database: Database, told: Sink) -> None:
    database.follow(())
    await trio.sleep(QUIET_S)
    came = len(told.facts)
    await trio.sleep(QUIET_S)
    after = told.facts[came:]
    demand(not after, PORT, "who is not followed any more is not probed", after)


async def _role(told: Sink, name: InstanceName, role: Role, within_s: float, clause: str) -> RoleSeen:
    return await told.due(
        RoleSeen, lambda seen: (seen.instance, seen.role) == (name, role), within_s=within_s, port=PORT, clause=clause
    )

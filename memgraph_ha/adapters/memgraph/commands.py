"""The role and registration commands, each with its guard on the connection that it travels on.

Every one of them reads back what it changed: "already so", "lock busy" and "failed" share one message (design 5).
"""

import trio

from memgraph_ha.adapters.memgraph.addresses import leads_elsewhere
from memgraph_ha.adapters.memgraph.connection import BoltConnection, ConnectionLostError, QueryRefusedError
from memgraph_ha.adapters.memgraph.errand import TARGET_TIMEOUT_S, End, Errand
from memgraph_ha.adapters.memgraph.instance import AFTERMATH_S, Instance
from memgraph_ha.adapters.memgraph.reading import read_role
from memgraph_ha.core.commands import Demote, DropReplica, Promote, RegisterReplica
from memgraph_ha.core.cypher import statement_of
from memgraph_ha.core.facts import Outcome, RoleSeen, RowsSeen
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import RowName, RunId
from memgraph_ha.core.topology import Role, Row


async def change_role(errand: Errand, command: Promote | Demote) -> End:
    """Promote or demote: done is what the role read back says.

    A promotion whose deadline (`database.PROMOTE_S`) is over excuses no silence: everybody waits for this instance.
    """
    statement = statement_of(command)
    wanted, aftermath_s = (Role.MAIN, 0.0) if isinstance(command, Promote) else (Role.REPLICA, AFTERMATH_S)
    async with errand.instance.commands.talk() as connection:
        seen = await errand.role(connection)
        if seen.run != command.run:
            return _other_run(errand, seen, command.run)
        end = End(Outcome.DONE) if seen.role is wanted else None
        with errand.instance.role_commands.running(aftermath_s):
            while end is None:
                end = await _try_role(errand, connection, statement, wanted)
        errand.settled = end
        if end.outcome is Outcome.DONE and wanted is Role.MAIN:
            await errand.rows(connection)
    return end


async def _try_role(errand: Errand, connection: BoltConnection, statement: str, wanted: Role) -> End | None:
    """Try once; None: it was busy, try again."""
    refusal = await errand.send(connection, statement)
    seen = await errand.role(connection)
    if seen.role is wanted:
        return End(Outcome.DONE, refusal.message if refusal else "")
    if refusal is None:
        return End(Outcome.REFUSED, f"{statement!r} was answered, but the role is {seen.role.value}")
    if refusal.meaning not in (ErrorClass.READ_BACK, ErrorClass.BUSY):
        return End(Outcome.REFUSED, refusal.message, refusal.meaning)
    await errand.pause()
    return None


async def register(errand: Errand, command: RegisterReplica, replica: Instance) -> End:
    """Register a replica on MAIN, after asking both who they are; done when the row is there."""
    statement = statement_of(command)
    async with errand.instance.commands.talk() as connection:
        unfit = await unfit_main(errand, connection, command.run) or await _unfit_replica(errand, command, replica)
        if unfit is not None:
            return unfit
        with errand.instance.role_commands.running():
            refusal = await errand.send(connection, statement)
            while refusal is not None and refusal.meaning is ErrorClass.BUSY:
                await errand.pause()
                refusal = await errand.send(connection, statement)
            if refusal is not None:
                errand.settled = End(Outcome.REFUSED, refusal.message, refusal.meaning)
            row = _row(await errand.rows(connection), command.row)
    if errand.settled is not None:
        return errand.settled
    if row is None or row.address != command.address:
        return End(Outcome.UNKNOWN, f"REGISTER was answered, but the row {command.row} is {_shown(row)}")
    return End(Outcome.DONE)


async def _unfit_replica(errand: Errand, command: RegisterReplica, replica: Instance) -> End | None:
    """Ask the replica, at its own address, whether it is what the decision was made for.

    A REGISTER re-points the replica's allegiance even when it fails (design 5), and overwrites an empty one.
    """
    name = replica.member.name
    astray = await leads_elsewhere(replica.member)
    if astray:
        return End(Outcome.NOT_SENT, f"the name service is stale: {astray}")
    try:
        with trio.fail_after(TARGET_TIMEOUT_S):
            await replica.role_commands.over()
            async with replica.details.talk() as connection:
                storage = await replica.storage(connection)
                role = await read_role(connection, name, errand.clock)
    except trio.TooSlowError:
        return End(Outcome.NOT_SENT, f"the replica {name} did not say what it is within {TARGET_TIMEOUT_S:g} s")
    except (ConnectionLostError, QueryRefusedError) as error:
        return End(Outcome.NOT_SENT, f"the replica {name} did not say what it is: {error}")
    errand.report(role)
    errand.report(storage)
    if role.run != command.replica_run:
        return End(Outcome.REFUSED, f"the replica {name} is run {role.run}, not {command.replica_run}")
    if role.role is not Role.REPLICA:
        return End(Outcome.REFUSED, f"the replica {name} has role {role.role.value}")
    if storage.uuid != command.database_uuid and not storage.empty:
        return End(
            Outcome.REFUSED,
            f"the replica {name} holds data set {storage.uuid}, neither {command.database_uuid} nor an empty one",
        )
    return None


async def drop(errand: Errand, command: DropReplica) -> End:
    """Drop a row on MAIN, if what SHOW REPLICAS says right before each try allows it; done when it is gone."""
    statement = statement_of(command)
    async with errand.instance.commands.talk() as connection:
        unfit = await unfit_main(errand, connection, command.run)
        if unfit is not None:
            return unfit
        with errand.instance.role_commands.running():
            while True:
                row = _row(await errand.rows(connection), command.row)
                if row is None:
                    return End(Outcome.DONE)
                if row.address != command.address or row.status not in command.statuses:
                    return End(Outcome.REFUSED, f"the row {command.row} is {_shown(row)}: not dropped")
                refusal = await errand.send(connection, statement)
                if refusal is None or refusal.meaning is not ErrorClass.BUSY:
                    break
                await errand.pause()
            row = _row(await errand.rows(connection), command.row)
    if row is None:
        return End(Outcome.DONE)
    if refusal is None:
        return End(Outcome.UNKNOWN, f"DROP was answered, but the row {command.row} is {_shown(row)}")
    return End(Outcome.REFUSED, refusal.message, refusal.meaning)


async def unfit_main(errand: Errand, connection: BoltConnection, run: RunId) -> End | None:
    """Check, on the connection that the command will travel on, that it reaches this run and that it is MAIN.

    Args:
        errand: The command's.
        connection: To the instance.
        run: The run that the decision was made for.

    Returns:
        Why the command is not sent; None if it may be.
    """
    seen = await errand.role(connection)
    if seen.run != run:
        return _other_run(errand, seen, run)
    if seen.role is not Role.MAIN:
        return End(Outcome.REFUSED, f"{errand.instance.member.name} has role {seen.role.value}, not main")
    return None


def _other_run(errand: Errand, seen: RoleSeen, run: RunId) -> End:
    return End(Outcome.REFUSED, f"{errand.instance.member.name} is run {seen.run}, not {run}")


def _row(seen: RowsSeen, name: RowName) -> Row | None:
    return next((row for row in seen.rows if row.name == name), None)


def _shown(row: Row | None) -> str:
    return "missing" if row is None else f"to {row.address}, status {row.status.value}"

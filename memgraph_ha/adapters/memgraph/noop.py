"""The no-op commit on MAIN: it makes the epoch durable (transcripts Q3), and it is the proof (transcripts Q18).

MAIN acknowledges it only if every STRICT_SYNC replica that it counts took its Prepare, and a replica that lacks
anything before it refuses: 84 of 84 times with a lost write, never with an acknowledged one missing. What makes an
acknowledged no-op the proof *of this standby* is that the standby was counted: the same process, behind the same
row, before and after.
"""

import trio
from attrs import frozen

from memgraph_ha.adapters.memgraph.addresses import leads_elsewhere
from memgraph_ha.adapters.memgraph.connection import BoltConnection, ConnectionLostError, QueryRefusedError
from memgraph_ha.adapters.memgraph.errand import TARGET_TIMEOUT_S, End, Errand
from memgraph_ha.adapters.memgraph.instance import Instance
from memgraph_ha.adapters.memgraph.reading import Clock, read_role
from memgraph_ha.core.commands import CommitNoop
from memgraph_ha.core.cypher import statement_of
from memgraph_ha.core.facts import NoopSeen, Outcome, RoleSeen, ServerSeen, StorageSeen
from memgraph_ha.core.messages import ErrorClass
from memgraph_ha.core.names import RunId
from memgraph_ha.core.record import Standby
from memgraph_ha.core.rows import ONE_COMMIT
from memgraph_ha.core.topology import Mode, Role, Row, StorageMode


@frozen(kw_only=True)
class _Side:
    """What an instance says of itself."""

    role: RoleSeen
    storage: StorageSeen
    server: ServerSeen


@frozen(kw_only=True)
class _Look:
    """What a witness is judged by, at one moment."""

    row: Row | None
    main: _Side
    standby: _Side
    astray: str


async def _side(instance: Instance, connection: BoltConnection, clock: Clock) -> _Side:
    """Ask without opening a transaction: nothing here may move MAIN's timestamps (semantics 1, 2.0)."""
    storage = await instance.data_set(connection)
    server = await instance.server(connection)
    role = await read_role(connection, instance.member.name, clock)
    return _Side(role=role, storage=storage, server=server)


class NoopCommit:
    """One no-op commit, with the standby as witness if it was counted.

    Args:
        errand: To MAIN.
        command: What is expected of both.
        standby: Where ``command.standby`` lives; None to commit only.
    """

    def __init__(self, errand: Errand, command: CommitNoop, standby: Instance | None) -> None:
        self._errand = errand
        self._command = command
        self._standby = standby
        self._asked_at_s = errand.clock()
        self._run: RunId | None = None
        self._before: _Look | None = None
        self._after: _Look | None = None
        self._silence = ""

    async def perform(self) -> End:
        """Look, commit, look again.

        Returns:
            ``DONE`` if it was acknowledged; ``REFUSED`` if STRICT_SYNC aborted it; ``NOT_SENT`` if nothing can
            have been committed: MAIN is another run or no MAIN, or the standby does not answer (to wait for a
            frozen one would stall MAIN for 30 s, transcripts Q4); else ``UNKNOWN``.
        """
        errand, command = self._errand, self._command
        async with errand.instance.commands.talk() as connection:
            seen = await errand.role(connection)
            self._run = seen.run
            if seen.run != command.run:
                return End(Outcome.NOT_SENT, f"{command.instance} is run {seen.run}, not {command.run}")
            if seen.role is not Role.MAIN:
                return End(Outcome.NOT_SENT, f"{command.instance} has role {seen.role.value}, not main")
            if self._standby is not None:
                self._before = await self._look(connection, self._standby)
                if self._before is None:
                    return End(Outcome.NOT_SENT, self._silence)
            refusal = await errand.send(connection, statement_of(command))
            if refusal is not None:
                return _refused(refusal)
            errand.settled = End(Outcome.DONE)
            if self._standby is not None:
                self._after = await self._look(connection, self._standby)
        return errand.settled

    def fact(self, end: End) -> NoopSeen | None:
        """What is to be reported of it; None if MAIN was never reached."""
        if self._run is None:
            return None
        doubt = self._doubt() if self._standby is not None else ""
        witness = None
        if end.outcome is Outcome.DONE and self._before is not None and self._before.row is not None and not doubt:
            standby = self._before.standby.role
            witness = Standby(instance=standby.instance, run=standby.run, row=self._before.row.name)
        return NoopSeen(
            at_s=self._errand.clock(),
            asked_at_s=self._asked_at_s,
            instance=self._command.instance,
            run=self._run,
            generation=self._command.generation,
            outcome=end.outcome,
            witness=witness,
            row_ts=self._covered_ts() if witness is not None else None,
            error=end.error,
            detail=end.detail or doubt,
        )

    async def _look(self, connection: BoltConnection, standby: Instance) -> _Look | None:
        """Ask both; None, and `_silence`, if the standby does not answer."""
        errand, name = self._errand, standby.member.name
        rows = (await errand.rows(connection)).rows
        main = await _side(errand.instance, connection, errand.clock)
        try:
            with trio.fail_after(TARGET_TIMEOUT_S):
                await standby.role_commands.over()
                async with standby.details.talk() as to_standby:
                    other = await _side(standby, to_standby, errand.clock)
        except trio.TooSlowError:
            self._silence = f"the standby {name} did not answer within {TARGET_TIMEOUT_S:g} s"
            return None
        except (ConnectionLostError, QueryRefusedError) as error:
            self._silence = f"the standby {name} did not answer: {error}"
            return None
        errand.report(other.role)
        row = next((row for row in rows if row.name == self._command.row), None)
        return _Look(row=row, main=main, standby=other, astray=await leads_elsewhere(standby.member))

    def _doubt(self) -> str:
        """Why the standby is no witness; empty if it is one."""
        before, after = self._before, self._after
        if before is None or after is None:
            return self._silence or "the standby was not asked before and after"
        if before.standby.role.run != after.standby.role.run:
            return f"the standby was run {before.standby.role.run} before and {after.standby.role.run} after"
        return self._flaw(before) or self._flaw(after)

    def _flaw(self, look: _Look) -> str:
        row, standby = look.row, self._standby
        if row is None or standby is None:
            return f"MAIN has no row {self._command.row}"
        if row.mode is not Mode.STRICT_SYNC or not row.takes_commits:
            return f"the row {row.name} has mode {row.mode and row.mode.value}, status {row.status.value}"
        if row.address != standby.member.replication:
            return f"the row {row.name} leads to {row.address}, not to {standby.member.replication}"
        if look.astray:
            return f"the row {row.name} may lead to somebody else: {look.astray}"
        main, other = look.main, look.standby
        if main.role.role is not Role.MAIN or other.role.role is not Role.REPLICA:
            return f"MAIN has role {main.role.role.value}, the standby {other.role.role.value}"
        if other.storage.uuid != self._command.database_uuid:
            return f"the standby holds data set {other.storage.uuid}, not {self._command.database_uuid}"
        if not main.server.wal or not other.server.wal:
            return "MAIN or the standby runs without WAL: nothing is replicated"
        modes = (main.storage.mode, other.storage.mode)
        if modes != (StorageMode.TRANSACTIONAL, StorageMode.TRANSACTIONAL):
            return f"MAIN and the standby have storage modes {modes[0].value} and {modes[1].value}"
        return ""

    def _covered_ts(self) -> int | None:
        """Up to which `ts` of the row the commit covers everything for certain.

        If the row moved by exactly our own commit, nobody else wrote between the two looks. Otherwise the second
        look may hold a write that came after ours and whose Finalize was lost, so only the first look counts.
        """
        before = self._before.row.ts if self._before is not None and self._before.row is not None else None
        after = self._after.row.ts if self._after is not None and self._after.row is not None else None
        if before is None or after is None:
            return before
        return after if after - before == ONE_COMMIT else before


def _refused(refusal: QueryRefusedError) -> End:
    if refusal.meaning is ErrorClass.ABORTED:
        return End(Outcome.REFUSED, refusal.message, refusal.meaning)
    if refusal.meaning is ErrorClass.NOT_MAIN:
        return End(Outcome.NOT_SENT, refusal.message, refusal.meaning)
    return End(Outcome.UNKNOWN, refusal.message, refusal.meaning)

"""A command on its way to an instance: guard, then the wire, then the landing, then what is read back.

The guard is checked when it is sent, on a connection that is bound to one process; it may land at any later moment,
but only in that process. That is what no controller can prevent, and what must be harmless (design 7). Outcomes are
those of `memgraph_ha.adapters.memgraph`, except that what was busy is not tried again here: the core does that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING

from attrs import define

from memgraph_ha.core.commands import (
    CommitNoop,
    Demote,
    DropReplica,
    InstanceCommand,
    Promote,
    Quiesce,
    RegisterReplica,
    RestoreTriggers,
    RestoreUsers,
)
from memgraph_ha.core.facts import NoopSeen, Outcome, QuietSeen, RoleSeen, RowsSeen
from memgraph_ha.core.messages import ErrorClass, classify_error
from memgraph_ha.core.names import RowName, RunId
from memgraph_ha.core.record import Standby
from memgraph_ha.core.rows import ONE_COMMIT, parse_role
from memgraph_ha.core.topology import Mode, Role, Row
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.instance import Instance
from memgraph_ha.fakes.memgraph.virtual import Ticket
from memgraph_ha.sim.world.probe import to_rows
from memgraph_ha.sim.world.restoring import restore

if TYPE_CHECKING:
    from memgraph_ha.sim.world.controller import Controller


@define(eq=False)
class Errand:
    """One instance command; ``answer`` takes an outcome, what was said, and what that means."""

    controller: Controller
    command: InstanceCommand
    answer: Callable[..., None]
    asked_s: float = 0.0
    rows_before: tuple[Row, ...] = ()
    standby_run: str | None = None

    # --- guard

    def send(self) -> None:
        """Check the guard and put it on the wire."""
        command, cluster = self.command, self.controller.cluster
        self.asked_s = cluster.now
        if not cluster.answers(command.instance):
            self.answer(Outcome.NOT_SENT, "no connection")
            return
        instance = cluster.world[command.instance]
        if instance.run_id != command.run:
            self.answer(Outcome.REFUSED, f"it is run {instance.run_id[:6]}")
            return
        self._guard(command, instance)

    def _guard(self, command: InstanceCommand, instance: Instance) -> None:
        match command:
            case Promote() | Demote():
                if instance.is_main is isinstance(command, Promote):
                    self._read_back(self._judged_role)  # it is so already
                else:
                    self._wire()
            case _ if not instance.is_main:
                self.answer(Outcome.REFUSED, "it is no MAIN")
            case RegisterReplica() if not self._fit(command):
                self.answer(Outcome.REFUSED, "the replica is not as expected")
            case RegisterReplica():
                self._wire()
            case CommitNoop() | DropReplica():
                self._ask("SHOW REPLICAS", self._saw_rows)
            case Quiesce():
                self._quiesce(command)
            case RestoreUsers() | RestoreTriggers():
                restore(self.controller, command, self.answer)

    def _fit(self, command: RegisterReplica) -> bool:
        cluster = self.controller.cluster
        if not cluster.answers(command.replica):
            return False
        replica = cluster.world[command.replica]
        known = replica.database_uuid == command.database_uuid or not replica.graph.has_data
        return replica.run_id == command.replica_run and not replica.is_main and known

    def _saw_rows(self, ticket: Ticket) -> None:
        command, cluster = self.command, self.controller.cluster
        if ticket.rows is None:
            self.answer(Outcome.NOT_SENT, str(ticket.error))
            return
        self.rows_before = to_rows(ticket.rows)
        if isinstance(command, DropReplica):
            row = _row(self.rows_before, command.row)
            if row is None:
                self.answer(Outcome.DONE)
                return
            if row.status not in command.statuses or row.address != command.address:
                self.answer(Outcome.REFUSED, f"row is {row.status.value}")
                return
        if isinstance(command, CommitNoop) and command.standby is not None:
            if not cluster.answers(command.standby):
                self._report_noop(Outcome.NOT_SENT, None, None, "the standby does not answer")
                self.answer(Outcome.NOT_SENT, "the standby does not answer")
                return
            self.standby_run = cluster.world[command.standby].run_id
        self._wire()

    def _quiesce(self, command: Quiesce) -> None:
        """Wait until what clients have sent is answered; nothing is ended by force here."""
        controller, asked_s = self.controller, self.asked_s
        cluster = controller.cluster

        def look() -> None:
            now_s = cluster.now
            if not cluster.up(command.instance) or cluster.world[command.instance].run_id != command.run:
                self.answer(Outcome.UNKNOWN, "the connection broke")
            elif not cluster.open[command.instance]:
                quiet = QuietSeen(at_s=now_s, instance=command.instance, run=command.run, generation=command.generation)
                controller.file(quiet)
                self.answer(Outcome.DONE)
            elif now_s - asked_s > command.patience_s:
                self.answer(Outcome.REFUSED, f"{len(cluster.open[command.instance])} transactions are open")
            else:
                cluster.world.at(0.005, look)

        look()

    # --- the wire, and the landing

    def _wire(self) -> None:
        controller, name = self.controller, self.command.instance

        def land() -> None:
            if controller.cluster.up(name) and controller.cluster.world[name].run_id == self.command.run:
                if isinstance(self.command, Promote):
                    controller.cluster.check_promotion(self.command)
                self._mark_busy(1)
                self._ask(self._query(), self._ended)
            else:
                self._unknown()

        controller.cluster.world.at(controller.late(), land)

    def _mark_busy(self, by: int) -> None:
        """Our own role and registration commands can hold the locks that a probe needs (design 5)."""
        if not isinstance(self.command, CommitNoop):
            busy, name = self.controller.busy, self.command.instance
            busy[name] = max(0, busy.get(name, 0) + by)

    def _query(self) -> str:
        match self.command:
            case Promote():
                return "SET REPLICATION ROLE TO MAIN"
            case Demote(port=port):
                return f"SET REPLICATION ROLE TO REPLICA WITH PORT {port}"
            case CommitNoop():
                return "CREATE (n:Noop) DELETE n"
            case RegisterReplica(row=row, mode=mode, address=address):
                return f'REGISTER REPLICA `{row}` {mode.name} TO "{address}"'
            case DropReplica(row=row):
                return f"DROP REPLICA `{row}`"
            case Quiesce() | RestoreUsers() | RestoreTriggers():
                return "SHOW TRANSACTIONS"

    def _ask(self, query: str, done: Callable[[Ticket], None]) -> None:
        self.controller.cluster.send(self.command.instance, query, done)

    def _unknown(self) -> None:
        if isinstance(self.command, CommitNoop):
            self._report_noop(Outcome.UNKNOWN, None, None, "lost")
        self.answer(Outcome.UNKNOWN, "the connection broke")

    # --- what came of it

    def _ended(self, ticket: Ticket) -> None:
        self._mark_busy(-1)
        if ticket.error is not None and not isinstance(ticket.error, MemgraphError):
            self._unknown()
            return
        text = "" if ticket.error is None else ticket.error.message
        meaning = classify_error(text) if text else None
        match self.command:
            case CommitNoop():
                self._ended_noop(text, meaning)
            case Promote() | Demote():
                self._read_back(lambda role: self._judged_role(role, text, meaning))
            case RegisterReplica() | DropReplica():
                outcome = Outcome.REFUSED if text else Outcome.DONE
                self._read_back(lambda _role: self.answer(outcome, text, meaning))
            case _:
                pass

    def _judged_role(self, role: Role | None, text: str = "", meaning: ErrorClass | None = None) -> None:
        """Done is what the role read back says: "already so", "busy" and "failed" share one text."""
        wanted = Role.MAIN if isinstance(self.command, Promote) else Role.REPLICA
        self.answer(Outcome.DONE if role is wanted else Outcome.REFUSED, text, meaning)

    def _read_back(self, done: Callable[[Role | None], None]) -> None:
        controller, name, run = self.controller, self.command.instance, self.command.run
        cluster, asked_s = controller.cluster, controller.cluster.now

        def saw_role(ticket: Ticket) -> None:
            role = parse_role(ticket.rows[0][0]) if ticket.rows else None
            if role is None:
                self._unknown()
                return
            controller.file(RoleSeen(at_s=cluster.now, asked_at_s=asked_s, instance=name, run=run, role=role))
            self._ask("SHOW REPLICAS", lambda answer: saw_rows(answer, role))

        def saw_rows(ticket: Ticket, role: Role) -> None:
            if ticket.rows is not None:
                rows = to_rows(ticket.rows)
                controller.file(RowsSeen(at_s=cluster.now, asked_at_s=asked_s, instance=name, run=run, rows=rows))
            done(role)

        if cluster.up(name) and cluster.world[name].run_id == run:
            self._ask("SHOW REPLICATION ROLE", saw_role)
        else:
            self._unknown()

    # --- the no-op commit

    def _ended_noop(self, text: str, meaning: ErrorClass | None) -> None:
        if text:
            never = {ErrorClass.ABORTED: Outcome.REFUSED, ErrorClass.NOT_MAIN: Outcome.NOT_SENT}
            outcome = Outcome.UNKNOWN if meaning is None else never.get(meaning, Outcome.UNKNOWN)
            self._report_noop(outcome, None, None, text, meaning)
            self.answer(outcome, text, meaning)
        else:
            self._ask("SHOW REPLICAS", self._witnessed)

    def _witnessed(self, ticket: Ticket) -> None:
        witness, ts = self._witness(to_rows(ticket.rows or []))
        self._report_noop(Outcome.DONE, witness, ts, "")
        self.answer(Outcome.DONE)

    def _witness(self, rows_after: tuple[Row, ...]) -> tuple[Standby | None, int | None]:
        command, cluster = self.command, self.controller.cluster
        if not isinstance(command, CommitNoop) or command.standby is None or command.row is None:
            return None, None
        before, after = _row(self.rows_before, command.row), _row(rows_after, command.row)
        counted = all(row and row.takes_commits and row.mode is Mode.STRICT_SYNC for row in (before, after))
        if before is None or after is None or not counted or not cluster.answers(command.standby):
            return None, None
        if not self._same_standby(cluster.world[command.standby], command):
            return None, None
        own = before.ts is not None and after.ts is not None and after.ts - before.ts == ONE_COMMIT
        witness = Standby(instance=command.standby, run=RunId(str(self.standby_run)), row=command.row)
        return witness, after.ts if own else before.ts

    def _same_standby(self, replica: Instance, command: CommitNoop) -> bool:
        same = replica.run_id == self.standby_run and not replica.is_main
        plain = replica.transactional and self.controller.cluster.world[command.instance].transactional
        return same and plain and replica.database_uuid == command.database_uuid

    def _report_noop(
        self, outcome: Outcome, witness: Standby | None, ts: int | None, detail: str, error: ErrorClass | None = None
    ) -> None:
        self.controller.file(
            NoopSeen(
                at_s=self.controller.cluster.now,
                asked_at_s=self.asked_s,
                instance=self.command.instance,
                run=self.command.run,
                generation=self.command.generation,
                outcome=outcome,
                witness=witness,
                row_ts=ts,
                error=error,
                detail=detail,
            )
        )


def _row(rows: tuple[Row, ...], name: RowName) -> Row | None:
    return next((row for row in rows if row.name == name), None)

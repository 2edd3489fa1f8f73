"""A command on its way to an instance: guard, then the wire, then the landing, then what is read back.

The guard is checked when it is sent, on a connection that is bound to one process; it may land at any later moment,
but only in that process. That is what no controller can prevent, and what must be harmless (design 7). Outcomes are
those of `memgraph_ha.adapters.memgraph`, except that what was busy is not tried again here: the core does that.
"""

from __future__ import annotations

from collections.abc import Callable
from typing import TYPE_CHECKING, Final

from attrs import define, field

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
from memgraph_ha.core.cypher import statement_of
from memgraph_ha.core.facts import NoopSeen, Outcome, RoleSeen, RowsSeen
from memgraph_ha.core.messages import ErrorClass, classify_error
from memgraph_ha.core.names import InstanceName, RowName, RunId
from memgraph_ha.core.record import Standby
from memgraph_ha.core.rows import ONE_COMMIT, parse_role
from memgraph_ha.core.topology import Mode, Role, Row
from memgraph_ha.fakes.memgraph.errors import MemgraphError
from memgraph_ha.fakes.memgraph.instance import Instance
from memgraph_ha.fakes.memgraph.virtual import Ticket
from memgraph_ha.sim.checks import safety
from memgraph_ha.sim.world.line import Line
from memgraph_ha.sim.world.probe import to_rows
from memgraph_ha.sim.world.quieting import QuietMoment
from memgraph_ha.sim.world.restoring import restore
from memgraph_ha.trace.schema import Ghost, Plain

if TYPE_CHECKING:
    from memgraph_ha.sim.world.controller import Controller


LATE_S: Final = 0.1
"""A command that was longer on its way may be one of a leader that has lost its lease: whatever it does is harmless,
and the world may have moved on (S8)."""


@define(eq=False)
class Errand:
    """One instance command; ``answer`` takes an outcome, what was said, and what that means.

    Attributes:
        asked_s: When it began, by its controller's clock.
        sent_s: When it was put on the wire, virtual seconds.
        rows_before: What MAIN said of its replicas before.
        standby_run: The standby's run before.
    """

    controller: Controller
    command: InstanceCommand
    answer: Callable[..., None]
    asked_s: float = 0.0
    sent_s: float = 0.0
    rows_before: tuple[Row, ...] = ()
    standby_run: str | None = None
    line: Line = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Take a line to the instance."""
        self.line = Line(self.controller, self.command.instance)

    # --- guard

    def send(self) -> None:
        """Check the guard and put it on the wire."""
        self.asked_s = self.controller.now_s
        self.line.look(lambda instance: (instance.run_id, instance.is_main), self._greeted)

    def _greeted(self, found: tuple[str, bool] | None) -> None:
        command = self.command
        if found is None:
            self.answer(Outcome.NOT_SENT, "no connection")
            return
        run, is_main = found
        if run != command.run:
            self.answer(Outcome.REFUSED, f"it is run {run[:6]}")
            return
        match command:
            case Promote() | Demote():
                so_already = is_main is isinstance(command, Promote)
                (self._look_again if so_already else self._wire)()
            case _ if not is_main:
                self.answer(Outcome.REFUSED, "it is no MAIN")
            case RegisterReplica():
                Line(self.controller, command.replica).look(lambda replica: _fits(replica, command), self._fit)
            case CommitNoop() | DropReplica():
                self.line.ask("SHOW REPLICAS", self._saw_rows)
            case Quiesce():
                QuietMoment(self, command).begin()
            case _:
                restore(self.line, command, self.answer)

    def _look_again(self) -> None:
        self._read_back(self._judged_role)

    def _fit(self, fits: bool | None) -> None:
        command = self.command
        if not fits:
            self.answer(Outcome.REFUSED, "the replica is not as expected")
        elif isinstance(command, RegisterReplica) and self._leads_elsewhere(command.replica):
            self.answer(Outcome.NOT_SENT, "the name service is stale")
        else:
            self._wire()

    def _leads_elsewhere(self, replica: InstanceName) -> bool:
        """Whether its name leads to somebody else (memgraph_ha.adapters.memgraph.addresses)."""
        cluster = self.controller.cluster
        found = None if cluster.platform.kubernetes else cluster.world.resolve(replica)
        return found is not None and found is not cluster.world.hosts[replica]

    def _saw_rows(self, ticket: Ticket) -> None:
        command = self.command
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
            Line(self.controller, command.standby).look(lambda replica: replica.run_id, self._saw_standby)
        else:
            self._wire()

    def _saw_standby(self, run: str | None) -> None:
        if run is None:
            self._report_noop(Outcome.NOT_SENT, None, None, "the standby does not answer")
            self.answer(Outcome.NOT_SENT, "the standby does not answer")
        else:
            self.standby_run = run
            self._wire()

    # --- the wire, and the landing

    def _wire(self) -> None:
        """Send it: it may land at any later moment, but only in the process that it was meant for."""
        self.sent_s = self.controller.cluster.now
        self.line.ask(self._query(), self._ended, late_s=self.controller.wire_s(), landing=self._land)

    def _land(self, instance: Instance) -> None:
        controller, command = self.controller, self.command
        cluster = controller.cluster
        late = cluster.now - self.sent_s > LATE_S
        safety.check_landing(cluster, command, controller.name, late=late)
        if cluster.recorded:
            more: dict[str, Plain] = {}
            if isinstance(command, Promote):
                held = cluster.ids(command.instance)
                more = {"lacks": len(cluster.ledger.kept - held), "more": len(held - cluster.ledger.kept)}
            kind = type(command).__name__
            cluster.ghost(
                Ghost.LANDED,
                controller.name,
                command=kind,
                instance=command.instance,
                outcome="MAIN" if instance.is_main else "REPLICA",
                led=controller.leads,
                late=late,
                **more,
            )

    def _query(self) -> str:
        """Spell it as the adapter does."""
        command = self.command
        if isinstance(command, (Quiesce, RestoreUsers, RestoreTriggers)):
            raise TypeError(f"{type(command).__name__} is more than one statement")
        return statement_of(command)

    def _unknown(self) -> None:
        if isinstance(self.command, CommitNoop):
            self._report_noop(Outcome.UNKNOWN, None, None, "lost")
        self.answer(Outcome.UNKNOWN, "the connection broke")

    # --- what came of it

    def _ended(self, ticket: Ticket) -> None:
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
        asked_s = controller.now_s

        def saw_role(ticket: Ticket) -> None:
            role = parse_role(ticket.rows[0][0]) if ticket.rows else None
            if role is None:
                self._unknown()
                return
            controller.file(RoleSeen(at_s=controller.now_s, asked_at_s=asked_s, instance=name, run=run, role=role))
            self.line.ask("SHOW REPLICAS", lambda answer: saw_rows(answer, role))

        def saw_rows(ticket: Ticket, role: Role) -> None:
            if ticket.rows is not None:
                rows = to_rows(ticket.rows)
                controller.file(RowsSeen(at_s=controller.now_s, asked_at_s=asked_s, instance=name, run=run, rows=rows))
            done(role)

        self.line.ask("SHOW REPLICATION ROLE", saw_role)

    # --- the no-op commit

    def _ended_noop(self, text: str, meaning: ErrorClass | None) -> None:
        if text:
            never = {ErrorClass.ABORTED: Outcome.REFUSED, ErrorClass.NOT_MAIN: Outcome.NOT_SENT}
            outcome = Outcome.UNKNOWN if meaning is None else never.get(meaning, Outcome.UNKNOWN)
            self._report_noop(outcome, None, None, text, meaning)
            self.answer(outcome, text, meaning)
        else:
            self.line.ask("SHOW REPLICAS", self._witnessed)

    def _witnessed(self, ticket: Ticket) -> None:
        command, rows_after = self.command, to_rows(ticket.rows or [])
        if not isinstance(command, CommitNoop) or command.standby is None or command.row is None:
            self._proven(None, None)
            return
        before, after = _row(self.rows_before, command.row), _row(rows_after, command.row)
        counted = all(row and row.takes_commits and row.mode is Mode.STRICT_SYNC for row in (before, after))
        if before is None or after is None or not counted or self._leads_elsewhere(command.standby):
            self._proven(None, None)
            return
        own = before.ts is not None and after.ts is not None and after.ts - before.ts == ONE_COMMIT
        ts = after.ts if own else before.ts
        witness = Standby(instance=command.standby, run=RunId(str(self.standby_run)), row=command.row)
        Line(self.controller, command.standby).look(
            lambda replica: self._same_standby(replica, command),
            lambda same: self._proven(witness, ts) if same else self._proven(None, None),
        )

    def _same_standby(self, replica: Instance, command: CommitNoop) -> bool:
        cluster = self.controller.cluster
        same = replica.run_id == self.standby_run and not replica.is_main
        plain = replica.transactional and cluster.up(command.instance) and cluster.world[command.instance].transactional
        return same and plain and replica.database_uuid == command.database_uuid

    def _proven(self, witness: Standby | None, ts: int | None) -> None:
        self._report_noop(Outcome.DONE, witness, ts, "")
        self.answer(Outcome.DONE)

    def _report_noop(
        self, outcome: Outcome, witness: Standby | None, ts: int | None, detail: str, error: ErrorClass | None = None
    ) -> None:
        self.controller.file(
            NoopSeen(
                at_s=self.controller.now_s,
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


def _fits(replica: Instance, command: RegisterReplica) -> bool:
    """Whether a replica is what a registration expects, asked of it right before (design 5)."""
    known = replica.database_uuid == command.database_uuid or not replica.graph.has_data
    return replica.run_id == command.replica_run and not replica.is_main and known

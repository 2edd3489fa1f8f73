"""Probing one instance, as `memgraph_ha.adapters.memgraph.probe` does: liveness, details and the replication port.

Liveness is SHOW REPLICATION ROLE every ``probe_interval_s``, of a MAIN with its rows; the data set and the port are
looked at once a second, at once in a new run or role, and whenever a rule asks for a look.
"""

from __future__ import annotations

from collections.abc import Callable
from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final, Literal

from attrs import define, field

from memgraph_ha.core.facts import Miss, PortSeen, ProbeMissed, RoleSeen, RowsSeen, ServerSeen, StorageSeen
from memgraph_ha.core.names import InstanceName, RunId
from memgraph_ha.core.rows import parse_replicas, parse_role, parse_storage_info
from memgraph_ha.core.topology import Role, Row
from memgraph_ha.fakes.memgraph.virtual import Refused, Ticket
from memgraph_ha.sim.world.line import Line
from memgraph_ha.sim.world.restoring import look_at_triggers

if TYPE_CHECKING:
    from memgraph_ha.sim.world.controller import Controller

COLUMNS: Final = ("name", "socket_address", "sync_mode", "system_info", "data_info")

SERVER: Final[dict[str, Any]] = {"version": "3.6.1", "wal": True, "flush_every": 1, "init_file": "/init"}
"""How every instance is configured, but for what it claims otherwise."""


def to_rows(answer: list[list[Any]]) -> tuple[Row, ...]:
    """Read SHOW REPLICAS as the adapter does."""
    return tuple(_to_row((*line[:3], *_flat(line[4]))) for line in answer)


def _flat(info: dict[str, Any]) -> tuple[str, int, int] | tuple[()]:
    data = info.get("memgraph")
    return () if data is None else (data["status"], data["ts"], data["behind"])


@lru_cache(maxsize=4096)
def _to_row(said: tuple[Any, ...]) -> Row:
    info = dict(zip(("status", "ts", "behind"), said[3:], strict=True)) if said[3:] else {}
    line = (*said[:3], None, {"memgraph": info} if info else {})
    (row,) = parse_replicas([dict(zip(COLUMNS, line, strict=True))])
    return row


_role = lru_cache(maxsize=8)(parse_role)


DETAILS_S: Final = 1.0
"""As the adapter: how often the data set and the replication port are looked at without a reason."""

DETAILS_TIMEOUT_S: Final = 2.0
"""As the adapter: SHOW STORAGE INFO waits behind long reads and behind a stalled commit (transcripts Q14)."""

PORT_TIMEOUT_S: Final = 1.0

TRIGGERS_S: Final = 5.0
"""As the adapter: how often MAIN is asked for its triggers."""

OWN_S: Final = 0.01
"""How often it is looked whether an own role command is over, during which nothing is asked."""

LOOK_S: Final = 0.001
"""How soon a look out of turn begins."""

Task = Literal["life", "details", "port"]
TASKS: Final[tuple[Task, ...]] = ("life", "details", "port")


@define(eq=False)
class Prober:
    """The probes of one instance in one incarnation, until it is told that they are over.

    Attributes:
        over: Nobody follows that incarnation any more.
    """

    controller: Controller
    name: InstanceName
    over: bool = False
    _role: RoleSeen | None = None
    _refused: int = 0
    _refused_since_s: float = 0.0
    _began_s: float = 0.0
    _triggers_due_s: float = 0.0
    _turns: dict[Task, int] = field(factory=lambda: dict.fromkeys(TASKS, 0))
    _busy: set[Task] = field(factory=set)
    _again: set[Task] = field(factory=set)

    def begin(self) -> None:
        """Probe for the first time."""
        for task in TASKS:
            self._begin(task)

    def look(self) -> None:
        """Begin every round now, or right after the one that is under way."""
        for task in TASKS:
            self._ring(task)

    def process_ended(self) -> None:
        """The kernel of a process that ended closed our idle connection: no need to wait for the next turn."""
        wait_s = self._began_s + self.controller.policy.refused_gap_s - self.controller.now_s
        self.controller.after(max(0.0, wait_s), lambda: self._ring("life"))

    # --- turns

    def _ring(self, task: Task) -> None:
        if task in self._busy:
            self._again.add(task)
        else:
            self._wait(task, LOOK_S)

    def _wait(self, task: Task, seconds: float) -> None:
        """Let the next round begin after so long, unless something else is said meanwhile."""
        self._turns[task] += 1
        turn = self._turns[task]
        self.controller.after(seconds, lambda: self._begin(task) if turn == self._turns[task] else None)

    def _begin(self, task: Task) -> None:
        if self.over:
            return
        if task != "port" and self.controller.runner.in_flight(self.name):
            self._wait(task, OWN_S)
            return
        self._busy.add(task)
        if task == "life":
            self._live()
        elif task == "details":
            self._details()
        else:
            self._port()

    def _end(self, task: Task, pause_s: float) -> None:
        """A round is over."""
        if task in self._busy:
            self._busy.discard(task)
            again = task in self._again
            self._again.discard(task)
            self._wait(task, LOOK_S if again else pause_s)

    def _within(self, seconds: float, late: Callable[[], None]) -> Callable[[], bool]:
        """Bound a question; returns what an answer asks whether it still counts, once."""
        over = [False]

        def end() -> bool:
            first, over[0] = not over[0], True
            return first and not self.over

        self.controller.after(seconds, lambda: late() if end() else None)
        return end

    # --- liveness

    def _live(self) -> None:
        controller = self.controller
        asked_s = self._began_s = controller.now_s
        counts = self._within(controller.policy.probe_timeout_s, lambda: self._missed(asked_s, Miss.TIMED_OUT))
        line = Line(controller, self.name)
        late_s = controller.cluster.late.get(self.name, 0.0)

        def answered(ticket: Ticket) -> None:
            if not counts():
                return
            role = None if ticket.rows is None else _role(ticket.rows[0][0])
            if isinstance(ticket.error, Refused):
                self._missed(asked_s, Miss.REFUSED)
            elif self.name in controller.cluster.locked:
                self._missed(asked_s, Miss.UNAUTHORISED)
            elif role is None or line.run is None:
                self._missed(asked_s, Miss.UNREADABLE)
            else:
                self._answered(asked_s, RunId(line.run), role)

        line.ask("SHOW REPLICATION ROLE", answered, late_s=late_s)

    def _missed(self, asked_s: float, miss: Miss) -> None:
        controller, policy = self.controller, self.controller.policy
        self._role = None
        excused = miss is Miss.TIMED_OUT and controller.runner.excuses(self.name, asked_s)
        now_s, pause_s = controller.now_s, policy.probe_interval_s
        controller.file(ProbeMissed(at_s=now_s, asked_at_s=asked_s, instance=self.name, miss=miss, excused=excused))
        if miss is Miss.TIMED_OUT:
            pause_s = max(0.0, pause_s - (now_s - asked_s))  # it keeps the rhythm
        if miss is not Miss.REFUSED:
            self._refused = 0
        else:  # refusals follow each other quickly until they are a verdict
            self._refused += 1
            if self._refused == 1:
                self._refused_since_s = asked_s
            enough = self._refused >= policy.refused_count and asked_s - self._refused_since_s >= policy.refused_gap_s
            pause_s = pause_s if enough else min(policy.refused_gap_s, pause_s)
        self._end("life", pause_s)

    def _answered(self, asked_s: float, run: RunId, role: Role) -> None:
        controller, before = self.controller, self._role
        seen = RoleSeen(at_s=controller.now_s, asked_at_s=asked_s, instance=self.name, run=run, role=role)
        self._role, self._refused = seen, 0
        controller.runner.answered(self.name)
        controller.file(seen)
        if before is None or (before.run, before.role) != (run, role):
            self._triggers_due_s = 0.0
            self._ring("details")
            self._ring("port")
        if role is Role.MAIN and not controller.runner.in_flight(self.name):
            self._rows(run)
        else:
            self._end("life", controller.policy.probe_interval_s)

    def _rows(self, run: RunId) -> None:
        """A MAIN's rows. Failing that is no miss: it has just answered."""
        controller, policy = self.controller, self.controller.policy
        asked_s = controller.now_s
        counts = self._within(policy.probe_timeout_s, lambda: self._end("life", policy.probe_interval_s))

        def answered(ticket: Ticket) -> None:
            if not counts():
                return
            if ticket.rows is not None:
                rows, now_s = to_rows(ticket.rows), controller.now_s
                controller.file(RowsSeen(at_s=now_s, asked_at_s=asked_s, instance=self.name, run=run, rows=rows))
            gone = isinstance(ticket.error, Refused)
            self._end("life", min(policy.refused_gap_s, policy.probe_interval_s) if gone else policy.probe_interval_s)

        Line(controller, self.name, run).ask("SHOW REPLICAS", answered)

    # --- what may take longer

    def _details(self) -> None:
        role, controller = self._role, self.controller
        if role is None:
            self._end("details", DETAILS_S)
            return
        counts = self._within(DETAILS_TIMEOUT_S, lambda: self._end("details", DETAILS_S))
        line, asked_s = Line(controller, self.name, role.run), controller.now_s

        def answered(ticket: Ticket) -> None:
            if not counts():
                return
            self._storage(ticket, role.run, asked_s)
            if ticket.rows is not None and role.role is Role.MAIN and controller.now_s >= self._triggers_due_s:
                self._triggers_due_s = controller.now_s + TRIGGERS_S
                look_at_triggers(line)
            self._end("details", DETAILS_S)

        line.ask("SHOW STORAGE INFO", answered, late_s=controller.cluster.slow.get(self.name, 0.0))

    def _storage(self, ticket: Ticket, run: RunId, asked_s: float) -> None:
        controller, name, cluster = self.controller, self.name, self.controller.cluster
        host = controller.watcher.host_of(name)
        if ticket.rows is None or host is None or host.instance is None or host.instance.run_id != run:
            return
        claims = SERVER | cluster.claims[name] if name in cluster.claims else SERVER
        controller.file(ServerSeen(at_s=controller.now_s, instance=name, run=run, **claims))
        uuid, bare, mode = parse_storage_info(dict(ticket.rows))
        if uuid is not None:
            controller.file(
                StorageSeen(
                    at_s=controller.now_s,
                    asked_at_s=asked_s,
                    instance=name,
                    run=run,
                    uuid=uuid,
                    empty=bool(bare) and not host.instance.graph.has_data,
                    mode=mode,
                    objects=cluster.objects(InstanceName(host.name)),
                )
            )

    def _port(self) -> None:
        """Whether a REPLICA's replication port takes connections; no byte is sent."""
        role, controller = self._role, self.controller
        if role is None or role.role is not Role.REPLICA:
            self._end("port", DETAILS_S)
            return
        asked_s = controller.now_s

        def found(opened: bool) -> None:
            now_s = controller.now_s
            controller.file(PortSeen(at_s=now_s, asked_at_s=asked_s, instance=self.name, open=opened))
            self._end("port", DETAILS_S)

        counts = self._within(PORT_TIMEOUT_S, lambda: found(opened=False))

        def answered(opened: bool | None) -> None:
            if counts():
                found(opened=bool(opened))

        Line(controller, self.name).knock(controller.cluster.listens, answered)

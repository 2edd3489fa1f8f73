"""What a probe of one instance tells, and how it fails."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING, Any, Final

from attrs import define

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


@define(eq=False)
class Probe:
    """One look at one instance: role, then rows, data set and configuration."""

    controller: Controller
    name: InstanceName
    asked_s: float = 0.0
    over: bool = False
    _line: Line | None = None

    def begin(self) -> None:
        """Ask; report what comes, or that nothing did."""
        controller = self.controller
        self.asked_s = controller.now_s
        late_s = controller.cluster.late.get(self.name, 0.0)
        controller.after(controller.policy.probe_timeout_s, lambda: self._missed(Miss.TIMED_OUT))
        self._line = Line(controller, self.name)
        self._line.ask("SHOW REPLICATION ROLE", self._answered, late_s=late_s)

    def _missed(self, miss: Miss) -> None:
        if not self.over:
            self.over = True
            controller = self.controller
            excused = miss is Miss.TIMED_OUT and controller.runner.excuses(self.name, self.asked_s)
            controller.file(
                ProbeMissed(
                    at_s=controller.now_s, asked_at_s=self.asked_s, instance=self.name, miss=miss, excused=excused
                )
            )

    def _answered(self, ticket: Ticket) -> None:
        if self.over:
            return
        controller, name, line = self.controller, self.name, self._line
        if ticket.error is not None or ticket.rows is None or line is None or line.run is None:
            self._missed(Miss.REFUSED if isinstance(ticket.error, Refused) else Miss.UNREADABLE)
            return
        if name in controller.cluster.locked:
            self._missed(Miss.UNAUTHORISED)
            return
        self.over = True
        controller.runner.answered(name)
        role, run = _role(ticket.rows[0][0]), RunId(line.run)
        if role is not None:
            controller.file(RoleSeen(at_s=controller.now_s, asked_at_s=self.asked_s, instance=name, run=run, role=role))
            self._details(run, role)

    def _details(self, run: RunId, role: Role) -> None:
        controller, name, cluster = self.controller, self.name, self.controller.cluster
        now_s = controller.now_s
        claims = SERVER | cluster.claims[name] if name in cluster.claims else SERVER
        controller.file(ServerSeen(at_s=now_s, instance=name, run=run, **claims))
        line = Line(controller, name, run)
        line.ask(
            "SHOW STORAGE INFO", lambda ticket: self._storage(ticket, run, now_s), late_s=cluster.slow.get(name, 0.0)
        )
        if role is Role.MAIN:
            line.ask("SHOW REPLICAS", lambda ticket: self._rows(ticket, run, now_s))
            if controller.watcher.triggers_are_due():
                look_at_triggers(line)
        else:
            line.look(lambda _instance: controller.cluster.listens(name), lambda opened: self._port(opened, now_s))

    def _storage(self, ticket: Ticket, run: RunId, asked_s: float) -> None:
        controller, name = self.controller, self.name
        host = controller.watcher.host_of(name)
        if ticket.rows is None or host is None or host.instance is None or host.instance.run_id != run:
            return
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
                    objects=controller.cluster.objects(InstanceName(host.name)),
                )
            )

    def _rows(self, ticket: Ticket, run: RunId, asked_s: float) -> None:
        if ticket.rows is not None:
            controller, rows = self.controller, to_rows(ticket.rows)
            controller.file(RowsSeen(at_s=controller.now_s, asked_at_s=asked_s, instance=self.name, run=run, rows=rows))

    def _port(self, opened: bool | None, asked_s: float) -> None:
        controller = self.controller
        controller.file(PortSeen(at_s=controller.now_s, asked_at_s=asked_s, instance=self.name, open=bool(opened)))

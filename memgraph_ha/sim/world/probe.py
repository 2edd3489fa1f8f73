"""What a probe of one instance tells, and how it fails."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any, Final

from attrs import evolve

from memgraph_ha.core.facts import Miss, PortSeen, ProbeMissed, RoleSeen, RowsSeen, ServerSeen, StorageSeen
from memgraph_ha.core.names import InstanceName, RunId
from memgraph_ha.core.rows import parse_replicas, parse_role, parse_storage_info
from memgraph_ha.core.topology import Role, Row
from memgraph_ha.fakes.memgraph.virtual import Refused, Ticket
from memgraph_ha.fakes.memgraph.virtual_host import State
from memgraph_ha.sim.world.restoring import look_at_triggers

if TYPE_CHECKING:
    from memgraph_ha.sim.world.controller import Controller

SERVER: Final = ServerSeen(
    at_s=0.0, instance=InstanceName(""), run=RunId(""), version="3.6.1", wal=True, flush_every=1, init_file="/init"
)

COLUMNS = ("name", "socket_address", "sync_mode", "system_info", "data_info")


def to_rows(answer: list[list[Any]]) -> tuple[Row, ...]:
    """Read SHOW REPLICAS as the adapter does."""
    return parse_replicas([dict(zip(COLUMNS, line, strict=True)) for line in answer])


def probe(controller: Controller, name: InstanceName) -> None:
    """Ask for role, rows, data set and configuration; report what came, or that nothing did."""
    cluster, asked_s = controller.cluster, controller.cluster.now
    host = cluster.world.hosts[name]
    over = [False]
    busy = controller.busy.get(name, 0) > 0

    def missed(miss: Miss) -> None:
        if not over[0]:
            over[0] = True
            excused = busy or controller.busy.get(name, 0) > 0
            fact = ProbeMissed(at_s=cluster.now, asked_at_s=asked_s, instance=name, miss=miss, excused=excused)
            controller.file(fact)

    if host.state is not State.OPEN:
        missed(Miss.REFUSED)
        return
    if name in cluster.locked:
        missed(Miss.UNAUTHORISED)
        return
    run = RunId(host.live().run_id)
    cluster.world.at(controller.policy.probe_timeout_s, lambda: missed(Miss.TIMED_OUT))

    def answered(ticket: Ticket) -> None:
        if over[0]:
            return
        if ticket.error is not None or ticket.rows is None:
            missed(Miss.REFUSED if isinstance(ticket.error, Refused) else Miss.UNREADABLE)
            return
        over[0] = True
        role = parse_role(ticket.rows[0][0])
        if role is not None:
            controller.file(RoleSeen(at_s=cluster.now, asked_at_s=asked_s, instance=name, run=run, role=role))
            _details(controller, name, run, role)

    cluster.send(name, "SHOW REPLICATION ROLE", answered)


def _details(controller: Controller, name: InstanceName, run: RunId, role: Role) -> None:
    cluster, asked_s = controller.cluster, controller.cluster.now

    def storage(ticket: Ticket) -> None:
        if ticket.rows is None or not cluster.up(name):
            return
        info = dict(ticket.rows)
        uuid, bare, mode = parse_storage_info(info)
        instance = cluster.world[name]
        empty = bool(bare) and not instance.graph.has_data
        if uuid is not None and instance.run_id == run:
            fact = StorageSeen(
                at_s=cluster.now,
                asked_at_s=asked_s,
                instance=name,
                run=run,
                uuid=uuid,
                empty=empty,
                mode=mode,
                objects=cluster.objects(name),
            )
            controller.file(fact)

    def rows(ticket: Ticket) -> None:
        if ticket.rows is not None:
            seen = to_rows(ticket.rows)
            controller.file(RowsSeen(at_s=cluster.now, asked_at_s=asked_s, instance=name, run=run, rows=seen))

    server = evolve(SERVER, at_s=cluster.now, instance=name, run=run, **cluster.claims.get(name, {}))
    controller.file(server)
    late_s = cluster.slow.get(name, 0.0)
    if late_s:
        cluster.send(name, "SHOW STORAGE INFO", lambda ticket: cluster.world.at(late_s, lambda: storage(ticket)))
    else:
        cluster.send(name, "SHOW STORAGE INFO", storage)
    if role is Role.MAIN:
        cluster.send(name, "SHOW REPLICAS", rows)
        if controller.triggers_are_due():
            look_at_triggers(controller, name, run)
    else:
        opened = cluster.world.hosts[name].server is not None
        controller.file(PortSeen(at_s=cluster.now, asked_at_s=asked_s, instance=name, open=opened))

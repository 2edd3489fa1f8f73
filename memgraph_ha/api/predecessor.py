"""The documents of the Go predecessor, same paths and fields (inventory 1.2), with values that are true now."""

import datetime as dt
from typing import Final

from memgraph_ha import __version__
from memgraph_ha.api.accounting import Accounting
from memgraph_ha.api.cluster import Json, routes_of
from memgraph_ha.api.control import Gate, Gateway, Snapshot
from memgraph_ha.api.standing import Standing, State, standing_of
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.topology import Member, Role, Row
from memgraph_ha.core.view import View

SERVICE: Final = "memgraph-controller"
"""What the predecessor calls itself in its documents; Services and probes of its users know this name."""


def timestamp(wall_s: float) -> str:
    """Write a wall clock time, seconds since 1970, as RFC 3339 in UTC; that of 0 is the predecessor's "never"."""
    if wall_s <= 0:
        return "0001-01-01T00:00:00Z"
    return dt.datetime.fromtimestamp(wall_s, tz=dt.UTC).isoformat().replace("+00:00", "Z")


def status_document(snapshot: Snapshot, accounting: Accounting) -> Json:
    """The document of ``GET /api/v1/status``.

    Args:
        snapshot: How things stand.
        accounting: What was counted.
    """
    view = snapshot.view
    standings = [] if view is None else [(seen, standing_of(view, seen)) for seen in view.observed.seen]
    state: Json = {
        "current_main": _first(standings, State.MAIN),
        "current_sync_replica": _first(standings, State.STANDBY),
        "total_pods": len(standings),
        "healthy_pods": sum(standing.healthy for _, standing in standings),
        "unhealthy_pods": sum(not standing.healthy for _, standing in standings),
        "sync_replica_healthy": any(s.state is State.STANDBY and s.healthy for _, s in standings),
        "is_leader": snapshot.leading,
        "reconciliation_metrics": _reconciliation(accounting),
        "replica_registrations": [] if view is None else _registrations(view),
    }
    ro = snapshot.gateways.get(Gate.RO)
    if ro is not None:
        state["read_gateway_status"] = _read_gateway(snapshot, ro)
    return {
        "timestamp": timestamp(snapshot.now),
        "cluster_state": state,
        "pods": [] if view is None else [_pod(view, seen, standing) for seen, standing in standings],
    }


def _first(standings: list[tuple[Seen, Standing]], state: State) -> str:
    return next((str(seen.member.name) for seen, standing in standings if standing.state is state), "")


def _reconciliation(accounting: Accounting) -> Json:
    said: Json = {
        "total_reconciliations": accounting.turns.count,
        "successful_reconciliations": accounting.good_turns,
        "failed_reconciliations": accounting.failed_turns,
        "average_reconciliation_time": round(accounting.turns.mean * 1e9),
        "last_reconciliation_time": timestamp(accounting.last_turn_at),
        "last_reconciliation_reason": accounting.last_reason,
    }
    if accounting.last_error is not None:
        said["last_reconciliation_error"] = accounting.last_error
    return said


def _registrations(view: View) -> list[Json]:
    members = {member.replication: member for member in view.members}
    return [
        {
            "name": row.name,
            "pod_name": _name_of(members.get(row.address)),
            "address": row.address,
            "sync_mode": "" if row.mode is None else row.mode.value,
            "is_healthy": row.takes_commits,
        }
        for row in view.main_rows or ()
    ]


def _name_of(member: Member | None) -> str:
    return "" if member is None else str(member.name)


def _read_gateway(snapshot: Snapshot, ro: Gateway) -> Json:
    routes, view, counters = routes_of(snapshot), snapshot.view, ro.counters
    name = routes.ro_targets[0] if routes.ro_targets else ""
    seen = None if view is None else next((s for s in view.observed.seen if s.member.name == name), None)
    said: Json = {
        "enabled": True,
        "current_upstream": "" if seen is None else seen.member.bolt,
        "upstream_healthy": seen is not None and view is not None and standing_of(view, seen).healthy,
        "upstreams": list(routes.ro_targets),
        "connection_stats": {
            "active_connections": counters.active_now,
            "total_connections": counters.accepted,
            "rejected_connections": sum(counters.refused.values()),
            "errors": counters.dial_failures,
        },
        "health_check_stats": {
            "consecutive_failures": 0 if seen is None else seen.refused + seen.timeouts,
            "last_health_status": seen is not None and not seen.refused and not seen.timeouts,
        },
    }
    if name:
        said["upstream_pod_name"] = name
    return said


def _pod(view: View, seen: Seen, standing: Standing) -> Json:
    role = "" if seen.role is None else seen.role.role.value
    rows: tuple[Row, ...] = () if seen.rows is None else seen.rows.rows
    is_main = seen.role is not None and seen.role.role is Role.MAIN
    return {
        "name": seen.member.name,
        "state": standing.state.value,
        "memgraph_role": role,
        "ip_address": seen.member.bolt.rpartition(":")[0],
        "timestamp": timestamp(view.wall_s - max(0.0, view.now_s - seen.born_s)),
        "healthy": standing.healthy,
        "replicas_registered": [row.name for row in rows] if is_main else None,
        "inconsistency": _inconsistency(view, seen, standing, role),
    }


def _inconsistency(view: View, seen: Seen, standing: Standing, role: str) -> Json | None:
    record = view.record
    if standing.state is State.STRAY_MAIN:
        text = "it answers as MAIN, but the record names " + ("nobody" if record is None else str(record.main))
    elif record is not None and record.main == seen.member.name and standing.state is not State.MAIN:
        text = "the record names it MAIN, but " + ("it is not" if view.loss is None else view.loss.evidence)
    elif not standing.healthy and standing.state not in (State.MAIN, State.STANDBY, State.REPLICA):
        text = standing.state.value
    else:
        return None
    return {"description": text, "memgraph_role": role}


def leadership_document(snapshot: Snapshot) -> Json:
    """The document of ``GET /api/v1/leadership``."""
    return {
        "current_leader": snapshot.leader or "",
        "my_identity": snapshot.identity,
        "i_am_leader": snapshot.leading,
        "leader_match": snapshot.leading == (snapshot.leader == snapshot.identity),
        "timestamp": timestamp(snapshot.now),
        "lease_name": snapshot.lease_name,
        "namespace": snapshot.namespace,
    }


def health_document(snapshot: Snapshot) -> Json:
    """The document of ``GET /health``: always ok while the process answers."""
    return {"status": "ok", "timestamp": timestamp(snapshot.now), "service": SERVICE}


def root_document(snapshot: Snapshot, endpoints: list[str]) -> Json:
    """The document of ``GET /`` for everybody but browsers."""
    return {
        "service": SERVICE,
        "version": __version__,
        "endpoints": endpoints,
        "timestamp": timestamp(snapshot.now),
    }

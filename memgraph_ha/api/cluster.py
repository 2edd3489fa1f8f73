"""The full picture of a cluster as one JSON document: what the status page, the CLI and other tools read."""

import math
from typing import Final

from attrs import frozen

from memgraph_ha import __version__
from memgraph_ha.api.control import Gate, HoldSince, Snapshot
from memgraph_ha.api.standing import standing_of
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.observed import Seen
from memgraph_ha.core.record import Record
from memgraph_ha.core.topology import Row
from memgraph_ha.core.view import View

CLUSTER_SCHEMA: Final = "memgraph-ha/cluster/1"

Json = dict[str, object]
"""A JSON object."""


@frozen(kw_only=True)
class Routes:
    """What the gateways of this process do now; a loop that stands still lets a permit lapse.

    Attributes:
        rw_open: Whether read/write is relayed.
        rw_why: To whom, or why not.
        quiet: Whether no new transaction passes for a moment.
        hold: Whether new connections wait, instead of being refused, while it is shut.
        ro_targets: The replicas that reads are relayed to.
        ro_why: Why those, or why none.
    """

    rw_open: bool
    rw_why: str
    quiet: bool
    hold: bool
    ro_targets: tuple[str, ...]
    ro_why: str


def routes_of(snapshot: Snapshot) -> Routes:
    """Say what the gateways do at this moment."""
    view, decision = snapshot.view, snapshot.decision
    if view is None or decision is None:
        why = "nothing is decided yet"
        return Routes(rw_open=False, rw_why=why, quiet=False, hold=False, ro_targets=(), ro_why=why)
    route, now_s = decision.route, view.now_s + snapshot.last_tick_age_s
    lapsed = route.permit is not None and route.permit.valid_until_s <= now_s
    why = "the permit lapsed: the controller's loop stands still" if lapsed else route.why
    reads = tuple(str(read.permit.instance) for read in route.reads if read.permit.valid_until_s > now_s)
    return Routes(
        rw_open=route.permit is not None and not lapsed,
        rw_why=why,
        quiet=route.quiet,
        hold=route.hold,
        ro_targets=reads,
        ro_why=route.why_reads,
    )


def held(hold: Hold) -> Json:
    """What an operator must know of a hold."""
    wait = hold.value
    return {
        "name": hold.word,
        "blocked": wait.blocked,
        "ends": wait.ends,
        "command": wait.command,
        "risk": wait.risk,
        "page": hold.page,
    }


def _since(present: HoldSince) -> Json:
    return {**held(present.hold), "rule": present.rule, "reason": present.reason, "since": present.since}


def decision_of(snapshot: Snapshot) -> Json | None:
    """The last decision, with its hold; None before the first."""
    decision = snapshot.decision
    if decision is None:
        return None
    hold: Json | None = None
    if decision.hold is not None:
        known = next((present for present in snapshot.holds if present.hold is decision.hold), None)
        since = None if known is None else known.since
        hold = {**held(decision.hold), "rule": decision.rule, "reason": decision.reason, "since": since}
    return {"rule": decision.rule, "name": decision.name, "reason": decision.reason, "hold": hold}


def cluster_document(snapshot: Snapshot) -> Json:
    """Draw the full picture.

    Args:
        snapshot: How things stand.

    Returns:
        The document of ``GET /api/v1/cluster``; `memgraph_ha.api.schemas` says what each field means.
    """
    view = snapshot.view
    record = None if view is None else view.record
    return {
        "schema": CLUSTER_SCHEMA,
        "at": snapshot.now,
        "version": __version__,
        "cluster": snapshot.cluster,
        "identity": snapshot.identity,
        "started_at": snapshot.started_at,
        "leading": snapshot.leading,
        "leader": snapshot.leader,
        "lease_left_s": round(snapshot.lease_left_s, 3),
        "last_tick_age_s": _finite(snapshot.last_tick_age_s),
        "observe_only": snapshot.observe_only,
        **_reign(record),
        "loss": _loss(view),
        **_gates(snapshot),
        "decision": decision_of(snapshot),
        "instances": [] if view is None else [_instance(snapshot, view, seen) for seen in view.observed.seen],
        "holds": [_since(present) for present in snapshot.holds],
    }


def _finite(seconds: float) -> float | None:
    return round(seconds, 3) if math.isfinite(seconds) else None


def _reign(record: Record | None) -> Json:
    if record is None:
        blank = ("generation", "main", "standby", "opened", "paused", "switchover")
        return {**dict.fromkeys(blank), "unprotected": False}
    paused, moving = record.paused, record.switchover
    return {
        "generation": record.generation,
        "main": record.main,
        "standby": None if record.standby is None else record.standby.instance,
        "opened": record.opened,
        "unprotected": record.unprotected,
        "paused": None if paused is None else {"by": paused.by, "reason": paused.reason, "at": paused.at},
        "switchover": None if moving is None else {"target": moving.target, "by": moving.by, "reason": moving.reason},
    }


def _loss(view: View | None) -> Json | None:
    if view is None or view.loss is None:
        return None
    return {"kind": view.loss.kind.name.lower(), "evidence": view.loss.evidence}


def _gates(snapshot: Snapshot) -> Json:
    routes, gateways = routes_of(snapshot), snapshot.gateways
    rw, ro = gateways.get(Gate.RW), gateways.get(Gate.RO)
    return {
        "rw": {
            "open": routes.rw_open,
            "why": routes.rw_why,
            "quiet": routes.quiet,
            "holding": routes.hold and not routes.rw_open,
            "port": None if rw is None else rw.port,
            "connections": None if rw is None else rw.counters.active_now,
            "waiting": None if rw is None else rw.counters.held_now,
        },
        "ro": None
        if ro is None
        else {
            "open": bool(routes.ro_targets),
            "why": routes.ro_why,
            "targets": list(routes.ro_targets),
            "port": ro.port,
            "connections": ro.counters.active_now,
        },
    }


def _instance(snapshot: Snapshot, view: View, seen: Seen) -> Json:
    record, name, role = view.record, seen.member.name, seen.role
    standing = standing_of(view, seen)
    named = record is not None and record.standby is not None and record.standby.instance == name
    return {
        "name": name,
        "state": standing.state.value,
        "healthy": standing.healthy,
        "role": None if role is None else role.role.name,
        "run": None if role is None else role.run,
        "incarnation": seen.member.incarnation,
        "bolt": seen.member.bolt,
        "replication": seen.member.replication,
        "in_pair": name in view.pair,
        "is_main": record is not None and record.main == name,
        "is_standby": named,
        "row": _row(standing.row),
        **_data(seen),
        "port_open": None if seen.port is None else seen.port.open,
        **_ages(snapshot, view, seen),
        "needs_rebuild": record is not None and name in record.rebuild,
        "level": 0 if record is None else dict(record.level).get(name, 0),
        "lacks": standing.lacks,
    }


def _row(row: Row | None) -> Json | None:
    if row is None:
        return None
    mode = None if row.mode is None else row.mode.name
    return {"name": row.name, "mode": mode, "status": row.status.value, "ts": row.ts, "behind": row.behind}


def _data(seen: Seen) -> Json:
    """What it holds and how it is configured; None where that was not seen in its present run."""
    run = None if seen.role is None else seen.role.run
    storage = seen.storage if seen.storage is not None and seen.storage.run == run else None
    server = seen.server if seen.server is not None and seen.server.run == run else None
    return {
        "data_set": None if storage is None else storage.uuid,
        "objects": None if storage is None else storage.objects,
        "storage_mode": None if storage is None else storage.mode.value,
        "version": None if server is None else server.version,
        "wal": None if server is None else server.wal,
        "flush_every": None if server is None else server.flush_every,
        "init_file": None if server is None else server.init_file,
    }


def _ages(snapshot: Snapshot, view: View, seen: Seen) -> Json:
    now_s = view.now_s + (0.0 if math.isinf(snapshot.last_tick_age_s) else snapshot.last_tick_age_s)
    answered = None if seen.role is None else round(max(0.0, now_s - seen.role.at_s), 3)
    return {"answered_s": answered, "silent_s": round(seen.silent_s, 3)}

"""Answers of the API in the situations that operators meet, as the contract writes them down."""

from typing import Any, Final

Json = dict[str, Any]

AT: Final = 1_763_900_000.0
TOKEN: Final = "s3cr3t-token"  # noqa: S105 - of the server in these tests


def instance(name: str, **fields: Any) -> Json:
    """Make one instance that is a healthy ASYNC replica unless told otherwise."""
    ordinal = int(name.rpartition("-")[2])
    made: Json = {
        "name": name,
        "state": "replica",
        "healthy": True,
        "role": "REPLICA",
        "run": f"0c6f27c4-7f1c-4a7e-8a55-00000000000{ordinal}",
        "incarnation": f"41{ordinal}@77",
        "bolt": f"127.0.0.1:{17687 + ordinal}",
        "replication": f"127.0.0.1:{20000 + ordinal}",
        "in_pair": ordinal < 2,
        "is_main": False,
        "is_standby": False,
        "row": {"name": f"{name}_3", "mode": "ASYNC", "status": "ready", "ts": 4711, "behind": 0},
        "data_set": "7b0d1c1e-1111-2222-3333-444455556666",
        "objects": 120_412,
        "storage_mode": "IN_MEMORY_TRANSACTIONAL",
        "version": "3.6.1",
        "wal": True,
        "flush_every": 1,
        "init_file": "/data/init.cypherl",
        "port_open": True,
        "answered_s": 0.1,
        "silent_s": 0.0,
        "needs_rebuild": False,
        "level": 5,
        "lacks": None,
    }
    return made | fields


MAIN_0: Final = instance("memgraph-0", state="main", role="MAIN", is_main=True, row=None)
STANDBY_1: Final = instance(
    "memgraph-1",
    state="standby",
    is_standby=True,
    row={"name": "memgraph-1_7", "mode": "STRICT_SYNC", "status": "ready", "ts": 4711, "behind": 0},
)
ASYNC_2: Final = instance(
    "memgraph-2",
    row={"name": "memgraph-2_1", "mode": "ASYNC", "status": "replicating", "ts": 4700, "behind": -11},
    lacks="it is not one of the two that may be MAIN (policy eligible)",
)

HEALTHY: Final[Json] = {
    "schema": "memgraph-ha/cluster/1",
    "at": AT,
    "version": "0.1.0",
    "cluster": "orders",
    "identity": "box-4711",
    "started_at": AT - 86_400 * 3,
    "leading": True,
    "leader": "box-4711",
    "lease_left_s": 8.412,
    "last_tick_age_s": 0.05,
    "observe_only": False,
    "generation": 5,
    "main": "memgraph-0",
    "standby": "memgraph-1",
    "opened": True,
    "unprotected": False,
    "paused": None,
    "switchover": None,
    "loss": None,
    "rw": {
        "open": True,
        "why": "memgraph-0",
        "quiet": False,
        "holding": False,
        "port": 7687,
        "connections": 8,
        "waiting": 0,
    },
    "ro": {"open": True, "why": "one healthy replica", "targets": ["memgraph-2"], "port": 7688, "connections": 2},
    "decision": {"rule": "Z99", "name": "steady", "reason": "nothing is to be done", "hold": None},
    "instances": [MAIN_0, STANDBY_1, ASYNC_2],
    "holds": [],
}

NO_CANDIDATE_HOLD: Final[Json] = {
    "name": "NoSafeCandidate",
    "rule": "L90",
    "reason": "MAIN memgraph-0 refuses connections; memgraph-1 is not named: its row was in recovery when MAIN died",
    "since": AT - 134.0,
    "blocked": "writes: MAIN is lost, and nobody certainly has every acknowledged write",
    "ends": "one of those listed comes back as the reason says, or a human accepts a loss",
    "command": "memgraph-ha failover --accept-data-loss INSTANCE",
    "risk": "nothing while it waits; a forced failover can lose what the status says of that instance",
    "page": "no-safe-candidate.md",
}

HELD: Final[Json] = HEALTHY | {
    "standby": None,
    "loss": {"kind": "refused", "evidence": "refused twice"},
    "rw": HEALTHY["rw"] | {"open": False, "why": "MAIN memgraph-0 is lost", "holding": True},
    "decision": {
        "rule": "L90",
        "name": "hold_without_candidate",
        "reason": "nobody may follow",
        "hold": NO_CANDIDATE_HOLD,
    },
    "instances": [
        instance(
            "memgraph-0",
            state="refuses connections",
            healthy=False,
            is_main=True,
            row=None,
            answered_s=134.2,
            silent_s=134.0,
            role="MAIN",
            lacks="it does not answer",
        ),
        instance("memgraph-1", state="not attached", healthy=False, row=None, lacks="it was not named when MAIN died"),
        ASYNC_2 | {"row": None, "state": "not attached", "healthy": False},
    ],
    "holds": [NO_CANDIDATE_HOLD],
}

PAUSED: Final[Json] = HEALTHY | {
    "paused": {"by": "ada", "reason": "storage migration", "at": AT - 600},
    "decision": {"rule": "C95", "name": "hold_paused_repair", "reason": "paused by ada", "hold": None},
}

HISTORY: Final[Json] = {
    "schema": "memgraph-ha/history/1",
    "at": AT,
    "changes": [
        {
            "generation": 1,
            "main": "memgraph-0",
            "previous": None,
            "kind": "bootstrap",
            "standby": None,
            "rule": "B10",
            "reason": "all three instances are empty",
            "at": AT - 90_000,
            "by": "",
        },
        {
            "generation": 2,
            "main": "memgraph-1",
            "previous": "memgraph-0",
            "kind": "failover",
            "standby": "memgraph-1",
            "rule": "L30",
            "reason": "MAIN memgraph-0 refused two connections",
            "at": AT - 70_000,
            "by": "",
        },
        {
            "generation": 3,
            "main": "memgraph-0",
            "previous": "memgraph-1",
            "kind": "switchover",
            "standby": "memgraph-0",
            "rule": "M30",
            "reason": "kernel update",
            "at": AT - 50_000,
            "by": "ada",
        },
    ],
}

EXPLAIN: Final[Json] = {
    "schema": "memgraph-ha/explain/1",
    "at": AT,
    "rules": [
        {
            "rule": "N20",
            "name": "hold_as_lease_ends",
            "matched": False,
            "reason": None,
            "guard": "the lease is nearly over",
            "evidence": "8.4",
            "hold": None,
        },
        {
            "rule": "L30",
            "name": "fail_over_to_standby",
            "matched": False,
            "reason": None,
            "guard": "MAIN is lost",
            "evidence": None,
            "hold": None,
        },
        {
            "rule": "A30",
            "name": "attach_async",
            "matched": True,
            "reason": "memgraph-2 has no row",
            "guard": None,
            "evidence": None,
            "hold": None,
        },
        {
            "rule": "Z99",
            "name": "steady",
            "matched": True,
            "reason": "nothing is to be done",
            "guard": None,
            "evidence": None,
            "hold": None,
        },
    ],
}

POLICY: Final[Json] = {
    "schema": "memgraph-ha/policy/1",
    "fields": [
        {
            "name": "eligible",
            "value": [],
            "default": [],
            "allowed": "see the text",
            "doc": "the two instances that may be MAIN",
        },
        {
            "name": "data_durability",
            "value": "required",
            "default": "preferred",
            "allowed": "'preferred' and 'required'",
            "doc": "what happens to writes without a standby",
        },
        {
            "name": "standby_grace_s",
            "value": 5.0,
            "default": 5.0,
            "allowed": "allowed is 0.1 to 3600",
            "doc": "unnamed standby before an unprotected reign is declared",
        },
    ],
}

DOCTOR: Final[Json] = {
    "schema": "memgraph-ha/doctor/1",
    "at": AT,
    "checks": [
        {
            "check": "record",
            "instance": None,
            "ok": True,
            "level": "error",
            "says": "reign 5 of memgraph-0 is recorded",
            "fix": "",
        },
        {
            "check": "members",
            "instance": None,
            "ok": False,
            "level": "warning",
            "says": "the cluster has 2 instances",
            "fix": "run three instances or more, on different machines",
        },
        {
            "check": "wal",
            "instance": "memgraph-1",
            "ok": False,
            "level": "error",
            "says": "it runs without a write-ahead log",
            "fix": "start it with --storage-wal-enabled=true",
        },
        {
            "check": "configuration",
            "instance": "memgraph-2",
            "ok": None,
            "level": "warning",
            "says": "its configuration was not seen yet",
            "fix": "look again",
        },
    ],
}

RULES: Final[Json] = {
    "schema": "memgraph-ha/rules/1",
    "rules": [
        {
            "rule": "L30",
            "name": "fail_over_to_standby",
            "summary": "Begin the standby's reign when MAIN is lost.",
            "when": "the recorded MAIN has a verdict of loss",
            "then": "CloseRoute, BeginReign",
            "protects": "SINGLE_WRITER",
            "after": "U10",
            "before": "P30",
            "source": "design 4",
        },
        {
            "rule": "Z99",
            "name": "steady",
            "summary": "Nothing is to be done.",
            "when": "always",
            "then": "nothing",
            "protects": "QUIESCENCE",
            "after": "",
            "before": "",
            "source": "design 6",
        },
    ],
}

REPORT: Final[Json] = {
    "schema": "memgraph-ha/report/1",
    "at": AT,
    "versions": {"memgraph-ha": "0.1.0", "python": "3.11.2", "platform": "Linux"},
    "cluster": HEALTHY,
    "history": HISTORY,
    "explain": EXPLAIN,
    "policy": POLICY,
    "doctor": DOCTOR,
    "counters": {"rw": {"accepted": 11, "refused": {"too_many": 0}}},
    "accounting": {"turns": 4711},
    "log": ["2025-11-23T12:00:00Z decision rule=Z99", "2025-11-23T12:00:01Z command done"],
}

"""The predecessor's metrics (inventory 1.3), true now; where its meaning was wrong the help says what is counted."""

from typing import Final

from memgraph_ha.api.control import GatewayCounters
from memgraph_ha.api.metric import COUNTER, GAUGE, HISTOGRAM, Metric, Scrape, counted, one
from memgraph_ha.api.standing import State

_OLD: Final = "predecessor"


def _counters(found: Scrape) -> list[GatewayCounters]:
    return [gateway.counters for gateway in found.snapshot.gateways.values()]


def _all_well(found: Scrape) -> bool | None:
    if found.snapshot.view is None:
        return None
    main = any(standing.state is State.MAIN for _, standing in found.standings)
    return main and all(standing.healthy for _, standing in found.standings)


def _standby_well(found: Scrape) -> bool | None:
    if found.snapshot.view is None:
        return None
    return any(standing.state is State.STANDBY and standing.healthy for _, standing in found.standings)


def _both_ways(found: Scrape) -> dict[str, float]:
    counters = _counters(found)
    return {
        "sent": sum(counter.bytes_to_clients for counter in counters),
        "received": sum(counter.bytes_to_main for counter in counters),
    }


def _failed_clients(found: Scrape) -> float:
    return sum(sum(c.refused.values()) + c.dial_failures + c.cut for c in _counters(found))


PREDECESSOR_METRICS: Final[tuple[Metric, ...]] = (
    Metric(
        name="memgraph_controller_reconciliations_total",
        kind=COUNTER,
        help="Turns of the control loop (observe, decide, act).",
        values=one(lambda found: found.accounting.turns.count),
        since=_OLD,
    ),
    Metric(
        name="memgraph_controller_reconciliations_successful_total",
        kind=COUNTER,
        help="Turns without a failed command since the turn before.",
        values=one(lambda found: found.accounting.good_turns),
        since=_OLD,
    ),
    Metric(
        name="memgraph_controller_reconciliations_failed_total",
        kind=COUNTER,
        help="Turns with a command that ended refused, unknown or not sent since the turn before.",
        values=one(lambda found: found.accounting.failed_turns),
        since=_OLD,
    ),
    Metric(
        name="memgraph_controller_reconciliation_duration_seconds",
        kind=HISTOGRAM,
        help="How long turns of the control loop took (commands run beside it).",
        buckets=lambda found: (((), found.accounting.turns),),
        since=_OLD,
    ),
    Metric(
        name="memgraph_controller_last_reconciliation_timestamp",
        kind=GAUGE,
        help="When the last turn was, unix seconds.",
        values=one(lambda found: found.accounting.last_turn_at or None),
        since=_OLD,
    ),
    Metric(
        name="memgraph_cluster_state",
        kind=GAUGE,
        help="1 if MAIN is verified and every instance is healthy, else 0.",
        values=one(_all_well),
        since=_OLD,
    ),
    Metric(
        name="memgraph_cluster_main_changes_total",
        kind=COUNTER,
        help="Times another instance became the recorded MAIN while this process watched.",
        values=one(lambda found: found.accounting.main_changes),
        since=_OLD,
    ),
    Metric(
        name="memgraph_cluster_sync_replica_healthy",
        kind=GAUGE,
        help="1 if a standby is named, answers, and its STRICT_SYNC row takes commits, else 0.",
        values=one(_standby_well),
        since=_OLD,
    ),
    Metric(
        name="memgraph_cluster_pods_total",
        kind=GAUGE,
        help="Instances of the cluster.",
        values=one(lambda found: None if found.snapshot.view is None else len(found.standings)),
        since=_OLD,
    ),
    Metric(
        name="memgraph_cluster_pods_healthy",
        kind=GAUGE,
        help="Instances that answer, and are MAIN or a REPLICA whose row takes commits.",
        values=one(lambda found: None if found.snapshot.view is None else sum(s.healthy for _, s in found.standings)),
        since=_OLD,
    ),
    Metric(
        name="memgraph_gateway_connections_active",
        kind=GAUGE,
        help="Client connections relayed now, all gateways of this controller together.",
        values=one(lambda found: sum(counter.active_now for counter in _counters(found))),
        since=_OLD,
    ),
    Metric(
        name="memgraph_gateway_connections_total",
        kind=COUNTER,
        help="Client connections accepted, all gateways together, refused ones included.",
        values=one(lambda found: sum(counter.accepted for counter in _counters(found))),
        since=_OLD,
    ),
    Metric(
        name="memgraph_gateway_bytes_transferred_total",
        kind=COUNTER,
        labels=("direction",),
        help="Bytes relayed, all gateways together: `sent` to clients, `received` from them; counted as they flow.",
        values=counted(_both_ways),
        since=_OLD,
    ),
    Metric(
        name="memgraph_gateway_connection_errors_total",
        kind=COUNTER,
        help="Client connections refused or cut, and failed attempts to reach an instance, all gateways together.",
        values=one(_failed_clients),
        since=_OLD,
    ),
    Metric(
        name="memgraph_controller_is_leader",
        kind=GAUGE,
        help="1 while this controller holds the lease by its own clock, else 0.",
        values=one(lambda found: found.snapshot.leading),
        since=_OLD,
    ),
    Metric(
        name="memgraph_controller_leadership_changes_total",
        kind=COUNTER,
        help="Times this controller gained or lost the lease.",
        values=one(lambda found: found.accounting.leadership_changes),
        since=_OLD,
    ),
    Metric(
        name="memgraph_controller_elections_total",
        kind=COUNTER,
        help="Times this controller gained the lease.",
        values=one(lambda found: found.accounting.elections),
        since=_OLD,
    ),
    Metric(
        name="memgraph_controller_errors_total",
        kind=COUNTER,
        labels=("type",),
        help=(
            "Errors: `reconciliation` is a failed turn; of the commands that failed it, `memgraph_query` went over "
            "Bolt, `record` wrote the record, `platform` stopped or rebuilt a process."
        ),
        values=counted(lambda found: {kind: trouble.count for kind, trouble in found.accounting.troubles.items()}),
        since=_OLD,
    ),
    Metric(
        name="memgraph_controller_last_error_timestamp",
        kind=GAUGE,
        labels=("type",),
        help="When the last error of that type was, unix seconds; absent before the first.",
        values=counted(
            lambda found: {kind: trouble.at for kind, trouble in found.accounting.troubles.items() if trouble.count}
        ),
        since=_OLD,
    ),
)
"""Every metric of the predecessor, in its order."""

"""What the predecessor's documents mean here (inventory 1.2): its fields, and what each says truly now."""

from typing import Final

from memgraph_ha.api.schema import Schema, fields, flag, many, maybe, number, text, whole
from memgraph_ha.api.standing import State

_MOMENT: Final = text("when it was asked, RFC 3339 in UTC")

_RECONCILIATION: Final = fields(
    "The control loop; a turn is one look: observe, decide, act.",
    total_reconciliations=whole("turns since the process started"),
    successful_reconciliations=whole("turns without a failed command since the turn before"),
    failed_reconciliations=whole("turns with a command that ended refused, unknown or not sent since the turn before"),
    average_reconciliation_time=whole("mean time of a turn, nanoseconds"),
    last_reconciliation_time=text("when the last turn was, RFC 3339"),
    last_reconciliation_reason=text("its rule and what that says"),
    last_reconciliation_error=text("the last command that was not done; absent since one was done"),
    absent=("last_reconciliation_error",),
)

_READS: Final = fields(
    "The read-only gateway; absent if there is none.",
    enabled=flag("true"),
    current_upstream=text("host:port of the first instance that it relays to; empty: none"),
    upstream_pod_name=text("its name; absent: none"),
    upstream_healthy=flag("whether that one is healthy"),
    upstreams=many({"type": "string"}, "every instance that it relays to (new: the predecessor had one)"),
    connection_stats=fields(
        "Clients.",
        active_connections=whole("relayed now"),
        total_connections=whole("accepted since the process started"),
        rejected_connections=whole("reset before they reached an instance"),
        errors=whole("attempts to connect to an instance that failed"),
    ),
    health_check_stats=fields(
        "Probes of that first instance.",
        consecutive_failures=whole("probes in a row that were refused or not answered"),
        last_health_status=flag("whether its last probe was answered"),
    ),
    absent=("upstream_pod_name",),
)

STATUS: Final = fields(
    "The predecessor's status. A pod is an instance.",
    timestamp=_MOMENT,
    cluster_state=fields(
        "The cluster.",
        current_main=text("the recorded MAIN, if it answers as MAIN in the recorded run; else empty"),
        current_sync_replica=text("the named standby, if its row takes commits; else empty"),
        total_pods=whole("members"),
        healthy_pods=whole("members that answer, and are MAIN or a REPLICA whose row takes commits"),
        unhealthy_pods=whole("the others"),
        sync_replica_healthy=flag("whether current_sync_replica is one of the healthy"),
        is_leader=flag("whether this controller leads"),
        reconciliation_metrics=_RECONCILIATION,
        replica_registrations=many(
            fields(
                "A row of MAIN's SHOW REPLICAS.",
                name=text("registered name"),
                pod_name=text("the member at that address; empty: no member's"),
                address=text("host:port"),
                sync_mode=text("`async`, `sync` or `strict_sync`; empty: not known"),
                is_healthy=flag("whether it takes commits: `ready` or `replicating`"),
            ),
            "empty while MAIN's rows are not known",
        ),
        read_gateway_status=_READS,
        absent=("read_gateway_status",),
    ),
    pods=many(
        fields(
            "An instance.",
            name=text("its name"),
            state=text("what it is to its cluster now", words=tuple(state.value for state in State)),
            memgraph_role=text("`main`, `replica`, or empty if it has not answered"),
            ip_address=text("host of its Bolt address"),
            timestamp=text("when its present process was first seen, RFC 3339"),
            healthy=flag("see healthy_pods"),
            replicas_registered=maybe(many({"type": "string"}, "names of its rows; null unless it answers as MAIN")),
            inconsistency=maybe(
                fields(
                    "It is not what it should be.",
                    description=text("what is wrong"),
                    memgraph_role=text("what it says it is"),
                )
            ),
        ),
        "in ordinal order",
    ),
)

PREDECESSOR_SCHEMAS: Final[dict[str, Schema]] = {
    "Status": STATUS,
    "Leadership": fields(
        "Who leads.",
        current_leader=text("holder of the lease as last read; empty: nobody"),
        my_identity=text("the controller that answers"),
        i_am_leader=flag("whether it leads, by its own clock"),
        leader_match=flag("whether the lease as last read and its own clock agree"),
        timestamp=_MOMENT,
        lease_name=text("name of the lease"),
        namespace=text("where it lives"),
    ),
    "Health": fields(
        "The process answers.",
        status=text("`ok`"),
        timestamp=_MOMENT,
        service=text("the predecessor's name, `memgraph-controller`"),
    ),
    "Root": fields(
        "What there is.",
        service=text("the predecessor's name, `memgraph-controller`"),
        version=text("version of the controller"),
        endpoints=many({"type": "string"}, "paths that can be read"),
        timestamp=_MOMENT,
    ),
    "ResetConnections": fields(
        "Connections were cut.",
        status=text("`success`"),
        connections_reset=number("clients' connections that were cut"),
        timestamp=_MOMENT,
        message=text("the same in words"),
    ),
}
"""The predecessor's documents by name."""

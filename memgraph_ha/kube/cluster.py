"""What Kubernetes is to one controller: record, Lease, pods, and who else is told of what happens."""

import time
from typing import Final

import structlog

from memgraph_ha.adapters.kubernetes.client import KubeClient, connect
from memgraph_ha.adapters.kubernetes.events import EventWriter
from memgraph_ha.adapters.kubernetes.failsafe import KubeFailsafe
from memgraph_ha.adapters.kubernetes.labels import LeaderLabel, RoleLabels
from memgraph_ha.adapters.kubernetes.lease import KubeLease
from memgraph_ha.adapters.kubernetes.marker import MarkerStore
from memgraph_ha.adapters.kubernetes.members import Ports
from memgraph_ha.adapters.kubernetes.platform import KubePlatform
from memgraph_ha.adapters.kubernetes.record import ConfigMapRecordStore
from memgraph_ha.api.endpoints import Review
from memgraph_ha.failsafe.wire import failsafe_key
from memgraph_ha.kube.assembly import Cluster
from memgraph_ha.kube.options import RunOptions
from memgraph_ha.runtime.clock import boottime
from memgraph_ha.runtime.leading import Leading

MANAGED_BY: Final = "memgraph-ha"

_log = structlog.get_logger("memgraph_ha.kube")


def labels_of(options: RunOptions) -> dict[str, str]:
    """Give the labels of every object that the controller makes.

    (https://kubernetes.io/docs/concepts/overview/working-with-objects/common-labels/)
    """
    return {"app.kubernetes.io/instance": options.release, "app.kubernetes.io/managed-by": MANAGED_BY}


def selector_of(options: RunOptions) -> str:
    """Select the pods of all controllers of this release, as the chart labels them."""
    return f"app.kubernetes.io/component=controller,app.kubernetes.io/instance={options.release}"


def open_cluster(options: RunOptions) -> Cluster:
    """Put together what Kubernetes is to this controller; nothing is asked yet.

    Args:
        options: What this process was told.

    Raises:
        KubeConfigError: It was not told how to reach the API server.
    """
    client = connect(options.kubeconfig, namespace=options.namespace, clock=boottime)
    labels, policy = labels_of(options), options.policy
    record = ConfigMapRecordStore(
        client,
        name=options.record,
        statefulset=options.statefulset,
        labels=labels,
        clock=boottime,
        deadline_s=policy.command_deadline_s,
    )
    failsafe = _failsafe(options, client)
    events = EventWriter(client, statefulset=options.statefulset, reporter=options.pod, clock=boottime, wall=time.time)
    roles = RoleLabels(client)
    leader = LeaderLabel(client, pod=options.pod, selector=selector_of(options))
    return Cluster(
        record=record,
        lease=KubeLease(
            client,
            name=options.lease,
            holder=options.pod,
            policy=policy,
            clock=boottime,
            ever=record.ever,
            labels=labels,
            failsafe=failsafe,
        ),
        platform=KubePlatform(
            client,
            statefulset=options.statefulset,
            markers=MarkerStore(client, name=options.marker, labels=labels),
            clock=boottime,
            deadline_s=policy.command_deadline_s,
            ports=Ports(bolt=options.bolt_port, replication=options.replication_port),
        ),
        leading=Leading(),
        watchers=(leader, roles, events),
        tasks=(leader.run, roles.run, events.run, *(() if failsafe is None else (failsafe.run,))),
        promise=None if failsafe is None else failsafe.promise,
        review=_review(options, client),
    )


def _failsafe(options: RunOptions, client: KubeClient) -> KubeFailsafe | None:
    """Make what lets a term go on while the API is away, if the other controllers can know us (decision 0011)."""
    if options.observe_only:
        return None
    lacking = {
        "POD_UID": options.pod_uid,
        "POD_IP": options.pod_ip,
        "MEMGRAPH_HA_API_TOKEN_FILE": options.token,
    }
    missing = [name for name, value in lacking.items() if value is None]
    if missing or options.pod_uid is None or options.token is None:
        _log.warning("no failsafe: read/write closes while the API server is away", not_given=", ".join(missing))
        return None
    return KubeFailsafe(
        client,
        pod=options.pod,
        uid=options.pod_uid,
        selector=selector_of(options),
        port=options.http_port,
        key=failsafe_key(options.token),
        policy=options.policy,
        clock=boottime,
    )


def _review(options: RunOptions, client: KubeClient) -> Review | None:
    if not options.token_review:
        return None
    from memgraph_ha.kube.review import TokenReviews  # noqa: PLC0415 - half a second, for those who want it

    return TokenReviews(client, statefulset=options.statefulset, clock=boottime)

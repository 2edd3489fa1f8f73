"""Which controllers there are, by their pods; for the failsafe (docs/decisions/0011)."""

from collections.abc import Mapping
from typing import Final

import trio
from kubernetes.client import ApiClient

from memgraph_ha.adapters.kubernetes.client import KubeClient
from memgraph_ha.adapters.kubernetes.errors import NotFoundError
from memgraph_ha.adapters.kubernetes.raw import Raw, request_json
from memgraph_ha.failsafe.roster import Peer

_ENDED: Final = ("Succeeded", "Failed")
"""Phases of a pod none of whose containers will ever run again
(https://kubernetes.io/docs/concepts/workloads/pods/pod-lifecycle/#pod-phase)."""


async def list_controllers(client: KubeClient, selector: str, *, port: int, timeout_s: float) -> tuple[Peer, ...]:
    """List the controllers that run and are not about to end, by UID.

    A pod that is about to end is left out: from then on it waits as every other that is not listed.

    Args:
        client: Of their namespace.
        selector: The labels of their pods.
        port: Where they serve HTTP.
        timeout_s: How long it may take, seconds.

    Raises:
        ApiError: They could not be listed.
    """
    path = f"/api/v1/namespaces/{client.namespace}/pods"

    def work(api: ApiClient) -> Raw:
        return request_json(api, "GET", path, query={"labelSelector": selector})

    found = await client.call(work, what=f'list pods "{selector}"', timeout_s=timeout_s)
    peers = [_peer(raw, port) for raw in found["items"]]
    return tuple(sorted((peer for peer in peers if peer is not None), key=lambda peer: peer.uid))


def _peer(raw: Raw, port: int) -> Peer | None:
    meta, status = raw["metadata"], raw.get("status") or {}
    address = status.get("podIP")
    if status.get("phase") != "Running" or not address or meta.get("deletionTimestamp"):
        return None
    host = f"[{address}]" if ":" in address else address
    return Peer(pod=meta["name"], uid=meta["uid"], address=f"{host}:{port}")


async def gone_among(client: KubeClient, pods: Mapping[str, str], *, timeout_s: float) -> frozenset[str]:
    """Say who is gone for good: there is no pod of that name and UID any more, or nothing will ever run in it again.

    Kubernetes removes a pod only when its node has said that nothing of it runs, or when somebody forced it and so
    gave their word (https://kubernetes.io/docs/tasks/run-application/force-delete-stateful-set-pod/).

    Args:
        client: Of their namespace.
        pods: UIDs to names.
        timeout_s: How long it may take for all of them, seconds.

    Returns:
        Their UIDs.

    Raises:
        ApiError: It could not be found out.
    """
    gone: set[str] = set()
    ends_s = trio.current_time() + timeout_s
    for uid, name in sorted(pods.items()):
        if await _is_gone(client, uid, name, timeout_s=max(0.1, ends_s - trio.current_time())):
            gone.add(uid)
    return frozenset(gone)


async def _is_gone(client: KubeClient, uid: str, name: str, *, timeout_s: float) -> bool:
    path = f"/api/v1/namespaces/{client.namespace}/pods/{name}"

    def work(api: ApiClient) -> Raw:
        return request_json(api, "GET", path)

    try:
        found = await client.call(work, what=f'get pods "{name}"', timeout_s=timeout_s)
    except NotFoundError:
        return True
    status = found.get("status") or {}
    return bool(found["metadata"]["uid"] != uid) or status.get("phase") in _ENDED

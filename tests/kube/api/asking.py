"""How the tests of the record, the lease, the Events and the labels reach the real API server."""

from collections.abc import Awaitable, Callable
from pathlib import Path
from typing import TypeVar

import trio

from memgraph_ha.adapters.kubernetes.client import KubeClient, connect
from memgraph_ha.runtime.clock import boottime
from tests.kube.api_server import ApiServer

T = TypeVar("T")


def client_for(kube: ApiServer) -> Callable[[str], KubeClient]:
    """Make clients of that API server, each for a namespace."""
    return lambda namespace: connect(Path(kube.kubeconfig), namespace=namespace, clock=boottime)


async def eventually(holds: Callable[[], Awaitable[T]], within_s: float = 8) -> T:
    """Ask the API server again and again until it says so."""
    with trio.fail_after(within_s):
        while not (found := await holds()):  # noqa: ASYNC110 - said above
            await trio.sleep(0.1)
    return found

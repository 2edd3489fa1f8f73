"""The ports of the daemon on the Kubernetes API: the record, the lease, pods, Events."""

from memgraph_ha.adapters.kubernetes.client import KubeClient, connect, own_namespace
from memgraph_ha.adapters.kubernetes.errors import (
    ApiError,
    ApiUnavailableError,
    ConflictError,
    ForbiddenError,
    GoneError,
    KubeConfigError,
    NotFoundError,
    RejectedError,
    ThrottledError,
)

__all__ = [
    "ApiError",
    "ApiUnavailableError",
    "ConflictError",
    "ForbiddenError",
    "GoneError",
    "KubeClient",
    "KubeConfigError",
    "NotFoundError",
    "RejectedError",
    "ThrottledError",
    "connect",
    "own_namespace",
]

"""Ending the process in a pod, by deleting the pod: exactly that one, once, and with the kubelet's confirmation.

The grace is one second, never zero. With zero the API forgets the pod at once, whatever happens to its process: the
StatefulSet starts the next one on the same volume beside it
(https://kubernetes.io/docs/tasks/run-application/force-delete-stateful-set-pod/), and many kubelets then give the
process its whole ``terminationGracePeriodSeconds`` (kubernetes/kubernetes#115819, #120449). With one second the kubelet
kills it, frozen or not, after at most one second of preStop hook and two of SIGTERM (pkg/kubelet/kuberuntime,
``minimumGracePeriodInSeconds``), and the pod is gone from the API when the process is. On a node that is lost it stays.
"""

import enum
from typing import Final

import trio
from attrs import frozen

from memgraph_ha.adapters.kubernetes.asking import ask
from memgraph_ha.adapters.kubernetes.client import Clock, KubeClient
from memgraph_ha.adapters.kubernetes.errors import (
    ApiError,
    ConflictError,
    ForbiddenError,
    NotFoundError,
    RejectedError,
)
from memgraph_ha.adapters.kubernetes.pods import Pod, read_pod
from memgraph_ha.adapters.kubernetes.raw import request_json
from memgraph_ha.core.facts import Outcome
from memgraph_ha.core.names import Incarnation, InstanceName

GRACE_S: Final = 1
"""The shortest grace with which the pod stays until its process is known to be gone."""

_AGAIN_S: Final = 0.02


class Ending(enum.Enum):
    """What became of the wish to end a process."""

    GONE = "it is not there any more"
    ASKED = "its pod is deleted now"
    ASKED_BEFORE = "its pod was deleted before, and the kubelet has not confirmed its end"


@frozen(kw_only=True)
class End:
    """How a command ended.

    Attributes:
        outcome: See `Outcome`.
        detail: A sentence.
    """

    outcome: Outcome
    detail: str

    @classmethod
    def of(cls, error: ApiError) -> "End":
        """Say what an error of the API means for the command that met it.

        Args:
            error: The error.
        """
        if isinstance(error, (ForbiddenError, RejectedError)):
            return cls(outcome=Outcome.REFUSED, detail=str(error))
        return cls(outcome=Outcome.UNKNOWN if error.sent else Outcome.NOT_SENT, detail=str(error))


class PodEnder:
    """Looks at pods and deletes them.

    Error handling: raises subclasses of `ApiError` only.

    Args:
        client: For the API.
        container: The name of the container that Memgraph runs in.
        clock: Seconds on CLOCK_BOOTTIME.
    """

    def __init__(self, client: KubeClient, *, container: str, clock: Clock) -> None:
        self._client, self._container, self._clock = client, container, clock

    async def read(self, name: InstanceName, *, until_s: float) -> Pod | None:
        """Read a pod, with a read that no cache answers; None if there is none.

        Args:
            name: Its name.
            until_s: When that must be over, on the clock.

        Raises:
            ApiError: It cannot be read.
        """
        try:
            raw = await ask(
                self._client, "GET", self._path(name), what=f'pods "{name}"', timeout_s=until_s - self._clock()
            )
        except NotFoundError:
            return None
        return read_pod(raw, self._container)

    async def end(self, name: InstanceName, incarnation: Incarnation, *, until_s: float) -> Ending:
        """Delete the pod that a process is in, unless it is another process by now.

        Args:
            name: Of the pod.
            incarnation: Which process; any other is left alone.
            until_s: When that must be over, on the clock.

        Returns:
            What became of it. The end itself is not waited for.

        Raises:
            ApiError: It was not, or perhaps not, deleted.
        """
        while True:
            pod = await self.read(name, until_s=until_s)
            if pod is None or pod.incarnation != incarnation:
                return Ending.GONE
            if pod.grace_s is not None and pod.grace_s <= GRACE_S:
                return Ending.ASKED_BEFORE
            try:
                await self._delete(pod, until_s)
            except NotFoundError:
                return Ending.GONE
            except ConflictError:
                await trio.sleep(_AGAIN_S)  # it changed since it was read: perhaps it is another process now
            else:
                return Ending.ASKED

    async def _delete(self, pod: Pod, until_s: float) -> None:
        body = {
            "apiVersion": "v1",
            "kind": "DeleteOptions",
            "gracePeriodSeconds": GRACE_S,
            # The version too: a container that was started anew has another one, and is another process.
            "preconditions": {"uid": pod.uid, "resourceVersion": pod.version},
        }
        await self._client.call(
            lambda api: request_json(api, "DELETE", self._path(pod.name), body=body),
            what=f'delete pods "{pod.name}"',
            timeout_s=until_s - self._clock(),
        )

    def _path(self, name: str) -> str:
        return f"/api/v1/namespaces/{self._client.namespace}/pods/{name}"

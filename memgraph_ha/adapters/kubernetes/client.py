"""The Kubernetes API for trio: the official client in worker threads, every call with a deadline that holds.

The official client blocks and bounds nothing by itself. Here each call has a thread and a connection of its own, so
that one that hangs delays no other; at its deadline, and on cancellation, the thread is left behind and its socket
shut down, which ends it. A request is sent at most once (`transport`); what a lost answer means is for the caller.
"""

import logging
import os
from collections import deque
from collections.abc import Callable
from pathlib import Path
from typing import Final, TypeVar

import trio
from kubernetes.client import ApiClient, Configuration
from kubernetes.client.exceptions import ApiException
from kubernetes.config import load_incluster_config, load_kube_config

from memgraph_ha.adapters.kubernetes.errors import (
    ApiError,
    ApiUnavailableError,
    KubeConfigError,
    ThrottledError,
    translate,
)
from memgraph_ha.adapters.kubernetes.transport import Call, close_api, open_api

T = TypeVar("T")

Clock = Callable[[], float]
"""Seconds on CLOCK_BOOTTIME, which neither jumps nor stops while the machine sleeps."""

NAMESPACE_FILE: Final = Path("/var/run/secrets/kubernetes.io/serviceaccount/namespace")
"""Where a pod finds the name of its namespace
(https://kubernetes.io/docs/tasks/run-application/access-api-from-pod/)."""

MOST_CALLS: Final = 32
"""How many calls may be under way at once; a controller of one release has a handful."""

_IDLE_S: Final = 30.0
"""A connection that was idle for so long is not used again: a load balancer may have forgotten it without a word."""

logging.getLogger("kubernetes.client.rest").setLevel(logging.INFO)  # at DEBUG it prints whole answers
logging.getLogger("urllib3").setLevel(logging.ERROR)  # what it warns of reaches the caller as an error


class KubeClient:
    """Calls the API of one cluster, for one namespace.

    Args:
        configuration: Where the API is and who we are, see `connect`.
        namespace: Of everything that this process looks at.
        clock: Seconds on CLOCK_BOOTTIME; also called from worker threads.

    Error handling: `call` raises subclasses of `errors.ApiError` only. Nothing is retried but what the server itself
    asked to send later (429 with Retry-After), and only within the deadline.

    Resource handling: connections are kept for reuse for 30 s of idleness, at most `MOST_CALLS`; `close` closes them.
    """

    def __init__(self, configuration: Configuration, *, namespace: str, clock: Clock) -> None:
        self._configuration = configuration
        self._clock = clock
        self._limiter = trio.CapacityLimiter(MOST_CALLS)
        self._idle: deque[tuple[ApiClient, float]] = deque()
        self._closed = False
        self.namespace = namespace

    async def call(self, work: Callable[[ApiClient], T], *, what: str, timeout_s: float) -> T:
        """Do a blocking call of the official client in a worker thread, until its deadline.

        The work may be done more than once if the server throttles it, and must not swallow the client's exceptions.

        Args:
            work: Calls the API through the `ApiClient` it is given, which bounds every request by the deadline,
                e.g. ``lambda api: CoreV1Api(api).read_namespaced_pod(name, namespace)``. It runs in the thread.
            what: The call, for errors: verb, kind and name, e.g. ``get configmaps "r-state"``.
            timeout_s: How long it may take in all, seconds, also if this process or the server stands still.

        Returns:
            What ``work`` returned.

        Raises:
            ApiUnavailableError: No usable answer in time; ``sent`` says whether it may have been done all the same.
            ApiError: Another of its subclasses: the server's answer.
        """
        until_s = self._clock() + timeout_s
        while True:
            try:
                return await self._try(work, what, until_s)
            except ThrottledError as error:
                if self._clock() + error.retry_after_s >= until_s:
                    raise
                await trio.sleep(error.retry_after_s)

    def close(self) -> None:
        """Close every idle connection, and each other one when its call has ended."""
        self._closed = True
        self._drop_idle()

    async def _try(self, work: Callable[[ApiClient], T], what: str, until_s: float) -> T:
        call, api = Call(until_s=until_s, clock=self._clock), self._borrow()

        def run() -> T:
            try:
                result = call.run(lambda: work(api))
            except Exception as error:  # whatever the library trips over is the server's doing
                if not isinstance(error, ApiException):
                    close_api(api)
                raise translate(error, what=what, sent=call.sent) from error
            if call.left:
                close_api(api)
            return result

        try:
            with trio.fail_after(max(0.0, call.left_s())):
                result = await trio.to_thread.run_sync(
                    run, thread_name=f"kubernetes: {what}", abandon_on_cancel=True, limiter=self._limiter
                )
        except ApiError:
            self._give_back(api)
            raise
        except trio.TooSlowError:
            call.leave()
            self._drop_idle()
            text = f"{what}: no answer in time" if call.sent else f"{what}: not connected in time"
            raise ApiUnavailableError(text, sent=call.sent) from None
        except BaseException:
            call.leave()
            raise
        self._give_back(api)
        return result

    def _drop_idle(self) -> None:
        """Use no idle connection any more: where one hangs, the others probably lead to the same dead server."""
        while self._idle:
            close_api(self._idle.popleft()[0])

    def _borrow(self) -> ApiClient:
        now_s = self._clock()
        while self._idle and self._idle[0][1] <= now_s - _IDLE_S:
            close_api(self._idle.popleft()[0])
        return self._idle.pop()[0] if self._idle else open_api(self._configuration)

    def _give_back(self, api: ApiClient) -> None:
        if self._closed:
            close_api(api)
        else:
            self._idle.append((api, self._clock()))


def connect(kubeconfig: Path | None, *, namespace: str, clock: Clock) -> KubeClient:
    """Make a client; nothing is asked yet.

    Args:
        kubeconfig: A file as `kubectl` uses it, with its current context; None: this process runs in a pod.
        namespace: Of everything that this process looks at.
        clock: Seconds on CLOCK_BOOTTIME.

    Raises:
        KubeConfigError: The file, or the pod's service account, cannot be used.
    """
    configuration = Configuration()
    try:
        if kubeconfig is None:
            load_incluster_config(client_configuration=configuration)
        else:
            load_kube_config(config_file=os.fspath(kubeconfig), client_configuration=configuration)
    except Exception as error:  # the library raises whatever it trips over in a file
        where = "the pod's service account" if kubeconfig is None else str(kubeconfig)
        hint = (
            "set KUBECONFIG to a file outside of a cluster" if kubeconfig is None else "check the file KUBECONFIG names"
        )
        raise KubeConfigError(f"the Kubernetes API cannot be reached by {where}: {error}; {hint}") from error
    return KubeClient(configuration, namespace=namespace, clock=clock)


def own_namespace() -> str | None:
    """Read the namespace of the pod that this process runs in; None if it runs in none."""
    try:
        return NAMESPACE_FILE.read_text(encoding="utf-8").strip() or None
    except OSError:
        return None

"""Clients that run as pods of the cluster and reach the gateways through their Services, by name."""

import itertools
import signal
import time
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Final, Protocol

from memgraph_ha.drill.ledger import Outcome, WriterLog, outcome_of_refusal
from tests.e2e.kube import pod_client
from tests.e2e.kube.pods import Pod, send
from tools.kube.api import Api
from tools.kube.containers import Containers

_PAUSE_S: Final = 0.02
_RUNNING_S: Final = 60.0
_ENDED_S: Final = 60.0
"""A transaction under way may be tried again by the driver for 30 s (its `max_transaction_retry_time`)."""

_POLL_S: Final = 0.2
_CONTAINER: Final = "client"


class Cluster(Protocol):
    """Where pods run."""

    @property
    def api(self) -> Api:
        """Give the administrator's requests."""

    @property
    def containers(self) -> Containers:
        """Give the node's containers."""


class ClientPod:
    """One client in a pod of its own.

    Resource handling: `start` makes the pod, `stop` ends its process and removes it, having read what it printed.

    Args:
        host: The cluster.
        namespace: Where the pod is made.
        name: The pod's.
        image: An image with Python and the driver.
        url: The gateway's, as a pod of this namespace names it.
        number: Its part of the ids.
        what: `write` or `read`.
    """

    def __init__(
        self, host: Cluster, namespace: str, *, name: str, image: str, url: str, number: int, what: str
    ) -> None:
        self.log = WriterLog(number)
        self.values: list[int] = []
        """What a reader read, in order."""

        self._host, self._image, self._url, self._what = host, image, url, what
        self._name = name
        self._pods = f"/api/v1/namespaces/{namespace}/pods"
        self._ended = False

    def start(self) -> None:
        """Make the pod, and wait until it has done something."""
        self._host.api.create(self._pods, self._manifest())
        self._wait(lambda: "done" in self._printed(), _RUNNING_S, "has done nothing")

    def wait_served(self, since_s: float, within_s: float) -> None:
        """Wait until it was answered since a moment (CLOCK_MONOTONIC)."""

        def served() -> bool:
            done = [line.split(" ")[1] for line in self._printed().splitlines() if line.startswith("done ")]
            return bool(done) and float(done[-1]) > since_s

        self._wait(served, within_s, "was not served again")

    def stop(self) -> tuple[str, ...]:
        """End it, and read its log.

        Returns:
            What went wrong with that.
        """
        if self._ended:
            return ()
        self._ended = True
        try:
            pod = self._pod()
            if pod.containers:
                send(self._host.containers, pod, _CONTAINER, signal.SIGTERM)
            self._wait(lambda: not self._pod().containers, _ENDED_S, "does not end")
            printed = self._printed()
            read_events(self.log, printed)
            if self._what == "read":
                self.values = [int(line.split()[-1]) for line in printed.splitlines() if line.startswith("done")]
        except AssertionError as error:
            return (str(error),)
        finally:
            self._host.api.delete(f"{self._pods}/{self._name}", {"gracePeriodSeconds": 0})
        return ()

    def _pod(self) -> Pod:
        answer = self._host.api.get(f"{self._pods}/{self._name}")
        assert answer.is_success, f"{self._name}: {answer.text}"
        return Pod.read(answer.json())

    def _printed(self) -> str:
        answer = self._host.api.get(f"{self._pods}/{self._name}/log")
        return answer.text if answer.is_success else ""

    def _wait(self, question: Callable[[], bool], within_s: float, what: str) -> None:
        end_s = time.monotonic() + within_s
        while not question():
            assert time.monotonic() < end_s, f"{self._name} {what} within {within_s:g} s: {self._printed()[-1000:]}"
            time.sleep(_POLL_S)

    def _manifest(self) -> dict[str, object]:
        environment = {
            "URL": self._url,
            "NUMBER": str(self.log.writer),
            "PAUSE_S": str(_PAUSE_S),
            "WHAT": self._what,
        }
        return {
            "metadata": {"name": self._name},
            "spec": {
                "restartPolicy": "Never",
                "automountServiceAccountToken": False,
                "containers": [
                    {
                        "name": _CONTAINER,
                        "image": self._image,
                        "imagePullPolicy": "IfNotPresent",
                        "command": ["python3", "-c", Path(pod_client.__file__).read_text(encoding="utf-8")],
                        "env": [{"name": name, "value": value} for name, value in environment.items()],
                    }
                ],
            },
        }


def read_events(log: WriterLog, printed: str) -> None:
    """Turn what a client pod printed into the log of a writer.

    Raises:
        AssertionError: It printed something else.
    """
    for line in printed.splitlines():
        event, at, text = line.split(" ", 2)
        match event:
            case "begun":
                log.begin(float(at))
            case "done":
                log.end(Outcome.ACKNOWLEDGED, float(at))
            case "refused":
                log.end(outcome_of_refusal(text), float(at), text)
            case "broken":
                log.end(Outcome.INDETERMINATE, float(at), text)
            case _:
                raise AssertionError(f"writer {log.writer} printed {line!r}")


def longest_gap(logs: Sequence[WriterLog], since_s: float) -> float:
    """Give the longest time that any one of these clients waited between two answers since a moment, seconds."""
    gaps = [0.0]
    for log in logs:
        times = [at_s for at_s in log.acknowledgements() if at_s >= since_s - 1]
        gaps += [after - before for before, after in itertools.pairwise(times)]
    return max(gaps)

"""The node's containers and images, seen past Kubernetes: through containerd's own command."""

from collections.abc import Sequence
from pathlib import Path
from typing import Final

from attrs import frozen

from tools.kube.errors import ClusterError
from tools.kube.place import Place
from tools.kube.run import run

_NAMESPACE: Final = "k8s.io"
"""Where the kubelet's containers and images are."""

_LOADED_WITHIN_S: Final = 300.0
_TASK_COLUMNS: Final = 3


@frozen(kw_only=True)
class Task:
    """A container that runs.

    Attributes:
        container: Its id, 64 hexadecimal digits, as the pod's status names it after `containerd://`.
        pid: Its first process, as this machine counts.
        status: RUNNING, PAUSED or STOPPED.
    """

    container: str
    pid: int
    status: str


class Containers:
    """What one containerd runs and has.

    Args:
        place: The cluster's directory.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    def answer(self) -> bool:
        """Whether containerd answers."""
        try:
            self._ctr("version")
        except ClusterError:
            return False
        return True

    def images(self) -> tuple[str, ...]:
        """List the names of its images.

        Raises:
            ClusterError: containerd does not answer.
        """
        return tuple(self._ctr("images", "list", "--quiet").split())

    def load(self, archive: Path) -> None:
        """Take an image from an archive of Docker's or OCI's form; a name it has already is taken over.

        Raises:
            ClusterError: It is none, or containerd does not answer.
        """
        self._ctr("images", "import", archive)

    def tasks(self) -> tuple[Task, ...]:
        """List the containers that have a process.

        Raises:
            ClusterError: containerd does not answer.
        """
        lines = [line.split() for line in self._ctr("tasks", "list").splitlines()[1:]]
        return tuple(
            Task(container=words[0], pid=int(words[1]), status=words[2])
            for words in lines
            if len(words) >= _TASK_COLUMNS
        )

    def pid_of(self, container: str) -> int | None:
        """Give a container's first process; None if it has none.

        Args:
            container: Its id, with or without `containerd://`.

        Raises:
            ClusterError: containerd does not answer.
        """
        wanted = container.removeprefix("containerd://")
        return next((task.pid for task in self.tasks() if task.container == wanted and task.pid > 0), None)

    def _ctr(self, *arguments: str | Path) -> str:
        address: Sequence[str | Path] = ("ctr", "--address", self._place.socket, "--namespace", _NAMESPACE)
        return run([*address, *arguments], timeout_s=_LOADED_WITHIN_S)

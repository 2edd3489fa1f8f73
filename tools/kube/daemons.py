"""The cluster's processes: started in the background, known by pid and start time, ended by them only.

Every process carries the cluster's state directory in its environment, and so does what it starts (containerd's shims).
So `down` finds even what was started by an `up` that was killed before it could write down a pid.
"""

import json
import os
import signal
import subprocess
import time
from collections.abc import Callable, Iterator, Sequence
from pathlib import Path
from typing import Final

from memgraph_ha.adapters.json_fields import FieldError, read_object
from memgraph_ha.adapters.process_os import ProcessHandle, ProcessIdentity, alive, identify, pids, read_identity
from tools.kube.errors import ClusterError
from tools.kube.place import Place
from tools.kube.say import wait_until

_MARK: Final = "MEMGRAPH_HA_KUBE_STATE"
_TAIL_LINES: Final = 12
_KILLED_WITHIN_S: Final = 10.0


class Daemons:
    """The background processes of one cluster.

    Args:
        place: Where they are written down, and log.
    """

    def __init__(self, place: Place) -> None:
        self._place = place

    def running(self, name: str) -> ProcessIdentity | None:
        """Give the process that was started under this name if it still lives."""
        path = self._note(name)
        try:
            identity = read_identity(read_object(path.read_bytes(), str(path)))
        except FileNotFoundError:
            return None
        except FieldError:
            return None  # a start that was cut short; what it started carries the mark
        return identity if alive(identity) else None

    def ensure(
        self,
        name: str,
        argv: Sequence[str | Path],
        *,
        ready: Callable[[], bool],
        timeout_s: float,
    ) -> None:
        """Start a process unless it runs, and wait until it is ready.

        Args:
            name: What it is called here.
            argv: Its program and arguments.
            ready: Asked until it says yes.
            timeout_s: Longest time to wait for that, seconds.

        Raises:
            ClusterError: It ended, or was not ready in time; names its log and the log's end.
        """
        identity = self.running(name) or self._start(name, argv)

        def is_ready() -> bool:
            if not alive(identity):
                raise ClusterError(f"{name} (pid {identity.pid}) ended; {self.hint(name)}")
            return ready()

        wait_until(is_ready, timeout_s=timeout_s, what=f"the readiness of {name}", hint=lambda: self.hint(name))

    def hint(self, name: str) -> str:
        """Say where its log is, and how it ends."""
        log = self._log(name)
        try:
            lines = log.read_text(encoding="utf-8", errors="replace").splitlines()[-_TAIL_LINES:]
        except OSError:
            lines = []
        return "\n  ".join([f"the log is {log}; its end:", *(line[:240] for line in lines)])

    def end(self, name: str, *, grace_s: float) -> None:
        """End a process: SIGTERM, and SIGKILL if it did not end in time; does nothing if it does not run.

        Args:
            name: What it is called here.
            grace_s: How long SIGTERM may take, seconds.

        Raises:
            ClusterError: It survived both.
        """
        identity = self.running(name)
        if identity is not None:
            _end(identity, name, grace_s)
        self._note(name).unlink(missing_ok=True)

    def strays(self) -> Iterator[ProcessIdentity]:
        """Find every living process of this cluster, by the mark in its environment."""
        mark = f"{_MARK}={self._place.root}".encode()
        for pid in pids():
            try:
                environment = Path(f"/proc/{pid}/environ").read_bytes()
            except OSError:
                continue
            identity = identify(pid) if mark in environment.split(b"\0") else None
            if identity is not None and pid != os.getpid() and alive(identity):
                yield identity

    def end_strays(self) -> None:
        """End every process that bears the mark, at once.

        Raises:
            ClusterError: One survived.
        """
        for identity in tuple(self.strays()):
            _end(identity, "a process of this cluster", 0)

    def _start(self, name: str, argv: Sequence[str | Path]) -> ProcessIdentity:
        log = self._log(name)
        with log.open("ab") as sink:
            # Not waited for on purpose: it outlives this command, and its end is seen through its identity.
            process = subprocess.Popen(
                [os.fspath(part) for part in argv],
                stdin=subprocess.DEVNULL,
                stdout=sink,
                stderr=subprocess.STDOUT,
                start_new_session=True,
                cwd=self._place.root,
                env={**os.environ, _MARK: os.fspath(self._place.root)},
                umask=0o022,  # containers run as others than root, and see files of containerd and the kubelet
            )
        handle = ProcessHandle.of_child(process.pid)
        identity = handle.identity
        handle.close()
        self._place.write(f"run/{name}.json", json.dumps(identity.to_json()) + "\n")
        return identity

    def _note(self, name: str) -> Path:
        return self._place.root / "run" / f"{name}.json"

    def _log(self, name: str) -> Path:
        return self._place.folder("log") / f"{name}.log"


def _end(identity: ProcessIdentity, name: str, grace_s: float) -> None:
    handle = ProcessHandle.open(identity)
    if handle is None:
        return
    try:
        begun_s = time.monotonic()
        if grace_s > 0:
            handle.send(signal.SIGTERM)
            handle.send(signal.SIGCONT)  # one that a test froze would never see the first
        if not handle.ended_within(grace_s):
            handle.send(signal.SIGKILL)
        if not handle.ended_within(_KILLED_WITHIN_S):
            waited_s = time.monotonic() - begun_s
            raise ClusterError(f"{name} (pid {identity.pid}) still lives {waited_s:.0f} s after it was told to end")
    finally:
        handle.close()

"""A controller's log, read from the node's own file: it can be followed while the API server is away."""

import json
import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from pathlib import Path
from typing import Any, BinaryIO, Final

from attrs import define, frozen

from tests.e2e.kube.pods import Pod
from tools.kube.place import Place

Event = Mapping[str, Any]

_LOOK_S: Final = 0.0005


@frozen(kw_only=True)
class ControllerLog:
    """The log of one controller's pod, of all its containers' lives.

    Attributes:
        folder: Where the kubelet keeps it: one file for each life, ``0.log`` and so on.
    """

    folder: Path

    @classmethod
    def of(cls, place: Place, namespace: str, pod: Pod) -> "ControllerLog":
        """Find a pod's.

        Args:
            place: The cluster's directory.
            namespace: The pod's.
            pod: Whose.
        """
        return cls(folder=place.root / "pod-logs" / f"{namespace}_{pod.name}_{pod.uid}" / "controller")

    def events(self) -> list[Event]:
        """Read all of it."""
        files = sorted(self.folder.glob("*.log"), key=lambda path: int(path.stem))
        return [event for path in files for event in _parse(path.read_bytes().splitlines())]

    @contextmanager
    def following(self) -> Iterator["Follower"]:
        """Read on from here, in the file of the present life."""
        path = max(self.folder.glob("*.log"), key=lambda path: int(path.stem))
        with path.open("rb") as log:
            log.seek(0, 2)
            yield Follower(log)


@define(eq=False)
class Follower:
    """Reads a log as it grows.

    Attributes:
        log: The file.
    """

    log: BinaryIO
    _rest: bytes = b""

    def events(self) -> Iterator[Event]:
        """Give what was logged since the last call."""
        *lines, self._rest = (self._rest + self.log.read()).split(b"\n")
        return _parse(lines)

    def strike(self, step: int, blow: Callable[[], None], within_s: float) -> tuple[Event, ...]:
        """Strike the moment a step of the next reign is logged. Blocks, and looks all the time.

        Steps are the shutting of read/write, and the beginnings and ends of commands from then on; between two of them
        there may be less than a millisecond, and a line takes about as long from the process to this file.

        Args:
            step: At the how-manieth, from 0.
            blow: What to do.
            within_s: Longest wait for it, seconds.

        Returns:
            The steps up to the one at which it was struck; fewer if the reign was whole before.
        """
        steps: list[Event] = []
        shut, end_s = False, time.monotonic() + within_s
        while time.monotonic() < end_s:
            for event in self.events():
                shut |= event["event"] == "route" and not event["open"]
                if shut and event["event"] in {"route", "command", "command ended"}:
                    steps.append(event)
                if len(steps) > step:
                    blow()
                    return tuple(steps)
                if steps and event.get("rule") == "Z99":
                    return tuple(steps)
            time.sleep(_LOOK_S)
        raise AssertionError(f"step {step} was not reached in {within_s:g} s, but {steps}")


def _parse(lines: list[bytes]) -> Iterator[Event]:
    """Read containerd's lines, ``TIME STREAM TAG TEXT``; what is no event of ours is left out."""
    for line in lines:
        text = line.split(b" ", 3)[-1]
        if text.startswith(b"{"):
            yield json.loads(text)

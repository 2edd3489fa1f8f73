"""What happens to an instance's process, in words, and how fast it is started again."""

import enum
import os
import signal
from collections.abc import Callable
from pathlib import Path

from attrs import frozen

from memgraph_ha.core.names import InstanceName

_TAIL_BYTES, _TAIL_LINES = 4096, 6


class EventKind(enum.Enum):
    """What happened to an instance's process."""

    STARTED = "started"
    ADOPTED = "adopted"
    ENDED = "ended"
    NOT_STARTED = "not started"
    REBUILT = "rebuilt"


@frozen(kw_only=True)
class InstanceEvent:
    """Something that an operator wants to read.

    Attributes:
        at_s: When, on the platform's clock.
        instance: To whom.
        kind: What.
        detail: A sentence; for an early end with the last lines of the log.
    """

    at_s: float
    instance: InstanceName
    kind: EventKind
    detail: str


Notice = Callable[[InstanceEvent], None]
"""Where events go; returns at once."""


@frozen(kw_only=True)
class RestartPolicy:
    """How fast an instance that ended is started again, as a kubelet does it.

    Attributes:
        first_s: Pause after the first end.
        step_s: After the second; doubled after each further one.
        most_s: But never longer than this.
        reset_after_s: Who lived so long starts over with ``first_s``.
    """

    first_s: float = 0.0
    step_s: float = 0.1
    most_s: float = 10.0
    reset_after_s: float = 60.0

    def delay_s(self, ends: int) -> float:
        """Give the pause after so many ends in a row; an end that was asked for counts as none."""
        if ends <= 1:
            return self.first_s
        return min(self.most_s, self.step_s * 2.0 ** min(ends - 2, 30))


def describe_exit(code: int) -> str:
    """Say how a child ended: its exit status, or the signal that ended it."""
    if code >= 0:
        return f"exit status {code}"
    try:
        return f"killed by {signal.Signals(-code).name}"
    except ValueError:
        return f"killed by signal {-code}"


def last_lines(path: Path, start: int) -> str:
    """Give the last lines of a log on one line; empty if there are none, or if it cannot be read.

    Args:
        path: The log.
        start: Only what was written from this byte on.
    """
    try:
        with path.open("rb") as file:
            file.seek(max(start, file.seek(0, os.SEEK_END) - _TAIL_BYTES))
            text = file.read().decode(errors="replace")
    except OSError:
        return ""
    return " | ".join([line.strip() for line in text.splitlines() if line.strip()][-_TAIL_LINES:])

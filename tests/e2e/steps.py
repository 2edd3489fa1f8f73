"""A blow at an exact step of the next reign, told by the controller's own log."""

import json
import time
from collections.abc import Callable
from typing import Final

from tests.e2e.cluster import Cluster, Event

STEPS: Final = 40
"""More steps than any reign has."""

_STEP_MAX_S: Final = 20.0
_LOOK_S: Final = 0.0002


def strike(cluster: Cluster, from_byte: int, step: int, blow: Callable[[], None]) -> Event | None:
    """Strike the moment the controller logs the beginning or end of a command of the next reign. Blocks.

    Looks at the file all the time: between two steps there may be less than a millisecond.

    Args:
        cluster: Whose controller.
        from_byte: Where in its log to begin.
        step: At the how-manieth of them since it shut read/write, from 0.
        blow: What to do.

    Returns:
        At what it was struck; None if there were fewer steps before all was whole again.
    """
    seen, shut, rest = 0, False, b""
    end_s = time.monotonic() + _STEP_MAX_S
    with cluster.log.open("rb") as log:
        log.seek(from_byte)
        while time.monotonic() < end_s:
            *lines, rest = (rest + log.read()).split(b"\n")
            for event in map(json.loads, lines):
                shut |= event["event"] == "route" and not event["open"]
                seen += shut and event["event"] in ("command", "command ended")
                if seen > step:
                    blow()
                    return dict(event)
                if event.get("rule") == "Z99" and seen:
                    return None
            time.sleep(_LOOK_S)
    raise AssertionError(f"step {step} was not reached in {_STEP_MAX_S:g} s\n{cluster.local.tail()}")

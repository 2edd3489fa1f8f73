"""How a scenario fails: because its file is wrong, or because what it tells came out wrong."""

from __future__ import annotations

from typing import Final

from memgraph_ha.core.holds import Hold
from memgraph_ha.sim.checks.violation import ViolationError
from memgraph_ha.sim.exits import Exit

UNMET: Final = "expect"
"""The check of what a file itself expects."""

INVARIANT: Final = "core"
"""The check of what the core demands of its own decisions (`memgraph_ha.core.invariants`)."""


class ScenarioError(ValueError):
    """A scenario file is wrong; the text names file, place, value and what is allowed."""


class UnmetError(ViolationError):
    """Something that the file itself expects is not so; the text says what."""


class FailedError(ViolationError):
    """A scenario did not come out as it must.

    Args:
        text: What was broken, by whom and when; a broken promise begins with its id, e.g. ``S1: ...``.
        seed: Of the run.
        trace: What happened, one line per event.
        check: ``S1`` to ``S14``, ``L1`` to ``L9``, `UNMET` or `INVARIANT`; None: as the text begins.
        hold: Under which name the leader waited then; None if it did not wait, or nobody led.
    """

    def __init__(
        self,
        text: str,
        *,
        seed: int,
        trace: tuple[str, ...] = (),
        check: str | None = None,
        hold: Hold | None = None,
    ) -> None:
        super().__init__(text)
        self.check = check or self.check or INVARIANT
        self.reason, self.seed, self.trace, self.hold = text, seed, trace, hold

    @property
    def exit(self) -> Exit:
        """The exit code that this is (scenarios 6.6)."""
        if self.check == UNMET:
            return Exit.UNMET
        return Exit.LIVENESS if self.check.startswith("L") else Exit.SAFETY

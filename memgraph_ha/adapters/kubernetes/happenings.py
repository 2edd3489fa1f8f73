"""Which decisions are worth an Event, and how few of them are written. No I/O.

A decision is taken many times a second; people want to read of what was done, and of what waits, once.
"""

from collections.abc import Callable
from typing import Final

from attrs import field, frozen, mutable

from memgraph_ha.core.commands import CommitNoop, Quiesce
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.holds import Hold
from memgraph_ha.core.view import View

HOLD_S: Final = 1.0
"""A hold that is over sooner is none that people must know of."""

AGAIN_S: Final = 600.0
"""A hold that lasts is told again so often, and a rule that acts again and again."""

ACTS_AGAIN_S: Final = 10.0
"""The same rule acting again within so long is the same act."""

BURST: Final = 20
REFILL_S: Final = 10.0
"""So many Events may be written at once, and one more every so many seconds."""

_LONGEST_NOTE: Final = 1024
"""Characters of a note that the API takes (events.k8s.io/v1)."""

_NORMAL: Final = (Hold.PAUSED, Hold.LOOKING, Hold.SWITCHING_OVER, Hold.REBUILDING, Hold.CATCHING_UP)
"""Holds that are nothing to worry about."""


@frozen(kw_only=True)
class Happening:
    """What one Event says.

    Attributes:
        reason: The rule's name in CamelCase, e.g. ``FailOverToStandby``.
        note: The rule's id, the hold if it is one, and the sentence of the decision.
        warning: Whether people should look.
    """

    reason: str
    note: str
    warning: bool


@mutable
class Reporter:
    """Finds the decisions that are worth an Event; one for each controller."""

    _acted: tuple[str, float] = ("", 0.0)
    _holding: Hold | None = None
    _since_s: float = 0.0
    _told: tuple[Happening, float] | None = None

    def tell(self, view: View, decision: Decision) -> Happening | None:
        """Say what to write after one tick; None for nothing.

        Args:
            view: What was decided on.
            decision: What was decided.
        """
        if view.lease is None:
            self._holding = None
            return None
        if decision.hold is not None and not decision.commands:
            return self._hold(view.now_s, decision, decision.hold)
        self._holding = None
        if all(isinstance(command, CommitNoop | Quiesce) for command in decision.commands):
            return None
        rule, at_s = self._acted
        if rule == decision.rule and view.now_s - at_s < ACTS_AGAIN_S:
            return None
        self._acted = (decision.rule, view.now_s)
        return _happening(decision, warning=False)

    def _hold(self, now_s: float, decision: Decision, hold: Hold) -> Happening | None:
        if hold is not self._holding:
            self._holding, self._since_s, self._told = hold, now_s, None
        if now_s - self._since_s < HOLD_S:
            return None
        if self._told is None:
            self._told = (_happening(decision, warning=hold not in _NORMAL), now_s)
        elif now_s - self._told[1] < AGAIN_S:
            return None
        # Told again in the words it was told in first, however its numbers moved: it is one Event with a count.
        self._told = (self._told[0], now_s)
        return self._told[0]


def _happening(decision: Decision, *, warning: bool) -> Happening:
    hold = "" if decision.hold is None else f" {decision.hold.word}"
    return Happening(
        reason="".join(part.capitalize() for part in decision.name.split("_")),
        note=f"{decision.rule}{hold}: {decision.reason}"[:_LONGEST_NOTE],
        warning=warning,
    )


@mutable
class Bucket:
    """A token bucket: bounds how many Events are written.

    Attributes:
        clock: Seconds, monotonic.
    """

    clock: Callable[[], float]
    _tokens: float = BURST
    _at_s: float = field(init=False)

    def __attrs_post_init__(self) -> None:
        """Begin full."""
        self._at_s = self.clock()

    def wait_s(self) -> float:
        """Take a token, if there is one: 0; else say how long to wait for the next, seconds."""
        now_s = self.clock()
        self._tokens = min(BURST, self._tokens + (now_s - self._at_s) / REFILL_S)
        self._at_s = now_s
        if self._tokens < 1:
            return (1 - self._tokens) * REFILL_S
        self._tokens -= 1
        return 0.0

"""When DROP REPLICA kills or hangs MAIN: the measured tables (transcripts Q4, Q5, Q7)."""

from __future__ import annotations

import enum
from typing import Final

from attrs import frozen

from .instance import Instance, Mode, Row, RowState
from .settings import Hazards

# Writers that paused for 0.3 s before the DROP did no harm (Q7e), so load is what was just before.
LOAD_WINDOW_S: Final = 0.2
# One writer with 20 ms pauses did no harm either (Q7d): at most ten commits in the window.
BUSY_COMMITS: Final = 15


class Outcome(enum.Enum):
    """What becomes of MAIN."""

    SURVIVES = "survives"
    CRASH = "crash"
    HANG = "hang"


@frozen
class Odds:
    """How often each outcome was seen."""

    survives: int
    crash: int
    hang: int

    def draw(self, chance: float) -> Outcome:
        """Choose by a number in [0, 1)."""
        ticket = chance * (self.survives + self.crash + self.hang)
        if ticket < self.survives:
            return Outcome.SURVIVES
        return Outcome.CRASH if ticket < self.survives + self.crash else Outcome.HANG

    def worst(self, chance: float) -> Outcome:
        """Choose among the bad outcomes; survive only if there was none."""
        if not self.crash + self.hang:
            return Outcome.SURVIVES
        return Odds(0, self.crash, self.hang).draw(chance)


SAFE: Final = Odds(1, 0, 0)
_IN_RECOVERY: Final = Odds(0, 81, 0)  # Q5: 44 of 44 and 37 of 37
_ONE_WRITER: Final = Odds(7, 3, 0)  # Q7d: ASYNC r1, one writer without pause
_LIVE: Final = Odds(0, 5, 5)  # Q7d, official build: ASYNC r1, 8 writers
_LIVE_BESIDE_STRICT: Final = Odds(2, 5, 3)  # Q7d, official build: STRICT_SYNC r1 and ASYNC r2
_DEAD: Final = Odds(7, 1, 2)  # Q7e: ASYNC r1 killed and `invalid`
_DEAD_BESIDE_STRICT: Final = Odds(9, 1, 0)  # Q7e: STRICT_SYNC r1, ASYNC r2 killed and `invalid`
_FENCED: Final = Odds(2, 1, 7)  # Q7h: ASYNC r1 that follows another MAIN


def outcome_of_drop(instance: Instance, row: Row, now_s: float) -> Outcome:
    """Return what a DROP of `row` does to MAIN at this moment.

    Args:
        instance: MAIN; its replication state is held exclusively, so no commit is under way.
        row: What is dropped.
        now_s: Monotonic time.
    """
    if instance.settings.hazards is Hazards.NEVER:
        return Outcome.SURVIVES
    odds = _odds(instance, row, now_s)
    if odds is SAFE:
        return Outcome.SURVIVES
    chance = instance.chance.draw()
    return odds.worst(chance) if instance.settings.hazards is Hazards.ALWAYS else odds.draw(chance)


def _odds(instance: Instance, row: Row, now_s: float) -> Odds:
    if row.half:
        return SAFE  # Q7h: 30 of 30
    if row.mode is Mode.ASYNC and (writers := _writers(instance, now_s)):
        return _odds_under_load(instance, row, writers)
    # Q4, Q7d: anything else is safe unless a recovery is under way, SYNC and STRICT_SYNC under load too.
    return _IN_RECOVERY if row.state is RowState.RECOVERY else SAFE


def _writers(instance: Instance, now_s: float) -> int:
    """Return how many clients write without pause."""
    recent = [session for time_s, session in instance.recent_commits if now_s - time_s < LOAD_WINDOW_S]
    writers = len(set(recent))
    return 0 if writers == 1 and len(recent) < BUSY_COMMITS else writers


def _odds_under_load(instance: Instance, row: Row, writers: int) -> Odds:
    """The states flap under load (semantics 2.10), so the tables hold for whatever state it is just in."""
    if row.state is RowState.MAYBE_BEHIND and row.fenced:
        return _FENCED
    beside_strict = any(other.mode is Mode.STRICT_SYNC for other in instance.whole_rows())
    if row.state is RowState.MAYBE_BEHIND and row.failed_pings:
        return _DEAD_BESIDE_STRICT if beside_strict else _DEAD
    if writers == 1:
        return _ONE_WRITER
    return _LIVE_BESIDE_STRICT if beside_strict else _LIVE

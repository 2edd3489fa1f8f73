"""What one random life came to: small enough to be sent between processes by the thousand."""

from __future__ import annotations

import enum
from typing import Final

from attrs import frozen

from memgraph_ha.sim.exits import Exit


class Verdict(enum.Enum):
    """How a life ended."""

    WHOLE = "whole"
    STUCK = "stuck"
    SAFETY = "safety"
    LIVENESS = "liveness"
    CHANGED = "not deterministic"
    BROKEN = "internal error"

    @property
    def exit(self) -> Exit:
        """The exit code that it asks for."""
        return _EXITS[self]


_EXITS: Final = {
    Verdict.WHOLE: Exit.OK,
    Verdict.STUCK: Exit.OK,
    Verdict.SAFETY: Exit.SAFETY,
    Verdict.LIVENESS: Exit.LIVENESS,
    Verdict.CHANGED: Exit.NOT_DETERMINISTIC,
    Verdict.BROKEN: Exit.INTERNAL,
}

Counts = tuple[tuple[str, int], ...]
"""Names with how often each was, sorted by name."""


@frozen(kw_only=True)
class Outcome:
    """What one life came to.

    Attributes:
        seed: It is drawn from that alone.
        verdict: How it ended. ``STUCK``: waiting under a documented name, after a loss that only a person may accept.
        check: Id of the promise that was broken, e.g. ``S1``; empty if none was.
        reason: What was broken, by whom; or under which name it waits.
        faults: How often each verb was done.
        rules: How often each rule decided something new.
        holds: How often each hold began to be said.
        marks: How often each situation of `memgraph_ha.sim.fuzz.sometimes` came up.
        failovers: Reigns that began because MAIN was lost.
        unneeded: Those of them whose MAIN could have acknowledged a write at that moment.
        acked: Acknowledged writes.
        seconds: How long it lasted, virtual seconds.
        digest: Of everything that was recorded: the same seed gives the same one.
    """

    seed: int
    verdict: Verdict
    check: str = ""
    reason: str = ""
    faults: Counts = ()
    rules: Counts = ()
    holds: Counts = ()
    marks: Counts = ()
    failovers: int = 0
    unneeded: int = 0
    acked: int = 0
    seconds: float = 0.0
    digest: str = ""

    @property
    def is_find(self) -> bool:
        """Whether somebody has to look at it."""
        return self.verdict.exit is not Exit.OK

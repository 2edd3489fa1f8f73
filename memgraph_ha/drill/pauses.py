"""How long the clients were without service, computed from the writers' logs after the fact. Pure.

A pause begins when the signal is sent and ends with the first acknowledgement of a write that was *begun after MAIN
was seen to be dead (or stopped)*: an acknowledgement that was still on its way when the fault happened is no recovery.
"""

import enum
import itertools
import math
from collections.abc import Sequence

from attrs import frozen

from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import ChangeKind
from memgraph_ha.drill.ledger import WriterLog


class FaultKind(enum.Enum):
    """What was done to MAIN."""

    KILL = "kill"  # SIGKILL
    STOP = "stop"  # SIGSTOP: it keeps its sockets open and answers nothing


@frozen(kw_only=True)
class Fault:
    """One fault, and what the cluster made of it. Times are seconds of CLOCK_MONOTONIC.

    Attributes:
        number: 1 for the first.
        kind: What was done.
        main: Which instance was MAIN, and suffered it.
        sent_s: Right before the signal was sent.
        seen_s: When the process was seen to have ended (or stopped): it can acknowledge nothing that begins later.
        protected_s: When the cluster was whole again: a reign open, its standby named, every instance answering.
        new_main: Which instance was MAIN then.
        changes: How the reigns that began between came about, oldest first; one is usual.
    """

    number: int
    kind: FaultKind
    main: InstanceName
    sent_s: float
    seen_s: float
    protected_s: float
    new_main: InstanceName
    changes: tuple[ChangeKind, ...]


@frozen(kw_only=True)
class Pause:
    """What the writers felt of one fault. Times are seconds of CLOCK_MONOTONIC.

    Attributes:
        sent_s: When the fault's signal was sent.
        back_s: Per writer, when its first write since was acknowledged; None if not before the next fault.
    """

    sent_s: float
    back_s: tuple[float | None, ...]

    @property
    def over_s(self) -> float | None:
        """When the first writer of all went on; None if none did."""
        return min((each for each in self.back_s if each is not None), default=None)

    @property
    def first_s(self) -> float | None:
        """How long until then, in seconds: the pause."""
        over_s = self.over_s
        return None if over_s is None else over_s - self.sent_s

    @property
    def per_writer_s(self) -> tuple[float | None, ...]:
        """The pause of each writer, in seconds."""
        return tuple(None if each is None else each - self.sent_s for each in self.back_s)

    @property
    def all_back_s(self) -> float | None:
        """How long until every writer went on, in seconds; None if one did not."""
        back = [each for each in self.per_writer_s if each is not None]
        return max(back) if back and len(back) == len(self.back_s) else None


@frozen(kw_only=True)
class Distribution:
    """A handful of numbers about many.

    Attributes:
        count: How many there were; with none, the others are NaN.
        missing: How many never came.
    """

    count: int
    missing: int
    min: float
    p50: float
    p99: float
    max: float


def pause_of(fault: Fault, logs: Sequence[WriterLog], until_s: float) -> Pause:
    """Measure one fault's pause.

    Args:
        fault: Which.
        logs: All writers'.
        until_s: When the next fault was sent, or the writers were told to stop.
    """
    back_s = tuple(log.first_acknowledged(begun_from_s=fault.seen_s, until_s=until_s) for log in logs)
    return Pause(sent_s=fault.sent_s, back_s=back_s)


def pauses_of(faults: Sequence[Fault], logs: Sequence[WriterLog], stopped_s: float) -> tuple[Pause, ...]:
    """Measure every fault's pause.

    Args:
        faults: In order.
        logs: All writers'.
        stopped_s: When the writers were told to stop.
    """
    ends = [*(fault.sent_s for fault in faults), stopped_s][1:]
    return tuple(pause_of(fault, logs, until_s) for fault, until_s in zip(faults, ends, strict=True))


def longest_other_silence(pauses: Sequence[Pause], logs: Sequence[WriterLog]) -> float:
    """Find the longest time without an acknowledgement to anybody outside the pauses, in seconds.

    A standby that is being attached again may hold writes up a second time; the pauses alone would not show it.

    Args:
        pauses: In the order of their faults.
        logs: All writers'.
    """
    times = sorted(at_s for log in logs for at_s in log.acknowledgements())
    excused = [(pause.sent_s, math.inf if pause.over_s is None else pause.over_s) for pause in pauses]
    longest, index = 0.0, 0
    for before_s, after_s in itertools.pairwise(times):
        while index < len(excused) and excused[index][1] < after_s:
            index += 1
        # The silence that ends a pause began before its fault: only what lies before the fault counts.
        end_s = min(after_s, excused[index][0]) if index < len(excused) else after_s
        longest = max(longest, end_s - before_s)
    return longest


def distribution(values: Sequence[float | None]) -> Distribution:
    """Summarise, by nearest rank: every figure is one that was measured.

    Args:
        values: In any order; None for what never came, which counts as longer than any other.
    """
    missing = sum(1 for value in values if value is None)
    ranked = sorted(math.inf if value is None else value for value in values)
    if not ranked:
        return Distribution(count=0, missing=0, min=math.nan, p50=math.nan, p99=math.nan, max=math.nan)
    return Distribution(
        count=len(ranked),
        missing=missing,
        min=ranked[0],
        p50=_rank(ranked, 0.50),
        p99=_rank(ranked, 0.99),
        max=ranked[-1],
    )


def _rank(ranked: Sequence[float], share: float) -> float:
    return ranked[max(0, math.ceil(share * len(ranked)) - 1)]

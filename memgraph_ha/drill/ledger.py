"""The ledger: what every writer was told, and whether the instances agree with it.

Pure book-keeping. A write is *attempted* when its query is handed to an open connection; from then on it ends in
exactly one of three ways (`Outcome`). Only an acknowledged write must be there; only a refused one must not.
"""

import enum
import itertools
from array import array
from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Iterator, Mapping, Sequence
from typing import Final

from attrs import define, field, frozen

from memgraph_ha.core.messages import ErrorClass, classify_error
from memgraph_ha.core.names import InstanceName

MOST_ERROR_TEXTS: Final = 50
"""How many different error texts one writer remembers; what comes beyond is counted together."""

OTHER_ERRORS: Final = "(other errors)"

_NOT_APPLIED: Final = frozenset(
    {ErrorClass.ABORTED, ErrorClass.NOT_MAIN, ErrorClass.CONFLICT, ErrorClass.SYNTAX, ErrorClass.ANALYTICAL}
)
"""Answers after which nothing was committed anywhere: the STRICT_SYNC abort is rolled back (transcripts, Summary),
a write on a replica and a commit on a demoted MAIN are not executed (transcripts Q7, Q8), a conflict is rolled back.
A SYNC failure is *not* among them: it is committed on MAIN."""


class Outcome(enum.Enum):
    """How an attempt ended for the one who made it."""

    ACKNOWLEDGED = "acknowledged"
    REFUSED = "refused"  # for certain: the server said so in words that exclude a commit
    INDETERMINATE = "indeterminate"  # no answer, a broken one, or one that leaves it open


def outcome_of_refusal(message: str) -> Outcome:
    """Say what a failure that the server answered means for the write.

    Args:
        message: The server's text.

    Returns:
        ``REFUSED`` if it excludes that anything was committed, else ``INDETERMINATE``.
    """
    return Outcome.REFUSED if classify_error(message) in _NOT_APPLIED else Outcome.INDETERMINATE


@define
class WriterLog:
    """What one writer did. One thread writes it; others may read the counters meanwhile, and all of it afterwards.

    Times are seconds of CLOCK_MONOTONIC.

    Attributes:
        writer: The writer's number; part of every id.
        errors: How often each error text was seen, those of refused connections included.
        failed_connects: Connections that could not be opened; nothing was sent over them.
        last_acknowledged_s: When the latest acknowledgement came; None without any.
    """

    writer: int
    errors: Counter[str] = field(factory=Counter, init=False)
    failed_connects: int = field(default=0, init=False)
    last_acknowledged_s: float | None = field(default=None, init=False)
    _counts: Counter[Outcome] = field(factory=Counter, init=False)
    _begun: "array[float]" = field(factory=lambda: array("d"), init=False)
    _ended: "array[float]" = field(factory=lambda: array("d"), init=False)
    _outcomes: list[Outcome] = field(factory=list, init=False)

    def begin(self, at_s: float) -> str:
        """Note that a write is about to be sent, and give it its id, which is never used again."""
        self._begun.append(at_s)
        return self._id(len(self._begun) - 1)

    def begin_again(self, at_s: float) -> None:
        """Note that the same transaction is tried once more, by a driver that knows that it may be."""
        self._begun[-1] = at_s

    def end(self, outcome: Outcome, at_s: float, error: str | None = None) -> None:
        """Note how the write that was begun last ended."""
        self._outcomes.append(outcome)
        self._ended.append(at_s)  # last: who reads meanwhile goes by it
        self._counts[outcome] += 1
        if outcome is Outcome.ACKNOWLEDGED:
            self.last_acknowledged_s = at_s
        if error is not None:
            self.note_error(error)

    def connect_failed(self, error: str) -> None:
        """Note that no connection could be had; no write was attempted."""
        self.failed_connects += 1
        self.note_error(error)

    def note_error(self, error: str) -> None:
        """Count an error text."""
        known = error in self.errors or len(self.errors) < MOST_ERROR_TEXTS
        self.errors[error if known else OTHER_ERRORS] += 1

    def count(self, outcome: Outcome) -> int:
        """How many ended so; a write that never ended is indeterminate."""
        open_ones = len(self._begun) - len(self._ended) if outcome is Outcome.INDETERMINATE else 0
        return self._counts[outcome] + open_ones

    @property
    def attempts(self) -> int:
        """How many writes were begun."""
        return len(self._begun)

    def ids(self, outcome: Outcome) -> Iterator[str]:
        """List the ids of the writes that ended so."""
        return (self._id(index) for index in range(len(self._begun)) if self._outcome(index) is outcome)

    def acknowledgements(self) -> Iterator[float]:
        """List when acknowledgements came, oldest first."""
        return (
            at_s for at_s, outcome in zip(self._ended, self._outcomes, strict=False) if outcome is Outcome.ACKNOWLEDGED
        )

    def first_acknowledged(self, *, begun_from_s: float, until_s: float) -> float | None:
        """Find when the first write that was begun in a window was acknowledged, within that window.

        Args:
            begun_from_s: Writes begun before are not looked at: their acknowledgement may have been on its way.
            until_s: End of the window.

        Returns:
            The time of the acknowledgement; None if there is none.
        """
        for index in range(bisect_left(self._begun, begun_from_s), len(self._ended)):
            if self._ended[index] > until_s:
                return None
            if self._outcomes[index] is Outcome.ACKNOWLEDGED:
                return self._ended[index]
        return None

    def indeterminate_between(self, from_s: float, until_s: float) -> int:
        """Count the writes begun before ``until_s`` that became indeterminate in [from_s, until_s)."""
        count = 0
        for index in range(bisect_left(self._ended, from_s), bisect_right(self._begun, until_s)):
            at_s = self._ended[index] if index < len(self._ended) else self._begun[index]
            count += self._outcome(index) is Outcome.INDETERMINATE and at_s < until_s
        return count

    def _outcome(self, index: int) -> Outcome:
        return self._outcomes[index] if index < len(self._outcomes) else Outcome.INDETERMINATE

    def _id(self, index: int) -> str:
        return f"{self.writer}-{index}"


@frozen(kw_only=True)
class Reading:
    """Every id that one instance gave back, asked directly.

    Attributes:
        instance: Which.
        ids: As often as they were there.
    """

    instance: InstanceName
    ids: Counter[str]


@frozen(kw_only=True)
class InstanceFindings:
    """What one instance holds that it must not, or lacks.

    Attributes:
        instance: Which.
        rows: How many writes it holds, doubles included.
        lost: Acknowledged, but not there.
        duplicated: There more than once.
        phantom: There, though refused for certain.
        unknown: There, though never attempted.
        indeterminate_present: How many of the indeterminate writes are there.
    """

    instance: InstanceName
    rows: int
    lost: tuple[str, ...]
    duplicated: tuple[str, ...]
    phantom: tuple[str, ...]
    unknown: tuple[str, ...]
    indeterminate_present: int


@frozen(kw_only=True)
class Findings:
    """The ledger, compared with what the instances hold.

    Attributes:
        attempts: Writes begun.
        acknowledged: Writes that were answered with success.
        refused: Writes that were refused for certain.
        indeterminate: Writes of which their writer cannot know.
        failed_connects: Connections that could not be opened.
        instances: One entry per instance, by name.
        differing: Ids that are on some instance but not on all.
        over_bound: A sentence for each writer and fault with more than one indeterminate write.
        errors: How often each error text was seen.
    """

    attempts: int
    acknowledged: int
    refused: int
    indeterminate: int
    failed_connects: int
    instances: tuple[InstanceFindings, ...]
    differing: tuple[str, ...]
    over_bound: tuple[str, ...]
    errors: Mapping[str, int]

    @property
    def lost(self) -> int:
        """How many acknowledged writes are missing on at least one instance."""
        return len({each for found in self.instances for each in found.lost})

    @property
    def duplicated(self) -> int:
        """How many writes are doubled on at least one instance."""
        return len({each for found in self.instances for each in found.duplicated})

    @property
    def phantom(self) -> int:
        """How many writes are on an instance though they were refused, or never attempted."""
        return len({each for found in self.instances for each in (*found.phantom, *found.unknown)})

    def complaints(self) -> tuple[str, ...]:
        """Say in sentences what is wrong; empty if nothing is."""
        said: list[str] = []
        for found in self.instances:
            for what, ids in (
                ("acknowledged but missing", found.lost),
                ("there more than once", found.duplicated),
                ("there though refused", found.phantom),
                ("there though never attempted", found.unknown),
            ):
                if ids:
                    said.append(f"{found.instance}: {len(ids)} {what}: {sample(ids)}")
        if self.differing:
            said.append(f"the instances differ in {len(self.differing)} writes: {sample(self.differing)}")
        return (*said, *self.over_bound)


def sample(ids: Sequence[str], most: int = 5) -> str:
    """Name a few ids, and say how many more there are."""
    more = len(ids) - most
    return ", ".join(ids[:most]) + (f" and {more} more" if more > 0 else "")


def check(logs: Sequence[WriterLog], readings: Sequence[Reading], faults_s: Sequence[float]) -> Findings:
    """Compare what the writers were told with what the instances hold.

    Args:
        logs: All writers', after they ended.
        readings: One of every instance.
        faults_s: When each fault was done, in order, on the writers' clock.
    """
    told = {outcome: {each for log in logs for each in log.ids(outcome)} for outcome in Outcome}
    held = [set(reading.ids) for reading in readings]
    everywhere = set.intersection(*held) if held else set()
    anywhere = set.union(*held) if held else set()
    return Findings(
        attempts=sum(log.attempts for log in logs),
        acknowledged=len(told[Outcome.ACKNOWLEDGED]),
        refused=len(told[Outcome.REFUSED]),
        indeterminate=len(told[Outcome.INDETERMINATE]),
        failed_connects=sum(log.failed_connects for log in logs),
        instances=tuple(_check_one(reading, told) for reading in readings),
        differing=_in_order(anywhere - everywhere),
        over_bound=tuple(_over_bound(logs, faults_s)),
        errors=sum((log.errors for log in logs), Counter()),
    )


def _check_one(reading: Reading, told: Mapping[Outcome, set[str]]) -> InstanceFindings:
    held = set(reading.ids)
    attempted = set().union(*told.values())
    return InstanceFindings(
        instance=reading.instance,
        rows=reading.ids.total(),
        lost=_in_order(told[Outcome.ACKNOWLEDGED] - held),
        duplicated=_in_order(each for each, times in reading.ids.items() if times > 1),
        phantom=_in_order(told[Outcome.REFUSED] & held),
        unknown=_in_order(held - attempted),
        indeterminate_present=len(told[Outcome.INDETERMINATE] & held),
    )


def _over_bound(logs: Sequence[WriterLog], faults_s: Sequence[float]) -> Iterator[str]:
    """A writer has one write on its way at a time, so one fault can leave it in doubt about one."""
    edges = [float("-inf"), *faults_s, float("inf")]
    for log in logs:
        for number, (from_s, until_s) in enumerate(itertools.pairwise(edges)):
            count = log.indeterminate_between(from_s, until_s)
            if count > (1 if number else 0):
                when = f"after fault {number}" if number else "before the first fault"
                allowed = "at most 1 is explained" if number else "none is explained"
                yield f"writer {log.writer}: {count} indeterminate writes {when}; {allowed}"


def _in_order(ids: Iterable[str]) -> tuple[str, ...]:
    """By writer and number; an id of somebody else's making sorts last."""

    def key(each: str) -> tuple[int, int, str]:
        writer, _, number = each.partition("-")
        known = writer.isdecimal() and number.isdecimal()
        return (int(writer), int(number), each) if known else (1 << 62, 0, each)

    return tuple(sorted(ids, key=key))

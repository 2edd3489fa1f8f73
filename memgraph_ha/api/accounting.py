"""What a controller has counted since it started: fed by the daemon's watcher, read by the metrics and the status.

Pure arithmetic: no clock, no I/O. Everything is filed from the one trio run that the daemon and the API share.
"""

import bisect
from collections import Counter
from typing import Final

from attrs import define, field

from memgraph_ha.core.commands import RebuildInstance, StopInstance, WriteRecord
from memgraph_ha.core.decision import Decision
from memgraph_ha.core.facts import CommandEnded, Outcome
from memgraph_ha.core.record import ChangeKind, Record
from memgraph_ha.core.view import View

TURN_BUCKETS_S: Final = (0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0)
"""Bounds of the predecessor's histogram (inventory MET-04), seconds."""

PAUSE_BUCKETS_S: Final = (0.05, 0.1, 0.25, 0.5, 1.0, 2.5, 5.0, 10.0, 30.0, 60.0, 300.0, 1800.0)
"""Bounds for how long read/write was shut, seconds."""


@define
class Histogram:
    """Counts of values by upper bound, and their sum.

    Attributes:
        bounds: Upper bounds, rising; one more bucket takes what is above.
        counts: Values per bucket, not cumulated; one more than there are bounds.
        total: The sum of all values.
    """

    bounds: tuple[float, ...]
    counts: list[int] = field(init=False)
    total: float = field(default=0.0, init=False)

    def __attrs_post_init__(self) -> None:
        """Begin with nothing."""
        self.counts = [0] * (len(self.bounds) + 1)

    def add(self, value: float) -> None:
        """Count a value: in the first bucket whose bound is not below it."""
        self.counts[bisect.bisect_left(self.bounds, value)] += 1
        self.total += value

    @property
    def count(self) -> int:
        """How many values there were."""
        return sum(self.counts)

    @property
    def mean(self) -> float:
        """Their mean; 0 before the first."""
        return self.total / self.count if self.count else 0.0


@define
class Trouble:
    """The last error of one kind.

    Attributes:
        count: How many there were.
        at: When the last was, wall clock, seconds since 1970.
    """

    count: int = 0
    at: float = 0.0


class Accounting:
    """Totals that no snapshot can tell. A turn is one look of the loop: observe, decide, act.

    A turn counts as failed if a command ended since the turn before it and was not done (refused, unknown or not
    sent); every other turn is successful.

    Attributes:
        turns: How long turns took, seconds; its count is the number of turns.
        failed_turns: See above.
        last_turn_at: Wall clock of the last turn, seconds since 1970; 0 before the first.
        last_reason: The last decision's rule and sentence.
        last_error: What the last command that was not done said; None since one was done.
        decisions: Turns by the rule that decided: (id, name) to count.
        commands: Commands that ended, by (kind, outcome).
        command_times: How long commands took, by kind, seconds.
        troubles: Errors by type: ``reconciliation`` (a failed turn), and of the commands among them
            ``memgraph_query`` (over Bolt), ``record`` (compare-and-set) and ``platform`` (stop, rebuild).
        reigns: Reigns that began while this process watched, by kind.
        main_changes: Times another instance became the recorded MAIN.
        elections: Times this controller gained the lease.
        leadership_changes: Times it gained or lost it.
        shut_s: Seconds for which this controller led and its read/write gateway was shut.
        pauses: How long it was shut each time, seconds; filed when it opens again.
        requests: HTTP requests answered, by (method, path template, status).
    """

    def __init__(self) -> None:
        self.turns = Histogram(TURN_BUCKETS_S)
        self.failed_turns = 0
        self.last_turn_at = 0.0
        self.last_reason = ""
        self.last_error: str | None = None
        self.decisions: Counter[tuple[str, str]] = Counter()
        self.commands: Counter[tuple[str, str]] = Counter()
        self.command_times: dict[str, Histogram] = {}
        self.troubles: dict[str, Trouble] = {"reconciliation": Trouble()}
        self.reigns: Counter[ChangeKind] = Counter()
        self.main_changes = 0
        self.elections = 0
        self.leadership_changes = 0
        self.shut_s = 0.0
        self.pauses = Histogram(PAUSE_BUCKETS_S)
        self.requests: Counter[tuple[str, str, int]] = Counter()
        self._generation: int | None = None
        self._leading = False
        self._failed_since = 0
        self._turned_s: float | None = None
        self._shut_since_s: float | None = None

    @property
    def good_turns(self) -> int:
        """How many turns were successful."""
        return self.turns.count - self.failed_turns

    def note_tick(self, view: View, decision: Decision, took_s: float) -> None:
        """File one turn of the loop.

        Args:
            view: What it decided from.
            decision: What it decided.
            took_s: How long filing the facts and deciding took, seconds.
        """
        self.turns.add(took_s)
        if self._failed_since:
            self.failed_turns += 1
            self._trouble("reconciliation", view.wall_s)
            self._failed_since = 0
        self.last_turn_at = view.wall_s
        self.last_reason = f"{decision.rule} {decision.name}: {decision.reason}"
        self.decisions[decision.rule, decision.name] += 1
        self._note_lease(leading=view.lease is not None)
        if view.record is not None:
            self._note_reigns(view.record)
        self._note_gate(view, shut=view.lease is not None and decision.route.permit is None)
        self._turned_s = view.now_s

    def note_command(self, ended: CommandEnded, took_s: float, wall_s: float) -> None:
        """File the end of one command.

        Args:
            ended: Which, and how.
            took_s: How long it took, seconds.
            wall_s: Wall clock, seconds since 1970.
        """
        kind = type(ended.command).__name__
        self.commands[kind, ended.outcome.name.lower()] += 1
        self.command_times.setdefault(kind, Histogram(TURN_BUCKETS_S)).add(took_s)
        if ended.outcome is Outcome.DONE:
            self.last_error = None
            return
        self._failed_since += 1
        self.last_error = f"{kind}: {ended.outcome.value}{f' ({ended.detail})' if ended.detail else ''}"
        self._trouble(_type_of(ended), wall_s)

    def note_request(self, method: str, path: str, status: int) -> None:
        """File one HTTP request that was answered; ``path`` is the template, never what the client sent."""
        self.requests[method, path, status] += 1

    def _trouble(self, kind: str, at: float) -> None:
        known = self.troubles.setdefault(kind, Trouble())
        known.count += 1
        known.at = at

    def _note_lease(self, *, leading: bool) -> None:
        if leading != self._leading:
            self._leading = leading
            self.leadership_changes += 1
            self.elections += leading

    def _note_reigns(self, record: Record) -> None:
        """Count what the history has more than at the last look; what was there at the first was not watched."""
        known = self._generation
        self._generation = record.generation
        if known is None:
            return
        for change in record.history:
            if change.generation > known:
                self.reigns[change.kind] += 1
                self.main_changes += change.previous not in (None, change.main)

    def _note_gate(self, view: View, *, shut: bool) -> None:
        if self._shut_since_s is not None and self._turned_s is not None:
            self.shut_s += max(0.0, view.now_s - self._turned_s)
        if shut and self._shut_since_s is None:
            self._shut_since_s = view.now_s
        elif not shut and self._shut_since_s is not None:
            if view.lease is not None:
                self.pauses.add(view.now_s - self._shut_since_s)
            self._shut_since_s = None


def _type_of(ended: CommandEnded) -> str:
    match ended.command:
        case WriteRecord():
            return "record"
        case StopInstance() | RebuildInstance():
            return "platform"
        case _:
            return "memgraph_query"

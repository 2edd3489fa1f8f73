"""Counts what happens in a life: rules, holds, situations, reigns; and gives everything that happened one digest."""

from __future__ import annotations

import hashlib
from collections import Counter
from collections.abc import Callable, Mapping
from typing import Any, Final

from memgraph_ha.core import Decision, Fact, Policy, View
from memgraph_ha.core.commands import (
    Command,
    Demote,
    Promote,
    RebuildInstance,
    RegisterReplica,
    WriteRecord,
)
from memgraph_ha.core.facts import (
    CommandEnded,
    GapSeen,
    LeaseSeen,
    Miss,
    NoopSeen,
    Outcome,
    ProbeMissed,
    RecordSeen,
    RoleSeen,
    RowsSeen,
)
from memgraph_ha.core.record import ChangeKind, Record
from memgraph_ha.core.topology import RowStatus
from memgraph_ha.sim.fuzz.sometimes import Mark
from memgraph_ha.trace.schema import Ghost, Plain

FLIP_S: Final = 10.0
"""Two reigns that begin within so long are a flip."""

RULES: Final[Mapping[str, Mark]] = {"O10": Mark.STRAY_MAIN, "S10": Mark.STRAY_MAIN, "C90": Mark.PAUSED}
"""Rules that fire in a situation that has a mark."""

KINDS: Final[Mapping[ChangeKind, Mark]] = {
    ChangeKind.BOOTSTRAP: Mark.BOOTSTRAPPED,
    ChangeKind.ADOPT: Mark.ADOPTED,
    ChangeKind.FAILOVER: Mark.FAILED_OVER,
    ChangeKind.SWITCHOVER: Mark.SWITCHED_OVER,
    ChangeKind.REPROMOTE: Mark.REPROMOTED,
    ChangeKind.FALLBACK: Mark.FALLBACK,
    ChangeKind.FORCED: Mark.FORCED,
}
ROWS: Final[Mapping[RowStatus, Mark]] = {
    RowStatus.HALF: Mark.HALF_ROW,
    RowStatus.DIVERGED: Mark.DIVERGED,
    RowStatus.INVALID: Mark.INVALID_ROW,
    RowStatus.RECOVERY: Mark.RECOVERING,
}
ENDS: Final[Mapping[tuple[type[Command], Outcome], Mark]] = {
    (WriteRecord, Outcome.REFUSED): Mark.RECORD_CONFLICT,
    (WriteRecord, Outcome.UNKNOWN): Mark.WRITE_UNKNOWN,
    (Promote, Outcome.UNKNOWN): Mark.PROMOTE_UNKNOWN,
    (RegisterReplica, Outcome.UNKNOWN): Mark.REGISTER_UNKNOWN,
    (RegisterReplica, Outcome.REFUSED): Mark.REGISTER_REFUSED,
    (Demote, Outcome.REFUSED): Mark.DEMOTE_REFUSED,
    (RebuildInstance, Outcome.DONE): Mark.REBUILT,
}


class Watch:
    """Implements `memgraph_ha.trace.recorder.Recorder` by counting.

    Attributes:
        rules: How often each rule decided something that was not decided right before.
        holds: How often each hold began to be said.
        marks: How often each situation came up.
        failovers: Reigns that began without anybody asking for them, but those of the same MAIN.
    """

    def __init__(self) -> None:
        self.rules: Counter[str] = Counter()
        self.holds: Counter[str] = Counter()
        self.marks: Counter[Mark] = Counter()
        self.failovers = 0
        self._hash = hashlib.sha256()
        self._last: dict[str, Decision] = {}
        self._policy: dict[str, Policy] = {}
        self._leads: dict[str, float] = {}
        self._led_s: float | None = None
        self._record: Record | None = None
        self._began_s: float | None = None
        self._unknown: list[Record] = []
        self._mains: set[str] = set()
        self._states: dict[tuple[str, str], Mark | None] = {}
        self._facts: Mapping[type[Any], Callable[[str, Any], None]] = {
            CommandEnded: self._ended,
            GapSeen: lambda _who, _fact: self._saw(Mark.GAP),
            LeaseSeen: self._lease,
            NoopSeen: self._noop,
            ProbeMissed: self._missed,
            RecordSeen: self._read,
            RoleSeen: self._answered,
            RowsSeen: self._rows,
        }

    @property
    def digest(self) -> str:
        """Of every decision, command and event so far: 16 hexadecimal digits."""
        return self._hash.hexdigest()[:16]

    # --- what a recorder is told

    def start(self, who: str, policy: Policy) -> None:
        """See `Recorder.start`."""
        self._policy[who] = policy
        self._note("start", who)

    def fact(self, who: str, fact: Fact) -> None:
        """See `Recorder.fact`."""
        look = self._facts.get(type(fact))
        if look is not None:
            look(who, fact)

    def tick(self, who: str, view: View, decision: Decision) -> int:
        """See `Recorder.tick`."""
        last = self._last.get(who)
        if last is not None and (last.rule, last.reason) == (decision.rule, decision.reason):
            return 0
        self._last[who] = decision
        self._note(f"{view.now_s:.6f}", who, decision.rule, decision.reason)
        if last is None or last.rule != decision.rule:
            self.rules[decision.rule] += 1
            if decision.rule in RULES:
                self._saw(RULES[decision.rule])
        if decision.hold is not None and (last is None or last.hold is not decision.hold):
            self.holds[decision.hold.word] += 1
        if decision.route.quiet and not (last is not None and last.route.quiet):
            self._saw(Mark.QUIET)
        return 0

    def broke(self, who: str, view: View, error: Exception) -> None:
        """See `Recorder.broke`."""
        self._note(f"{view.now_s:.6f}", who, str(error))

    def command(self, who: str, command: Command, *, by: int) -> None:
        """See `Recorder.command`."""
        del by
        self._note(who, type(command).__name__, str(getattr(command, "instance", "")))

    def end(self, who: str, why: str) -> None:
        """See `Recorder.end`."""
        self._note("end", who, why)
        self._last.pop(who, None)
        self._leads.pop(who, None)

    def ghost(self, what: Ghost, who: str, /, **data: Plain) -> None:
        """See `Recorder.ghost`."""
        self._note(what.name, who, *(f"{name}={data[name]}" for name in sorted(data)))
        match what:
            case Ghost.INSTANCE:
                self._instance(who, data)
            case Ghost.LANDED:
                self._landed(data)
            case Ghost.GATE if data.get("in_flight"):
                self._saw(Mark.REVOKED_IN_FLIGHT)
            case _:
                pass

    # --- what only the simulator knows

    def _instance(self, who: str, data: Mapping[str, Plain]) -> None:
        if data.get("state") == "down":
            self._mains.discard(who)
        elif "role" in data:
            (self._mains.add if data["role"] == "MAIN" else self._mains.discard)(who)
        if len(self._mains) > 1:
            self._saw(Mark.TWO_MAINS)
        if not self._mains and self._record is not None:
            self._saw(Mark.NO_MAIN)

    def _landed(self, data: Mapping[str, Plain]) -> None:
        if data.get("led") is False:
            self._saw(Mark.LATE_COMMAND)
        if data.get("command") == Promote.__name__:
            self._saw(Mark.PROMOTED_AHEAD if data.get("more") else Mark.PROMOTED_EXACT)

    # --- what controllers see

    def _ended(self, _who: str, fact: CommandEnded) -> None:
        mark = Mark.NOT_SENT if fact.outcome is Outcome.NOT_SENT else ENDS.get((type(fact.command), fact.outcome))
        if mark is not None:
            self._saw(mark)
        if mark is Mark.WRITE_UNKNOWN and isinstance(fact.command, WriteRecord):
            self._unknown.append(fact.command.record)

    def _lease(self, who: str, fact: LeaseSeen) -> None:
        before = self._leads.pop(who, None)
        if fact.leading:
            if any(until_s > fact.at_s for until_s in self._leads.values()):
                self._saw(Mark.TWO_LEADERS)
            self._leads[who], self._led_s = fact.until_s, fact.at_s
            if before is None and not fact.clean:
                self._saw(Mark.LEASE_REMOVED)
        elif self._led_s is not None and fact.at_s - self._led_s > self._policy[who].lease_duration_s:
            self._saw(Mark.NO_LEADER)
            self._led_s = None

    def _noop(self, _who: str, fact: NoopSeen) -> None:
        if fact.outcome is Outcome.REFUSED:
            self._saw(Mark.COMMIT_ABORTED)
        elif fact.outcome is Outcome.UNKNOWN:
            self._saw(Mark.COMMIT_UNKNOWN)
        elif fact.witness is not None:
            self._saw(Mark.PROVEN)

    def _answered(self, who: str, fact: RoleSeen) -> None:
        self._is(who, fact.instance, None)

    def _missed(self, who: str, fact: ProbeMissed) -> None:
        if fact.excused and fact.miss is Miss.TIMED_OUT:
            self._is(who, fact.instance, Mark.EXCUSED)
        elif fact.miss is Miss.UNAUTHORISED:
            self._is(who, fact.instance, Mark.UNAUTHORISED)

    def _rows(self, who: str, fact: RowsSeen) -> None:
        for row in fact.rows:
            self._is(who, f"row {row.name}", ROWS.get(row.status))

    def _read(self, who: str, fact: RecordSeen) -> None:
        self._is(who, "the record", None if fact.trouble is None else Mark.RECORD_SPOILT)
        if fact.record is not None and fact.record != self._record:
            self._changed(fact.record, fact.at_s)
        elif fact.record is None and fact.trouble is None and self._record is not None:
            self._saw(Mark.RECORD_GONE)
            self._record = None

    def _changed(self, record: Record, at_s: float) -> None:
        old = self._record
        if old is not None and record.generation < old.generation:
            return  # somebody is behind
        self._record = record
        if record in self._unknown:
            self._unknown.remove(record)
            self._saw(Mark.WRITE_APPLIED_UNKNOWN)
        if record.unprotected and not (old is not None and old.unprotected):
            self._saw(Mark.UNPROTECTED)
        if not record.history or (old is not None and record.generation == old.generation):
            return
        change = record.history[-1]
        self._saw(KINDS[change.kind])
        if self._began_s is not None and at_s - self._began_s < FLIP_S:
            self._saw(Mark.FLIPPED)
        self._began_s = at_s
        self.failovers += change.kind in (ChangeKind.FAILOVER, ChangeKind.FALLBACK)

    # --- counting

    def _saw(self, mark: Mark) -> None:
        self.marks[mark] += 1

    def _is(self, who: str, subject: str, mark: Mark | None) -> None:
        """Count a situation when it begins for somebody, not each time that it is reported."""
        if self._states.get((who, subject)) is not mark:
            self._states[who, subject] = mark
            if mark is not None:
                self._saw(mark)

    def _note(self, *words: str) -> None:
        self._hash.update("\x1f".join(words).encode())
        self._hash.update(b"\x1e")

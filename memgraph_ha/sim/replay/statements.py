"""Who said what, since when, and what would be known had it not been said.

A *statement* is a fact and all its repetitions: "memgraph-1 answers as REPLICA" since the first time, however often it
was asked. Filing a trace's facts here keeps, for each thing that a controller knows, the statement that it has it from
and what was known before; so any statement can be taken back, and the rules asked again.
"""

from collections.abc import Iterator
from typing import Final

from attrs import define, evolve, field, fields

from memgraph_ha.core import Fact, Observed, Policy, observe
from memgraph_ha.core.facts import (
    CommandEnded,
    GapSeen,
    GateSeen,
    LeaseSeen,
    NoopSeen,
    ProbeMissed,
    RequestEnded,
    RequestSeen,
    RoleSeen,
    RowsSeen,
    StorageSeen,
)
from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.observed import Seen
from memgraph_ha.trace.recorder import what_it_says
from memgraph_ha.trace.schema import FactLine, MemoryLine

_OBSERVED: Final = tuple(each.name for each in fields(Observed) if each.name != "seen")
_SEEN: Final = tuple(each.name for each in fields(Seen))

_COUNTERS: Final = ("refused", "timeouts")
"""What is known of an instance by counting misses."""

Slot = tuple[InstanceName | None, str]
"""One thing that is known: a field of `Observed`, or of what is known of one instance."""

_ABSENT: Final = object()
"""What is known of an instance that is no member."""


def _topic(fact: Fact) -> object:
    """Say which facts answer the same question: a later one takes the place of an earlier one."""
    match fact:
        case RoleSeen() | ProbeMissed():
            return ("probe", fact.instance)
        case RequestSeen():
            return ("request", fact.request.id)
        case RequestEnded():
            return ("request", fact.request_id)
        case _:
            return (type(fact), getattr(fact, "instance", None))


def _gist(fact: Fact) -> object:
    """Say what makes two facts the same statement: not how long a lease still lasts, nor how far a replica is."""
    match fact:
        case LeaseSeen():
            return (fact.leading, fact.since_s, fact.clean)
        case GateSeen():
            permit = fact.permit and (fact.permit.instance, fact.permit.run, fact.permit.generation)
            return (permit, fact.quiet, fact.settled)
        case RowsSeen():
            return (fact.run, tuple((row.name, row.address, row.mode, row.status) for row in fact.rows))
        case StorageSeen():
            return (fact.run, fact.uuid, fact.empty, fact.mode)
        case NoopSeen():
            return (fact.run, fact.generation, fact.outcome, fact.witness)
        case ProbeMissed():
            return (fact.miss, fact.excused)
        case CommandEnded() | GapSeen():
            return fact.at_s
        case _:
            return what_it_says(fact)


@define(eq=False)
class Statement:
    """A fact and its repetitions.

    Attributes:
        gist: What they have in common.
        first: The first of them.
        last: The last so far.
        count: How many so far.
    """

    gist: object
    first: FactLine
    last: FactLine
    count: int = 1


@define(eq=False)
class _Held:
    """Where a thing is known from, and what was known before the statement, and before its last change."""

    statement: Statement
    before: object
    previous: object


@define(eq=False)
class Ledger:
    """What one controller knows, and from whom.

    Attributes:
        policy: The operator's choices in force.
        observed: What was filed.
    """

    policy: Policy
    observed: Observed
    _topics: dict[object, Statement] = field(factory=dict)
    _held: dict[Slot, _Held] = field(factory=dict)

    @classmethod
    def remembering(cls, line: MemoryLine) -> "Ledger":
        """Begin with what a controller knew where a part begins: each thing that is a fact is its own statement.

        When it was first said, and what was known before, is in an earlier part.
        """
        ledger = cls(line.policy, line.observed)
        for name in _OBSERVED:
            ledger._remember(line, None, name, getattr(line.observed, name))
        for seen in line.observed.seen:
            for name in _SEEN:
                ledger._remember(line, seen.member.name, name, getattr(seen, name))
            ledger._remember_misses(seen)
        return ledger

    def _remember(self, line: MemoryLine, owner: InstanceName | None, name: str, known: object) -> None:
        if isinstance(known, Fact):
            told = FactLine(seq=line.seq, t=line.t, who=line.who, fact=known)
            statement = self._topics[_topic(known)] = Statement(_gist(known), told, told)
            self._held[(owner, name)] = _Held(statement, None, None)

    def _remember_misses(self, seen: Seen) -> None:
        """Misses are counted: all of them are one statement, with the last that is remembered."""
        name = seen.member.name
        miss = self._held.get((name, "miss"))
        if miss is not None:
            miss.statement.count = max(1, seen.refused, seen.timeouts)
            for counter in _COUNTERS:
                self._held[(name, counter)] = _Held(miss.statement, 0, 0)

    def file(self, line: FactLine) -> None:
        """File a fact, and remember what it changed."""
        old, new = self.observed, observe(self.observed, line.fact)
        if new is old:
            return
        self.observed = new
        statement = self._statement(line)
        for slot, before in _changes(old, new):
            held = self._held.get(slot)
            if held is None or held.statement is not statement:
                self._held[slot] = _Held(statement, before, before)
            else:
                held.previous = before

    def _statement(self, line: FactLine) -> Statement:
        topic, gist = _topic(line.fact), _gist(line.fact)
        last = self._topics.get(topic)
        if last is not None and last.gist == gist and type(last.last.fact) is type(line.fact):
            last.last = line
            last.count += 1
            return last
        found = self._topics[topic] = Statement(gist, line, line)
        return found

    def statements(self) -> list[Statement]:
        """List every statement that something is known from, the newest first."""
        found = {id(held.statement): held.statement for held in self._held.values()}
        return sorted(found.values(), key=lambda each: each.first.seq, reverse=True)

    def without(self, statement: Statement, *, last_only: bool = False) -> Observed:
        """Say what would be known had something not been said.

        Args:
            statement: What was said.
            last_only: Take back only the last change that it made, not the whole of it.
        """
        general: dict[str, object] = {}
        of_instance: dict[InstanceName, dict[str, object]] = {}
        for (name, attribute), held in self._held.items():
            if held.statement is statement:
                value = held.previous if last_only else held.before
                (general if name is None else of_instance.setdefault(name, {}))[attribute] = value
        seen: list[Seen] = []
        for known in self.observed.seen:
            back = of_instance.get(known.member.name, {})
            if not any(value is _ABSENT for value in back.values()):
                seen.append(evolve(known, **back) if back else known)  # type: ignore[arg-type]  # values of its fields
        return evolve(self.observed, seen=tuple(seen), **general)  # type: ignore[arg-type]  # values of its fields


def _changes(old: Observed, new: Observed) -> Iterator[tuple[Slot, object]]:
    """List what a fact changed, with what was known before."""
    for name in _OBSERVED:
        before, after = getattr(old, name), getattr(new, name)
        if before is not after and before != after:
            yield (None, name), before
    if old.seen is new.seen:
        return
    known = {each.member.name: each for each in old.seen}
    for each in new.seen:
        past = known.get(each.member.name)
        if past is each:
            continue
        for name in _SEEN:
            before, after = _ABSENT if past is None else getattr(past, name), getattr(each, name)
            if before is not after and before != after:
                yield (each.member.name, name), before

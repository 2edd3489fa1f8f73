"""Why a decision of a trace was as it was: what it rests on, who made that so, and what nearly happened instead.

Nothing of this is recorded: each thing that the controller knew is taken back in turn, and today's rules are asked
again. What they would then have decided otherwise for is a cause, and a rule that would then have fired nearly did.
"""

from collections.abc import Iterable
from typing import Final

from attrs import define, evolve, field, frozen

from memgraph_ha.core import RULES, Decision, Explanation, Observed, Rule, Unmet, View, explain
from memgraph_ha.core.facts import GateSeen
from memgraph_ha.sim.render.words import said_of_command
from memgraph_ha.sim.replay.finding import NotFoundError
from memgraph_ha.sim.replay.playing import decided
from memgraph_ha.sim.replay.statements import Ledger, Statement
from memgraph_ha.sim.replay.trail import made_by
from memgraph_ha.trace.schema import CommandLine, EndLine, FactLine, Line, MemoryLine, PolicyLine, StartLine, TickLine

DEPTH: Final = 3
"""How many commands back the way is followed."""


@frozen(kw_only=True)
class Origin:
    """Why something is so: a command asked for it.

    Attributes:
        command: Which; None for what a gateway does, which follows its route at once.
        tick: Which decision asked for it.
        facts: What was new to that decision, each with why it was so, as far as the way is followed.
    """

    command: CommandLine | None
    tick: TickLine
    facts: "tuple[tuple[FactLine, Origin | None], ...]" = ()


@frozen(kw_only=True)
class Cause:
    """Something without which the decision would have been another.

    Attributes:
        statement: What was said.
        otherwise: What would have been decided without it; None if the rules had broken.
        origin: Why it was so; None if nobody asked for it: it came from outside.
    """

    statement: Statement
    otherwise: Decision | None
    origin: Origin | None


@frozen(kw_only=True)
class Near:
    """A rule that did not fire: it would have decided in another's place, or is about the same thing.

    Attributes:
        rule: Its id.
        name: Its name.
        unmet: The guard that stopped it, and what it saw.
        but_for: It would have fired had this not been said; None: no single statement kept it from firing.
    """

    rule: str
    name: str
    unmet: Unmet
    but_for: Statement | None


@frozen(kw_only=True)
class Sent:
    """A command of the decision that was sent.

    Attributes:
        line: When, and which.
        end: How it ended; None if the trace does not say.
    """

    line: CommandLine
    end: FactLine | None


@frozen(kw_only=True)
class Explained:
    """Everything that is to be said of one decision.

    Attributes:
        line: The tick, as it was recorded.
        begin_s: When the trace began, on the recorder's clock.
        view: What the controller knew.
        now: What today's rules decide; None if they break.
        causes: What the decision rests on, the newest first.
        in_time: What would have been decided with the same knowledge at the tick before: time alone made the
            difference; None if it would have been the same.
        near: Rules that would have decided but for one of the causes, and those of the same letter, in order; with
            ``every`` all that did not fire.
        following: Rules after it that match too: the first would have decided in its place.
        sent: The commands that were sent, in order.
    """

    line: TickLine
    begin_s: float
    view: View
    now: Decision | None
    causes: tuple[Cause, ...]
    in_time: Decision | None
    near: tuple[Near, ...]
    following: tuple[Explanation, ...]
    sent: tuple[Sent, ...]


@define
class _Past:
    """What is kept while a trace is read up to the decision.

    Attributes:
        ledgers: What each controller knows.
        fresh: The facts since each one's last tick.
        facts: Those that were new to a decision, by number.
        ticks: Those that asked for commands or for another route than the one before, by number.
        last: Each one's last tick.
        sent: Every command.
        begin_s: When the first tick was.
    """

    ledgers: dict[str, Ledger] = field(factory=dict)
    fresh: dict[str, list[FactLine]] = field(factory=dict)
    facts: dict[int, FactLine] = field(factory=dict)
    ticks: dict[int, TickLine] = field(factory=dict)
    last: dict[str, TickLine] = field(factory=dict)
    sent: list[CommandLine] = field(factory=list)
    begin_s: float | None = None

    def take(self, line: Line) -> None:
        """Take the next line."""
        match line:
            case StartLine():
                self.last.pop(line.who, None)
                self.ledgers[line.who] = Ledger(line.policy, Observed())
            case MemoryLine():
                self.ledgers[line.who] = Ledger.remembering(line)
            case PolicyLine():
                self.ledgers[line.who].policy = line.policy
            case FactLine():
                self.fresh.setdefault(line.who, []).append(line)
                self.ledgers[line.who].file(line)
            case TickLine():
                self._tick(line)
            case CommandLine():
                self.sent.append(line)
            case EndLine():
                self.ledgers.pop(line.who, None)
            case _:
                pass

    def _tick(self, line: TickLine) -> None:
        """Keep a decision, and of the facts before it those that were new to it."""
        self.begin_s = line.t if self.begin_s is None else self.begin_s
        last, decision = self.last.get(line.who), line.decision
        self.last[line.who] = line
        before = None if last is None or last.decision is None else last.decision.route
        if decision is not None and (decision.commands or decision.route != before):
            self.ticks[line.seq] = line
        new = set(line.causes)
        self.facts.update((each.seq, each) for each in self.fresh.pop(line.who, []) if each.seq in new)

    def origin(self, line: FactLine, depth: int) -> Origin | None:
        """Walk from a fact to the command that made it so, and on to what was new to whoever sent it."""
        command = made_by(line, self.sent)
        tick = self.ticks.get(command.by) if command is not None else self._gate_set_by(line)
        if tick is None:
            return None
        facts = [self.facts[seq] for seq in tick.causes if seq in self.facts] if depth > 1 else []
        return Origin(command=command, tick=tick, facts=tuple((fact, self.origin(fact, depth - 1)) for fact in facts))

    def _gate_set_by(self, line: FactLine) -> TickLine | None:
        """Find the decision whose route a gateway follows."""
        fact = line.fact
        if not isinstance(fact, GateSeen):
            return None
        found = None
        for tick in self.ticks.values():
            if tick.seq > line.seq or tick.who != line.who or tick.decision is None:
                continue
            route = tick.decision.route
            follows = route.permit == fact.permit and route.quiet is fact.quiet
            found = (found or tick) if follows else None
        return found


def explain_tick(
    lines: Iterable[Line], seq: int, *, rules: tuple[Rule, ...] = RULES, depth: int = DEPTH, every: bool = False
) -> Explained:
    """Explain a decision.

    Args:
        lines: Of the trace, in order, from the header on.
        seq: The number of its tick.
        rules: Today's by default.
        depth: How many commands back the way is followed, at least 0.
        every: List every rule that did not fire, not only those that nearly did.

    Raises:
        NotFoundError: There is no such tick.
    """
    past, target, before = _Past(), None, None
    sent: list[CommandLine] = []
    ends: dict[int, FactLine] = {}
    explained: Explained | None = None
    for line in lines:
        if target is None:
            before = past.last.get(line.who) if isinstance(line, TickLine) else before
            past.take(line)
            if isinstance(line, TickLine) and line.seq == seq:
                target = line
                explained = _explain(past, target, before, rules, depth, every=every)
        elif isinstance(line, CommandLine) and line.by == seq:
            sent.append(line)
        elif isinstance(line, FactLine) and line.of is not None:
            ends[line.of] = line
    if explained is None:
        raise NotFoundError(f"there is no tick with the number {seq}")
    return evolve(explained, sent=tuple(Sent(line=each, end=ends.get(each.seq)) for each in sent))


def _explain(
    past: _Past, line: TickLine, before: TickLine | None, rules: tuple[Rule, ...], depth: int, *, every: bool
) -> Explained:
    ledger = past.ledgers[line.who]
    view = View(observed=ledger.observed, policy=ledger.policy, now_s=line.now_s, wall_s=line.wall_s)
    now, _error = decided(view, rules)
    causes: list[Cause] = []
    views: list[tuple[Statement, View]] = []
    for statement in ledger.statements():
        for last_only in (True, False):
            other = evolve(view, observed=ledger.without(statement, last_only=last_only))
            views.append((statement, other))
            otherwise, _error = decided(other, rules)
            if not _acts_alike(now, otherwise):
                origin = past.origin(statement.first, depth) if depth else None
                causes.append(Cause(statement=statement, otherwise=otherwise, origin=origin))
                break
    in_time = None
    if before is not None:
        earlier, _error = decided(evolve(view, now_s=before.now_s, wall_s=before.wall_s), rules)
        in_time = None if _acts_alike(now, earlier) else earlier
    said = explain(view, rules)
    place = next(index for index, each in enumerate(said) if isinstance(each.answer, Decision))
    instead = {cause.otherwise.rule for cause in causes if cause.otherwise is not None}
    return Explained(
        line=line,
        begin_s=line.t if past.begin_s is None else past.begin_s,
        view=view,
        now=now,
        causes=tuple(causes),
        in_time=in_time,
        near=tuple(
            near
            for near in _near(said, views, rules)
            if every or near.rule in instead or near.rule[0] == said[place].rule[0]
        ),
        following=tuple(each for each in said[place + 1 :] if isinstance(each.answer, Decision)),
        sent=(),
    )


def _acts_alike(one: Decision | None, other: Decision | None) -> bool:
    """Whether the same rule asks for the same; when it was asked for is part of a record, and makes no difference."""
    if one is None or other is None:
        return one is other
    said = [tuple(map(said_of_command, each.commands)) for each in (one, other)]
    return one.rule == other.rule and said[0] == said[1]


def _near(said: Iterable[Explanation], views: list[tuple[Statement, View]], rules: tuple[Rule, ...]) -> Iterable[Near]:
    functions = {rule.id: rule.decide for rule in rules}
    for each in said:
        if isinstance(each.answer, Unmet):
            decide_alone = functions[each.rule]
            but_for = next((one for one, view in views if isinstance(decide_alone(view), Decision)), None)
            yield Near(rule=each.rule, name=each.name, unmet=each.answer, but_for=but_for)

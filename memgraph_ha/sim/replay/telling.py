"""What an explanation and a comparison say to a person, line by line."""

import time
from collections.abc import Iterator
from typing import Final

from rich.text import Text

from memgraph_ha.core import RULES, Decision, Hold
from memgraph_ha.core.facts import CommandEnded
from memgraph_ha.sim.render.words import said_of_command, said_of_fact
from memgraph_ha.sim.replay.comparing import Comparison, Difference
from memgraph_ha.sim.replay.explaining import Cause, Explained, Near, Origin
from memgraph_ha.sim.replay.statements import Statement
from memgraph_ha.trace.schema import HeaderLine, TickLine

HEAD: Final = "bold"
QUIET: Final = "dim"
BAD: Final = "bold red"

_SUMMARIES: Final = {rule.id: (rule.decide.__doc__ or "").strip().split("\n", 1)[0] for rule in RULES}
"""The first sentence of each rule: what it does."""


_CONTROL: Final = dict.fromkeys((*range(32), *range(127, 160)), "�")
"""A trace may come from anywhere: no escape sequence of it reaches a terminal."""


def _line(indent: int, text: str, style: str = "") -> Text:
    return Text(f"{'':>{indent}}{text.translate(_CONTROL)}", style)


def _ago(seconds: float) -> str:
    if seconds < 1:
        return f"{seconds * 1000:.0f} ms before"
    return f"{seconds:.1f} s before" if seconds < 100 else f"{seconds / 60:.0f} min before"  # noqa: PLR2004 - to read


def _decided(decision: Decision | None) -> str:
    """Name a decision in a few words."""
    if decision is None:
        return "the rules break: they would harm what they promise"
    hold = "" if decision.hold is None else f" [{decision.hold.word}]"
    return f"{decision.rule} {decision.name}{hold}: {decision.reason}"


def tell(found: Explained) -> Iterator[Text]:
    """Say everything about one decision, for a terminal.

    Args:
        found: The explanation.

    Yields:
        One line after the other.
    """
    line, decision = found.line, found.line.decision
    moment = time.strftime("%Y-%m-%d %H:%M:%S", time.gmtime(line.wall_s))
    yield _line(
        0, f"#{line.seq}  {line.t - found.begin_s:.3f} s after the trace begins ({moment} UTC)  {line.who}", HEAD
    )
    if decision is None:
        yield _line(0, f"the rules broke: {line.error}", BAD)
    else:
        yield _line(0, _decided(decision))
        yield _line(2, _SUMMARIES.get(decision.rule, "a rule that this version does not know"), QUIET)
        yield _line(2, f"gateways: {decision.route.why}")
        yield from _tell_hold(decision.hold)
    if found.now != decision:
        yield _line(2, f"today's rules decide otherwise: {_decided(found.now)}", BAD)
    yield from _tell_commands(found)
    yield from _tell_causes(found)
    told = {cause.otherwise.rule for cause in found.causes if cause.otherwise is not None}
    others = [near for near in found.near if near.rule not in told]
    if others:
        yield _line(0, "")
        yield _line(0, "Nor these", HEAD)
        for near in others:
            yield from _tell_near(near)
    if found.following:
        first = found.following[0]
        yield _line(0, "")
        then = f", then {', '.join(each.rule for each in found.following[1:])}" if found.following[1:] else ""
        yield _line(0, f"Next in line: {first.rule} {first.name}{then}", QUIET)


def _tell_hold(hold: Hold | None) -> Iterator[Text]:
    """Say what waits, what ends it, and what an operator can do about it."""
    if hold is None:
        return
    wait = hold.value
    yield _line(2, f"what waits: {wait.blocked}")
    yield _line(2, f"what ends it: {wait.ends}{f'; or run `{wait.command}`' if wait.command else ''}")
    yield _line(2, f"what could be lost: {wait.risk}")


def _tell_commands(found: Explained) -> Iterator[Text]:
    wanted = () if found.line.decision is None else found.line.decision.commands
    if not wanted:
        return
    yield _line(0, "")
    yield _line(0, "It asked for", HEAD)
    for place, command in enumerate(wanted):
        if place >= len(found.sent):
            why = "not sent: one before it was not done" if found.sent else "not sent at this tick"
            yield _line(2, f"{said_of_command(command)} ({why})")
            continue
        sent = found.sent[place]
        end = "its end is not in the trace"
        if sent.end is not None and isinstance(sent.end.fact, CommandEnded):
            ended = sent.end.fact
            detail = f": {ended.detail}" if ended.detail else ""
            end = f"#{sent.end.seq} {ended.outcome.value} after {(sent.end.t - sent.line.t) * 1000:.0f} ms{detail}"
        yield _line(2, f"#{sent.line.seq} {said_of_command(command)} -> {end}")


def _tell_causes(found: Explained) -> Iterator[Text]:
    yield _line(0, "")
    if not found.causes and found.in_time is None:
        yield _line(0, "No single thing made it decide so: without any one of them it would have been the same.", HEAD)
        return
    yield _line(0, "Because (without any one of these it would have decided otherwise)", HEAD)
    if found.in_time is not None:
        yield _line(2, "time had passed")
        yield _line(6, f"with the same knowledge, a tick earlier: {_decided(found.in_time)}", QUIET)
    told: set[int] = set()
    stopped = {near.rule: near.unmet for near in found.near}
    for cause in found.causes:
        yield from _tell_cause(found.line, cause, told)
        rule = "" if cause.otherwise is None else cause.otherwise.rule
        if rule in stopped:
            yield _line(6, f"{rule} nearly fired; it was stopped by: {stopped[rule]}", QUIET)


def _tell_cause(tick: TickLine, cause: Cause, told: set[int]) -> Iterator[Text]:
    yield _line(2, _statement(tick, cause.statement))
    if cause.origin is not None:
        yield from _tell_origin(cause.origin, 6, told)
    yield _line(6, f"without it: {_decided(cause.otherwise)}", QUIET)


def _statement(tick: TickLine, said: Statement) -> str:
    first, last = said.first, said.last
    times = f", {said.count} times since #{first.seq}, {_ago(tick.t - first.t)}" if said.count > 1 else ""
    return f"#{last.seq} {_ago(tick.t - last.t)}: {said_of_fact(last.fact)}{times}"


def _tell_origin(origin: Origin, indent: int, told: set[int]) -> Iterator[Text]:
    """Say who made something so, once: the same way back is not told again."""
    if origin.tick.seq in told:
        yield _line(indent, f"by {_named(origin)}, see above", QUIET)
        return
    told.add(origin.tick.seq)
    decision = origin.tick.decision
    rule = "a tick that broke" if decision is None else f"{decision.rule} {decision.name}: {decision.reason}"
    by = f"#{origin.tick.seq} {rule}"
    if origin.command is None:
        yield _line(indent, f"as the route of {by} says")
    else:
        yield _line(indent, f"by #{origin.command.seq} {said_of_command(origin.command.command)}")
        yield _line(indent, f"of {by}")
    for fact, inner in origin.facts:
        yield _line(indent + 2, f"which had just heard #{fact.seq} {said_of_fact(fact.fact)}", QUIET)
        if inner is not None:
            yield from _tell_origin(inner, indent + 4, told)


def _named(origin: Origin) -> str:
    return f"#{origin.tick.seq}" if origin.command is None else f"#{origin.command.seq} of #{origin.tick.seq}"


def _tell_near(near: Near) -> Iterator[Text]:
    yield _line(2, f"{near.rule} {near.name}: {near.unmet}")
    if near.but_for is not None:
        last = near.but_for.last
        yield _line(6, f"it would have, but for #{last.seq} {said_of_fact(last.fact)}", QUIET)


def tell_difference(found: Difference, begin_s: float) -> Iterator[Text]:
    """Say how today's rules decide one tick otherwise.

    Args:
        found: The tick.
        begin_s: When the trace began, on the recorder's clock.

    Yields:
        One line after the other.
    """
    line, now = found.step.line, found.step.decision
    yield _line(0, f"#{line.seq}  {line.t - begin_s:.3f} s after the trace begins  {line.who}", HEAD)
    yield _line(2, f"then:  {line.error or _decided(line.decision)}")
    yield _line(2, f"today: {found.step.error or _decided(now)}")
    if line.decision is None or now is None:
        return
    for name in found.fields:
        if name in ("rule", "name", "reason"):
            continue
        for when, decision in (("then", line.decision), ("today", now)):
            yield _line(4, f"{name} {when}: {_field(name, decision)}")


def _field(name: str, decision: Decision) -> str:
    if name == "commands":
        return "; ".join(map(said_of_command, decision.commands)) or "none"
    if name == "route":
        route = decision.route
        to = "shut" if route.permit is None else f"open to {route.permit.instance} in reign {route.permit.generation}"
        return f"{to}{', quiet' if route.quiet else ''} ({route.why})"
    value = getattr(decision, name)
    if name == "hold":
        return "none" if value is None else str(value.word)
    return ", ".join(value) or "none" if isinstance(value, tuple) else str(value)


def tell_rules(header: HeaderLine) -> Iterator[Text]:
    """Say whether the trace was decided by another table of rules.

    Yields:
        A line about each kind of change.
    """
    then, now = header.rules, tuple(rule.id for rule in RULES)
    gone, new = [each for each in then if each not in now], [each for each in now if each not in then]
    if gone:
        yield _line(0, f"rules that were there when it was recorded, and are not today: {', '.join(gone)}")
    if new:
        yield _line(0, f"rules that are new since: {', '.join(new)}")
    if not gone and not new and then != now:
        yield _line(0, "the rules are the same as when it was recorded, in another order")


def tell_comparison(found: Comparison) -> Iterator[Text]:
    """Say what a comparison counted.

    Yields:
        One line after the other.
    """
    other = sum(found.reasons.values())
    yield _line(0, f"{found.ticks} decisions compared: {found.same} the same, {other} different only in reason")
    for (was, now), count in found.reasons.most_common():
        yield _line(2, f"{count} times {was} then, {now} today" if was != now else f"{count} times {was}, other words")

"""Finding the decision that somebody asks about."""

from collections.abc import Iterable
from typing import Final

from attrs import frozen

from memgraph_ha.core import Decision
from memgraph_ha.trace.schema import CommandLine, FactLine, HeaderLine, Line, TickLine

ROUTINE: Final = frozenset({"Z99", "P10"})
"""Rules that go on for ever where all is well: steady, and the proof repeated. Nobody asks why."""


class NotFoundError(ValueError):
    """There is no such decision in the trace; the text says what there is."""


@frozen(kw_only=True)
class Wanted:
    """Which decision; at most one of the first three is given, else the last that was not routine.

    Attributes:
        seq: The number of its line, of a fact that it took up, or of a command that it sent.
        at: The last at or before that time: seconds since the trace begins, or, if ``wall``, since 1970.
        rule: The last time that this rule, by its id, began to decide.
        wall: See ``at``.
        who: Only this controller's; None: anybody's.
    """

    seq: int | None = None
    at: float | None = None
    rule: str | None = None
    wall: bool = False
    who: str | None = None


def find(lines: Iterable[Line], wanted: Wanted) -> int:
    """Find a decision.

    Args:
        lines: Of the trace, in order.
        wanted: Which.

    Returns:
        The number of its tick.

    Raises:
        NotFoundError: There is none.
    """
    mine = (line for line in lines if wanted.who in (None, getattr(line, "who", None)) or isinstance(line, HeaderLine))
    if wanted.seq is not None:
        return _by_number(mine, wanted.seq)
    if wanted.at is not None:
        return _by_time(mine, wanted.at, wall=wanted.wall)
    return _last(mine, wanted.rule)


def _by_number(lines: Iterable[Line], seq: int) -> int:
    highest, waiting = 0, None
    for line in lines:
        number = getattr(line, "seq", 0)
        highest = max(highest, number)
        if isinstance(line, TickLine) and (number == seq or waiting == line.who):
            return number
        if number == seq:
            if isinstance(line, CommandLine):
                return line.by
            if not isinstance(line, FactLine):
                raise NotFoundError(f"line {seq} is none that a decision belongs to; give that of a tick")
            waiting = line.who
    if waiting is not None:
        raise NotFoundError(f"fact {seq} was never decided upon: the trace ends before")
    raise NotFoundError(f"there is no line {seq}; the last one is {highest}")


def _by_time(lines: Iterable[Line], at: float, *, wall: bool) -> int:
    found, begin = None, None
    for line in lines:
        if isinstance(line, TickLine):
            begin = (line.wall_s if wall else line.t) if begin is None else begin
            if (line.wall_s if wall else line.t - begin) > at:
                break
            found = line.seq
    if found is None:
        raise NotFoundError("nothing was decided so early; the first decision is at 0 s")
    return found


def _last(lines: Iterable[Line], rule: str | None) -> int:
    before: dict[str, Decision | None] = {}
    decided: dict[str, None] = {}
    found, any_tick = None, None
    for line in lines:
        if not isinstance(line, TickLine):
            continue
        last, now = before.get(line.who), line.decision
        before[line.who] = now
        any_tick = line.seq
        if now is not None:
            decided[now.rule] = None
        if now is None or (last is not None and last.rule == now.rule and last.commands == now.commands):
            found = line.seq if now is None else found
        elif now.rule == rule or (rule is None and now.rule not in ROUTINE):
            found = line.seq
    if found is None and rule is None:
        found = any_tick
    if found is None:
        if not decided:
            raise NotFoundError("nothing was decided in this trace")
        raise NotFoundError(f"rule {rule} decided nothing in this trace; these did: {', '.join(decided)}")
    return found

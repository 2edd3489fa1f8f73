"""What the status page says in words: the verdict in one line, times and lengths."""

import datetime as dt
from typing import Final

from attrs import frozen

from memgraph_ha.api.topology import Picture

_STUCK_S: Final = 5.0
"""A loop that has not turned for so long is said to stand still."""

_MINUTE, _HOUR, _DAY = 60, 3600, 86400


def clock(wall_s: float) -> str:
    """Write a moment, e.g. ``2026-11-23 03:07:41`` in UTC."""
    return dt.datetime.fromtimestamp(wall_s, tz=dt.UTC).strftime("%Y-%m-%d %H:%M:%S")


def lasted(seconds: float) -> str:
    """Write a length, e.g. ``0.4 s``, ``3 min 5 s``, ``2 h 10 min``, ``4 d 1 h``."""
    if seconds < 10:  # noqa: PLR2004 - below it a tenth matters
        return f"{max(0.0, seconds):.1f} s"
    whole = round(seconds)
    if whole < _MINUTE:
        return f"{whole} s"
    large, small, names = next(
        (large, small, names)
        for limit, large, small, names in (
            (_HOUR, _MINUTE, 1, ("min", "s")),
            (_DAY, _HOUR, _MINUTE, ("h", "min")),
            (float("inf"), _DAY, _HOUR, ("d", "h")),
        )
        if whole < limit
    )
    rest = whole % large // small
    return f"{whole // large} {names[0]}" + (f" {rest} {names[1]}" if rest else "")


def ago(seconds: float) -> str:
    """Write an age."""
    return f"{lasted(seconds)} ago"


@frozen
class Verdict:
    """The first thing that is read.

    Attributes:
        tone: ``ok``, ``warn`` or ``bad``; empty: no verdict of ours.
        head: One short sentence.
        lines: What else matters at once.
    """

    tone: str
    head: str
    lines: tuple[str, ...]


def verdict_of(picture: Picture) -> Verdict:
    """Say how a cluster stands, worst first.

    Args:
        picture: The document of ``GET /api/v1/cluster``.
    """
    age_s, reign = picture["last_tick_age_s"], _reign(picture)
    if age_s is None:
        return Verdict("warn", "Starting", ("Nothing is decided yet.",))
    if age_s > _STUCK_S:
        line = f"The control loop has not turned for {lasted(age_s)}; what is shown is that old."
        return Verdict("bad", "This controller stands still", (line,))
    if not picture["leading"]:
        leader = picture["leader"]
        who = f"{leader} leads: ask it." if leader else "Nobody is known to lead."
        return Verdict("", "This controller stands by", tuple(line for line in (who, reign) if line))
    rw = picture["rw"]
    if picture["switchover"] is not None:
        moving = picture["switchover"]
        why = f" ({moving['reason']})" if moving["reason"] else ""
        line = f"Asked by {moving['by']}{why}. New transactions wait for a moment; no connection is refused."
        return Verdict("warn", f"Switching over to {moving['target']}", (line, reign))
    if not rw["open"]:
        waiting = " New connections wait for it." if rw["holding"] else " New connections are refused."
        lines = (f"{_sentence(rw['why'])}{waiting}", reign, _next(picture))
        return Verdict("bad", "Writes wait", tuple(line for line in lines if line))
    return _open(picture, reign)


def _open(picture: Picture, reign: str) -> Verdict:
    if picture["paused"] is not None:
        paused = picture["paused"]
        why = f": {paused['reason']}" if paused["reason"] else ""
        line = f"Paused by {paused['by']} {ago(picture['at'] - paused['at'])}{why}."
        return Verdict("warn", "Writes flow; failover is paused", (line, reign))
    if picture["unprotected"]:
        line = f"{picture['main']} has the only certain copy of what is written now."
        return Verdict("warn", "Writes flow, unprotected", (line, reign))
    if picture["standby"] is None:
        return Verdict("warn", "Writes flow; no standby is proven", (reign,))
    sick = [seen["name"] for seen in picture["instances"] if not seen["healthy"]]
    if sick:
        names = ", ".join(sick)
        return Verdict("warn", "Writes flow, protected", (f"Not healthy: {names}.", reign))
    if picture["holds"]:
        return Verdict("warn", "Writes flow, protected", ("Something waits: see below.", reign))
    return Verdict("ok", "Writes flow, protected", (reign,))


def _next(picture: Picture) -> str:
    """Say what is done about it; a hold has a section of its own."""
    decision = picture["decision"]
    if decision is None or decision["hold"] is not None:
        return ""
    return f"Now: {decision['reason']}."


def _sentence(text: str) -> str:
    return f"{text[:1].upper()}{text[1:]}."


def _reign(picture: Picture) -> str:
    if picture["generation"] is None:
        return ""
    standby, lost = picture["standby"], picture["loss"] is not None
    proven = f"{standby} is its proven standby" if standby else "no standby is named"
    return f"Reign {picture['generation']}: {picture['main']} {'was' if lost else 'is'} MAIN, {proven}."

"""States that last, made of moments at which they changed; and drawing together what is too fine."""

from collections.abc import Iterable
from typing import Final

from attrs import define, evolve, field, frozen

from memgraph_ha.sim.render.model import Span, Tone, Weave

MOST: Final = 1500
"""A row has no more spans than that; the shortest are drawn together."""

_WORST: Final = (Tone.SOFT, Tone.OK, Tone.INFO, Tone.WARN, Tone.BAD)


@frozen(kw_only=True)
class Look:
    """How a state looks.

    Attributes:
        label: What is written on it.
        brief: What is written if there is little room.
        text: What is said when somebody points at it.
    """

    tone: Tone
    weave: Weave = Weave.PLAIN
    label: str = ""
    brief: str = ""
    text: str = ""


@define
class Row:
    """One row of a lane, written from left to right.

    Attributes:
        row: Which of its lane.
    """

    row: int
    _spans: list[Span] = field(factory=list)
    _key: object = None
    _look: Look | None = None
    _since: tuple[float, int | None] = (0.0, None)

    def become(self, at_s: float, key: object, look: Look | None, event: int | None = None) -> None:
        """Note a state; if it is still the same nothing begins anew, though the look may have become stronger.

        Args:
            at_s: Since when.
            key: What makes it another state.
            look: How it looks; None: nothing is drawn.
            event: The number of the event that began it.
        """
        if key == self._key:
            if look is not None and self._look is not None and _rank(look.tone) > _rank(self._look.tone):
                self._look = evolve(self._look, tone=look.tone)
            return
        self.end(at_s)
        self._key, self._look, self._since = key, look, (at_s, event)

    def end(self, at_s: float) -> tuple[Span, ...]:
        """End what lasts, and give all that there was."""
        look, (since_s, event) = self._look, self._since
        if look is not None and at_s > since_s:
            span = Span(
                row=self.row,
                start_s=since_s,
                end_s=at_s,
                tone=look.tone,
                weave=look.weave,
                label=look.label,
                brief=look.brief,
                text=look.text,
                event=event,
            )
            self._spans.append(span)
        self._key, self._look = None, None
        return tuple(self._spans)


def _rank(tone: Tone) -> int:
    return _WORST.index(tone)


def within(spans: Iterable[Span], start_s: float, end_s: float) -> tuple[Span, ...]:
    """Cut spans to a window of time."""
    return tuple(
        evolve(span, start_s=max(start_s, span.start_s), end_s=min(end_s, span.end_s))
        for span in spans
        if span.end_s > start_s and span.start_s < end_s
    )


def thinned(spans: tuple[Span, ...], most: int = MOST) -> tuple[tuple[Span, ...], int]:
    """Draw neighbours together, and the gaps between them, until a row has few enough spans.

    Args:
        spans: Of one row, from left to right.
        most: How many may be left, but for one.

    Returns:
        The spans, and how many of the given ones are no longer to be seen alone.
    """
    if len(spans) <= most:
        return spans, 0
    least_s = (spans[-1].end_s - spans[0].start_s) / most * 2
    kept: list[list[Span]] = []
    for span in spans:
        group = kept[-1] if kept else None
        if group is not None and span.end_s - group[0].start_s <= least_s:
            group.append(span)
        else:
            kept.append([span])
    merged = tuple(_together(group) for group in kept)
    return merged, sum(len(group) for group in kept if len(group) > 1)


def _together(group: list[Span]) -> Span:
    if len(group) == 1:
        return group[0]
    worst = max(group, key=lambda span: _rank(span.tone))
    labels = list(dict.fromkeys(span.brief or span.label for span in group))
    return evolve(
        worst,
        start_s=group[0].start_s,
        end_s=group[-1].end_s,
        label="",
        brief="",
        text=f"{len(group)} drawn together: {', '.join(labels[:12])}{', ...' if len(labels) > 12 else ''}",  # noqa: PLR2004 - enough to read
        event=group[0].event,
    )

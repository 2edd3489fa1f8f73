"""A window of a timeline as one SVG: an axis, a band per lane, and what goes across them.

Only classes are set, never a colour: the style sheet has them, light and dark. What has a place in time carries it
(``data-t``, ``data-e``, seconds), so that the page's script can lay it out anew; nothing needs the script.
"""

import math
from collections.abc import Iterator
from typing import Final

from attrs import frozen

from memgraph_ha.markup import Markup, h, join
from memgraph_ha.sim.render.model import Arrow, Kind, Lane, Mark, Shape, Span, Timeline, Tone, Weave
from memgraph_ha.sim.render.scale import LETTER_PX, Scale, fits, width_of
from memgraph_ha.sim.render.writes import draw_writes

GUTTER: Final = 132
"""Pixels for the names of the lanes."""

PLOT: Final = 1080
"""Pixels for the window of time."""

_RIGHT: Final = 22
"""Pixels for the half of the last tick's text."""

WIDTH: Final = GUTTER + PLOT + _RIGHT

_AXIS: Final = 26
_PAD: Final = 7
_BETWEEN: Final = 3
_THIN: Final = 5
"""How tall a thin span is."""

_BESIDE: Final = 11
"""How far from its mark a label begins, pixels."""

_MANY: Final = 16
"""With more moments in a window, the lines through all lanes become faint."""

_SHAPES: Final = {
    Shape.TICK: "M0 -9 V9",
    Shape.DOT: "M-3.5 0 A3.5 3.5 0 1 0 3.5 0 A3.5 3.5 0 1 0 -3.5 0 Z",
    Shape.SPECK: "M-1.5 0 A1.5 1.5 0 1 0 1.5 0 A1.5 1.5 0 1 0 -1.5 0 Z",
    Shape.RING: "M-3.5 0 A3.5 3.5 0 1 0 3.5 0 A3.5 3.5 0 1 0 -3.5 0 Z",
    Shape.CROSS: "M-5 -5 L5 5 M-5 5 L5 -5",
    Shape.FLAG: "M0 8 V-7 L9 -3 L0 1",
    Shape.DIAMOND: "M0 -5 L5 0 L0 5 L-5 0 Z",
}
"""Around the moment itself."""


@frozen
class Band:
    """A lane and where it is drawn."""

    lane: Lane
    top: int

    @property
    def height(self) -> int:
        """How tall it is, pixels."""
        return height_of(self.lane)

    def top_of(self, row: int) -> float:
        """Where a row begins, pixels below its own top."""
        return _PAD + sum(self.lane.rows[:row]) + _BETWEEN * row

    def middle_of(self, row: int) -> float:
        """Where the middle of a row is, pixels below its own top."""
        return self.top_of(row) + self.lane.rows[row] / 2


def height_of(lane: Lane) -> int:
    """Say how tall a lane is drawn, pixels."""
    return 2 * _PAD + sum(lane.rows) + _BETWEEN * (len(lane.rows) - 1)


def draw(timeline: Timeline, scale: Scale, *, patterns: bool = True) -> Markup:
    """Draw what happened in a window of time.

    Args:
        timeline: The whole.
        scale: Which window of it; its width must be `PLOT`.
        patterns: Whether to bring the patterns along: once per document is enough.

    Returns:
        One ``svg`` element. Elements that stand for an event are links to ``#e<number of its line>``.
    """
    bands = _stack(timeline.lanes)
    height = bands[-1].top + bands[-1].height if bands else _AXIS
    lanes = [_lane(band, scale) for band in bands]
    return h(
        "svg",
        _patterns() if patterns else None,
        _axis(scale, height),
        join(*lanes),
        _across(timeline, bands, scale, height),
        viewBox=f"0 0 {WIDTH} {height + 1}",
        width=WIDTH,
        height=height + 1,
        class_="timeline",
        role="group",
        aria_label=f"{timeline.title}: {timeline.verdict}",
        data_start=scale.start_s,
        data_end=scale.end_s,
        data_axis=_AXIS,
        data_letter=LETTER_PX,
        xmlns="http://www.w3.org/2000/svg",
    )


def _stack(lanes: tuple[Lane, ...]) -> list[Band]:
    bands, top = [], _AXIS
    for lane in lanes:
        bands.append(Band(lane, top))
        top += height_of(lane)
    return bands


# --- the ground -----------------------------------------------------------------------------------------------------


def _patterns() -> Markup:
    """The hatchings and the head of an arrow, in each tone."""
    hatchings = (
        h(
            "pattern",
            h("rect", width=7, height=7, class_=f"ground {tone.value}"),
            h("path", d="M0 0 V7", class_=f"line {tone.value}"),
            id=f"hatched-{tone.value}",
            width=7,
            height=7,
            patternUnits="userSpaceOnUse",
            patternTransform="rotate(45)",
        )
        for tone in Tone
    )
    heads = (
        h(
            "marker",
            h("path", d="M0 0 L7 3.5 L0 7 Z", class_=f"head {tone.value}"),
            id=f"head-{tone.value}",
            markerWidth=7,
            markerHeight=7,
            refX=6,
            refY=3.5,
            orient="auto",
            markerUnits="userSpaceOnUse",
        )
        for tone in Tone
    )
    return h("defs", *hatchings, *heads)


def _axis(scale: Scale, height: int) -> Markup:
    ticks = (
        h(
            "g",
            h("path", d=f"M0 {_AXIS - 6} V{height}"),
            h("text", text, y=15),
            class_="at",
            data_t=at_s,
            data_y=0,
            transform=f"translate({scale.x(at_s)} 0)",
        )
        for at_s, text in scale.ticks()
    )
    return h(
        "svg", *ticks, x=GUTTER - 40, width=PLOT + 40 + _RIGHT, height=height, class_="axis", viewBox=_shifted(height)
    )


def _shifted(height: int) -> str:
    """Let the first and the last text of the axis stand out beyond the plot."""
    return f"-40 0 {PLOT + 40 + _RIGHT} {height}"


def _lane(band: Band, scale: Scale) -> Markup:
    lane, height = band.lane, band.height
    names = h(
        "g",
        h("text", lane.title, x=GUTTER - 12, y=height / 2 + (-1 if lane.note else 5), class_="name"),
        h("text", lane.note, x=GUTTER - 12, y=height / 2 + 12, class_="note") if lane.note else None,
    )
    ends = _next_starts(lane.spans)
    spans = (
        _span(band, span, scale, until)
        for span, until in zip(lane.spans, ends, strict=True)
        if scale.shows(span.start_s, span.end_s)
    )
    tallies = (
        drawn
        for row, tall in enumerate(lane.rows)
        for drawn in draw_writes([each for each in lane.writes if each.row == row], scale, band.top_of(row), tall)
    )
    plot = h("svg", *tallies, *spans, *_marks(band, scale), x=GUTTER, width=PLOT, height=height, class_="plot")
    return h(
        "g",
        h("rect", width=WIDTH, height=height, class_="ground"),
        h("path", d=f"M0 0 H{WIDTH}", class_="edge"),
        names,
        plot,
        class_=f"lane {lane.kind.value}",
        data_lane=lane.id,
        data_kind=lane.kind.value,
        data_height=height,
        transform=f"translate(0 {band.top})",
    )


# --- what lasts -----------------------------------------------------------------------------------------------------


def _link(event: int | None, content: Markup) -> Markup:
    """Lead from a part of the picture to its line in the list of events."""
    return content if event is None else h("a", content, href=f"#e{event}", tabindex=-1)


def _next_starts(spans: tuple[Span, ...]) -> list[float | None]:
    """Say for each span when the next one in its row begins; None: none follows."""
    follows: dict[int, float] = {}
    found: list[float | None] = []
    for span in reversed(spans):
        found.append(follows.get(span.row))
        follows[span.row] = span.start_s
    return found[::-1]


def _span(band: Band, span: Span, scale: Scale, until: float | None) -> Markup:
    left, right = scale.x(span.start_s), scale.x(span.end_s)
    width = round(max(1.0, right - left), 1)
    tall = _THIN if span.weave is Weave.THIN else band.lane.rows[span.row]
    top = band.middle_of(span.row) - tall / 2
    seen_from, seen_to = max(0.0, left), min(float(scale.width), right)
    label = None
    if span.label:
        after = math.inf if until is None else scale.x(until) - right
        label = _label(span, seen_to - seen_from, after, (left, width), tall)
    drawn = h(
        "svg",
        h("title", span.text) if span.text else None,
        h("rect", width="100%", height="100%", rx=2 if tall <= _THIN else 3),
        label,
        class_=f"span {span.tone.value} {span.weave.value}",
        overflow="visible" if span.spills else None,
        x=left,
        y=top,
        width=width,
        height=tall,
        data_t=span.start_s,
        data_e=span.end_s,
        data_until=until if span.spills else None,
    )
    return _link(span.event, drawn)


def _label(span: Span, room: float, after: float, place: tuple[float, float], tall: int) -> Markup:
    """Write as much as there is room for; what should be read spills over to the right, if nothing is there."""
    left, width = place
    written = next((text for text in (span.label, span.brief) if text and fits(text, room)), "")
    spills = span.spills and not written and fits(span.brief, after)
    return h(
        "text",
        span.brief if spills else written,
        x=width + 5 if spills else max(0.0, -left) + 6,
        y=tall / 2 + 4,
        data_full=span.label,
        data_brief=span.brief or None,
    )


# --- moments --------------------------------------------------------------------------------------------------------


def _marks(band: Band, scale: Scale) -> Iterator[Markup]:
    """Draw the marks of a lane, row by row."""
    shown = [mark for mark in band.lane.marks if scale.shows(mark.at_s, mark.at_s)]
    for row in range(len(band.lane.rows)):
        marks = [mark for mark in shown if mark.row == row]
        places = [scale.x(mark.at_s) for mark in marks]
        for index, mark in enumerate(marks):
            x, last = places[index], index == len(marks) - 1
            room = (scale.width if last else places[index + 1]) - x - _BESIDE
            # At the right edge a label turns to the left, if it does not stand on that of the mark before it.
            back = x - (places[index - 1] + _BESIDE + width_of(marks[index - 1].label) if index else 0.0) - _BESIDE
            side = "right" if fits(mark.label, room) else "left" if last and fits(mark.label, back) else "tight"
            yield _link(mark.event, _mark(mark, x, band.middle_of(row), side))


def _mark(mark: Mark, x: float, y: float, side: str) -> Markup:
    label = h("text", mark.label, x=-_BESIDE if side == "left" else _BESIDE, y=4, class_=side) if mark.label else None
    return h(
        "g",
        h("title", mark.text) if mark.text else None,
        h("path", d=_SHAPES[mark.shape]),
        label,
        class_=f"mark {mark.tone.value} {mark.shape.value}",
        data_t=mark.at_s,
        data_y=y,
        data_row=mark.row,
        transform=f"translate({x} {y})",
    )


def _across(timeline: Timeline, bands: list[Band], scale: Scale, height: int) -> Markup:
    """What goes across the lanes: commands, and the moments that a line marks from top to bottom."""
    found = {band.lane.id: band for band in bands}
    moments = [
        mark for lane in timeline.lanes for mark in lane.marks if mark.rule_off and scale.shows(mark.at_s, mark.at_s)
    ]
    faint = " faint" if len(moments) > _MANY else ""
    rules = (
        h(
            "path",
            d=f"M0 {_AXIS} V{height}",
            class_=f"moment {mark.tone.value}{'' if mark.shape is Shape.CROSS else faint}",
            data_t=mark.at_s,
            data_y=0,
            transform=f"translate({scale.x(mark.at_s)} 0)",
        )
        for mark in moments
    )
    arrows = (
        _arrow(arrow, found[arrow.source], found[arrow.target], scale)
        for arrow in timeline.arrows
        if scale.shows(arrow.start_s, arrow.end_s) and arrow.source in found and arrow.target in found
    )
    return h("svg", *rules, *arrows, x=GUTTER, width=PLOT, height=height, class_="across")


def _arrow(arrow: Arrow, source: Band, target: Band, scale: Scale) -> Markup:
    down = target.top > source.top
    last = len(source.lane.rows) - 1
    y1 = source.top + source.middle_of(last)
    row = 0 if down else len(target.lane.rows) - 1
    half = target.lane.rows[row] / 2
    y2 = target.top + target.middle_of(row) + (-half if down else half)
    drawn = h(
        "path",
        h("title", arrow.text),
        d=f"M{scale.x(arrow.start_s)} {y1} L{scale.x(arrow.end_s)} {y2}",
        class_=f"arrow {arrow.tone.value}",
        data_t=arrow.start_s,
        data_e=arrow.end_s,
        data_from=arrow.source,
        data_to=arrow.target,
        data_out=source.middle_of(last),
        data_in=y2 - target.top,
        marker_end=f"url(#head-{arrow.tone.value})",
    )
    return _link(arrow.event, drawn)


def kinds_of(timeline: Timeline) -> tuple[Kind, ...]:
    """List the sorts of lanes that there are, from top to bottom."""
    return tuple(kind for kind in Kind if any(lane.kind is kind for lane in timeline.lanes))

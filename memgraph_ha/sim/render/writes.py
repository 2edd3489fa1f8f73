"""What clients were told, drawn: one line per write, or columns where they are too many."""

from collections.abc import Iterator, Sequence
from typing import Final

from memgraph_ha.markup import Markup, h
from memgraph_ha.sim.render.model import Told, Write
from memgraph_ha.sim.render.scale import Scale

SINGLE: Final = 1500
"""So many writes of a row are drawn one by one; more are counted in columns."""

COLUMN_PX: Final = 2
"""How wide a column is."""

_LEAST_PX: Final = 3.0
"""A part of a column is not lower, or nobody would see it."""

_HEADS: Final = {
    Told.ACKNOWLEDGED: "",
    Told.IN_DOUBT: "m-3.5 0 a3.5 3.5 0 1 0 7 0 a3.5 3.5 0 1 0 -7 0 Z",
    Told.REFUSED: "m-4 0 l4 -4 l4 4 l-4 4 Z",
}
"""What stands on the line of a write: colour alone says nothing."""


def draw_writes(writes: Sequence[Write], scale: Scale, top: float, tall: int) -> Iterator[Markup]:
    """Draw the writes of one row.

    Args:
        writes: In order of time.
        scale: Which window.
        top: Where the row begins, pixels.
        tall: How tall it is, pixels.
    """
    shown = [write for write in writes if scale.shows(write.at_s, write.at_s)]
    if len(shown) <= SINGLE:
        yield from (_line(write, scale, top + tall / 2, tall) for write in shown)
    else:
        yield from _columns(shown, scale, top, tall)


def _line(write: Write, scale: Scale, middle: float, tall: int) -> Markup:
    path = f"M0 {-tall / 2} V{tall / 2}"
    head = _HEADS[write.told]
    return h(
        "path",
        h("title", f"{write.at_s:.3f} s: {write.count} {write.told.value}"),
        d=f"{path} M0 0 {head}" if head else path,
        class_=f"write {write.told.tone.value}",
        data_t=write.at_s,
        data_y=middle,
        transform=f"translate({scale.x(write.at_s)} {middle})",
    )


def _columns(writes: Sequence[Write], scale: Scale, top: float, tall: int) -> Iterator[Markup]:
    """Count what falls into each column; what was acknowledged stands on the ground, what was not on top of it."""
    wide_s = (scale.end_s - scale.start_s) / (scale.width // COLUMN_PX)
    columns: dict[int, dict[Told, int]] = {}
    for write in writes:
        counts = columns.setdefault(int((write.at_s - scale.start_s) / wide_s), dict.fromkeys(Told, 0))
        counts[write.told] += write.count
    most = _usual_most([counts[Told.ACKNOWLEDGED] for counts in columns.values()])
    for place, counts in sorted(columns.items()):
        start_s, end_s = scale.start_s + place * wide_s, scale.start_s + (place + 1) * wide_s
        said = ", ".join(f"{count} {told.value}" for told, count in counts.items() if count)
        yield h(
            "svg",
            h("title", f"{start_s:.3f} to {end_s:.3f} s: {said}"),
            *_parts(counts, most, tall),
            class_="tally",
            x=scale.x(start_s),
            y=top,
            width=COLUMN_PX,
            height=tall,
            data_t=start_s,
            data_e=end_s,
        )


def _usual_most(counts: Sequence[int]) -> int:
    """Find what fills a column: nearly the highest count, so that one burst does not flatten all others."""
    return max(1, sorted(counts)[int(len(counts) * 0.95)])


def _parts(counts: dict[Told, int], most: int, tall: int) -> Iterator[Markup]:
    left = float(tall)
    for told, count in counts.items():
        if count and left:
            height = min(left, max(_LEAST_PX, round(count / most * tall, 1)))
            left -= height
            yield h("rect", width="100%", height=height, y=round(left, 1), class_=told.tone.value)

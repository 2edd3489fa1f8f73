"""From seconds to pixels: in proportion, in order, with ticks that people can read."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.sim.render.scale import TICK_PX, Scale, fits

MOMENTS = st.floats(min_value=0.0, max_value=1e6, allow_nan=False)
SPANS = st.floats(min_value=1e-3, max_value=1e7, allow_nan=False)


@given(start_s=MOMENTS, span_s=SPANS, one=MOMENTS, other=MOMENTS)
def test_what_is_later_is_never_farther_left(start_s: float, span_s: float, one: float, other: float) -> None:
    """Time runs from left to right, from edge to edge."""
    scale = Scale(start_s, start_s + span_s, 1000)
    early, late = sorted((one, other))
    assert scale.x(early) <= scale.x(late)
    assert scale.x(start_s) == 0
    assert scale.x(start_s + span_s) == 1000


@given(start_s=MOMENTS, span_s=SPANS, width=st.integers(min_value=300, max_value=3000))
def test_ticks_are_even_and_neither_crowded_nor_missing(start_s: float, span_s: float, width: int) -> None:
    """They lie within the window, a step of 1, 2 or 5 apart, with room for their texts, and never tell the same."""
    scale = Scale(start_s, start_s + span_s, width)
    ticks = scale.ticks()
    assert all(-0.2 <= scale.x(at_s) <= width + 0.2 for at_s, _text in ticks)
    steps = [later - earlier for (earlier, _), (later, _) in pairwise(ticks)]
    assert all(abs(step - steps[0]) < 1e-3 * steps[0] + 1e-6 for step in steps)
    assert len(ticks) <= width / TICK_PX + 1
    if span_s > 0.01:
        assert len({text for _at_s, text in ticks}) == len(ticks)


def test_long_windows_are_told_in_minutes() -> None:
    """Nobody reads 5400 s."""
    assert [text for _at_s, text in Scale(0, 3600, 500).ticks()] == ["0:00", "15:00", "30:00", "45:00", "60:00"]
    assert [text for _at_s, text in Scale(4, 6, 360).ticks()] == ["4.0 s", "4.5 s", "5.0 s", "5.5 s", "6.0 s"]


def test_what_does_not_fit_is_not_written() -> None:
    """A letter more needs more room."""
    assert fits("", 8)
    assert fits("MAIN", 40)
    assert not fits("MAIN", 30)

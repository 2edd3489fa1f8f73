"""States that last: they follow each other without gap or overlap, and too many are drawn together."""

from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.sim.render.model import Span, Tone
from memgraph_ha.sim.render.spans import Look, Row, thinned, within

STEPS = st.lists(st.tuples(st.floats(min_value=0.0, max_value=5.0), st.sampled_from("abc")), min_size=1, max_size=40)


@given(steps=STEPS)
def test_a_row_is_covered_from_its_first_state_to_its_end(steps: list[tuple[float, str]]) -> None:
    """Each span begins where the one before it ended; neighbours differ; nothing has no length."""
    row, at_s = Row(0), 0.0
    first_s = steps[0][0]
    for step_s, state in steps:
        at_s += step_s
        row.become(at_s, state, Look(tone=Tone.OK, label=state))
    spans = row.end(at_s + 1)
    assert spans[-1].end_s == at_s + 1
    assert spans[0].start_s >= first_s
    assert all(span.end_s > span.start_s for span in spans)
    assert all(one.end_s == other.start_s for one, other in pairwise(spans))


def test_what_is_not_drawn_leaves_a_gap() -> None:
    """A state without a look is a state all the same: it ends the one before."""
    row = Row(0)
    row.become(1.0, "a", Look(tone=Tone.OK), 7)
    row.become(2.0, "b", None)
    row.become(3.0, "c", Look(tone=Tone.BAD), 9)
    assert [(span.start_s, span.end_s, span.event) for span in row.end(4.0)] == [(1.0, 2.0, 7), (3.0, 4.0, 9)]


def test_a_state_that_grows_worse_is_shown_as_bad_as_it_got() -> None:
    """The same rule may first only look and then act: that is one span, in the tone of acting."""
    row = Row(0)
    row.become(1.0, "a", Look(tone=Tone.SOFT))
    row.become(2.0, "a", Look(tone=Tone.INFO))
    row.become(3.0, "a", Look(tone=Tone.SOFT))
    (span,) = row.end(4.0)
    assert span.tone is Tone.INFO


def _span(start_s: float, end_s: float, tone: Tone = Tone.OK, label: str = "x") -> Span:
    return Span(row=0, start_s=start_s, end_s=end_s, tone=tone, label=label)


def test_a_window_cuts_spans_at_its_edges() -> None:
    """What only touches it is left out."""
    spans = (_span(0, 1), _span(1, 5), _span(5, 6))
    assert [(span.start_s, span.end_s) for span in within(spans, 1, 3)] == [(1, 3)]


@given(lengths=st.lists(st.floats(min_value=0.001, max_value=10.0), min_size=60, max_size=200), gaps=st.booleans())
def test_thinning_keeps_the_worst_tone_the_ends_and_the_count(lengths: list[float], gaps: bool) -> None:
    """However many there are, with or without gaps, few enough are left, and nothing bad disappears."""
    spans, at_s = [], 0.0
    for number, length_s in enumerate(lengths):
        spans.append(_span(at_s, at_s + length_s, Tone.BAD if number % 50 == 7 else Tone.OK, f"l{number}"))
        at_s += length_s + (0.5 if gaps and number < len(lengths) - 1 else 0.0)
    fewer, together = thinned(tuple(spans), most=20)
    assert len(fewer) <= 21
    assert (fewer[0].start_s, fewer[-1].end_s) == (0.0, at_s)
    assert all(one.end_s <= other.start_s for one, other in pairwise(fewer))
    for bad in (span for span in spans if span.tone is Tone.BAD):
        assert any(span.start_s <= bad.start_s and span.end_s >= bad.end_s and span.tone is Tone.BAD for span in fewer)
    alone = {span.label for span in fewer if not span.text}
    assert len(alone) + together == len(spans)


def test_few_spans_are_left_alone() -> None:
    """Nothing is drawn together without need."""
    spans = tuple(_span(number, number + 1) for number in range(20))
    assert thinned(spans, most=20) == (spans, 0)

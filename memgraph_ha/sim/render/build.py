"""From the lines of a trace to a timeline."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from typing import Final, TypeVar

from attrs import evolve, frozen

from memgraph_ha.sim.render.lanes_cluster import instance_lanes, record_lane
from memgraph_ha.sim.render.lanes_inside import arrows_of, controller_lanes, gateway_lanes
from memgraph_ha.sim.render.lanes_outside import client_lane, fault_lane
from memgraph_ha.sim.render.model import Arrow, Lane, Mark, Span, Timeline, Turn
from memgraph_ha.sim.render.spans import thinned, within
from memgraph_ha.sim.render.story import Story, read_story
from memgraph_ha.sim.render.telling import events_of
from memgraph_ha.sim.render.turns import turns_of
from memgraph_ha.sim.render.verdict import verdict_of
from memgraph_ha.trace.schema import Line, LostLine

MARKS: Final = 1500
"""A lane has no more marks than that, and a timeline no more arrows: of those that are too close one is kept."""

_LEAST_S: Final = 0.001


@frozen(kw_only=True)
class Window:
    """Which part of a trace is wanted, on the clock of the timeline.

    Attributes:
        start_s: From when; None: from the beginning.
        end_s: Until when; None: to the end.
    """

    start_s: float | None = None
    end_s: float | None = None

    def of(self, story: Story) -> tuple[float, float]:
        """Say what that is for a trace.

        Raises:
            ValueError: Nothing of the trace lies in it.
        """
        start_s = story.start_s if self.start_s is None else max(story.start_s, self.start_s)
        end_s = story.end_s if self.end_s is None else min(story.end_s, self.end_s)
        if start_s > end_s or (self.end_s is not None and self.end_s < story.start_s):
            raise ValueError(
                f"--from and --to leave nothing: the trace lasts from {story.start_s:.3f} to {story.end_s:.3f} s"
            )
        return start_s, max(end_s, start_s + _LEAST_S)


WHOLE: Final = Window()
"""All of it."""


def timeline_of(lines: Sequence[Line], *, title: str, window: Window = WHOLE, cut_off: bool = False) -> Timeline:
    """Make a timeline of a trace.

    Args:
        lines: All of them, the header first.
        title: What the trace is called.
        window: Which part is wanted.
        cut_off: Whether the last line was broken off, as a crash does it.

    Raises:
        ValueError: It is no trace, or nothing of it lies in the window.
    """
    story = read_story(lines)
    start_s, end_s = window.of(story)
    left: list[str] = list(_missing(story, cut_off=cut_off))
    lanes = tuple(_fitted(lane, start_s, end_s, left) for lane in _lanes(story))
    arrows, lost = sparse(
        [arrow for arrow in arrows_of(story) if arrow.end_s >= start_s and arrow.start_s <= end_s], _sent_at
    )
    if lost:
        left.append(f"{lost} arrows of commands are left out: choose a shorter part with --from and --to.")
    verdict = verdict_of(story)
    events = tuple(event for event in events_of(story) if start_s <= event.at_s <= end_s)
    return Timeline(
        title=title,
        origin=tuple(_origin(story, start_s, end_s)),
        verdict=verdict.head,
        tone=verdict.tone,
        lines=verdict.lines,
        start_s=start_s,
        end_s=end_s,
        wall_s=story.header.began_at,
        lanes=lanes,
        arrows=arrows,
        turns=tuple(_inside(turns_of(story), start_s, end_s)),
        events=events,
        left_out=tuple(left),
    )


def _lanes(story: Story) -> Iterator[Lane]:
    """From what users felt to why: faults, clients, gateways, record, controllers, instances."""
    lanes = (
        fault_lane(story),
        client_lane(story),
        *gateway_lanes(story),
        record_lane(story),
        *controller_lanes(story),
        *instance_lanes(story),
    )
    yield from (lane for lane in lanes if lane is not None)


def _origin(story: Story, start_s: float, end_s: float) -> Iterator[str]:
    header = story.header
    yield f"{header.source.value}, {header.product}"
    if header.scenario:
        yield f"scenario {header.scenario}"
    if header.seed is not None:
        yield f"seed {header.seed}"
    yield f"{end_s - start_s:.1f} s" + ("" if end_s - start_s > story.end_s - story.start_s - 1e-6 else " of it")


def _missing(story: Story, *, cut_off: bool) -> Iterator[str]:
    if cut_off:
        yield "The last line of the trace was cut off in the middle: whoever recorded it was killed."
    elif story.footer is None:
        yield "The trace has no last line: its recording was not ended in order, or still goes on."
    dropped = sum(entry.line.lines for entry in story.entries if isinstance(entry.line, LostLine))
    if dropped:
        yield f"{dropped} lines are missing in the trace itself: the disk was too slow for them."


# --- what is wanted of it, and not too much -------------------------------------------------------------------------

T = TypeVar("T")


def _fitted(lane: Lane, start_s: float, end_s: float, left: list[str]) -> Lane:
    """Cut a lane to a window, and draw together what is too fine; note what cannot be seen any more."""
    spans = within(lane.spans, start_s, end_s)
    kept: list[Span] = []
    for row in range(len(lane.rows)):
        fewer, together = thinned(tuple(span for span in spans if span.row == row))
        kept += fewer
        if together:
            left.append(f"{lane.id}: {together} short stretches are drawn together; look closer with --from and --to.")
    marks, lost = sparse([mark for mark in lane.marks if start_s <= mark.at_s <= end_s], _marked_at)
    if lost:
        left.append(f"{lane.id}: {lost} marks are left out; choose a shorter part with --from and --to.")
    return evolve(lane, spans=tuple(kept), marks=marks)


def _marked_at(mark: Mark) -> float:
    return mark.at_s


def _sent_at(arrow: Arrow) -> float:
    return arrow.start_s


def sparse(items: Sequence[T], at: Callable[[T], float], most: int = MARKS) -> tuple[tuple[T, ...], int]:
    """Keep one of those that are too close to each other, if there are too many.

    Args:
        items: In order of time.
        at: When each is.
        most: How many may be left.

    Returns:
        What is left, and how many are not.
    """
    if len(items) <= most:
        return tuple(items), 0
    first_s, last_s = at(items[0]), at(items[-1])
    wide_s = max(last_s - first_s, _LEAST_S) / most
    kept: dict[int, T] = {}
    for item in items:
        kept.setdefault(min(most - 1, int((at(item) - first_s) / wide_s)), item)
    return tuple(kept.values()), len(items) - len(kept)


def _inside(turns: Iterable[Turn], start_s: float, end_s: float) -> Iterator[Turn]:
    for turn in turns:
        if turn.end_s > start_s and turn.start_s < end_s:
            yield evolve(turn, start_s=max(start_s, turn.start_s))


def listed(timeline: Timeline, most: int) -> Timeline:
    """Leave out events in the middle until there are few enough, and let nothing lead to one that is left out.

    Args:
        timeline: The whole.
        most: How many events may be left; 0: nothing leads anywhere.
    """
    events, left = timeline.events, timeline.left_out
    if most and len(events) > most:
        events = (*events[: most // 2], *events[len(events) - most // 2 :])
        missing = len(timeline.events) - len(events)
        left = (*left, f"{missing} events in the middle are not listed: choose a shorter part with --from and --to.")
    known = {event.number for event in events} if most else set()
    return evolve(
        timeline,
        lanes=tuple(
            evolve(lane, spans=_leading(lane.spans, known), marks=_leading(lane.marks, known))
            for lane in timeline.lanes
        ),
        arrows=_leading(timeline.arrows, known),
        events=events,
        left_out=left,
    )


Leader = TypeVar("Leader", Span, Mark, Arrow)


def _leading(parts: tuple[Leader, ...], known: set[int]) -> tuple[Leader, ...]:
    return tuple(part if part.event in known else evolve(part, event=None) for part in parts)

"""Which decision somebody means."""

from collections.abc import Callable

import pytest

from memgraph_ha.sim.replay.finding import NotFoundError, Wanted, find
from memgraph_ha.trace.recorder import ListSink
from memgraph_ha.trace.schema import CommandLine, FactLine, Line, StartLine
from tests.core.places import NOW, WALL
from tests.core.views import HEALTHY
from tests.sim.replay.story import LOST_S, failover, ticks
from tests.trace.told import Told, recorder_to

LINES = failover()
STEADY, STILL, LOST, BEGUN = (line.seq for line in ticks(LINES))


def number_of(kind: type[Line], place: int = 0) -> int:
    """The number of the n-th line of a kind."""
    found = [line for line in LINES if isinstance(line, kind)]
    return int(getattr(found[place], "seq", 0))


@pytest.mark.parametrize(
    ("wanted", "seq"),
    [
        (Wanted(seq=LOST), LOST),
        (Wanted(seq=number_of(CommandLine)), LOST),  # a command leads to the decision that it is of
        (Wanted(seq=STILL + 1), LOST),  # a fact to the one that took it up
        (Wanted(seq=2), STEADY),
        (Wanted(), BEGUN),
        (Wanted(rule="L30"), LOST),
        (Wanted(rule="Z99"), STEADY),  # where it began to decide, not where it went on
        (Wanted(at=0.0), STEADY),
        (Wanted(at=9999.0), BEGUN),
        (Wanted(at=WALL, wall=True), STEADY),
        (Wanted(at=WALL + LOST_S - NOW, wall=True), LOST),
        (Wanted(at=ticks(LINES)[2].t - ticks(LINES)[0].t), LOST),
        (Wanted(at=ticks(LINES)[2].t - ticks(LINES)[0].t - 0.0005), STILL),
        (Wanted(who="c1"), BEGUN),
    ],
)
def test_what_is_meant_is_found(wanted: Wanted, seq: int) -> None:
    """By number, by time, by rule, or the last that was no routine."""
    assert find(LINES, wanted) == seq


@pytest.mark.parametrize(
    ("wanted", "says"),
    [
        (Wanted(seq=9999), "there is no line 9999; the last one is"),
        (Wanted(seq=number_of(FactLine, -1)), "was never decided upon: the trace ends before"),
        (Wanted(seq=number_of(StartLine)), "is none that a decision belongs to"),
        (Wanted(rule="D10"), "rule D10 decided nothing in this trace; these did: Z99, L30, O10"),
        (Wanted(at=-1.0), "nothing was decided so early"),
        (Wanted(who="c9"), "nothing was decided in this trace"),
    ],
)
def test_what_is_not_there_is_said(wanted: Wanted, says: str) -> None:
    """With what there is instead."""
    with pytest.raises(NotFoundError) as caught:
        find(LINES, wanted)
    assert says in str(caught.value)


def both(first: Callable[[Told], object], second: Callable[[Told], object]) -> list[Line]:
    """Record two controllers at once."""
    sink = ListSink()
    recorder = recorder_to(sink)
    one, two = Told(recorder, "c1"), Told(recorder, "c2")
    for told in (one, two):
        told.hear(HEALTHY.facts())
    first(one)
    second(two)
    return sink.lines


def test_each_controller_has_its_own_last_decision() -> None:
    """Where nothing but routine was decided, the last of that."""
    lines = both(lambda told: told.tick(), lambda told: told.tick())
    of_each = [line.seq for line in ticks(lines)]
    assert [find(lines, Wanted(who=who)) for who in ("c1", "c2")] == of_each
    assert find(lines, Wanted()) == of_each[-1]
    assert find(lines, Wanted(rule="Z99", who="c1")) == of_each[0]

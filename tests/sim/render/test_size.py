"""Large traces stay usable: a page has a bound, and says what was left out."""

import re
import time
from itertools import pairwise

import pytest
from attrs import evolve

from memgraph_ha.core.facts import LeaseSeen
from memgraph_ha.core.holds import Hold
from memgraph_ha.sim.render.build import MARKS, sparse, timeline_of
from memgraph_ha.sim.render.draw import PLOT
from memgraph_ha.sim.render.model import Timeline
from memgraph_ha.sim.render.page import page
from memgraph_ha.sim.render.spans import MOST
from memgraph_ha.sim.render.writes import COLUMN_PX
from memgraph_ha.trace.schema import Ghost
from tests.sim.render.drawn import drawing, placed
from tests.sim.render.told import M0, NOOP, Script, decision, permit

FLAPS = 2500
WRITES = 12_000


@pytest.fixture(scope="module")
def large() -> Timeline:
    """An hour: a controller that changes its mind all the time, each time with a new command, and many writes."""
    told = Script()
    told.start(0.0, "C1")
    told.fact("C1", LeaseSeen(at_s=0.0, leading=True))
    for number in range(FLAPS):
        at_s = number * 1.4
        tick = told.tick(at_s, "C1", decision("O20", NOOP, open_to=permit(M0, number)))
        told.command(at_s, "C1", NOOP, tick)
        told.tick(at_s + 0.7, "C1", decision("Y20", hold=Hold.UNPROTECTED, open_to=permit(M0, number)))
    for number in range(WRITES):
        told.ghost(number * 0.3, f"c{number % 40}", Ghost.WRITES, outcome="acknowledged", count=1)
    return timeline_of(told.whole(3600.0), title="an hour")


def test_lanes_have_a_bound_and_the_rest_is_named(large: Timeline) -> None:
    """However often something changes; nothing disappears without a word."""
    for lane in large.lanes:
        assert len(lane.spans) <= (MOST + 1) * len(lane.rows)
        assert len(lane.marks) <= MARKS
    assert len(large.arrows) <= MARKS
    said = " ".join(large.left_out)
    together = re.search(r"controller C1: (\d+) short stretches are drawn together", said)
    assert together
    (lane,) = (lane for lane in large.lanes if lane.id == "controller C1")
    assert 2 * FLAPS - MOST <= int(together[1]) <= 2 * FLAPS
    assert any("drawn together" in span.text for span in lane.spans)
    assert f"controller C1: {FLAPS - MARKS} marks are left out" in said
    assert f"{FLAPS - MARKS} arrows of commands are left out" in said


def test_the_page_of_an_hour_opens(large: Timeline) -> None:
    """Less than 4 MB, written in a moment, and it names what is missing."""
    began_s = time.process_time()
    text = page(large)
    assert time.process_time() - began_s < 10
    assert len(text) < 4_000_000
    assert all(left in text for left in large.left_out)


def test_many_clients_share_one_row(large: Timeline) -> None:
    """Forty rows would push everything else off the screen."""
    (lane,) = (lane for lane in large.lanes if lane.id == "clients")
    assert len(lane.rows) == 2
    assert len(lane.writes) == WRITES


def test_too_many_writes_are_counted_in_columns_that_add_up(large: Timeline) -> None:
    """Each column says how many; none is lost, and a window with few of them shows each by itself."""
    parts = [part for part in placed(drawing(large)) if part.lane == "clients"]
    assert len(parts) <= PLOT / COLUMN_PX + 1
    counted = [int(found[1]) for part in parts if (found := re.search(r"s: (\d+) acknowledged", part.text))]
    assert sum(counted) == WRITES
    near = evolve(large, start_s=100.0, end_s=110.0)
    lines = [part for part in placed(drawing(near)) if "write" in part.classes]
    assert all(100.0 <= part.start_s <= 110.0 for part in lines)
    assert 30 <= len(lines) <= 40


def test_of_those_too_close_to_each_other_one_is_kept() -> None:
    """The first and the stretches are kept; few are left alone."""
    items = [number / 10 for number in range(1000)]
    kept, lost = sparse(items, float, most=100)
    assert len(kept) == 100
    assert lost == 900
    assert kept[0] == 0.0
    assert all(later - earlier < 2.1 for earlier, later in pairwise(kept))
    assert sparse(items, float, most=1000) == (tuple(items), 0)

"""The totals: they only grow, add up, and mean what the metrics say."""

from attrs import evolve
from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.api.accounting import Accounting, Histogram
from memgraph_ha.core.decide import decide
from memgraph_ha.core.facts import CommandEnded, Outcome
from memgraph_ha.core.view import View
from tests.core.changes import a_noop, gate_shut, refuses, scene
from tests.core.scenes import ALONE, BEGUN
from tests.core.views import HEALTHY, M0, NOW, WALL, Scene


def tick(accounting: Accounting, at: Scene, now_s: float = NOW) -> None:
    """File one turn in a scene, at another time if that is asked for."""
    view = at.view
    accounting.note_tick(View(observed=view.observed, policy=view.policy, now_s=now_s, wall_s=WALL), decide(view), 0.01)


@given(st.lists(st.floats(min_value=0, max_value=100)))
def test_a_histogram_agrees_with_counting_by_hand(values: list[float]) -> None:
    """Every value is in the first bucket whose bound is not below it."""
    histogram = Histogram((1.0, 10.0))
    for value in values:
        histogram.add(value)
    assert histogram.counts == [
        sum(value <= 1 for value in values),
        sum(1 < value <= 10 for value in values),
        sum(value > 10 for value in values),
    ]
    assert histogram.count == len(values)


@given(st.lists(st.sampled_from([*Outcome, None]), max_size=30))
def test_turns_add_up_whatever_happens(events: list[Outcome | None]) -> None:
    """Successful and failed are all, and neither ever falls; a turn fails once however many commands did."""
    accounting, seen = Accounting(), (0, 0)
    for outcome in events:
        if outcome is None:
            tick(accounting, HEALTHY)
        else:
            ended = CommandEnded(at_s=1, command=a_noop(HEALTHY), outcome=outcome)
            accounting.note_command(ended, 0.1, WALL)
        now = (accounting.good_turns, accounting.failed_turns)
        assert now[0] >= seen[0]
        assert now[1] >= seen[1]
        assert sum(now) == accounting.turns.count
        seen = now


def test_an_error_is_told_until_something_is_done() -> None:
    """The predecessor never cleared it."""
    accounting = Accounting()
    refused = CommandEnded(at_s=1, command=a_noop(HEALTHY), outcome=Outcome.REFUSED, detail="it says no")
    accounting.note_command(refused, 0.1, WALL)
    assert accounting.last_error == "CommitNoop: refused (it says no)"
    accounting.note_command(evolve(refused, outcome=Outcome.DONE), 0.1, WALL)
    assert accounting.last_error is None


def test_a_pause_of_writes_is_as_long_as_it_was() -> None:
    """From the turn that shut the gateway to the one that opened it; what a later leader opens is not ours."""
    accounting = Accounting()
    tick(accounting, HEALTHY, NOW)
    tick(accounting, HEALTHY.but(refuses(M0), gate_shut()), NOW + 1)
    tick(accounting, BEGUN, NOW + 1.5)
    tick(accounting, ALONE, NOW + 2)
    assert (accounting.pauses.count, accounting.pauses.total, accounting.shut_s) == (1, 1.0, 1.0)
    tick(accounting, BEGUN, NOW + 3)
    tick(accounting, HEALTHY.but(scene(lease=None)), NOW + 4)
    assert accounting.pauses.count == 1


def test_leadership_is_counted_both_ways() -> None:
    """Gained, lost, gained: three changes, two elections."""
    accounting = Accounting()
    follower = HEALTHY.but(scene(lease=None))
    for at in (HEALTHY, HEALTHY, follower, follower, HEALTHY):
        tick(accounting, at)
    assert (accounting.elections, accounting.leadership_changes) == (2, 3)

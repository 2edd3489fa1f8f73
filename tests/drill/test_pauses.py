"""Pauses are measured as design 10 defines them, and summarised without inventing figures."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from memgraph_ha.core.names import InstanceName
from memgraph_ha.core.record import ChangeKind
from memgraph_ha.drill.ledger import Outcome, WriterLog
from memgraph_ha.drill.pauses import (
    Fault,
    FaultKind,
    Pause,
    distribution,
    longest_other_silence,
    pauses_of,
)


def fault_at(sent_s: float, number: int = 1) -> Fault:
    """A kill that was seen to have worked 10 ms after it was sent."""
    return Fault(
        number=number,
        kind=FaultKind.KILL,
        main=InstanceName("a"),
        sent_s=sent_s,
        seen_s=sent_s + 0.01,
        protected_s=sent_s + 1.0,
        new_main=InstanceName("b"),
        changes=(ChangeKind.FAILOVER,),
    )


def acknowledged(writer: int, *times: tuple[float, float]) -> WriterLog:
    """A writer whose writes were all acknowledged: when each began and ended."""
    log = WriterLog(writer)
    for begun_s, ended_s in times:
        log.begin(begun_s)
        log.end(Outcome.ACKNOWLEDGED, ended_s)
    return log


def test_a_pause_runs_from_the_signal_to_the_first_new_acknowledgement_of_anybody() -> None:
    """The fastest writer ends the pause; what was begun before MAIN was seen dead does not."""
    slow = acknowledged(0, (9.0, 9.1), (10.5, 10.9))
    fast = acknowledged(1, (9.99, 10.005), (10.005, 10.02), (10.2, 10.3))

    [pause] = pauses_of([fault_at(10.0)], [slow, fast], stopped_s=20.0)

    assert pause.first_s == pytest.approx(0.3)
    assert pause.per_writer_s == pytest.approx((0.9, 0.3))
    assert pause.all_back_s == pytest.approx(0.9)


def test_a_writer_that_is_not_back_before_the_next_fault_is_missing() -> None:
    """Its next acknowledgement belongs to the next fault, not to this one."""
    log = acknowledged(0, (25.0, 25.5))

    first, second = pauses_of([fault_at(10.0), fault_at(20.0, 2)], [log], stopped_s=30.0)

    assert first.first_s is None
    assert first.all_back_s is None
    assert second.first_s == pytest.approx(5.5)


def test_nobody_came_back_after_the_last_fault() -> None:
    """The end of the writers is the end of the last window."""
    [pause] = pauses_of([fault_at(10.0)], [acknowledged(0, (11.0, 31.0))], stopped_s=30.0)

    assert pause.first_s is None


def test_without_faults_there_are_no_pauses() -> None:
    """A drill that failed before its first fault can still be summed up."""
    assert pauses_of([], [], stopped_s=0.0) == ()


def test_other_silences_are_those_that_no_fault_excuses() -> None:
    """The gap that a fault explains does not count, but what lies before it and a second dip do."""
    log = acknowledged(0, (0, 1), (1, 2), (9.5, 9.9), (12.0, 12.0), (12.0, 12.7), (12.7, 12.8))
    [pause] = pauses = pauses_of([fault_at(10.0)], [log], stopped_s=20.0)

    assert pause.over_s == 12.0
    assert longest_other_silence(pauses, [log]) == pytest.approx(7.9)  # 2 to 9.9, long before the fault
    late = acknowledged(0, (9.5, 9.9), (12.0, 12.0), (12.0, 12.7), (12.7, 12.8))
    assert longest_other_silence(pauses, [late]) == pytest.approx(0.7)  # 12 to 12.7, the dip after it


def test_a_silence_that_never_ended_is_a_missing_pause_not_another_silence() -> None:
    """After a fault without recovery nothing is measured until the next."""
    pauses = (Pause(sent_s=10.0, back_s=(None,)),)

    assert longest_other_silence(pauses, [acknowledged(0, (9.0, 9.5), (9.9, 60.0))]) == pytest.approx(0.5)


def test_a_distribution_of_nothing_has_no_figures() -> None:
    """No measurement, no number."""
    empty = distribution([])

    assert (empty.count, empty.missing) == (0, 0)
    assert math.isnan(empty.p50)


def test_what_never_came_is_longer_than_anything() -> None:
    """A missing recovery must not make a percentile look better."""
    summary = distribution([0.1, None, 0.2, 0.3])

    assert (summary.min, summary.p50, summary.p99, summary.max) == (0.1, 0.2, math.inf, math.inf)
    assert (summary.count, summary.missing) == (4, 1)


def test_one_slow_of_a_hundred_is_not_the_99th_percentile_but_two_are() -> None:
    """Nearest rank: p99 of 100 values is the 99th."""
    assert distribution([*[0.1] * 99, 5.0]).p99 == 0.1
    assert distribution([*[0.1] * 98, 5.0, 6.0]).p99 == 5.0


@given(st.lists(st.floats(0, 1e6), min_size=1))
def test_every_figure_was_measured(values: list[float]) -> None:
    """Each figure is one of the values, in order, and at least half (99 %) are not above p50 (p99)."""
    summary = distribution(values)

    assert {summary.min, summary.p50, summary.p99, summary.max} <= set(values)
    assert summary.min <= summary.p50 <= summary.p99 <= summary.max
    assert sum(value <= summary.p50 for value in values) * 2 >= len(values)
    assert sum(value <= summary.p99 for value in values) * 100 >= len(values) * 99
